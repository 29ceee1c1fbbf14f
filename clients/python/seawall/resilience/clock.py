"""Time and chance, told from outside: the only place of this package that reads a clock or throws dice.

Everything here asks the clock of its constructor, or else the one of the context: the real one, or a
`VirtualClock` inside `virtual_time()`. A test that uses it neither sleeps nor depends on luck.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from contextvars import ContextVar, Token
from datetime import timedelta
from math import inf, isfinite
from types import TracebackType
from typing import Final, Protocol, Self

Seconds = float | timedelta
"""A length of time: seconds, or a timedelta."""


class Expiry(Protocol):
    """The scope that `Clock.expire_at` opens."""

    def expired(self) -> bool:
        """Tell whether the time has run out inside the scope."""


class Clock(Protocol):
    """What time it is, how to wait, and a number that nobody can foresee."""

    def now(self) -> float:
        """Return monotonic seconds."""

    def draw(self) -> float:
        """Return a random number in [0, 1)."""

    def sleep(self, seconds: float) -> None:
        """Wait, blocking the thread."""

    async def asleep(self, seconds: float) -> None:
        """Wait, letting other tasks run."""

    def expire_at(self, deadline: float) -> AbstractAsyncContextManager[Expiry]:
        """Return a scope whose body is cancelled at `deadline`, which then raises TimeoutError."""


class SystemClock:
    """The real time."""

    def __init__(self) -> None:
        self._dice = random.Random()

    def now(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    def draw(self) -> float:
        """Return a random number in [0, 1)."""
        return self._dice.random()

    def sleep(self, seconds: float) -> None:
        """Wait, blocking the thread."""
        time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """Wait, letting other tasks run."""
        await asyncio.sleep(seconds)

    def expire_at(self, deadline: float) -> AbstractAsyncContextManager[Expiry]:
        """Return a scope of asyncio that ends at `deadline`."""
        if deadline == inf:
            return asyncio.timeout(None)
        loop = asyncio.get_running_loop()
        return asyncio.timeout_at(loop.time() + (deadline - self.now()))


class VirtualClock:
    """A time that only passes when somebody sleeps or calls `advance`; nothing ever waits.

    `draws` are the numbers that the dice show, over and over; by default always 0.5, which is no jitter at
    all. `sleeps` lists what was slept. Tasks that sleep at the same time sleep one after the other.
    """

    def __init__(self, start: float = 0.0, *, draws: Iterable[float] = (0.5,)) -> None:
        self.sleeps: list[float] = []
        self._now = start
        self._draws = tuple(draws)
        self._drawn = 0
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return the seconds on this clock."""
        return self._now

    def draw(self) -> float:
        """Return the next of the draws."""
        with self._lock:
            self._drawn += 1
            return self._draws[(self._drawn - 1) % len(self._draws)]

    def advance(self, seconds: Seconds) -> None:
        """Let time pass."""
        with self._lock:
            self._now += seconds_of(seconds)

    def sleep(self, seconds: float) -> None:
        """Note the wait and let it pass at once."""
        with self._lock:
            self.sleeps.append(seconds)
            self._now += seconds

    async def asleep(self, seconds: float) -> None:
        """Note the wait and let it pass, up to the first scope that ends before it is over."""
        scopes = [scope for scope in _scopes.get() if scope.clock is self]
        first = min(scopes, key=lambda scope: scope.deadline, default=None)
        await asyncio.sleep(0)
        with self._lock:
            if first is None or self._now + seconds < first.deadline:
                self.sleeps.append(seconds)
                self._now += seconds
                return
            self.sleeps.append(max(0.0, first.deadline - self._now))
            self._now = max(self._now, first.deadline)
        first.fired = True
        raise asyncio.CancelledError

    def expire_at(self, deadline: float) -> AbstractAsyncContextManager[Expiry]:
        """Return a scope whose body is cancelled when it sleeps past `deadline`."""
        return _VirtualScope(self, deadline)

    def __repr__(self) -> str:
        return f"VirtualClock(now={self._now})"


class _VirtualScope:
    """The counterpart of asyncio.timeout on a virtual clock."""

    def __init__(self, clock: VirtualClock, deadline: float) -> None:
        self.clock = clock
        self.deadline = deadline
        self.fired = False
        self._token: Token[tuple[_VirtualScope, ...]] | None = None

    def expired(self) -> bool:
        return self.fired

    async def __aenter__(self) -> Self:
        self._token = _scopes.set((*_scopes.get(), self))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            _scopes.reset(self._token)
        if self.fired and isinstance(error, asyncio.CancelledError):
            raise TimeoutError from error


_scopes: ContextVar[tuple[_VirtualScope, ...]] = ContextVar("seawall_virtual_scopes", default=())

SYSTEM: Final = SystemClock()

_current: ContextVar[Clock] = ContextVar("seawall_clock", default=SYSTEM)


def current_clock() -> Clock:
    """Return the clock of this context: the real one unless `virtual_time` says otherwise."""
    return _current.get()


@contextmanager
def virtual_time(start: float | None = None, *, draws: Iterable[float] = (0.5,)) -> Iterator[VirtualClock]:
    """Use a virtual clock in the body, everywhere in this thread or task that was given no clock of its own.

        with virtual_time() as clock:
            fetch()                              # its retries wait on the virtual clock
            assert clock.sleeps == [1.0, 2.0]

    `start` is by default the real time, so that what began before goes on.
    """
    clock = VirtualClock(SYSTEM.now() if start is None else start, draws=draws)
    token = _current.set(clock)
    try:
        yield clock
    finally:
        _current.reset(token)


def seconds_of(value: Seconds) -> float:
    """Return a length of time in seconds."""
    return value.total_seconds() if isinstance(value, timedelta) else float(value)


def duration_of(value: Seconds, what: str) -> float:
    """Return a length of time above 0 in seconds; ValueError names `what` otherwise."""
    seconds = seconds_of(value)
    if not (seconds > 0.0 and isfinite(seconds)):
        raise ValueError(f"{what} is {seconds}; use a finite number of seconds above 0")
    return seconds
