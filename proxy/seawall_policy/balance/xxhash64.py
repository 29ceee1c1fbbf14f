"""XXH64, the hash that Envoy's and gRPC's rings use; so a key lands where it lands with them.

Source: the xxHash fast digest algorithm specification, version 0.1.1 (Yann Collet).
"""

from __future__ import annotations

from typing import Final

_MASK: Final = 0xFFFFFFFFFFFFFFFF
_P1: Final = 0x9E3779B185EBCA87
_P2: Final = 0xC2B2AE3D27D4EB4F
_P3: Final = 0x165667B19E3779F9
_P4: Final = 0x85EBCA77C2B2AE63
_P5: Final = 0x27D4EB2F165667C5


def xxh64(data: bytes, seed: int = 0) -> int:
    """Return the hash of `data`, 0 to 2^64 - 1."""
    size = len(data)
    at = 0
    if size >= 32:
        value, at = _stripes(data, seed)
    else:
        value = (seed + _P5) & _MASK
    value = (value + size) & _MASK
    while at + 8 <= size:
        value ^= _round(0, int.from_bytes(data[at : at + 8], "little"))
        value = (_rotate(value, 27) * _P1 + _P4) & _MASK
        at += 8
    if at + 4 <= size:
        value ^= int.from_bytes(data[at : at + 4], "little") * _P1 & _MASK
        value = (_rotate(value, 23) * _P2 + _P3) & _MASK
        at += 4
    while at < size:
        value ^= data[at] * _P5 & _MASK
        value = _rotate(value, 11) * _P1 & _MASK
        at += 1
    value = (value ^ value >> 33) * _P2 & _MASK
    value = (value ^ value >> 29) * _P3 & _MASK
    return value ^ value >> 32


def _stripes(data: bytes, seed: int) -> tuple[int, int]:
    """Return the state after all whole stripes of 32 bytes, and where they end."""
    a = (seed + _P1 + _P2) & _MASK
    b = (seed + _P2) & _MASK
    c = seed & _MASK
    d = (seed - _P1) & _MASK
    at = 0
    while at + 32 <= len(data):
        a = _round(a, int.from_bytes(data[at : at + 8], "little"))
        b = _round(b, int.from_bytes(data[at + 8 : at + 16], "little"))
        c = _round(c, int.from_bytes(data[at + 16 : at + 24], "little"))
        d = _round(d, int.from_bytes(data[at + 24 : at + 32], "little"))
        at += 32
    value = (_rotate(a, 1) + _rotate(b, 7) + _rotate(c, 12) + _rotate(d, 18)) & _MASK
    for lane in (a, b, c, d):
        value = ((value ^ _round(0, lane)) * _P1 + _P4) & _MASK
    return value, at


def _round(accumulator: int, lane: int) -> int:
    return _rotate((accumulator + lane * _P2) & _MASK, 31) * _P1 & _MASK


def _rotate(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & _MASK
