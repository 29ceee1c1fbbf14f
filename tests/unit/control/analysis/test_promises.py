"""Whether a recommendation did as it promised: enough to matter, by more than chance, on enough calls."""

from __future__ import annotations

import pytest

from seawall_control.domain.analysis.promises import PROMISES, Share, judged, measured
from seawall_control.domain.statistics import Counters


def calls(*by_code: tuple[int, int], retries: int = 0, recovered: int = 0) -> Counters:
    """Return counters with so many calls by code."""
    codes = [0] * 17
    for code, number in by_code:
        codes[code] = number
    return Counters(by_code=tuple(codes), retries=retries, recovered=recovered)


@pytest.mark.parametrize(
    ("kind", "counters", "share"),
    [
        ("retry", calls((0, 70), (14, 20), (4, 10)), Share(20, 100)),
        ("timeout", calls((0, 70), (14, 20), (4, 10)), Share(10, 100)),
        ("hedge", calls((0, 70), (4, 30)), Share(30, 100)),
        ("fallback", calls((0, 70), (14, 20), (4, 10)), Share(30, 100)),
        ("fewer-retries", calls((0, 90), (14, 10), retries=30, recovered=5), Share(25, 100)),
        ("fewer-retries", calls((0, 10), retries=30, recovered=50), Share(0, 10)),
    ],
)
def test_what_is_measured(kind: str, counters: Counters, share: Share) -> None:
    """The calls that it is about, of all."""
    assert measured(kind, counters) == share


def test_a_limit_counts_what_it_refused() -> None:
    """By reason."""
    counters = Counters(by_code=(90, 0, 0, 0, 0, 0, 0, 0, 10), rejected_by={"LIMITED": 7, "BREAKER_OPEN": 3})
    assert measured("wider-limit", counters) == Share(7, 100)
    assert measured("retry", Counters()) == Share(0, 0)


@pytest.mark.parametrize(
    ("before", "after", "kept", "words"),
    [
        (Share(500, 1000), Share(50, 1000), True, "5.0% of 1000 calls end with UNAVAILABLE, 50.0% of 1000"),
        (Share(500, 1000), Share(470, 1000), False, "at least 10% less was promised"),
        (Share(500, 1000), Share(600, 1000), False, "at least 10% less was promised"),
        (Share(10, 100), Share(8, 100), False, "may be chance"),
        (Share(500, 1000), Share(0, 20), False, "20 calls since and 1000 before prove nothing"),
        (Share(5, 20), Share(0, 1000), False, "1000 calls since and 20 before prove nothing"),
        (Share(0, 1000), Share(0, 1000), False, "at least 10% less was promised"),
    ],
)
def test_judgement(before: Share, after: Share, kept: bool, words: str) -> None:
    """Its words show the numbers that it rests on."""
    found = judged("retry", before, after, least=0.1)
    assert found.kept is kept
    assert words in found.text


def test_promises_are_of_recommendations() -> None:
    """Advice and breakers promise nothing that shows soon."""
    assert "breaker" not in PROMISES
    assert PROMISES["retry"].takes_longer
    assert not PROMISES["wider-limit"].takes_longer
