"""A breaker in a process goes exactly the way of the engine's, and its bulkhead that of a naive queue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.resilience import (
    BreakerChange,
    BreakerOpen,
    BulkheadFull,
    CircuitBreaker,
    VirtualClock,
    bulkhead,
)
from seawall.resilience.breaker import Permit
from seawall_policy import status
from seawall_policy.breaker import REJECTED, Breaker, BreakerOptions, BreakerSnapshot


class Failed(Exception):
    """A failure with a code."""

    def __init__(self, code: int) -> None:
        super().__init__(status.NAMES[code])
        self.code = status.NAMES[code]


steps = st.one_of(
    st.tuples(st.just("admit"), st.just(0)),
    st.tuples(st.just("admit"), st.just(0)),
    st.tuples(
        st.just("end"),
        st.sampled_from([status.OK, status.UNAVAILABLE, status.RESOURCE_EXHAUSTED, status.NOT_FOUND]),
    ),
    st.tuples(st.just("advance"), st.sampled_from([0, 1, 2])),
    st.tuples(st.just("cancel"), st.just(0)),
    st.tuples(st.just("look"), st.just(0)),
    st.tuples(st.just("trip"), st.sampled_from([0, 1])),
    st.tuples(st.just("reset"), st.just(0)),
)


@settings(max_examples=80)
@given(
    st.lists(steps, max_size=40),
    st.sampled_from([0, 1, 2]),
    st.sampled_from([0.0, 50.0]),
    st.integers(1, 2),
    st.integers(1, 3),
)
def test_the_library_is_the_engine(
    script: list[tuple[str, int]], consecutive: int, rate: float, probes: int, threshold: int
) -> None:
    """The same calls at the same times give the same rejections, states, counts and changes."""
    settings_ = {
        "size": 3,
        "min_calls": 2,
        "consecutive": consecutive,
        "failure_rate": rate,
        "open_for_s": 2.0,
        "half_open_calls": probes,
        "success_threshold": threshold,
        "half_open_timeout_s": 3.0,
    }
    clock = VirtualClock()
    mine = CircuitBreaker("b", BreakerOptions(**settings_), clock=clock)  # type: ignore[arg-type]
    theirs = Breaker(BreakerOptions(**settings_), lambda: 0.5)  # type: ignore[arg-type]
    changes: list[BreakerChange] = []
    mine.on_transition(changes.append)
    expected: list[tuple[int, int, str]] = []
    held: list[tuple[Permit, int, float]] = []
    for word, number in script:
        now = clock.now()
        if word == "admit":
            permit = theirs.admit(now)
            if permit == REJECTED:
                with pytest.raises(BreakerOpen) as refused:
                    mine.acquire()
                assert refused.value.retry_after == theirs.retry_after(now)
            else:
                held.append((mine.acquire(), permit, now))
        elif word in {"end", "cancel"} and held:
            token, permit, since = held.pop(0)
            if word == "cancel":
                theirs.release(permit, now)
                mine.settle(token, asyncio.CancelledError())
            else:
                theirs.record(permit, number, now - since, now)
                mine.settle(token, None if number == status.OK else Failed(number))
        elif word == "advance":
            clock.advance(number)
        elif word == "look":
            theirs.handle_timer(now)
            assert mine.state == theirs.state
        elif word == "trip":
            theirs.trip(now, float("inf") if number == 0 else number, "manual")
            mine.trip(None if number == 0 else number)
        elif word == "reset":
            theirs.reset(now)
            mine.reset()
        expected += [(one.from_state, one.to_state, one.trigger) for one in theirs.take_transitions()]
        assert [(one.before, one.after, one.trigger) for one in changes] == expected
    theirs.handle_timer(clock.now())
    theirs.window.expire(clock.now())
    assert vars_of(mine.snapshot()) == vars_of(BreakerSnapshot(theirs))


def vars_of(snapshot: BreakerSnapshot) -> dict[str, object]:
    """Return all values."""
    found = {name: getattr(snapshot, name) for name in dir(snapshot) if not name.startswith("_")}
    return {name: value for name, value in found.items() if not callable(value)}


class Visitor:
    """Somebody who wants a place, stays until told, and remembers how it went."""

    def __init__(self, acquire: Awaitable[None]) -> None:
        self.leave = asyncio.Event()
        self.state = "new"
        self.task = asyncio.ensure_future(self._visit(acquire))

    async def _visit(self, acquire: Awaitable[None]) -> None:
        self.state = "waiting"
        try:
            await acquire
        except BulkheadFull:
            self.state = "refused"
            return
        except asyncio.CancelledError:
            self.state = "cancelled"
            raise
        self.state = "inside"


visits = st.lists(
    st.tuples(st.sampled_from(["arrive", "arrive", "leave", "cancel"]), st.integers(0, 3)), max_size=25
)


@settings(max_examples=60)
@given(visits, st.integers(1, 2), st.integers(0, 2))
def test_a_bulkhead_is_a_queue(script: list[tuple[str, int]], limit: int, queue: int) -> None:
    """Who is inside, who waits and who is refused is what a list and a queue say."""

    async def main() -> None:
        room = bulkhead(limit, max_wait=60, queue=queue)
        inside: list[Visitor] = []
        waiting: list[Visitor] = []
        for word, number in script:
            if word == "arrive":
                visitor = Visitor(room.aacquire())
                await settle()
                if len(inside) < limit:
                    inside.append(visitor)
                elif len(waiting) < queue:
                    waiting.append(visitor)
                else:
                    assert visitor.state == "refused"
            elif word == "leave" and inside:
                inside.pop(number % len(inside))
                room.release()
                if waiting:
                    inside.append(waiting.pop(0))
            elif word == "cancel" and waiting:
                waiting.pop(number % len(waiting)).task.cancel()
            await settle()
            assert [visitor.state for visitor in inside] == ["inside"] * len(inside)
            assert [visitor.state for visitor in waiting] == ["waiting"] * len(waiting)
            assert (room.stats.in_flight, room.stats.waiting) == (len(inside), len(waiting))
        for visitor in waiting:
            visitor.task.cancel()
        await settle()

    asyncio.run(main())


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)
