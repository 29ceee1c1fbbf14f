"""HTTP/2 error codes (RFC 9113 section 7) and the one exception that ends a connection.

`CONNECTION_LOST` is not a wire code: it is what `on_reset` reports when a stream died with its connection, so
that the layer above can tell a lost connection from a peer that reset one stream.
"""

from __future__ import annotations

from typing import Final

NO_ERROR: Final = 0x0
PROTOCOL_ERROR: Final = 0x1
INTERNAL_ERROR: Final = 0x2
FLOW_CONTROL_ERROR: Final = 0x3
SETTINGS_TIMEOUT: Final = 0x4
STREAM_CLOSED: Final = 0x5
FRAME_SIZE_ERROR: Final = 0x6
REFUSED_STREAM: Final = 0x7
CANCEL: Final = 0x8
COMPRESSION_ERROR: Final = 0x9
CONNECT_ERROR: Final = 0xA
ENHANCE_YOUR_CALM: Final = 0xB
INADEQUATE_SECURITY: Final = 0xC
HTTP_1_1_REQUIRED: Final = 0xD

CONNECTION_LOST: Final = -1

_NAMES: Final = (
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
)


def code_name(code: int) -> str:
    """Name an error code for a log line or a status page; unknown codes are shown in hexadecimal."""
    if code == CONNECTION_LOST:
        return "CONNECTION_LOST"
    if 0 <= code < len(_NAMES):
        return _NAMES[code]
    return f"0x{code:x}"


class ConnectionFault(Exception):
    """The peer broke a rule that costs it the connection; holds the GOAWAY code, a reason to log, and the
    name of the limit, if it was one.
    """

    def __init__(self, code: int, reason: str, limit: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.limit = limit
