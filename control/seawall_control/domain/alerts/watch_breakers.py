"""The watch over breakers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final

from seawall_control.domain.alerts.facts import Facts
from seawall_control.domain.alerts.lifecycle import Alert, Reading
from seawall_control.domain.alerts.rules import Trigger
from seawall_control.domain.alerts.subject import Subject, of_event, scrubbed
from seawall_control.domain.alerts.watch import Quiet
from seawall_control.domain.alerts.windows import MAX_KEYS, CallSeries
from seawall_control.domain.events import MICROS, Event, EventKind

LAG_US: Final = 2 * MICROS
"""A report may have been made before the event that overtook it."""
GONE_US: Final = 120 * MICROS
"""A proxy that has been away for so long has taken its traffic with it, and its open breakers."""


class BreakerWatch(Quiet):
    """Breakers that are open, by name over all proxies.

    An event says so at once; what the proxy reports a little later is the truth, also when events were lost
    or the control plane was away.
    """

    def __init__(self, trigger: Trigger) -> None:
        self._open: OrderedDict[str, tuple[Subject, dict[str, int]]] = OrderedDict()
        """By breaker: what it is about, and the proxies where it is open with when that was last known."""

    def _opened(self, subject: Subject, proxy: str, at_us: int) -> None:
        entry = self._open.get(subject.key)
        if entry is None:
            if len(self._open) >= MAX_KEYS:
                self._open.popitem(last=False)
            entry = self._open[subject.key] = (subject, {})
        entry[1][proxy] = at_us

    def _closed(self, key: str, proxy: str) -> None:
        entry = self._open.get(key)
        if entry is not None:
            entry[1].pop(proxy, None)
            if not entry[1]:
                del self._open[key]

    def event(self, event: Event, at_us: int) -> None:
        if event.kind not in (EventKind.BREAKER_OPENED, EventKind.BREAKER_CLOSED):
            return
        named = event.details.get("breaker") if event.details else None
        name = scrubbed(named if isinstance(named, str) and named else event.route or event.component)
        if event.kind is EventKind.BREAKER_OPENED:
            self._opened(of_event(event, name, breaker=name), event.proxy, at_us)
        else:
            self._closed(name, event.proxy)

    def restore(self, alert: Alert, at_us: int) -> None:
        if alert.subject.breaker:
            self._opened(alert.subject, alert.subject.proxy, at_us)

    def shift(self, by_us: int) -> None:
        for _, proxies in self._open.values():
            for proxy in proxies:
                proxies[proxy] += by_us

    def readings(self, facts: Facts, calls: Mapping[str, CallSeries], at_us: int) -> Iterable[Reading]:
        connected = {proxy.node for proxy in facts.proxies if proxy.connected}
        for breaker in facts.breakers:
            key = scrubbed(breaker.name)
            known = self._open.get(key)
            if breaker.is_open:
                route = scrubbed(breaker.route)
                subject = Subject(
                    key=key,
                    component=f"route/{route}",
                    route=route,
                    proxy=scrubbed(breaker.proxy),
                    breaker=key,
                )
                self._opened(subject, breaker.proxy, at_us)
            elif known is not None and known[1].get(breaker.proxy, breaker.at_us) + LAG_US < breaker.at_us:
                self._closed(key, breaker.proxy)
        for key, (subject, proxies) in list(self._open.items()):
            self._forget_gone(key, proxies, connected, at_us)
            if key in self._open:
                where = f" on {len(proxies)} proxies" if len(proxies) > 1 else ""
                yield Reading(subject, float(len(proxies)), 1.0, f"breaker {key} is open{where}")

    def _forget_gone(self, key: str, proxies: dict[str, int], connected: set[str], at_us: int) -> None:
        for proxy, last_us in list(proxies.items()):
            # A proxy that went away with its breaker open has taken its traffic with it.
            if proxy not in connected and at_us - last_us > GONE_US:
                self._closed(key, proxy)
