"""Which numbers events are about to get, written down beside the source that they come from.

A process that is killed between giving numbers to a batch and saying so leaves both: entries in the spool,
and a source of which nobody has settled the batch. What is written down before says which numbers the batch
was to get; those of them that the spool has given out are settled, and nothing of it counts twice, nor never.
It is compared with what was settled then: what is settled since is no longer under way. One that was being
written when the process was killed does not have its checksum; nothing was numbered then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Final, Protocol
from zlib import crc32

_CLAIM: Final = Struct("<16sQQQ")
_CHECKSUM: Final = Struct("<I")

CLAIM_BYTES: Final = _CLAIM.size + _CHECKSUM.size


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch that is about to be numbered."""

    spool_id: bytes
    """16 bytes."""
    first: int
    """Its first number."""
    count: int
    before: int
    """What was settled of the source before it."""

    def encode(self) -> bytes:
        """Return the bytes."""
        raw = _CLAIM.pack(self.spool_id, self.first, self.count, self.before)
        return raw + _CHECKSUM.pack(crc32(raw))

    def settled(self, settled: int, ends: Mapping[bytes, int]) -> int:
        """Return what is settled of a source that says `settled`. `ends` has the last number that each spool
        has given out.
        """
        if settled != self.before:
            return settled
        return settled + min(max(ends.get(self.spool_id, 0) - self.first + 1, 0), self.count)


def decode_claim(raw: bytes) -> Claim | None:
    """Return what is claimed, or None when nothing is, or not to its end."""
    if len(raw) < CLAIM_BYTES:
        return None
    (checksum,) = _CHECKSUM.unpack_from(raw, _CLAIM.size)
    if checksum != crc32(raw[: _CLAIM.size]):
        return None
    return Claim(*_CLAIM.unpack_from(raw))


class Source(Protocol):
    """Where events come from that are numbered."""

    def claim(self, spool_id: bytes, first: int, count: int) -> None:
        """Note that the next ones are about to get numbers from `first` on."""

    def settle(self, count: int) -> None:
        """Note that so many more are numbered, or declared."""
