"""Time and room: `timeout` for how long, `bulkhead` for how many at once."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from contextvars import copy_context
from dataclasses import dataclass, replace
from math import inf
from typing import Final, Generic, TypeVar

from seawall.resilience.clock import Clock, Expiry, Seconds, current_clock, duration_of, seconds_of
from seawall.resilience.deadline import deadline, set_deadline
from seawall.resilience.errors import BulkheadFull, DeadlineExceeded
from seawall.resilience.strategy import CallInfo, Scoped

T = TypeVar("T")


@dataclass(slots=True)
class _Held:
    """What an entered timeout holds: the deadline before it, and asyncio's scope."""

    before: float
    inherited: bool = False
    """The deadline before it is the earlier one."""
    scope: AbstractAsyncContextManager[Expiry] | None = None


class Timeout(Scoped):
    """A limit on the time of a call; `timeout` makes one.

    Asynchronous work is cancelled when the time is up. Plain functions cannot be interrupted: they are not
    begun when there is no time left, retries inside stop in time, and `time_left()` tells them what to pass
    on. `in_thread` runs the function in a thread and stops waiting for it; what it was doing goes on.
    """

    def __init__(
        self,
        seconds: float,
        *,
        in_thread: bool = False,
        per_try: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.seconds: Final = seconds
        self._in_thread = in_thread
        self._per_try = per_try
        self._clock = clock

    def run(self, work: Callable[[], T], info: CallInfo) -> T:
        """Do the work within the time."""
        if not self._in_thread:
            return super().run(work, info)
        held = self._enter()
        try:
            return _in_thread(work, deadline() - self._now(), lambda: self._error(inherited=held.inherited))
        finally:
            self._exit(held, None)

    def _now(self) -> float:
        return (self._clock or current_clock()).now()

    def _enter(self) -> _Held:
        now = self._now()
        before = deadline()
        if before <= now:
            raise self._error(inherited=True)
        own = now + self.seconds
        set_deadline(min(before, own))
        return _Held(before, inherited=before < own)

    def _exit(self, held: object, error: BaseException | None) -> None:
        assert isinstance(held, _Held)
        set_deadline(held.before)

    async def _aenter(self) -> _Held:
        held = self._enter()
        held.scope = (self._clock or current_clock()).expire_at(deadline())
        await held.scope.__aenter__()
        return held

    async def _aexit(self, held: object, error: BaseException | None) -> None:
        assert isinstance(held, _Held)
        assert held.scope is not None
        set_deadline(held.before)
        try:
            await held.scope.__aexit__(None if error is None else type(error), error, None)
        except TimeoutError as ended:
            raise self._error(inherited=held.inherited) from ended

    def _error(self, *, inherited: bool) -> DeadlineExceeded:
        if inherited:
            return DeadlineExceeded("the time of the call is up")
        which = "the attempt" if self._per_try else "the call"
        return DeadlineExceeded(f"{which} did not end within {self.seconds:.3g} s", per_try=self._per_try)

    def __repr__(self) -> str:
        return f"Timeout({self.seconds} s)"


class DeadlineEntry(Scoped):
    """Starts the clock of a call without enforcing it: what is inside reads the deadline."""

    def __init__(self, seconds: float, *, clock: Clock | None = None) -> None:
        self._seconds = seconds
        self._clock = clock

    def _enter(self) -> float:
        now = (self._clock or current_clock()).now()
        return set_deadline(min(deadline(), now + self._seconds))

    def _exit(self, held: object, error: BaseException | None) -> None:
        assert isinstance(held, float)
        set_deadline(held)

    def __repr__(self) -> str:
        return f"DeadlineEntry({self._seconds} s)"


def timeout(seconds: Seconds, *, in_thread: bool = False, clock: Clock | None = None) -> Timeout:
    """Return a limit on the time of a call: a decorator, a caller, a `with` or `async with`.

    Raises DeadlineExceeded, which is a TimeoutError. `in_thread` is for plain functions that may hang; it
    has no effect on coroutine functions and `with`.
    """
    return Timeout(duration_of(seconds, "timeout"), in_thread=in_thread, clock=clock)


class _Outcome(Generic[T]):
    """What a thread leaves behind."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.result: list[T] = []
        self.error: BaseException | None = None


def _in_thread(work: Callable[[], T], seconds: float, late: Callable[[], DeadlineExceeded]) -> T:
    """Run work in a thread of its own, in a copy of this context; stop waiting after so many seconds."""
    outcome: _Outcome[T] = _Outcome()

    def body() -> None:
        try:
            outcome.result.append(work())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            outcome.error = error
        finally:
            outcome.done.set()

    context = copy_context()
    threading.Thread(target=context.run, args=(body,), name="seawall-timeout", daemon=True).start()
    if not outcome.done.wait(None if seconds == inf else max(0.0, seconds)):
        raise late()
    if outcome.error is not None:
        raise outcome.error
    return outcome.result[0]


class _Waiter:
    """Somebody in the queue of a bulkhead: how to wake them, and whether their place was given."""

    __slots__ = ("given", "wake")

    def __init__(self, wake: Callable[[], object]) -> None:
        self.wake = wake
        self.given = False


@dataclass(slots=True)
class BulkheadStats:
    """Counts since the start, and of now."""

    in_flight: int = 0
    waiting: int = 0
    admitted: int = 0
    rejected: int = 0
    most_in_flight: int = 0


class Bulkhead(Scoped):
    """At most so many calls at once, first come first served; `bulkhead` makes one."""

    def __init__(
        self,
        limit: int,
        *,
        name: str = "",
        max_wait: float = 0.0,
        queue: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self.limit: Final = limit
        self.name: Final = name
        self._max_wait = max_wait
        self._queue = queue
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: deque[_Waiter] = deque()
        self._stats = BulkheadStats()

    @property
    def stats(self) -> BulkheadStats:
        """Return the counts."""
        with self._lock:
            return replace(self._stats, waiting=len(self._waiting))

    def acquire(self) -> None:
        """Take a place for work that is no function and no block; `release` it exactly once."""
        self._enter()

    async def aacquire(self) -> None:
        """Like `acquire`, for a coroutine."""
        await self._aenter()

    def release(self) -> None:
        """Give a place back."""
        self._exit(None, None)

    def _enter(self) -> None:
        arrived = threading.Event()
        waiter = self._take(arrived.set)
        if waiter is None:
            return
        given = False
        try:
            given = arrived.wait(self._patience()) or self._leave(waiter)
        finally:
            if not given:
                self._give_up(waiter)
        if not given:
            raise self._full()

    async def _aenter(self) -> None:
        loop = asyncio.get_running_loop()
        arrived: asyncio.Future[None] = loop.create_future()

        def arrive() -> None:
            if not arrived.done():
                arrived.set_result(None)

        waiter = self._take(lambda: loop.call_soon_threadsafe(arrive))
        if waiter is None:
            return
        given = False
        try:
            async with asyncio.timeout(self._patience()):
                await arrived
            given = True
        except TimeoutError:
            given = self._leave(waiter)
        finally:
            if not given:
                self._give_up(waiter)
        if not given:
            raise self._full()

    def _exit(self, held: object, error: BaseException | None) -> None:
        with self._lock:
            self._release()

    def _take(self, wake: Callable[[], object]) -> _Waiter | None:
        """Take a place and return None, or stand in the queue; BulkheadFull when that is full."""
        with self._lock:
            stats = self._stats
            if stats.in_flight < self.limit:
                self._admit()
                return None
            if len(self._waiting) < self._queue:
                waiter = _Waiter(wake)
                self._waiting.append(waiter)
                return waiter
            stats.rejected += 1
        raise self._full()

    def _leave(self, waiter: _Waiter) -> bool:
        """Leave the queue; tell whether the place was given in the last moment."""
        with self._lock:
            if waiter.given:
                return True
            self._waiting.remove(waiter)
            self._stats.rejected += 1
            return False

    def _give_up(self, waiter: _Waiter) -> None:
        """Leave because the wait was interrupted or over; a place that was given goes to the next."""
        with self._lock:
            if waiter.given:
                self._release()
            elif waiter in self._waiting:
                self._waiting.remove(waiter)

    def _admit(self) -> None:
        stats = self._stats
        stats.in_flight += 1
        stats.admitted += 1
        stats.most_in_flight = max(stats.most_in_flight, stats.in_flight)

    def _release(self) -> None:
        """Hand the place to the first in the queue; the caller holds the lock."""
        self._stats.in_flight -= 1
        while self._waiting:
            waiter = self._waiting.popleft()
            waiter.given = True
            self._admit()
            try:
                waiter.wake()
            except RuntimeError:  # its event loop is closed
                self._stats.in_flight -= 1
                continue
            return

    def _patience(self) -> float:
        """Return how long to wait: not longer than there is time for the call."""
        return max(0.0, min(self._max_wait, deadline() - (self._clock or current_clock()).now()))

    def _full(self) -> BulkheadFull:
        who = f"bulkhead {self.name!r}" if self.name else "the bulkhead"
        return BulkheadFull(f"{who} is full: {self.limit} calls are at work", name=self.name)

    def __repr__(self) -> str:
        stats = self._stats
        return (
            f"Bulkhead({self.name!r}, {stats.in_flight}/{self.limit} in flight, {len(self._waiting)} waiting)"
        )


def bulkhead(
    limit: int,
    *,
    name: str = "",
    max_wait: Seconds = 0.0,
    queue: int | None = None,
    clock: Clock | None = None,
) -> Bulkhead:
    """Return a limit on the calls at work at once: a decorator, a caller, a `with` or `async with`.

    With `max_wait`, up to `queue` calls (default: as many as `limit`) wait so long for a place, first come
    first served, threads and tasks in one line. Raises BulkheadFull.
    """
    if limit < 1:
        raise ValueError(f"bulkhead: limit is {limit}; use at least 1")
    wait = seconds_of(max_wait)
    if not 0.0 <= wait < inf:
        raise ValueError(f"bulkhead: max_wait is {wait}; use a finite number of seconds, at least 0")
    if queue is not None and queue < 0:
        raise ValueError(f"bulkhead: queue is {queue}; use at least 0")
    line = 0 if wait == 0.0 else limit if queue is None else queue
    return Bulkhead(limit, name=name, max_wait=wait, queue=line, clock=clock)
