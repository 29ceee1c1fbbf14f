"""The files of the spool: what is found at a start, and where the last whole entry ends."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from seawall_proxy.telemetry.spool.format import HEADER_BYTES, SegmentHeader, decode_header, find_entry
from seawall_proxy.telemetry.spool.terms import BLOCK_BYTES

SUFFIX: Final = ".seg"
KEPT: Final = ".kept"
"""Of a segment that was acknowledged as a whole: it is not sent as if it were new when the mark is lost."""
STRANGER: Final = ".old"
"""Of a segment that another spool left in the same directory."""
ANY: Final = 1 << 62
"""Above every number: what limits a look-up where the last number is not known yet."""


class Segment:
    """One file."""

    def __init__(self, path: Path, header: SegmentHeader | None, first: int, last: int, size: int) -> None:
        self.path: Path = path
        self.header: SegmentHeader | None = header
        self.first: int = first
        self.last: int = last
        """Last number that may be in it; below `first` when it is empty."""
        self.size: int = size
        self.skipped: int = 0
        """Numbers of its skips, as far as this process wrote them."""

    def be_kept(self) -> None:
        """Give the file the name of one that is kept. Raises OSError."""
        path = self.path.with_suffix(KEPT)
        self.path.rename(path)
        self.path = path

    @property
    def salt(self) -> int:
        """From which the checksums of its entries start."""
        return 0 if self.header is None else self.header.salt

    def begun_s(self, otherwise_s: float) -> float:
        """Return when it was begun, in wall-clock seconds; `otherwise_s` when its header does not say."""
        return otherwise_s if self.header is None else self.header.created_s

    @property
    def cost(self) -> int:
        """Bytes that it counts for."""
        return max(self.size, BLOCK_BYTES)


def look(directory: Path, spool_id: bytes) -> tuple[list[Segment], list[Path]]:
    """Return the segments of this spool in order, and the files that another one left."""
    ours: list[Segment] = []
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        if not path.stem.isdigit():
            continue
        with path.open("rb") as file:
            header = decode_header(file.read(HEADER_BYTES))
        if header is not None and header.spool_id != spool_id:
            # Out of the way first: this spool may need a file of the same name.
            path.rename(path.with_name(f"{path.stem}-{header.spool_id.hex()}{STRANGER}"))
            continue
        first = int(path.stem)
        ours.append(Segment(path, header, first, first - 1, path.stat().st_size))
    return ours, sorted(directory.glob(f"*{STRANGER}"))


def look_for_kept(directory: Path, spool_id: bytes) -> list[Segment]:
    """Return the kept segments of this spool in order; remove those of another one, and what is none."""
    found: list[Segment] = []
    for path in sorted(directory.glob(f"*{KEPT}")):
        with path.open("rb") as file:
            header = decode_header(file.read(HEADER_BYTES))
        if header is None or header.spool_id != spool_id:
            path.unlink()
            continue
        found.append(Segment(path, header, header.first, header.first - 1, path.stat().st_size))
    return found


def cut_torn_tail(segments: list[Segment]) -> int:
    """Cut what follows the last whole entry of the last segment; return the last number found."""
    while segments:
        segment = segments[-1]
        end, through = HEADER_BYTES, segment.first - 1
        if segment.header is not None:
            data = read_segment(segment.path)
            position = HEADER_BYTES
            while True:
                entry = find_entry(data, position, segment.header.salt, through + 1, ANY)
                if entry is None:
                    break
                position = end = entry.end
                through = entry.through
            if through >= segment.first:
                if end < len(data):
                    os.truncate(segment.path, end)
                    segment.size = end
                return through
        # Nothing in it can be read. Its numbers are missing, which is how they will be declared.
        segments.pop()
        segment.path.unlink(missing_ok=True)
    return 0


def read_segment(path: Path) -> bytes:
    """Return the bytes of a segment; nothing when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        # A file that cannot be read holds nothing: its numbers are declared missing.
        return b""
