"""Warnings: what is allowed and probably not meant.

A rule about one setting looks at what the policy itself says, so that it speaks once and where it was
written; a rule about settings together looks at the policy with everything it extends.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import isinf

from seawall.v1 import policy_pb2
from seawall_policy import status
from seawall_policy.compile import codes
from seawall_policy.compile.breakers import lint_breaker
from seawall_policy.compile.inherit import Lineage
from seawall_policy.compile.routes import Place
from seawall_policy.compile.scope import Scope
from seawall_policy.durations import NANOS_PER_SECOND, format_duration
from seawall_policy.model import Policy, Route
from seawall_policy.suggest import quoted


def lint_own(scope: Scope, policy: policy_pb2.Policy) -> None:
    """Warn about single settings of a policy as it was written."""
    _client_faults(
        scope / "retry" / "codes",
        policy.retry.codes,
        codes.RETRIES_CLIENT_FAULT,
        "says that the request is wrong or unwanted; trying again cannot help, remove it",
    )
    _client_faults(
        scope / "breaker" / "failure_codes",
        policy.breaker.failure_codes,
        codes.BREAKS_ON_CLIENT_FAULT,
        "is the caller's doing; counting it lets one caller open the breaker for all, remove it",
    )
    budget = policy.retry.budget
    if budget.HasField("percent") and budget.percent == 100:
        (scope / "retry" / "budget" / "percent").warn(
            codes.BUDGET_IS_NONE,
            "100 % lets every call be retried, which doubles the load in an outage; 20 % is usual",
        )


def _client_faults(scope: Scope, names: Sequence[str], code: str, message: str) -> None:
    for index, name in enumerate(names):
        number = status.CODE_BY_NAME.get(name, 0)
        if number and status.CLIENT_FAULTS >> number & 1:
            scope.at(index).warn(code, f"{name} {message}")


def lint_merged(scope: Scope, own: policy_pb2.Policy, lineage: Lineage, policy: Policy) -> None:
    """Warn about settings that do not go together; quiet when the policy says nothing about them itself."""
    merged = lineage.merged
    if own.HasField("timeout") or own.HasField("per_try_timeout") or own.retry.HasField("max_attempts"):
        _times(scope, own, policy)
    if own.HasField("retry"):
        _retry(scope / "retry", own.retry, merged.retry, policy)
    if own.HasField("breaker"):
        _breaker(scope / "breaker", own.breaker, merged.breaker)
        lint_breaker(scope / "breaker", own.breaker, merged.breaker)
        _slow_call(scope / "breaker" / "slow_call", own.breaker, merged.breaker, policy)


def _times(scope: Scope, own: policy_pb2.Policy, policy: Policy) -> None:
    total, each, attempts = policy.timeout_s, policy.per_try_timeout_s, policy.retry.max_attempts
    if isinf(total) or isinf(each):
        return
    place = scope / (
        "per_try_timeout"
        if own.HasField("per_try_timeout")
        else "timeout"
        if own.HasField("timeout")
        else "retry"
    )
    if each >= total:
        place.warn(
            codes.TRY_NOT_SHORTER,
            f"per_try_timeout {_shown(each)} is not shorter than timeout {_shown(total)} and never takes "
            "effect",
        )
    elif attempts > 1 and each * attempts > total:
        place.warn(
            codes.TRIES_OUTLAST_CALL,
            f"{attempts} attempts of {_shown(each)} take {_shown(each * attempts)}, longer than timeout "
            f"{_shown(total)}; "
            f"at most {_shown(total / attempts)} each would fit",
        )


def _shown(seconds: float) -> str:
    return format_duration(round(seconds * 1000) * (NANOS_PER_SECOND // 1000))


def _retry(scope: Scope, own: policy_pb2.Retry, merged: policy_pb2.Retry, policy: Policy) -> None:
    if policy.retry.max_attempts == 1:
        given = [field.name for field, _ in own.ListFields() if field.name != "max_attempts"]
        if given:
            (scope / given[0]).warn(
                codes.SINGLE_ATTEMPT,
                f"{', '.join(given)} without effect: max_attempts is 1, so nothing is retried; add "
                "`max_attempts: 3`",
            )
        return
    shape = own.backoff
    kind = merged.backoff.kind
    growing = (policy_pb2.BACKOFF_KIND_UNSPECIFIED, policy_pb2.BACKOFF_KIND_EXPONENTIAL)
    if shape.HasField("multiplier") and kind not in growing:
        (scope / "backoff" / "multiplier").warn(
            codes.NO_EFFECT, "only exponential backoff has a multiplier; remove it"
        )
    if (shape.HasField("initial") or shape.HasField("max")) and policy.retry.initial_s > policy.retry.max_s:
        place = scope / "backoff" / ("initial" if shape.HasField("initial") else "max")
        place.warn(
            codes.NO_EFFECT,
            f"the first wait {_shown(policy.retry.initial_s)} is longer than the longest one "
            f"{_shown(policy.retry.max_s)}, "
            "which cuts it off; raise `max`",
        )


def _breaker(scope: Scope, own: policy_pb2.Breaker, merged: policy_pb2.Breaker) -> None:
    by_time = merged.window.kind == policy_pb2.WINDOW_KIND_TIME
    if own.window.HasField("size") and by_time:
        (scope / "window" / "size").warn(
            codes.NO_EFFECT, "a window of kind time has a `duration`, no `size`; remove it"
        )
    if own.window.HasField("duration") and not by_time:
        (scope / "window" / "duration").warn(
            codes.NO_EFFECT, "a window of kind count has a `size`; write `kind: time` to count by duration"
        )
    size = merged.window.size if merged.window.HasField("size") else 100
    if own.HasField("min_calls") and not by_time and own.min_calls > size:
        (scope / "min_calls").warn(
            codes.WINDOW_TOO_SMALL,
            f"{own.min_calls} calls never fit into a window of {size}; the breaker decides when it is full",
        )
    if own.HasField("open_for_max"):
        grows = merged.HasField("open_multiplier") and merged.open_multiplier > 1
        if not grows:
            (scope / "open_for_max").warn(codes.NO_EFFECT, "open_for does not grow; add `open_multiplier: 2`")
        elif (
            merged.HasField("open_for") and own.open_for_max.ToNanoseconds() < merged.open_for.ToNanoseconds()
        ):
            (scope / "open_for_max").warn(
                codes.NO_EFFECT, "is shorter than open_for, which applies instead; raise it"
            )


def _slow_call(scope: Scope, own: policy_pb2.Breaker, merged: policy_pb2.Breaker, policy: Policy) -> None:
    if not own.HasField("slow_call"):
        return
    if not merged.slow_call.HasField("duration"):
        scope.warn(codes.NO_EFFECT, "without `duration` no call is slow; add it")
        return
    longest = policy.timeout_s
    if isinf(longest) or policy.breaker is None:
        return
    if policy.breaker.slow_call_duration_s >= longest:
        (scope / "duration").warn(
            codes.NO_EFFECT, f"no call lasts longer than {_shown(longest)}, so none is slow; shorten it"
        )


def lint_routes(
    places: Sequence[Place], policies: Mapping[str, Lineage], own: Collection[str], safe: frozenset[bytes]
) -> None:
    """Warn about routes that cannot work as meant; `safe` are the paths of methods that descriptors
    declare idempotent.
    """
    seen: dict[tuple[str, str, frozenset[tuple[bytes, bytes]]], str] = {}
    for place in places:
        route, scope = place.route, place.scope
        conditions = frozenset((c.name, c.value) for c in route.metadata)
        key = (route.service, route.method, conditions)
        if key in seen:
            scope.warn(
                codes.SHADOWED_ROUTE,
                f"route {quoted(route.name)} is never reached: {quoted(seen[key])} has the same conditions "
                "and comes first",
            )
        else:
            seen[key] = route.name
        _never_retries(scope, route, policies, own, safe)
        for index, step in enumerate(route.policy.fallback):
            if (
                step.cluster
                and not step.method
                and all(cluster == step.cluster for cluster, _ in route.backends)
            ):
                (scope / "policy").warn(
                    codes.FALLBACK_TO_SELF,
                    f"fallback {index} of policy {quoted(route.policy.name)} sends to "
                    f"{quoted(step.cluster)}, "
                    "the cluster that has just failed; name another one",
                )


def _never_retries(
    scope: Scope, route: Route, policies: Mapping[str, Lineage], own: Collection[str], safe: frozenset[bytes]
) -> None:
    retry = route.policy.retry
    if retry.max_attempts == 1 or not retry.only_idempotent or route.idempotent:
        return
    # A built-in policy carries its retries along for whoever declares a method; only retries that were asked
    # for can be missed.
    asked = any(policies[name].own_attempts > 1 for name in policies[route.policy.name].chain if name in own)
    keys = route.policy.idempotency
    if not asked or any(_covers(route, path) for path in safe) or (keys and keys.server_honours):
        return
    scope.warn(
        codes.RETRY_NEVER,
        f"policy {quoted(route.policy.name)} retries idempotent methods only, and nothing says that those "
        "of route "
        f"{quoted(route.name)} are; add `idempotent: true` to the route if running a call twice does no harm",
    )


def _covers(route: Route, path: bytes) -> bool:
    service, _, method = path.decode("utf-8")[1:].rpartition("/")
    return route.service in ("", service) and route.method in ("", method)


def lint_unused(scope: Scope, document: policy_pb2.PolicyDocument) -> None:
    """Warn about what nothing refers to."""
    if not document.routes:
        (scope / "routes").warn(
            codes.NO_ROUTES, "the document has no routes: every call is answered with UNIMPLEMENTED"
        )
        return
    used_policies = {route.policy for route in document.routes}
    used_policies.update(route.shadow_policy for route in document.routes)
    used_policies.update(policy.extends for policy in document.policies.values())
    for name in sorted(document.policies):
        if name not in used_policies:
            (scope / "policies" / name).warn(
                codes.UNUSED_POLICY, f"no route and no policy refers to policy {quoted(name)}"
            )
    used_clusters = {route.cluster for route in document.routes}
    used_clusters.update(backend.cluster for route in document.routes for backend in route.backends)
    used_clusters.update(step.cluster for policy in document.policies.values() for step in policy.fallback)
    used_clusters.update(mirror.cluster for route in document.routes for mirror in route.mirror)
    for index, cluster in enumerate(document.clusters):
        if cluster.name and cluster.name not in used_clusters:
            (scope / "clusters").at(index).warn(
                codes.UNUSED_CLUSTER,
                f"no route, no mirror and no fallback sends to cluster {quoted(cluster.name)}",
            )
