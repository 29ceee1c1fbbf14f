"""What the endpoints use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from seawall_control.api.gate import Gate
from seawall_control.api.http.sockets import OpenSockets
from seawall_control.api.registry import Registry
from seawall_control.domain.access import MethodAccess
from seawall_control.services.edge import Clock
from seawall_control.services.event_views import EventViews
from seawall_control.services.events import EventService
from seawall_control.services.feed import Feed
from seawall_control.services.fleet import Fleet
from seawall_control.services.health import HealthService
from seawall_control.services.tail import Hub


@dataclass(frozen=True, slots=True)
class HttpParts:
    """What the endpoints use."""

    events: EventService
    event_views: EventViews
    fleet: Fleet
    health: HealthService
    hub: Hub
    feed: Feed
    clock: Clock
    served: Registry
    version: str
    gate: Gate
    methods: Mapping[str, MethodAccess]
    """What each RPC asks of its callers, by path."""
    firing: Callable[[], Mapping[str, int]]
    """How many alerts of each severity fire."""
    changes: Callable[[], str]
    """The page of metrics about rollouts, operations and the telling of alerts."""
    open_metrics: bool = False
    """Whether /metrics asks for no credential."""
    sockets: OpenSockets = field(default_factory=OpenSockets)
    """WebSockets that are open."""
