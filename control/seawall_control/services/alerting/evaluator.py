"""Asks the rules once a second, stores what they say, and hands the deliverer what people are to be told.

What an alert comes to is stored together with the messages about it, so that a crash loses neither. A store
that cannot be written keeps nothing back: that it cannot be is itself an alert, and is told.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from typing import Final

from seawall_control.domain.alerts import messages, outbox
from seawall_control.domain.alerts.builtin import RESTARTED
from seawall_control.domain.alerts.channels import Channel
from seawall_control.domain.alerts.engine import Engine, News, Notification, Outcome
from seawall_control.domain.alerts.lifecycle import Alert, Phase
from seawall_control.domain.alerts.outbox import Delivery, DeliveryState
from seawall_control.domain.alerts.rules import Rule
from seawall_control.domain.errors import ControlError, NotFound, PreconditionFailed
from seawall_control.domain.events import MICROS
from seawall_control.domain.records import Change, Delete, Put
from seawall_control.services.alerting.deliverer import Deliverer
from seawall_control.services.alerting.feed import Feed, Happening
from seawall_control.services.alerting.records import (
    ALERT,
    AlertRecords,
    alert_put,
    delivery_put,
    entry,
    in_parts,
)
from seawall_control.services.alerting.signals import Signals, restart_event
from seawall_control.services.edge import Clock, Ids

TICK_S: Final = 1.0
CLEAN_UP_S: Final = 600.0
HEARTBEAT_S: Final = 60.0
MAX_UNSAVED: Final = 5000
RUNTIME: Final = ("alert-runtime", "control")
"""The document that says when the control plane was last alive."""

_log = logging.getLogger("seawall.control.alerts")


class Evaluator:
    """The engine at work."""

    def __init__(
        self,
        records: AlertRecords,
        signals: Signals,
        deliverer: Deliverer,
        feed: Feed,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._records = records
        self._signals = signals
        self._deliverer = deliverer
        self._feed = feed
        self._clock = clock
        self._ids = ids
        self._rules: dict[str, Rule] = {}
        self._channels: dict[str, Channel] = {}
        self._engine = Engine((), new_id=ids.new, at_us=clock.now_us())
        self._unsaved: list[Change] = []
        self._changing = asyncio.Lock()
        self._clean_up_s = 0.0
        self._heartbeat_s = 0.0
        self.ticks = 0
        self.fired = 0

    # ------------------------------------------------------------------------------------------------- set-up

    async def load(self) -> None:
        """Read rules, silences, channels, alerts that fire, and messages that wait."""
        at_us = self._clock.now_us()
        self._rules = {rule.name: rule for rule, _ in await self._records.rules()}
        self._engine = Engine(
            self._rules.values(),
            new_id=self._ids.new,
            at_us=at_us,
            alerts=[a for a in await self._records.alerts() if a.phase is not Phase.PENDING],
            silences=[silence for silence, _ in await self._records.silences()],
        )
        await self._load_channels()
        self._deliverer.add(d for d in await self._records.deliveries() if d.state is DeliveryState.PENDING)
        # A pending alert of before has to hold anew.
        stale = [a.id for a in await self._records.alerts() if a.phase is Phase.PENDING]
        await self._save([Delete(ALERT, name) for name in stale], at_us)
        await self._note_start(at_us)

    async def _load_channels(self) -> None:
        self._channels = {channel.name: channel for channel, _ in await self._records.channels()}
        self._deliverer.set_channels(self._channels.values())

    async def _note_start(self, at_us: int) -> None:
        before = await self._records.store.document(*RUNTIME)
        if before is not None:
            alive_us = int(json.loads(before.body).get("alive_us", at_us))
            away_s = max(0, at_us - alive_us) / MICROS
            self._engine.event(restart_event(RESTARTED[1], "control", at_us, downtime_s=away_s), at_us)

    async def reload(self) -> None:
        """Read rules, silences and channels again: somebody changed them."""
        async with self._changing:
            self._rules = {rule.name: rule for rule, _ in await self._records.rules()}
            self._engine.set_rules(self._rules.values(), at_us=self._clock.now_us())
            self._engine.set_silences([silence for silence, _ in await self._records.silences()])
            await self._load_channels()

    def retry(self, delivery: Delivery) -> None:
        """Send a delivery that was given up once more."""
        self._deliverer.add([delivery])

    @property
    def firing(self) -> dict[str, int]:
        """Return how many alerts of each severity fire."""
        counts: dict[str, int] = {}
        for alert in self._engine.active():
            if alert.phase is Phase.FIRING:
                counts[alert.severity.name] = counts.get(alert.severity.name, 0) + 1
        return counts

    # -------------------------------------------------------------------------------------------- acknowledge

    async def acknowledge(self, alert_id: str, *, by: str, why: str) -> Alert:
        """Note that somebody looks after an alert. Raise `NotFound`, or `PreconditionFailed` when it does not
        fire.
        """
        async with self._changing:
            at_us = self._clock.now_us()
            document = await self._records.store.document(ALERT, alert_id)
            if document is None:
                raise NotFound(f"there is no alert {alert_id[:64]}; `seawall alerts list` shows what is kept")
            alert = self._engine.acknowledge(alert_id, by=by, why=why, at_us=at_us)
            if alert is None:
                raise PreconditionFailed(
                    f"alert {alert_id[:64]} does not fire; only what fires is acknowledged"
                )
            noted = entry("acknowledged", alert=alert.id, rule=alert.rule, by=by, why=why)
            await self._records.store.commit([alert_put(alert), noted], at_us=at_us)
        self._feed.publish(Happening("acknowledged", alert))
        return alert

    # ----------------------------------------------------------------------------------------------- the work

    async def run(self) -> None:
        """Ask once a second, until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self.tick()
                await self._housekeeping()
            except ControlError as error:
                _log.warning("alerts could not be kept", extra={"fields": {"error": str(error)}})
            except Exception:  # noqa: BLE001
                # Whatever it is, the next second must be watched too.
                _log.exception("the rules could not be asked")

    async def tick(self) -> None:
        """Ask all rules now."""
        async with self._changing:
            watched = frozenset(a.subject.breaker for a in self._engine.active() if a.subject.breaker)
            facts = await self._signals.facts(watched)
            at_us = self._clock.now_us()
            for event in [*self._signals.events(), *self._signals.restarts()]:
                self._engine.event(event, at_us)
            for notice in self._signals.groups():
                self._engine.notice(notice, at_us)
            for calls in self._signals.calls():
                self._engine.calls(calls.route, calls.failed, calls.total, at_us)
            outcome = self._engine.tick(facts, at_us=at_us)
            self.ticks += 1
            await self._apply(outcome, at_us)

    async def _apply(self, outcome: Outcome, at_us: int) -> None:
        deliveries = [d for n in outcome.notifications for d in self._deliveries(n, at_us)]
        changes: list[Change] = [alert_put(alert) for alert in outcome.changed]
        changes += [Delete(ALERT, name) for name in outcome.removed]
        changes += [delivery_put(delivery) for delivery in deliveries]
        for alert in outcome.changed:
            if (what := _what_happened(alert, at_us)) in ("firing", "resolved"):
                self.fired += what == "firing"
                changes.append(_entry(what, alert))
        changes += [_entry(n.news.value, n.alert) for n in outcome.notifications if n.news is News.REPEATED]
        await self._save(changes, at_us)
        self._deliverer.add(d for d in deliveries if d.state is DeliveryState.PENDING)
        self._publish(outcome, at_us)

    async def _save(self, changes: Sequence[Change], at_us: int) -> None:
        if not changes and not self._unsaved:
            return
        everything = [*self._unsaved, *changes]
        self._unsaved = []
        try:
            await in_parts(self._records.store, everything, at_us=at_us)
        except ControlError as error:
            self._unsaved = everything[-MAX_UNSAVED:]
            _log.warning(
                "alerts could not be stored yet; they are told all the same",
                extra={"fields": {"changes": len(self._unsaved), "error": str(error)}},
            )

    def _publish(self, outcome: Outcome, at_us: int) -> None:
        for alert in outcome.changed:
            self._feed.publish(Happening(_what_happened(alert, at_us), alert))
        for notification in outcome.notifications:
            if notification.news is News.REPEATED:
                self._feed.publish(Happening("repeated", notification.alert))

    def _deliveries(self, notification: Notification, at_us: int) -> list[Delivery]:
        alert = notification.alert
        rule = self._rules.get(alert.rule)
        body = messages.body_of(alert, rule, notification.news)
        names = rule.channels if rule and rule.channels else tuple(self._channels)
        found: list[Delivery] = []
        for name in names:
            channel = self._channels.get(name)
            if channel is None or channel.disabled or alert.severity < channel.min_severity:
                continue
            delivery = Delivery(
                id=self._ids.new(),
                channel=name,
                alert_id=alert.id,
                rule=alert.rule,
                severity=alert.severity,
                news=notification.news.value,
                body=body,
                create_us=at_us,
                next_us=outbox.due_us(channel, alert.severity, at_us),
            )
            if self._deliverer.room() <= len(found):
                delivery = outbox.not_sent(
                    delivery, "", "too many messages wait already", final=True, at_us=at_us
                )
            found.append(delivery)
        return found

    async def _housekeeping(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - self._clean_up_s >= CLEAN_UP_S:
            self._clean_up_s = now_s
            await self._records.clean_up(at_us=self._clock.now_us())
        if now_s - self._heartbeat_s >= HEARTBEAT_S:
            self._heartbeat_s = now_s
            await self._beat()

    async def _beat(self) -> None:
        at_us = self._clock.now_us()
        await self._records.store.commit([Put(*RUNTIME, json.dumps({"alive_us": at_us}))], at_us=at_us)

    async def aclose(self) -> None:
        """Note when the control plane was last alive."""
        try:
            await self._beat()
        except ControlError as error:
            _log.warning("the end could not be noted", extra={"fields": {"error": str(error)}})


def _what_happened(alert: Alert, at_us: int) -> str:
    if alert.phase is Phase.FIRING:
        return "firing" if alert.fired_us == at_us else "quiet" if alert.quiet_by else "told"
    return alert.phase.value


def _entry(what: str, alert: Alert) -> Change:
    return entry(
        what,
        alert=alert.id,
        rule=alert.rule,
        severity=alert.severity.name.lower(),
        text=alert.text,
        route=alert.subject.route,
        proxy=alert.subject.proxy,
        quiet_by=alert.quiet_by,
    )
