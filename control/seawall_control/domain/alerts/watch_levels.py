"""Watches over what does not come, and over how the control plane itself is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from seawall_control.domain.alerts import rules as r
from seawall_control.domain.alerts.facts import Facts
from seawall_control.domain.alerts.lifecycle import Alert, Reading
from seawall_control.domain.alerts.rules import Trigger, TriggerKind
from seawall_control.domain.alerts.subject import Subject, scrubbed
from seawall_control.domain.alerts.watch import Quiet, percent, route_subject, span
from seawall_control.domain.alerts.windows import CallSeries, EventWindow
from seawall_control.domain.events import MICROS, Event

_WAITING: Final = {
    r.QUEUE_INGEST: "changes wait for the store",
    r.QUEUE_DELIVERIES: "messages of alerts wait for their channels",
}


class AbsenceWatch(Quiet):
    """Events, calls or proxies that do not come."""

    def __init__(self, trigger: Trigger, at_us: int) -> None:
        self._of = trigger.of
        self._after_us = int(trigger.window_s * MICROS)
        self._span = span(trigger.window_s)
        self._started_us = at_us
        self._last_event_us = at_us
        self._missed: dict[str, Reading] = {}
        """What was missing before the start, until it comes."""

    def restore(self, alert: Alert, at_us: int) -> None:
        self._missed[alert.subject.key] = Reading(alert.subject, alert.value, alert.threshold, alert.text)

    def shift(self, by_us: int) -> None:
        self._started_us += by_us
        self._last_event_us += by_us

    def event(self, event: Event, at_us: int) -> None:
        self._last_event_us = max(self._last_event_us, at_us)

    def readings(self, facts: Facts, calls: Mapping[str, CallSeries], at_us: int) -> Iterable[Reading]:
        for subject, what, last_us in self._watched(facts, calls):
            if last_us > self._started_us:
                self._missed.pop(subject.key, None)
            # What was missed while nobody watched is no absence.
            if at_us - max(last_us, self._started_us) >= self._after_us:
                self._missed.pop(subject.key, None)
                late_s = (at_us - last_us) / MICROS
                text = f"{what} for {span(int(late_s))} (allowed less than {self._span})"
                yield Reading(subject, late_s, self._after_us / MICROS, text)
        # It was told of these before the start, and they have not come since.
        yield from self._missed.values()

    def _watched(self, facts: Facts, calls: Mapping[str, CallSeries]) -> Iterable[tuple[Subject, str, int]]:
        """Yield what may be missing: subject, in words, and when it came last."""
        if r.ABSENT_EVENTS in self._of:
            yield Subject(key="events", component="events"), "no event", self._last_event_us
        if r.ABSENT_CALLS in self._of:
            for route, series in calls.items():
                yield route_subject(route), f"route {scrubbed(route)}: no calls", series.last_us
        if r.ABSENT_PROXY in self._of:
            known = set()
            for proxy in facts.proxies:
                node = scrubbed(proxy.node)
                subject = Subject(key=f"proxy/{node}", component=f"proxy/{node}", proxy=node)
                known.add(subject.key)
                if proxy.connected:
                    self._missed.pop(subject.key, None)
                else:
                    yield subject, f"proxy {node}: no report", proxy.last_seen_us
            # Nobody misses a proxy that is no part of the fleet any more.
            gone = [key for key in self._missed if key.startswith("proxy/") and key not in known]
            for key in gone:
                del self._missed[key]


class LevelWatch(Quiet):
    """Numbers of the control plane itself: its disk, its queues, its store."""

    def __init__(self, trigger: Trigger) -> None:
        self._kind = trigger.kind
        self._of = trigger.of
        self._threshold = trigger.threshold
        self._window_us = int(trigger.window_s * MICROS)
        self._dropped = EventWindow(self._window_us)
        self._known: dict[str, tuple[str, int]] = {}

    def shift(self, by_us: int) -> None:
        self._dropped.shift(by_us)

    def restore(self, alert: Alert, at_us: int) -> None:
        # Drops cannot be counted again: they stand for a window from now on.
        if r.QUEUE_DROPPED in self._of and alert.subject.key.startswith("dropped/"):
            self._dropped.add(alert.subject.proxy, at_us, max(1, int(alert.value)))

    def readings(self, facts: Facts, calls: Mapping[str, CallSeries], at_us: int) -> Iterable[Reading]:
        if self._kind is TriggerKind.DISK:
            if facts.disk_used >= max(self._threshold, 0.0):
                text = (
                    f"the disk of the store is {percent(facts.disk_used)} full"
                    f" (allowed less than {percent(self._threshold)})"
                )
                yield self._reading("disk", facts.disk_used, text)
        elif self._kind is TriggerKind.STORE:
            if facts.store_state != "ok":
                text = f"the store is {facts.store_state}: {scrubbed(facts.store_detail)}"
                yield self._reading("store", 1.0, text)
        else:
            yield from self._queues(facts, at_us)

    def _reading(self, key: str, value: float, text: str) -> Reading:
        return Reading(Subject(key=key, component=f"control/{key}"), value, self._threshold, text)

    def _queues(self, facts: Facts, at_us: int) -> Iterable[Reading]:
        for name in self._of:
            if name == r.QUEUE_DROPPED:
                yield from self._drops(facts, at_us)
            elif name in (r.QUEUE_SPOOLED, r.QUEUE_SPOOL_AGE):
                yield from self._spools(facts, name)
            elif (waiting := facts.queues.get(name, 0)) >= self._threshold:
                text = f"{waiting} {_WAITING.get(name, name)} (allowed less than {self._threshold:.12g})"
                yield self._reading(name, float(waiting), text)

    def _spools(self, facts: Facts, name: str) -> Iterable[Reading]:
        for proxy in facts.proxies:
            value = proxy.spooled if name == r.QUEUE_SPOOLED else proxy.spool_age_s
            # What a proxy that is away has on its disk nobody knows; that it is away is told by itself.
            if not proxy.connected or value < max(self._threshold, 1.0):
                continue
            node = scrubbed(proxy.node)
            subject = Subject(key=f"{name}/{node}", component=f"proxy/{node}", proxy=node)
            if name == r.QUEUE_SPOOLED:
                what = f"{proxy.spooled} events wait on its disk (allowed less than {self._threshold:.12g})"
            else:
                what = (
                    f"its oldest event has waited on disk for {span(value)}"
                    f" (allowed less than {span(self._threshold)})"
                )
            yield Reading(subject, float(value), self._threshold, f"proxy {node}: {what}")

    def _drops(self, facts: Facts, at_us: int) -> Iterable[Reading]:
        for proxy in facts.proxies:
            boot_id, before = self._known.get(proxy.node, (proxy.boot_id, proxy.events_dropped))
            grown = proxy.events_dropped - (before if boot_id == proxy.boot_id else 0)
            self._known[proxy.node] = (proxy.boot_id, proxy.events_dropped)
            if grown > 0:
                self._dropped.add(proxy.node, at_us, grown)
        if len(self._known) > len(facts.proxies):
            nodes = {proxy.node for proxy in facts.proxies}
            self._known = {node: known for node, known in self._known.items() if node in nodes}
        for node in self._dropped.keys_now():
            number = self._dropped.count(node, at_us)
            if number >= self._threshold:
                clean = scrubbed(node)
                subject = Subject(key=f"dropped/{clean}", component=f"proxy/{clean}", proxy=clean)
                text = f"proxy {clean} dropped {number} events that it could not deliver"
                yield Reading(subject, float(number), self._threshold, text)
