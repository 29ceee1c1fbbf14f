"""Breakers by name: when they open, what they say, and that threads and tasks cannot get past them."""

from __future__ import annotations

import asyncio
import threading
from itertools import pairwise

import pytest

from seawall.resilience import (
    BreakerChange,
    BreakerOpen,
    BreakerRegistry,
    CircuitBreaker,
    State,
    VirtualClock,
    breakers,
    get_circuit_breaker,
    retry,
)
from seawall.resilience.breaker import classic
from seawall_policy.breaker import BreakerOptions


class Boom(Exception):
    """What fails."""


def fail() -> None:
    """Fail."""
    raise Boom


def fine() -> str:
    """Do not."""
    return "fine"


def make(clock: VirtualClock, **settings: object) -> CircuitBreaker:
    """Return a breaker on a clock."""
    return CircuitBreaker("b", classic(**settings), clock=clock)  # type: ignore[arg-type]


def break_it(breaker: CircuitBreaker, times: int = 5) -> None:
    """Fail so often."""
    for _ in range(times):
        with pytest.raises(Boom):
            breaker.call(fail)


def test_the_classic_breaker_of_the_sources() -> None:
    """Five failures in a row open it for 60 s; then three successes close it, one failure opens it again."""
    clock = VirtualClock()
    breaker = make(clock)
    break_it(breaker, 4)
    assert breaker.call(fine) == "fine"
    break_it(breaker)
    assert breaker.state.name == "OPEN"
    clock.advance(59)
    with pytest.raises(BreakerOpen) as caught:
        breaker.call(fine)
    assert caught.value.retry_after == pytest.approx(1.0)
    assert (caught.value.name, caught.value.reason, caught.value.code) == ("b", "BREAKER_OPEN", "UNAVAILABLE")
    clock.advance(1)
    assert breaker.state.name == "HALF_OPEN"
    breaker.call(fine)
    breaker.call(fine)
    assert breaker.state.name == "HALF_OPEN"
    breaker.call(fine)
    assert breaker.state.name == "CLOSED"
    break_it(breaker)
    clock.advance(60)
    breaker.call(fine)
    break_it(breaker, 1)
    assert breaker.state.name == "OPEN"


def test_decorator_block_and_call_are_one() -> None:
    """All forms count in the same breaker."""
    breaker = make(VirtualClock(), threshold=3)
    with pytest.raises(Boom):
        breaker(fail)()
    with pytest.raises(Boom), breaker:
        fail()
    break_it(breaker, 1)
    with pytest.raises(BreakerOpen):
        breaker(fine)()
    with pytest.raises(BreakerOpen), breaker:
        pytest.fail("the body of an open breaker does not run")


async def test_the_asynchronous_forms() -> None:
    """Coroutine functions and `async with` count in it too."""
    breaker = make(VirtualClock(), threshold=3)

    async def afail() -> None:
        await asyncio.sleep(0)
        raise Boom

    with pytest.raises(Boom):
        await breaker(afail)()
    with pytest.raises(Boom):
        await breaker.call(afail)
    with pytest.raises(Boom):
        async with breaker:
            await afail()
    with pytest.raises(BreakerOpen):
        await breaker.acall(afail)


async def test_one_object_is_entered_by_many_tasks_at_once() -> None:
    """Each block returns its own permit, in whatever order they end."""
    breaker = make(VirtualClock(), threshold=2)
    gate = asyncio.Event()

    async def work(error: bool) -> None:
        async with breaker:
            with breaker:
                await gate.wait()
                if error:
                    raise Boom

    tasks = [asyncio.create_task(work(number == 3)) for number in range(6)]
    await asyncio.sleep(0)
    assert breaker.snapshot().in_flight == 12
    gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert breaker.snapshot().in_flight == 0


def test_what_only_another_request_can_cure_is_no_failure() -> None:
    """Bad input says nothing about the service; `on` and `ignore` say otherwise."""
    clock = VirtualClock()

    def bad() -> None:
        raise ValueError

    breaker = make(clock, threshold=1)
    with pytest.raises(ValueError):
        breaker.call(bad)
    assert breaker.state.name == "CLOSED"
    named = CircuitBreaker("n", classic(threshold=1), on=ValueError, clock=clock)
    with pytest.raises(Boom):
        named.call(fail)
    assert named.state.name == "CLOSED"
    with pytest.raises(ValueError):
        named.call(bad)
    assert named.state.name == "OPEN"
    ignoring = CircuitBreaker("i", classic(threshold=1), on=Exception, ignore=Boom, clock=clock)
    break_it(ignoring, 3)
    assert ignoring.state.name == "CLOSED"


def test_a_cancelled_call_teaches_nothing() -> None:
    """Its permit comes back, and it counts neither way."""
    breaker = make(VirtualClock(), threshold=1)

    def cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        breaker.call(cancelled)
    snapshot = breaker.snapshot()
    assert (snapshot.in_flight, snapshot.calls, snapshot.state) == (0, 0, State.CLOSED)


def test_a_late_result_of_before_teaches_nothing() -> None:
    """A call that began while closed and fails while half open does not open it again."""
    clock = VirtualClock()
    breaker = make(clock, threshold=1)
    late = breaker.acquire()
    break_it(breaker, 1)
    clock.advance(60)
    assert breaker.state.name == "HALF_OPEN"
    probe = breaker.acquire()
    breaker.settle(late, Boom())
    assert breaker.state.name == "HALF_OPEN"
    assert breaker.snapshot().probes_in_flight == 1
    breaker.settle(probe)
    assert breaker.snapshot().in_flight == 0


def test_rates_and_slow_calls() -> None:
    """A share of failures, or of slow calls, opens it too."""
    clock = VirtualClock()
    breaker = make(clock, threshold=0, failure_rate=50, min_calls=4, window=4)
    break_it(breaker, 1)
    breaker.call(fine)
    breaker.call(fine)
    assert breaker.state.name == "CLOSED"
    break_it(breaker, 1)
    assert breaker.state.name == "OPEN"
    slow = make(clock, slow_after=1, slow_rate=100, min_calls=2)
    for _ in range(2):
        slow.call(lambda: clock.advance(1))
    assert slow.state.name == "OPEN"


def test_listeners_hear_every_change_in_order() -> None:
    """What, why, and the counts; one that fails disturbs nobody; one that has left hears no more."""
    clock = VirtualClock()
    breaker = make(clock)
    heard: list[BreakerChange] = []

    def broken(change: BreakerChange) -> None:
        raise RuntimeError(change.name)

    breaker.on_transition(broken)
    leave = breaker.on_transition(heard.append)
    break_it(breaker)
    clock.advance(60)
    for _ in range(3):
        breaker.call(fine)
    assert [(one.before.name, one.after.name, one.trigger) for one in heard] == [
        ("CLOSED", "OPEN", "consecutive"),
        ("OPEN", "HALF_OPEN", "cooled_down"),
        ("HALF_OPEN", "CLOSED", "probes_passed"),
    ]
    assert (heard[0].name, heard[0].failures) == ("b", 5)
    leave()
    breaker.trip()
    assert len(heard) == 3


def test_a_listener_may_use_the_breaker() -> None:
    """Nothing is held while it is called."""
    breaker = make(VirtualClock(), threshold=1)
    seen: list[State] = []

    def listener(change: BreakerChange) -> None:
        seen.append(breaker.state)
        if change.after is State.OPEN:
            breaker.reset()

    breaker.on_transition(listener)
    break_it(breaker, 1)
    assert breaker.state.name == "CLOSED"
    assert seen == [State.OPEN, State.CLOSED]


def test_by_hand() -> None:
    """Open for a while or until reset, off, and watching only."""
    clock = VirtualClock()
    breaker = make(clock)
    breaker.trip(5)
    assert breaker.state.name == "OPEN"
    clock.advance(5)
    assert breaker.state.name == "HALF_OPEN"
    breaker.trip()
    assert (breaker.state, breaker.retry_after()) == (State.FORCED_OPEN, float("inf"))
    with pytest.raises(BreakerOpen, match="until it is reset"):
        breaker.call(fine)
    breaker.reset()
    breaker.disable()
    break_it(breaker, 9)
    assert breaker.state.name == "DISABLED"
    breaker.metrics_only()
    break_it(breaker, 9)
    assert breaker.state.name == "METRICS_ONLY"
    assert breaker.snapshot().would_reject > 0


def test_the_registry_makes_each_once() -> None:
    """A name is a breaker; settings are given once, and changed on purpose."""
    clock = VirtualClock()
    registry = BreakerRegistry(clock=clock)
    assert registry.get("a") is registry.get("a")
    added = registry.add("b", threshold=5, timeout=120, success_threshold=3)
    assert registry["b"] is added
    with pytest.raises(ValueError, match="there is a breaker 'b'"):
        registry.add("b")
    break_it(added)
    assert registry.states() == {"a": State.CLOSED, "b": State.OPEN}
    assert registry.add("b", timeout=10, replace=True) is added
    assert added.state.name == "OPEN", "its state goes on under the new settings"
    assert added.options.open_for_s == 10.0
    registry.reset_all()
    assert added.state.name == "CLOSED"
    assert len(registry) == 2
    registry.remove("b")
    assert "b" not in registry
    with pytest.raises(KeyError):
        registry["b"]


def test_one_listener_for_all_breakers() -> None:
    """Those that come later included."""
    registry = BreakerRegistry(clock=VirtualClock())
    heard: list[str] = []
    registry.get("a")
    leave = registry.on_transition(lambda change: heard.append(change.name))
    registry.get("b").trip()
    registry.get("a").trip()
    assert heard == ["b", "a"]
    leave()
    registry.get("a").reset()
    registry.get("c").trip()
    assert heard == ["b", "a"]


def test_the_breakers_of_the_process() -> None:
    """`get_circuit_breaker` looks in `breakers`."""
    try:
        assert get_circuit_breaker("test-of-the-process") is breakers["test-of-the-process"]
    finally:
        breakers.remove("test-of-the-process")


def test_a_breaker_inside_a_retry() -> None:
    """Each attempt is counted; once it opens, the retry stops."""
    clock = VirtualClock()
    breaker = make(clock, threshold=2)
    calls = []

    @retry(on=Exception, attempts=5, clock=clock)
    @breaker
    def work() -> None:
        calls.append(1)
        raise Boom

    with pytest.raises(BreakerOpen):
        work()
    assert len(calls) == 2


@pytest.mark.parametrize("probes", [1, 3])
def test_threads_get_exactly_as_many_probes_as_allowed(probes: int) -> None:
    """Of 16 threads that ask a half-open breaker at once, `probes` are let in, again and again."""
    clock = VirtualClock()
    options = BreakerOptions(
        consecutive=1, failure_rate=0.0, open_for_s=1.0, half_open_calls=probes, success_threshold=100
    )
    breaker = CircuitBreaker("t", options, clock=clock)
    break_it(breaker, 1)
    clock.advance(1)
    barrier, release = threading.Barrier(16), threading.Barrier(16)
    most: list[int] = []

    def ask() -> None:
        for _ in range(10):
            barrier.wait(60)
            try:
                permit = breaker.acquire()
            except BreakerOpen:
                permit = None
            release.wait(60)
            if permit is not None:
                most.append(breaker.snapshot().probes_in_flight)
            barrier.wait(60)
            if permit is not None:
                breaker.settle(permit)
            release.wait(60)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(most) == probes * 10
    assert set(most) == {probes}
    assert breaker.snapshot().in_flight == 0


def test_threads_hear_changes_in_order() -> None:
    """Whoever causes them, each listener call follows the one before, and states chain."""
    breaker = make(VirtualClock())
    heard: list[BreakerChange] = []
    breaker.on_transition(heard.append)

    def flip() -> None:
        for _ in range(50):
            breaker.trip()
            breaker.reset()

    threads = [threading.Thread(target=flip) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    breaker.snapshot()
    assert len(heard) > 4
    assert all(one.after is two.before for one, two in pairwise(heard))
