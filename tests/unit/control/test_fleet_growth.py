"""Calls that have ended since somebody looked, over several control planes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall.v1 import fleet_pb2
from seawall_control.domain.alerts.facts import failures_of
from seawall_control.domain.events import Json
from seawall_control.domain.fleet_share import Share
from seawall_control.domain.statistics import Counters
from seawall_control.services.fleet_beyond import Beyond
from seawall_control.services.fleet_growth import Growth, marks_json, marks_of
from seawall_control.services.fleet_stats import FleetStats


class _Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def now_us(self) -> int:
        return int(self.now_s * 1e6)

    def monotonic_s(self) -> float:
        return self.now_s


def share(number: int, *by_code: int, run: str = "b-1") -> Share:
    """Return what another control plane has counted."""
    return Share(run=run, number=number, grown={"r": Counters(by_code=by_code)})


class Here:
    """This control plane, and what it hears."""

    def __init__(self, *, is_shared: bool = True) -> None:
        self.clock = _Clock()
        self.stats = FleetStats(self.clock, is_shared=is_shared)
        self.beyond = Beyond(self.clock)
        self.growth = Growth(self.stats, self.beyond, failures_of)

    def say(self, node: str, *by_code: int, run: str = "1") -> None:
        """A proxy reports."""
        self.clock.now_s += 1
        self.stats.reported(node, run, fleet_pb2.StatsReport(), {"r": Counters(by_code=by_code)}, {})

    def come(self, node: str, *, run: str = "1", same_run: bool = False, is_young: bool = False) -> None:
        """A proxy connects."""
        self.stats.arrived(node, run, same_run=same_run, is_young=is_young)

    def settle(self) -> None:
        """Close gaps that nobody else knows of."""
        for node, _, _ in list(self.stats.ledger.gaps()):
            self.stats.ledger.close(node, None)

    def share(self, number: int) -> Share:
        """Return what others hear."""
        return Share(run=self.beyond.own[1], number=number, grown=dict(self.stats.ledger.grown))

    def look(self) -> tuple[int, ...]:
        """Return what is new: failed calls and all, if there are any."""
        return self.growth.look().get("r", ())


def test_what_was_counted_before_anybody_looked_is_not_of_now() -> None:
    """Neither at a proxy that was there before, nor at another control plane."""
    here = Here(is_shared=False)
    here.beyond.told({"b": share(9, 100)})
    here.growth.begin(None)
    here.come("one")
    here.say("one", 50)
    assert here.look() == ()
    here.say("one", 52, 1)
    here.beyond.told({"b": share(10, 103)})
    assert here.look() == (0, 6)
    assert here.look() == ()


def test_a_process_that_starts_anew_counts_from_its_zero() -> None:
    """All of it is news; so is what a process counts that began after we did."""
    here = Here(is_shared=False)
    here.come("one", is_young=True)
    here.say("one", 5)
    assert here.look() == (0, 5)
    here.stats.left("one")
    here.come("one", run="2")
    here.say("one", 3, run="2")
    assert here.look() == (0, 3)


def test_a_proxy_that_was_away_for_a_while_is_counted_on() -> None:
    """Where nobody else can have counted it."""
    here = Here(is_shared=False)
    here.come("one", is_young=True)
    here.say("one", 5)
    here.look()
    here.stats.left("one")
    here.come("one", same_run=True)
    here.say("one", 9)
    assert here.look() == (0, 4)


def test_a_proxy_that_comes_back_brings_nothing_that_others_have_counted() -> None:
    """It was with another control plane meanwhile, which has said how far it came."""
    here = Here()
    here.come("one", is_young=True)
    here.say("one", 0)
    here.stats.ledger.close("one", None)
    here.say("one", 5)
    assert here.look() == (0, 5)
    here.stats.left("one")
    end = here.stats.ledger.ends()["one"]
    # There it has done 20 more, and two that nobody heard of.
    here.beyond.told({"b": replace(share(9, 20), ends={"one": replace(end, routes={"r": (25,)})})})
    here.look()
    here.come("one", same_run=True)
    here.say("one", 27)
    assert here.look() == ()
    here.say("one", 30)
    assert here.look() == (0, 3)
    (gap,) = here.stats.ledger.gaps()
    here.stats.ledger.close("one", here.beyond.end_of("one", gap[1]))
    assert here.look() == (0, 2)
    assert list(here.stats.ledger.gaps()) == []


def test_another_control_plane_that_starts_anew_is_counted_from_its_zero() -> None:
    """And one that was not heard for a while in one go, however late."""
    here = Here()
    here.beyond.told({"b": share(9, 10)})
    here.growth.begin(None)
    here.beyond.told({"b": share(1, 4, run="b-2")})
    assert here.look() == (0, 4)
    here.clock.now_s += 300
    assert here.look() == ()
    here.beyond.told({"b": share(2, 10, run="b-2")})
    assert here.look() == (0, 6)


def test_a_share_that_says_nothing_of_calls_takes_nothing_back() -> None:
    """There was no room for them; the next one that has them goes on."""
    here = Here()
    here.beyond.told({"b": share(9, 10)})
    here.growth.begin(None)
    here.beyond.told({"b": Share(run="b-1", number=10, is_partial=True)})
    assert here.look() == ()
    here.beyond.told({"b": share(11, 12)})
    assert here.look() == (0, 2)


def test_the_next_reader_goes_on_where_the_one_before_stood() -> None:
    """At another control plane: of each it hears what the one before had not told, and nothing twice."""
    one, two = Here(), Here()
    one.beyond.own, two.beyond.own = ("a", "a-1"), ("b", "b-1")
    one.growth.begin(None)
    for here in (one, two):
        here.come("at-" + here.beyond.own[0], is_young=True)
        here.say("at-" + here.beyond.own[0], 0)
        here.settle()
    two.growth.begin(None)
    one.say("at-a", 10, 0, 1)
    two.say("at-b", 20)
    one.beyond.told({"b": two.share(1)})
    assert one.look() == (1, 31)
    marks = marks_of(marks_json(one.growth.marks))
    # What it had not told when it died: one call at each, and one more at a third that nobody knew.
    one.say("at-a", 11, 0, 1)
    two.say("at-b", 21)
    two.beyond.told(
        {"a": replace(one.share(2), grown={"r": Counters(by_code=(5,))}), "c": share(1, 1, run="c-1")}
    )
    two.growth.begin(marks)
    assert two.look() == (0, 2)
    # The share that was newer than the one that `two` had read first tells the rest, once.
    two.beyond.told({"a": one.share(3), "c": share(2, 1, run="c-1")})
    assert two.look() == (0, 1)
    assert two.look() == ()


@pytest.mark.parametrize("kept", [3, {"a": []}, {"a": ["run", {"r": [1]}]}, {"a": ["run", {"r": 1}]}])
def test_marks_that_are_none_are_refused(kept: Json) -> None:
    """Whoever reads them counts from now on."""
    with pytest.raises(ValueError, match=r"\w"):
        marks_of(kept)
