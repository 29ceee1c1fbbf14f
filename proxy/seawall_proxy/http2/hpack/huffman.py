"""Huffman decoding (RFC 7541 section 5.2), a whole octet at each step.

The code is taken from the nibble automaton of the `hpack` package. Two of its steps are folded into one entry
per octet; rows of entries are built when a state is first met, since a few dozen of the 256 states see nearly
all traffic.
"""

from __future__ import annotations

from typing import Final

from hpack.huffman_table import HUFFMAN_COMPLETE, HUFFMAN_EMIT_SYMBOL, HUFFMAN_FAIL, HUFFMAN_TABLE

from seawall_proxy.http2.errors import COMPRESSION_ERROR, ConnectionFault

Step = tuple[int, bytes, bool]

_FAILED: Final = -1
_ROWS: Final[dict[int, list[Step]]] = {}


def _two_nibbles(state: int, octet: int) -> Step:
    emitted = b""
    complete = False
    for nibble in (octet >> 4, octet & 0x0F):
        state, flags, symbol = HUFFMAN_TABLE[state * 16 + nibble]
        if flags & HUFFMAN_FAIL:
            return (_FAILED, b"", False)
        if flags & HUFFMAN_EMIT_SYMBOL:
            emitted += bytes((symbol,))
        complete = bool(flags & HUFFMAN_COMPLETE)
    return (state, emitted, complete)


def _build_row(state: int) -> list[Step]:
    row = [_two_nibbles(state, octet) for octet in range(256)]
    _ROWS[state] = row
    return row


def decode_huffman(data: bytes) -> bytes:
    """Decode a Huffman string; a wrong padding or an encoded EOS is a connection error COMPRESSION_ERROR."""
    if not data:
        return b""
    state = 0
    complete = True
    parts: list[bytes] = []
    for octet in data:
        row = _ROWS.get(state)
        if row is None:
            row = _build_row(state)
        state, emitted, complete = row[octet]
        if state == _FAILED:
            raise ConnectionFault(COMPRESSION_ERROR, "invalid Huffman code in a header field")
        parts.append(emitted)
    if not complete:
        raise ConnectionFault(COMPRESSION_ERROR, "Huffman string ends with wrong padding")
    return b"".join(parts)
