"""Warnings about fallbacks and journals: steps that are never reached, and what cannot do what it should."""

from __future__ import annotations

from typing import Final

from seawall_policy import breaker, status
from seawall_policy.compile import codes
from seawall_policy.compile.scope import Scope
from seawall_policy.descriptors import DescriptorSource
from seawall_policy.model import ANY_FAILURE, ENFORCE, OFF, FallbackStep, Policy, Route
from seawall_policy.suggest import quoted

_BREAKER_OPEN: Final = "BREAKER_OPEN"


def lint_steps(scope: Scope, steps: tuple[FallbackStep, ...]) -> None:
    """Warn about steps behind one that always has an answer."""
    for index, step in enumerate(steps):
        for before in range(index):
            earlier = steps[before]
            if _always_answers(earlier, step) and _covers(earlier, step):
                (scope / "fallback").at(index).warn(
                    codes.FALLBACK_UNREACHED,
                    f"fallback {before} comes first and always has an answer to the same failures; move "
                    "this one before it",
                )
                break


def _always_answers(earlier: FallbackStep, later: FallbackStep) -> bool:
    if earlier.mode != ENFORCE or later.mode == OFF:
        return False
    # A static message fits some methods, and another one behind it those that are left.
    return earlier.empty or (earlier.static is not None and later.static is None and not later.empty)


def _covers(earlier: FallbackStep, later: FallbackStep) -> bool:
    if later.codes & ~earlier.codes:
        return False
    # Reasons come with one of these codes, or with one that only `any` has.
    return later.reasons <= earlier.reasons or earlier.codes == ANY_FAILURE


def lint_route(scope: Scope, route: Route, source: DescriptorSource, *, unread: bool = False) -> None:
    """Warn about what the policy of a route cannot do there; `scope` is the route's place, `unread` tells
    that there are descriptor files which nobody has read.
    """
    paths = source.paths(route.service, route.method)
    kinds = source.methods()
    streams = [path for path in paths if kinds[path].server_streaming]
    uploads = [path for path in paths if kinds[path].client_streaming]
    name = quoted(route.policy.name)
    for index, step in enumerate(route.policy.fallback):
        what = f"fallback {index} of policy {name}"
        if step.method:
            _method(scope, route, step, what)
        if step.last_good is not None and paths and len(streams) == len(paths):
            (scope / "policy").warn(
                codes.NO_EFFECT, f"{what} serves the last good answer, and streams have none"
            )
        if step.empty and not paths and not unread:
            (scope / "policy").warn(
                codes.KIND_UNKNOWN,
                f"{what} answers a stream with one empty message instead of none, for nothing says which "
                "methods stream; add `descriptor_files`",
            )
    keys = route.policy.idempotency
    if keys is None or keys.journal is None:
        return
    if paths and not [path for path in paths if path not in streams and path not in uploads]:
        (scope / "policy").warn(
            codes.NO_EFFECT, f"policy {name} keeps a journal, and no method of this route is unary"
        )
    elif not paths and not unread:
        (scope / "policy").warn(
            codes.KIND_UNKNOWN,
            f"policy {name} keeps a journal, and nothing says which methods are unary: calls with a key wait "
            "up to 50 ms for the end of their request, and pass by the journal if it is not there; add "
            "`descriptor_files`",
        )


def _method(scope: Scope, route: Route, step: FallbackStep, what: str) -> None:
    own = [cluster for cluster, _ in route.backends]
    if step.cluster and any(cluster != step.cluster for cluster in own):
        return
    if step.method.decode("ascii") == f"/{route.service}/{route.method}":
        (scope / "policy").warn(
            codes.FALLBACK_TO_SELF,
            f"{what} calls the method that has just failed, on the same cluster; name another one",
        )
    elif step.applies(status.UNAVAILABLE, _BREAKER_OPEN) and _rejects(route.policy):
        (scope / "policy").warn(
            codes.FALLBACK_PAST_BREAKER,
            f"{what} sends to the cluster that the open breaker keeps calls from; name another cluster, or "
            "take BREAKER_OPEN, UNAVAILABLE and `any` out of its `when`",
        )


def _rejects(policy: Policy) -> bool:
    return policy.breaker is not None and policy.breaker.mode == breaker.ENFORCE
