"""Following the message framing of a gRPC request as it passes by, for a limit on the size of its messages.

A message is a flag (0, or 1 for compressed), its length in four octets, and that many octets (gRPC over
HTTP/2, Length-Prefixed-Message). DATA frames cut it anywhere. Nothing is allocated by the declared length: a
message is judged by its prefix, before it is here.
"""

from __future__ import annotations

from typing import Final

FITS: Final = 0
TOO_LARGE: Final = 1
MALFORMED: Final = 2

_PREFIX_BYTES: Final = 5


class MessageMeter:
    """One request's framing."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes: int = limit_bytes
        self._prefix: bytes = b""
        """What is here of a prefix that is not complete."""
        self._left: int = 0
        """Octets of the message that are still to come."""

    def feed(self, data: bytes, end: bool) -> int:
        """Follow the next octets of the body; return FITS, or why the request must not go on."""
        pos = min(self._left, len(data))
        self._left -= pos
        if self._prefix:
            data = self._prefix + data[pos:]
            self._prefix = b""
            pos = 0
        length = len(data)
        while length - pos >= _PREFIX_BYTES:
            if data[pos] > 1:
                return MALFORMED
            size = data[pos + 1] << 24 | data[pos + 2] << 16 | data[pos + 3] << 8 | data[pos + 4]
            if size > self._limit_bytes:
                return TOO_LARGE
            pos += _PREFIX_BYTES + size
        if pos > length:
            self._left = pos - length
        elif pos < length:
            self._prefix = data[pos:]
            if self._prefix[0] > 1:
                return MALFORMED
        if end and (self._left > 0 or self._prefix != b""):
            return MALFORMED
        return FITS
