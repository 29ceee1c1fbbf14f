"""Warnings about hedging, deadlines and classes of retries: what is allowed and probably not meant."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import isinf

from seawall.v1 import policy_pb2
from seawall_policy.compile import codes
from seawall_policy.compile.inherit import Lineage
from seawall_policy.compile.routes import Place
from seawall_policy.compile.scope import Scope
from seawall_policy.durations import NANOS_PER_SECOND, format_duration
from seawall_policy.model import ClusterSpec, Policy, Route
from seawall_policy.retry import RetryClass
from seawall_policy.suggest import quoted


def lint_attempts(scope: Scope, own: policy_pb2.Policy, lineage: Lineage, policy: Policy) -> None:
    """Report what is wrong with the settings together; quiet about what the policy does not say itself."""
    merged = lineage.merged
    if own.HasField("hedge"):
        _hedge(scope / "hedge", own.hedge, merged.hedge, policy)
    if own.deadline.HasField("margin"):
        _margin(scope / "deadline" / "margin", policy)
    if own.retry.classes:
        _classes(scope / "retry" / "classes", policy.retry.classes)
    if own.HasField("retry"):
        _budget(scope / "retry" / "budget", own.retry.budget, merged.retry.budget)


def _hedge(scope: Scope, own: policy_pb2.Hedge, merged: policy_pb2.Hedge, policy: Policy) -> None:
    if not merged.HasField("delay") and not merged.HasField("percentile"):
        if merged.mode != policy_pb2.MODE_OFF:
            scope.error(codes.MISSING, "say when to hedge: `delay: 50ms` or `percentile: 95%`")
        return
    options = policy.hedge
    if options is None:
        return
    if own.HasField("min_delay") and options.quantile == 0.0:
        (scope / "min_delay").warn(codes.NO_EFFECT, "a fixed `delay` has no least one; remove it")
    place = scope / ("delay" if options.quantile == 0.0 else "min_delay")
    least = options.delay_s if options.quantile == 0.0 else options.min_delay_s
    if options.quantile == 0.0 and least == 0.0 and own.HasField("delay"):
        place.warn(
            codes.HEDGE_AT_ONCE,
            "every call is sent twice until the budget is spent; wait for a moment, or for `percentile: 95%`",
        )
    shortest = min(policy.timeout_s, policy.per_try_timeout_s)
    if least >= shortest:
        place.warn(
            codes.HEDGE_TOO_LATE,
            f"after {_shown(least)} the attempt is over: it has {_shown(shortest)}; shorten the delay",
        )
    if options.quantile > 0.0 and (own.HasField("budget") or own.HasField("percentile")):
        asked = 100.0 * (1.0 - options.quantile)
        if asked > options.budget_percent + 1e-9:
            (scope / ("budget" if own.HasField("budget") else "percentile")).warn(
                codes.HEDGE_UNPAID,
                f"the percentile hedges {asked:g} % of the calls and the budget pays for "
                f"{options.budget_percent:g} %; raise one of them",
            )


def _margin(scope: Scope, policy: Policy) -> None:
    margin = 0.0 if policy.deadline is None else policy.deadline.margin_s
    if margin > 0.0 and not isinf(policy.timeout_s) and margin * 2.0 >= policy.timeout_s:
        scope.warn(
            codes.MARGIN_IS_ALL,
            f"{_shown(margin)} is half of timeout {_shown(policy.timeout_s)} or more; a few milliseconds are "
            "usual",
        )


def _budget(scope: Scope, own: policy_pb2.Budget, merged: policy_pb2.Budget) -> None:
    concurrent = merged.kind == policy_pb2.BUDGET_KIND_CONCURRENCY
    for name in ("min_per_second", "interval") if concurrent else ("min_concurrent",):
        if own.HasField(name):
            kind = "concurrency" if concurrent else "rate"
            (scope / name).warn(codes.NO_EFFECT, f"a budget of kind {kind} has no `{name}`; remove it")


def _classes(scope: Scope, classes: Sequence[RetryClass]) -> None:
    for index, later in enumerate(classes):
        for earlier in classes[:index]:
            if _covers(earlier, later):
                scope.at(index).warn(
                    codes.CLASS_COVERED,
                    f"class {quoted(earlier.name)} comes first and takes every failure of "
                    f"{quoted(later.name)}; put it behind",
                )
                break


def _covers(earlier: RetryClass, later: RetryClass) -> bool:
    codes_fit = earlier.codes == 0 or (later.codes != 0 and later.codes & ~earlier.codes == 0)
    reasons_fit = not earlier.reasons or (bool(later.reasons) and later.reasons <= earlier.reasons)
    return codes_fit and reasons_fit and earlier.category in (0, later.category)


def lint_hedged_routes(
    places: Sequence[Place],
    policies: Mapping[str, Lineage],
    own: Collection[str],
    clusters: Mapping[str, ClusterSpec],
    safe: frozenset[bytes],
) -> None:
    """Warn about routes whose hedges cannot happen; `own` are the names of the document's policies."""
    for place in places:
        route = place.route
        options = route.policy.hedge
        # A built-in policy carries its hedges along for whoever can use them; only those that were asked for
        # can be missed.
        chain = policies[route.policy.name].chain
        if options is None or not any(policies[name].own_hedge for name in chain if name in own):
            continue
        if options.only_idempotent and not route.idempotent and not any(_names(route, path) for path in safe):
            place.scope.warn(
                codes.HEDGE_NEVER,
                f"policy {quoted(route.policy.name)} hedges idempotent methods only, and nothing says that "
                f"those of route {quoted(route.name)} are; add `idempotent: true` to the route if running a "
                "call twice does no harm",
            )
        for name, _ in route.backends:
            spec = clusters.get(name)
            if spec is not None and spec.dns is None and len(spec.endpoints) == 1:
                place.scope.warn(
                    codes.HEDGE_NOWHERE,
                    f"policy {quoted(route.policy.name)} hedges, and cluster {quoted(name)} has one "
                    "endpoint; a hedge needs another one",
                )


def _names(route: Route, path: bytes) -> bool:
    service, _, method = path.decode("utf-8")[1:].rpartition("/")
    return route.service in ("", service) and route.method in ("", method)


def _shown(seconds: float) -> str:
    return format_duration(round(seconds * 1000) * (NANOS_PER_SECOND // 1000))
