"""Which of several control planes on one store sends a message: who has written so into it last, for a while.

A control plane that leads no longer may still be sending, and one that leads from now on finds the same
messages waiting. So each message is claimed before it is sent, by compare and set: the one that comes second
finds it claimed and waits until that is over, or finds it sent. Clocks of the control planes may differ by
`SLACK_S`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from seawall_control.domain.alerts import codec
from seawall_control.domain.alerts.checking import MAX_TIMEOUT_S
from seawall_control.domain.alerts.outbox import Delivery, DeliveryState
from seawall_control.domain.events import MICROS
from seawall_control.domain.records import DocumentConflict
from seawall_control.services.alerting.records import DELIVERY, AlertRecords, delivery_put
from seawall_control.services.edge import Clock

SLACK_S: Final = 20.0
_LONGEST_US: Final = int((MAX_TIMEOUT_S + 2 * SLACK_S) * MICROS)
"""A claim that lasts for longer was made by a clock that was wrong."""


class Claims:
    """Claims messages for this control plane."""

    def __init__(self, records: AlertRecords, clock: Clock, own: str) -> None:
        self._records = records
        self._clock = clock
        self._own = own

    async def take(
        self, batch: Sequence[Delivery], message_id: str, *, timeout_s: float
    ) -> tuple[list[Delivery], list[Delivery]]:
        """Claim these for one message; return those that are ours to send now, as they are stored, and what
        the store says of the others. Raise `ControlError` while it cannot be asked.
        """
        now_us = self._clock.now_us()
        until_us = now_us + int((timeout_s + SLACK_S) * MICROS)
        ours: list[Delivery] = []
        others: list[Delivery] = []
        for delivery in batch:
            document = await self._records.store.document(DELIVERY, delivery.id)
            if document is None:
                continue  # it was over so long ago that it is kept no more
            stored = codec.delivery_of(document.body)
            if stored.state is not DeliveryState.PENDING:
                others.append(stored)
                continue
            is_held = now_us < stored.claimed_until_us <= now_us + _LONGEST_US
            if stored.claimed_by not in ("", self._own) and is_held:
                others.append(replace(stored, next_us=max(stored.next_us, stored.claimed_until_us)))
                continue
            if stored.message_id not in ("", message_id):
                others.append(stored)  # somebody began to send it: once more, as the same message
                continue
            claimed = replace(
                delivery, claimed_by=self._own, claimed_until_us=until_us, message_id=message_id
            )
            try:
                put = replace(delivery_put(claimed), expected=document.version)
                await self._records.store.commit([put], at_us=now_us)
            except DocumentConflict:
                others.append(replace(stored, next_us=now_us + MICROS))
                continue
            ours.append(claimed)
        return ours, others


def released(deliveries: Iterable[Delivery]) -> list[Delivery]:
    """Return deliveries as they are once their message is over."""
    return [replace(delivery, claimed_by="", claimed_until_us=0) for delivery in deliveries]
