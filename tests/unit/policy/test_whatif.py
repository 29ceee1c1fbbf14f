"""What-if: routes, timeouts, budgets, fallbacks, and calls that were refused in the record."""

from __future__ import annotations

from seawall_policy import status
from seawall_policy.breaker import SHADOW, BreakerOptions
from seawall_policy.budget import BudgetOptions
from seawall_policy.model import MethodInfo
from seawall_policy.retry import RetryOptions
from seawall_policy.whatif import RecordedAttempt, RecordedCall, RouteResult, simulate
from seawall_proxy.testing import make_policy, make_route, make_snapshot
from seawall_proxy.testing.policies import to_static

METHOD = "shop.v1.Orders/Get"
OK = RecordedAttempt(0, 0.1)
DOWN = RecordedAttempt(status.UNAVAILABLE, 0.1)


def call(
    at: float, *attempts: RecordedAttempt, code: int = -1, route: str = "all", **more: float
) -> RecordedCall:
    """Return a call whose status is that of its last attempt."""
    final = code if code >= 0 else attempts[-1].code
    return RecordedCall(at, route, METHOD, final, attempts, **more)


def run(policy_calls: list[RecordedCall], **policy: object) -> RouteResult:
    """Run calls through one route for everything."""
    snapshot = make_snapshot(make_route(make_policy(**policy), idempotent=True))  # type: ignore[arg-type]
    return simulate(snapshot, policy_calls).routes["all"]


def test_nothing_changes_under_no_policy() -> None:
    """A route without mechanisms does what was recorded, but for repetitions."""
    result = run([call(1.0, OK), call(2.0, DOWN), call(3.0, DOWN, OK)])
    assert (result.calls, result.recorded_ok, result.ok) == (3, 2, 1)
    assert (result.attempts, result.recorded_attempts, result.lost, result.saved) == (3, 4, 1, 0)


def test_the_call_s_own_time_counts() -> None:
    """The timeout of the policy and the deadline of the caller end a call; no retry fits behind them."""
    slow = RecordedAttempt(0, 3.0)
    assert run([call(1.0, slow)], timeout_s=2.0).lost == 1
    assert run([call(1.0, slow, deadline_s=2.0)]).cut_short == 1
    retry = RetryOptions(max_attempts=3)
    result = run([call(1.0, slow)], timeout_s=2.0, per_try_timeout_s=1.5, retry=retry)
    assert (result.attempts, result.lost) == (2, 1)


def test_what_was_never_sent_is_repeated_without_a_policy() -> None:
    """Transparent retries need no max_attempts."""
    unsent = RecordedAttempt(status.UNAVAILABLE, 0.0, sent=False)
    result = run([call(1.0, unsent, OK)])
    assert (result.ok, result.attempts) == (1, 2)


def test_not_idempotent() -> None:
    """Methods that may not be executed twice are not retried; descriptors are asked."""
    retry = RetryOptions(max_attempts=2)
    calls = [call(1.0, DOWN, OK)]
    snapshot = make_snapshot(make_route(make_policy(retry=retry)))
    assert simulate(snapshot, calls).routes["all"].ok == 0
    methods = {b"/" + METHOD.encode(): MethodInfo(False, False, True)}
    snapshot = make_snapshot(make_route(make_policy(retry=retry)), methods=methods)
    assert simulate(snapshot, calls).routes["all"].ok == 1


def test_the_budget_limits_retries() -> None:
    """With a thousand failures at once and 20 %, two hundred are retried (envoy #30205)."""
    budget = BudgetOptions(percent=20.0, min_per_second=0.0, interval_s=10.0)
    retry = RetryOptions(max_attempts=2, budget=budget)
    result = run([call(1.0 + number / 1e6, DOWN) for number in range(1000)], retry=retry)
    assert (result.attempts, result.budget_refused) == (1200, 800)


def test_fallbacks_are_counted() -> None:
    """A failure that a fallback answers is told apart."""
    answer = to_static(b"", b"/x", codes=1 << status.UNAVAILABLE)
    result = run([call(1.0, DOWN), call(2.0, RecordedAttempt(5, 0.1))], fallback=(answer,))
    assert result.fallbacks == 1


def test_calls_of_a_route_without_attempts_are_left_out_and_counted() -> None:
    """Nobody knows how they would have fared; nor are they passed over in silence."""
    refused = RecordedCall(1.0, "other", "a.Other/Get", 8, ())
    snapshot = make_snapshot(make_route(make_policy()))
    found = simulate(snapshot, [call(1.0, OK), refused, refused])
    assert (found.left_out, found.unmatched, found.routes["all"].calls) == (2, 0, 1)


def test_a_refused_call_is_estimated() -> None:
    """A call that was refused in the record fares like the next attempt on its route."""
    result = run([call(1.0, code=status.UNAVAILABLE), call(2.0, OK)])
    assert (result.calls, result.saved, result.estimated) == (2, 1, 1)
    nothing = simulate(make_snapshot(make_route(make_policy())), [call(1.0, code=14)])
    assert nothing.routes == {}


def test_a_shadow_breaker_rejects_nothing() -> None:
    """Only what is enforced is run."""
    options = BreakerOptions(size=10, min_calls=1, failure_rate=1.0, mode=SHADOW)
    result = run([call(float(number), DOWN) for number in range(5)], breaker=options)
    assert (result.rejected_bad, result.transitions) == (0, [])


def test_overlapping_calls_are_replayed_in_time() -> None:
    """The breaker learns when attempts end, and refuses what begins after that, not what has begun."""
    options = BreakerOptions(size=10, min_calls=1, failure_rate=1.0, open_for_s=100.0)
    slow = RecordedAttempt(status.UNAVAILABLE, 2.0)
    result = run([call(1.0, slow), call(2.0, OK), call(2.5, OK), call(3.1, OK)], breaker=options)
    assert (result.ok, result.rejected_good) == (2, 1)
    assert [change[1:] for change in result.transitions] == [("CLOSED", "OPEN", "failure_rate")]
    assert result.transitions[0][0] == 3.0


def test_what_ends_at_a_moment_is_known_to_what_begins_at_it() -> None:
    """The breaker has opened before the second call comes, which is refused, and not lost as well."""
    options = BreakerOptions(size=10, min_calls=1, failure_rate=1.0, open_for_s=100.0)
    down = RecordedAttempt(status.UNAVAILABLE, 0.5)
    result = run([call(1.0, down), call(1.5, OK), call(2.0, down)], breaker=options)
    assert (result.attempts, result.rejected_good, result.rejected_bad) == (1, 1, 1)
    assert (result.ok, result.lost, result.saved) == (0, 0, 0)


def test_routes() -> None:
    """A recorded route that the candidate has is taken; otherwise the method decides, conditions left out."""
    policy = make_policy()
    snapshot = make_snapshot(
        make_route(policy, name="gold", service="shop.v1.Orders", metadata={b"x-tier": b"gold"}),
        make_route(policy, name="orders", service="shop.v1.Orders"),
        make_route(policy, name="other", service="shop.v1.Other"),
    )
    calls = [
        call(1.0, OK, route="gold"),
        call(2.0, OK, route="other"),
        call(3.0, OK, route="gone"),
        RecordedCall(4.0, "gone", "no.Such/Method", 0, (OK,)),
    ]
    found = simulate(snapshot, calls)
    assert {name: result.calls for name, result in found.routes.items()} == {"gold": 1, "orders": 2}
    assert found.unmatched == 1
