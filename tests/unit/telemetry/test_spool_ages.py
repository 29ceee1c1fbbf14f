"""Since when the oldest number of a spool has waited."""

from __future__ import annotations

import random

from seawall_proxy.telemetry.spool.ages import EVERY_S, MAX_MARKS, Ages


def test_the_age_is_that_of_the_oldest_that_waits() -> None:
    """To a second; acknowledged numbers do not count, and nothing waiting has no age."""
    ages = Ages()
    assert ages.oldest_s(0) == 0.0
    ages.given(3, 100.0)
    ages.given(5, 100.5)
    ages.given(9, 160.0)
    assert ages.oldest_s(0) == 100.0
    assert ages.oldest_s(4) == 100.0
    assert ages.oldest_s(5) == 160.0
    assert ages.oldest_s(9) == 0.0


def test_memory_is_bounded_and_nothing_waits_for_less_than_it_does() -> None:
    """Against a list of everything: never younger than it is, and a second too old while there are few."""
    dice = random.Random(4)
    ages = Ages()
    given: list[float] = []
    acked, now_s = 0, 1000.0
    for step in range(20_000):
        now_s += dice.choice((0.1, 0.5, 3.0))
        given.extend([now_s] * dice.randrange(3))
        ages.given(len(given), now_s)
        if step % 50 == 49 and step < 1000:
            acked = min(len(given), acked + dice.randrange(40))
            found = ages.oldest_s(acked)
            exact = given[acked] if acked < len(given) else 0.0
            assert exact - EVERY_S <= found <= exact
        assert len(ages._marks) <= MAX_MARKS
    assert ages.oldest_s(acked) <= given[acked]
    assert ages.oldest_s(len(given)) == 0.0


def test_a_clock_that_was_set_back() -> None:
    """Numbers of after it count from when the older ones began."""
    ages = Ages()
    ages.given(1, 5000.0)
    ages.given(2, 1000.0)
    assert ages.oldest_s(1) == 5000.0


def test_numbers_that_wait_again_are_as_old_as_they_are() -> None:
    """Their marks are gone; each part of them counts from its beginning, in bounded memory."""
    ages = Ages()
    ages.given(50_000, 100.0)
    ages.given(50_010, 9000.0)
    assert ages.oldest_s(50_000) == 9000.0
    ages.taken_back(50_000, [(number, 100.0 + number / 100) for number in range(10, 50_001, 10)])
    assert len(ages._marks) <= MAX_MARKS
    for acked in (0, 1000, 30_000, 49_989):
        assert ages.oldest_s(acked) <= 100.0 + (acked + 10) / 100
    assert ages.oldest_s(50_000) == 9000.0
    assert ages.oldest_s(50_010) == 0.0
