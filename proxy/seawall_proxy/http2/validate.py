"""Whether a decoded header list is well formed (RFC 9113 sections 8.2, 8.3 and 8.1.1).

The answer about the stable fields is memoised in their `HeaderBlock`, once for each kind of message; extra
fields are checked each time they are decoded. A problem is a text for the log, "" means none: a malformed
message is a stream error PROTOCOL_ERROR and never costs the connection.

Stricter than the RFC asks, since what passes here is forwarded to shared upstream connections: control
characters other than a tab are refused in values, a `:path` holds printable ASCII without space only, `host`
must agree with `:authority`, userinfo and an empty authority are refused, and CONNECT is not served.
"""

from __future__ import annotations

from typing import Final

from seawall_proxy.http2.headers import MALFORMED, UNKNOWN, VALID, Field, HeaderBlock
from seawall_proxy.http2.hpack.decoder import Decoded

REQUEST: Final = 1
RESPONSE: Final = 2
TRAILERS: Final = 3

_NAME_OCTETS: Final = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
_METHOD_OCTETS: Final = _NAME_OCTETS + b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SCHEME_OCTETS: Final = b"+-.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VALUE_OCTETS: Final = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
_VISIBLE_OCTETS: Final = bytes(range(0x21, 0x7F))
_SPACE: Final = 0x20
_TAB: Final = 0x09
_DIGITS: Final = b"0123456789"

_FORBIDDEN_NAMES: Final[frozenset[bytes]] = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)
_MAX_LENGTH_DIGITS: Final = 18
_MAX_KNOWN_NAMES: Final = 1024
_MAX_KNOWN_NAME_BYTES: Final = 64
_KNOWN_NAMES: Final[set[bytes]] = set()

_COLON: Final = 0x3A


def check(decoded: Decoded, kind: int) -> str:
    """Validate a decoded list as a REQUEST, RESPONSE or TRAILERS and memoise the result in it."""
    if decoded.checked_kind == kind:
        return decoded.problem
    decoded.content_length = -1
    problem = _check_block(decoded.block, kind)
    if not problem and decoded.extra:
        problem = _check_extra(decoded, kind)
    decoded.checked_kind = kind
    decoded.problem = problem
    return problem


def _check_block(block: HeaderBlock, kind: int) -> str:
    if kind == REQUEST:
        verdict = block.request_verdict
    elif kind == RESPONSE:
        verdict = block.response_verdict
    else:
        verdict = block.trailers_verdict
    if verdict == VALID:
        return ""
    if verdict == UNKNOWN:
        problem = _examine(block, kind)
        verdict = MALFORMED if problem else VALID
        if kind == REQUEST:
            block.request_verdict = verdict
        elif kind == RESPONSE:
            block.response_verdict = verdict
        else:
            block.trailers_verdict = verdict
        if problem:
            block.problem = problem
        return problem
    return block.problem


def _examine(block: HeaderBlock, kind: int) -> str:
    pseudo: dict[bytes, bytes] = {}
    host: bytes | None = None
    pseudo_ended = False
    for field in block.fields:
        name, value = field
        if name and name[0] == _COLON:
            if pseudo_ended:
                return "pseudo-header field behind a regular field"
            if name in pseudo:
                return f"duplicate pseudo-header field {name!r}"
            pseudo[name] = value
            continue
        pseudo_ended = True
        problem = check_field(field)
        if problem:
            return problem
        if name == b"host":
            if host is not None:
                return "duplicate host field"
            host = value
    if kind == REQUEST:
        problem = _examine_request(pseudo, host)
        block.is_head = pseudo.get(b":method", b"") == b"HEAD"
    elif kind == RESPONSE:
        problem = _examine_response(pseudo)
        if not problem:
            block.status = int(pseudo[b":status"])
    else:
        problem = "pseudo-header field in trailers" if pseudo else ""
    block.pseudo_count = len(pseudo)
    return problem


def _examine_request(pseudo: dict[bytes, bytes], host: bytes | None) -> str:
    method = pseudo.get(b":method", b"")
    if not method or method.translate(None, _METHOD_OCTETS):
        return "missing or invalid :method"
    if method == b"CONNECT":
        return "CONNECT is not served"
    path = pseudo.get(b":path", b"")
    if not path or path.translate(None, _VISIBLE_OCTETS):
        return "missing or invalid :path"
    scheme = pseudo.get(b":scheme", b"")
    if not scheme or scheme.translate(None, _SCHEME_OCTETS):
        return "missing or invalid :scheme"
    authority = pseudo.get(b":authority")
    if len(pseudo) != (3 if authority is None else 4):
        return "unknown pseudo-header field in a request"
    if host is not None and not _is_authority(host):
        return "invalid host"
    if authority is None:
        return ""
    if not _is_authority(authority):
        return "invalid :authority"
    if host is not None and host.lower() != authority.lower():
        return "host differs from :authority"
    return ""


def _is_authority(value: bytes) -> bool:
    return bool(value) and not value.translate(None, _VISIBLE_OCTETS) and b"@" not in value


def _examine_response(pseudo: dict[bytes, bytes]) -> str:
    status = pseudo.get(b":status", b"")
    if len(pseudo) != 1 or len(status) != 3 or status.translate(None, _DIGITS) or status < b"100":
        return "missing or invalid :status, or another pseudo-header field in a response"
    if status == b"101":
        return "status 101 does not exist in HTTP/2"
    return ""


def check_field(field: Field) -> str:
    """Check one regular field; return the problem or ""."""
    name, value = field
    if name not in _KNOWN_NAMES:
        problem = _check_name(name)
        if problem:
            return problem
    if value:
        # Nearly every value is printable ASCII, and that is five times quicker to see.
        plain = value.isascii() and value.decode("ascii").isprintable()
        if not plain and value.translate(None, _VALUE_OCTETS):
            return f"control character in the value of {name!r}"
        first = value[0]
        last = value[len(value) - 1]
        if first in (_SPACE, _TAB) or last in (_SPACE, _TAB):
            return f"value of {name!r} begins or ends with space"
    if name == b"te" and value != b"trailers":
        return "te is not trailers"
    return ""


def _check_name(name: bytes) -> str:
    if not name:
        return "empty field name"
    if name.translate(None, _NAME_OCTETS):
        return f"invalid field name {name[:64]!r}"
    if name in _FORBIDDEN_NAMES:
        return f"connection-specific field {name!r}"
    if len(name) <= _MAX_KNOWN_NAME_BYTES and len(_KNOWN_NAMES) < _MAX_KNOWN_NAMES:
        _KNOWN_NAMES.add(name)
    return ""


def _check_extra(decoded: Decoded, kind: int) -> str:
    if decoded.first_extra < decoded.block.pseudo_count:
        return "pseudo-header field behind a regular field"
    for field in decoded.extra:
        problem = check_field(field)
        if problem:
            return problem
        if field[0] == b"content-length" and kind != TRAILERS:
            problem = _take_content_length(decoded, field[1])
            if problem:
                return problem
    return ""


def _take_content_length(decoded: Decoded, value: bytes) -> str:
    if not value or len(value) > _MAX_LENGTH_DIGITS or value.translate(None, _DIGITS):
        return "invalid content-length"
    length = int(value)
    if decoded.content_length >= 0 and decoded.content_length != length:
        return "two different content-length fields"
    decoded.content_length = length
    return ""
