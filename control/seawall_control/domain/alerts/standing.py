"""A rule at work: its watches, its alerts, and how often it was told of."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

from seawall_control.domain.alerts.facts import Facts
from seawall_control.domain.alerts.lifecycle import Alert, Phase, Reading, Timing, shifted
from seawall_control.domain.alerts.past import Known
from seawall_control.domain.alerts.rules import ABSENT_EVENTS, Rule, TriggerKind
from seawall_control.domain.alerts.watch import Condition, Watch
from seawall_control.domain.alerts.watches import watch_of
from seawall_control.domain.alerts.windows import CallSeries
from seawall_control.domain.events import MICROS, Event

GRACE_US: Final = 30 * MICROS
HOUR_US: Final = 3600 * MICROS
_FILTERED_BY_EVENT: Final = frozenset(
    {TriggerKind.EVENT, TriggerKind.EVENT_COUNT, TriggerKind.RECOVERY_FAILURE_RATE}
)
"""Their filters are asked of each event, which has more fields than what is left of it in a subject."""
_RESTORED: Final = frozenset({TriggerKind.EVENT, TriggerKind.GROUP, TriggerKind.BREAKER})
"""Their watches know from the alert itself what holds, and need no grace after a start."""


class Standing:
    """A rule at work."""

    def __init__(self, rule: Rule, at_us: int, known: Known, started_us: int) -> None:
        self.rule = rule
        self.condition = Condition(rule.filters)
        self.watches: tuple[tuple[TriggerKind, Watch], ...] = tuple(
            (trigger.kind, watch_of(trigger, at_us)) for trigger in rule.when
        )
        self.timing = Timing(int(rule.hold_s * MICROS), int(rule.keep_firing_s * MICROS))
        self.active: dict[str, Alert] = {}
        self.told: deque[int] = deque()
        self.overflow = 0
        self._needs_grace = any(trigger.kind not in _RESTORED for trigger in rule.when)
        self._settled_us = max((known.settled_us(trigger, started_us) for trigger in rule.when), default=0)
        self._counts_absence = any(
            trigger.kind is TriggerKind.ABSENCE and ABSENT_EVENTS in trigger.of for trigger in rule.when
        )

    def event(self, event: Event, at_us: int) -> None:
        """Take in an event."""
        allowed = self.condition.allows(event)
        for kind, watch in self.watches:
            if allowed or (kind not in _FILTERED_BY_EVENT and kind is not TriggerKind.ABSENCE):
                watch.event(event, at_us)

    def recall(self, event: Event, event_us: int, at_us: int) -> None:
        """Take in an event of before the start."""
        allowed = self.condition.allows(event)
        for kind, watch in self.watches:
            # That a breaker was open is known from its alert; only what its newest event says is new.
            when_us = at_us if kind is TriggerKind.BREAKER else event_us
            if allowed or (kind not in _FILTERED_BY_EVENT and kind is not TriggerKind.ABSENCE):
                watch.event(event, when_us)

    def restore(self, alert: Alert, at_us: int) -> None:
        """Go on with an alert of before the start."""
        self.active[alert.subject.key] = alert
        if alert.phase is Phase.FIRING:
            for _, watch in self.watches:
                watch.restore(alert, at_us)

    def readings(self, facts: Facts, calls: Mapping[str, CallSeries], at_us: int) -> dict[str, Reading]:
        """Return what holds now, by subject; the first trigger that holds speaks for it."""
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

    def is_unknown(
        self, alert: Alert, calls: Mapping[str, CallSeries], *, at_us: int, started_us: int
    ) -> bool:
        """Whether it says nothing that the condition of an alert of before the start does not hold: proxies
        are not back yet, or windows are not whole and nothing in them says otherwise.
        """
        if alert.since_us >= started_us:
            return False
        if self._needs_grace and at_us - started_us < GRACE_US:
            return True
        return at_us < self._settled_us and not all(
            watch.denies(alert.subject, calls, at_us) for _, watch in self.watches
        )

    def shift(self, by_us: int) -> None:
        """Move everything that is remembered in time."""
        self._settled_us += by_us
        for _, watch in self.watches:
            watch.shift(by_us)
        self.active = {key: shifted(alert, by_us) for key, alert in self.active.items()}
        self.told = deque(at_us + by_us for at_us in self.told)

    def may_tell(self, at_us: int) -> bool:
        """Whether the hourly bound has room."""
        while self.told and self.told[0] <= at_us - HOUR_US:
            self.told.popleft()
        return self.rule.max_per_hour <= 0 or len(self.told) < self.rule.max_per_hour
