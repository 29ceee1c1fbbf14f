"""The engine: told of events and facts, asked once a second, it says which alerts began, changed and ended,
and of what people are to be told (telling.py).

Rules of this file:

- One alert for each rule and subject at a time. A rule's triggers are alternatives; the first that holds for
  a subject speaks for it.
- After a start the alerts of before go on firing, and the engine is told again what was before (`recall`,
  `recall_calls`). What cannot be known all the same (proxies are not back, windows have holes) is taken for
  unchanged, at most until the windows are whole again.
- Intervals are those of the time that it is told. A clock that was set is told by `shift`, which moves
  everything that it remembers along; a stored time that lies ahead is taken for now.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from seawall_control.domain.alerts.facts import Facts, GroupNotice
from seawall_control.domain.alerts.lifecycle import Alert, Phase, Reading, begun, not_ahead, shifted, stepped
from seawall_control.domain.alerts.past import Bucket, Known, longest_s
from seawall_control.domain.alerts.rules import Rule
from seawall_control.domain.alerts.silences import Silence, Silencer
from seawall_control.domain.alerts.standing import GRACE_US, Standing
from seawall_control.domain.alerts.telling import News, Notification, told
from seawall_control.domain.alerts.watch import OWN_COMPONENT
from seawall_control.domain.alerts.windows import MAX_ROUTES, CallSeries
from seawall_control.domain.events import MICROS, Event

__all__ = ["GRACE_US", "MAX_ACTIVE_PER_RULE", "Engine", "News", "Notification", "Outcome"]

MAX_ACTIVE_PER_RULE: Final = 500
"""A rule that would raise more is about something larger than its subjects; the rest is counted."""
MAX_PAST: Final = 5000
MIN_CALLS_KEPT_US: Final = 600 * MICROS


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tick came to."""

    changed: tuple[Alert, ...] = ()
    """To be stored, in the order in which they changed."""
    removed: tuple[str, ...] = ()
    """Ids of pending alerts that came to nothing."""
    notifications: tuple[Notification, ...] = ()


class Engine:
    """All rules at work, and their alerts."""

    def __init__(
        self,
        rules: Iterable[Rule],
        *,
        new_id: Callable[[], str],
        at_us: int,
        alerts: Iterable[Alert] = (),
        silences: Iterable[Silence] = (),
        known: Known | None = None,
    ) -> None:
        """`alerts` are those of before the start; `known` says how much of what was before is recalled."""
        self._new_id = new_id
        self._known = known or Known()
        self._started_us = at_us
        self._calls: dict[str, CallSeries] = {}
        self._standing: dict[str, Standing] = {}
        self._past: OrderedDict[tuple[str, str], Alert] = OrderedDict()
        self._silencer = Silencer(silences)
        self._ended: list[Alert] = []
        self._keep_us = MIN_CALLS_KEPT_US
        self.set_rules(rules, at_us=at_us)
        for alert in alerts:
            self._restore(alert, at_us)

    def _restore(self, alert: Alert, at_us: int) -> None:
        standing = self._standing.get(alert.rule)
        if alert.phase is Phase.RESOLVED:
            self._remember(alert)
        elif standing is None:
            self._end(alert, at_us)
        else:
            standing.restore(not_ahead(alert, at_us), at_us)

    # --------------------------------------------------------------------------------------------- what to do

    def set_rules(self, rules: Iterable[Rule], *, at_us: int) -> None:
        """Take other rules; those that are the same go on with what they know, and alerts of those that are
        gone or disabled end at the next tick.
        """
        standing: dict[str, Standing] = {}
        for rule in rules:
            if rule.disabled:
                continue
            before = self._standing.get(rule.name)
            if before is not None and before.rule == rule:
                standing[rule.name] = before
                continue
            made = standing[rule.name] = Standing(rule, at_us, self._known, self._started_us)
            if before is not None:
                made.active, made.told = before.active, before.told
                self._carry_over(before, made, at_us)
        for name, before in self._standing.items():
            if name not in standing:
                for alert in before.active.values():
                    self._end(alert, at_us)
        self._standing = standing
        self._keep_us = max([MIN_CALLS_KEPT_US, *(_reach_us(s.rule) for s in standing.values())])

    def _carry_over(self, before: Standing, made: Standing, at_us: int) -> None:
        kept = dict(zip((t for t in before.rule.when), (w for _, w in before.watches), strict=True))
        same_filters = before.rule.filters == made.rule.filters
        made.watches = tuple(
            (kind, kept[trigger] if same_filters and trigger in kept else watch)
            for trigger, (kind, watch) in zip(made.rule.when, made.watches, strict=True)
        )
        for alert in made.active.values():
            if alert.phase is Phase.FIRING:
                for trigger, (_, watch) in zip(made.rule.when, made.watches, strict=True):
                    if trigger not in kept:
                        watch.restore(alert, at_us)

    def adopt(self, alert: Alert, *, at_us: int) -> None:
        """Take an alert over that somebody else has stored: it fires on here, or is acknowledged now."""
        standing = self._standing.get(alert.rule)
        if standing is None or alert.phase is not Phase.FIRING:
            return
        known = standing.active.get(alert.subject.key)
        if known is None:
            self._restore(alert, at_us)
        elif known.id == alert.id and alert.acknowledged_us > known.acknowledged_us:
            standing.active[alert.subject.key] = replace(
                known,
                acknowledged_us=alert.acknowledged_us,
                acknowledged_by=alert.acknowledged_by,
                acknowledged_why=alert.acknowledged_why,
            )

    def set_silences(self, silences: Iterable[Silence]) -> None:
        """Take other silences."""
        self._silencer = Silencer(silences)

    def acknowledge(self, alert_id: str, *, by: str, why: str, at_us: int) -> Alert | None:
        """Note that somebody looks after an alert; None when it does not fire or is not known."""
        for standing in self._standing.values():
            for key, alert in standing.active.items():
                if alert.id == alert_id and alert.phase is Phase.FIRING:
                    done = replace(alert, acknowledged_by=by, acknowledged_why=why, acknowledged_us=at_us)
                    standing.active[key] = done
                    return done
        return None

    # ------------------------------------------------------------------------------------------ what is known

    @property
    def is_idle(self) -> bool:
        """Whether there is no rule to ask."""
        return not self._standing

    def active(self) -> list[Alert]:
        """Return the pending and firing alerts, in no order."""
        return [alert for standing in self._standing.values() for alert in standing.active.values()]

    def overflow(self) -> int:
        """Return how many subjects were left out because their rule had too many alerts."""
        return sum(standing.overflow for standing in self._standing.values())

    def event(self, event: Event, at_us: int) -> None:
        """Take in an event that was stored."""
        if event.component == OWN_COMPONENT:
            return
        for standing in self._standing.values():
            standing.event(event, at_us)

    def notice(self, notice: GroupNotice, at_us: int) -> None:
        """Take in what happened to a group."""
        for standing in self._standing.values():
            for _, watch in standing.watches:
                watch.notice(notice, at_us)

    def calls(self, route: str, failed: int, total: int, at_us: int) -> None:
        """Take in calls that have ended since the last time."""
        series = self._calls.get(route)
        if series is None:
            if len(self._calls) >= MAX_ROUTES:
                return
            series = self._calls[route] = CallSeries(self._keep_us)
        series.keep(self._keep_us)
        series.add(failed, total, at_us)

    def recall(self, event: Event, at_us: int) -> None:
        """Take in an event of before the start, oldest first, once alerts are restored."""
        if event.component == OWN_COMPONENT:
            return
        for standing in self._standing.values():
            standing.recall(event, min(event.timestamp_us, at_us), at_us)

    def recall_calls(self, buckets: Iterable[Bucket], at_us: int) -> None:
        """Take in calls of before the start, oldest first, before those of now."""
        for bucket in buckets:
            for route, (failed, total) in bucket.calls.items():
                self.calls(route, failed, total, bucket.counted_at_us(at_us))

    @property
    def reach_us(self) -> int:
        """Return how far back the rules look at calls."""
        return self._keep_us

    def shift(self, by_us: int) -> None:
        """Move everything that is remembered in time: the clock was set by so much."""
        self._started_us += by_us
        for series in self._calls.values():
            series.shift(by_us)
        for standing in self._standing.values():
            standing.shift(by_us)
        self._past = OrderedDict((key, shifted(alert, by_us)) for key, alert in self._past.items())
        self._ended = [shifted(alert, by_us) for alert in self._ended]

    # ----------------------------------------------------------------------------------------------- the tick

    def tick(self, facts: Facts, *, at_us: int) -> Outcome:
        """Ask all rules."""
        changed: list[Alert] = self._ended
        self._ended = []
        removed: list[str] = []
        resolved: list[Alert] = list(changed)
        for standing in self._standing.values():
            self._step(standing, facts, at_us, changed, removed, resolved)
        notifications = told(self._standing, self._silencer, resolved, at_us, changed)
        return Outcome(tuple(_newest(changed)), tuple(removed), tuple(notifications))

    def _step(
        self,
        standing: Standing,
        facts: Facts,
        at_us: int,
        changed: list[Alert],
        removed: list[str],
        resolved: list[Alert],
    ) -> None:
        readings = standing.readings(facts, self._calls, at_us)
        for key, alert in list(standing.active.items()):
            reading = readings.pop(key, None)
            if reading is None and standing.is_unknown(
                alert, self._calls, at_us=at_us, started_us=self._started_us
            ):
                continue
            self._stepped(standing, key, alert, reading, at_us, changed, removed, resolved)
        for key, reading in readings.items():
            if len(standing.active) >= MAX_ACTIVE_PER_RULE:
                standing.overflow += 1
                continue
            severity = standing.rule.severity or reading.subject.severity
            before = self._past.get((standing.rule.name, key))
            alert = begun(standing.rule.name, reading, severity, before, alert_id=self._new_id(), at_us=at_us)
            standing.active[key] = alert
            if standing.timing.hold_us > 0:
                changed.append(alert)
            self._stepped(standing, key, alert, reading, at_us, changed, removed, resolved)

    def _stepped(
        self,
        standing: Standing,
        key: str,
        alert: Alert,
        reading: Reading | None,
        at_us: int,
        changed: list[Alert],
        removed: list[str],
        resolved: list[Alert],
    ) -> None:
        after = stepped(alert, reading, standing.timing, at_us=at_us)
        if after is None:
            del standing.active[key]
            removed.append(alert.id)
        elif after.phase is Phase.RESOLVED:
            del standing.active[key]
            changed.append(after)
            resolved.append(after)
            self._remember(after)
        else:
            standing.active[key] = after
            if after.phase is not alert.phase:
                changed.append(after)

    def _end(self, alert: Alert, at_us: int) -> None:
        """Resolve the alert of a rule that is no more."""
        if alert.phase is Phase.FIRING:
            text = f"{alert.text}; its rule was disabled or deleted"
            ended = replace(alert, phase=Phase.RESOLVED, resolved_us=at_us, text=text, paused_us=at_us)
            self._ended.append(ended)
            self._remember(ended)

    def _remember(self, alert: Alert) -> None:
        key = (alert.rule, alert.subject.key)
        self._past.pop(key, None)
        self._past[key] = alert
        if len(self._past) > MAX_PAST:
            self._past.popitem(last=False)


def _reach_us(rule: Rule) -> int:
    """Return how far back the rule's triggers look at calls."""
    return int(max((longest_s(trigger) for trigger in rule.when), default=0.0) * MICROS)


def _newest(changed: Iterable[Alert]) -> list[Alert]:
    """Return each alert once, as it is at the end, in the order of the first change."""
    found: dict[str, Alert] = {}
    for alert in changed:
        found[alert.id] = alert
    return list(found.values())
