"""What the control link does next."""

from __future__ import annotations

from math import inf

import pytest

from seawall_proxy.runtime.control.backoff import (
    BACKOFF_MAX_S,
    BACKOFF_MAX_WAITING_S,
    QUICK_RETRY_S,
    Backoff,
    pushback_s,
)
from seawall_proxy.runtime.control.reports import (
    STATS_INTERVAL_MAX_S,
    STATS_INTERVAL_MIN_S,
    STATS_INTERVAL_S,
    StatsClock,
)
from seawall_proxy.runtime.control.shipping import (
    ACK_TIMEOUT_MAX_S,
    ACK_TIMEOUT_S,
    ISOLATE_AFTER,
    MAX_BATCH_EVENTS,
    POISON_AFTER,
    Shipping,
)


def test_first_retry_is_quick_and_later_ones_grow_to_the_limit() -> None:
    """With the highest draws the ceilings are 0.2 s, 1 s, 1.6 s ... 120 s, however often it fails."""
    backoff = Backoff(lambda: 1.0)
    delays = [backoff.next_delay(events_waiting=False) for _ in range(2000)]
    assert delays[0] == QUICK_RETRY_S
    assert delays[1:4] == pytest.approx([1.0, 1.6, 2.56])
    assert delays[-1] == BACKOFF_MAX_S
    assert delays == sorted(delays)


def test_waiting_events_keep_the_delay_short() -> None:
    """While events wait on disk the link tries at least every 5 s."""
    backoff = Backoff(lambda: 1.0)
    delays = [backoff.next_delay(events_waiting=True) for _ in range(50)]
    assert max(delays) == BACKOFF_MAX_WAITING_S


def test_jitter_is_full_but_never_hammers() -> None:
    """The lowest draws still leave a pause after the first attempt; success starts over."""
    backoff = Backoff(lambda: 0.0)
    assert backoff.next_delay(events_waiting=False) == 0.0
    assert all(backoff.next_delay(events_waiting=False) == QUICK_RETRY_S for _ in range(20))
    backoff.reset()
    assert backoff.next_delay(events_waiting=False) == 0.0


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ((), 0.0),
        ((("grpc-retry-pushback-ms", "1500"), ("other", b"1")), 1.5),
        ((("grpc-retry-pushback-ms", "99999999999999999999"),), BACKOFF_MAX_S),
        ((("grpc-retry-pushback-ms", "-1"),), 0.0),
        ((("grpc-retry-pushback-ms", "soon"),), 0.0),
        ((("grpc-retry-pushback-ms", "٣"),), 0.0),
        ((("grpc-retry-pushback-ms", b"5"),), 0.0),
    ],
)
def test_a_control_plane_may_ask_to_wait(
    metadata: tuple[tuple[str, str | bytes], ...], expected: float
) -> None:
    """What is no number of milliseconds is nothing."""
    assert pushback_s(metadata) == expected


def test_one_batch_is_in_flight_at_a_time() -> None:
    """Nothing more may be sent until it is acknowledged or overdue."""
    shipping = Shipping()
    assert shipping.limit(0.0) == MAX_BATCH_EVENTS
    assert shipping.next_deadline() == inf
    shipping.sent(1, 10, 10, 0.0)
    assert shipping.limit(ACK_TIMEOUT_S - 0.1) == 0
    assert shipping.next_deadline() == ACK_TIMEOUT_S
    assert shipping.acked(10)
    assert shipping.limit(1.0) == MAX_BATCH_EVENTS


def test_overdue_batch_is_sent_again_ever_more_slowly() -> None:
    """Each repetition doubles the time that it gets, up to a limit."""
    shipping = Shipping()
    now = 0.0
    waits = []
    for _ in range(6):
        assert shipping.limit(now) == MAX_BATCH_EVENTS
        shipping.sent(1, 10, 10, now)
        waits.append(shipping.next_deadline() - now)
        now = shipping.next_deadline()
    assert waits == [10.0, 20.0, 40.0, 60.0, 60.0, ACK_TIMEOUT_MAX_S]
    assert shipping.acked(10)
    shipping.sent(11, 12, 2, now)
    assert shipping.next_deadline() - now == ACK_TIMEOUT_S


def test_partial_acknowledgement_lets_the_rest_go_at_once() -> None:
    """What was stored is not sent again, what was not is."""
    shipping = Shipping()
    shipping.sent(1, 10, 10, 0.0)
    assert shipping.acked(4)
    assert shipping.limit(0.0) == MAX_BATCH_EVENTS
    shipping.sent(5, 10, 6, 0.0)
    assert not shipping.acked(4)
    assert shipping.acked(10)


def test_acknowledgement_of_nothing_moves_nothing() -> None:
    """Late and wrong acknowledgements are told apart from progress."""
    shipping = Shipping()
    assert not shipping.acked(5)
    shipping.sent(6, 10, 5, 0.0)
    assert not shipping.acked(5)
    assert shipping.acked(99)
    assert shipping.limit(0.0) == MAX_BATCH_EVENTS


def test_batch_that_breaks_the_stream_is_isolated_then_set_aside() -> None:
    """Three breaks cut batches to single events; five more with one event make it poison."""
    shipping = Shipping()
    for _ in range(ISOLATE_AFTER):
        assert shipping.limit(0.0) == MAX_BATCH_EVENTS
        shipping.sent(7, 20, 14, 0.0)
        assert shipping.stream_broke() == 0
    assert shipping.limit(0.0) == 1
    for _ in range(POISON_AFTER - 1):
        shipping.sent(7, 7, 1, 0.0)
        assert shipping.stream_broke() == 0
    shipping.sent(7, 7, 1, 0.0)
    assert shipping.stream_broke() == 7
    assert shipping.poisoned == {7}
    shipping.sent(7, 7, 1, 0.0)
    assert shipping.acked(7)
    assert shipping.poisoned == set()
    assert shipping.limit(0.0) == 2


def test_breaks_without_a_batch_in_flight_blame_nobody() -> None:
    """A control plane that restarts often makes no event suspicious; progress clears suspicion."""
    shipping = Shipping()
    for _ in range(50):
        assert shipping.stream_broke() == 0
    for first in range(1, 50):
        shipping.sent(first, first, 1, 0.0)
        assert shipping.stream_broke() == 0
        shipping.sent(first, first, 1, 0.0)
        assert shipping.acked(first)
    assert shipping.limit(0.0) == MAX_BATCH_EVENTS


def test_reports_come_at_the_asked_interval_and_do_not_pile_up() -> None:
    """The first at once, then one each interval; after a stall one, not all the missed ones."""
    clock = StatsClock()
    assert not clock.take(100.0)
    clock.start(1.0, 100.0)
    assert clock.take(100.0)
    assert not clock.take(100.9)
    assert clock.take(101.05)
    assert clock.next_deadline() == pytest.approx(102.0)
    assert clock.take(150.0)
    assert not clock.take(150.4)
    assert clock.take(150.5)
    clock.stop()
    assert clock.next_deadline() == inf


@pytest.mark.parametrize(
    ("asked", "given"),
    [(0.0, STATS_INTERVAL_S), (1e-6, STATS_INTERVAL_MIN_S), (2.5, 2.5), (1e9, STATS_INTERVAL_MAX_S)],
)
def test_interval_is_kept_within_reason(asked: float, given: float) -> None:
    """Nobody can make the proxy report without pause, or never."""
    clock = StatsClock()
    clock.start(asked, 0.0)
    assert clock.interval_s == given
