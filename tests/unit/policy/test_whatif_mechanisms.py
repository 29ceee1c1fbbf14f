"""What-if by mechanism: what each one would have done, and which cannot be judged from a record."""

from __future__ import annotations

import pytest

from seawall_policy import deadline, hedge, status
from seawall_policy.deadline import DeadlineOptions
from seawall_policy.fault import FaultOptions
from seawall_policy.hedge import HedgeOptions
from seawall_policy.limit import options as limits
from seawall_policy.limit.options import LimitOptions
from seawall_policy.outlier.options import OutlierOptions
from seawall_policy.rate import SHADOW, RateLimitOptions
from seawall_policy.retry import RetryOptions
from seawall_policy.whatif import RecordedAttempt, RecordedCall, RouteResult, simulate
from seawall_proxy.testing import make_policy, make_route, make_snapshot
from seawall_proxy.testing.policies import in_shadow, make_cluster, to_empty

METHOD = "shop.v1.Orders/Get"
OK = RecordedAttempt(0, 0.1)
DOWN = RecordedAttempt(status.UNAVAILABLE, 0.1)


def call(at: float, *attempts: RecordedAttempt, method: str = METHOD, **more: float) -> RecordedCall:
    """Return a call whose status is that of its last attempt."""
    return RecordedCall(at, "all", method, attempts[-1].code, attempts, **more)


def run(calls: list[RecordedCall], *, complete: bool = True, **policy: object) -> RouteResult:
    """Run calls through one route for everything."""
    snapshot = make_snapshot(make_route(make_policy(**policy), idempotent=True))  # type: ignore[arg-type]
    return simulate(snapshot, calls, complete=complete).routes["all"]


def test_a_rate_limit() -> None:
    """Two at once and one a second: of five calls in a moment three are refused, good and bad ones."""
    calls = [call(1.0, OK), call(1.0, OK), call(1.0, OK), call(1.0, OK), call(1.0, DOWN), call(2.5, OK)]
    result = run(calls, rate_limit=RateLimitOptions(1.0, 2))
    part = result.mechanisms["rate_limit"]
    assert (part.rejected_good, part.rejected_bad) == (2, 1) == (result.rejected_good, result.rejected_bad)
    assert (result.ok, result.attempts, result.lost) == (3, 3, 0)


def test_a_rate_limit_by_method() -> None:
    """Each method has a bucket of its own."""
    calls = [call(1.0, OK), call(1.0, OK, method="a.B/C"), call(1.0, OK)]
    assert run(calls, rate_limit=RateLimitOptions(1.0, 1, ("method",))).rejected_good == 1


@pytest.mark.parametrize(("queue", "refused"), [(0, 2), (1, 1), (2, 0)])
def test_a_limit_with_its_queue(queue: int, refused: int) -> None:
    """Three calls at once and one place: those that may wait begin when the one before has ended."""
    options = LimitOptions(max_in_flight=1, initial=1, queue=queue, queue_timeout_s=10.0)
    result = run([call(1.0, OK), call(1.0, OK), call(1.0, OK), call(5.0, OK)], limit=options)
    part = result.mechanisms["limit"]
    assert (part.rejected_good, result.ok, result.waited) == (refused, 4 - refused, min(queue, 2))
    assert "critical" in part.note


def test_a_place_is_free_at_the_moment_at_which_a_call_ends() -> None:
    """What ends at a moment is known to what begins at it."""
    short = RecordedAttempt(0, 0.125)
    options = LimitOptions(max_in_flight=1, initial=1)
    assert run([call(1.0, short), call(1.125, short), call(1.25, short)], limit=options).ok == 3


def test_waiting_in_vain() -> None:
    """Who waits for too long is refused, and who begins late has less time."""
    options = LimitOptions(max_in_flight=1, initial=1, queue=10, queue_timeout_s=0.05)
    assert run([call(1.0, OK), call(1.0, OK)], limit=options).mechanisms["limit"].rejected_good == 1
    patient = LimitOptions(max_in_flight=1, initial=1, queue=10, queue_timeout_s=10.0)
    result = run([call(1.0, OK), call(1.0, OK, deadline_s=0.15)], limit=patient)
    assert (result.ok, result.lost, result.cut_short) == (1, 1, 1)


def test_routes_to_a_cluster_share_a_limit() -> None:
    """As they do in the data path."""
    policy = make_policy(limit=LimitOptions(max_in_flight=1, initial=1))
    snapshot = make_snapshot(
        make_route(policy, name="all", service="shop.v1.Orders"),
        make_route(policy, name="other", service="shop.v1.Other"),
    )
    calls = [call(1.0, OK), RecordedCall(1.0, "other", "shop.v1.Other/Get", 0, (OK,))]
    found = simulate(snapshot, calls).routes
    assert found["all"].rejected_good + found["other"].rejected_good == 1


def test_hopeless_arrivals() -> None:
    """Refused once it is known how long calls take; the record says what came of them."""
    options = DeadlineOptions(hopeless=deadline.ENFORCE, max_refused=100.0)
    before = [call(1.0 + number / 10, OK) for number in range(30)]
    late = [call(5.0, RecordedAttempt(4, 0.05), deadline_s=0.05), call(5.1, OK, deadline_s=1.0)]
    part = run([*before, *late], deadline=options).mechanisms["deadline"]
    assert (part.rejected_good, part.rejected_bad) == (0, 1)


def test_hedges() -> None:
    """A call that hung is saved by one that fares like the next attempt; the budget counts."""
    hang = RecordedAttempt(status.UNAVAILABLE, 10.0)
    options = HedgeOptions(delay_s=0.5, budget_percent=100.0)
    result = run([call(1.0, hang), call(1.6, OK), call(3.0, OK)], hedge=options)
    part = result.mechanisms["hedge"]
    assert (part.saved, part.added, result.saved, result.attempts) == (1, 1, 1, 4)
    poor = HedgeOptions(delay_s=0.5, budget_percent=0.0)
    many = [call(1.0 + number / 1e3, hang) for number in range(100)]
    added = run([*many, call(50.0, OK)], hedge=poor).mechanisms["hedge"].added
    assert 0 < added < 40, "one a second, saved up for the interval"


def test_hedges_need_room() -> None:
    """While the limit is reached nothing extra is begun."""
    hang = RecordedAttempt(0, 10.0)
    options = HedgeOptions(delay_s=0.5, budget_percent=100.0)
    limit = LimitOptions(max_in_flight=1, initial=1)
    assert run([call(1.0, hang), call(20.0, OK)], hedge=options, limit=limit).mechanisms["hedge"].added == 0


def test_retries_and_timeouts_have_their_part() -> None:
    """What was saved and lost is put down to who did it."""
    retry = RetryOptions(max_attempts=2)
    result = run(
        [call(1.0, DOWN), call(1.15, OK), call(5.0, RecordedAttempt(0, 3.0))], retry=retry, timeout_s=2.0
    )
    parts = result.mechanisms
    assert (parts["retry"].saved, parts["retry"].added) == (1, 1)
    assert (parts["timeout"].lost, result.lost) == (1, 1)
    cut = run([call(1.0, RecordedAttempt(0, 3.0))], per_try_timeout_s=1.0)
    assert cut.mechanisms["per_try_timeout"].lost == 1


def test_what_cannot_be_judged() -> None:
    """It is named with the reason, and does nothing to the other numbers."""
    cluster = make_cluster("main", ("a", "b"))
    cluster.outlier = OutlierOptions()
    policy = make_policy(
        rate_limit=RateLimitOptions(1.0, 1, ("metadata:x-tenant",)),
        fault=FaultOptions(until_s=1e12, abort_share=1.0),
        deadline=DeadlineOptions(hopeless=deadline.ENFORCE),
    )
    snapshot = make_snapshot(make_route(policy), clusters={"main": cluster})
    result = simulate(snapshot, [call(1.0, OK), call(1.0, OK)]).routes["all"]
    why = {name: part.note for name, part in result.mechanisms.items() if not part.judged}
    assert set(why) == {"rate_limit", "fault", "deadline", "outlier", "max_in_flight"}
    assert "metadata" in why["rate_limit"]
    assert "deadline" in why["deadline"]
    assert (result.ok, result.rejected_good) == (2, 0)


def test_events_do_not_have_every_call() -> None:
    """Rates, limits and times need all of them."""
    result = run(
        [call(1.0, DOWN), call(1.0, DOWN), call(1.0, DOWN)],
        complete=False,
        rate_limit=RateLimitOptions(1.0, 1),
        limit=LimitOptions(max_in_flight=1, initial=1),
        hedge=HedgeOptions(delay_s=0.01),
        deadline=DeadlineOptions(hopeless=deadline.ENFORCE),
        retry=RetryOptions(max_attempts=2),
    )
    judged = {name for name, part in result.mechanisms.items() if part.judged}
    assert judged == {"retry"}
    assert result.rejected_bad == 0


def test_what_is_in_shadow_does_nothing() -> None:
    """And says so."""
    result = run(
        [call(1.0, OK), call(1.0, DOWN)],
        rate_limit=RateLimitOptions(1.0, 1, mode=SHADOW),
        limit=LimitOptions(max_in_flight=1, initial=1, mode=limits.SHADOW),
        hedge=HedgeOptions(delay_s=0.01, mode=hedge.SHADOW),
        deadline=DeadlineOptions(hopeless=deadline.SHADOW),
        fallback=(in_shadow(to_empty()),),
    )
    assert not [name for name, part in result.mechanisms.items() if part.judged]
    assert (result.rejected_good, result.rejected_bad, result.attempts, result.fallbacks) == (0, 0, 2, 0)


def test_the_order_is_that_of_the_data_path() -> None:
    """Mechanisms are listed as a call meets them."""
    result = run(
        [call(1.0, OK)],
        timeout_s=5.0,
        per_try_timeout_s=1.0,
        rate_limit=RateLimitOptions(1.0),
        limit=LimitOptions(),
        retry=RetryOptions(max_attempts=2),
        hedge=HedgeOptions(delay_s=1.0),
    )
    assert list(result.mechanisms) == [
        "timeout", "rate_limit", "limit", "hedge", "retry", "per_try_timeout", "max_in_flight"
    ]  # fmt: skip
