"""Where alerts are kept: documents for rules, silences, channels, alerts and deliveries, and a journal of
what happened.

Alerts and deliveries are named by time-ordered ids, so the oldest come first, and the newest `KEPT` of those
that are over are kept.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Final

from seawall_control.domain.alerts import codec
from seawall_control.domain.alerts.builtin import BY_NAME
from seawall_control.domain.alerts.channels import LOG_CHANNEL, Channel
from seawall_control.domain.alerts.lifecycle import Alert, Phase
from seawall_control.domain.alerts.outbox import Delivery, DeliveryState
from seawall_control.domain.alerts.rules import Rule
from seawall_control.domain.alerts.silences import Silence
from seawall_control.domain.events import MICROS, Json
from seawall_control.domain.records import Append, Change, Delete, Document, DocumentConflict, Put
from seawall_control.services.alerting import channel_store
from seawall_control.services.alerting.channel_store import CHANNEL
from seawall_control.services.edge import Clock
from seawall_control.services.vault import Vault
from seawall_control.store.port import RecordStore, Store

RULE: Final = "alert-rule"
SILENCE: Final = "alert-silence"
ALERT: Final = "alert"
DELIVERY: Final = "alert-delivery"
JOURNAL: Final = "alerts"

KEPT: Final = 1000
"""Alerts, and deliveries, that are over."""
KEPT_ENTRIES: Final = 10_000
KEPT_US: Final = 90 * 24 * 3600 * MICROS
_PAGE: Final = 500

_log = logging.getLogger("seawall.control.alerts")


def alert_put(alert: Alert) -> Put:
    """Return the change that stores an alert."""
    return Put(ALERT, alert.id, codec.to_text(alert))


def delivery_put(delivery: Delivery) -> Put:
    """Return the change that stores a delivery."""
    return Put(DELIVERY, delivery.id, codec.to_text(delivery))


def entry(what: str, **fields: Json) -> Append:
    """Return an entry of the journal; empty fields are left out."""
    kept = {name: value for name, value in fields.items() if value not in ("", None)}
    return Append(JOURNAL, json.dumps({"what": what, **kept}, ensure_ascii=False, separators=(",", ":")))


class AlertRecords:
    """Reads what is kept. Documents that cannot be read (of a newer version, or damaged) are left out and
    logged: one of them must not end the watch over everything else.
    """

    def __init__(self, store: Store, vault: Vault, ages: Clock) -> None:
        """`ages` is what time it is for what is deleted."""
        self._ages = ages
        self.store = store
        self.vault = vault

    async def documents(self, kind: str) -> AsyncIterator[Document]:
        """Yield all documents of a kind by name."""
        after = ""
        while True:
            page = await self.store.documents(kind, after=after, limit=_PAGE)
            for document in page:
                yield document
            if len(page) < _PAGE:
                return
            after = page[-1].name

    async def rules(self) -> list[tuple[Rule, Document | None]]:
        """Return all rules by name; those without a document are built in and unchanged."""
        found: dict[str, tuple[Rule, Document | None]] = {
            name: (rule, None) for name, rule in BY_NAME.items()
        }
        async for document in self.documents(RULE):
            try:
                found[document.name] = (codec.rule_of(document.body), document)
            except (TypeError, ValueError) as error:
                _unreadable(document, error)
        return [found[name] for name in sorted(found)]

    async def silences(self) -> list[tuple[Silence, Document]]:
        """Return all silences, the oldest first."""
        found = []
        async for document in self.documents(SILENCE):
            try:
                found.append((codec.silence_of(document.body), document))
            except (TypeError, ValueError) as error:
                _unreadable(document, error)
        return found

    async def channels(self) -> list[tuple[Channel, Document | None]]:
        """Return all channels by name, secrets included."""
        found: dict[str, tuple[Channel, Document | None]] = {LOG_CHANNEL.name: (LOG_CHANNEL, None)}
        async for document in self.documents(CHANNEL):
            try:
                found[document.name] = (channel_store.channel_of(document, self.vault), document)
            except (TypeError, ValueError) as error:
                _unreadable(document, error)
        return [found[name] for name in sorted(found)]

    async def reseal(self, *, at_us: int) -> int:
        """Seal the secrets of all channels with the current key, those too that an older version kept in the
        clear; return of how many.
        """
        number = 0
        for channel, document in await self.channels():
            if document is None or not channel_store.is_due(document, channel, self.vault):
                continue
            put = channel_store.channel_put(channel, self.vault, expected=document.version)
            # Whoever changes it at this moment seals it as well.
            with contextlib.suppress(DocumentConflict):
                await self.store.commit([put], at_us=at_us)
                number += 1
        return number

    async def alerts(self) -> list[Alert]:
        """Return all alerts that are kept, the oldest first."""
        found = []
        async for document in self.documents(ALERT):
            try:
                found.append(codec.alert_of(document.body))
            except (TypeError, ValueError) as error:
                _unreadable(document, error)
        return found

    async def deliveries(self) -> list[Delivery]:
        """Return all deliveries that are kept, the oldest first."""
        found = []
        async for document in self.documents(DELIVERY):
            try:
                found.append(codec.delivery_of(document.body))
            except (TypeError, ValueError) as error:
                _unreadable(document, error)
        return found

    async def clean_up(self, *, at_us: int) -> int:
        """Delete what is over and not among the newest; return how many documents."""
        alerts = [a.id for a in await self.alerts() if a.phase is Phase.RESOLVED][:-KEPT]
        deliveries = [d.id for d in await self.deliveries() if d.state is not DeliveryState.PENDING][:-KEPT]
        before_us = self._ages.now_us() - KEPT_US
        ended = [s.id for s, _ in await self.silences() if s.end_us < before_us]
        changes: list[Change] = [Delete(ALERT, name) for name in alerts]
        changes += [Delete(DELIVERY, name) for name in deliveries]
        changes += [Delete(SILENCE, name) for name in ended]
        await in_parts(self.store, changes, at_us=at_us)
        await self.store.trim(JOURNAL, keep=KEPT_ENTRIES, before_us=before_us)
        return len(changes)


async def in_parts(store: RecordStore, changes: Sequence[Change], *, at_us: int) -> None:
    """Make changes that need not be made together."""
    for start in range(0, len(changes), 200):
        await store.commit(changes[start : start + 200], at_us=at_us)


def _unreadable(document: Document, error: Exception) -> None:
    _log.error(
        "a stored document cannot be read and is left out",
        extra={"fields": {"kind": document.kind, "name": document.name, "error": str(error)}},
    )
