"""The store of last good answers against a plain list that remembers every use."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from seawall_policy.kept_answer import OVERHEAD_BYTES, KeptAnswer
from seawall_policy.last_good import LastGoodStore

KEYS = st.sampled_from((b"a", b"b", b"c", b"d"))
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("keep", "keep", "find", "find", "resize")),
        KEYS,
        st.sampled_from((0, 1, 2, 3)),
        st.sampled_from((0.0, 0.4, 1.0, 2.5)),
    ),
    max_size=60,
)
UNIT = 100
"""Bytes of one step of size."""


def answer(size: int) -> KeptAnswer:
    """An answer that counts for a whole number of units above the overhead of one."""
    return KeptAnswer(0, (), b"x" * (UNIT * size), ())


@settings(max_examples=200)
@given(
    entries=st.integers(1, 3),
    room=st.integers(1, 8),
    longest=st.sampled_from((1.0, 3.0)),
    shorter=st.sampled_from((0.5, 1.0)),
    steps=STEPS,
)
def test_last_good_equals_a_list_ordered_by_use(
    entries: int, room: int, longest: float, shorter: float, steps: list[tuple[str, bytes, int, float]]
) -> None:
    """The least recently used go first, by number and by bytes; nothing older than asked for is served."""
    memory = OVERHEAD_BYTES + UNIT * room
    store = LastGoodStore(entries, memory, longest)
    used: list[tuple[bytes, int, float]] = []
    """Key, size and time of keeping; the last used one last."""
    now = 5.0

    def weight() -> int:
        return sum(OVERHEAD_BYTES + UNIT * size for _, size, _ in used)

    for action, key, size, wait in steps:
        now += wait
        if action == "keep":
            used = [entry for entry in used if entry[0] != key]
            fits = OVERHEAD_BYTES + UNIT * size <= memory
            assert store.keep(key, answer(size), now) == fits
            if fits:
                used.append((key, size, now))
        elif action == "find":
            age = shorter if size == 0 else longest
            known = [entry for entry in used if entry[0] == key]
            found = store.find(key, now, age)
            if known and now - known[0][2] > longest:
                used.remove(known[0])
            if not known or now - known[0][2] > age:
                assert found is None
            else:
                assert found is not None
                assert (found.at, len(found.answer.body)) == (known[0][2], UNIT * known[0][1])
                used.remove(known[0])
                used.append(known[0])
        else:
            entries = size + 1
            memory = OVERHEAD_BYTES * (1 + size) + UNIT * room
            store.resize(entries, memory, longest)
        while len(used) > entries or weight() > memory:
            used.pop(0)
        assert (len(store), store.bytes) == (len(used), weight())
