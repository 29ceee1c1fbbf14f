"""Circuit breakers by name, over the engine that the proxy breaks with.

    payments = get_circuit_breaker("payments")       # opens after 5 failures in a row, for 60 s

    @payments
    def charge(order): ...

A permit carries the epoch in which it was given, so a call that began before a change of state teaches
nothing after it, and exactly as many probes as allowed are under way while the breaker is half open,
whatever the threads do. Every look at the engine is under one lock and takes about a microsecond; nothing of
yours is called under it.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from typing import Final, NamedTuple

from seawall.resilience.clock import Clock, Seconds, current_clock, duration_of
from seawall.resilience.errors import BreakerOpen
from seawall.resilience.exceptions import ExceptionMap, Matcher, On, exception_map
from seawall.resilience.strategy import Scoped
from seawall_policy import status
from seawall_policy.breaker import REJECTED, Breaker, BreakerOptions, BreakerSnapshot, State

_log: Final = logging.getLogger("seawall.resilience")

MAX_BREAKERS: Final = 10_000
"""Names in one registry: a name for each user or order is a mistake that would only show as memory."""


@dataclass(frozen=True, slots=True)
class BreakerChange:
    """One change of state, with the counts that were looked at."""

    name: str
    before: State
    after: State
    at: float
    """Monotonic seconds."""
    trigger: str
    """`consecutive`, `failure_rate`, `slow_call_rate`, `cooled_down`, `probes_passed`, `probes_failed`,
    `probe_timeout`, or the reason that a person gave."""
    calls: int
    failures: int
    slow: int


BreakerListener = Callable[[BreakerChange], object]
"""Called in the order of the changes, outside every lock. What it raises is logged and goes no further."""


class Permit(NamedTuple):
    """The right to make one call: the epoch that it was given in, and when."""

    epoch: int
    since: float


class CircuitBreaker(Scoped):
    """One breaker. As decorator, `with` and `call` it raises `BreakerOpen` instead of calling what it expects
    to fail.
    """

    def __init__(
        self,
        name: str,
        options: BreakerOptions,
        *,
        on: On | None = None,
        ignore: On = (),
        exceptions: ExceptionMap | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.name: Final = name
        self._on = None if on is None else Matcher(on, exceptions)
        self._ignore = Matcher(ignore, exceptions)
        self._exceptions = exceptions or exception_map
        self._clock = clock
        self._lock = threading.Lock()
        self._engine = Breaker(options, self._draw)
        self._listeners: tuple[BreakerListener, ...] = ()
        self._waiting: deque[BreakerChange] = deque()
        self._telling = False

    # -- looking at it

    @property
    def options(self) -> BreakerOptions:
        """Return the settings."""
        return self._engine.options

    @property
    def state(self) -> State:
        """Return the state; an open breaker whose time is up is half open."""
        now = self._now()
        with self._lock:
            self._engine.handle_timer(now)
            state = State(self._engine.state)
            self._collect()
        self._tell()
        return state

    def retry_after(self) -> float:
        """Return the seconds after which a rejected caller may come back; 0.0 when nothing is rejected."""
        now = self._now()
        with self._lock:
            return self._engine.retry_after(now)

    def snapshot(self) -> BreakerSnapshot:
        """Return all values at this moment: state, since, trigger, counts, permits."""
        now = self._now()
        with self._lock:
            self._engine.handle_timer(now)
            self._engine.window.expire(now)
            found = BreakerSnapshot(self._engine)
            self._collect()
        self._tell()
        return found

    def on_transition(self, listener: BreakerListener) -> Callable[[], None]:
        """Call `listener` for each change of state from now on; return what ends that."""
        with self._lock:
            self._listeners = (*self._listeners, listener)
        return lambda: self.remove_listener(listener)

    def remove_listener(self, listener: BreakerListener) -> None:
        """Tell a listener nothing more."""
        with self._lock:
            self._listeners = tuple(one for one in self._listeners if one is not listener)

    # -- by hand

    def trip(self, duration: Seconds | None = None, *, reason: str = "manual") -> None:
        """Open by hand: for a time, then probe; without one until `reset`."""
        for_s = inf if duration is None else duration_of(duration, "trip: duration")
        self._by_hand(lambda engine, now: engine.trip(now, for_s, reason))

    def reset(self, *, reason: str = "reset") -> None:
        """Close and forget everything."""
        self._by_hand(lambda engine, now: engine.reset(now, reason))

    def disable(self, *, reason: str = "disabled") -> None:
        """Let everything pass unwatched until `reset`."""
        self._by_hand(lambda engine, now: engine.disable(now, reason))

    def metrics_only(self, *, reason: str = "metrics_only") -> None:
        """Watch and count, never reject, until `reset`."""
        self._by_hand(lambda engine, now: engine.metrics_only(now, reason))

    def configure(self, options: BreakerOptions) -> None:
        """Go on under other settings: state, permits and counters stay."""
        now = self._now()
        with self._lock:
            engine = Breaker(options, self._draw)
            engine.carry_over(self._engine, now)
            self._engine = engine
            self._collect()
        self._tell()

    # -- the life of a permit

    def acquire(self) -> Permit:
        """Return a permit for work that is no function and no block; `settle` it exactly once. Raises
        BreakerOpen when there is none.
        """
        return self._enter()

    def settle(self, permit: Permit, error: BaseException | None = None) -> None:
        """Give a permit back with the failure, or None for success."""
        self._exit(permit, error)

    def _enter(self) -> Permit:
        now = self._now()
        with self._lock:
            engine = self._engine
            epoch = engine.admit(now)
            after = engine.retry_after(now) if epoch == REJECTED else 0.0
            self._collect()
        if self._waiting:
            self._tell()
        if epoch == REJECTED:
            raise BreakerOpen(name=self.name, retry_after=after)
        return Permit(epoch, now)

    def _exit(self, held: object, error: BaseException | None) -> None:
        assert isinstance(held, Permit)
        code = status.OK if error is None else self._judge(error)
        now = self._now()
        with self._lock:
            if code == status.CANCELLED:
                self._engine.release(held.epoch, now)
            else:
                self._engine.record(held.epoch, code, now - held.since, now)
            self._collect()
        if self._waiting:
            self._tell()

    def _judge(self, error: BaseException) -> int:
        """Return the code that a failure is recorded with; CANCELLED for one that says nothing."""
        if not isinstance(error, Exception) or self._ignore.match(error) is not False:
            return status.CANCELLED
        code = self._exceptions.code(error)
        if self._on is None:
            return code
        if self._on.match(error) is False:
            return status.CANCELLED
        # What is named is a failure, whatever its code.
        return code if (self._engine.options.failure_mask >> code) & 1 else status.UNKNOWN

    def _by_hand(self, do: Callable[[Breaker, float], None]) -> None:
        now = self._now()
        with self._lock:
            do(self._engine, now)
            self._collect()
        self._tell()

    def _now(self) -> float:
        return (self._clock or current_clock()).now()

    def _draw(self) -> float:
        return (self._clock or current_clock()).draw()

    def _collect(self) -> None:
        """Keep the engine's changes for the listeners; the caller holds the lock."""
        if not self._engine.has_transitions():
            return
        for one in self._engine.take_transitions():
            change = BreakerChange(
                self.name,
                State(one.from_state),
                State(one.to_state),
                one.at,
                one.trigger,
                one.calls,
                one.failures,
                one.slow,
            )
            self._waiting.append(change)

    def _tell(self) -> None:
        """Call the listeners, one change after the other: whoever comes second leaves it to the first."""
        while True:
            with self._lock:
                if self._telling or not self._waiting:
                    return
                self._telling = True
                change = self._waiting.popleft()
                listeners = self._listeners
            try:
                for listener in listeners:
                    _call(listener, change)
            finally:
                self._telling = False

    def __repr__(self) -> str:
        return f"CircuitBreaker({self.name!r}, {State(self._engine.state).name})"


def _call(listener: BreakerListener, change: BreakerChange) -> None:
    try:
        listener(change)
    except Exception:  # noqa: BLE001 - a listener only looks on
        _log.exception("a listener of circuit breaker %r failed", change.name)


def classic(
    *,
    threshold: int = 5,
    timeout: Seconds = 60.0,
    success_threshold: int = 3,
    half_open_calls: int = 1,
    failure_rate: float = 0.0,
    min_calls: int = 20,
    window: int = 100,
    slow_after: Seconds | None = None,
    slow_rate: float = 100.0,
) -> BreakerOptions:
    """Return the settings of a breaker that opens after `threshold` failures in a row, for `timeout`.

    While half open, `half_open_calls` probes may be under way, and `success_threshold` successes close it.
    `failure_rate` above 0 opens it as well when so many per cent of the last `window` calls have failed (of
    at least `min_calls`); `threshold` 0 leaves the rate alone to decide. With `slow_after`, `slow_rate` per
    cent of calls that take so long open it too.
    """
    open_s = duration_of(timeout, "breaker: timeout")
    return BreakerOptions(
        kind="count",
        size=window,
        min_calls=min_calls,
        failure_rate=failure_rate,
        consecutive=threshold,
        slow_call_duration_s=inf if slow_after is None else duration_of(slow_after, "breaker: slow_after"),
        slow_call_rate=slow_rate if slow_after is not None else 0.0,
        open_for_s=open_s,
        open_for_max_s=open_s,
        half_open_calls=half_open_calls,
        success_threshold=success_threshold,
    )


class BreakerRegistry:
    """Breakers by name. Looking one up makes it; `add` makes one with settings of its own, at any time."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._by_name: dict[str, CircuitBreaker] = {}
        self._listeners: tuple[BreakerListener, ...] = ()

    def add(  # noqa: PLR0913 - one keyword per setting
        self,
        name: str,
        *,
        threshold: int = 5,
        timeout: Seconds = 60.0,
        success_threshold: int = 3,
        half_open_calls: int = 1,
        failure_rate: float = 0.0,
        min_calls: int = 20,
        window: int = 100,
        slow_after: Seconds | None = None,
        slow_rate: float = 100.0,
        on: On | None = None,
        ignore: On = (),
        options: BreakerOptions | None = None,
        replace: bool = False,
    ) -> CircuitBreaker:
        """Make a breaker with these settings (`classic` explains them), or with the engine's `options`.

        `on` says which failures count; without it the engine's codes, which leave out what only another
        request can cure (ValueError, NOT_FOUND ...). `ignore` wins over it. ValueError if the name is
        taken, unless `replace`: then the breaker of that name goes on under the new settings, with its state
        and with the failures that it counted before.
        """
        chosen = options or classic(
            threshold=threshold,
            timeout=timeout,
            success_threshold=success_threshold,
            half_open_calls=half_open_calls,
            failure_rate=failure_rate,
            min_calls=min_calls,
            window=window,
            slow_after=slow_after,
            slow_rate=slow_rate,
        )
        with self._lock:
            found = self._by_name.get(name)
            if found is None:
                return self._make(name, chosen, on, ignore)
        if not replace:
            raise ValueError(f"there is a breaker {name!r}; pass replace=True to change its settings")
        found.configure(chosen)
        return found

    def get(self, name: str) -> CircuitBreaker:
        """Return the breaker of this name, made with the classic settings if there is none."""
        with self._lock:
            return self._by_name.get(name) or self._make(name, classic(), None, ())

    def remove(self, name: str) -> None:
        """Forget a breaker; who still holds it may go on using it."""
        with self._lock:
            self._by_name.pop(name, None)

    def reset_all(self) -> None:
        """Close every breaker."""
        for one in self:
            one.reset()

    def states(self) -> dict[str, State]:
        """Return the state of each breaker by name."""
        return {one.name: one.state for one in self}

    def on_transition(self, listener: BreakerListener) -> Callable[[], None]:
        """Call `listener` for each change of every breaker, those to come included; return what ends that."""
        with self._lock:
            self._listeners = (*self._listeners, listener)
        for one in self:
            one.on_transition(listener)

        def unsubscribe() -> None:
            with self._lock:
                self._listeners = tuple(one for one in self._listeners if one is not listener)
            for one in self:
                one.remove_listener(listener)

        return unsubscribe

    def __getitem__(self, name: str) -> CircuitBreaker:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[CircuitBreaker]:
        with self._lock:
            return iter(list(self._by_name.values()))

    def __len__(self) -> int:
        return len(self._by_name)

    def _make(self, name: str, options: BreakerOptions, on: On | None, ignore: On) -> CircuitBreaker:
        if len(self._by_name) >= MAX_BREAKERS:
            raise ValueError(
                f"there are {MAX_BREAKERS} breakers; name them after services, not after requests"
            )
        made = CircuitBreaker(name, options, on=on, ignore=ignore, clock=self._clock)
        for listener in self._listeners:
            made.on_transition(listener)
        self._by_name[name] = made
        return made


breakers: Final = BreakerRegistry()
"""The breakers of this process."""


def get_circuit_breaker(name: str) -> CircuitBreaker:
    """Return the breaker of this name: made on first use, it opens after 5 failures in a row for 60 s and
    closes after 3 successes. `breakers.add(name, ...)` makes one with other settings.
    """
    return breakers.get(name)
