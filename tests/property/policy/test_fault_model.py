"""Which attempts get which faults, against a model that keeps every attempt in a list."""

from __future__ import annotations

from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from seawall_policy.fault import KINDS, FaultOptions, Faults, FaultStatistics, MessageEdge

SHARES = st.sampled_from([0.0, 0.25, 0.5, 1.0])
DRAWS = st.sampled_from([0.0, 0.24, 0.25, 0.49, 0.5, 0.99])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("new"), st.lists(DRAWS, min_size=4, max_size=4)),
        st.tuples(st.just("end"), st.none()),
    ),
    max_size=30,
)


class Model:
    """The naive way: a list of the attempts under a fault."""

    def __init__(self, shares: list[float], cap: int, until: int) -> None:
        self.shares = shares
        self.cap = cap
        self.until = until
        self.active: list[int] = []
        self.spared = 0

    def choose(self, now: int, draws: list[float]) -> int:
        """Return the mask."""
        if now >= self.until:
            return 0
        numbers = iter(draws)
        hit = {kind for kind in range(KINDS) if self.shares[kind] > 0 and next(numbers) < self.shares[kind]}
        if not hit:
            return 0
        if len(self.active) == self.cap:
            self.spared += 1
            return 0
        mask = sum(1 << kind for kind in hit)
        self.active.append(mask)
        return mask


@settings(max_examples=200, deadline=None)
@given(st.lists(SHARES, min_size=4, max_size=4), st.integers(1, 3), st.integers(0, 25), STEPS)
def test_agrees_with_the_model(
    shares: list[float], cap: int, until: int, steps: list[tuple[str, list[float] | None]]
) -> None:
    """Masks, gauge and count of the spared agree at each step."""
    statistics = FaultStatistics()
    options = FaultOptions(
        until_s=0.0,
        abort_share=shares[0],
        delay_share=shares[1],
        bandwidth_share=shares[2],
        stream_share=shares[3],
        max_active=cap,
    )
    faults = Faults(options, float(until), statistics)
    model = Model(shares, cap, until)
    for now, (what, draws) in enumerate(steps):
        if draws is not None:
            assert what == "new"
            left = list(draws)
            assert faults.choose(float(now), partial(left.pop, 0)) == model.choose(now, draws)
        elif model.active:
            model.active.pop()
            statistics.ended()
        assert statistics.active == len(model.active) <= cap
        assert statistics.capped == model.spared


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.binary(max_size=6), max_size=5), st.integers(1, 5), st.lists(st.integers(1, 7), max_size=40)
)
def test_edge_agrees_with_lengths(bodies: list[bytes], wanted: int, cuts: list[int]) -> None:
    """The edge is where the lengths say, whatever the pieces."""
    stream = b"".join(b"\0" + len(body).to_bytes(4, "big") + body for body in bodies)
    expected = sum(5 + len(body) for body in bodies[:wanted]) if wanted <= len(bodies) else -1
    edge = MessageEdge(wanted)
    pos = 0
    found = -1
    for size in [*cuts, len(stream)]:
        piece = stream[pos : pos + size]
        at = edge.find(piece) if piece else -1
        if at >= 0:
            found = pos + at
            break
        pos += len(piece)
    assert found == expected
