"""Rates over restarts against a list of all calls: an alert fires or resolves only if some window that is at
most a little longer than asked for says so, whenever the control plane is killed and however often.
"""

from __future__ import annotations

import random
from itertools import count

import pytest

from seawall_control.domain.alerts.engine import GRACE_US, Engine
from seawall_control.domain.alerts.facts import Facts
from seawall_control.domain.alerts.lifecycle import Alert, Phase
from seawall_control.domain.alerts.past import HOUR_US, MINUTE_US, Bucket, CallBook, Known, folded
from seawall_control.domain.alerts.rules import BurnWindow, Rule, Trigger, TriggerKind
from seawall_control.domain.alerts.windows import CALL_SLOT_US
from seawall_control.domain.events import MICROS

START_US = 1_800_000_000 * MICROS
THRESHOLD, MIN_CALLS = 0.2, 20
PAIR = BurnWindow(2.0, 3600.0, 300.0)
RULES = (
    Rule(
        name="rate",
        when=(Trigger(kind=TriggerKind.ERROR_RATE, threshold=THRESHOLD, min_calls=MIN_CALLS),),
    ),
    Rule(
        name="burn",
        when=(Trigger(kind=TriggerKind.BURN_RATE, objective=0.9, min_calls=MIN_CALLS, windows=(PAIR,)),),
    ),
)


class World:
    """All calls that ever were, and control planes over them, one after the other."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.at_us = START_US
        self.came: list[tuple[int, int, int]] = []
        self.stored: dict[str, Bucket] = {}
        self.alerts: dict[str, Alert] = {}
        numbers = count(1)
        self.new_id = lambda: f"a{next(numbers)}"
        self.engine = Engine(RULES, new_id=self.new_id, at_us=self.at_us)
        self.book = CallBook()

    def over(self, window_s: float) -> list[tuple[int, int]]:
        """Return failed and all calls of each window that is as long as asked for, or longer by up to a
        minute and a slot.
        """
        least_us = self.at_us - int(window_s * MICROS)
        most_us = least_us - MINUTE_US - CALL_SLOT_US
        failed = sum(one[1] for one in self.came if one[0] >= least_us)
        total = sum(one[2] for one in self.came if one[0] >= least_us)
        found = [(failed, total)]
        for at_us, fell, number in reversed(self.came):
            if most_us <= at_us < least_us:
                failed, total = failed + fell, total + number
                found.append((failed, total))
        return found

    def opinions(self, name: str) -> set[bool]:
        """Return what these windows say of a rule."""
        if name == "rate":
            return {n >= MIN_CALLS and failed >= THRESHOLD * n for failed, n in self.over(300.0)}
        long = {n >= MIN_CALLS and failed / n / 0.1 >= PAIR.factor for failed, n in self.over(PAIR.long_s)}
        short = {n > 0 and failed / n / 0.1 >= PAIR.factor for failed, n in self.over(PAIR.short_s)}
        return {one and other for one in long for other in short}

    def step(self, failed: int, total: int) -> None:
        """Ten seconds with calls in them, and a tick."""
        self.at_us += CALL_SLOT_US
        if total:
            self.came.append((self.at_us, failed, total))
            self.engine.calls("r", failed, total, self.at_us)
            self.book.add("r", failed, total, self.at_us)
        outcome = self.engine.tick(Facts(), at_us=self.at_us)
        for alert in outcome.changed:
            self.alerts[alert.id] = alert
        self.stored |= {bucket.name: bucket for bucket in self.book.take(at_us=self.at_us)}
        if self.dice.random() < 0.02:
            hours, gone = folded(list(self.stored.values()), at_us=self.at_us, keep_us=3 * HOUR_US)
            self.stored = {name: one for name, one in self.stored.items() if name not in gone}
            self.stored |= {hour.name: hour for hour in hours}

    def restart(self) -> None:
        """Die, and begin anew from what is stored."""
        alive_us = self.at_us
        self.at_us += self.dice.choice((1, 2, 5)) * MICROS
        self.engine = Engine(
            RULES,
            new_id=self.new_id,
            at_us=self.at_us,
            alerts=self.alerts.values(),
            known=Known(calls_until_us=alive_us, events_since_us=1),
        )
        buckets = sorted(self.stored.values(), key=lambda bucket: bucket.start_us)
        self.book = CallBook()
        self.book.resume(buckets, at_us=self.at_us)
        self.engine.recall_calls(buckets, self.at_us)

    def firing(self) -> dict[str, str]:
        """Return the alerts that fire, by rule."""
        return {a.rule: a.id for a in self.engine.active() if a.phase is Phase.FIRING}

    def flapping(self) -> set[str]:
        """Return the rules whose alert goes on for ten minutes whatever the rate is."""
        return {alert.rule for alert in self.engine.active() if alert.flapping}


@pytest.mark.parametrize("seed", range(8))
def test_no_alert_changes_because_of_a_restart(seed: int) -> None:
    """Traffic that is good, bad and none in turns, and deaths in between."""
    dice = random.Random(seed)
    world = World(dice)
    mood, changes, restarted_us = (0.02, 10), 0, -GRACE_US
    for _ in range(900):
        if dice.random() < 0.03:
            mood = dice.choice(((0.02, 10), (0.15, 10), (0.25, 8), (0.6, 12), (0.3, 1), (0.0, 0)))
        before = world.firing()
        total = dice.randrange(mood[1] + 1)
        if dice.random() < 0.04:
            world.restart()
            restarted_us = world.at_us
            assert world.firing() == before
        world.step(sum(dice.random() < mood[0] for _ in range(total)), total)
        after = world.firing()
        for name in ("rate", "burn"):
            opinions = world.opinions(name)
            if name in after and after[name] != before.get(name):
                changes += 1
                assert True in opinions
            elif name in before and name not in after:
                changes += 1
                assert False in opinions
            elif world.at_us - restarted_us > GRACE_US and name not in world.flapping():
                assert (name in after) in opinions
    assert changes > 3
