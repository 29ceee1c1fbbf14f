"""Reading the numbers of a policy: ranges, defaults, and what the data path needs of them."""

from __future__ import annotations

from math import inf

from seawall.v1 import policy_pb2
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
