"""Messages that two control planes on one store have: each is sent once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from seawall_control.domain.alerts import codec
from seawall_control.domain.alerts.channels import Channel, ChannelKind
from seawall_control.domain.alerts.outbox import LAST_RETRY_US, Delivery, DeliveryState, not_ahead
from seawall_control.domain.errors import StoreUnavailable
from seawall_control.domain.events import MICROS, Severity
from seawall_control.services.alerting.channels.port import Message
from seawall_control.services.alerting.claims import SLACK_S, Claims
from seawall_control.services.alerting.deliverer import Deliverer
from seawall_control.services.alerting.records import DELIVERY, AlertRecords, delivery_put
from seawall_control.services.edge import TimeOrderedIds
from seawall_control.services.keyring import Keyring
from seawall_control.services.steady_clock import SteadyClock
from seawall_control.services.vault import Vault
from seawall_control.store.memory import MemoryStore

START_US = 1_800_000_000 * MICROS
CHANNEL = Channel(name="hook", kind=ChannelKind.WEBHOOK, timeout_s=10.0)


@dataclass
class Clock:
    """Two clocks that a test sets."""

    wall_us: int = START_US
    mono_s: float = 100.0

    def now_us(self) -> int:
        return self.wall_us

    def monotonic_s(self) -> float:
        return self.mono_s

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        self.wall_us += int(seconds * MICROS)
        self.mono_s += seconds


@dataclass
class Sender:
    """Takes messages when it is let."""

    sent: list[Message] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, channel: Channel, message: Message) -> None:
        self.sent.append(message)
        await self.gate.wait()


def delivery(name: str, **fields: Any) -> Delivery:
    """Return a delivery that is due."""
    values: dict[str, Any] = {
        "id": name, "channel": "hook", "alert_id": "a", "rule": "r", "severity": Severity.HIGH,
        "news": "firing", "body": {"state": "firing"}, "create_us": START_US, "next_us": START_US, **fields,
    }  # fmt: skip
    return Delivery(**values)


def plane(store: MemoryStore, clock: Clock, sender: Sender, own: str) -> Deliverer:
    """Return the deliverer of a control plane."""
    records = AlertRecords(store, Vault(Keyring(Path("/nonexistent"))), clock)
    made = Deliverer(
        records,
        clock,
        TimeOrderedIds(),
        {ChannelKind.WEBHOOK: sender},
        trouble=lambda _channel, _error: None,
        claims=Claims(records, clock, own),
    )
    made.set_channels([CHANNEL])
    return made


async def until_idle(deliverer: Deliverer) -> None:
    """Let a deliverer do what is due."""
    deliverer._start_due()
    for _ in range(50):
        await asyncio.sleep(0)


async def test_two_that_have_the_same_message_send_it_once() -> None:
    """The one that comes second waits, and finds it sent."""
    store, clock, sender = MemoryStore(), Clock(), Sender()
    await store.commit([delivery_put(delivery("d1"))], at_us=START_US)
    first, second = plane(store, clock, sender, "one"), plane(store, clock, sender, "two")
    for one in (first, second):
        one.add([delivery("d1")])
    await until_idle(first)
    await until_idle(second)
    assert (len(sender.sent), second.pending) == (1, 1)
    first.forget()
    sender.gate.set()
    await until_idle(first)
    clock.pass_(CHANNEL.timeout_s + SLACK_S + 1)
    await until_idle(second)
    assert (len(sender.sent), second.pending) == (1, 0)
    stored = await store.document(DELIVERY, "d1")
    assert stored is not None
    done = codec.delivery_of(stored.body)
    assert (done.state, done.claimed_by) == (DeliveryState.SENT, "")


async def one_dies_sending(store: MemoryStore, clock: Clock, sender: Sender) -> None:
    """A control plane that ends while it sends a message, which it has claimed."""
    await store.commit([delivery_put(delivery("d1"))], at_us=START_US)
    first = plane(store, clock, sender, "one")
    first.add([delivery("d1")])
    await until_idle(first)
    for task in first._sending.values():
        task.cancel()


async def test_one_that_died_while_it_sent() -> None:
    """Once its claim is over the message is sent again, under the same id."""
    store, clock, sender = MemoryStore(), Clock(), Sender()
    await one_dies_sending(store, clock, sender)
    second = plane(store, clock, sender, "two")
    second.add([delivery("d1")])
    for _ in range(3):
        await until_idle(second)
        clock.pass_(CHANNEL.timeout_s / 2)
    assert len(sender.sent) == 1
    clock.pass_(CHANNEL.timeout_s + SLACK_S)
    sender.gate.set()
    await until_idle(second)
    clock.pass_(1)
    await until_idle(second)
    assert len(sender.sent) == 2
    assert sender.sent[0].id == sender.sent[1].id


async def test_a_claim_that_was_made_ahead_of_time() -> None:
    """It would last until its time has come: the clock of the control plane that made it was wrong."""
    store, clock, sender = MemoryStore(), Clock(wall_us=START_US + 365 * 86_400 * MICROS), Sender()
    await one_dies_sending(store, clock, sender)
    assert len(sender.sent) == 1
    clock.wall_us = START_US
    sender.gate.set()
    second = plane(store, clock, sender, "two")
    second.add([delivery("d1")])
    await until_idle(second)
    clock.pass_(2)
    await until_idle(second)
    assert (len(sender.sent), second.pending) == (2, 0)
    assert sender.sent[0].id == sender.sent[1].id


async def test_a_store_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it never got is sent all the same; what it has may be another's to send."""
    store, clock, sender = MemoryStore(), Clock(), Sender()
    sender.gate.set()
    await store.commit([delivery_put(delivery("d1"))], at_us=START_US)
    one = plane(store, clock, sender, "one")
    one.add([delivery("d1")])
    one.add([delivery("d2", create_us=START_US + 1)], stored=False)

    async def away(*_: object, **__: object) -> Any:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(store, "document", away)
        patch.setattr(store, "commit", away)
        await until_idle(one)
        clock.pass_(0.1)
        await until_idle(one)
        assert len(sender.sent) == 1
    clock.pass_(5)
    await until_idle(one)
    assert (len(sender.sent), one.pending) == (2, 0)


async def test_a_clock_that_is_set() -> None:
    """A message that waits for its next attempt is tried when it would have been."""
    store, wall, sender = MemoryStore(), Clock(), Sender()
    sender.gate.set()
    clock = SteadyClock(wall)
    one = Deliverer(
        AlertRecords(store, Vault(Keyring(Path("/nonexistent"))), clock),
        clock,
        TimeOrderedIds(),
        {ChannelKind.WEBHOOK: sender},
        trouble=lambda _channel, _error: None,
    )
    one.set_channels([CHANNEL])
    one.add([delivery("d1", next_us=START_US + 30 * MICROS, message_id="m")])
    wall.wall_us -= 3600 * MICROS
    wall.pass_(20)
    by_us = clock.follow()
    assert by_us == -3600 * MICROS
    assert (clock.now_us(), clock.follow()) == (wall.wall_us, 0)
    one.shift(by_us)
    await until_idle(one)
    assert not sender.sent
    wall.pass_(11)
    await until_idle(one)
    assert len(sender.sent) == 1


def test_a_stored_time_that_lies_ahead() -> None:
    """Nothing waits for longer than the longest wait there is."""
    hour_us = 3600 * MICROS
    ahead = delivery("d1", create_us=START_US + hour_us, next_us=START_US + 2 * hour_us)
    bound = not_ahead(ahead, CHANNEL, at_us=START_US)
    assert (bound.create_us, bound.next_us) == (START_US, START_US + LAST_RETRY_US)
    digest = replace(CHANNEL, digest_s=1800.0)
    assert not_ahead(ahead, digest, at_us=START_US).next_us == START_US + 1800 * MICROS
    due = delivery("d1")
    assert not_ahead(due, None, at_us=START_US) == due
