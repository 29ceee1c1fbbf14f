"""HPACK integers (RFC 7541 section 5.1), at most five octets after the prefix."""

from __future__ import annotations

from typing import Final

from seawall_proxy.http2.errors import COMPRESSION_ERROR, ConnectionFault

MAX_CONTINUATION_OCTETS: Final = 5
MAX_INTEGER: Final = 0xFFFFFFFF


def read_integer(data: bytes, pos: int, end: int, prefix_max: int) -> tuple[int, int]:
    """Read the octets behind a prefix whose bits were all ones (`prefix_max`); return the value and next
    position.
    """
    value = prefix_max
    shift = 0
    octets = 0
    while True:
        if pos >= end:
            raise ConnectionFault(COMPRESSION_ERROR, "HPACK integer runs past its header block")
        octet = data[pos]
        pos += 1
        octets += 1
        value += (octet & 0x7F) << shift
        if octet < 0x80:
            break
        shift += 7
        if octets >= MAX_CONTINUATION_OCTETS:
            raise ConnectionFault(COMPRESSION_ERROR, "HPACK integer is longer than five octets")
    if value > MAX_INTEGER:
        raise ConnectionFault(COMPRESSION_ERROR, "HPACK integer is larger than 2^32-1")
    return value, pos


def write_integer(value: int, prefix_max: int, pattern: int) -> bytes:
    """Encode an integer from 0 behind the bits of `pattern`; `prefix_max` is 2^N-1 for an N-bit prefix."""
    if value < prefix_max:
        return bytes((pattern | value,))
    octets = [pattern | prefix_max]
    value -= prefix_max
    while value >= 0x80:
        octets.append(0x80 | (value & 0x7F))
        value >>= 7
    octets.append(value)
    return bytes(octets)
