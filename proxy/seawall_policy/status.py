"""gRPC status codes as small integers, and the rules that turn other signals into one.

A status reaches us in three forms: the `grpc-status` trailer, an HTTP status when the peer was no gRPC
server, and the error code of a stream reset. All three end here as one of the seventeen codes, and whatever
cannot be understood becomes UNKNOWN: a reply that nobody understood was never a success.

Sources: grpc `doc/statuscodes.md`, `doc/http-grpc-status-mapping.md`, `doc/PROTOCOL-HTTP2.md` (reset codes,
Status-Message encoding); gRFC A54 for the codes that a library may generate itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

OK: Final = 0
CANCELLED: Final = 1
UNKNOWN: Final = 2
INVALID_ARGUMENT: Final = 3
DEADLINE_EXCEEDED: Final = 4
NOT_FOUND: Final = 5
ALREADY_EXISTS: Final = 6
PERMISSION_DENIED: Final = 7
RESOURCE_EXHAUSTED: Final = 8
FAILED_PRECONDITION: Final = 9
ABORTED: Final = 10
OUT_OF_RANGE: Final = 11
UNIMPLEMENTED: Final = 12
INTERNAL: Final = 13
UNAVAILABLE: Final = 14
DATA_LOSS: Final = 15
UNAUTHENTICATED: Final = 16

MAX_CODE: Final = 16

NAMES: Final[tuple[str, ...]] = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)

CODE_BY_NAME: Final[dict[str, int]] = {NAMES[code]: code for code in range(len(NAMES))}

# The codes that our own side may generate for its own failures. The others describe the application's data
# or state, which a proxy knows nothing about (A54).
LOCAL_ALLOWED: Final[frozenset[int]] = frozenset(
    (CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE)
)

_FROM_HTTP: Final[dict[int, int]] = {
    400: INTERNAL,
    401: UNAUTHENTICATED,
    403: PERMISSION_DENIED,
    404: UNIMPLEMENTED,
    429: UNAVAILABLE,
    431: INTERNAL,
    502: UNAVAILABLE,
    503: UNAVAILABLE,
    504: UNAVAILABLE,
}

# Error codes of RFC 9113 section 7 that do not simply mean "the transport is broken".
_FROM_RST: Final[dict[int, int]] = {
    0x7: UNAVAILABLE,  # REFUSED_STREAM: not processed, safe to send elsewhere
    0x8: CANCELLED,  # CANCEL
    0xB: RESOURCE_EXHAUSTED,  # ENHANCE_YOUR_CALM
    0xC: PERMISSION_DENIED,  # INADEQUATE_SECURITY
}

# Longest `grpc-status` that can still be an int32.
_MAX_STATUS_DIGITS: Final = 10

_HEX_DIGITS: Final = b"0123456789ABCDEF"


def name(code: int) -> str:
    """Return the name of a code, `UNKNOWN(99)` for a number outside 0..16."""
    if 0 <= code <= MAX_CODE:
        return NAMES[code]
    return f"UNKNOWN({code})"


def code_mask(codes: Iterable[int]) -> int:
    """Return the set of codes as a bit mask, bit n for code n; raise ValueError for a code outside 0..16."""
    mask = 0
    for code in codes:
        if not 0 <= code <= MAX_CODE:
            raise ValueError(f"no such gRPC status code: {code}; codes go from 0 to {MAX_CODE}")
        mask |= 1 << code
    return mask


CLIENT_FAULTS: Final = code_mask(
    (
        CANCELLED,
        INVALID_ARGUMENT,
        NOT_FOUND,
        ALREADY_EXISTS,
        PERMISSION_DENIED,
        FAILED_PRECONDITION,
        OUT_OF_RANGE,
        UNIMPLEMENTED,
        UNAUTHENTICATED,
    )
)
"""Codes that the caller, not the server, can do something about (AIP-194, resilience4j's and Envoy's ignored
codes).
"""


def from_http(status: int) -> int:
    """Return the code for a reply that has an HTTP status and no `grpc-status`; 200 is UNKNOWN too, never
    OK.
    """
    return _FROM_HTTP.get(status, UNKNOWN)


def from_rst(h2_code: int) -> int:
    """Return the code for a stream that its peer reset with this HTTP/2 error code before any trailers."""
    return _FROM_RST.get(h2_code, INTERNAL)


def parse_grpc_status(value: bytes) -> int:
    """Return the code in a `grpc-status` value (1*DIGIT); malformed, too large and unassigned numbers are
    UNKNOWN.
    """
    if len(value) == 1:
        digit = value[0] - 48
        return digit if 0 <= digit <= 9 else UNKNOWN
    if not value.isdigit() or len(value) > _MAX_STATUS_DIGITS:
        return UNKNOWN
    code = int(value)
    return code if code <= MAX_CODE else UNKNOWN


def percent_encode(text: str) -> bytes:
    """Return a `grpc-message` value: UTF-8 with everything outside %x20-24 / %x26-7E percent-encoded.

    A space at either end is encoded too, because HTTP/2 forbids it there (RFC 9113 section 8.2.1). Never
    raises: what is no valid Unicode (a lone surrogate) becomes a question mark.
    """
    raw = text.encode("utf-8", "replace")
    out = bytearray()
    last = len(raw) - 1
    for i in range(len(raw)):
        byte = raw[i]
        if 0x20 <= byte <= 0x7E and byte != 0x25 and not (byte == 0x20 and (i in (0, last))):
            out.append(byte)
        else:
            out.append(0x25)
            out.append(_HEX_DIGITS[byte >> 4])
            out.append(_HEX_DIGITS[byte & 0xF])
    return bytes(out)


def percent_decode(value: bytes) -> str:
    """Return the text of a `grpc-message` value; an invalid escape stays as it is, invalid UTF-8 becomes
    U+FFFD. Never raises.
    """
    if b"%" not in value:
        return value.decode("utf-8", "replace")
    out = bytearray()
    i = 0
    end = len(value)
    while i < end:
        byte = value[i]
        if byte == 0x25 and i + 2 < end:
            high = _hex_value(value[i + 1])
            low = _hex_value(value[i + 2])
            if high >= 0 and low >= 0:
                out.append(high * 16 + low)
                i += 3
                continue
        out.append(byte)
        i += 1
    return bytes(out).decode("utf-8", "replace")


def _hex_value(byte: int) -> int:
    """Return the value of a hexadecimal digit in ASCII, -1 when it is none."""
    if 0x30 <= byte <= 0x39:
        return byte - 0x30
    if 0x41 <= byte <= 0x46:
        return byte - 0x37
    if 0x61 <= byte <= 0x66:
        return byte - 0x57
    return -1
