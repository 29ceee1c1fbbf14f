"""Backoffs, pushback, and the order in which a retry can be refused."""

from __future__ import annotations

from itertools import pairwise
from math import inf, isfinite, nan

import pytest

from seawall_policy import retry, status
from seawall_policy.budget import BudgetOptions, RetryBudget, RetryThrottle
from seawall_policy.retry import (
    BACKOFF_BY_NAME,
    BACKOFF_NAMES,
    NO_PUSHBACK,
    NO_RETRY,
    PUSHBACK_STOP,
    REASON_NAMES,
    REFUSED,
    SEEN,
    UNSENT,
    RetryClass,
    RetryDecision,
    RetryOptions,
    backoff,
    parse_pushback,
)

UNAVAILABLE = status.UNAVAILABLE


# -- backoff


@pytest.mark.parametrize(
    ("kind", "waits"),
    [
        ("constant", [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]),
        ("linear", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]),
        ("exponential", [0.1, 0.3, 0.9, 1.0, 1.0, 1.0, 1.0]),
        ("fibonacci", [0.1, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0]),
    ],
)
def test_waits_of_each_kind(kind: str, waits: list[float]) -> None:
    """Initial 0.1 s, multiplier 3, at most 1 s, no jitter."""
    options = RetryOptions(kind=kind, initial_s=0.1, multiplier=3.0, max_s=1.0, jitter=0.0)
    assert [backoff(options, n, 0.0, 0.7) for n in range(1, 8)] == pytest.approx(waits)


def test_decorrelated_waits_lie_between_the_first_and_three_times_the_last() -> None:
    """The draw chooses; the maximum cuts."""
    options = RetryOptions(kind="decorrelated", initial_s=0.1, max_s=1.0, jitter=0.2)
    assert backoff(options, 1, 0.0, 0.0) == pytest.approx(0.1)
    assert backoff(options, 1, 0.0, 0.5) == pytest.approx(0.2)
    assert backoff(options, 2, 0.2, 0.5) == pytest.approx(0.35)
    assert backoff(options, 3, 0.9, 0.999999) == pytest.approx(1.0, abs=1e-4)
    assert backoff(options, 3, inf, 0.5) == pytest.approx(0.55)
    assert backoff(options, 3, nan, 0.5) == pytest.approx(0.2)


@pytest.mark.parametrize(("draw", "factor"), [(0.0, 0.8), (0.25, 0.9), (0.5, 1.0), (0.999999999, 1.2)])
@pytest.mark.parametrize("kind", ["constant", "linear", "exponential", "fibonacci"])
def test_jitter_multiplies_by_one_minus_to_one_plus(kind: str, draw: float, factor: float) -> None:
    """A6's U(0.8, 1.2) with the default 0.2; after the cap, so that a crowd at the maximum is spread too."""
    options = RetryOptions(kind=kind, initial_s=1.0, max_s=1.0)
    assert backoff(options, 1, 0.0, draw) == pytest.approx(factor)
    assert backoff(options, 9, 0.0, draw) == pytest.approx(factor)


@pytest.mark.parametrize("kind", BACKOFF_NAMES[1:])
def test_backoff_saturates_before_it_overflows(kind: str) -> None:
    """Polly 2163: the thousandth retry waits the maximum, not inf and not nan; and ends in time."""
    options = RetryOptions(kind=kind, initial_s=5e-324, multiplier=1e300, max_s=1e300, jitter=1.0)
    for number in (1, 2, 3, 1000, 10**9):
        wait = backoff(options, number, 1e308, 0.5)
        assert isfinite(wait) and 0.0 <= wait <= 2e300
    slow_growth = RetryOptions(kind=kind, initial_s=1.0, multiplier=1.0, max_s=3.0, jitter=0.0)
    assert backoff(slow_growth, 10**9, 3.0, 0.0) <= 3.0


@pytest.mark.parametrize("kind", BACKOFF_NAMES[1:])
def test_wait_of_nothing_stays_nothing(kind: str) -> None:
    """An initial wait of zero is legal and must not loop."""
    options = RetryOptions(kind=kind, initial_s=0.0, max_s=1.0)
    assert backoff(options, 10**9, 0.0, 0.0) == 0.0


def test_initial_wait_above_the_maximum_is_cut() -> None:
    """Every kind, the first retry included."""
    for kind in BACKOFF_NAMES[1:]:
        options = RetryOptions(kind=kind, initial_s=5.0, max_s=1.0, jitter=0.0)
        assert backoff(options, 1, 0.0, 0.5) == 1.0


# -- pushback


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        (b"0", 0),
        (b"5", 5),
        (b"1500", 1500),
        (b"2147483647", 2147483647),
        (b"2147483648", PUSHBACK_STOP),
        (b"99999999999", PUSHBACK_STOP),
        (b"-1", PUSHBACK_STOP),
        (b"-2147483648", PUSHBACK_STOP),
        (b"-0", PUSHBACK_STOP),
        (b"+5", PUSHBACK_STOP),
        (b"05", PUSHBACK_STOP),
        (b"00", PUSHBACK_STOP),
        (b"", PUSHBACK_STOP),
        (b"x", PUSHBACK_STOP),
        (b"5 ", PUSHBACK_STOP),
        (b" 5", PUSHBACK_STOP),
        (b"5,6", PUSHBACK_STOP),
        (b"1_000", PUSHBACK_STOP),
        (b"1e3", PUSHBACK_STOP),
        (b"5.0", PUSHBACK_STOP),
        ("٣".encode(), PUSHBACK_STOP),
    ],
)
def test_pushback_text(value: bytes, milliseconds: int) -> None:
    """A signed 32-bit integer without unnecessary leading zeros; anything else says: do not retry."""
    assert parse_pushback(value) == milliseconds
    assert milliseconds != NO_PUSHBACK


# -- decisions


def options(max_attempts: int = 3, *, only_idempotent: bool = False) -> RetryOptions:
    """Return a policy with waits of 0.1, 0.2, 0.4 ... seconds."""
    return RetryOptions(
        max_attempts=max_attempts,
        initial_s=0.1,
        multiplier=2.0,
        max_s=1.0,
        jitter=0.0,
        only_idempotent=only_idempotent,
    )


def ask(
    decision: RetryDecision,
    code: int = UNAVAILABLE,
    pushback_ms: int = NO_PUSHBACK,
    seen: int = SEEN,
    *,
    committed: bool = False,
    replayable: bool = True,
    idempotent: bool = True,
    remaining_s: float = inf,
    now: float = 0.0,
    draw: float = 0.5,
) -> float:
    """Decide about a failure that speaks for a retry in everything but what is given."""
    return decision.decide(code, pushback_ms, seen, committed, replayable, idempotent, remaining_s, now, draw)


def why(decision: RetryDecision) -> str:
    """Return the name of the reason."""
    return REASON_NAMES[decision.reason]


def empty_budget() -> RetryBudget:
    """Return a budget that never allows anything."""
    return RetryBudget(BudgetOptions(0.0, 0.0, 1.0))


def test_attempts_include_the_first() -> None:
    """Three attempts are two retries, each wait longer than the one before."""
    decision = RetryDecision(options(3))
    assert [ask(decision), ask(decision), ask(decision)] == [0.1, 0.2, NO_RETRY]
    assert (decision.attempts, why(decision)) == (3, "attempts")


def test_every_refusal_names_its_reason() -> None:
    """One case for each, and none of them counts as an attempt."""
    throttle = RetryThrottle(1.0, 0.001)
    cases = [
        (RetryDecision(options(1)), {}, "off"),
        (RetryDecision(options()), {"committed": True}, "committed"),
        (RetryDecision(options()), {"replayable": False}, "buffer"),
        (RetryDecision(options()), {"pushback_ms": PUSHBACK_STOP}, "pushback"),
        (RetryDecision(options()), {"code": status.INTERNAL}, "code"),
        (RetryDecision(options()), {"code": status.OK}, "code"),
        (RetryDecision(options()), {"code": 99}, "code"),
        (RetryDecision(options()), {"code": -1}, "code"),
        (RetryDecision(options(only_idempotent=True)), {"idempotent": False}, "not_idempotent"),
        (RetryDecision(options(), None, throttle), {}, "throttled"),
        (RetryDecision(options()), {"remaining_s": 0.1}, "deadline"),
        (RetryDecision(options(), empty_budget()), {}, "budget"),
    ]
    for decision, arguments, reason in cases:
        assert ask(decision, **arguments) == NO_RETRY  # type: ignore[arg-type]
        assert why(decision) == reason
        assert (decision.attempts, decision.transparent) == (1, False)
    assert {reason for _, _, reason in cases} | {"", "attempts"} == set(REASON_NAMES)


def test_order_of_reasons() -> None:
    """When everything speaks against a retry, the first is named; taking it away uncovers the next."""
    throttle = RetryThrottle(1.0, 0.001)
    against: dict[str, object] = {
        "committed": True,
        "replayable": False,
        "pushback_ms": PUSHBACK_STOP,
        "code": status.INTERNAL,
        "idempotent": False,
        "remaining_s": 0.05,
    }
    spent = RetryDecision(options(2, only_idempotent=True), empty_budget(), throttle)
    spent.attempts = 2
    named = []
    for step in ("", "committed", "replayable", "pushback_ms", "code", "idempotent"):
        against.pop(step, None)
        ask(spent, **against)  # type: ignore[arg-type]
        named.append(why(spent))
    spent.throttle = None
    ask(spent, remaining_s=0.05)
    named.append(why(spent))
    spent.attempts = 1
    ask(spent, remaining_s=0.05)
    named.append(why(spent))
    ask(spent)
    named.append(why(spent))
    assert named == [
        "committed",
        "buffer",
        "pushback",
        "code",
        "not_idempotent",
        "throttled",
        "attempts",
        "deadline",
        "budget",
    ]


def test_pushback_sets_the_wait_exactly_and_restarts_the_backoff() -> None:
    """A6: after it the computed waits begin at the initial one."""
    decision = RetryDecision(options(5))
    assert ask(decision) == 0.1
    assert ask(decision) == 0.2
    assert ask(decision, pushback_ms=1234) == 1.234
    assert ask(decision) == 0.1


def test_pushback_of_zero_is_a_retry_at_once_within_the_attempts() -> None:
    """A server cannot give more attempts than the policy has."""
    decision = RetryDecision(options(2))
    assert ask(decision, pushback_ms=0) == 0.0
    assert ask(decision, pushback_ms=0) == NO_RETRY
    assert why(decision) == "attempts"


def test_pushback_cannot_make_a_code_retryable() -> None:
    """Only the policy says which codes are."""
    decision = RetryDecision(options())
    assert ask(decision, code=status.INTERNAL, pushback_ms=10) == NO_RETRY
    assert why(decision) == "code"


def test_decorrelated_backoff_remembers_the_last_wait() -> None:
    """Each wait is drawn from three times the one before; a pushback makes it forget."""
    decision = RetryDecision(
        RetryOptions(max_attempts=5, kind="decorrelated", initial_s=0.1, max_s=9.0, only_idempotent=False)
    )
    assert ask(decision, draw=0.5) == pytest.approx(0.2)
    assert ask(decision, draw=0.5) == pytest.approx(0.35)
    ask(decision, pushback_ms=0)
    assert ask(decision, draw=0.5) == pytest.approx(0.2)


def test_retry_that_would_start_at_the_deadline_is_not_begun() -> None:
    """And costs nothing from the budget."""
    ledger = RetryBudget(BudgetOptions(100.0, 1.0, 1.0))
    decision = RetryDecision(options(), ledger)
    assert ask(decision, remaining_s=0.1) == NO_RETRY
    assert ask(decision, remaining_s=0.0, pushback_ms=0) == NO_RETRY
    assert ledger.withdrawals == 0
    assert ask(decision, remaining_s=0.1001) == 0.1
    assert ledger.withdrawals == 1


def test_budget_is_paid_when_the_wait_begins() -> None:
    """Envoy 30205: the second call is refused while the first still waits."""
    ledger = RetryBudget(BudgetOptions(0.0, 1.0, 1.0))
    assert ask(RetryDecision(options(), ledger)) == 0.1
    second = RetryDecision(options(), ledger)
    assert ask(second) == NO_RETRY
    assert why(second) == "budget"


def test_each_repeat_of_a_call_is_paid_separately() -> None:
    """GEP-3388."""
    ledger = RetryBudget(BudgetOptions(0.0, 3.0, 1.0))
    decision = RetryDecision(options(5), ledger)
    assert [ask(decision) > 0.0 for _ in range(4)] == [True, True, True, False]
    assert why(decision) == "budget"


def test_idempotence_does_not_matter_for_what_was_not_processed() -> None:
    """After the transparent retry was used, a refused stream is still safe to repeat under the policy."""
    decision = RetryDecision(options(only_idempotent=True))
    assert ask(decision, seen=REFUSED, idempotent=False) == 0.0
    assert ask(decision, seen=REFUSED, idempotent=False) == 0.1
    assert ask(decision, seen=SEEN, idempotent=False) == NO_RETRY
    assert why(decision) == "not_idempotent"


def test_refused_stream_is_repeated_once_without_counting() -> None:
    """A6 transparent retry: no attempt, no throttle, even when the policy does not retry at all."""
    throttle = RetryThrottle(10.0, 0.1)
    decision = RetryDecision(options(1), None, throttle)
    assert ask(decision, seen=REFUSED) == 0.0
    assert (decision.transparent, decision.attempts, decision.transparent_retries) == (True, 1, 1)
    assert ask(decision, seen=REFUSED) == NO_RETRY
    assert (decision.transparent, why(decision)) == (False, "off")
    assert throttle.tokens() == 10.0


def test_what_never_left_us_is_repeated_until_its_bound_with_growing_waits() -> None:
    """At once the first time; then it waits like a retry, so that a dead service is not asked in a tight
    loop.
    """
    decision = RetryDecision(options(1))
    waits = [ask(decision, seen=UNSENT) for _ in range(6)]
    assert waits == [0.0, 0.1, 0.2, 0.4, 0.8, NO_RETRY]
    assert decision.transparent_retries == 5 and decision.attempts == 1
    policy = RetryDecision(options(2))
    for _ in range(5):
        ask(policy, seen=UNSENT)
    assert ask(policy, seen=UNSENT) == 0.1
    assert (policy.attempts, policy.transparent) == (2, False)


def test_transparent_retry_obeys_commitment_buffer_deadline_and_budget() -> None:
    """It is free of the policy, not of these."""
    for arguments, reason in (
        ({"committed": True}, "committed"),
        ({"replayable": False}, "buffer"),
        ({"remaining_s": 0.0}, "deadline"),
    ):
        decision = RetryDecision(options())
        assert ask(decision, seen=UNSENT, **arguments) == NO_RETRY
        assert why(decision) == reason
    broke = RetryDecision(options(), empty_budget())
    assert ask(broke, seen=REFUSED) == NO_RETRY
    assert why(broke) == "budget"


def test_throttle_counts_retryable_failures_and_refusals_to_be_retried() -> None:
    """A6: a failed code that is not retryable says nothing about load."""
    throttle = RetryThrottle(10.0, 0.5)
    ask(RetryDecision(options(), None, throttle), code=status.INVALID_ARGUMENT)
    assert throttle.tokens() == 10.0
    ask(RetryDecision(options(), None, throttle))
    assert throttle.tokens() == 9.0
    ask(RetryDecision(options(), None, throttle), code=status.INVALID_ARGUMENT, pushback_ms=PUSHBACK_STOP)
    assert throttle.tokens() == 8.0
    decision = RetryDecision(options(), None, throttle)
    decision.succeeded()
    assert throttle.tokens() == 8.5
    RetryDecision(options()).succeeded()


def test_decision_object_serves_another_call_after_start() -> None:
    """Nothing of the old call remains."""
    ledger = RetryBudget(BudgetOptions(0.0, 9.0, 1.0))
    decision = RetryDecision(options(2), ledger, RetryThrottle())
    ask(decision, seen=REFUSED)
    ask(decision, seen=UNSENT)
    ask(decision, seen=UNSENT)
    ask(decision)
    ask(decision)
    assert why(decision) == "attempts"
    decision.start(options(3))
    assert (decision.attempts, decision.transparent_retries, decision.reason) == (1, 0, 0)
    assert (decision.budget, decision.throttle, decision.transparent) == (None, None, False)
    assert [ask(decision, seen=REFUSED), ask(decision, seen=UNSENT), ask(decision)] == [0.0, 0.0, 0.1]


# -- options


@pytest.mark.parametrize(("asked", "given"), [(1, 1), (5, 5), (6, 5), (100, 5)])
def test_attempts_are_clamped_to_five(asked: int, given: int) -> None:
    """A6; more only where the policy insists."""
    assert RetryOptions(max_attempts=asked).max_attempts == given
    assert RetryOptions(max_attempts=asked, allow_more=True).max_attempts == asked


def test_ok_is_never_retryable() -> None:
    """Even if the mask names it."""
    assert RetryOptions(codes=0x1FFFF).codes == 0x1FFFE


def test_kinds_have_names_and_numbers() -> None:
    """The numbers of seawall.v1.BackoffKind."""
    assert BACKOFF_BY_NAME == {
        "constant": 1,
        "linear": 2,
        "exponential": 3,
        "fibonacci": 4,
        "decorrelated": 5,
    }
    assert (retry.CONSTANT, retry.LINEAR, retry.EXPONENTIAL, retry.FIBONACCI, retry.DECORRELATED) == (
        1,
        2,
        3,
        4,
        5,
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_attempts", 0),
        ("kind", "quadratic"),
        ("kind", ""),
        ("initial_s", -0.1),
        ("initial_s", inf),
        ("multiplier", 0.99),
        ("multiplier", inf),
        ("max_s", nan),
        ("jitter", -0.1),
        ("jitter", 1.1),
        ("max_unsent", -1),
    ],
)
def test_option_that_makes_no_sense_is_refused_by_name(field: str, value: object) -> None:
    """The message names the field and what it may be."""
    with pytest.raises(ValueError, match=f"retry: {field} must be"):
        RetryOptions(**{field: value})  # type: ignore[arg-type]


def test_default_waits_grow_within_a_second() -> None:
    """25 ms doubled up to 1 s."""
    waits = [backoff(RetryOptions(), n, 0.0, 0.5) for n in range(1, 9)]
    assert waits[0] == 0.025 and waits[-1] == 1.0
    assert all(later >= earlier for earlier, later in pairwise(waits))


@pytest.mark.parametrize(
    ("kind", "least", "middle", "most"),
    [("spread", 0.5, 1.0, 1.5), ("none", 1.0, 1.0, 1.0), ("full", 0.0, 0.5, 1.0), ("equal", 0.5, 0.75, 1.0)],
)
def test_kinds_of_jitter(kind: str, least: float, middle: float, most: float) -> None:
    """What the same wait becomes at both ends of the draw and in the middle."""
    options = RetryOptions(initial_s=1.0, jitter=0.5, jitter_kind=kind)
    waits = [backoff(options, 1, 0.0, draw) for draw in (0.0, 0.5, 1.0)]
    assert waits == [least, middle, most]


def test_the_first_class_that_fits() -> None:
    """Everything that a class asks for must fit."""
    plain = RetryOptions()
    classes = (
        RetryClass("both", 1 << 10, frozenset({"LOCKED"}), 0, plain),
        RetryClass("reason", 0, frozenset({"LOCKED", "UPSTREAM_RESET"}), 0, plain),
        RetryClass("category", 0, frozenset(), 2, plain),
        RetryClass("transient", 0, frozenset(), 1, plain),
    )
    options = RetryOptions(classes=classes)

    def name(code: int, reason: str, told: str, category: int) -> str:
        chosen = options.class_of(code, reason, told, category)
        return "" if chosen is None else chosen.name

    assert name(10, "", "LOCKED", 1) == "both"
    assert name(14, "", "LOCKED", 1) == "reason"
    assert name(14, "UPSTREAM_RESET", "", 1) == "reason"
    assert name(8, "", "", 2) == "category"
    assert name(8, "", "", 1) == "transient"
    assert name(8, "", "", 3) == ""


def test_the_throttle_counts_a_failure_once() -> None:
    """A failure that hedging has told the throttle about is not told again."""
    throttle = RetryThrottle(10.0, 0.1)
    decision = RetryDecision(RetryOptions(max_attempts=3), None, throttle)
    decision.counted = True
    decision.decide(14, NO_PUSHBACK, SEEN, False, True, True, 9.0, 0.0, 0.5)
    assert throttle.tokens() == 10.0
    decision.decide(14, NO_PUSHBACK, SEEN, False, True, True, 9.0, 0.0, 0.5)
    assert throttle.tokens() == 9.0
