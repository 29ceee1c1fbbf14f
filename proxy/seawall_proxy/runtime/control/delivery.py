"""Events of the spool, until the control plane has them.

A proxy that has nothing to send says at the start of a stream where its spool stands. A store that was put
back to an older point, or is new, then asks at once for what it lacks, as it does after a first batch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from seawall.v1 import event_pb2, fleet_pb2
from seawall_proxy.runtime.control.outbox import Outbox
from seawall_proxy.runtime.control.refused import RefusedFile
from seawall_proxy.runtime.control.shipping import MAX_BATCH_BYTES, Shipping
from seawall_proxy.runtime.event_pump import EventPump
from seawall_proxy.telemetry.spool import Batch

log = logging.getLogger("seawall.control")

POISON: Final = "poison"


class Delivery:
    """Sends one batch at a time and follows the acknowledgements."""

    def __init__(
        self, pump: EventPump, outbox: Outbox, refused_path: Path | None, works: Callable[[], None]
    ) -> None:
        """`works` is called when an acknowledgement has moved something on: the other side works."""
        self._pump: EventPump = pump
        self._outbox: Outbox = outbox
        self._refused: RefusedFile | None = None if refused_path is None else RefusedFile(refused_path)
        self._works: Callable[[], None] = works
        self._shipping: Shipping = Shipping()
        self._in_flight: Batch | None = None
        self._has_begun: bool = False
        """This stream has heard of the spool."""
        self.acked: int = 0
        """Events that are stored, refused ones not included."""
        self.refused: int = 0
        """Events that are refused for good."""

    def next_deadline(self) -> float:
        """Return when the batch in flight is sent again; infinity when none is."""
        return self._shipping.next_deadline()

    @property
    def waits(self) -> bool:
        """Whether events wait."""
        status = self._pump.spool_status()
        return status is not None and status.depth > 0

    async def next(self, now: float) -> fleet_pb2.ConnectRequest | None:
        """Return what to say of events now, if anything."""
        limit = self._shipping.limit(now)
        status = self._pump.spool_status()
        if limit == 0 or status is None:
            return None
        if status.depth == 0:
            if self._has_begun or status.last == 0:
                return None
            self._has_begun = True
            position = fleet_pb2.SpoolPosition(
                spool_id=status.spool_id, oldest_seq=status.oldest, next_seq=status.last + 1
            )
            return fleet_pb2.ConnectRequest(spool_position=position)
        batch = await self._pump.take(limit, MAX_BATCH_BYTES)
        if batch is None:
            return None
        self._has_begun = True
        self._in_flight = batch
        message, first = self._encode(batch)
        self._shipping.sent(first, batch.through, len(batch.events), now)
        return fleet_pb2.ConnectRequest(events=message)

    def _encode(self, batch: Batch) -> tuple[fleet_pb2.EventBatch, int]:
        """Return the message of a batch, and its first number."""
        message = fleet_pb2.EventBatch(spool_id=batch.spool_id, oldest_seq=batch.oldest)
        numbers = [gap.first for gap in batch.gaps]
        for seq, payload in batch.events:
            numbers.append(seq)
            if seq in self._shipping.poisoned:
                message.gaps.append(fleet_pb2.EventGap(from_seq=seq, to_seq=seq, reason=POISON))
                continue
            entry = message.events.add(seq=seq)
            entry.event.ParseFromString(payload)
        for gap in batch.gaps:
            message.gaps.append(fleet_pb2.EventGap(from_seq=gap.first, to_seq=gap.last, reason=gap.reason))
        return message, min(numbers)

    async def acknowledged(self, ack: fleet_pb2.EventAck) -> None:
        """Follow an acknowledgement."""
        if ack.send_from_seq and await self._goes_back(ack):
            return
        batch = self._in_flight
        poisoned = self._shipping.poisoned
        if batch is None or ack.spool_id != batch.spool_id or not self._shipping.acked(ack.through_seq):
            # A late answer to a batch that was sent twice: the second answer says the same.
            return
        self._works()
        through = min(ack.through_seq, batch.through)
        refused = {refusal.seq: refusal.reason for refusal in ack.refusals}
        done = [seq for seq, _ in batch.events if seq <= through]
        self.acked += sum(seq not in refused and seq not in poisoned for seq in done)
        for seq, payload in batch.events:
            if seq in refused and seq <= through:
                await self._set_aside(batch.spool_id, seq, refused[seq], payload)
            elif seq in poisoned and seq <= through:
                await self._set_aside(batch.spool_id, seq, POISON, payload)
        await self._pump.ack(batch.spool_id, through)
        if through >= batch.through:
            self._in_flight = None
        self._outbox.wake.set()

    async def _goes_back(self, ack: fleet_pb2.EventAck) -> bool:
        """Send again what another store has acknowledged and this one lacks; tell whether there is such."""
        if not await self._pump.rewind(ack.spool_id, ack.send_from_seq - 1):
            return False
        log.warning("the control plane's store lacks events from number %d on: sent again", ack.send_from_seq)
        self._works()
        self._in_flight = None
        self._shipping.begin_again()
        self._outbox.wake.set()
        return True

    async def _set_aside(self, spool_id: str, seq: int, reason: str, payload: bytes) -> None:
        self.refused += 1
        log.error("the control plane refuses event %d for good: %s", seq, reason)
        if self._refused is not None:
            event = event_pb2.ErrorEvent.FromString(payload)
            try:
                await self._pump.on_disk(self._refused.add, spool_id, seq, reason, event)
            except OSError as error:
                log.error("the dead-letter file does not take it: %s", error)  # noqa: TRY400

    def stream_broke(self) -> None:
        """Note that the stream has ended; what was under way is sent again on the next."""
        self._in_flight = None
        self._has_begun = False
        poisoned = self._shipping.stream_broke()
        if poisoned:
            log.error("event %d ended the stream again and again and is set aside", poisoned)
