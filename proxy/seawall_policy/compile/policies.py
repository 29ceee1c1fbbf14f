"""Reading the numbers of a policy: ranges, defaults, and what the data path needs of them."""

from __future__ import annotations

from math import inf

from seawall.v1 import policy_pb2
from seawall_policy.classify import Classifier
from seawall_policy.compile import codes
from seawall_policy.compile.scope import Scope


def read_timeouts(scope: Scope, policy: policy_pb2.Policy) -> tuple[float, float]:
    """Return the total and the per-try timeout in seconds, infinity where there is none."""
    total = (scope / "timeout").duration(
        policy.timeout if policy.HasField("timeout") else None, "1ms", "24h", inf
    )
    each = (scope / "per_try_timeout").duration(
        policy.per_try_timeout if policy.HasField("per_try_timeout") else None, "1ms", "24h", inf
    )
    return total, each


def read_classifier(scope: Scope, policy: policy_pb2.Policy) -> Classifier:
    """Return the category and strategy of every status code."""
    overrides: dict[int, tuple[int, int]] = {}
    for index, entry in enumerate(policy.classify):
        place = (scope / "classify").at(index)
        if not entry.code:
            (place / "code").error(codes.MISSING, "name the status code, such as `code: RESOURCE_EXHAUSTED`")
            continue
        code = (place / "code").status_code(entry.code)
        category = (place / "category").choice(entry.category, policy_pb2.Category.values(), 0)
        strategy = (place / "strategy").choice(entry.strategy, policy_pb2.Strategy.values(), 0)
        if not entry.category and not entry.strategy:
            place.error(codes.MISSING, "say what to change: `category`, `strategy`, or both")
        if code in overrides:
            (place / "code").error(
                codes.DUPLICATE_NAME, f"{entry.code} is classified twice; keep one of the two"
            )
        if code >= 0:
            overrides[code] = (category, strategy)
    return Classifier(overrides)
