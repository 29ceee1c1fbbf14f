"""Retries in a process: what is tried again, after which waits, and what a caller sees in the end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from math import inf

import pytest

from seawall.resilience import (
    DATABASE,
    NETWORK,
    RESOURCE,
    Backoff,
    BreakerOpen,
    Budget,
    BulkheadFull,
    RetryClass,
    RetryState,
    Throttle,
    VirtualClock,
    retry,
    timeout,
    virtual_time,
)
from seawall.resilience.backoff import PRESETS


class Failing:
    """Fails with these errors, one after the other, then returns a word."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"

    async def later(self) -> str:
        """Do the same in a coroutine."""
        await asyncio.sleep(0)
        return self()


def test_what_is_named_is_tried_again_until_it_succeeds() -> None:
    """Two failures of the named class, two waits, one result."""
    clock = VirtualClock()
    work = Failing(KeyError("a"), KeyError("b"))
    assert retry(on=KeyError, clock=clock).call(work) == "done"
    assert (work.calls, clock.sleeps) == (3, [0.025, 0.05])


async def test_coroutines_are_tried_again_alike() -> None:
    """The asynchronous form has the same waits."""
    clock = VirtualClock()
    work = Failing(KeyError("a"), KeyError("b"))
    assert await retry(on=KeyError, clock=clock).call(work.later) == "done"
    assert (work.calls, clock.sleeps) == (3, [0.025, 0.05])


def test_what_is_not_named_is_raised_at_once() -> None:
    """Another class than the named one is none of the retry's business, and carries no note."""
    clock = VirtualClock()
    work = Failing(ValueError("no"))
    with pytest.raises(ValueError, match="no") as caught:
        retry(on=KeyError, clock=clock).call(work)
    assert (work.calls, clock.sleeps) == (1, [])
    assert not hasattr(caught.value, "__notes__")


def test_the_last_failure_is_raised_as_it_was_with_a_note() -> None:
    """No wrapper hides the error; a note says how often, how long and why not again."""
    clock = VirtualClock()
    with pytest.raises(KeyError) as caught:
        retry(on=KeyError, attempts=2, clock=clock).call(Failing(KeyError(1), KeyError(2), KeyError(3)))
    assert caught.value.args == (2,)
    assert caught.value.__notes__ == ["seawall: gave up after 2 attempts in 0.025 s: no attempts left"]


def test_an_error_that_is_raised_again_and_again_has_one_note() -> None:
    """An exception object that the application keeps does not grow."""
    error = KeyError(1)
    for _ in range(3):
        with pytest.raises(KeyError):
            retry(on=KeyError, attempts=1 + 1, clock=VirtualClock()).call(Failing(error, error))
    assert len(error.__notes__) == 1


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (ConnectionResetError(), 3),
        (TimeoutError(), 3),
        (OSError("some"), 3),
        (FileNotFoundError(), 1),
        (ValueError(), 1),
        (RuntimeError(), 1),
    ],
)
def test_by_default_what_is_transient_is_tried_again(error: Exception, calls: int) -> None:
    """Without `on`, lost connections and timeouts are repeated, bad input and the unknown are not."""
    work = Failing(error, error)
    try:
        retry(clock=VirtualClock()).call(work)
    except type(error):
        pass
    assert work.calls == calls


def test_the_presets_of_the_sources() -> None:
    """1, 2, 4, 8 s; and five attempts, doubling from 1 s to at most 30 s, with jitter."""
    assert PRESETS["classic"].backoff.waits(4) == [1.0, 2.0, 4.0, 8.0]
    patient = PRESETS["patient"]
    assert patient.attempts == 5
    assert patient.backoff.waits(7, draw=1.0) == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert patient.backoff.waits(3, draw=0.0) == [0.0, 0.0, 0.0]
    clock = VirtualClock()
    with pytest.raises(ConnectionError):
        retry(preset="classic", clock=clock).call(Failing(*[ConnectionError()] * 9))
    assert clock.sleeps == [1.0, 2.0, 4.0]


def test_every_kind_of_backoff() -> None:
    """The shapes, on paper."""
    assert Backoff.constant(2).waits(3) == [2.0, 2.0, 2.0]
    assert Backoff.linear(1).waits(3) == [1.0, 2.0, 3.0]
    assert Backoff.fibonacci(1).waits(5) == [1.0, 1.0, 2.0, 3.0, 5.0]
    assert Backoff.exponential(1, max=5).waits(4) == [1.0, 2.0, 4.0, 5.0]
    assert Backoff.decorrelated(1, max=100).waits(2, draw=0.0) == [1.0, 1.0]
    assert Backoff.constant(timedelta(milliseconds=50)).waits(1) == [0.05]


def test_every_jitter() -> None:
    """Spread to both sides, from nothing, from half, not at all."""
    assert Backoff(initial=1, jitter=0.2).waits(1, draw=0.0) == pytest.approx([0.8])
    assert Backoff(initial=1, jitter="full").waits(1, draw=0.0) == [0.0]
    assert Backoff(initial=1, jitter="full").waits(1, draw=1.0) == [1.0]
    assert Backoff(initial=1, jitter="equal").waits(1, draw=0.0) == pytest.approx([0.5])
    assert Backoff(initial=1, jitter="equal").waits(1, draw=1.0) == pytest.approx([1.0])
    assert Backoff(initial=1, jitter="none").waits(1, draw=0.0) == [1.0]


def test_numbers_that_make_no_sense_are_refused() -> None:
    """A mistake shows where the policy is made."""
    with pytest.raises(ValueError, match="max_attempts"):
        retry(attempts=0)
    with pytest.raises(ValueError, match="jitter"):
        Backoff(jitter="much")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="finite"):
        Backoff(max=inf)
    with pytest.raises(ValueError, match="preset"):
        retry(preset="quikc")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no such gRPC status code"):
        retry(on="UNAVAILBLE")
    with pytest.raises(TypeError, match="no exception class"):
        retry(on=int)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="timeout"):
        retry(timeout=0)


def test_functions_decide_and_may_say_how_long() -> None:
    """True means yes after the usual wait, a number means yes after that many seconds."""
    clock = VirtualClock()

    def ask(error: Exception) -> bool | float:
        return 7.0 if "later" in str(error) else "soon" in str(error)

    work = Failing(ValueError("soon"), ValueError("later"), ValueError("never"))
    with pytest.raises(ValueError, match="never"):
        retry(on=ask, attempts=9, clock=clock).call(work)
    assert clock.sleeps == [0.025, 7.0]


class Rpc(Exception):
    """A failed call as grpc raises it."""

    def __init__(self, name: str, *trailers: tuple[str, str]) -> None:
        super().__init__(name)
        self._name = name
        self._trailers = trailers

    def code(self) -> object:
        """Return something with a name."""
        return type("Code", (), {"name": self._name})()

    def trailing_metadata(self) -> tuple[tuple[str, str], ...]:
        """Return the trailers."""
        return self._trailers


def test_status_codes_by_name_and_by_enumeration() -> None:
    """`on` takes codes, of an exception that carries one and of those that stand for one."""
    import grpc

    for on in ("UNAVAILABLE", grpc.StatusCode.UNAVAILABLE, (grpc.StatusCode.UNAVAILABLE, KeyError)):
        for error in (Rpc("UNAVAILABLE"), ConnectionResetError()):
            work = Failing(error)
            assert retry(on=on, clock=VirtualClock()).call(work) == "done"
        with pytest.raises(Rpc):
            retry(on=on, clock=VirtualClock()).call(Failing(Rpc("INTERNAL")))


def test_the_pushback_of_a_server_is_obeyed() -> None:
    """Its milliseconds are the wait, after which the backoff starts over; a negative one is the end."""
    clock = VirtualClock()
    asked = Rpc("UNAVAILABLE", ("grpc-retry-pushback-ms", "1500"))
    work = Failing(Rpc("UNAVAILABLE"), asked, Rpc("UNAVAILABLE"))
    assert retry(attempts=9, clock=clock).call(work) == "done"
    assert clock.sleeps == [0.025, 1.5, 0.025]
    with pytest.raises(Rpc) as caught:
        retry(attempts=9, clock=clock).call(Failing(Rpc("UNAVAILABLE", ("grpc-retry-pushback-ms", "-1"))))
    assert caught.value.__notes__[0].endswith("the server asked not to retry")


def test_classes_have_settings_of_their_own() -> None:
    """The first class that fits decides about attempts and waits; without `on` nothing else is retried."""
    locked = RetryClass("locked", on=BlockingIOError, attempts=2, backoff=Backoff.constant(9))
    clock = VirtualClock()
    policy = retry(classes=(locked, NETWORK, DATABASE, RESOURCE), clock=clock)
    with pytest.raises(BlockingIOError):
        policy.call(Failing(BlockingIOError(), BlockingIOError()))
    assert clock.sleeps == [9.0]
    work = Failing(*[ConnectionResetError()] * 4)
    assert policy.call(work) == "done"
    assert work.calls == 5
    assert clock.sleeps[1:] == [0.1, 0.2, 0.4, 0.8]
    with pytest.raises(KeyError):
        policy.call(Failing(KeyError()))


def test_memory_and_quota_are_resources() -> None:
    """The resource class waits by the second."""
    clock = VirtualClock()
    assert (
        retry(classes=(RESOURCE,), clock=clock).call(Failing(MemoryError(), Rpc("RESOURCE_EXHAUSTED")))
        == "done"
    )
    assert clock.sleeps == [1.0, 2.0]


def test_no_retry_that_cannot_end_in_time() -> None:
    """Its own timeout and that of the call around it bound the waits."""
    clock = VirtualClock()
    policy = retry(on=KeyError, attempts=9, backoff=Backoff.constant(1), timeout=2.5, clock=clock)
    with pytest.raises(KeyError) as caught:
        policy.call(Failing(*[KeyError()] * 9))
    assert clock.sleeps == [1.0, 1.0]
    assert caught.value.__notes__[0].endswith("no time left for another attempt")
    around = timeout(1.5, clock=clock)
    with pytest.raises(KeyError):
        around.call(policy.call, Failing(*[KeyError()] * 9))
    assert clock.sleeps == [1.0, 1.0, 1.0]


def test_the_budget_bounds_retries_over_all_calls() -> None:
    """Ten retries are paid for by the reserve of a second, no more, until calls have paid for others."""
    clock = VirtualClock()
    budget = Budget(percent=50, min_per_second=1, interval=10)
    policy = retry(on=KeyError, attempts=2, backoff=Backoff.constant(0), budget=budget, clock=clock)
    for _ in range(40):
        with pytest.raises(KeyError):
            policy.call(Failing(KeyError(), KeyError()))
    # A reserve of 10, and half of a retry for each of 40 calls, the last of which has paid for nobody.
    assert policy.stats.retries == 29
    assert policy.stats.gave_up == 40
    assert budget.balance(clock.now()) == pytest.approx(1.0)
    clock.advance(20)
    assert budget.balance(clock.now()) == 10.0


def test_without_a_budget_every_call_may_retry() -> None:
    """None is no budget; the default has room for ten a second."""
    for budget, retries in ((None, 500), (Budget(percent=0, min_per_second=10), 100)):
        policy = retry(
            on=KeyError, attempts=2, backoff=Backoff.constant(0), budget=budget, clock=VirtualClock()
        )
        for _ in range(500):
            with pytest.raises(KeyError):
                policy.call(Failing(KeyError(), KeyError()))
        assert policy.stats.retries == retries


def test_the_throttle_of_grpc() -> None:
    """Retries stop when half of the tokens are gone and come back with successes."""
    throttle = Throttle(max_tokens=4, token_ratio=1)
    policy = retry(
        on=KeyError, attempts=9, backoff=Backoff.constant(0), throttle=throttle, clock=VirtualClock()
    )
    with pytest.raises(KeyError) as caught:
        policy.call(Failing(*[KeyError()] * 9))
    assert throttle.tokens() == 2.0
    assert caught.value.__notes__[0].endswith("retries are throttled")
    assert policy.call(Failing()) == "done"
    assert throttle.tokens() == 3.0


@pytest.mark.parametrize("error", [BreakerOpen(name="b"), BulkheadFull("full")])
def test_what_seawall_refused_is_not_tried_again(error: Exception) -> None:
    """An open breaker burns no retries, whatever `on` says, unless its class is named."""
    for on in (Exception, "UNAVAILABLE", "RESOURCE_EXHAUSTED", lambda _: True, None):
        work = Failing(error)
        with pytest.raises(type(error)):
            retry(on=on, clock=VirtualClock()).call(work)
        assert work.calls == 1
    assert retry(on=type(error), clock=VirtualClock()).call(Failing(error)) == "done"


def test_before_retry_is_told_and_may_end_it() -> None:
    """The hook sees each failure that is followed by a wait; what it raises is raised."""
    clock = VirtualClock()
    told: list[RetryState] = []
    work = Failing(KeyError(1), KeyError(2))
    retry(on=KeyError, before_retry=told.append, clock=clock)(work)()
    assert [(one.attempt, one.wait, one.elapsed, one.error.args) for one in told] == [
        (1, 0.025, 0.0, (1,)),
        (2, 0.05, 0.025, (2,)),
    ]
    assert told[0].name == "Failing"

    def stop(state: RetryState) -> None:
        raise LookupError(state.name)

    with pytest.raises(LookupError):
        retry(on=KeyError, before_retry=stop, clock=clock).call(Failing(KeyError()))


async def test_before_retry_may_be_a_coroutine() -> None:
    """Such as one that fetches a new token."""
    told: list[int] = []

    async def refresh(state: RetryState) -> None:
        await asyncio.sleep(0)
        told.append(state.attempt)

    work = Failing(KeyError())
    assert await retry(on=KeyError, before_retry=refresh, clock=VirtualClock()).call(work.later) == "done"
    assert told == [1]


def test_a_loop_of_attempts() -> None:
    """The body of `with` is the attempt."""
    clock = VirtualClock()
    work = Failing(KeyError(), KeyError())
    numbers, result = [], ""
    for attempt in retry(on=KeyError, clock=clock):
        numbers.append(attempt.number)
        with attempt:
            result = work()
    assert (result, numbers, clock.sleeps) == ("done", [1, 2, 3], [0.025, 0.05])
    with pytest.raises(KeyError):  # noqa: PT012 - the loop is what raises
        for attempt in retry(on=KeyError, attempts=2, clock=clock):
            with attempt:
                raise KeyError
    assert clock.sleeps == [0.025, 0.05, 0.025]


async def test_an_asynchronous_loop_of_attempts() -> None:
    """`async for` waits without blocking."""
    clock = VirtualClock()
    work, result = Failing(KeyError()), ""
    async for attempt in retry(on=KeyError, clock=clock):
        with attempt:
            result = await work.later()
    assert (result, clock.sleeps) == ("done", [0.025])


def test_interruptions_are_not_failures() -> None:
    """Ctrl-C and cancellation pass through at once."""
    for error in (KeyboardInterrupt(), asyncio.CancelledError()):
        calls: list[int] = []

        def work(error: BaseException = error, calls: list[int] = calls) -> None:
            calls.append(1)
            raise error

        with pytest.raises(type(error)):
            retry(on=Exception, clock=VirtualClock()).call(work)
        assert calls == [1]


def test_a_decorated_function_is_still_itself() -> None:
    """Name, docstring and arguments stay."""

    @retry(on=KeyError, clock=VirtualClock())
    def add(a: int, b: int = 1) -> int:
        """Add."""
        return a + b

    assert (add(1), add(1, b=2), add.__name__, add.__doc__) == (2, 3, "add", "Add.")


def test_what_would_protect_nothing_is_refused() -> None:
    """A generator runs later, and so does a coroutine that a plain function returns."""
    policy = retry(on=KeyError)

    def numbers() -> Iterator[int]:
        yield 1

    async def work() -> None:
        pass

    with pytest.raises(TypeError, match="generator"):
        policy(numbers)
    with pytest.raises(TypeError, match="awaitable"):
        _ = policy.call(lambda: work())  # noqa: PLW0108


async def test_anything_awaitable_can_be_called() -> None:
    """`acall` is for what returns an awaitable without being a coroutine function, such as gRPC's stubs."""
    work = Failing(KeyError())
    assert await retry(on=KeyError, clock=VirtualClock()).acall(lambda: work.later()) == "done"  # noqa: PLW0108


def test_virtual_time_reaches_what_was_decorated_before() -> None:
    """A test need not hand a clock to the code under test."""

    @retry(on=KeyError, preset="classic")
    def work(failing: Callable[[], str]) -> str:
        return failing()

    with virtual_time() as clock:
        assert work(Failing(KeyError(), KeyError())) == "done"
        assert clock.sleeps == [1.0, 2.0]


def test_counts() -> None:
    """Statistics say how many calls needed retries, and which were saved by them."""
    policy = retry(on=KeyError, attempts=2, clock=VirtualClock())
    policy.call(Failing())
    policy.call(Failing(KeyError()))
    with pytest.raises(KeyError):
        policy.call(Failing(KeyError(), KeyError()))
    stats = policy.stats
    assert (stats.calls, stats.retries, stats.recovered, stats.gave_up) == (3, 2, 1, 1)


def test_threads_share_a_budget_exactly() -> None:
    """Eight threads take what the reserve has, no more and no less."""
    budget = Budget(percent=0, min_per_second=10, interval=10)
    policy = retry(on=KeyError, attempts=2, backoff=Backoff.constant(0), budget=budget, clock=VirtualClock())

    def hammer() -> None:
        for _ in range(50):
            with pytest.raises(KeyError):
                policy.call(Failing(KeyError(), KeyError()))

    threads = [threading.Thread(target=hammer) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert policy.stats.calls == 400
    assert policy.stats.retries == 100
