"""What a control plane tells the others on its store of the proxies that are connected to it: who they are,
and what their numbers come to together.

Numbers of calls are added up over all proxies of one control plane, and only grow while the process runs, so
that a share that is missed costs nothing. Of each proxy there is a row, and how far its calls are counted,
for whoever it goes to next. Times are ages in seconds: the clocks of two control planes need not agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from seawall_control.domain.fleet_ledger import End
from seawall_control.domain.statistics import ClusterCounters, Counters

KIND: Final = "fleet-share"
MAX_CLUSTERS: Final = 200
"""Clusters of one control plane that others see; those of most proxies."""
MAX_ENDPOINTS: Final = 1000
"""Endpoints of one control plane's proxies that others see, those that are left out first."""
MAX_BREAKERS: Final = 500
"""Breakers of one control plane that others see; those that are not closed first."""


@dataclass(frozen=True, slots=True)
class NodeNumbers:
    """Of one proxy, since its start."""

    events_produced: int = 0
    events_dropped: int = 0
    connections: int = 0
    boot_id: str = ""
    spooled: int = 0
    """Events that wait on its disk."""
    spool_bytes: int = 0
    spool_max_bytes: int = 0
    """0: not known."""
    spool_age_s: float = 0.0
    """For how long the oldest of them has waited."""
    silent_s: float = 0.0
    """Since it said anything."""


@dataclass(frozen=True, slots=True)
class EndpointSight:
    """An endpoint as several proxies see it."""

    proxies: int = 0
    """That have it."""
    watched: int = 0
    """Of them those that look for outliers."""
    ejected: int = 0
    """Those that leave it out."""
    alone: int = 0
    """Those to which no other endpoint of the cluster takes calls."""
    reasons: tuple[str, ...] = ()
    """Why it is left out, sorted."""


def added_sights(first: EndpointSight, second: EndpointSight) -> EndpointSight:
    """Return what both come to together."""
    return EndpointSight(
        first.proxies + second.proxies,
        first.watched + second.watched,
        first.ejected + second.ejected,
        first.alone + second.alone,
        tuple(sorted({*first.reasons, *second.reasons})),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What calls came to in a stage of a rollout, as far as this control plane's proxies saw them."""

    policy_set: str
    revision: int
    stage: int
    canary: Mapping[str, Counters]
    rest: Mapping[str, Counters]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """All that is shared."""

    run: str
    """The process; its numbers start anew with it."""
    number: int
    """Grows with each share of a run, from 1."""
    has_ended: bool = False
    """It is the last one, of a control plane that stops: nobody is connected there any more."""
    is_partial: bool = False
    """There was no room for more than who the proxies are; of everything else it says nothing."""
    nodes: Mapping[str, NodeNumbers] = field(default_factory=dict)
    grown: Mapping[str, Counters] = field(default_factory=dict)
    """What happened on each route since the process began to look."""
    ends: Mapping[str, End] = field(default_factory=dict)
    """How far the calls of proxies are counted in `grown`."""
    totals: Mapping[str, Counters] = field(default_factory=dict)
    """What the connected proxies count together since their own starts."""
    clusters: Mapping[str, tuple[ClusterCounters, int]] = field(default_factory=dict)
    """Numbers, and of how many proxies."""
    endpoints: Mapping[tuple[str, str], EndpointSight] = field(default_factory=dict)
    """By cluster and address."""
    breakers: tuple[str, ...] = ()
    """Serialized `seawall.v1.BreakerStatus` messages in base64: the edge's business."""
    open_breakers: int = 0
    """Breakers that are not closed; where that is more than are listed, not all are."""
    judged: tuple[Judged, ...] = ()
