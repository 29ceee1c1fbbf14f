"""How long a call may take, and how many there may be at once."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from seawall.resilience import (
    BulkheadFull,
    DeadlineExceeded,
    VirtualClock,
    bulkhead,
    time_left,
    timeout,
    virtual_time,
)


def broken() -> None:
    """Fail."""
    raise KeyError("x")


async def test_asynchronous_work_is_cancelled() -> None:
    """In every form, with an error that is a TimeoutError."""
    clock = VirtualClock()
    cancelled = []

    async def work() -> None:
        try:
            await clock.asleep(10)
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    limit = timeout(2, clock=clock)
    with pytest.raises(TimeoutError, match="within 2 s"):
        await limit.call(work)
    with pytest.raises(DeadlineExceeded):
        await limit(work)()
    with pytest.raises(DeadlineExceeded):
        async with limit:
            await work()
    assert len(cancelled) == 3
    assert clock.now() == 6.0


async def test_work_that_is_done_in_time_is_left_alone() -> None:
    """Its result and its own TimeoutError pass through."""
    clock = VirtualClock()

    async def work(error: bool) -> str:
        await clock.asleep(1)
        if error:
            raise TimeoutError("mine")
        return "done"

    limit = timeout(2, clock=clock)
    assert await limit.call(work, False) == "done"
    with pytest.raises(TimeoutError, match="mine"):
        await limit.call(work, True)


async def test_the_real_clock_cancels_too() -> None:
    """Without a virtual clock it is asyncio's own timeout."""
    with pytest.raises(DeadlineExceeded):
        await timeout(0.01).call(asyncio.sleep, 30)


async def test_a_cancelled_caller_is_not_told_of_a_timeout() -> None:
    """Cancellation from outside stays cancellation."""
    task = asyncio.create_task(timeout(30).call(asyncio.sleep, 30))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_shorter_of_two_wins() -> None:
    """An inner limit cannot extend an outer one, and the error says whose time it was."""
    clock = VirtualClock()
    with pytest.raises(DeadlineExceeded, match="within 1 s"):
        await timeout(1, clock=clock).call(timeout(9, clock=clock)(clock.asleep), 5)
    assert clock.now() == 1.0


def test_plain_functions_are_told_what_is_left() -> None:
    """`time_left` counts down; what would begin too late does not begin."""
    with virtual_time(0.0) as clock:
        assert time_left() is None
        assert time_left(7) == 7
        with timeout(3):
            clock.advance(1)
            assert time_left() == 2.0
            assert time_left(1.5) == 1.5
            with timeout(1):
                assert time_left() == 1.0
            with timeout(9):
                assert time_left() == 2.0
            clock.advance(5)
            assert time_left() == 0.0
            with pytest.raises(DeadlineExceeded, match="the time of the call is up"):
                timeout(9).call(lambda: None)
        assert time_left() is None


def test_a_plain_function_may_be_left_behind_in_a_thread() -> None:
    """With `in_thread` the caller goes on; errors and results come through, the context goes along."""
    release = threading.Event()
    with pytest.raises(DeadlineExceeded):
        timeout(0.02, in_thread=True).call(release.wait, 10)
    release.set()
    limit = timeout(5, in_thread=True)
    assert limit.call(lambda: "done") == "done"
    with pytest.raises(KeyError):
        limit.call(broken)
    left = limit.call(time_left)
    assert left is not None
    assert 0 < left <= 5


def test_lengths_that_make_no_sense_are_refused() -> None:
    """A mistake shows where the limit is made."""
    for wrong in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="timeout"):
            timeout(wrong)
    with pytest.raises(ValueError, match="limit"):
        bulkhead(0)
    with pytest.raises(ValueError, match="queue"):
        bulkhead(1, queue=-1)
    with pytest.raises(ValueError, match="max_wait"):
        bulkhead(1, max_wait=float("inf"))


def test_a_full_bulkhead_refuses() -> None:
    """And counts; a place that is given back is free at once."""
    room = bulkhead(2, name="db")
    with room, room:
        with pytest.raises(BulkheadFull, match="'db' is full: 2 calls") as caught:
            room.call(lambda: None)
        assert caught.value.code == "RESOURCE_EXHAUSTED"
    assert room.call(lambda: "done") == "done"
    stats = room.stats
    assert (stats.in_flight, stats.admitted, stats.rejected, stats.most_in_flight) == (0, 3, 1, 2)


def test_a_place_comes_back_whatever_happens() -> None:
    """Also from work that fails."""
    room = bulkhead(1)
    for _ in range(3):
        with pytest.raises(KeyError):
            room.call(broken)
    assert room.stats.in_flight == 0


async def test_waiting_tasks_are_served_in_order() -> None:
    """First come first served; who waits too long is refused, who is cancelled leaves no hole."""
    room = bulkhead(1, max_wait=5, queue=3)
    order: list[int] = []
    gate = asyncio.Event()

    async def work(number: int) -> None:
        async with room:
            order.append(number)
            await gate.wait()

    tasks = [asyncio.create_task(work(number)) for number in range(4)]
    await asyncio.sleep(0.01)
    assert room.stats.waiting == 3
    with pytest.raises(BulkheadFull):
        await room.call(asyncio.sleep, 0)
    tasks[1].cancel()
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [0, 2, 3]
    assert (room.stats.in_flight, room.stats.waiting) == (0, 0)
    short = bulkhead(1, max_wait=0.01)
    with pytest.raises(BulkheadFull):
        async with short, short:
            pytest.fail("there is one place only")
    assert short.stats.in_flight == 0


async def test_a_place_for_somebody_who_has_just_left_goes_on() -> None:
    """Cancelled between being given a place and taking it, a task gives it back."""
    room = bulkhead(1, max_wait=5)
    room.acquire()
    task = asyncio.create_task(room.aacquire())
    await asyncio.sleep(0)
    assert room.stats.waiting == 1
    room.release()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (room.stats.in_flight, room.stats.waiting) == (0, 0)


def test_threads_and_tasks_stand_in_one_line() -> None:
    """A thread that waits gets the place that a task gives back."""
    room = bulkhead(1, max_wait=60)
    got = threading.Event()

    def thread() -> None:
        with room:
            got.set()

    async def main() -> None:
        async with room:
            waiting = threading.Thread(target=thread, daemon=True)
            waiting.start()
            while room.stats.waiting == 0:  # noqa: ASYNC110 - another thread's doing
                await asyncio.sleep(0.001)
        await asyncio.to_thread(got.wait, 60)

    asyncio.run(main())
    assert got.is_set()
    assert room.stats.most_in_flight == 1


def test_many_threads_never_exceed_the_limit() -> None:
    """Sixteen threads through three places, all served, never more than three at once."""
    room = bulkhead(3, max_wait=60, queue=100)
    inside: list[int] = []
    lock = threading.Lock()
    now = 0

    def work() -> None:
        nonlocal now
        for _ in range(20):
            with room:
                with lock:
                    now += 1
                    inside.append(now)
                time.sleep(0)
                with lock:
                    now -= 1

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert max(inside) <= 3
    assert len(inside) == 320
    assert (room.stats.in_flight, room.stats.waiting, room.stats.admitted) == (0, 0, 320)


def test_nobody_waits_longer_than_the_call_may_take() -> None:
    """The deadline bounds the wait for a place."""
    room = bulkhead(1, max_wait=60)
    with room, timeout(0.01), pytest.raises(BulkheadFull):
        room.call(lambda: None)
