"""The PROXY protocol's reader against headers that are made here, and against noise."""

from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from seawall_proxy.runtime.proxy_protocol import MAX_HEADER_BYTES, BadHeader, parse

PORTS = st.integers(0, 65535)
TAIL = st.binary(max_size=40)
EXTENSIONS = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=50)), max_size=5)


def shown(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> str:
    """Return an address as the reader shows it."""
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


@given(st.ip_addresses().filter(lambda a: "%" not in str(a)), PORTS, PORTS, TAIL)
def test_version_1(
    source: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int, other: int, tail: bytes
) -> None:
    """A line that was written by the rules gives the address back, and is as long as it was."""
    kind = "TCP6" if source.version == 6 else "TCP4"
    line = f"PROXY {kind} {source} {source} {port} {other}\r\n".encode()
    header = parse(line + tail)
    assert header is not None
    assert (header.length, header.source) == (len(line), shown(source, port))


@given(st.ip_addresses(), PORTS, EXTENSIONS, TAIL)
def test_version_2(
    source: ipaddress.IPv4Address | ipaddress.IPv6Address,
    port: int,
    extensions: list[tuple[int, bytes]],
    tail: bytes,
) -> None:
    """A block with any extensions gives the address back, and is as long as it was."""
    body = source.packed * 2 + port.to_bytes(2, "big") + b"\x01\xbb"
    for kind, value in extensions:
        body += bytes([kind]) + len(value).to_bytes(2, "big") + value
    family = 0x21 if source.version == 6 else 0x11
    data = b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x21, family]) + len(body).to_bytes(2, "big") + body
    header = parse(data + tail)
    assert header is not None
    assert (header.length, header.source) == (len(data), shown(source, port))


@given(
    st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=300).map(lambda noise: b"PROXY " + noise),
        st.binary(max_size=300).map(lambda noise: b"\r\n\r\n\0\r\nQUIT\n" + noise),
    )
)
def test_noise(data: bytes) -> None:
    """Bytes are a header within them, the beginning of one, or refused; and an answer that was given for a
    beginning is not taken back by what follows.
    """
    answers = []
    for end in range(len(data) + 1):
        try:
            header = parse(data[:end])
        except BadHeader:
            answers.append("bad")
            continue
        assert header is None or 0 < header.length <= end
        answers.append("more" if header is None else f"{header.length} {header.source}")
    decided = [answer for answer in answers if answer != "more"]
    assert len(set(decided)) <= 1
    assert answers[len(answers) - len(decided) :] == decided
    if not decided:
        assert len(data) < MAX_HEADER_BYTES + 16
