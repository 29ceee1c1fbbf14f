"""What an explanation consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from seawall_policy.compile.friendly import Plain

DEFAULT_SOURCE: Final = "default"
"""Where a number comes from that no policy says."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One number, with where it comes from."""

    name: str
    """Path within the policy, such as `retry.backoff.initial`."""
    value: Plain
    source: str
    """The policy or the cluster that says it; `preset NAME` or `default` when none does."""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One mechanism that a call meets."""

    name: str
    purpose: str
    settings: tuple[Setting, ...]
    note: str = ""
    """What it means for this call; empty when there is nothing to add."""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A route that the call does not take."""

    route: str
    why: str


@dataclass(frozen=True, slots=True)
class InCluster:
    """What an attempt meets inside of the policy's mechanisms, in one cluster."""

    cluster: str
    mechanisms: tuple[Mechanism, ...]
    fallback: bool = False
    """Only a fallback sends calls there."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a call gets. `route` is empty when none matches: the call is answered with UNIMPLEMENTED."""

    method: str
    route: str
    passed_over: tuple[PassedOver, ...]
    policy: str = ""
    line: tuple[str, ...] = ()
    """The policy, what it extends, and so on."""
    idempotent: str = ""
    """Why the call may be repeated; empty when it may not."""
    destinations: tuple[tuple[str, float], ...] = ()
    """Clusters with their shares, 0 to 1."""
    mechanisms: tuple[Mechanism, ...] = ()
    clusters: tuple[InCluster, ...] = ()
    """The destinations, then the clusters of fallbacks."""
    off: tuple[str, ...] = ()
    """Mechanisms that no policy of the line mentions, and that do nothing then."""
    optional: str = ""
    """What it means that the route is optional; empty when it is not."""
