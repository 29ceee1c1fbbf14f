"""Watches over events: how often each comes, whether retries help, and what has just happened."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from seawall_control.domain.alerts.facts import Facts, GroupNotice
from seawall_control.domain.alerts.lifecycle import Alert, Reading
from seawall_control.domain.alerts.rules import Trigger, TriggerKind
from seawall_control.domain.alerts.subject import Subject, of_event, scrubbed
from seawall_control.domain.alerts.watch import Quiet, percent, route_subject, span
from seawall_control.domain.alerts.windows import MAX_KEYS, CallSeries, EventWindow
from seawall_control.domain.events import MICROS, Event, EventKind, Severity
from seawall_control.domain.runs import summary_of


class EventCountWatch(Quiet):
    """Events with the same fingerprint."""

    def __init__(self, trigger: Trigger) -> None:
        self._threshold = max(1.0, trigger.threshold)
        self._window = EventWindow(int(trigger.window_s * MICROS))
        self._span = span(trigger.window_s)
        self._subjects: OrderedDict[str, Subject] = OrderedDict()

    def shift(self, by_us: int) -> None:
        self._window.shift(by_us)

    def event(self, event: Event, at_us: int) -> None:
        # In a flood every event costs this: what is said about it is made once for each kind.
        key = event.fingerprint or f"{event.component}/{event.error_type}"
        self._window.add(key, at_us)
        if key in self._subjects:
            self._subjects.move_to_end(key)
            return
        self._subjects[key] = of_event(event)
        if len(self._subjects) > MAX_KEYS:
            self._subjects.popitem(last=False)

    def readings(self, facts: Facts, calls: Mapping[str, CallSeries], at_us: int) -> Iterable[Reading]:
        for key in self._window.keys_now():
            number = self._window.count(key, at_us)
            subject = self._subjects.get(key)
            if number == 0:
                self._subjects.pop(key, None)
            elif number >= self._threshold and subject is not None:
                what = subject.error_type or "events"
                where = f" in {subject.component}" if subject.component else ""
                allowed = f"allowed less than {self._threshold:.12g}"
                text = f"{number} times {what}{where} within {self._span} ({allowed})"
                yield Reading(subject, float(number), self._threshold, text)


class RecoveryWatch(Quiet):
    """Calls that needed another attempt, and failed all the same."""

    def __init__(self, trigger: Trigger) -> None:
        self._threshold = trigger.threshold
        self._min_calls = max(1, trigger.min_calls)
        window_us = int(trigger.window_s * MICROS)
        self._failed, self._tried = EventWindow(window_us), EventWindow(window_us)
        self._span = span(trigger.window_s)

    def shift(self, by_us: int) -> None:
        self._failed.shift(by_us)
        self._tried.shift(by_us)

    def event(self, event: Event, at_us: int) -> None:
        recovered = event.kind is EventKind.CALL_RECOVERED
        failed = event.kind is EventKind.CALL_FAILED and len(event.attempts) > 1
        if recovered or failed:
            self._tried.add(event.route, at_us)
        if failed:
            self._failed.add(event.route, at_us)

    def readings(self, facts: Facts, calls: Mapping[str, CallSeries], at_us: int) -> Iterable[Reading]:
        for route in self._tried.keys_now():
            tried, failed = self._tried.count(route, at_us), self._failed.count(route, at_us)
            if tried >= self._min_calls and failed >= self._threshold * tried:
                share = failed / tried
                text = (
                    f"route {scrubbed(route)}: {failed} of {tried} calls that were tried again failed"
                    " all the same"
                    f" within {self._span} ({percent(share)}, allowed less than {percent(self._threshold)})"
                )
                yield Reading(route_subject(route), share, self._threshold, text)


class OccurrenceWatch(Quiet):
    """What happens in a moment (an event, a change of a group) stands until it has not come for a while."""

    def __init__(self, trigger: Trigger) -> None:
        self._trigger = trigger
        self._stands_us = int(trigger.window_s * MICROS)
        self._held: OrderedDict[str, tuple[int, Reading]] = OrderedDict()

    def _hold(self, subject: Subject, text: str, at_us: int) -> None:
        before = self._held.get(subject.key)
        if before is not None and at_us < before[0]:
            return  # of before the start, and what it raised stands already
        self._held.pop(subject.key, None)
        number = before[1].value + 1 if before else 1.0
        if before is None and len(self._held) >= MAX_KEYS:
            self._held.popitem(last=False)
        self._held[subject.key] = (at_us, Reading(subject, number, 1.0, text))

    def event(self, event: Event, at_us: int) -> None:
        if self._trigger.kind is TriggerKind.EVENT and event.severity >= self._trigger.severity:
            subject = of_event(event)
            where = f" in {subject.component}" if subject.component else ""
            away = event.details.get("downtime_s") if event.details else None
            after = f", away for {span(away)}" if isinstance(away, int | float) else ""
            severity = subject.severity.name.lower()
            more = summary_of(event.error_type, event.details) if event.kind is EventKind.SYSTEM else ""
            text = f"{subject.error_type or 'event'}{where} ({severity}){after}{scrubbed(more)}"
            self._hold(subject, text, at_us)

    def notice(self, notice: GroupNotice, at_us: int) -> None:
        if self._trigger.kind is not TriggerKind.GROUP or notice.state not in self._trigger.of:
            return
        subject = Subject(
            key=scrubbed(notice.fingerprint),
            component=scrubbed(notice.component),
            route=scrubbed(notice.route),
            method=scrubbed(notice.method),
            code=scrubbed(notice.code),
            error_type=scrubbed(notice.error_type),
            fingerprint=scrubbed(notice.fingerprint),
            severity=Severity(notice.severity) if 1 <= notice.severity <= 4 else Severity.HIGH,
            event_id=notice.event_id,
        )
        where = f" in {subject.component}" if subject.component else ""
        self._hold(subject, f"group of {subject.error_type or 'errors'}{where} is {notice.state}", at_us)

    def shift(self, by_us: int) -> None:
        for key, (last_us, reading) in self._held.items():
            self._held[key] = (last_us + by_us, reading)

    def restore(self, alert: Alert, at_us: int) -> None:
        if alert.subject.breaker:
            return
        self._held[alert.subject.key] = (
            at_us,
            Reading(alert.subject, alert.value, alert.threshold, alert.text),
        )

    def readings(self, facts: Facts, calls: Mapping[str, CallSeries], at_us: int) -> Iterable[Reading]:
        for key, (last_us, reading) in list(self._held.items()):
            if at_us - last_us > self._stands_us:
                del self._held[key]
            else:
                yield reading
