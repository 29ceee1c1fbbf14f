"""Policy snapshots built from a few keywords, for tests that need no document."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from seawall_policy.breaker import BreakerOptions
from seawall_policy.classify import Classifier
from seawall_policy.deadline import DeadlineOptions
from seawall_policy.degradation import RECOVERED_AFTER
from seawall_policy.fault import FaultOptions
from seawall_policy.header_change import HeaderChange
from seawall_policy.hedge import HedgeOptions
from seawall_policy.journal import IdempotencyOptions
from seawall_policy.last_good import LastGoodOptions
from seawall_policy.limit.options import LimitOptions
from seawall_policy.model import (
    ANY_FAILURE,
    BALANCE_ROUND_ROBIN,
    SHADOW,
    ClusterSpec,
    FallbackStep,
    MetadataCondition,
    MethodInfo,
    MirrorTarget,
    Policy,
    Route,
    Snapshot,
    StaticAnswer,
)
from seawall_policy.rate import RateLimitOptions
from seawall_policy.retry import RetryOptions


def make_policy(  # noqa: PLR0913 - one for each mechanism
    *,
    timeout_s: float = inf,
    per_try_timeout_s: float = inf,
    retry: RetryOptions | None = None,
    breaker: BreakerOptions | None = None,
    fallback: tuple[FallbackStep, ...] = (),
    deadline: DeadlineOptions | None = None,
    hedge: HedgeOptions | None = None,
    idempotency: IdempotencyOptions | None = None,
    recovered_after: int = RECOVERED_AFTER,
    fault: FaultOptions | None = None,
    classifier: Classifier | None = None,
    limit: LimitOptions | None = None,
    rate_limit: RateLimitOptions | None = None,
) -> Policy:
    """Return a policy; what is not given is off."""
    return Policy(
        "tested",
        timeout_s,
        per_try_timeout_s,
        retry or RetryOptions(),
        breaker,
        fallback,
        classifier or Classifier(),
        deadline=deadline,
        hedge=hedge,
        idempotency=idempotency,
        recovered_after=recovered_after,
        fault=fault,
        limit=limit,
        rate_limit=rate_limit,
    )


def make_route(  # noqa: PLR0913 - one keyword per setting
    policy: Policy,
    *,
    name: str = "all",
    service: str = "",
    method: str = "",
    metadata: Mapping[bytes, bytes] | None = None,
    backends: tuple[tuple[str, int], ...] = (("main", 1),),
    idempotent: bool = False,
    request_headers: HeaderChange | None = None,
    response_headers: HeaderChange | None = None,
    mirrors: Mapping[str, float] | None = None,
    shadow: Policy | None = None,
    optional: bool = False,
) -> Route:
    """Return a route; `backends` are cluster names with their own (not cumulative) weights, `mirrors` cluster
    names with the share of calls that is copied.
    """
    conditions = tuple(MetadataCondition(key, value) for key, value in (metadata or {}).items())
    total = 0
    cumulative: list[tuple[str, int]] = []
    for cluster, weight in backends:
        total += weight
        cumulative.append((cluster, total))
    return Route(
        name,
        service,
        method,
        conditions,
        tuple(cumulative),
        policy,
        idempotent,
        request_headers,
        response_headers,
        tuple(MirrorTarget(cluster, share) for cluster, share in (mirrors or {}).items()),
        shadow,
        optional,
    )


def make_change(
    *,
    set: Mapping[bytes, bytes] | None = None,  # noqa: A002 - the word of the policy file
    add: Mapping[bytes, bytes] | None = None,
    remove: tuple[bytes, ...] = (),
) -> HeaderChange:
    """Return a change of metadata."""
    return HeaderChange(tuple((set or {}).items()), tuple((add or {}).items()), frozenset(remove))


def make_cluster(
    name: str,
    endpoints: tuple[str, ...],
    *,
    balance: int = BALANCE_ROUND_ROBIN,
    max_in_flight: int = 1024,
    connect_timeout_s: float = 1.0,
    authority: bytes = b"",
) -> ClusterSpec:
    """Return a cluster."""
    return ClusterSpec(name, endpoints, balance, max_in_flight, connect_timeout_s, authority)


def make_snapshot(
    *routes: Route,
    clusters: Mapping[str, tuple[str, ...] | ClusterSpec] | None = None,
    methods: Mapping[bytes, MethodInfo] | None = None,
    revision: int = 1,
) -> Snapshot:
    """Return a snapshot; clusters are given as their endpoints' addresses or as specs, `main` with `a` if not
    at all.
    """
    specs: dict[str, ClusterSpec] = {}
    for name, given in (clusters or {"main": ("a",)}).items():
        specs[name] = given if isinstance(given, ClusterSpec) else make_cluster(name, given)
    return Snapshot(revision, f"digest-{revision}", routes, specs, dict(methods or {}))


def to_cluster(name: str, codes: int = ANY_FAILURE, reasons: frozenset[str] = frozenset()) -> FallbackStep:
    """Return a fallback to another cluster; `codes` is a bit mask."""
    return FallbackStep(codes, reasons, name, None)


def to_method(
    path: str, name: str = "", codes: int = ANY_FAILURE, reasons: frozenset[str] = frozenset()
) -> FallbackStep:
    """Return a fallback to another method, of the route's own cluster unless one is named."""
    return FallbackStep(codes, reasons, name, None, method=path.encode("ascii"))


def to_last_good(
    options: LastGoodOptions, codes: int = ANY_FAILURE, reasons: frozenset[str] = frozenset()
) -> FallbackStep:
    """Return a fallback to the last good answer."""
    return FallbackStep(codes, reasons, "", None, last_good=options)


def to_empty(codes: int = ANY_FAILURE, reasons: frozenset[str] = frozenset()) -> FallbackStep:
    """Return a fallback to an empty answer."""
    return FallbackStep(codes, reasons, "", None, empty=True)


def in_shadow(step: FallbackStep) -> FallbackStep:
    """Return a fallback that only counts what it would have answered."""
    step.mode = SHADOW
    return step


def to_static(
    payload: bytes, path: bytes, codes: int = ANY_FAILURE, reasons: frozenset[str] = frozenset()
) -> FallbackStep:
    """Return a fallback to a fixed answer for one method path; `payload` is framed already."""
    return FallbackStep(codes, reasons, "", StaticAnswer("{}", {path: payload}))
