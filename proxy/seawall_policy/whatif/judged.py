"""Which mechanisms of a policy a record can say something about, and why not the others.

An honest gap is better than a number that means nothing: what depends on things that no record has (metadata,
keys, other endpoints) is named here with the reason, and left out of the replay.
"""

from __future__ import annotations

from math import inf
from typing import Final

from seawall_policy import breaker, hedge, model
from seawall_policy.limit import options as limits
from seawall_policy.model import ClusterSpec, Policy, Route, Snapshot
from seawall_policy.outlier import options as outlier
from seawall_policy.whatif.door import unjudged_modes
from seawall_policy.whatif.result import MechanismResult

_ALL_CALLS: Final = (
    "needs every call, and this record has only those that were not plain; an access log has all"
)
_LIMIT: Final = "times at work are those of the record, and all calls count as {}"
_HEDGE: Final = "a hedge fares like the next attempt of the route, wherever that was sent"
_SHADOW: Final = "is in shadow: it does nothing"


def mechanisms_of(
    snapshot: Snapshot, route: Route, *, complete: bool, deadlines: bool
) -> dict[str, MechanismResult]:
    """Return the mechanisms of a route, in the order in which a call meets them.

    `complete` tells that the record has every call, `deadlines` that it has the time that callers gave.
    """
    policy = route.policy
    found: dict[str, MechanismResult] = {}
    shadows = unjudged_modes(policy)

    def add(name: str, why_not: str = "", note: str = "") -> None:
        why_not = shadows.get(name, why_not)
        found[name] = MechanismResult(name, judged=not why_not, note=why_not or note)

    if policy.timeout_s < inf:
        add("timeout")
    if policy.deadline is not None:
        add("deadline", _deadline(complete=complete, deadlines=deadlines))
    if policy.rate_limit is not None:
        add("rate_limit", _rate_limit(policy, complete=complete))
    if policy.limit is not None and policy.limit.mode != limits.OFF:
        note = _LIMIT.format(limits.CLASS_NAMES[policy.limit.criticality])
        add("limit", "" if complete else _ALL_CALLS, note)
    if any(step.mode == model.ENFORCE for step in policy.fallback):
        add("fallback", note="that another cluster, or a last good answer, would have been there is assumed")
    if policy.idempotency is not None:
        add("idempotency", "keys are not recorded")
    if policy.hedge is not None:
        in_shadow = policy.hedge.mode != hedge.ENFORCE
        add("hedge", _SHADOW if in_shadow else "" if complete else _ALL_CALLS, _HEDGE)
    if policy.retry.most_attempts > 1:
        add("retry")
    if policy.breaker is not None and policy.breaker.mode != breaker.OFF:
        add("breaker", "" if policy.breaker.mode == breaker.ENFORCE else _SHADOW, _scope(policy))
    if policy.per_try_timeout_s < inf:
        add("per_try_timeout")
    if policy.fault is not None:
        add("fault", "which attempts it breaks is drawn, and it is over at its `until`")
    for cluster, _ in route.backends:
        _add_cluster(found, snapshot.clusters[cluster])
    return found


def _deadline(*, complete: bool, deadlines: bool) -> str:
    if not complete:
        return _ALL_CALLS
    return "" if deadlines else "no call of the record has a deadline"


def _rate_limit(policy: Policy, *, complete: bool) -> str:
    options = policy.rate_limit
    if options is not None and len(options.parts.names) > 0:
        return "metadata that its key is made of is not recorded"
    if options is not None and options.parts.by_peer:
        return "only the network of a client is recorded, not its address"
    return "" if complete else _ALL_CALLS


def _scope(policy: Policy) -> str:
    if policy.breaker is None or policy.breaker.scope == breaker.PER_ROUTE:
        return ""
    return "one breaker for the route here, instead of one for each method or endpoint"


def _add_cluster(found: dict[str, MechanismResult], spec: ClusterSpec) -> None:
    if spec.outlier is not None and spec.outlier.mode != outlier.OFF:
        found["outlier"] = MechanismResult(
            "outlier",
            judged=False,
            note="attempts would have gone elsewhere, and no record has how they would have fared there",
        )
    found["max_in_flight"] = MechanismResult(
        "max_in_flight", judged=False, note="what else was at work at the cluster is not recorded"
    )
