"""Brings messages to their channels: one at a time for each, and a channel that is slow or down holds up no
other.

At least once: a delivery is stored before it is sent and again after, and what a crash leaves in between is
sent once more under the same message id. A store that cannot be written keeps no message back: it is sent,
and stored when that is possible again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from seawall_control.domain.alerts import outbox
from seawall_control.domain.alerts.channels import Channel, ChannelKind
from seawall_control.domain.alerts.outbox import Delivery, DeliveryState, Lane
from seawall_control.domain.errors import ControlError
from seawall_control.domain.records import Change
from seawall_control.services.alerting.channels.port import Message, NotSent, Sender
from seawall_control.services.alerting.claims import Claims, released
from seawall_control.services.alerting.records import AlertRecords, delivery_put, entry, in_parts
from seawall_control.services.edge import Clock, Ids

MAX_PENDING: Final = 5000
MAX_UNSAVED: Final = 5000
TICK_S: Final = 0.5

_log = logging.getLogger("seawall.control.alerts")

Trouble = Callable[[Channel, str], None]


class Deliverer:
    """The outbox at work."""

    def __init__(
        self,
        records: AlertRecords,
        clock: Clock,
        ids: Ids,
        senders: Mapping[ChannelKind, Sender],
        *,
        trouble: Trouble,
        claims: Claims | None = None,
    ) -> None:
        """`claims` are given where several control planes share the store."""
        self._claims = claims
        self._loose: set[str] = set()
        """Ids of those that are not stored, and nobody else's therefore."""
        self._records = records
        self._clock = clock
        self._ids = ids
        self._senders = senders
        self._trouble = trouble
        self._lanes: dict[str, Lane] = {}
        self._pending: dict[str, dict[str, Delivery]] = {}
        """By channel and id."""
        self._unsaved: list[Change] = []
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self.sent = 0
        self.failures = 0
        self.given_up = 0

    # ------------------------------------------------------------------------------------------ what there is

    @property
    def pending(self) -> int:
        """Deliveries that wait."""
        return sum(len(waiting) for waiting in self._pending.values())

    def resting(self) -> list[str]:
        """Return the channels of which too many messages in a row have failed."""
        return sorted(name for name, lane in self._lanes.items() if lane.is_resting)

    def set_channels(self, channels: Iterable[Channel]) -> None:
        """Take other channels; those that are the same go on with what they know."""
        at_us = self._clock.now_us()
        lanes: dict[str, Lane] = {}
        for channel in channels:
            if channel.disabled:
                continue
            before = self._lanes.get(channel.name)
            same = before is not None and before.channel == channel
            lanes[channel.name] = before if before is not None and same else Lane(channel, at_us=at_us)
        self._lanes = lanes
        self._wake.set()

    def add(self, deliveries: Iterable[Delivery], *, stored: bool = True) -> None:
        """Take deliveries that are stored, or could not be."""
        at_us = self._clock.now_us()
        for delivery in deliveries:
            lane = self._lanes.get(delivery.channel)
            ours = outbox.not_ahead(delivery, lane.channel if lane else None, at_us=at_us)
            self._pending.setdefault(delivery.channel, {})[delivery.id] = ours
            if not stored:
                self._loose.add(delivery.id)
        self._wake.set()

    def forget(self) -> None:
        """Leave what waits to the control plane that sends from now on; it is stored."""
        self._pending.clear()
        self._loose.clear()

    def shift(self, by_us: int) -> None:
        """Move everything in time: the clock was set by so much."""
        for lane in self._lanes.values():
            lane.shift(by_us)
        for waiting in self._pending.values():
            for delivery in waiting.values():
                waiting[delivery.id] = outbox.shifted(delivery, by_us)

    def room(self) -> int:
        """Return how many deliveries may be added."""
        return max(0, MAX_PENDING - self.pending)

    async def send_now(self, channel: Channel, message: Message) -> NotSent | None:
        """Send one message outside of the queue; return what went wrong, if anything did."""
        if channel.unusable:
            return NotSent(channel.unusable)
        try:
            async with asyncio.timeout(channel.timeout_s):
                await self._senders[channel.kind].send(channel, message)
        except TimeoutError:
            return NotSent(f"no answer within {channel.timeout_s:g} s")
        except NotSent as error:
            return error
        except Exception as error:  # noqa: BLE001 - one channel's fault must not end the others' work
            _log.exception("a channel failed by our fault", extra={"fields": {"channel": channel.name}})
            return NotSent(f"internal error ({type(error).__name__}); the control plane's log says more")
        return None

    # ----------------------------------------------------------------------------------------------- the work

    async def run(self) -> None:
        """Send what is due, until cancelled; what waits then is sent after the next start."""
        try:
            while True:
                self._start_due()
                self._wake.clear()
                idle = not self.pending and not self._unsaved
                try:
                    async with asyncio.timeout(None if idle else TICK_S):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                if self._unsaved:
                    await self._save(())
        finally:
            tasks = list(self._sending.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _start_due(self) -> None:
        at_us = self._clock.now_us()
        for name, waiting in list(self._pending.items()):
            if not waiting:
                del self._pending[name]
                continue
            if name in self._sending:
                continue
            lane = self._lanes.get(name)
            if lane is None:
                self._start(name, self._drop(list(waiting.values())))
            elif batch := lane.next_batch(waiting.values(), at_us=at_us):
                self._start(name, self._send(lane, batch))

    def _start(self, name: str, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name=f"seawall-alert-{name}")
        self._sending[name] = task
        task.add_done_callback(lambda done: self._ended(name, done))

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        self._sending.pop(name, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a message was lost by our fault", exc_info=error, extra={"fields": {"channel": name}})
        self._wake.set()

    async def _send(self, lane: Lane, batch: Sequence[Delivery]) -> None:
        channel = lane.channel
        message_id = batch[0].message_id or f"msg_{self._ids.new()}"
        if self._claims is not None:
            batch = await self._claimed(self._claims, channel, batch, message_id)
            if not batch:
                return
        message = Message(message_id, self._clock.now_us(), [delivery.body for delivery in batch])
        error = await self.send_now(channel, message)
        at_us = self._clock.now_us()
        if error is not None:
            self._note_failure(lane, str(error), at_us)
            after = [
                outbox.not_sent(d, message_id, str(error), final=error.final, at_us=at_us) for d in batch
            ]
        else:
            lane.succeeded()
            self.sent += 1
            after = [outbox.sent(d, message_id, at_us=at_us) for d in batch]
        await self._settle(released(after))

    async def _claimed(
        self, claims: Claims, channel: Channel, batch: Sequence[Delivery], message_id: str
    ) -> Sequence[Delivery]:
        """Return what of a batch is ours to send now. What the store cannot be asked about waits, but for
        what it never got: somebody must tell that it is away.
        """
        loose = [delivery for delivery in batch if delivery.id in self._loose]
        rest = [delivery for delivery in batch if delivery.id not in self._loose]
        waiting = self._pending.get(channel.name, {})
        try:
            ours, others = await claims.take(rest, message_id, timeout_s=channel.timeout_s)
        except ControlError as error:
            _log.info("messages wait for the store", extra={"fields": {"error": str(error)}})
            at_us = self._clock.now_us() + outbox.FIRST_RETRY_US
            for delivery in rest:
                waiting[delivery.id] = replace(delivery, next_us=at_us)
            return loose
        for delivery in rest:
            waiting.pop(delivery.id, None)
        for delivery in others:
            if delivery.state is DeliveryState.PENDING:
                waiting[delivery.id] = delivery
        for delivery in ours:
            waiting[delivery.id] = delivery
        return [*loose, *ours]

    def _note_failure(self, lane: Lane, error: str, at_us: int) -> None:
        self.failures += 1
        was_resting = lane.is_resting
        lane.failed(at_us=at_us)
        _log.warning(
            "a message of alerts was not delivered",
            extra={"fields": {"channel": lane.channel.name, "error": error, "in_a_row": lane.failures}},
        )
        if lane.is_resting and not was_resting:
            self._trouble(lane.channel, error)

    async def _drop(self, batch: Sequence[Delivery]) -> None:
        at_us = self._clock.now_us()
        why = "the channel is disabled or gone"
        await self._settle([outbox.not_sent(d, d.message_id, why, final=True, at_us=at_us) for d in batch])

    async def _settle(self, after: Sequence[Delivery]) -> None:
        changes: list[Change] = []
        for delivery in after:
            waiting = self._pending.get(delivery.channel, {})
            if delivery.state is DeliveryState.PENDING:
                waiting[delivery.id] = delivery
            else:
                waiting.pop(delivery.id, None)
                self._loose.discard(delivery.id)
                self.given_up += delivery.state is DeliveryState.FAILED
            changes.append(delivery_put(delivery))
            if delivery.state is not DeliveryState.PENDING:
                changes.append(
                    entry(
                        delivery.state.value,
                        alert=delivery.alert_id,
                        rule=delivery.rule,
                        channel=delivery.channel,
                        news=delivery.news,
                        delivery=delivery.id,
                        attempts=delivery.attempts,
                        error=delivery.error,
                    )
                )
        await self._save(changes)

    async def _save(self, changes: Sequence[Change]) -> None:
        """Store changes, after those that could not be stored before."""
        everything = [*self._unsaved, *changes]
        self._unsaved = []
        try:
            await in_parts(self._records.store, everything, at_us=self._clock.now_us())
        except ControlError as error:
            # Parts that were stored are stored again: the newest state of a delivery is the same.
            self._unsaved = everything[-MAX_UNSAVED:]
            _log.warning(
                "what became of messages could not be stored yet",
                extra={"fields": {"changes": len(self._unsaved), "error": str(error)}},
            )
