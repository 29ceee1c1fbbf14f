"""A spool is opened together with what knows of the records that never reached it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from seawall_proxy.telemetry.spool.mark import boot_digest
from seawall_proxy.telemetry.spool.spool import Spool
from seawall_proxy.telemetry.spool.terms import LOST_IN_CRASH, WORKER_DIED, SpoolLimits
from seawall_proxy.telemetry.spool.waiting import WaitingMark
from seawall_proxy.telemetry.spool.worker_mark import collect

log = logging.getLogger("seawall.events")

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class LeftBehind:
    """Declares what workers had that are gone together with the process in front of them."""

    def __init__(self, directory: Path) -> None:
        self._directory: Path = directory
        self._boot: bytes = boot_digest(boot_id())
        self._done: set[str] = set()
        self._said: str = ""

    def declare(self, spool: Spool, now_s: float) -> None:
        """Look for such workers, at a wall-clock time; what cannot be looked at is said once."""
        try:
            collect(
                self._directory, self._boot, lambda lost: spool.skip(lost, WORKER_DIED, now_s), self._done
            )
            self._said = ""
        except OSError as error:
            if str(error) != self._said:
                log.warning("what workers that were killed had recorded cannot be counted: %s", error)
            self._said = str(error)


def open_spool(
    directory: Path, random_bytes: Callable[[int], bytes], limits: SpoolLimits, now_s: float
) -> tuple[Spool, WaitingMark | None]:
    """Open the spool and declare what the process before this one had recorded and not numbered when it was
    killed. Raises SpoolBusy, and OSError when the directory cannot be used.
    """
    boot = boot_id()
    spool = Spool.open(directory, now_s=now_s, boot=boot, random_bytes=random_bytes, limits=limits)
    try:
        waiting, lost = WaitingMark.open(directory / "waiting", boot_digest(boot))
    except OSError as error:
        # The spool is worth having without it.
        log.warning("what a kill would lose between call and spool will not be counted: %s", error)
        return spool, None
    spool.skip(lost, LOST_IN_CRASH, now_s)
    return spool, waiting


def boot_id() -> str:
    """Return the kernel's boot identity; empty when unknown."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
