"""The spool's mark: which numbers were given out, so that none is ever given out twice, and how far they
are acknowledged.

Three slots in one small file, each with a checksum. Slots 0 and 1 are written in turn and synced to the
disk; they say up to where numbers are *reserved*. Slot 2 is written after each append without a sync; it
says the last number that was *given*, together with the identity of the kernel's boot. A process that is
killed leaves the kernel's cache intact, so under the same boot the last number is exact; after a power
cut only the reservation is trusted, and what lies between the last entry found and the reservation is
declared lost (at most `RESERVE` numbers too many, and never one too few).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from struct import Struct
from typing import Final
from zlib import crc32

from seawall_proxy.durable_files import create_durably, sync_directory

MAGIC: Final = b"SWMARK01"
SLOT_BYTES: Final = 4096
RESERVE: Final = 1024
"""Numbers that one sync reserves."""

SOFT_SLOT: Final = 2

_STATE: Final = Struct("<8s16s16sQQQQQB")
_CHECKSUM: Final = Struct("<I")


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkState:
    """What the mark says."""

    spool_id: bytes
    boot: bytes = bytes(16)
    """Digest of the kernel's boot identity when it was written."""
    generation: int = 0
    last: int = 0
    """Last number given out."""
    reserved: int = 0
    """Numbers up to this one may have been given out."""
    acked: int = 0
    """Everything up to this number is stored by the control plane."""
    dropped_through: int = 0
    """Everything unacknowledged up to this number was dropped to make room."""
    drop_reason: int = 0

    def encode(self) -> bytes:
        """Return the bytes of a slot."""
        raw = _STATE.pack(
            MAGIC,
            self.spool_id,
            self.boot,
            self.generation,
            self.last,
            self.reserved,
            self.acked,
            self.dropped_through,
            self.drop_reason,
        )
        return raw + _CHECKSUM.pack(crc32(raw))


def decode_mark(raw: bytes) -> MarkState | None:
    """Return what a slot says, or None when it is damaged."""
    if len(raw) < _STATE.size + _CHECKSUM.size:
        return None
    (checksum,) = _CHECKSUM.unpack_from(raw, _STATE.size)
    if checksum != crc32(raw[: _STATE.size]):
        return None
    magic, spool_id, boot, generation, last, reserved, acked, dropped, reason = _STATE.unpack_from(raw)
    if magic != MAGIC:
        return None
    return MarkState(
        spool_id=spool_id,
        boot=boot,
        generation=generation,
        last=last,
        reserved=reserved,
        acked=acked,
        dropped_through=dropped,
        drop_reason=reason,
    )


def boot_digest(boot: str) -> bytes:
    """Return 16 bytes for the kernel's boot identity; an unknown one (empty) never equals another."""
    return sha256(boot.encode("utf-8")).digest()[:16] if boot else bytes(16)


class MarkFile:
    """The file. Raises OSError; after a failed sync the file is written anew, never synced again."""

    def __init__(self, path: Path) -> None:
        self._path: Path = path
        self._fd: int = -1

    def load(self, boot: bytes) -> MarkState | None:
        """Return the state to go on from, or None when there is none that can be trusted."""
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return None
        slots = [decode_mark(raw[at * SLOT_BYTES : (at + 1) * SLOT_BYTES]) for at in range(3)]
        hard = [slot for slot in slots[:SOFT_SLOT] if slot is not None]
        soft = slots[SOFT_SLOT]
        if not hard:
            return None
        state = max(hard, key=lambda slot: slot.generation)
        if soft is None or soft.spool_id != state.spool_id:
            return replace(state, last=state.reserved)
        known = boot != bytes(16) and soft.boot == boot
        newest = soft if soft.dropped_through > state.dropped_through else state
        return replace(
            state,
            generation=max(state.generation, soft.generation),
            last=max(soft.last, state.last) if known else max(state.reserved, soft.last),
            acked=max(state.acked, soft.acked),
            dropped_through=newest.dropped_through,
            drop_reason=newest.drop_reason,
        )

    def save(self, state: MarkState) -> None:
        """Write and sync."""
        if self._fd < 0:
            self._create(state)
            return
        try:
            os.pwrite(self._fd, state.encode(), state.generation % SOFT_SLOT * SLOT_BYTES)
            os.fsync(self._fd)
        except OSError:
            self.close()
            raise

    def note(self, state: MarkState) -> None:
        """Write without a sync."""
        if self._fd < 0:
            self._create(state)
        os.pwrite(self._fd, state.encode(), SOFT_SLOT * SLOT_BYTES)

    def is_gone(self) -> bool:
        """Tell whether the file was deleted, moved away or replaced under us; an unopened one was not."""
        if self._fd < 0:
            return False
        ours = os.fstat(self._fd)
        try:
            named = self._path.stat()
        except OSError:
            return True
        return (named.st_dev, named.st_ino) != (ours.st_dev, ours.st_ino)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def _create(self, state: MarkState) -> None:
        fresh = self._path.with_suffix(".new")
        slot = state.encode().ljust(SLOT_BYTES, b"\0")
        fd = create_durably(fresh, slot * 3)
        try:
            fresh.replace(self._path)
            sync_directory(self._path.parent)
        except OSError:
            os.close(fd)
            raise
        self._fd = fd
