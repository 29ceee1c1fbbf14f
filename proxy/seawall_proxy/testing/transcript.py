"""How a conversation is written down: one line for each thing that a peer sent (`->`) or saw (`<-`).

What every gRPC message carries is left out (POST, http, te: trailers, content-type application/grpc,
:status 200, the usual authority), so a line shows what is special; if one of those is missing or
different, that is special too.
"""

from __future__ import annotations

from typing import Final

from seawall_policy import status
from seawall_proxy.http2.errors import code_name
from seawall_proxy.http2.headers import Field

AUTHORITY: Final = b"shop:443"
_USUAL_REQUEST: Final[dict[bytes, bytes]] = {
    b":method": b"POST",
    b":scheme": b"http",
    b":authority": AUTHORITY,
    b"te": b"trailers",
    b"content-type": b"application/grpc",
}
_USUAL_RESPONSE: Final[dict[bytes, bytes]] = {b":status": b"200", b"content-type": b"application/grpc"}
_LONGEST: Final = 48


def text(value: bytes) -> str:
    """Show short printable bytes as they are, others by their size."""
    if len(value) > _LONGEST or not value.isascii() or not value.decode("ascii").isprintable():
        return f"<{len(value)} bytes>"
    return value.decode("ascii")


def data(payload: bytes, end: bool) -> str:
    """Show a DATA frame."""
    shown = text(payload)
    body = shown if shown.startswith("<") else f'"{shown}"'
    return f"DATA {body}" + (" END" if end else "")


def request(fields: tuple[Field, ...], end: bool) -> str:
    """Show request headers."""
    path = b"".join(value for name, value in fields if name == b":path")
    rest = _unusual([field for field in fields if field[0] != b":path"], _USUAL_REQUEST)
    return " ".join(["HEADERS", text(path), *rest]) + (" END" if end else "")


def response(fields: tuple[Field, ...], end: bool) -> str:
    """Show response headers, or a trailers-only response."""
    if not end:
        return " ".join(["HEADERS", *_unusual(list(fields), _USUAL_RESPONSE)])
    return "TRAILERS-ONLY " + _final(fields, _unusual(_without_status(fields), _USUAL_RESPONSE))


def trailers(fields: tuple[Field, ...]) -> str:
    """Show trailers behind a response."""
    return "TRAILERS " + _final(fields, _unusual(_without_status(fields), {}))


def reset(code: int) -> str:
    """Show RST_STREAM."""
    return f"RST {code_name(code)}"


def value_of(fields: tuple[Field, ...], name: bytes) -> bytes | None:
    """Return the first value of a field."""
    for key, value in fields:
        if key == name:
            return value
    return None


def _unusual(fields: list[Field], usual: dict[bytes, bytes]) -> list[str]:
    missing = dict(usual)
    shown = []
    for name, value in fields:
        if missing.get(name) == value:
            del missing[name]
        else:
            missing.pop(name, None)
            shown.append(f"{name.decode('ascii')}={text(value)}")
    return shown + [f"no-{name.decode('ascii')}" for name in missing]


def _without_status(fields: tuple[Field, ...]) -> list[Field]:
    return [field for field in fields if field[0] not in (b"grpc-status", b"grpc-message")]


def _final(fields: tuple[Field, ...], rest: list[str]) -> str:
    raw = value_of(fields, b"grpc-status")
    if raw is None:
        return " ".join(["no-grpc-status", *rest])
    name = status.name(int(raw)) if raw.isdigit() else f"grpc-status={text(raw)}"
    outcome = value_of(fields, b"seawall-outcome")
    details = value_of(fields, b"grpc-status-details-bin")
    if outcome is not None and details is not None:
        return " ".join([name, *_local(fields)])
    message = value_of(fields, b"grpc-message")
    if message is not None:
        rest.insert(0, f'"{text(message)}"')
    return " ".join([name, *rest])


def _local(fields: tuple[Field, ...]) -> list[str]:
    """Shorten a failure of the proxy's own: its reason, its outcome, and what else it says."""
    shown = ["LOCAL", text(value_of(fields, b"seawall-reason") or b"?")]
    shown.append(text(value_of(fields, b"seawall-outcome") or b"?"))
    for name, label in ((b"grpc-retry-pushback-ms", "pushback"), (b"seawall-attempts", "attempts")):
        value = value_of(fields, name)
        if value is not None:
            shown.append(f"{label}={text(value)}")
    return shown
