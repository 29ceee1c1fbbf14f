"""Answers in place of failures, and knowing that one lives on them."""

from __future__ import annotations

import asyncio

import pytest

from seawall.resilience import (
    BreakerOpen,
    DegradationState,
    GracefulDegradation,
    VirtualClock,
    fallback,
)


class Service:
    """Fails while it is down."""

    def __init__(self) -> None:
        self.down = True

    def items(self, user: str, *, page: int = 1) -> list[str]:
        """Return items."""
        if self.down:
            raise ConnectionError("down")
        return [user, str(page)]

    async def aitems(self, user: str) -> list[str]:
        """Return items."""
        await asyncio.sleep(0)
        return self.items(user)


def broken(_: object) -> None:
    """Fail."""
    raise KeyError("x")


def test_a_value_stands_in() -> None:
    """For every Exception, an open breaker included; interruptions pass through."""
    service = Service()
    assert fallback(value=[]).call(service.items, "a") == []

    @fallback(value=None)
    def rejected() -> int:
        raise BreakerOpen(name="b")

    assert rejected() is None

    @fallback(value=None)
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()


async def test_coroutines_fall_back_alike() -> None:
    """To a value, or to what a coroutine function returns."""
    service = Service()
    assert await fallback(value=["v"]).call(service.aitems, "a") == ["v"]

    async def cached(user: str) -> list[str]:
        await asyncio.sleep(0)
        return [f"cached {user}"]

    assert await fallback(call=cached)(service.aitems)("a") == ["cached a"]


def test_a_function_is_given_the_same_arguments() -> None:
    """And what it raises leaves the first failure, with a note."""
    service = Service()
    assert fallback(call=lambda user, page: [user, page]).call(service.items, "a", page=2) == ["a", 2]

    def broken(*_: object, **__: object) -> list[str]:
        raise KeyError("cache")

    with pytest.raises(ConnectionError) as caught:
        fallback(call=broken).call(service.items, "a")
    assert caught.value.__notes__ == ["seawall: the fallback failed too: KeyError: 'cache'"]


def test_the_last_good_answer_of_the_same_call() -> None:
    """By arguments, up to its age; then the next one of the chain."""
    clock = VirtualClock()
    service = Service()
    items = fallback(last_good=60, value=["none"], clock=clock)(service.items)
    assert items("a") == ["none"]
    service.down = False
    assert items("a") == ["a", "1"]
    service.down = True
    assert items("a") == ["a", "1"]
    assert items("b") == ["none"]
    assert items("a", page=2) == ["none"]
    clock.advance(60)
    assert items("a") == ["a", "1"]
    clock.advance(0.001)
    assert items("a") == ["none"]


def test_keys_of_ones_own() -> None:
    """What cannot be a key needs a function; the least recently used answer goes first."""
    service = Service()
    service.down = False

    def total(numbers: list[int]) -> int:
        if service.down:
            raise ConnectionError
        return sum(numbers)

    with pytest.raises(TypeError, match="key="):
        fallback(last_good=60)(total)([1])
    kept = fallback(last_good=60, key=lambda numbers: len(numbers), max_entries=2)(total)  # noqa: PLW0108
    assert [kept([1]), kept([1, 2]), kept([3]), kept([1, 2, 3])] == [1, 3, 3, 6]
    service.down = True
    assert [kept([0]), kept([0, 0, 0])] == [3, 6]
    with pytest.raises(ConnectionError):
        kept([0, 0])


def test_only_what_is_named_is_answered() -> None:
    """By class or by status code."""
    service = Service()
    assert fallback(value=[], on="UNAVAILABLE").call(service.items, "a") == []
    with pytest.raises(ConnectionError):
        fallback(value=[], on=(ValueError, "INTERNAL")).call(service.items, "a")


def test_there_has_to_be_an_answer() -> None:
    """And an asynchronous one cannot answer for a plain function."""
    with pytest.raises(ValueError, match="what to answer with"):
        fallback()  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="last_good"):
        fallback(last_good=0)

    async def cached(user: str) -> list[str]:
        return [user]

    with pytest.raises(TypeError, match="no coroutine function"):
        fallback(call=cached).call(Service().items, "a")


def test_degradation_begins_and_ends() -> None:
    """The first fallback begins it, three good calls in a row end it; both are told, with the count."""
    clock = VirtualClock(start=100.0)
    service = Service()
    heard: list[DegradationState] = []
    feature = GracefulDegradation("items", value=["none"], clock=clock)
    feature.on_change(heard.append)
    feature.on_change(broken)
    items = feature(service.items)
    assert not feature.degraded
    items("a")
    clock.advance(1)
    items("a")
    state = feature.state
    assert (state.degraded, state.since, state.count) == (True, 100.0, 2)
    assert state.last_error == "ConnectionError: down"
    service.down = False
    items("a")
    items("a")
    service.down = True
    items("a")
    service.down = False
    assert [items("a"), feature.degraded] == [["a", "1"], True]
    items("a")
    items("a")
    assert not feature.degraded
    assert [(one.degraded, one.count) for one in heard] == [(True, 1), (False, 0)]
    assert (feature.state.episodes, feature.state.total) == (1, 3)
    service.down = True
    items("a")
    assert (feature.state.episodes, feature.state.count, feature.state.total) == (2, 1, 4)


async def test_degradation_of_coroutines() -> None:
    """The same state from asynchronous calls, with the last good answer first."""
    clock = VirtualClock()
    service = Service()
    feature = GracefulDegradation("items", last_good=60, value=["none"], recovered_after=1, clock=clock)
    items = feature(service.aitems)
    service.down = False
    await items("a")
    service.down = True
    assert await items("a") == ["a", "1"]
    assert feature.degraded
    service.down = False
    await items("a")
    assert not feature.degraded
