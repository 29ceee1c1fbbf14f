"""What recovered by what, from counts and from begins and ends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seawall_control.domain.analysis.recovery import (
    BEGINS,
    Mechanism,
    by_route,
    episodes,
    quantile,
    total_of,
)
from seawall_control.domain.events import MICROS, Event, EventKind, Severity


def event(at_s: int, kind: EventKind, *, proxy: str = "p", route: str = "r") -> Event:
    """Return an event."""
    return Event(
        id=f"{at_s}",
        timestamp_us=at_s * MICROS,
        severity=Severity.LOW,
        component="breaker/r",
        kind=kind,
        proxy=proxy,
        route=route,
    )


def test_a_breaker_that_opens_and_closes() -> None:
    """Its probes failing in between make no second episode; each proxy's breaker is its own."""
    found = episodes(
        [
            event(10, EventKind.BREAKER_OPENED),
            event(12, EventKind.BREAKER_OPENED, proxy="q"),
            event(15, EventKind.BREAKER_HALF_OPENED),
            event(16, EventKind.BREAKER_OPENED),
            event(40, EventKind.BREAKER_CLOSED),
        ]
    )[Mechanism.BREAKER]
    assert (found.troubled, found.recovered, found.open) == (2, 1, 1)
    assert (found.lengths_s, found.median_s, found.longest_s) == ([30.0], 30.0, 30.0)


def test_an_end_whose_begin_is_not_in_the_window() -> None:
    """It recovered; how long it took is not known."""
    found = episodes([event(5, EventKind.ROUTE_RECOVERED)])[Mechanism.DEGRADATION]
    assert (found.troubled, found.recovered, found.open, found.median_s) == (1, 1, 0, None)


@given(st.lists(st.tuples(st.sampled_from(sorted(EventKind)), st.sampled_from("ab"))))
def test_episodes_add_up(happened: list[tuple[EventKind, str]]) -> None:
    """What began has ended or is open, whatever comes in which order."""
    found = episodes(event(at, kind, proxy=proxy) for at, (kind, proxy) in enumerate(happened))
    assert set(found) == set(BEGINS.values())
    for one in found.values():
        assert one.troubled == one.recovered + one.open
        assert len(one.lengths_s) <= one.recovered
        assert all(length > 0 for length in one.lengths_s)


def test_routes() -> None:
    """The most troubled first; what is no call is left out."""
    found = by_route(
        [
            ("a", EventKind.CALL_FAILED, 2),
            ("b", EventKind.CALL_FAILED, 5),
            ("b", EventKind.CALL_RECOVERED, 3),
            ("b", EventKind.CALL_DEGRADED, 1),
            ("b", EventKind.CALL_REJECTED, 1),
            ("b", EventKind.BREAKER_OPENED, 9),
            ("c", EventKind.APPLICATION, 9),
        ]
    )
    assert [(one.route, one.troubled, one.recovered) for one in found] == [("b", 10, 4), ("a", 2, 0)]
    assert found[0].share == 0.4
    assert total_of(found).troubled == 12
    assert total_of([]).share is None


def test_quantiles() -> None:
    """By nearest rank."""
    assert quantile([], 0.5) is None
    assert quantile([3.0], 0.99) == 3.0
    assert [quantile([4.0, 1.0, 3.0, 2.0], share) for share in (0.0, 0.25, 0.5, 0.51, 1.0)] == [
        *(1.0, 1.0, 2.0, 3.0, 4.0)
    ]
