"""The file of an archive: written whole or not at all, read in parts, and compared with its manifest."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Generator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from seawall_control.domain import export
from seawall_control.domain.archives import Archive, event_of
from seawall_control.domain.events import Event
from seawall_control.domain.export import Format
from seawall_control.domain.filters import EVERYTHING, Node, matches
from seawall_control.services.durable_files import sync_directory

CHUNK_BYTES: Final = 256 * 1024
DAMAGED: Final = (OSError, EOFError, ValueError, zlib.error)
"""What reading a damaged file raises."""


class Writer:
    """A compressed file of events that becomes visible when it is whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] = opened(path)
        # No name and no time in the header: the same events make the same file.
        self._gzip = gzip.GzipFile(filename="", mode="wb", fileobj=self._file, compresslevel=6, mtime=0)
        self.text_bytes = 0

    def add(self, events: Sequence[Event]) -> None:
        """Write events."""
        text = export.chunk(events, Format.NDJSON, first=False, last=False).encode()
        self._gzip.write(text)
        self.text_bytes += len(text)

    def finish(self, path: Path) -> tuple[int, str]:
        """Sync the file and give it its name; return its size and check sum."""
        self._gzip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        size, digest = sum_of(self._path)
        self._path.replace(path)
        sync_directory(path.parent)
        return size, digest

    def discard(self) -> None:
        """Leave nothing behind of what was not finished."""
        with suppress(OSError):
            self._file.close()
        self._path.unlink(missing_ok=True)


def opened(path: Path) -> IO[bytes]:
    """Return a new file that only its owner may read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def sum_of(path: Path) -> tuple[int, str]:
    """Return size and SHA-256 of a file."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while data := file.read(CHUNK_BYTES):
            digest.update(data)
            size += len(data)
    return size, digest.hexdigest()


def parts_of(path: Path, wanted: Node) -> Generator[list[Event], None, None]:
    """Yield the events that match, some hundred lines at a time; a part may be empty."""
    with gzip.open(path, "rb") as packed, io.TextIOWrapper(packed, encoding="utf-8") as file:
        part: list[Event] = []
        for number, line in enumerate(file, start=1):
            event = event_of(line)
            if matches(wanted, event):
                part.append(event)
            if number % 500 == 0:
                yield part
                part = []
        yield part


def fault_of(path: Path, archive: Archive) -> str:
    """Return what is wrong with an archive's file; empty when it is sound."""
    try:
        size, digest = sum_of(path)
        if digest != archive.sha256:
            return f"the check sum is {digest}, it should be {archive.sha256} ({size} bytes)"
        events = sum(len(part) for part in parts_of(path, EVERYTHING))
    except FileNotFoundError:
        return "the file is gone"
    except DAMAGED as error:
        return f"the file cannot be read: {error}"
    return "" if events == archive.events else f"{events} events are in it, it should be {archive.events}"
