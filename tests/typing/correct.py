# ruff: noqa: D103
"""What a type checker must see through the decorators; checked by test_typing, never run."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, assert_type

from seawall.resilience import (
    Backoff,
    GracefulDegradation,
    Policy,
    bulkhead,
    fallback,
    get_circuit_breaker,
    pipeline,
    policy,
    retry,
    timeout,
    with_error_handling,
)


@retry(on=ConnectionError, attempts=5, backoff=Backoff.exponential(1, max=30))
def fetch(url: str, *, size: int = 1) -> bytes:
    return url.encode() * size


@retry(on=(ConnectionError, "UNAVAILABLE"))
async def afetch(url: str) -> bytes:
    return url.encode()


assert_type(fetch("x", size=2), bytes)


async def main() -> None:
    assert_type(await afetch("x"), bytes)
    assert_type(await get_circuit_breaker("a").call(afetch, "x"), bytes)
    assert_type(await retry(on=OSError).acall(afetch, "x"), bytes)
    assert_type(await fallback(value=None).call(afetch, "x"), bytes | None)
    async with timeout(1), bulkhead(2), get_circuit_breaker("a"):
        pass
    async for attempt in retry(on=OSError):
        with attempt:
            assert_type(attempt.number, int)


assert_type(get_circuit_breaker("a").call(fetch, "x", size=1), bytes)
assert_type(policy("builtin/read").call(fetch, "x"), bytes)
assert_type(pipeline(timeout(1), retry(on=OSError)).call(fetch, "x"), bytes)
assert_type(Policy(timeout=1).call(fetch, "x"), bytes)


@fallback(value=None)
def maybe(number: int) -> str:
    return str(number)


@fallback(last_good=60)
def kept(number: int) -> str:
    return str(number)


@fallback(value=0)
async def amaybe(number: int) -> str:
    return str(number)


assert_type(maybe(1), str | None)
assert_type(kept(1), str)
assert_type(GracefulDegradation("g", value=0).call(maybe, 1), str | int | None)


async def later() -> None:
    assert_type(await amaybe(1), str | int)


@with_error_handling
def bare(number: int) -> str:
    return str(number)


@with_error_handling(component="c", recover=True)
def configured(number: int) -> str:
    return str(number)


assert_type(bare(1), str)
assert_type(configured(1), str)


class Shop:
    @retry(on=OSError)
    def items(self, user: str) -> list[str]:
        return [user]


assert_type(Shop().items("a"), list[str])

wrapped: Callable[[str], Coroutine[Any, Any, bytes]] = timeout(1)(afetch)
