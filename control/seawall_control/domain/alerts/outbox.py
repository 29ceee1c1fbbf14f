"""The way of a message to its channel: what is sent when, together with what, how often it is tried.

Rules:

- A delivery waits until it is due: at once, or at the end of the channel's digest.
- What is sent together once stays together, under one message id, so that a receiver who gets it twice can
  tell.
- The channel's rate is a bucket of `max_per_minute` messages that fills evenly. When more deliveries are due
  than messages are left, they become one message.
- A failure is tried again after 1 s, 2 s, 4 s and so on up to ten minutes, `MAX_ATTEMPTS` times or until it
  is a day old. After `TRIP_AFTER` failures in a row the channel rests, for longer each time, and then has one
  message to show that it works.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from seawall_control.domain.alerts.channels import Channel
from seawall_control.domain.events import MICROS, Json, Severity

MAX_ATTEMPTS: Final = 12
MAX_BATCH: Final = 50
"""Deliveries in one message."""
FIRST_RETRY_US: Final = 1 * MICROS
LAST_RETRY_US: Final = 600 * MICROS
MAX_AGE_US: Final = 24 * 3600 * MICROS
TRIP_AFTER: Final = 5
FIRST_REST_US: Final = 30 * MICROS
LAST_REST_US: Final = 900 * MICROS
MINUTE_US: Final = 60 * MICROS


class DeliveryState(StrEnum):
    """Where a delivery is."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One piece of news on its way to one channel."""

    id: str
    channel: str
    alert_id: str
    rule: str
    severity: Severity
    news: str
    body: Mapping[str, Json]
    """The alert as it is told (messages.py)."""
    state: DeliveryState = DeliveryState.PENDING
    create_us: int
    next_us: int
    """When it is due, or tried again."""
    attempts: int = 0
    message_id: str = ""
    """Of the message that it was last sent in; empty before the first attempt."""
    error: str = ""
    end_us: int = 0
    """When it was sent, or given up."""
    claimed_by: str = ""
    """The control plane that is sending it, of several on one store."""
    claimed_until_us: int = 0


def due_us(channel: Channel, severity: Severity, at_us: int) -> int:
    """Return when news of an alert is due at a channel."""
    if channel.digest_s <= 0 or severity >= channel.immediate_from:
        return at_us
    return at_us + int(channel.digest_s * MICROS)


class Lane:
    """One channel's messages: its bucket and its rest."""

    def __init__(self, channel: Channel, *, at_us: int) -> None:
        self.channel = channel
        self._tokens = float(max(1, channel.max_per_minute))
        self._filled_us = at_us
        self.failures = 0
        """In a row."""
        self.rests_until_us = 0

    def __repr__(self) -> str:
        rest = f", rests until {self.rests_until_us}" if self.rests_until_us else ""
        return f"<Lane of {self.channel.name}: {self.failures} failures in a row{rest}>"

    @property
    def is_resting(self) -> bool:
        """Whether too many messages in a row have failed."""
        return self.failures >= TRIP_AFTER

    def _fill(self, at_us: int) -> None:
        most = float(max(1, self.channel.max_per_minute))
        grown = max(0, at_us - self._filled_us) * most / MINUTE_US
        self._tokens = min(most, self._tokens + grown)
        self._filled_us = at_us

    def next_batch(self, pending: Iterable[Delivery], *, at_us: int) -> Sequence[Delivery]:
        """Return what is to be sent now as one message, oldest first; nothing when it is not time yet.

        The caller tells with `succeeded` or `failed` what came of it before it asks again.
        """
        self._fill(at_us)
        if self._tokens < 1 or at_us < self.rests_until_us:
            return ()
        waiting = sorted(pending, key=lambda d: (d.create_us, d.id))
        again = next((d for d in waiting if d.message_id and d.next_us <= at_us), None)
        if again is not None:
            batch = [d for d in waiting if d.message_id == again.message_id]
        else:
            fresh = [d for d in waiting if not d.message_id]
            due = [d for d in fresh if d.next_us <= at_us]
            if not due:
                return ()
            collects = any(d.next_us > d.create_us for d in due)
            if collects:
                batch = fresh[:MAX_BATCH]
            else:
                batch = due[:MAX_BATCH] if len(due) > self._tokens else due[:1]
        self._tokens -= 1
        return batch

    def shift(self, by_us: int) -> None:
        """Move everything in time: the clock was set by so much."""
        self._filled_us += by_us
        self.rests_until_us += by_us if self.rests_until_us else 0

    def succeeded(self) -> None:
        """A message arrived."""
        self.failures = 0
        self.rests_until_us = 0

    def failed(self, *, at_us: int) -> None:
        """A message did not."""
        self.failures += 1
        if self.failures >= TRIP_AFTER:
            rest = FIRST_REST_US << min(self.failures - TRIP_AFTER, 10)
            self.rests_until_us = at_us + min(rest, LAST_REST_US)


def sent(delivery: Delivery, message_id: str, *, at_us: int) -> Delivery:
    """Return the delivery after its message arrived."""
    return replace(
        delivery,
        state=DeliveryState.SENT,
        attempts=delivery.attempts + 1,
        message_id=message_id,
        error="",
        end_us=at_us,
    )


def not_sent(delivery: Delivery, message_id: str, error: str, *, final: bool, at_us: int) -> Delivery:
    """Return the delivery after its message did not arrive; `final`: another attempt cannot help."""
    attempts = delivery.attempts + 1
    done = replace(delivery, attempts=attempts, message_id=message_id, error=error)
    if final or attempts >= MAX_ATTEMPTS or at_us - delivery.create_us >= MAX_AGE_US:
        return replace(done, state=DeliveryState.FAILED, end_us=at_us)
    return replace(done, next_us=at_us + min(FIRST_RETRY_US << (attempts - 1), LAST_RETRY_US))


def shifted(delivery: Delivery, by_us: int) -> Delivery:
    """Return a delivery that waits as it is by a clock that was set by so much."""
    return replace(
        delivery, create_us=max(1, delivery.create_us + by_us), next_us=max(1, delivery.next_us + by_us)
    )


def not_ahead(delivery: Delivery, channel: Channel | None, *, at_us: int) -> Delivery:
    """Return a delivery that waits no longer than it may, whatever a clock that was wrong has left."""
    longest_us = max(LAST_RETRY_US, int(channel.digest_s * MICROS) if channel else 0)
    return replace(
        delivery,
        create_us=min(delivery.create_us, at_us),
        next_us=min(delivery.next_us, at_us + longest_us),
    )


def again(delivery: Delivery, *, at_us: int) -> Delivery:
    """Return a failed delivery as one that is tried anew, from the beginning."""
    return replace(
        delivery, state=DeliveryState.PENDING, attempts=0, next_us=at_us, create_us=at_us, end_us=0
    )
