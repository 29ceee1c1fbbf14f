"""What rules know after a start of the time before it."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from seawall_control.domain.alerts.engine import GRACE_US, Engine
from seawall_control.domain.alerts.facts import Facts, ProxyFact
from seawall_control.domain.alerts.lifecycle import Alert, Phase
from seawall_control.domain.alerts.past import FINE_US, HOUR_US, MINUTE_US, Bucket, CallBook, Known, folded
from seawall_control.domain.alerts.rules import BurnWindow, Rule, Trigger, TriggerKind
from seawall_control.domain.events import MICROS, Event, EventKind, Severity

START_US = 1_800_000_000 * MICROS
RATE = Trigger(kind=TriggerKind.ERROR_RATE, threshold=0.15, min_calls=20)
COUNT = Trigger(kind=TriggerKind.EVENT_COUNT, threshold=3.0, window_s=600.0)


def rule(*triggers: Trigger, **fields: Any) -> Rule:
    """Return a rule that tells at once."""
    return Rule(name="r", when=triggers, interval_s=0.0, **fields)


class Life:
    """An engine, and another one after it."""

    def __init__(self, *rules: Rule) -> None:
        self.rules = rules
        self.at_us = START_US
        self.book = CallBook()
        self.buckets: dict[str, Bucket] = {}
        self.events: list[Event] = []
        self.alerts: dict[str, Alert] = {}
        numbers = count(1)
        self._new_id = lambda: f"a{next(numbers)}"
        self.engine = Engine(rules, new_id=self._new_id, at_us=self.at_us)
        self.facts = Facts()
        self.happened: list[str] = []

    def calls(self, failed: int, total: int, route: str = "r") -> None:
        """Tell of calls."""
        self.engine.calls(route, failed, total, self.at_us)
        self.book.add(route, failed, total, self.at_us)

    def event(self, **fields: Any) -> None:
        """Tell of an event."""
        values: dict[str, Any] = {
            "id": f"e{len(self.events)}", "timestamp_us": self.at_us, "severity": Severity.HIGH,
            "component": "app", "error_type": "Boom", **fields,
        }  # fmt: skip
        self.events.append(Event(**values))
        self.engine.event(self.events[-1], self.at_us)

    def tick(self, after_s: float = 1.0) -> None:
        """Let time pass, ask, and store."""
        self.at_us += int(after_s * MICROS)
        outcome = self.engine.tick(self.facts, at_us=self.at_us)
        for alert in outcome.changed:
            self.alerts[alert.id] = alert
        self.happened += [f"{n.news} {n.alert.subject.key}" for n in outcome.notifications]
        self.buckets |= {bucket.name: bucket for bucket in self.book.take(at_us=self.at_us)}

    def restart(self, after_s: float = 3.0, *, recalled: bool = True) -> None:
        """Begin anew from what is stored."""
        ended_us = self.at_us
        self.at_us += int(after_s * MICROS)
        reach_us = 3600 * MICROS
        known = Known(calls_until_us=ended_us, events_since_us=self.at_us - reach_us) if recalled else Known()
        self.engine = Engine(
            self.rules, new_id=self._new_id, at_us=self.at_us, alerts=self.alerts.values(), known=known
        )
        self.book = CallBook()
        if recalled:
            buckets = sorted(self.buckets.values(), key=lambda bucket: bucket.start_us)
            self.book.resume(buckets, at_us=self.at_us)
            self.engine.recall_calls(buckets, self.at_us)
            for event in self.events:
                self.engine.recall(event, self.at_us)

    def firing(self) -> list[str]:
        """Return what fires."""
        return sorted(a.subject.key for a in self.engine.active() if a.phase is Phase.FIRING)


def test_an_error_rate_neither_fires_nor_resolves_because_of_a_restart() -> None:
    """A few bad calls after the start are few beside those of before; and what failed before still does."""
    life = Life(rule(RATE))
    for _ in range(20):
        life.calls(0, 50, "fine")
        life.calls(10, 20, "bad")
        life.tick(10)
    assert life.firing() == ["route/bad"]
    life.restart()
    life.calls(20, 20, "fine")
    life.tick()
    assert life.firing() == ["route/bad"]
    life.tick(GRACE_US / MICROS + 1)
    assert (life.firing(), life.happened) == (["route/bad"], ["firing route/bad"])
    life.calls(0, 5000, "bad")
    life.tick()
    assert life.happened[1:] == ["resolved route/bad"]


def test_a_few_calls_say_nothing_until_the_window_is_whole() -> None:
    """After a long absence an alert goes on until enough calls say otherwise, or the window has passed."""
    for calls, held_s, over_s in (((0, 25), 29, 2), ((0, 3), 290, 11)):
        life = Life(rule(RATE))
        life.calls(20, 20)
        life.tick()
        life.restart(3600)
        life.calls(*calls)
        life.tick(held_s)
        assert life.firing() == ["route/r"]
        life.tick(over_s)
        assert life.firing() == []


def test_an_upgrade_from_a_version_that_kept_nothing() -> None:
    """Windows are empty, which is known."""
    life = Life(rule(RATE))
    life.calls(20, 20)
    life.tick()
    life.restart(recalled=False)
    life.tick(200)
    assert life.firing() == ["route/r"]
    life.tick(101)
    assert life.firing() == []


def test_a_burn_rate_over_a_restart() -> None:
    """Six hours are as full as before."""
    pair = BurnWindow(6.0, 21600.0, 1800.0)
    life = Life(rule(Trigger(kind=TriggerKind.BURN_RATE, objective=0.99, min_calls=100, windows=(pair,))))
    for _ in range(330):
        life.calls(1, 10)
        life.tick(60)
    assert life.firing() == ["route/r"]
    life.restart(30)
    life.tick(60)
    life.calls(1, 10)
    life.tick(60)
    assert (life.firing(), life.happened) == (["route/r"], ["firing route/r"])


def test_counts_of_events_over_a_restart() -> None:
    """Two before and one after are three; an alert goes on for as long as its events do."""
    life = Life(rule(COUNT))
    life.event(fingerprint="f")
    life.event(fingerprint="f")
    life.tick()
    life.restart()
    life.event(fingerprint="f")
    life.tick()
    assert life.firing() == ["f"]
    life.restart()
    life.tick(400)
    assert (life.firing(), life.happened) == (["f"], ["firing f"])
    life.tick(300)
    assert life.firing() == []


def test_events_that_nobody_had_looked_at() -> None:
    """What was stored in the moment of the death is told after it, and once."""
    life = Life(rule(Trigger(kind=TriggerKind.EVENT, severity=Severity.HIGH)))
    life.event(fingerprint="f")
    life.restart()
    life.tick()
    assert life.happened == ["firing f"]
    life.restart()
    life.tick()
    assert life.happened == ["firing f"]


def test_a_breaker_whose_closing_nobody_had_looked_at() -> None:
    """Its newest event counts, and not that it was opened before."""
    life = Life(rule(Trigger(kind=TriggerKind.BREAKER)))
    life.event(kind=EventKind.BREAKER_OPENED, route="all", proxy="p1", details={"breaker": "all"})
    life.tick(200)
    life.facts = Facts(proxies=(ProxyFact("p1", True, 0),))
    life.restart()
    life.tick()
    assert life.firing() == ["all"]
    life.event(kind=EventKind.BREAKER_CLOSED, route="all", proxy="p1", details={"breaker": "all"})
    life.restart()
    life.tick()
    assert life.firing() == []


def test_what_is_absent_stays_so_until_it_comes() -> None:
    """A restart is no reason to say that calls or proxies are back."""
    absence = Trigger(kind=TriggerKind.ABSENCE, of=("calls", "proxy", "events"), window_s=60.0)
    life = Life(rule(absence))
    life.facts = Facts(proxies=(ProxyFact("p1", False, START_US - 1),))
    life.calls(0, 5)
    life.tick(80)
    assert life.firing() == ["events", "proxy/p1", "route/r"]
    life.restart()
    life.tick(GRACE_US / MICROS + 5)
    assert life.firing() == ["events", "proxy/p1", "route/r"]
    life.tick(60)
    assert (life.firing(), len(life.happened)) == (["events", "proxy/p1", "route/r"], 3)
    life.restart()
    life.tick(20)
    life.calls(0, 1)
    life.event()
    life.facts = Facts(proxies=(ProxyFact("p1", True, life.at_us),))
    life.tick(20)
    assert life.firing() == []
    life.facts = Facts(proxies=(ProxyFact("p1", False, START_US - 1),))
    life.tick(70)
    life.restart()
    life.facts = Facts()
    life.tick(40)
    assert "proxy/p1" not in life.firing()


def test_drops_stand_for_a_window() -> None:
    """They cannot be counted again."""
    life = Life(rule(Trigger(kind=TriggerKind.QUEUE, of=("dropped_events",), threshold=5.0)))
    life.facts = Facts(proxies=(ProxyFact("p1", True, 0, 0, "b"),))
    life.tick()
    life.facts = Facts(proxies=(ProxyFact("p1", True, 0, 9, "b"),))
    life.tick()
    life.restart()
    life.tick(200)
    assert life.firing() == ["dropped/p1"]
    life.tick(150)
    assert life.firing() == []


def test_times_that_lie_ahead_are_taken_for_now() -> None:
    """A clock that was an hour ahead when the alert was stored delays nothing after the start."""
    life = Life(rule(RATE, repeat_s=60.0, keep_firing_s=30.0))
    life.calls(20, 20)
    life.tick()
    (alert,) = life.alerts.values()
    hour_us = 3600 * MICROS
    times = {name: getattr(alert, name) + hour_us for name in ("since_us", "fired_us", "notified_us")}
    ahead = replace(alert, paused_us=alert.fired_us + hour_us, fires=(alert.fired_us + hour_us,), **times)
    life.alerts[alert.id] = ahead
    life.restart()
    (restored,) = life.engine.active()
    assert max(restored.since_us, restored.fired_us, restored.notified_us, *restored.fires) <= life.at_us
    life.tick(61)
    assert life.happened == ["firing route/r", "repeated route/r"]
    life.calls(0, 5000)
    life.tick()
    life.tick(31)
    assert life.happened[-1] == "resolved route/r"


@pytest.mark.parametrize("seed", range(6))
def test_a_clock_that_is_set_changes_nothing(seed: int) -> None:
    """Two engines are told the same, and the clock of one is set back and forth: they say the same."""
    dice = random.Random(seed)
    rules = (
        rule(RATE, keep_firing_s=30.0, repeat_s=120.0, hold_s=20.0),
        replace(rule(COUNT, max_per_hour=3), name="count"),
        replace(rule(Trigger(kind=TriggerKind.EVENT, window_s=60.0)), name="event"),
        replace(rule(Trigger(kind=TriggerKind.BREAKER)), name="breaker"),
        replace(rule(Trigger(kind=TriggerKind.ABSENCE, of=("calls", "events"), window_s=90.0)), name="gone"),
        replace(rule(Trigger(kind=TriggerKind.QUEUE, of=("dropped_events",), threshold=5.0)), name="dropped"),
    )
    plain, moved = Life(*rules), Life(*rules)
    dropped = 0
    for _ in range(400):
        step = dice.choice((10, 10, 10, 50))
        if dice.random() < 0.1:
            by_us = dice.choice((-86_400, -600, 60, 86_400)) * MICROS
            moved.at_us += by_us
            moved.engine.shift(by_us)
        what, bad = dice.random(), dice.randrange(30)
        kind = dice.choice((EventKind.BREAKER_OPENED, EventKind.BREAKER_CLOSED, EventKind.CALL_FAILED))
        dropped += dice.choice((0, 0, 0, 3))
        for life in (plain, moved):
            life.facts = Facts(proxies=(ProxyFact("p", True, life.at_us, dropped, "b"),))
            if what < 0.4:
                life.calls(bad, 30)
            elif what < 0.6:
                life.event(kind=kind, fingerprint="f", proxy="p", details={"breaker": "b"})
            life.tick(step)
        assert moved.happened == plain.happened
        assert moved.firing() == plain.firing()
    assert len(plain.happened) > 20


def test_minutes_are_kept_and_summed_up_to_hours() -> None:
    """Nothing is lost or counted twice, whatever is folded when, and what nobody looks at goes."""
    dice = random.Random(3)
    book, stored = CallBook(), dict[str, Bucket]()
    at_us, came = START_US, list[tuple[int, int, int]]()
    for _ in range(2000):
        at_us += dice.choice((5, 20, 300)) * MICROS
        failed, total = dice.randrange(3), 3
        book.add("r", failed, total, at_us)
        came.append((at_us, failed, total))
        for bucket in book.take(at_us=at_us):
            stored[bucket.name] = Bucket.of_text(bucket.to_text())
        if dice.random() < 0.05:
            hours, gone = folded(list(stored.values()), at_us=at_us, keep_us=24 * HOUR_US)
            for name in gone:
                del stored[name]
            stored |= {hour.name: hour for hour in hours}
    buckets = stored.values()
    kept_us = min(bucket.start_us for bucket in buckets)
    assert at_us - 24 * HOUR_US - HOUR_US <= kept_us <= at_us - 23 * HOUR_US
    since = [one for one in came if one[0] >= kept_us]
    sums = [sum(bucket.calls["r"][index] for bucket in buckets) for index in (0, 1)]
    assert sums == [sum(one[1] for one in since), sum(one[2] for one in since)]
    assert len(stored) < 24 + FINE_US / MINUTE_US + 61
    ahead = Bucket(at_us + 2 * HOUR_US, MINUTE_US, {})
    assert ahead.name in folded([ahead], at_us=at_us, keep_us=HOUR_US)[1]


def test_a_minute_that_another_one_began_goes_on() -> None:
    """Two control planes that take turns within a minute count together."""
    first, second = CallBook(), CallBook()
    first.add("r", 1, 2, START_US)
    (bucket,) = first.take(at_us=START_US)
    second.resume([bucket], at_us=START_US + MICROS)
    second.add("r", 1, 3, START_US + MICROS)
    (bucket,) = second.take(at_us=START_US + MICROS)
    assert bucket.calls == {"r": (2, 5)}
    assert second.take(at_us=START_US + MICROS) == []
    second.put_back([bucket])
    assert second.take(at_us=START_US + 90 * MICROS) == [bucket]
