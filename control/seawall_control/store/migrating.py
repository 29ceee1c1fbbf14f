"""What the migrations of every database have in common: their files, and what the log says while they run.

An index over millions of events takes minutes. The log says every ten seconds that it goes on, and at the end
of each migration how long it took.
"""

from __future__ import annotations

import logging
import re
from importlib import resources
from time import monotonic
from typing import Final

from seawall_control.domain.errors import StoreRefused

PROGRESS_S: Final = 10.0
"""Between two lines that say that a migration goes on."""
MIGRATED: Final = "a migration is done"
"""What the log says of each, with `migration` and `seconds`."""
_MIGRATION: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")

_log = logging.getLogger("seawall.control.store")

Step = tuple[int, str, str]
"""Number, name and text of a migration."""


def migrations_in(package: str) -> list[Step]:
    """Return the migrations of an adapter in order; numbers grow by one from 1."""
    folder = resources.files(package) / "migrations"
    found = []
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        match = _MIGRATION.fullmatch(entry.name)
        if match:
            found.append((int(match.group(1)), entry.name, entry.read_text(encoding="utf-8")))
    if [number for number, _, _ in found] != list(range(1, len(found) + 1)):
        raise StoreRefused(
            f"the installation is broken: migrations are {[name for _, name, _ in found]}; install again"
        )
    return found


class Progress:
    """Tells the log of one migration."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._started = self._said = monotonic()
        self._say("migrating the store")

    def going_on(self) -> None:
        """Say that it goes on, unless that was said a moment ago."""
        now = monotonic()
        if now - self._said >= PROGRESS_S:
            self._said = now
            self._say("the migration goes on", seconds=round(now - self._started))

    def done(self) -> None:
        """Say how long it took."""
        self._say(MIGRATED, seconds=round(monotonic() - self._started, 1))

    def _say(self, text: str, **more: float) -> None:
        _log.info(text, extra={"fields": {"migration": self._name, **more}})
