"""What is measured says what it should."""

from __future__ import annotations

import pytest

from seawall_control.domain.events import Severity
from seawall_control.domain.groups import Group, GroupState
from seawall_control.domain.healing.actions import CATALOGUE, Action, checked
from seawall_control.domain.healing.conditions import (
    UNITS,
    Condition,
    by_subject,
    names_of,
    of_disk,
    of_growth,
    of_route,
    wants,
)
from seawall_control.domain.machine import GIB, MIB, Disk
from seawall_control.services.healing.signals import events_text


def test_routes() -> None:
    """Too few calls say nothing; unanswered is less than failed."""
    assert of_route("a", [10, 0, 9], window_s=60) == ()
    codes = [0] * 17
    codes[0], codes[4], codes[13], codes[14] = 50, 20, 20, 10
    rate, unanswered = of_route("a", codes, window_s=60)
    assert (rate.value, unanswered.value) == (0.5, 0.3)
    assert rate.subject == "route/a"
    assert of_route("a", [20], window_s=60)[1].value == 0.0


def test_a_caller_s_mistakes_are_no_failures_of_the_route() -> None:
    """Half of the calls ask for what is not there; a runbook that takes policies back has nothing to do."""
    codes = [0] * 17
    codes[0], codes[3], codes[5], codes[7] = 40, 25, 25, 10
    rate, _ = of_route("a", codes, window_s=60)
    assert (rate.value, rate.text) == (0.1, "10 of 100 calls in 60 s failed")


def test_disk() -> None:
    """What it says is what is left for us."""
    found = of_disk("/data", Disk(9 * GIB, GIB))
    assert (found.value, found.text) == (0.9, "90% of /data is used, 1.0 GiB free")


def test_what_need_not_be_observed() -> None:
    """Only what is watched; groups one by one where no pattern is about them."""
    assert wants(None, Condition.CPU)
    assert not wants({Condition.DISK: frozenset("*")}, Condition.CPU)
    one = frozenset({"group/a"})
    assert names_of({Condition.GROUP_EVENTS: one}, Condition.GROUP_EVENTS) == one
    assert names_of({Condition.GROUP_EVENTS: frozenset({"group/*"})}, Condition.GROUP_EVENTS) is None
    assert names_of(None, Condition.GROUP_EVENTS) is None


@pytest.mark.parametrize(
    ("sizes", "grows"),
    [
        ([100 + n for n in range(30)], True),
        ([100.0] * 30, False),
        ([100 + (n % 5) * 20 for n in range(30)], False),
        ([200 - n for n in range(30)], False),
        ([min(100 + n * 10, 150) for n in range(60)], False),
    ],
    ids=["steady", "flat", "saw", "shrinks", "fills a cache"],
)
def test_growth(sizes: list[float], grows: bool) -> None:
    """Only a steady line counts as a leak."""
    samples = [(n * 10.0, size * MIB) for n, size in enumerate(sizes)]
    assert of_growth("process", samples[:11]) is None
    found = of_growth("process", samples)
    assert found is not None
    assert (found.value > 0.5) is grows


def test_the_worst_of_a_subject_counts() -> None:
    """Two measures of one thing are one observation."""
    found = by_subject([of_disk("/d", Disk(n, 10 - n)) for n in (3, 8, 5)])
    assert found[Condition.DISK, "disk//d"].value == 0.8


def test_vocabularies_are_complete() -> None:
    """Every condition has a unit and every action a place in the catalogue."""
    assert set(UNITS) == set(Condition)
    assert set(CATALOGUE) == set(Action)


def test_parameters() -> None:
    """Defaults are filled in; what is wrong is named with the remedy."""
    assert checked(Action.CLEAN_DISK, {}) == {"free_share": 0.2}
    for given, words in (
        ({"free": 1}, "no parameter 'free'; it has free_share"),
        ({"free_share": "a"}, "must be a number"),
        ({"free_share": 2}, "at most 0.9"),
        ({"free_share": float("nan")}, "at least 0"),
    ):
        with pytest.raises(ValueError, match=words):
            checked(Action.CLEAN_DISK, given)
    with pytest.raises(ValueError, match="needs the parameter 'hook'"):
        checked(Action.COMMAND, {})
    with pytest.raises(ValueError, match="must be a text"):
        checked(Action.COMMAND, {"hook": 1})


@pytest.mark.parametrize(
    ("code", "events", "text"),
    [
        ("OK", 3, "3 events this hour: UNAVAILABLE on fb"),
        ("INTERNAL", 1, "1 event this hour: INTERNAL on fb"),
        ("", 2, "2 events this hour: UNAVAILABLE on fb"),
    ],
)
def test_a_group_is_named_by_what_failed(code: str, events: int, text: str) -> None:
    """A call that a fallback answered ended with OK, which says nothing about its group."""
    group = Group(
        id="v1:1",
        state=GroupState.NEW,
        since_us=0,
        first_seen_us=0,
        last_seen_us=0,
        events=9,
        severity=Severity.MEDIUM,
        route="fb",
        code=code,
        error_type="UNAVAILABLE",
        hour_events=events,
    )
    assert events_text(group, events) == text
