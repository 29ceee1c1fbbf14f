"""What all policies have in common: a decorator, `call` and `acall`, and, where it makes sense, `with`.

A policy wraps work and knows nothing of what the work is. `run` and `arun` say the same thing twice, once
for each kind of function; everything that decides is shared between the two.
"""

from __future__ import annotations

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, ParamSpec, Self, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class CallInfo:
    """Which function was called, and with what."""

    __slots__ = ("args", "kwargs", "name")

    def __init__(
        self, name: str, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> None:
        self.name = name
        self.args = args
        self.kwargs: Mapping[str, Any] = {} if kwargs is None else kwargs


BLOCK: Final = CallInfo("block")
"""The body of a `with`."""


class Strategy(ABC):
    """A policy around a call."""

    @abstractmethod
    def run(self, work: Callable[[], T], info: CallInfo) -> T:
        """Do the work under this policy."""

    @abstractmethod
    async def arun(self, work: Callable[[], Awaitable[T]], info: CallInfo) -> T:
        """Do asynchronous work under this policy."""


class Wrapper(Strategy):
    """A policy that returns what the function returns."""

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function or coroutine function; its signature stays what it was."""
        return decorate(self, function)

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function under this policy; given a coroutine function, return a coroutine to await."""
        return call_with(self, function, args, kwargs)

    async def acall(self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call anything that returns an awaitable, such as a method of a gRPC stub."""
        return await self.arun(lambda: function(*args, **kwargs), CallInfo(name_of(function), args, kwargs))


class Scoped(Wrapper):
    """A policy that is asked before the work and told its end, so that it may also be a `with` block.

    One object may be entered by many threads and tasks at once.
    """

    @abstractmethod
    def _enter(self) -> object:
        """Ask; return what `_exit` needs, or raise."""

    @abstractmethod
    def _exit(self, held: object, error: BaseException | None) -> None:
        """Tell how it ended; may raise another error in place of `error`."""

    async def _aenter(self) -> object:
        return self._enter()

    async def _aexit(self, held: object, error: BaseException | None) -> None:
        self._exit(held, error)

    def run(self, work: Callable[[], T], info: CallInfo) -> T:
        """Do the work under this policy."""
        held = self._enter()
        try:
            result = work()
        except BaseException as error:
            self._exit(held, error)
            raise
        self._exit(held, None)
        return result

    async def arun(self, work: Callable[[], Awaitable[T]], info: CallInfo) -> T:
        """Do asynchronous work under this policy."""
        held = await self._aenter()
        try:
            result = await work()
        except BaseException as error:
            await self._aexit(held, error)
            raise
        await self._aexit(held, None)
        return result

    def __enter__(self) -> Self:
        _hold(self, self._enter())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit(_let_go(self), error)

    async def __aenter__(self) -> Self:
        _hold(self, await self._aenter())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._aexit(_let_go(self), error)


# What the blocks of this thread or task hold, outermost first. One variable for all policies: context
# variables are never freed.
_held: ContextVar[tuple[tuple[Scoped, object], ...]] = ContextVar("seawall_held", default=())


def _hold(owner: Scoped, held: object) -> None:
    _held.set((*_held.get(), (owner, held)))


def _let_go(owner: Scoped) -> object:
    stack = _held.get()
    for index in range(len(stack) - 1, -1, -1):
        if stack[index][0] is owner:
            _held.set(stack[:index] + stack[index + 1 :])
            return stack[index][1]
    raise RuntimeError(f"{owner!r} is left in another thread or task than it was entered in")


def decorate(strategy: Strategy, function: Callable[P, R]) -> Callable[P, R]:
    """Return the function under a policy."""
    name = name_of(function)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"{name} is a generator function, whose body runs after the call; protect what its body calls"
        )
    if is_async(function):

        @functools.wraps(function)
        async def asynchronous(*args: P.args, **kwargs: P.kwargs) -> Any:
            work = cast("Callable[P, Awaitable[Any]]", function)
            return await strategy.arun(lambda: work(*args, **kwargs), CallInfo(name, args, kwargs))

        return cast("Callable[P, R]", asynchronous)

    @functools.wraps(function)
    def synchronous(*args: P.args, **kwargs: P.kwargs) -> R:
        return strategy.run(lambda: _plain(function(*args, **kwargs), name), CallInfo(name, args, kwargs))

    return synchronous


def call_with(
    strategy: Strategy, function: Callable[..., R], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> R:
    """Call a function under a policy; given a coroutine function, return a coroutine to await."""
    name = name_of(function)
    info = CallInfo(name, args, kwargs)
    if is_async(function):
        work = cast("Callable[..., Awaitable[Any]]", function)
        return cast("R", strategy.arun(lambda: work(*args, **kwargs), info))
    return strategy.run(lambda: _plain(function(*args, **kwargs), name), info)


def is_async(function: Callable[..., object]) -> bool:
    """Tell whether calling it gives a coroutine."""
    if inspect.iscoroutinefunction(function):
        return True
    if isinstance(function, functools.partial):
        return is_async(function.func)
    return not inspect.isroutine(function) and inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - the method itself is looked at
    )


def name_of(function: object) -> str:
    """Return how a function is called in messages and statistics."""
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__qualname__", None)
    return name if isinstance(name, str) else type(function).__name__


def _plain(result: R, name: str) -> R:
    """Return the result unless the work has yet to be awaited: then nothing was protected."""
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        raise TypeError(f"{name} returned an awaitable; use `await policy.acall(...)` or an `async def`")
    return result
