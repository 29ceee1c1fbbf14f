"""A spool is opened together with what knows of the records that never reached it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from seawall_proxy.telemetry.spool.mark import boot_digest
from seawall_proxy.telemetry.spool.source_mark import FRONT, SourceMark, collect, take_over_before
from seawall_proxy.telemetry.spool.spool import Spool
from seawall_proxy.telemetry.spool.terms import SpoolLimits

log = logging.getLogger("seawall.events")

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class LeftBehind:
    """Declares what processes had that are gone: the one in front before this one, and its workers."""

    def __init__(self, directory: Path) -> None:
        self._directory: Path = directory
        self._boot: bytes = boot_digest(boot_id())
        self._said: str = ""

    def declare(self, spool: Spool, now_s: float) -> None:
        """Look for such, at a wall-clock time; what cannot be looked at is said once."""

        def skip(source: SourceMark, lost: int, reason: str) -> None:
            spool.skip(lost, reason, now_s, source)

        try:
            collect(self._directory, self._boot, skip)
            self._said = ""
        except OSError as error:
            if str(error) != self._said:
                log.warning("what processes that were killed had recorded cannot be counted: %s", error)
            self._said = str(error)


def open_spool(
    directory: Path, random_bytes: Callable[[int], bytes], limits: SpoolLimits, now_s: float
) -> tuple[Spool, SourceMark | None]:
    """Open the spool, and make the page that says what this process has recorded and not numbered. Raises
    SpoolBusy, and OSError when the directory cannot be used.
    """
    boot = boot_id()
    spool = Spool.open(directory, now_s=now_s, boot=boot, random_bytes=random_bytes, limits=limits)
    try:
        take_over_before(directory)
        return spool, SourceMark.create(directory, boot_digest(boot), FRONT)
    except OSError as error:
        # The spool is worth having without it.
        log.warning("what a kill would lose between call and spool will not be counted: %s", error)
        return spool, None


def boot_id() -> str:
    """Return the kernel's boot identity; empty when unknown."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
