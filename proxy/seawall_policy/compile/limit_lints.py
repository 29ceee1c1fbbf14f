"""What of limits is probably not meant: settings without effect, and optional routes that are alone."""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf

from seawall.v1 import policy_pb2
from seawall_policy.compile import codes
from seawall_policy.compile.routes import Place
from seawall_policy.compile.scope import Scope
from seawall_policy.durations import NANOS_PER_SECOND, format_duration
from seawall_policy.limit import options as limits
from seawall_policy.limit.options import LimitOptions
from seawall_policy.model import Policy, Route
from seawall_policy.suggest import quoted


def lint_limits(scope: Scope, own: policy_pb2.Policy, merged: policy_pb2.Policy, policy: Policy) -> None:
    """Warn about settings of limits that do not do what they seem to."""
    if own.HasField("limit") and policy.limit is not None:
        _lint_limit(scope / "limit", own.limit, merged.limit, policy.limit, policy.timeout_s)
    limited = policy.rate_limit
    if own.HasField("rate_limit") and limited is not None:
        if limited.burst < limited.per_second / 1000.0:
            (scope / "rate_limit" / "burst").warn(
                codes.BURST_TOO_SMALL,
                f"calls come in bunches: with {limited.burst} at once, many of {limited.per_second:g}/s "
                "are refused; raise `burst`",
            )
        if own.rate_limit.HasField("max_keys") and not limited.key:
            (scope / "rate_limit" / "max_keys").warn(
                codes.NO_EFFECT, "without `key` there is one bucket; remove it, or add `key: [peer]`"
            )


def _lint_limit(
    scope: Scope, own: policy_pb2.Limit, merged: policy_pb2.Limit, options: LimitOptions, timeout_s: float
) -> None:
    if options.kind == limits.NONE:
        for name in ("min_in_flight", "initial"):
            if own.HasField(name):
                (scope / name).warn(
                    codes.NO_EFFECT,
                    f"a limit that is not adaptive is max_in_flight; remove {name}, or add `adaptive`",
                )
    elif own.HasField("initial") and not options.min_in_flight <= own.initial <= options.max_in_flight:
        (scope / "initial").warn(
            codes.NO_EFFECT, "is not between min_in_flight and max_in_flight, which cut it off"
        )
    if own.HasField("queue_timeout") and options.queue == 0:
        (scope / "queue_timeout").warn(codes.NO_EFFECT, "without `queue` no call waits; add `queue: 100`")
    if own.HasField("queue_timeout") and options.queue > 0 and options.queue_timeout_s >= timeout_s:
        (scope / "queue_timeout").warn(
            codes.WAITS_OUTLAST_CALL,
            f"is not shorter than timeout {_shown(timeout_s)}: calls would wait until they fail",
        )
    if (
        options.kind in (limits.GRADIENT, limits.VEGAS, limits.GRADIENT2)
        and options.queue == 0
        and own.adaptive
    ):
        (scope / "adaptive").warn(
            codes.ADAPTIVE_WITHOUT_QUEUE,
            "refuses calls of a healthy service when many come at once: none may wait; add `queue: 100`, or "
            "use `adaptive: knee` with a queue",
        )
    if own.HasField("fair_share") and options.queue == 0:
        (scope / "fair_share").warn(
            codes.NO_EFFECT,
            "without `queue` nobody waits, so there is nobody to choose from; add `queue: 100`",
        )
    if own.criticality_header and merged.shares == [] and options.queue == 0:
        (scope / "criticality_header").warn(
            codes.CRITICALITY_UNUSED,
            "without `shares` and `queue` all classes are treated alike; add one of them",
        )


def lint_optional_routes(places: Sequence[Place]) -> None:
    """Warn about optional routes that are never refused first."""
    groups: dict[tuple[str, str], int] = {}
    for place in places:
        key = _limit_of(place.route)
        if key is not None:
            groups[key] = groups.get(key, 0) + 1
    for place in places:
        route = place.route
        if not route.optional:
            continue
        key = _limit_of(route)
        if key is None:
            (place.scope / "optional").warn(
                codes.NO_EFFECT,
                f"policy {quoted(route.policy.name)} has no `limit`, so nobody is refused first; add one",
            )
            continue
        beside = [
            other.route.name
            for other in places
            if other is not place and other.route.backends and other.route.backends[0][0] == key[0]
        ]
        if beside and groups[key] == 1:
            (place.scope / "optional").warn(
                codes.OPTIONAL_ALONE,
                f"no other route to cluster {quoted(key[0])} has the same `limit`, so the load of "
                f"{quoted(beside[0])} is not seen; give both the same policy, or equal limits",
            )


def _limit_of(route: Route) -> tuple[str, str] | None:
    """Return what routes have in common that share a limit; None without one."""
    options = route.policy.limit
    if options is None or options.mode == limits.OFF or not route.backends:
        return None
    return (route.backends[0][0], options.numbers())


def _shown(seconds: float) -> str:
    return "none" if isinf(seconds) else format_duration(round(seconds * 1000) * (NANOS_PER_SECOND // 1000))
