"""Noticing that the policy file has changed.

The file is looked at once a second: its identity, size and modification time. That sees what editors and
configuration tools do (writing in place, renaming over, swapping a symbolic link) without a watch that some
file systems do not have.
"""

from __future__ import annotations

from pathlib import Path

Fingerprint = tuple[int, int, int, int]


def fingerprint(path: Path) -> Fingerprint | None:
    """Return what tells one state of the file from another; None when it cannot be read."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)


class FileWatch:
    """Remembers the last state of a file. A change is reported once it has been still for one look."""

    def __init__(self, path: Path) -> None:
        self._path: Path = path
        self._known: Fingerprint | None = fingerprint(path)
        self._seen: Fingerprint | None = self._known

    def changed(self) -> bool:
        """Look; tell whether there is a new state that did not change since the look before."""
        now = fingerprint(self._path)
        still = now == self._seen
        self._seen = now
        if now is None or not still or now == self._known:
            return False
        self._known = now
        return True

    def accept(self) -> None:
        """Take the present state for known, since the file is being read anyway."""
        self._known = fingerprint(self._path)
        self._seen = self._known
