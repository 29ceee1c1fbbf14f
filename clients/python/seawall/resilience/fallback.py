"""An answer in place of a failure, and knowing that one lives on it.

@fallback(value=[])
def recommendations(user): ...

feature = GracefulDegradation("recommendations", last_good=300, value=[])
"""

from __future__ import annotations

import inspect
import logging
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, Never, ParamSpec, TypeVar, cast, overload

from seawall.resilience.clock import Clock, Seconds, current_clock, duration_of
from seawall.resilience.exceptions import ExceptionMap, Matcher, On
from seawall.resilience.strategy import CallInfo, Strategy, call_with, decorate

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
V = TypeVar("V")

_log: Final = logging.getLogger("seawall.resilience")

Key = Callable[..., Hashable]
"""Given the arguments of a call; calls with the same key share a last good answer."""


class _Nothing:
    """There is no answer."""


NOTHING: Final = _Nothing()


class Value:
    """Answers with a fixed value."""

    def __init__(self, value: object) -> None:
        self._value = value

    def answer(self, error: Exception, info: CallInfo) -> object:
        """Return the answer."""
        return self._value

    def succeeded(self, result: object, info: CallInfo) -> None:
        """Keep nothing."""


class Calling:
    """Answers with what a function returns that is given the same arguments."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    def answer(self, error: Exception, info: CallInfo) -> object:
        """Return the answer."""
        return self._function(*info.args, **info.kwargs)

    def succeeded(self, result: object, info: CallInfo) -> None:
        """Keep nothing."""


class LastGood:
    """Answers with the last result for the same key, while it is not too old. The least recently used of
    `max_entries` goes first.
    """

    def __init__(
        self, max_age_s: float, *, key: Key | None = None, max_entries: int = 1000, clock: Clock | None = None
    ) -> None:
        if max_entries < 1:
            raise ValueError(f"fallback: max_entries is {max_entries}; use at least 1")
        self._max_age_s = max_age_s
        self._key = key
        self._max_entries = max_entries
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[float, object]] = OrderedDict()

    def answer(self, error: Exception, info: CallInfo) -> object:
        """Return the answer, NOTHING when there is none or it is too old."""
        now = (self._clock or current_clock()).now()
        key = self._key_of(info)
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return NOTHING
            if now - found[0] > self._max_age_s:
                del self._kept[key]
                return NOTHING
            self._kept.move_to_end(key)
            return found[1]

    def succeeded(self, result: object, info: CallInfo) -> None:
        """Keep the result."""
        now = (self._clock or current_clock()).now()
        key = self._key_of(info)
        with self._lock:
            self._kept[key] = (now, result)
            self._kept.move_to_end(key)
            if len(self._kept) > self._max_entries:
                self._kept.popitem(last=False)

    def _key_of(self, info: CallInfo) -> Hashable:
        if self._key is not None:
            return info.name, self._key(*info.args, **info.kwargs)
        key = (info.name, info.args, tuple(sorted(info.kwargs.items())))
        try:
            hash(key)
        except TypeError as error:
            raise TypeError(
                f"{info.name}: the last good answer needs arguments that can be keys; pass fallback(key=...)"
            ) from error
        return key


Source = Value | Calling | LastGood


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of a chain: which failures it answers, and with what."""

    matches: Callable[[Exception], bool]
    source: Source


class Fallback(Strategy, Generic[V]):
    """Answers for failures; `fallback` makes one. The first step that applies and has an answer is used; if
    none has, the failure is raised. What a fallback function raises passes on to the next step.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = tuple(steps)

    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, R]]
    ) -> Callable[P, Coroutine[Any, Any, R | V]]: ...

    @overload
    def __call__(self, function: Callable[P, R]) -> Callable[P, R | V]: ...

    def __call__(self, function: Callable[P, Any]) -> Callable[P, Any]:
        """Decorate a function or coroutine function: its type says that it may return the fallback."""
        return decorate(self, function)

    @overload
    def call(
        self, function: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, R | V]: ...

    @overload
    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R | V: ...

    def call(self, function: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Call a function with a fallback; given a coroutine function, return a coroutine to await."""
        return call_with(self, function, args, kwargs)

    def run(self, work: Callable[[], T], info: CallInfo) -> T:
        """Do the work, or answer for it."""
        try:
            result = work()
        except Exception as error:
            for source in self._sources(error):
                answer = _ask(source, error, info)
                if inspect.isawaitable(answer):
                    if inspect.iscoroutine(answer):
                        answer.close()
                    raise TypeError(f"{info.name} is no coroutine function, its fallback is one") from error
                if answer is not NOTHING:
                    self._answered(error)
                    return cast("T", answer)
            raise
        self._went_well(result, info)
        return result

    async def arun(self, work: Callable[[], Awaitable[T]], info: CallInfo) -> T:
        """Do asynchronous work, or answer for it."""
        try:
            result = await work()
        except Exception as error:
            for source in self._sources(error):
                answer = _ask(source, error, info)
                if inspect.isawaitable(answer):
                    answer = await _awaited(answer, error)
                if answer is not NOTHING:
                    self._answered(error)
                    return cast("T", answer)
            raise
        self._went_well(result, info)
        return result

    def _sources(self, error: Exception) -> list[Source]:
        return [step.source for step in self.steps if step.matches(error)]

    def _answered(self, error: Exception) -> None:
        """Note that a fallback was served."""

    def _went_well(self, result: object, info: CallInfo) -> None:
        """Keep the answer where it may be wanted."""
        for step in self.steps:
            step.source.succeeded(result, info)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(type(step.source).__name__ for step in self.steps)})"


def _ask(source: Source, error: Exception, info: CallInfo) -> object:
    """Return a source's answer, NOTHING when it fails itself: the caller then hears of the first failure."""
    try:
        return source.answer(error, info)
    except Exception as second:  # noqa: BLE001 - told in a note
        error.add_note(f"seawall: the fallback failed too: {type(second).__name__}: {second}")
        return NOTHING


async def _awaited(answer: Awaitable[object], error: Exception) -> object:
    try:
        return await answer
    except Exception as second:  # noqa: BLE001 - told in a note
        error.add_note(f"seawall: the fallback failed too: {type(second).__name__}: {second}")
        return NOTHING


def _steps(
    on: On,
    value: object,
    call: Callable[..., object] | None,
    last_good: Seconds | None,
    key: Key | None,
    max_entries: int,
    exceptions: ExceptionMap | None,
    clock: Clock | None,
) -> list[Step]:
    """Return the chain in its order: the last good answer, a function's, the fixed one."""
    sources: list[Source] = []
    if last_good is not None:
        age = duration_of(last_good, "fallback: last_good")
        sources.append(LastGood(age, key=key, max_entries=max_entries, clock=clock))
    if call is not None:
        sources.append(Calling(call))
    if value is not NOTHING:
        sources.append(Value(value))
    if not sources:
        raise ValueError("fallback: say what to answer with: value=, call= or last_good=")
    if on is Exception:
        return [Step(_any, source) for source in sources]
    matcher = Matcher(on, exceptions)
    return [Step(lambda error: matcher.match(error) is not False, source) for source in sources]


def _any(_error: Exception) -> bool:
    return True


@overload
def fallback(
    *,
    value: V,
    last_good: Seconds | None = None,
    on: On = ...,
    key: Key | None = None,
    max_entries: int = ...,
    exceptions: ExceptionMap | None = None,
    clock: Clock | None = None,
) -> Fallback[V]: ...


@overload
def fallback(
    *,
    call: Callable[..., Coroutine[Any, Any, V]],
    last_good: Seconds | None = None,
    on: On = ...,
    key: Key | None = None,
    max_entries: int = ...,
    exceptions: ExceptionMap | None = None,
    clock: Clock | None = None,
) -> Fallback[V]: ...


@overload
def fallback(
    *,
    call: Callable[..., V],
    last_good: Seconds | None = None,
    on: On = ...,
    key: Key | None = None,
    max_entries: int = ...,
    exceptions: ExceptionMap | None = None,
    clock: Clock | None = None,
) -> Fallback[V]: ...


@overload
def fallback(
    *,
    last_good: Seconds,
    on: On = ...,
    key: Key | None = None,
    max_entries: int = ...,
    exceptions: ExceptionMap | None = None,
    clock: Clock | None = None,
) -> Fallback[Never]: ...


def fallback(
    *,
    value: object = NOTHING,
    call: Callable[..., object] | None = None,
    last_good: Seconds | None = None,
    on: On = Exception,
    key: Key | None = None,
    max_entries: int = 1000,
    exceptions: ExceptionMap | None = None,
    clock: Clock | None = None,
) -> Fallback[Any]:
    """Return an answer in place of failures: a decorator and a caller.

    `last_good` answers with the last result for the same arguments (or the same `key(*args, **kwargs)`) that
    is not older than so many seconds; `call` with what a function returns that is given the same arguments;
    `value` with itself. Of `last_good` with one of the others, `last_good` is asked first. `on` says which
    failures are answered, default every Exception, an open breaker and a passed deadline included.

    Kept results are not copied: do not change what you were given.
    """
    return Fallback(_steps(on, value, call, last_good, key, max_entries, exceptions, clock))


@dataclass(frozen=True, slots=True)
class DegradationState:
    """Whether a feature lives on its fallback."""

    name: str
    degraded: bool
    since: float | None
    """Monotonic seconds of the first fallback of this episode; None while all is well."""
    count: int
    """Fallbacks of this episode."""
    episodes: int
    """Times that it began."""
    total: int
    """Fallbacks in all."""
    last_error: str
    """Class and text of the last failure that was answered; stays after the recovery."""


DegradationListener = Callable[[DegradationState], object]


class GracefulDegradation(Fallback[V]):
    """A fallback that knows whether it is needed.

    The first fallback begins an episode; `recovered_after` successes in a row end it, and a failure in
    between starts their count again. Listeners are told of the beginning and of the end.
    """

    @overload
    def __init__(
        self,
        name: str,
        *,
        value: V,
        last_good: Seconds | None = None,
        recovered_after: int = ...,
        on: On = ...,
        key: Key | None = None,
        clock: Clock | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self,
        name: str,
        *,
        call: Callable[..., V],
        last_good: Seconds | None = None,
        recovered_after: int = ...,
        on: On = ...,
        key: Key | None = None,
        clock: Clock | None = None,
    ) -> None: ...

    def __init__(
        self,
        name: str,
        *,
        value: object = NOTHING,
        call: Callable[..., object] | None = None,
        last_good: Seconds | None = None,
        recovered_after: int = 3,
        on: On = Exception,
        key: Key | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(_steps(on, value, call, last_good, key, 1000, None, clock))
        if recovered_after < 1:
            raise ValueError(f"degradation: recovered_after is {recovered_after}; use at least 1")
        self.name: Final = name
        self._recovered_after = recovered_after
        self._clock = clock
        self._lock = threading.Lock()
        self._state = DegradationState(name, False, None, 0, 0, 0, "")
        self._good = 0
        self._listeners: tuple[DegradationListener, ...] = ()

    @property
    def state(self) -> DegradationState:
        """Return the state at this moment."""
        return self._state

    @property
    def degraded(self) -> bool:
        """Tell whether the last calls lived on the fallback."""
        return self._state.degraded

    def on_change(self, listener: DegradationListener) -> None:
        """Call `listener` when an episode begins and when it ends; what it raises is logged."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

    def _answered(self, error: Exception) -> None:
        now = (self._clock or current_clock()).now()
        with self._lock:
            before = self._state
            self._good = 0
            self._state = after = replace(
                before,
                degraded=True,
                since=before.since if before.degraded else now,
                count=before.count + 1 if before.degraded else 1,
                episodes=before.episodes + (not before.degraded),
                total=before.total + 1,
                last_error=f"{type(error).__name__}: {error}"[:500],
            )
        if not before.degraded:
            self._tell(after)

    def _went_well(self, result: object, info: CallInfo) -> None:
        super()._went_well(result, info)
        if not self.degraded:
            return
        with self._lock:
            before = self._state
            self._good += 1
            if not before.degraded or self._good < self._recovered_after:
                return
            self._state = after = replace(before, degraded=False, since=None, count=0)
        self._tell(after)

    def _tell(self, state: DegradationState) -> None:
        for listener in self._listeners:
            try:
                listener(state)
            except Exception:  # noqa: BLE001 - a listener only looks on
                _log.exception("a listener of %r failed", self.name)

    def __repr__(self) -> str:
        state = self._state
        word = "degraded" if state.degraded else "well"
        return f"GracefulDegradation({self.name!r}, {word}, total={state.total})"
