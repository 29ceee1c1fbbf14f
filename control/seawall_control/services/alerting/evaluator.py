"""Asks the rules once a second, stores what they say, and hands the deliverer what people are to be told.

What an alert comes to is stored together with the messages about it, so that a crash loses neither. A store
that cannot be written keeps nothing back: that it cannot be is itself an alert, and is told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from seawall_control.domain.alerts import codec
from seawall_control.domain.alerts.addressing import addressed
from seawall_control.domain.alerts.channels import Channel
from seawall_control.domain.alerts.engine import Engine, News, Outcome
from seawall_control.domain.alerts.lifecycle import Alert, Phase
from seawall_control.domain.alerts.outbox import Delivery, DeliveryState
from seawall_control.domain.alerts.rules import Rule
from seawall_control.domain.errors import ControlError, NotFound, PreconditionFailed
from seawall_control.domain.events import MICROS
from seawall_control.domain.records import Change, Delete, DocumentConflict
from seawall_control.services.alerting.channel_store import CHANNEL
from seawall_control.services.alerting.continuity import Before, Continuity
from seawall_control.services.alerting.deliverer import Deliverer
from seawall_control.services.alerting.feed import Feed, Happening, difference, what_happened
from seawall_control.services.alerting.records import (
    ALERT,
    DELIVERY,
    RULE,
    SILENCE,
    AlertRecords,
    alert_put,
    delivery_put,
    entry,
    in_parts,
)
from seawall_control.services.alerting.signals import Signals
from seawall_control.services.edge import Ids
from seawall_control.services.steady_clock import SteadyClock
from seawall_control.store.port import Elsewhere

TICK_S: Final = 1.0
CLEAN_UP_S: Final = 600.0
MAX_CATCH_UP_US: Final = 600 * MICROS
"""What was stored longer ago is not gone through again."""
RECALLED_AT_ONCE: Final = 200
"""Events of before the start that are taken in without a turn for others."""
MAX_UNSAVED: Final = 5000
MAX_SEEN: Final = 2000
_WATCHED: Final = frozenset({RULE, SILENCE, CHANNEL, ALERT, DELIVERY})

_log = logging.getLogger("seawall.control.alerts")


class Evaluator:
    """The engine at work."""

    def __init__(
        self,
        records: AlertRecords,
        signals: Signals,
        deliverer: Deliverer,
        feed: Feed,
        clock: SteadyClock,
        ids: Ids,
        continuity: Continuity,
    ) -> None:
        self._continuity = continuity
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
        self._leading = False
        self._elsewhere: set[tuple[str, str]] = set()
        self._seen: dict[str, Alert] = {}
        self._clean_up_s = 0.0
        self.ticks = 0
        self.fired = 0

    # ------------------------------------------------------------------------------------------------- set-up

    async def start(self) -> None:
        """Take up the work if it is ours. Of several control planes on one store the leading one asks the
        rules and sends.
        """
        self._records.store.watch(self._told)
        if await self._records.store.leads():
            await self._take_up()

    async def _take_up(self) -> None:
        self._clock.follow()
        async with self._changing:
            before = await self._load()
        fresh = self._clock.now_us() - before.alive_us < MAX_CATCH_UP_US
        recalled = [event.id for event in before.events]
        self._signals.begin(
            before.position if fresh else "", before.groups, recalled, before.counted if fresh else None
        )
        self._leading = True

    async def _stand_by(self) -> None:
        _log.info("another control plane asks the rules of alerts now")
        async with self._changing:
            await self._save((), self._clock.now_us())
            self._leading = False
            self._unsaved.clear()
            self._engine = Engine((), new_id=self._ids.new, at_us=self._clock.now_us())
            self._deliverer.forget()
        await self._signals.end()

    def _told(self, what: Elsewhere) -> None:
        """Note what another control plane has changed; it is read at the next tick."""
        self._elsewhere |= {item for item in what.documents if item[0] in _WATCHED}
        if what.everything or len(self._elsewhere) > MAX_SEEN:
            self._elsewhere |= {(RULE, "")}

    async def _load(self) -> Before:
        """Go on with what the one before has left: its alerts, its windows, its messages."""
        at_us = self._clock.now_us()
        self._rules = {rule.name: rule for rule, _ in await self._records.rules()}
        before = await self._continuity.before(list(self._rules.values()))
        alerts = await self._records.alerts()
        self._engine = Engine(
            self._rules.values(),
            new_id=self._ids.new,
            at_us=at_us,
            alerts=[a for a in alerts if a.phase is not Phase.PENDING],
            silences=[silence for silence, _ in await self._records.silences()],
            known=before.known,
        )
        self._engine.recall_calls(before.buckets, at_us)
        for start in range(0, len(before.events), RECALLED_AT_ONCE):
            for event in before.events[start : start + RECALLED_AT_ONCE]:
                self._engine.recall(event, at_us)
            await asyncio.sleep(0)
        await self._load_channels()
        self._deliverer.add(d for d in await self._records.deliveries() if d.state is DeliveryState.PENDING)
        # A pending alert of before has to hold anew.
        stale = [a.id for a in alerts if a.phase is Phase.PENDING]
        await self._save([Delete(ALERT, name) for name in stale], at_us)
        return before

    async def _load_channels(self) -> None:
        self._channels = {channel.name: channel for channel, _ in await self._records.channels()}
        self._deliverer.set_channels(self._channels.values())

    async def reload(self) -> None:
        """Read rules, silences and channels again: somebody changed them."""
        if self._leading:
            async with self._changing:
                await self._reload()

    async def _reload(self) -> None:
        self._rules = {rule.name: rule for rule, _ in await self._records.rules()}
        self._engine.set_rules(self._rules.values(), at_us=self._clock.now_us())
        self._engine.set_silences([silence for silence, _ in await self._records.silences()])
        await self._load_channels()

    async def _take_over(self) -> None:
        """Take in what other control planes have changed; what cannot be read now, at the next tick."""
        changed, self._elsewhere = self._elsewhere, set()
        try:
            await self._take_in(changed)
        except ControlError as error:
            self._elsewhere |= changed
            _log.warning(
                "what was changed elsewhere cannot be read yet", extra={"fields": {"error": str(error)}}
            )

    async def _take_in(self, changed: set[tuple[str, str]]) -> None:
        for kind, name in sorted(changed):
            if kind not in (ALERT, DELIVERY):
                continue
            document = await self._records.store.document(kind, name)
            if document is None:
                continue
            if kind == ALERT:
                self._engine.adopt(codec.alert_of(document.body), at_us=self._clock.now_us())
            else:
                delivery = codec.delivery_of(document.body)
                if delivery.state is DeliveryState.PENDING:
                    self._deliverer.add([delivery])
        if any(kind in (RULE, SILENCE, CHANNEL) for kind, _ in changed):
            await self._reload()

    async def _pass_on(self) -> None:
        """Tell our readers what the control plane that asks the rules has stored."""
        changed, self._elsewhere = self._elsewhere, set()
        for kind, name in sorted(changed):
            document = await self._records.store.document(kind, name) if kind == ALERT else None
            if document is None:
                continue
            alert = codec.alert_of(document.body)
            self._feed.publish(Happening(difference(self._seen.pop(name, None), alert), alert))
            self._seen[name] = alert
            if len(self._seen) > MAX_SEEN:
                del self._seen[next(iter(self._seen))]

    def retry(self, delivery: Delivery) -> None:
        """Send a delivery that was given up once more; where others send, they have heard of it."""
        if self._leading:
            self._deliverer.add([delivery])

    @property
    def overflow(self) -> int:
        """Return how many subjects have no alert since their rule has too many."""
        return self._engine.overflow()

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
                raise NotFound(
                    f"there is no alert {alert_id[:64]!r}; `seawall alerts list` shows what is kept"
                )
            stored = codec.alert_of(document.body)
            if stored.phase is not Phase.FIRING:
                raise PreconditionFailed(
                    f"alert {alert_id[:64]} does not fire; only what fires is acknowledged"
                )
            # The leading control plane knows more than what is stored; the others leave it to that one.
            known = self._engine.acknowledge(alert_id, by=by, why=why, at_us=at_us)
            alert = known or replace(stored, acknowledged_by=by, acknowledged_why=why, acknowledged_us=at_us)
            noted = entry("acknowledged", alert=alert.id, rule=alert.rule, by=by, why=why)
            try:
                await self._records.store.commit(
                    [replace(alert_put(alert), expected=document.version), noted], at_us=at_us
                )
            except DocumentConflict:
                raise PreconditionFailed(
                    f"alert {alert_id[:64]} changed at this moment; look at it and try again"
                ) from None
        self._feed.publish(Happening("acknowledged", alert))
        return alert

    # ----------------------------------------------------------------------------------------------- the work

    async def run(self) -> None:
        """Ask once a second, until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            try:
                if await self._leads():
                    await self.tick()
                    await self._housekeeping()
                else:
                    await self._pass_on()
                    await self._signals.stand_by()
            except ControlError as error:
                _log.warning("alerts could not be kept", extra={"fields": {"error": str(error)}})
            except Exception:  # noqa: BLE001
                # Whatever it is, the next second must be watched too.
                _log.exception("the rules could not be asked")

    async def _leads(self) -> bool:
        leads = await self._records.store.leads()
        if leads and not self._leading:
            await self._take_up()
        elif not leads and self._leading:
            # Whoever is cut off from the store leads no longer, and nobody may: that this is so must be told.
            if (await self._records.store.report_state()).state != "ok":
                return True
            await self._stand_by()
        return leads

    async def tick(self) -> None:
        """Ask all rules now."""
        async with self._changing:
            if self._elsewhere:
                await self._take_over()
            watched = frozenset(a.subject.breaker for a in self._engine.active() if a.subject.breaker)
            facts = await self._signals.facts(watched)
            groups = await self._signals.groups()
            self._follow_clock()
            at_us = self._clock.now_us()
            for event in self._signals.events():
                self._engine.event(event, at_us)
            for notice in groups:
                self._engine.notice(notice, at_us)
            for calls in self._signals.calls():
                self._engine.calls(calls.route, calls.failed, calls.total, at_us)
                self._continuity.count(calls.route, calls.failed, calls.total, at_us)
            outcome = self._engine.tick(facts, at_us=at_us)
            self.ticks += 1
            await self._apply(outcome, at_us)

    def _follow_clock(self) -> None:
        by_us = self._clock.follow()
        if by_us:
            _log.warning("the clock was set", extra={"fields": {"by_s": round(by_us / MICROS, 1)}})
            self._engine.shift(by_us)
            self._deliverer.shift(by_us)

    async def _apply(self, outcome: Outcome, at_us: int) -> None:
        deliveries: list[Delivery] = []
        for notification in outcome.notifications:
            deliveries += addressed(
                notification,
                self._rules.get(notification.alert.rule),
                self._channels,
                room=self._deliverer.room() - len(deliveries),
                new_id=self._ids.new,
                at_us=at_us,
            )
        # Messages first: where a crash comes between the parts of a flood, they are sent twice, not never.
        changes: list[Change] = [delivery_put(delivery) for delivery in deliveries]
        changes += [alert_put(alert) for alert in outcome.changed]
        changes += [Delete(ALERT, name) for name in outcome.removed]
        for alert in outcome.changed:
            if (what := what_happened(alert, at_us)) in ("firing", "resolved"):
                self.fired += what == "firing"
                changes.append(_entry(what, alert))
        changes += [_entry(n.news.value, n.alert) for n in outcome.notifications if n.news is News.REPEATED]
        if changes:
            # With them, so that whoever goes on tells none of it once more.
            changes.append(self._continuity.standing(self._signals.position, self._signals.groups_state))
        stored = await self._save(changes, at_us)
        waiting = [d for d in deliveries if d.state is DeliveryState.PENDING]
        self._deliverer.add(waiting, stored=stored)
        self._publish(outcome, at_us)

    async def _save(self, changes: Sequence[Change], at_us: int) -> bool:
        """Store changes, after those that could not be stored before; tell whether that was possible."""
        if not changes and not self._unsaved:
            return True
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
            return False
        return True

    def _publish(self, outcome: Outcome, at_us: int) -> None:
        for alert in outcome.changed:
            self._feed.publish(Happening(what_happened(alert, at_us), alert))
        for notification in outcome.notifications:
            if notification.news is News.REPEATED:
                self._feed.publish(Happening("repeated", notification.alert))

    async def _housekeeping(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - self._clean_up_s >= CLEAN_UP_S:
            self._clean_up_s = now_s
            await self._records.clean_up(at_us=self._clock.now_us())
            await self._continuity.fold(self._engine.reach_us)
        await self._keep()

    async def _keep(self, *, now: bool = False) -> None:
        signals = self._signals
        await self._continuity.keep(
            signals.position, signals.groups_state, signals.counted if signals.is_shared else None, now=now
        )

    async def aclose(self) -> None:
        """Leave to the next one what it needs."""
        try:
            if self._leading:
                await self._keep(now=True)
        except ControlError as error:
            _log.warning("the end could not be noted", extra={"fields": {"error": str(error)}})
        await self._signals.end()


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
