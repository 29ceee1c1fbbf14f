"""Policies that several scenarios share."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from seawall_policy import status
from seawall_policy.breaker import BreakerOptions
from seawall_policy.budget import BudgetOptions
from seawall_policy.deadline import DeadlineOptions
from seawall_policy.fault import FaultOptions
from seawall_policy.hedge import HedgeOptions
from seawall_policy.journal import IdempotencyOptions
from seawall_policy.limit.options import LimitOptions
from seawall_policy.model import ClusterSpec, FallbackStep, MethodInfo, Snapshot
from seawall_policy.rate import RateLimitOptions
from seawall_policy.retry import RetryOptions
from seawall_proxy.http2.headers import Field
from seawall_proxy.testing import Playbook, make_policy, make_route, make_snapshot
from seawall_proxy.testing.playbook import ScriptedCall

GET = "/shop.v1.Orders/Get"
LIST = "/shop.v1.Orders/List"
UPLOAD = "/shop.v1.Orders/Upload"
CHAT = "/shop.v1.Orders/Chat"
METHODS: dict[bytes, MethodInfo] = {
    GET.encode(): MethodInfo(client_streaming=False, server_streaming=False, idempotent=False),
    LIST.encode(): MethodInfo(client_streaming=False, server_streaming=True, idempotent=False),
    UPLOAD.encode(): MethodInfo(client_streaming=True, server_streaming=False, idempotent=False),
    CHAT.encode(): MethodInfo(client_streaming=True, server_streaming=True, idempotent=False),
}

UNAVAILABLE = 1 << status.UNAVAILABLE
REFUSED_STREAM = 0x7
CANCEL = 0x8

ONE = {"main": ("a",)}
TWO = {"main": ("a", "b")}


def plain(**options: object) -> Playbook:
    """A route that adds nothing."""
    return Playbook(make_snapshot(make_route(make_policy())), **options)  # type: ignore[arg-type]


def retrying(
    max_attempts: int = 3,
    *,
    codes: int = UNAVAILABLE,
    initial_s: float = 0.025,
    max_s: float = 1.0,
    jitter: float = 0.0,
    only_idempotent: bool = False,
    budget: BudgetOptions | None = None,
    max_unsent: int = 5,
) -> RetryOptions:
    """Retries that wait 25, 50, 100 ... ms."""
    return RetryOptions(
        max_attempts=max_attempts,
        codes=codes,
        initial_s=initial_s,
        max_s=max_s,
        jitter=jitter,
        only_idempotent=only_idempotent,
        budget=budget,
        max_unsent=max_unsent,
    )


def snapshot(
    *,
    retry: RetryOptions | None = None,
    breaker: BreakerOptions | None = None,
    fallback: tuple[FallbackStep, ...] = (),
    timeout_s: float = inf,
    per_try_timeout_s: float = inf,
    clusters: Mapping[str, tuple[str, ...] | ClusterSpec] | None = None,
    methods: dict[bytes, MethodInfo] | None = None,
    idempotent: bool = False,
    revision: int = 1,
    deadline: DeadlineOptions | None = None,
    hedge: HedgeOptions | None = None,
    idempotency: IdempotencyOptions | None = None,
    recovered_after: int = 3,
    fault: FaultOptions | None = None,
    limit: LimitOptions | None = None,
    rate_limit: RateLimitOptions | None = None,
) -> Snapshot:
    """One route for everything, to cluster `main`."""
    policy = make_policy(
        timeout_s=timeout_s,
        per_try_timeout_s=per_try_timeout_s,
        retry=retry,
        breaker=breaker,
        fallback=fallback,
        deadline=deadline,
        hedge=hedge,
        idempotency=idempotency,
        recovered_after=recovered_after,
        fault=fault,
        limit=limit,
        rate_limit=rate_limit,
    )
    return make_snapshot(
        make_route(policy, idempotent=idempotent),
        clusters=clusters or ONE,
        methods=methods,
        revision=revision,
    )


def playing(
    *,
    retry: RetryOptions | None = None,
    breaker: BreakerOptions | None = None,
    fallback: tuple[FallbackStep, ...] = (),
    timeout_s: float = inf,
    per_try_timeout_s: float = inf,
    clusters: Mapping[str, tuple[str, ...] | ClusterSpec] | None = None,
    methods: dict[bytes, MethodInfo] | None = None,
    idempotent: bool = False,
    deadline: DeadlineOptions | None = None,
    hedge: HedgeOptions | None = None,
    idempotency: IdempotencyOptions | None = None,
    recovered_after: int = 3,
    fault: FaultOptions | None = None,
    limit: LimitOptions | None = None,
    rate_limit: RateLimitOptions | None = None,
) -> Playbook:
    """A playbook with one route for everything."""
    return Playbook(
        snapshot(
            retry=retry,
            breaker=breaker,
            fallback=fallback,
            timeout_s=timeout_s,
            per_try_timeout_s=per_try_timeout_s,
            clusters=clusters,
            methods=methods,
            idempotent=idempotent,
            deadline=deadline,
            hedge=hedge,
            idempotency=idempotency,
            recovered_after=recovered_after,
            fault=fault,
            limit=limit,
            rate_limit=rate_limit,
        )
    )


def begin(
    play: Playbook, body: bytes = b"ping", *fields: Field, path: str = GET, timeout: bytes = b""
) -> ScriptedCall:
    """Start a unary call whose request is of no interest here."""
    call = play.call(path, body, *fields, timeout=timeout)
    play.forget()
    return call


def tripping(
    after: int = 2,
    *,
    open_for_s: float = 5.0,
    half_open_calls: int = 1,
    success_threshold: int = 1,
    failure_mask: int | None = None,
) -> BreakerOptions:
    """A breaker that opens after some failures in a row."""
    options = BreakerOptions(
        size=100,
        min_calls=100,
        failure_rate=0.0,
        consecutive=after,
        open_for_s=open_for_s,
        half_open_calls=half_open_calls,
        success_threshold=success_threshold,
    )
    if failure_mask is not None:
        options.failure_mask = failure_mask
    return options
