"""The policies that the engine simulator draws: every mechanism, alone and together."""

from __future__ import annotations

from math import inf
from random import Random
from typing import Final

from seawall_policy.breaker import PER_ENDPOINT, PER_METHOD, PER_ROUTE, BreakerOptions
from seawall_policy.budget import BudgetOptions, ThrottleOptions
from seawall_policy.deadline import DeadlineOptions
from seawall_policy.fault import FaultOptions
from seawall_policy.hedge import ENFORCE, SHADOW, HedgeOptions
from seawall_policy.journal import IdempotencyOptions, JournalOptions
from seawall_policy.last_good import LastGoodOptions
from seawall_policy.limit.options import AIMD, GRADIENT2, KNEE, NONE, VEGAS, LimitOptions
from seawall_policy.model import (
    BALANCE_LEAST_REQUEST,
    BALANCE_ROUND_ROBIN,
    ClusterSpec,
    FallbackStep,
    Policy,
    Snapshot,
)
from seawall_policy.outlier.options import OutlierOptions
from seawall_policy.rate import RateLimitOptions
from seawall_policy.retry import RetryOptions
from seawall_proxy.testing.policies import (
    make_cluster,
    make_policy,
    make_route,
    make_snapshot,
    to_cluster,
    to_empty,
    to_last_good,
    to_method,
    to_static,
)

SERVICES: Final = ("a", "b", "c")
SPARE: Final = "d"
"""The service of the cluster that calls fall back to."""
PATHS: Final = {"safe": "/s.Safe/Get", "once": "/s.Once/Put"}
KEY: Final = b"x-key"
EXPERIMENT_S: Final = 6.0
"""How long faults are injected."""


def draw_policy(random: Random) -> Policy:
    """Draw a policy. One block for each mechanism; what is not drawn is off."""
    pick = random.choice
    return make_policy(
        timeout_s=pick((inf, 0.5, 2.0)),
        per_try_timeout_s=pick((inf, inf, 0.1, 0.3)),
        retry=_retry(random),
        breaker=_breaker(random),
        fallback=_fallback(random),
        deadline=pick((None, None, DeadlineOptions(pick((0.0, 0.005)), pick((ENFORCE, SHADOW)), 50.0))),
        hedge=_hedge(random),
        idempotency=_keys(random),
        fault=_fault(random),
        limit=_limit(random),
        rate_limit=pick(
            (
                None,
                None,
                None,
                None,
                None,
                RateLimitOptions(pick((20.0, 100.0)), pick((1, 20)), pick(((), ("peer",))), pick((1, 100))),
            )
        ),
    )


def draw_snapshot(random: Random) -> Snapshot:
    """Draw a policy for a route that is idempotent and for one that is not."""
    policy = draw_policy(random)
    shadow = random.choice((None, None, draw_policy(random)))
    return make_snapshot(
        make_route(policy, name="safe", service="s.Safe", idempotent=True, shadow=shadow),
        make_route(policy, name="once", service="s.Once", shadow=shadow),
        clusters={"main": _cluster(random), "spare": make_cluster("spare", (SPARE,))},
    )


def most_attempts(policy: Policy) -> int:
    """Return how often services may see a call at most: its attempts, one that was refused unread, and one
    for each fallback.
    """
    most = policy.retry.max_attempts
    hedge = policy.hedge
    if hedge is not None and hedge.mode == ENFORCE:
        most = max(most, hedge.max_attempts)
    return most + 1 + sum(1 for step in policy.fallback if step.cluster or step.method)


def _retry(random: Random) -> RetryOptions:
    pick = random.choice
    budget = pick(
        (None, BudgetOptions(percent=pick((0.0, 10.0, 20.0)), min_per_second=pick((0.0, 1.0, 10.0))))
    )
    return RetryOptions(
        max_attempts=pick((1, 2, 3, 5)),
        codes=pick((1 << 14, 1 << 14 | 1 << 13 | 1 << 8)),
        initial_s=pick((0.0, 0.005, 0.025)),
        max_s=pick((0.1, 1.0)),
        only_idempotent=pick((True, True, False)),
        budget=budget,
        throttle=pick((None, None, ThrottleOptions(10.0, 0.5))),
    )


def _breaker(random: Random) -> BreakerOptions | None:
    pick = random.choice
    return pick(
        (
            None,
            BreakerOptions(
                kind=pick(("count", "time")),
                size=pick((5, 30)),
                min_calls=pick((3, 20)),
                failure_rate=pick((50.0, 90.0)),
                consecutive=pick((0, 0, 5)),
                open_for_s=pick((0.2, 1.0, 5.0)),
                open_multiplier=pick((1.0, 2.0)),
                half_open_calls=pick((1, 5)),
                success_threshold=pick((1, 3)),
                half_open_timeout_s=pick((0.0, 1.0)),
                scope=pick((PER_ROUTE, PER_ROUTE, PER_METHOD, PER_ENDPOINT)),
                ramp_for_s=pick((0.0, 0.0, 1.0)),
            ),
        )
    )


def _fallback(random: Random) -> tuple[FallbackStep, ...]:
    steps: list[FallbackStep] = []
    for _ in range(random.choice((0, 0, 0, 1, 2))):
        codes = random.choice((1 << 14, 0x1FFFE))
        steps.append(
            random.choice(
                (
                    to_cluster("spare", codes),
                    to_static(b"\0\0\0\0\6static", random.choice(list(PATHS.values())).encode(), codes),
                    to_method("/s.Safe/Get", random.choice(("", "spare")), codes),
                    to_last_good(LastGoodOptions(random.choice((1.0, 60.0))), codes),
                    to_empty(codes),
                )
            )
        )
    return tuple(steps)


def _hedge(random: Random) -> HedgeOptions | None:
    pick = random.choice
    return pick(
        (
            None,
            None,
            HedgeOptions(
                delay_s=pick((0.005, 0.02, 0.1)),
                max_attempts=pick((2, 3)),
                budget_percent=pick((5.0, 100.0)),
                non_fatal=pick((1 << 14, 1 << 14 | 1 << 13)),
                only_idempotent=pick((True, True, False)),
                mode=pick((ENFORCE, ENFORCE, SHADOW)),
            ),
            HedgeOptions(quantile=0.9, budget_percent=20.0),
        )
    )


def _keys(random: Random) -> IdempotencyOptions | None:
    pick = random.choice
    journal = pick((None, JournalOptions(scope=()), JournalOptions(scope=())))
    return pick((None, IdempotencyOptions(KEY, pick((True, False)), pick((True, False)), journal)))


def _fault(random: Random) -> FaultOptions | None:
    pick = random.choice
    if random.random() < 0.75:
        return None
    return FaultOptions(
        until_s=1000.0 + EXPERIMENT_S,
        abort_share=pick((0.0, 0.1, 0.5)),
        abort_code=pick((14, 13, 8)),
        delay_share=pick((0.0, 0.1)),
        delay_s=pick((0.01, 0.3)),
        bandwidth_share=pick((0.0, 0.1)),
        stream_share=pick((0.0, 0.1)),
        stream_kind=pick((1, 2, 3)),
        stream_after=pick((0, 1)),
        max_active=pick((1, 100)),
    )


def _limit(random: Random) -> LimitOptions | None:
    pick = random.choice
    return pick(
        (
            None,
            LimitOptions(
                kind=pick((NONE, KNEE, KNEE, GRADIENT2, VEGAS, AIMD)),
                max_in_flight=pick((1, 2, 10, 1000)),
                min_in_flight=pick((1, 4)),
                queue=pick((0, 3, 100)),
                queue_timeout_s=pick((0.01, 0.1, 1.0)),
                mode=pick((ENFORCE, ENFORCE, SHADOW)),
            ),
        )
    )


def _cluster(random: Random) -> ClusterSpec:
    spec = make_cluster(
        "main",
        SERVICES,
        balance=random.choice((BALANCE_LEAST_REQUEST, BALANCE_ROUND_ROBIN)),
        max_in_flight=random.choice((20, 1024, 1024)),
    )
    spec.max_in_flight_per_endpoint = random.choice((0, 0, 2, 20))
    spec.outlier = random.choice(
        (
            None,
            OutlierOptions(),
            OutlierOptions(consecutive=2, interval_s=0.2, ejection_s=1.0, max_ejected=1.0),
        )
    )
    return spec
