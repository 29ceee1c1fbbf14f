"""The engine: told of events and facts, asked once a second, it says which alerts began, changed and ended,
and of what people are to be told.

Rules of this file:

- One alert for each rule and subject at a time. A rule's triggers are alternatives; the first that holds for
  a subject speaks for it.
- Telling is decided apart from firing, and again at every tick, so that nothing that keeps an alert quiet (a
  silence, a rule that inhibits, the action interval, the hourly bound) can lose it: what still fires when the
  reason is gone is told then.
- People hear `resolved` of exactly those alerts that they heard of.
- After a start the alerts of before go on firing. What cannot be known yet (windows are empty, proxies are
  not back) is taken for unchanged during `GRACE_US`.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from seawall_control.domain.alerts.facts import Facts, GroupNotice
from seawall_control.domain.alerts.lifecycle import Alert, Phase, Reading, Timing, begun, stepped
from seawall_control.domain.alerts.rules import ABSENT_EVENTS, Rule, TriggerKind
from seawall_control.domain.alerts.silences import Silence, Silencer
from seawall_control.domain.alerts.watch import OWN_COMPONENT, Condition, Watch
from seawall_control.domain.alerts.watches import watch_of
from seawall_control.domain.alerts.windows import MAX_ROUTES, CallSeries
from seawall_control.domain.events import MICROS, Event

GRACE_US: Final = 30 * MICROS
MAX_ACTIVE_PER_RULE: Final = 500
"""A rule that would raise more is about something larger than its subjects; the rest is counted."""
MAX_PAST: Final = 5000
MIN_CALLS_KEPT_US: Final = 600 * MICROS
HOUR_US: Final = 3600 * MICROS
_FILTERED_BY_EVENT: Final = frozenset(
    {TriggerKind.EVENT, TriggerKind.EVENT_COUNT, TriggerKind.RECOVERY_FAILURE_RATE}
)
"""Their filters are asked of each event, which has more fields than what is left of it in a subject."""


_RESTORED: Final = frozenset({TriggerKind.EVENT, TriggerKind.GROUP, TriggerKind.BREAKER})
"""Their watches know from the alert itself what holds, and need no grace after a start."""


class News(StrEnum):
    """What people are told of an alert."""

    FIRING = "firing"
    REPEATED = "repeated"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Notification:
    """Something that the channels of a rule are to be told."""

    alert: Alert
    news: News


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tick came to."""

    changed: tuple[Alert, ...] = ()
    """To be stored, in the order in which they changed."""
    removed: tuple[str, ...] = ()
    """Ids of pending alerts that came to nothing."""
    notifications: tuple[Notification, ...] = ()


class _Standing:
    """A rule at work."""

    def __init__(self, rule: Rule, at_us: int) -> None:
        self.rule = rule
        self.condition = Condition(rule.filters)
        self.watches: tuple[tuple[TriggerKind, Watch], ...] = tuple(
            (trigger.kind, watch_of(trigger, at_us)) for trigger in rule.when
        )
        self.timing = Timing(int(rule.hold_s * MICROS), int(rule.keep_firing_s * MICROS))
        self.active: dict[str, Alert] = {}
        self.told: deque[int] = deque()
        self.overflow = 0
        self.needs_grace = any(trigger.kind not in _RESTORED for trigger in rule.when)
        self._counts_absence = any(
            trigger.kind is TriggerKind.ABSENCE and ABSENT_EVENTS in trigger.of for trigger in rule.when
        )

    def event(self, event: Event, at_us: int) -> None:
        allowed = self.condition.allows(event)
        for kind, watch in self.watches:
            if allowed or (kind not in _FILTERED_BY_EVENT and kind is not TriggerKind.ABSENCE):
                watch.event(event, at_us)

    def readings(self, facts: Facts, calls: Mapping[str, CallSeries], at_us: int) -> dict[str, Reading]:
        found: dict[str, Reading] = {}
        for kind, watch in self.watches:
            for reading in watch.readings(facts, calls, at_us):
                key = reading.subject.key
                if key in found:
                    continue
                filtered = kind in _FILTERED_BY_EVENT or (self._counts_absence and key == ABSENT_EVENTS)
                if filtered or self.condition.allows_subject(reading.subject, at_us):
                    found[key] = reading
        return found

    def may_tell(self, at_us: int) -> bool:
        """Whether the hourly bound has room."""
        while self.told and self.told[0] <= at_us - HOUR_US:
            self.told.popleft()
        return self.rule.max_per_hour <= 0 or len(self.told) < self.rule.max_per_hour


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
    ) -> None:
        self._new_id = new_id
        self._started_us = at_us
        self._calls: dict[str, CallSeries] = {}
        self._standing: dict[str, _Standing] = {}
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
            standing.active[alert.subject.key] = alert
            if alert.phase is Phase.FIRING:
                for _, watch in standing.watches:
                    watch.restore(alert, at_us)

    # --------------------------------------------------------------------------------------------- what to do

    def set_rules(self, rules: Iterable[Rule], *, at_us: int) -> None:
        """Take other rules; those that are the same go on with what they know, and alerts of those that are
        gone or disabled end at the next tick.
        """
        standing: dict[str, _Standing] = {}
        for rule in rules:
            if rule.disabled:
                continue
            before = self._standing.get(rule.name)
            if before is not None and before.rule == rule:
                standing[rule.name] = before
                continue
            made = standing[rule.name] = _Standing(rule, at_us)
            if before is not None:
                made.active, made.told = before.active, before.told
                self._carry_over(before, made, at_us)
        for name, before in self._standing.items():
            if name not in standing:
                for alert in before.active.values():
                    self._end(alert, at_us)
        self._standing = standing
        self._keep_us = max([MIN_CALLS_KEPT_US, *(_reach_us(s.rule) for s in standing.values())])

    def _carry_over(self, before: _Standing, made: _Standing, at_us: int) -> None:
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

    # ----------------------------------------------------------------------------------------------- the tick

    def tick(self, facts: Facts, *, at_us: int) -> Outcome:
        """Ask all rules."""
        changed: list[Alert] = self._ended
        self._ended = []
        removed: list[str] = []
        resolved: list[Alert] = list(changed)
        for standing in self._standing.values():
            self._step(standing, facts, at_us, changed, removed, resolved)
        notifications = self._told(resolved, at_us, changed)
        return Outcome(tuple(_newest(changed)), tuple(removed), tuple(notifications))

    def _step(
        self,
        standing: _Standing,
        facts: Facts,
        at_us: int,
        changed: list[Alert],
        removed: list[str],
        resolved: list[Alert],
    ) -> None:
        readings = standing.readings(facts, self._calls, at_us)
        in_grace = standing.needs_grace and at_us - self._started_us < GRACE_US
        for key, alert in list(standing.active.items()):
            reading = readings.pop(key, None)
            if reading is None and in_grace and alert.since_us < self._started_us:
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
        standing: _Standing,
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

    # -------------------------------------------------------------------------------------------- the telling

    def _told(self, resolved: Sequence[Alert], at_us: int, changed: list[Alert]) -> list[Notification]:
        notifications: list[Notification] = []
        for alert in resolved:
            standing = self._standing.get(alert.rule)
            wanted = standing is None or standing.rule.notify_resolved
            if alert.told and wanted and self._quiet_by(alert, None, at_us) == "":
                notifications.append(Notification(alert, News.RESOLVED))
        firing = [a for s in self._standing.values() for a in s.active.values() if a.phase is Phase.FIRING]
        for alert in sorted(firing, key=lambda a: (-a.severity, a.fired_us, a.id)):
            standing = self._standing[alert.rule]
            quiet_by = self._quiet_by(alert, standing.rule, at_us)
            if quiet_by == "" and (news := self._news_of(alert, standing, at_us)) is not None:
                standing.told.append(at_us)
                after = replace(
                    alert,
                    told=True,
                    notified_us=at_us,
                    notifications=alert.notifications + 1,
                    quiet_by="",
                )
                notifications.append(Notification(after, news))
            elif quiet_by != alert.quiet_by:
                after = replace(alert, quiet_by=quiet_by)
            else:
                continue
            standing.active[alert.subject.key] = after
            changed.append(after)
        return notifications

    def _news_of(self, alert: Alert, standing: _Standing, at_us: int) -> News | None:
        rule = standing.rule
        wait_us = int(rule.interval_s * MICROS)
        if alert.told:
            if rule.repeat_s <= 0 or alert.acknowledged_us:
                return None
            wait_us = max(wait_us, int(rule.repeat_s * MICROS))
        if alert.notified_us and at_us - alert.notified_us < wait_us:
            return None
        if not standing.may_tell(at_us):
            return None
        return News.REPEATED if alert.told else News.FIRING

    def _quiet_by(self, alert: Alert, rule: Rule | None, at_us: int) -> str:
        silence = self._silencer.silence_of(alert, at_us)
        if silence is not None:
            return f"silence {silence.id}"
        for name in rule.inhibited_by if rule else ():
            other = self._standing.get(name)
            if other is not None and any(_covers(a, alert) for a in other.active.values()):
                return f"rule {name}"
        return ""


def _covers(other: Alert, alert: Alert) -> bool:
    """Whether a firing alert is about the same route or proxy, or about no route and no proxy at all."""
    if other.phase is not Phase.FIRING or other.id == alert.id:
        return False
    mine, its = alert.subject, other.subject
    if not its.route and not its.proxy:
        return True
    return bool(its.route and its.route == mine.route) or bool(its.proxy and its.proxy == mine.proxy)


def _reach_us(rule: Rule) -> int:
    """Return how far back the rule's triggers look at calls."""
    from_windows = [w.long_s for t in rule.when for w in t.windows]
    burns = [21600.0 for t in rule.when if t.kind is TriggerKind.BURN_RATE and not t.windows]
    rates = [t.window_s for t in rule.when if t.kind is TriggerKind.ERROR_RATE]
    return int(max([0.0, *from_windows, *burns, *rates]) * MICROS)


def _newest(changed: Iterable[Alert]) -> list[Alert]:
    """Return each alert once, as it is at the end, in the order of the first change."""
    found: dict[str, Alert] = {}
    for alert in changed:
        found[alert.id] = alert
    return list(found.values())
