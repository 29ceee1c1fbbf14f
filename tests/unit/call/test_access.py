"""Counting bytes and messages of a stream."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seawall_proxy.call.access import MessageCounter


@given(st.lists(st.integers(0, 12), max_size=8), st.lists(st.integers(1, 9), max_size=40))
def test_messages_are_counted_however_they_are_cut(sizes: list[int], cuts: list[int]) -> None:
    """A message counts once its prefix is complete; bytes count as they come."""
    wire = b"".join(b"\0" + size.to_bytes(4, "big") + b"\xff" * size for size in sizes)
    prefixes = []
    place = 0
    for size in sizes:
        prefixes.append(place + 5)
        place += 5 + size
    counter = MessageCounter()
    seen = 0
    for cut in [*cuts, len(wire)]:
        piece = wire[seen : seen + cut]
        counter.count(piece)
        seen += len(piece)
        assert counter.size == seen
        assert counter.messages == sum(1 for end in prefixes if end <= seen)
