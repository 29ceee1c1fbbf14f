"""Answers that are kept for other calls: what they consist of, and by what they are found again.

Shared by the last good responses of a route (`last_good`) and by the journal of idempotency keys (`journal`).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

Field = tuple[bytes, bytes]

DIGEST_BYTES: Final = 32
"""Keys come from callers, who must not be able to make two of them meet: BLAKE2b with 256 bits (RFC 7693)."""
OVERHEAD_BYTES: Final = 512
"""What keeping an answer costs beside its bytes; it counts like them."""

_ABSENT: Final = b"\x00"
_PRESENT: Final = b"\x01"
_FIELD_BYTES: Final = 64


class KeptAnswer:
    """One answer of a server."""

    def __init__(
        self,
        code: int,
        head: tuple[Field, ...],
        body: bytes,
        trailers: tuple[Field, ...],
        trailers_only: bool = False,
    ) -> None:
        self.code: int = code
        self.head: tuple[Field, ...] = head
        """Initial metadata with its pseudo-header; empty for a response that is nothing but a status."""
        self.body: bytes = body
        """The message as on the wire, with its prefix of five bytes."""
        self.trailers: tuple[Field, ...] = trailers
        self.trailers_only: bool = trailers_only
        """`trailers` are the whole response, `:status` and content-type included."""
        self.size: int = OVERHEAD_BYTES + len(body) + _size(head) + _size(trailers)
        """Bytes that it counts for."""


def _size(fields: tuple[Field, ...]) -> int:
    total = 0
    for name, value in fields:
        total += len(name) + len(value) + _FIELD_BYTES
    return total


def identity(parts: list[bytes]) -> bytes:
    """Return the digest of a list of values; lists that differ in any way have different digests."""
    digest = blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


def optional(value: bytes | None) -> bytes:
    """Return a value as a part of an identity; no value differs from an empty one."""
    return _ABSENT if value is None else _PRESENT + value


def content(pieces: list[bytes]) -> bytes:
    """Return the digest of bytes that came in pieces; how they were cut makes no difference."""
    digest = blake2b(digest_size=DIGEST_BYTES)
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def first_message_end(prefix: bytes) -> int:
    """Return where the first message of a gRPC stream ends, counted from its first byte; 0 while fewer than
    five bytes are there.
    """
    if len(prefix) < 5:
        return 0
    return 5 + int.from_bytes(prefix[1:5], "big")
