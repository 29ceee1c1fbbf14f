"""Options, draws, the cap and the end of injected faults."""

from __future__ import annotations

from math import inf, nan

import pytest

from seawall_policy import fault
from seawall_policy.fault import (
    FaultOptions,
    Faults,
    FaultStatistics,
    MessageEdge,
    Pace,
    monotonic_end,
    names_of,
)


class Draws:
    """Numbers in a row, counted."""

    def __init__(self, *numbers: float) -> None:
        self.left = list(numbers)

    def __call__(self) -> float:
        return self.left.pop(0)


@pytest.mark.parametrize(
    "options",
    [
        {"until_s": inf},
        {"until_s": nan},
        {"abort_share": 1.1},
        {"delay_share": -0.1},
        {"abort_code": 0},
        {"abort_code": 17},
        {"stream_code": 0},
        {"delay_s": -1.0},
        {"delay_s": 3601.0},
        {"bytes_per_second": 1023},
        {"stream_kind": 0},
        {"stream_kind": 4},
        {"stream_after": -1},
        {"stream_after": 1_000_001},
        {"max_active": 0},
        {"max_active": 1_000_001},
    ],
)
def test_options_are_checked(options: dict[str, float]) -> None:
    """A number that makes no sense is an error; so is status OK (grpc-go #9201)."""
    with pytest.raises(ValueError, match="fault:"):
        FaultOptions(**{"until_s": 10.0, **options})  # type: ignore[arg-type]


def test_each_kind_draws_for_itself() -> None:
    """One draw for each kind that there is, in the order of the kinds (A33)."""
    options = FaultOptions(until_s=0.0, abort_share=0.05, delay_share=0.2, stream_share=0.5)
    faults = Faults(options, 10.0, FaultStatistics())
    draws = Draws(0.04, 0.3, 0.4)
    assert faults.choose(1.0, draws) == 1 << fault.ABORT | 1 << fault.STREAM
    assert draws.left == []
    assert faults.choose(1.0, Draws(0.05, 0.2, 0.5)) == 0
    assert faults.choose(1.0, Draws(0.9, 0.19, 0.9)) == 1 << fault.DELAY


def test_it_ends() -> None:
    """From its end on nothing is drawn."""
    faults = Faults(FaultOptions(until_s=0.0, abort_share=1.0), 10.0, FaultStatistics())
    assert faults.choose(9.999, Draws(0.0)) == 1
    assert faults.choose(10.0, Draws()) == 0


def test_the_cap() -> None:
    """At most `max_active` at once; what has ended makes room, and those that were spared are counted."""
    statistics = FaultStatistics()
    faults = Faults(FaultOptions(until_s=0.0, abort_share=0.5, max_active=1), 10.0, statistics)
    assert faults.choose(1.0, Draws(0.4)) == 1
    assert faults.choose(1.0, Draws(0.6)) == 0
    assert statistics.capped == 0
    assert faults.choose(1.0, Draws(0.4)) == 0
    assert (statistics.active, statistics.capped) == (1, 1)
    statistics.ended()
    assert faults.choose(1.0, Draws(0.4)) == 1


def test_wall_clock_to_monotonic() -> None:
    """The end in monotonic time is the moment less how far the wall clock is ahead."""
    assert monotonic_end(1_800_000_010.0, 1_799_999_000.0) == 1010.0


def test_names() -> None:
    """A mask reads as a list."""
    assert names_of(0) == ""
    assert names_of(0b1111) == "abort,delay,bandwidth,stream"
    assert names_of(0b1010) == "delay,stream"


def test_edges_in_pieces() -> None:
    """The end of the second message is found however the bytes come."""
    stream = b"\0\0\0\0\3abc" + b"\1\0\0\0\0" + b"\0\0\0\0\1x"
    for cut in range(len(stream) + 1):
        edge = MessageEdge(2)
        first = edge.find(stream[:cut])
        found = first if first >= 0 else cut + edge.find(stream[cut:])
        assert found == 13, cut


def test_pace() -> None:
    """Pieces pass one after another; a link that was idle has saved nothing up."""
    pace = Pace(1000)
    assert pace.arrival(10.0, 500) == 10.5
    assert pace.arrival(10.1, 500) == 11.0
    assert pace.arrival(20.0, 1000) == 21.0
    assert pace.quantum == 256
    assert Pace(1 << 30).quantum == 16_384
    assert Pace(20_000).quantum == 1000
