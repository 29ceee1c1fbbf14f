"""The PROXY protocol, versions 1 and 2: the line or block with which a load balancer names the real client.

After the specification of HAProxy (proxy-protocol.txt, 2020/03/05). The reader is strict: what is not exactly
as written there is refused, because a header that two programs read differently lets a client choose its
address. Nothing here touches a socket.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

MAX_HEADER_BYTES: Final = 4096
"""Version 2 allows 64 KiB of extensions; what load balancers send is below 1 KiB."""

_V1_START: Final = b"PROXY "
_V1_MAX_BYTES: Final = 107
_V1_LINE: Final = re.compile(rb"PROXY (TCP4|TCP6) (\S{1,39}) (\S{1,39}) ([0-9]{1,5}) ([0-9]{1,5})", re.ASCII)
_V1_UNKNOWN: Final = re.compile(rb"PROXY UNKNOWN( .*)?", re.ASCII)
_V2_START: Final = b"\r\n\r\n\0\r\nQUIT\n"
_V2_FIXED_BYTES: Final = 16
_LOCAL: Final = 0x20
_PROXY: Final = 0x21
_UNSPECIFIED: Final = 0
_IPV4: Final = 1
_IPV6: Final = 2
_UNIX: Final = 3
_ADDRESS_BYTES: Final = {_UNSPECIFIED: 0, _IPV4: 12, _IPV6: 36, _UNIX: 216}


class BadHeader(ValueError):
    """The connection does not begin with a PROXY protocol header."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a header says."""

    length: int
    """Its bytes; the client's own begin behind it."""
    source: str
    """`host:port` of the client; empty when the header names none (a health check of the load balancer's)."""


def parse(data: bytes) -> Header | None:
    """Return the header that `data` begins with; None while it is not complete, which takes at most 4,112
    bytes. Raises BadHeader as soon as it cannot become one.
    """
    if data[:1] == b"P":
        return _parse_v1(data)
    if not data.startswith(_V2_START[: len(data)]):
        raise BadHeader("no PROXY protocol header")
    return _parse_v2(data)


def _parse_v1(data: bytes) -> Header | None:
    if not data.startswith(_V1_START[: len(data)]):
        raise BadHeader("no PROXY protocol header")
    end = data.find(b"\r\n", 0, _V1_MAX_BYTES)
    if end < 0:
        if len(data) >= _V1_MAX_BYTES or b"\n" in data or b"\r" in data[:-1]:
            raise BadHeader("version 1 line does not end in time")
        return None
    line = data[:end]
    if b"\n" in line or b"\r" in line:
        raise BadHeader("version 1 line is malformed")
    if _V1_UNKNOWN.fullmatch(line):
        return Header(end + 2, "")
    match = _V1_LINE.fullmatch(line)
    if match is None:
        raise BadHeader("version 1 line is malformed")
    family, source, destination, source_port, destination_port = match.groups()
    shown = _v1_address(family, source, source_port)
    _v1_address(family, destination, destination_port)
    return Header(end + 2, shown)


def _v1_address(family: bytes, host: bytes, port: bytes) -> str:
    number = int(port)
    if number > 65535 or (len(port) > 1 and port.startswith(b"0")):
        raise BadHeader("version 1 line has a bad port")
    try:
        text = host.decode("ascii")
        if family == b"TCP4":
            return f"{ipaddress.IPv4Address(text)}:{number}"
        if "%" in text:
            raise BadHeader("version 1 line has a bad address")
        return f"[{ipaddress.IPv6Address(text)}]:{number}"
    except ValueError as error:
        raise BadHeader("version 1 line has a bad address") from error


def _parse_v2(data: bytes) -> Header | None:
    if len(data) < _V2_FIXED_BYTES:
        return None
    command, kind = data[12], data[13]
    length = int.from_bytes(data[14:16], "big")
    family, transport = kind >> 4, kind & 0x0F
    if command not in (_LOCAL, _PROXY):
        raise BadHeader("version 2 header has an unknown version or command")
    if family not in _ADDRESS_BYTES or transport > 2:
        raise BadHeader("version 2 header has an unknown address family")
    if length > MAX_HEADER_BYTES:
        raise BadHeader("version 2 header is too long")
    if length < _ADDRESS_BYTES[family]:
        raise BadHeader("version 2 header is too short for its addresses")
    whole = _V2_FIXED_BYTES + length
    if len(data) < whole:
        return None
    body = data[_V2_FIXED_BYTES:whole]
    _check_extensions(body, _ADDRESS_BYTES[family])
    # LOCAL is the load balancer's own connection; datagrams are no connections of clients.
    if command == _LOCAL or transport != 1:
        return Header(whole, "")
    return Header(whole, _v2_source(family, body))


def _v2_source(family: int, body: bytes) -> str:
    if family == _IPV4:
        return f"{ipaddress.IPv4Address(body[:4])}:{int.from_bytes(body[8:10], 'big')}"
    if family == _IPV6:
        return f"[{ipaddress.IPv6Address(body[:16])}]:{int.from_bytes(body[32:34], 'big')}"
    if family == _UNIX:
        path = body[:108].partition(b"\0")[0].decode("utf-8", "replace")
        return f"unix:{path}" if path.isprintable() else ""
    return ""


def _check_extensions(body: bytes, at: int) -> None:
    while at < len(body):
        if at + 3 > len(body):
            raise BadHeader("version 2 header has a damaged extension")
        at += 3 + int.from_bytes(body[at + 1 : at + 3], "big")
    if at != len(body):
        raise BadHeader("version 2 header has a damaged extension")
