"""The wheel: never early, at most a tick late, and nothing is left behind."""

from __future__ import annotations

from random import Random

import pytest

from seawall_proxy.call.context import Held
from seawall_proxy.call.timers import NEVER, TimerWheel
from seawall_proxy.testing import Playbook, make_policy, make_route, make_snapshot
from seawall_proxy.testing.world import World
from seawall_proxy.upstream.endpoint import Endpoint
from seawall_proxy.upstream.link import Dialer


def timer(wheel: TimerWheel) -> Held:
    """Return something that can be armed; what it does when it fires is nothing."""
    held = Held()
    held.tick = -1
    return held


def test_fires_at_its_tick_and_not_before() -> None:
    """A timer fires within a millisecond behind its moment, never before it."""
    wheel = TimerWheel()
    one = timer(wheel)
    wheel.arm(one, 0.0105)
    assert wheel.next_deadline() == 0.011
    assert wheel.advance(0.0104) == 0
    assert wheel.advance(0.0109) == 0
    assert wheel.advance(0.011) == 1
    assert one.tick == -1
    assert wheel.armed() == 0


def test_a_far_timer_is_rounded_to_16_ms() -> None:
    """What is more than half a second away shares coarse ticks: up to 16 ms late."""
    wheel = TimerWheel()
    near, far = timer(wheel), timer(wheel)
    wheel.arm(near, 0.5)
    wheel.arm(far, 0.501)
    assert near.tick == 501
    assert far.tick % 16 == 0
    assert 0 <= far.tick / 1000 - 0.501 <= 0.0165


def test_arming_again_replaces() -> None:
    """A timer has one moment: the latest that it was given."""
    wheel = TimerWheel()
    one = timer(wheel)
    wheel.arm(one, 0.1)
    wheel.arm(one, 0.3)
    assert wheel.armed() == 1
    assert wheel.advance(0.2) == 0
    assert wheel.advance(0.31) == 1


def test_infinity_disarms() -> None:
    """Never is never."""
    wheel = TimerWheel()
    one = timer(wheel)
    wheel.arm(one, 0.1)
    wheel.arm(one, NEVER)
    assert (one.tick, wheel.armed(), wheel.next_deadline()) == (-1, 0, NEVER)
    wheel.cancel(one)


@pytest.mark.parametrize("start", [0.0, 1.0, 1000.0, 86_400.0 * 365])
def test_what_is_due_fires_at_the_moment_that_was_named(start: float) -> None:
    """Advancing to `next_deadline` fires, whatever floating point makes of the tick."""
    wheel = TimerWheel()
    wheel.now = start
    for n in range(2000):
        one = timer(wheel)
        at = start + n * 0.0011
        wheel.arm(one, at)
        due = wheel.next_deadline()
        assert due >= at
        assert wheel.advance(due) == 1, due


def test_against_a_naive_wheel() -> None:
    """Random arming, cancelling and advancing agree with a dictionary of moments."""
    random = Random(3)
    wheel = TimerWheel()
    timers = [timer(wheel) for _ in range(12)]
    due: dict[int, float] = {}
    now = 0.0
    for _ in range(5000):
        number = random.randrange(12)
        what = random.random()
        if what < 0.5:
            at = now + random.choice((0.0, 0.0005, 0.003, 0.2, 0.7))
            wheel.arm(timers[number], at)
            due[number] = at
        elif what < 0.7:
            wheel.cancel(timers[number])
            due.pop(number, None)
        else:
            now += random.choice((0.0, 0.0007, 0.004, 0.3))
            wheel.advance(now)
            for other, at in list(due.items()):
                if timers[other].tick < 0:
                    assert at <= now, "it fired early"
                    del due[other]
                else:
                    assert now < at + 0.0175, "it is late"
        assert wheel.armed() == len(due)


def test_a_timer_may_cancel_another_of_the_same_tick() -> None:
    """What a timer's firing disarms does not fire any more, though it was due at the same moment."""
    with Playbook(make_snapshot(make_route(make_policy(timeout_s=0.1)))) as play:
        play.call(body=b"x")
        other = play.call(body=b"y")
        play.advance(0.2)
        assert (
            play.forget().count(
                "client#2 <- TRAILERS-ONLY DEADLINE_EXCEEDED LOCAL DEADLINE_EXCEEDED failed attempts=1"
            )
            == 1
        )
        assert other.seen.ends == 1
        assert play.world.context.timers.armed() == 0


def test_a_wheel_is_shared() -> None:
    """Endpoints keep their time on the same wheel as calls."""
    wheel = TimerWheel()
    endpoint = Endpoint("a", 0, 1.0, Dialer(), wheel, lambda: 0.5)
    assert endpoint.timers is wheel


def test_an_ended_call_leaves_no_timer() -> None:
    """A call that ends long before its deadline takes its timer with it."""
    with Playbook(make_snapshot(make_route(make_policy(timeout_s=3600.0)))) as play:
        play.call(body=b"x")
        assert play.world.context.timers.armed() == 1
        play.server().last.trailers_only(0)
        play.forget()
        assert play.world.context.timers.armed() == 0


def test_a_rounding_error_does_not_wake_for_ever() -> None:
    """A call that is woken a fraction of a microsecond before its deadline ends at the next tick."""
    world = World(start=0.0)
    # Both moments are within the rounding of one tick, and the deadline is the later one.
    with Playbook(make_snapshot(make_route(make_policy(timeout_s=0.2 - 5e-10))), world=world) as play:
        play.call(body=b"x")
        world.fire(0.2 - 9e-10)
        assert world.context.calls == 1
        play.advance(0.0011)
        play.forget()
        assert world.context.calls == 0


def test_a_moment_that_has_passed_is_the_next_tick() -> None:
    """What is armed for a moment that is over fires with the next turn, not with the one under way."""
    wheel = TimerWheel()
    wheel.advance(1.0)
    late = timer(wheel)
    wheel.arm(late, 0.5)
    assert wheel.next_deadline() == 1.001
    assert wheel.advance(1.001) == 1
