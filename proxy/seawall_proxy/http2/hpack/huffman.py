"""Huffman decoding (RFC 7541 section 5.2), a whole octet at each step.

The code is taken from the nibble automaton of the `hpack` package: two of its steps are folded into one. A
state's steps are worked out when it is first entered, since a few dozen of the 256 see nearly all traffic.
"""

from __future__ import annotations

from typing import Final

from hpack.huffman_table import HUFFMAN_COMPLETE, HUFFMAN_EMIT_SYMBOL, HUFFMAN_FAIL, HUFFMAN_TABLE

from seawall_proxy.http2.errors import COMPRESSION_ERROR, ConnectionFault


class _State:
    """Hold, for each octet that may come, the text it completes, the next state and whether text may end."""

    def __init__(self, number: int) -> None:
        self.number: int = number
        self.emitted: list[bytes] = []
        self.following: list[_State] = []
        self.may_end: list[bool] = []


_STATES: Final[list[_State]] = [_State(number) for number in range(len(HUFFMAN_TABLE) // 16)]
_FAILED: Final[_State] = _State(-1)


def _expand(state: _State) -> None:
    for octet in range(256):
        number = state.number
        emitted = b""
        may_end = False
        for nibble in (octet >> 4, octet & 0x0F):
            number, flags, symbol = HUFFMAN_TABLE[number * 16 + nibble]
            if flags & HUFFMAN_FAIL:
                number = -1
                break
            if flags & HUFFMAN_EMIT_SYMBOL:
                emitted += bytes((symbol,))
            may_end = bool(flags & HUFFMAN_COMPLETE)
        state.following.append(_STATES[number] if number >= 0 else _FAILED)
        state.emitted.append(emitted)
        state.may_end.append(may_end)


def decode_huffman(data: bytes) -> bytes:
    """Decode a Huffman string; a wrong padding or an encoded EOS is a connection error COMPRESSION_ERROR."""
    state = _STATES[0]
    may_end = True
    parts: list[bytes] = []
    for position in range(len(data)):
        octet = data[position]
        if not state.emitted:
            if state is _FAILED:
                break
            _expand(state)
        parts.append(state.emitted[octet])
        may_end = state.may_end[octet]
        state = state.following[octet]
    if state is _FAILED:
        raise ConnectionFault(COMPRESSION_ERROR, "invalid Huffman code in a header field")
    if not may_end:
        raise ConnectionFault(COMPRESSION_ERROR, "Huffman string ends with wrong padding")
    return b"".join(parts)
