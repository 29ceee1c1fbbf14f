"""Waits and decisions about retries, for any numbers and any witnesses."""

from __future__ import annotations

from math import inf, isfinite

from hypothesis import given
from hypothesis import strategies as st

from seawall_policy import status
from seawall_policy.budget import BudgetOptions, RetryBudget, RetryThrottle
from seawall_policy.retry import (
    BACKOFF_NAMES,
    NO_PUSHBACK,
    NO_RETRY,
    PUSHBACK_STOP,
    REASON_NAMES,
    REASON_NONE,
    REFUSED,
    SEEN,
    UNSENT,
    RetryDecision,
    RetryOptions,
    backoff,
    parse_pushback,
)

DRAWS = st.floats(0.0, 1.0, exclude_max=True)


@given(
    kind=st.sampled_from(BACKOFF_NAMES[1:]),
    initial_s=st.floats(0.0, 1e300),
    multiplier=st.floats(1.0, 1e300),
    max_s=st.floats(0.0, 1e300),
    jitter=st.floats(0.0, 1.0),
    number=st.integers(1, 10**6),
    previous_s=st.floats(),
    draw=DRAWS,
)
def test_wait_is_finite_and_within_its_bounds(
    kind: str,
    initial_s: float,
    multiplier: float,
    max_s: float,
    jitter: float,
    number: int,
    previous_s: float,
    draw: float,
) -> None:
    """From nothing to the maximum and its jitter, whatever the numbers are."""
    options = RetryOptions(kind=kind, initial_s=initial_s, multiplier=multiplier, max_s=max_s, jitter=jitter)
    wait = backoff(options, number, previous_s, draw)
    assert isfinite(wait)
    assert 0.0 <= wait <= max_s * (1.0 + jitter) * (1.0 + 1e-12)


@given(
    initial_s=st.floats(1e-6, 10.0),
    multiplier=st.floats(1.0, 10.0),
    max_s=st.floats(1e-6, 1e3),
    number=st.integers(1, 40),
)
def test_waits_follow_their_formula(initial_s: float, multiplier: float, max_s: float, number: int) -> None:
    """Each kind against its definition."""
    fibonacci = [1, 1]
    while len(fibonacci) < number:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    for kind, grown in (
        ("constant", initial_s),
        ("linear", initial_s * number),
        ("exponential", initial_s * multiplier ** (number - 1)),
        ("fibonacci", initial_s * fibonacci[number - 1]),
    ):
        options = RetryOptions(kind=kind, initial_s=initial_s, multiplier=multiplier, max_s=max_s, jitter=0.0)
        wait = backoff(options, number, 0.0, 0.5)
        assert abs(wait - min(grown, max_s)) <= 1e-9 * max_s


@given(value=st.binary(max_size=12) | st.integers(-(2**33), 2**33).map(lambda n: str(n).encode()))
def test_pushback_is_milliseconds_or_stop(value: bytes) -> None:
    """Exactly the numbers from 0 to 2^31-1 in their shortest form."""
    milliseconds = parse_pushback(value)
    if 0 <= milliseconds < 2**31:
        assert str(milliseconds).encode() == value
    else:
        assert milliseconds == PUSHBACK_STOP
        assert not (value.isdigit() and str(int(value)).encode() == value and int(value) < 2**31)


WITNESSES = st.tuples(
    st.sampled_from((status.UNAVAILABLE, status.UNAVAILABLE, status.UNAVAILABLE, status.INTERNAL, status.OK)),
    st.sampled_from((NO_PUSHBACK, NO_PUSHBACK, PUSHBACK_STOP, 0, 70)),
    st.sampled_from((SEEN, SEEN, REFUSED, UNSENT)),
    st.sampled_from((False, False, False, True)),
    st.sampled_from((True, True, True, False)),
    st.booleans(),
    st.sampled_from((inf, inf, 0.05, 0.0)),
)


@given(
    max_attempts=st.integers(1, 4),
    only_idempotent=st.booleans(),
    per_second=st.sampled_from((0.0, 1.0, 2.0, 9.0)),
    throttled=st.booleans(),
    failures=st.lists(WITNESSES, max_size=12),
)
def test_retries_of_one_call_keep_their_promises(
    max_attempts: int,
    only_idempotent: bool,
    per_second: float,
    throttled: bool,
    failures: list[tuple[int, int, int, bool, bool, bool, float]],
) -> None:
    """Whatever a call meets, attempts and budget stay within bounds, and each answer fits its reason."""
    options = RetryOptions(max_attempts=max_attempts, only_idempotent=only_idempotent, max_unsent=2)
    ledger = RetryBudget(BudgetOptions(0.0, per_second, 1.0))
    throttle = RetryThrottle(4.0, 0.5) if throttled else None
    decision = RetryDecision(options, ledger, throttle)
    granted = 0
    for code, pushback_ms, seen, committed, replayable, idempotent, remaining_s in failures:
        attempts = decision.attempts
        delay = decision.decide(
            code, pushback_ms, seen, committed, replayable, idempotent, remaining_s, 0.0, 0.5
        )
        assert (delay == NO_RETRY) == (decision.reason != REASON_NONE)
        assert 0 <= decision.reason < len(REASON_NAMES)
        if delay == NO_RETRY:
            assert not decision.transparent and decision.attempts == attempts
            continue
        granted += 1
        assert 0.0 <= delay < remaining_s
        assert replayable and not committed
        if decision.transparent:
            assert seen != SEEN and decision.attempts == attempts
        else:
            assert decision.attempts == attempts + 1
            assert code == status.UNAVAILABLE and pushback_ms != PUSHBACK_STOP
            assert idempotent or not only_idempotent or seen != SEEN
            assert pushback_ms < 0 or delay == pushback_ms / 1000.0
    assert decision.attempts <= max_attempts
    assert decision.transparent_retries <= 3
    assert decision.attempts - 1 + decision.transparent_retries == granted == ledger.withdrawals <= per_second
