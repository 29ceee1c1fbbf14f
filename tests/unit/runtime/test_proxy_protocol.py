"""The PROXY protocol's two versions, byte by byte."""

from __future__ import annotations

import socket

import pytest

from seawall_proxy.runtime.proxy_protocol import MAX_HEADER_BYTES, BadHeader, Header, parse

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(command: int, kind: int, body: bytes, length: int | None = None) -> bytes:
    """Return a header of version 2."""
    declared = len(body) if length is None else length
    return SIGNATURE + bytes([command, kind]) + declared.to_bytes(2, "big") + body


def ipv4(source: str, port: int) -> bytes:
    """Return the addresses of an IPv4 header."""
    return (
        socket.inet_aton(source)
        + socket.inet_aton("10.0.0.1")
        + port.to_bytes(2, "big")
        + (443).to_bytes(2, "big")
    )


IPV6 = socket.inet_pton(socket.AF_INET6, "2001:db8::7") + socket.inet_pton(socket.AF_INET6, "::1")
UNIX = b"/run/a.sock".ljust(108, b"\0") + bytes(108)


@pytest.mark.parametrize(
    ("data", "source"),
    [
        (b"PROXY TCP4 192.0.2.1 10.0.0.1 56324 443\r\n", "192.0.2.1:56324"),
        (b"PROXY TCP6 2001:db8::7 ::1 1 65535\r\n", "[2001:db8::7]:1"),
        (b"PROXY UNKNOWN\r\n", ""),
        (b"PROXY UNKNOWN ffff::1 what ever\r\n", ""),
        (v2(0x21, 0x11, ipv4("192.0.2.1", 56324)), "192.0.2.1:56324"),
        (v2(0x21, 0x21, IPV6 + b"\x00\x50\x01\xbb"), "[2001:db8::7]:80"),
        (v2(0x21, 0x31, UNIX), "unix:/run/a.sock"),
        (v2(0x21, 0x11, ipv4("192.0.2.1", 1) + b"\x04\x00\x01x\xe0\x00\x00"), "192.0.2.1:1"),
        (v2(0x20, 0x11, ipv4("192.0.2.1", 1)), ""),
        (v2(0x20, 0x00, b""), ""),
        (v2(0x21, 0x00, b""), ""),
        (v2(0x21, 0x12, ipv4("192.0.2.1", 1)), ""),
    ],
)
def test_headers(data: bytes, source: str) -> None:
    """What the specification allows is read, and what comes behind it is left alone."""
    assert parse(data) == Header(len(data), source)
    assert parse(data + b"PRI * HTTP/2.0\r\n\r\n") == Header(len(data), source)
    for end in range(len(data)):
        assert parse(data[:end]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"proxy tcp4 192.0.2.1 10.0.0.1 56324 443\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 56324 443\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1  56324 443\r\n",
        b"PROXY  TCP4 192.0.2.1 10.0.0.1 56324 443\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 05632 443\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 65536 443\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 1 443 \r\n",
        b"PROXY TCP4 192.0.2.01 10.0.0.1 1 443\r\n",
        b"PROXY TCP4 ::1 10.0.0.1 1 443\r\n",
        b"PROXY TCP6 192.0.2.1 ::1 1 443\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 1 443\r\n",
        b"PROXY TCP4 192.0.2.1 300.0.0.1 1 443\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 1 99999\r\n",
        b"PROXY UDP4 192.0.2.1 10.0.0.1 1 443\r\n",
        b"PROXY UNKNOWNX\r\n",
        b"PROXY UNKNOWN a\rb\r\n",
        b"PROXY UNKNOWN " + b"x" * 100,
        v2(0x11, 0x11, ipv4("192.0.2.1", 1)),
        v2(0x22, 0x11, ipv4("192.0.2.1", 1)),
        v2(0x21, 0x41, bytes(300)),
        v2(0x21, 0x13, bytes(12)),
        v2(0x21, 0x11, bytes(11)),
        v2(0x21, 0x21, bytes(35)),
        v2(0x21, 0x31, bytes(215)),
        v2(0x21, 0x11, b"", MAX_HEADER_BYTES + 1),
        v2(0x21, 0x11, ipv4("192.0.2.1", 1) + b"\x04\x00"),
        v2(0x21, 0x11, ipv4("192.0.2.1", 1) + b"\x04\x00\x09x"),
    ],
)
def test_refusals(data: bytes) -> None:
    """What is not exactly as specified is refused."""
    with pytest.raises(BadHeader):
        parse(data)
