"""The outbox under any luck: nothing is lost, nothing is sent again once it arrived, and the rate holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seawall_control.domain.alerts import outbox
from seawall_control.domain.alerts.channels import Channel, ChannelKind
from seawall_control.domain.alerts.outbox import MAX_BATCH, Delivery, DeliveryState, Lane
from seawall_control.domain.events import MICROS, Severity

START_US = 1_800_000_000 * MICROS


def delivery(number: int, channel: Channel, severity: Severity, at_us: int) -> Delivery:
    """Return a new delivery."""
    return Delivery(
        id=f"{number:06d}",
        channel="c",
        alert_id=str(number),
        rule="r",
        severity=severity,
        news="firing",
        body={},
        create_us=at_us,
        next_us=outbox.due_us(channel, severity, at_us),
    )


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from([0, 1, 2, 7, 31, 100, 1000]),
            st.integers(0, 4),
            st.sampled_from(list(Severity)),
            st.sampled_from(["fine", "fails", "final"]),
        ),
        max_size=60,
    ),
    digest_s=st.sampled_from([0, 0, 5, 60]),
    per_minute=st.sampled_from([1, 2, 30]),
)
def test_whatever_happens(
    steps: list[tuple[int, int, Severity, str]], digest_s: int, per_minute: int
) -> None:
    """Every delivery ends as sent or failed, in messages that stay together, within the rate."""
    channel = Channel(name="c", kind=ChannelKind.LOG, digest_s=float(digest_s), max_per_minute=per_minute)
    lane = Lane(channel, at_us=START_US)
    all_of_them: dict[str, Delivery] = {}
    messages: list[int] = []
    members: dict[str, frozenset[str]] = {}
    at_us = START_US

    def work(luck: str) -> None:
        waiting = [d for d in all_of_them.values() if d.state is DeliveryState.PENDING]
        batch = lane.next_batch(waiting, at_us=at_us)
        if not batch:
            return
        assert len(batch) <= MAX_BATCH
        messages.append(at_us)
        message_id = batch[0].message_id or f"m{len(messages)}"
        ids = frozenset(d.id for d in batch)
        assert members.setdefault(message_id, ids) == ids, "what was sent together stays together"
        for one in batch:
            assert one.next_us <= at_us or digest_s > 0
            if luck == "fine":
                all_of_them[one.id] = outbox.sent(one, message_id, at_us=at_us)
            else:
                final = luck == "final"
                all_of_them[one.id] = outbox.not_sent(one, message_id, "no", final=final, at_us=at_us)
        if luck == "fine":
            lane.succeeded()
        else:
            lane.failed(at_us=at_us)

    for step_s, new, severity, luck in steps:
        at_us += step_s * MICROS
        for _ in range(new):
            made = delivery(len(all_of_them), channel, severity, at_us)
            all_of_them[made.id] = made
        work(luck)
    for _ in range(3000):
        at_us += 60 * MICROS
        work("fine")
        if all(d.state is not DeliveryState.PENDING for d in all_of_them.values()):
            break
    assert all(d.state is not DeliveryState.PENDING and d.end_us for d in all_of_them.values())
    for start in messages:
        assert sum(start <= t < start + 60 * MICROS for t in messages) <= 2 * per_minute


def test_a_channel_that_fails_rests_longer_each_time() -> None:
    """Five failures in a row: 30 s, then 60 s and so on up to 15 min; one success ends it."""
    lane = Lane(Channel(name="c", kind=ChannelKind.LOG), at_us=START_US)
    rests = []
    for _ in range(14):
        lane.failed(at_us=START_US)
        rests.append((lane.rests_until_us - START_US) // MICROS if lane.rests_until_us else 0)
    assert rests == [0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900, 900, 900, 900]
    assert lane.is_resting
    assert repr(lane) == f"<Lane of c: 14 failures in a row, rests until {START_US + 900 * MICROS}>"
    lane.succeeded()
    assert not lane.is_resting
    assert repr(lane) == "<Lane of c: 0 failures in a row>"


def test_attempts_are_bounded() -> None:
    """Twelve, further apart each time up to ten minutes; one that is sent once more begins anew."""
    channel = Channel(name="c", kind=ChannelKind.LOG)
    one = delivery(1, channel, Severity.HIGH, START_US)
    waits = []
    while one.state is DeliveryState.PENDING:
        one = outbox.not_sent(one, "m", "no", final=False, at_us=START_US)
        waits.append((one.next_us - START_US) // MICROS)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]
    assert one.attempts == outbox.MAX_ATTEMPTS
    renewed = outbox.again(one, at_us=START_US + 5)
    assert (renewed.state, renewed.attempts, renewed.message_id) == (DeliveryState.PENDING, 0, "m")
    old = outbox.not_sent(renewed, "m", "no", final=False, at_us=START_US + outbox.MAX_AGE_US + 5)
    assert old.state is DeliveryState.FAILED


def test_a_flood_becomes_one_message() -> None:
    """More deliveries than the rate has room for are gathered."""
    channel = Channel(name="c", kind=ChannelKind.LOG, max_per_minute=2)
    lane = Lane(channel, at_us=START_US)
    waiting = [delivery(n, channel, Severity.HIGH, START_US) for n in range(10)]
    assert len(lane.next_batch(waiting, at_us=START_US)) == 10
    assert len(lane.next_batch(waiting[:1], at_us=START_US)) == 1
    assert lane.next_batch(waiting, at_us=START_US) == ()


def test_a_digest_waits_and_what_is_critical_does_not() -> None:
    """A digest collects; an alert that does not wait takes the collected ones along."""
    channel = Channel(name="c", kind=ChannelKind.LOG, digest_s=60.0)
    lane = Lane(channel, at_us=START_US)
    first = delivery(1, channel, Severity.HIGH, START_US)
    assert lane.next_batch([first], at_us=START_US) == ()
    second = delivery(2, channel, Severity.HIGH, START_US + 50 * MICROS)
    assert lane.next_batch([first, second], at_us=START_US + 60 * MICROS) == [first, second]
    urgent = delivery(3, channel, Severity.CRITICAL, START_US)
    assert lane.next_batch([urgent, second], at_us=START_US + 1) == [urgent]
