"""A retry in a process does what the engine decides, call by call, and what a naive loop would do."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from math import inf
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.resilience import Backoff, Budget, Retry, VirtualClock, retry
from seawall_policy import retry as engine
from seawall_policy import status
from seawall_policy.budget import BudgetOptions, RetryBudget


class Failed(Exception):
    """An attempt that failed with a code, and perhaps a pushback in milliseconds."""

    def __init__(self, code: int, pushback: str | None) -> None:
        super().__init__(status.NAMES[code])
        self.code = status.NAMES[code]
        self._pushback = pushback

    def trailing_metadata(self) -> tuple[tuple[str, str], ...]:
        """Return the trailers."""
        return () if self._pushback is None else (("grpc-retry-pushback-ms", self._pushback),)


@dataclass(frozen=True)
class Plan:
    """One call: what each attempt does (None: it succeeds) and how long it takes."""

    attempts: tuple[tuple[Failed | None, float], ...]


codes = st.sampled_from(
    [status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.INTERNAL, status.RESOURCE_EXHAUSTED]
)
pushbacks = st.sampled_from([None, None, None, "0", "500", "-1", "soon"])
outcomes = st.one_of(st.none(), st.builds(Failed, codes, pushbacks), st.builds(Failed, codes, pushbacks))
plans = st.lists(st.tuples(outcomes, st.sampled_from([0.0, 0.25, 1.0])), min_size=1, max_size=6).map(
    lambda found: Plan(tuple(found))
)
shapes = st.builds(
    Backoff,
    kind=st.sampled_from(["constant", "linear", "exponential", "fibonacci", "decorrelated"]),
    initial=st.sampled_from([0.0, 0.5, 1.0]),
    multiplier=st.sampled_from([1.0, 2.0]),
    max=st.sampled_from([0.5, 1.0, 4.0]),
    jitter=st.sampled_from([0.0, 0.2, 1.0, "none", "full", "equal"]),
)


def played_out(coroutine: Coroutine[Any, Any, str]) -> None:
    """Run a coroutine that never really waits, without an event loop."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration:
        return


class Script:
    """Plays a plan."""

    def __init__(self, plan: Plan, clock: VirtualClock) -> None:
        self._plan = plan
        self._clock = clock
        self.played = 0

    def __call__(self) -> str:
        error, takes = self._plan.attempts[min(self.played, len(self._plan.attempts) - 1)]
        self.played += 1
        self._clock.advance(takes)
        if error is not None:
            raise error
        return "done"


def by_engine(
    policy: Retry, budget: RetryBudget, plan: Plan, timeout_s: float, now: float, draw: float
) -> tuple[int, list[float], bool, float]:
    """Play a plan with the engine alone: attempts, waits, success, and the time at the end."""
    decision = engine.RetryDecision(policy.options, budget)
    ends, played = now + timeout_s, 0
    waits: list[float] = []
    while True:
        error, takes = plan.attempts[min(played, len(plan.attempts) - 1)]
        played += 1
        now += takes
        if error is None:
            budget.deposit(now)
            return played, waits, True, now
        code = status.CODE_BY_NAME[error.code]
        trailers = dict(error.trailing_metadata())
        text = trailers.get("grpc-retry-pushback-ms")
        pushback = engine.NO_PUSHBACK if text is None else engine.parse_pushback(text.encode())
        wait = decision.decide(code, pushback, engine.SEEN, False, True, True, ends - now, now, draw)
        if wait < 0.0:
            budget.deposit(now)
            return played, waits, False, now
        if wait > 0.0:
            waits.append(wait)
        now += wait


@settings(max_examples=60)
@given(
    st.lists(plans, min_size=1, max_size=4),
    shapes,
    st.integers(1, 4),
    st.sampled_from([None, 0.5, 2.0]),
    st.sampled_from([0.0, 0.5, 0.99]),
    st.booleans(),
)
def test_the_library_is_the_engine(
    calls: list[Plan],
    shape: Backoff,
    attempts: int,
    timeout_s: float | None,
    draw: float,
    asynchronous: bool,
) -> None:
    """Attempts, waits, result and the state of the budget are the same, for one call after the other."""
    clock = VirtualClock(draws=[draw])
    policy = retry(
        on=("UNAVAILABLE", "DEADLINE_EXCEEDED"),
        attempts=attempts,
        backoff=shape,
        timeout=timeout_s,
        budget=Budget(percent=50, min_per_second=0.2, interval=10),
        clock=clock,
    )
    budget = RetryBudget(BudgetOptions(50, 0.2, 10))
    reference = Retry(shape.options(attempts, (1 << 14) | (1 << 4), only_idempotent=False))
    for plan in calls:
        expected = by_engine(
            reference, budget, plan, inf if timeout_s is None else timeout_s, clock.now(), draw
        )
        script = Script(plan, clock)
        before = len(clock.sleeps)
        try:
            if asynchronous:

                async def work(script: Script = script) -> str:
                    return script()

                played_out(policy.call(work))
            else:
                policy.call(script)
            succeeded = True
        except Failed:
            succeeded = False
        assert (script.played, clock.sleeps[before:], succeeded) == expected[:3]
        assert clock.now() == expected[3]
        assert policy.budget is not None
        assert policy.budget.balance(clock.now()) == budget.balance(clock.now())


@given(shapes, st.floats(0, 0.999), st.integers(1, 8))
@settings(max_examples=60)
def test_jitters_keep_their_bounds(shape: Backoff, draw: float, count: int) -> None:
    """Every wait lies where its jitter says, whatever the dice show."""
    waits = shape.waits(count, draw=draw)
    if shape.kind == "decorrelated":
        assert all(0.0 <= wait <= shape.max for wait in waits)
        return
    plain = Backoff(
        kind=shape.kind, initial=shape.initial, multiplier=shape.multiplier, max=shape.max, jitter="none"
    ).waits(count)
    low, high = {"none": (1.0, 1.0), "full": (0.0, 1.0), "equal": (0.5, 1.0)}.get(
        str(shape.jitter), (0.0, 0.0)
    )
    if not isinstance(shape.jitter, str):
        low, high = 1.0 - shape.jitter, 1.0 + shape.jitter
    for wait, base in zip(waits, plain, strict=True):
        assert low * base - 1e-9 <= wait <= high * base + 1e-9
