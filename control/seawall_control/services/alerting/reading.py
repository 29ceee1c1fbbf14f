"""What people look at: alerts, deliveries, history, and what happens live."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from seawall_control.domain import filters, paging
from seawall_control.domain.alerts import codec, outbox
from seawall_control.domain.alerts.lifecycle import Alert, Phase
from seawall_control.domain.alerts.outbox import Delivery, DeliveryState
from seawall_control.domain.alerts.subject import as_event
from seawall_control.domain.errors import NotFound, PreconditionFailed
from seawall_control.domain.events import Event
from seawall_control.services.alerting.evaluator import Evaluator
from seawall_control.services.alerting.feed import Feed, Happening
from seawall_control.services.alerting.records import (
    ALERT,
    DELIVERY,
    JOURNAL,
    AlertRecords,
    delivery_put,
    entry,
)
from seawall_control.services.edge import Clock

PAGE: Final = 50
MAX_PAGE: Final = 1000
HISTORY_PAGE: Final = 100
MAX_TEXT: Final = 512


@dataclass(frozen=True, slots=True)
class AlertPage:
    """Alerts, and the token of the next page."""

    alerts: Sequence[Alert]
    next_token: str


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Deliveries, and the token of the next page."""

    deliveries: Sequence[Delivery]
    next_token: str


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """Something that happened. Text fields are empty where they say nothing."""

    number: int
    time_us: int
    what: str
    alert: str
    rule: str
    channel: str
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """History, and the token of the next page."""

    entries: Sequence[HistoryEntry]
    next_token: str


def _asked(alert: Alert) -> Event:
    """Return what a filter is asked about: the alert's severity counts, not that of its event."""
    event = as_event(alert.subject, alert.fired_us or alert.since_us)
    return Event(
        id=event.id,
        timestamp_us=event.timestamp_us,
        severity=alert.severity,
        component=event.component,
        error_type=event.error_type,
        kind=event.kind,
        route=event.route,
        method=event.method,
        code=event.code,
        endpoint=event.endpoint,
        fingerprint=event.fingerprint,
        proxy=event.proxy,
        message=alert.text,
        resolved=alert.phase is Phase.RESOLVED,
    )


class AlertReading:
    """The use cases of those who look."""

    def __init__(self, records: AlertRecords, evaluator: Evaluator, feed: Feed, clock: Clock) -> None:
        self._records = records
        self._evaluator = evaluator
        self._feed = feed
        self._clock = clock

    async def alert(self, alert_id: str) -> Alert:
        """Return an alert. Raise `NotFound`."""
        document = await self._records.store.document(ALERT, alert_id) if alert_id else None
        if document is None:
            raise NotFound(f"there is no alert {alert_id[:64]!r}; `seawall alerts list` shows what is kept")
        return codec.alert_of(document.body)

    async def alerts(
        self, *, phases: Collection[Phase], rule: str, filter_text: str, size: int, token: str
    ) -> AlertPage:
        """Return a page of alerts, newest first. Raise `InvalidFilter` or `InvalidPageToken`."""
        wanted = filters.parse(filter_text)
        limit = paging.page_size(size, default=PAGE, most=MAX_PAGE)
        scope = ("alerts", ",".join(sorted(phases)), rule, filter_text)
        before = str(paging.decode(token, scope)[0]) if token else ""
        found = [
            alert
            for alert in reversed(await self._records.alerts())
            if (not before or alert.id < before)
            and (not phases or alert.phase in phases)
            and (not rule or alert.rule == rule)
            and filters.matches(wanted, _asked(alert))
        ]
        page = found[:limit]
        return AlertPage(page, paging.encode((page[-1].id,), scope) if len(found) > limit else "")

    async def watch(self, *, filter_text: str, current: bool) -> AsyncGenerator[tuple[Happening, int], None]:
        """Yield what happens to alerts, each with how much was left out before it. Raise `InvalidFilter`."""
        wanted = filters.parse(filter_text)
        reader = self._feed.join()
        try:
            if current:
                for alert in await self._records.alerts():
                    if alert.phase is not Phase.RESOLVED and filters.matches(wanted, _asked(alert)):
                        yield Happening("current", alert), 0
            while True:
                happening, missed = await reader.next()
                if filters.matches(wanted, _asked(happening.alert)):
                    yield happening, missed
        finally:
            self._feed.leave(reader)

    async def acknowledge(self, alert_id: str, *, by: str, why: str) -> Alert:
        """Note that somebody looks after an alert. Raise `NotFound` or `PreconditionFailed`."""
        return await self._evaluator.acknowledge(alert_id, by=by[:MAX_TEXT], why=why[:MAX_TEXT])

    async def deliveries(
        self, *, states: Collection[DeliveryState], channel: str, alert_id: str, size: int, token: str
    ) -> DeliveryPage:
        """Return a page of deliveries, newest first. Raise `InvalidPageToken`."""
        limit = paging.page_size(size, default=PAGE, most=MAX_PAGE)
        scope = ("deliveries", ",".join(sorted(states)), channel, alert_id)
        before = str(paging.decode(token, scope)[0]) if token else ""
        found = [
            delivery
            for delivery in reversed(await self._records.deliveries())
            if (not before or delivery.id < before)
            and (not states or delivery.state in states)
            and (not channel or delivery.channel == channel)
            and (not alert_id or delivery.alert_id == alert_id)
        ]
        page = found[:limit]
        return DeliveryPage(page, paging.encode((page[-1].id,), scope) if len(found) > limit else "")

    async def retry(self, delivery_id: str, *, actor: str) -> Delivery:
        """Send a message that was given up once more. Raise `NotFound`, or `PreconditionFailed` for one that
        was not given up.
        """
        document = await self._records.store.document(DELIVERY, delivery_id) if delivery_id else None
        if document is None:
            raise NotFound(
                f"there is no delivery {delivery_id[:64]!r}; `seawall alerts deliveries` lists them"
            )
        delivery = codec.delivery_of(document.body)
        if delivery.state is not DeliveryState.FAILED:
            raise PreconditionFailed(
                f"delivery {delivery_id} is {delivery.state.value}; only what was given up is sent once more"
            )
        at_us = self._clock.now_us()
        renewed = outbox.again(delivery, at_us=at_us)
        noted = entry("delivery_retried", delivery=delivery_id, channel=delivery.channel, by=actor[:128])
        await self._records.store.commit([delivery_put(renewed), noted], at_us=at_us)
        self._evaluator.retry(renewed)
        return renewed

    async def history(self, *, size: int, token: str) -> HistoryPage:
        """Return a page of what happened, newest first. Raise `InvalidPageToken`."""
        limit = paging.page_size(size, default=HISTORY_PAGE, most=MAX_PAGE)
        before = int(paging.decode(token, ("alert-history",))[0]) if token else 0
        found = await self._records.store.entries(JOURNAL, before=before, limit=limit + 1)
        page = [_history(item.number, item.time_us, item.body) for item in found[:limit]]
        more = len(found) > limit
        return HistoryPage(page, paging.encode((page[-1].number,), ("alert-history",)) if more else "")


def _history(number: int, time_us: int, body: str) -> HistoryEntry:
    data = json.loads(body)

    def text(key: str) -> str:
        value = data.get(key, "")
        return value if isinstance(value, str) else str(value)

    said = text("text") or text("error") or text("why") or text("news")
    return HistoryEntry(
        number, time_us, text("what"), text("alert"), text("rule"), text("channel"), text("by"), said
    )
