"""Which route and policy a call gets, with which numbers, and where each of them comes from.

It answers for a document what the data path would do for a call with a method and metadata: the same
compiler, the same order of routes. Settings are those of the policy with everything that it extends; each
says which policy of that line it stands in. Numbers that no policy says are shown for mechanisms that are on
by what the compiler made of them.

Rooms: `routes` (which one, and why not another), `policies` and `clusters` (the mechanisms of each, in their
order), `settings` (what is said in a message, and by whom).
"""

from seawall_policy.explain.call import NotUsable, explain
from seawall_policy.explain.clusters import CLUSTER_ORDER, WHERE_IT_IS
from seawall_policy.explain.explanation import (
    DEFAULT_SOURCE,
    Explanation,
    InCluster,
    Mechanism,
    PassedOver,
    Setting,
)
from seawall_policy.explain.policies import ORDER

__all__ = [
    "CLUSTER_ORDER",
    "DEFAULT_SOURCE",
    "ORDER",
    "WHERE_IT_IS",
    "Explanation",
    "InCluster",
    "Mechanism",
    "NotUsable",
    "PassedOver",
    "Setting",
    "explain",
]
