"""What a policy document says of its routes, for recommendations."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf import json_format

from seawall.v1 import policy_pb2
from seawall_control.domain.analysis.recommend import PolicyFacts, Recommendation
from seawall_control.domain.errors import PreconditionFailed
from seawall_policy.compile.inherit import resolve
from seawall_policy.compile.report import Report

STANDARD = "builtin/standard"


def policy_facts(document: policy_pb2.PolicyDocument) -> Mapping[str, PolicyFacts]:
    """Return the facts of every route's policy, by route."""
    lineages = resolve(document.policies, Report())
    found: dict[str, PolicyFacts] = {}
    for route in document.routes:
        name = route.policy or STANDARD
        if name not in lineages:
            continue
        merged = lineages[name].merged
        found[route.name] = PolicyFacts(
            name=name,
            idempotent=route.idempotent,
            timeout_s=merged.timeout.ToNanoseconds() / 1e9,
            attempts=merged.retry.max_attempts if merged.retry.HasField("max_attempts") else 1,
            codes=frozenset(merged.retry.codes or ("UNAVAILABLE",)),
            hedges=merged.HasField("hedge"),
            breaker=merged.HasField("breaker") and merged.breaker.mode != policy_pb2.BREAKER_MODE_OFF,
            open_multiplier=(
                merged.breaker.open_multiplier if merged.breaker.HasField("open_multiplier") else 1.0
            ),
            fallback=len(merged.fallback) > 0,
            max_in_flight=(
                merged.limit.max_in_flight
                if merged.limit.adaptive in (policy_pb2.LIMIT_KIND_UNSPECIFIED, policy_pb2.LIMIT_KIND_NONE)
                else 0
            ),
        )
    return found


def policy_of(recommendation: Recommendation) -> policy_pb2.Policy:
    """Return the policy that a recommendation gives its route."""
    return json_format.ParseDict(dict(recommendation.patch), policy_pb2.Policy())


def changed_document(
    document: policy_pb2.PolicyDocument, own: policy_pb2.PolicyDocument, recommendation: Recommendation
) -> policy_pb2.PolicyDocument:
    """Return the own document of a set (the same as `document` where that extends nothing) with the change of
    a recommendation. Raise `PreconditionFailed` for mere advice.
    """
    if not recommendation.policy_name:
        raise PreconditionFailed(
            f"{recommendation.id} is advice that only people can follow: {recommendation.title}"
        )
    changed = policy_pb2.PolicyDocument()
    changed.CopyFrom(own)
    name, number = recommendation.policy_name, 2
    while name in document.policies:
        name, number = f"{recommendation.policy_name[:59]}-{number}", number + 1
    changed.policies[name].CopyFrom(policy_of(recommendation))
    mine = next((route for route in changed.routes if route.name == recommendation.route), None)
    if mine is None:
        # The route is inherited: all that the set says of it is its policy.
        mine = changed.routes.add(name=recommendation.route)
    mine.policy = name
    return changed
