"""What the endpoints use."""

from __future__ import annotations

from dataclasses import dataclass

from seawall_control.api.registry import Registry
from seawall_control.services.edge import Clock
from seawall_control.services.events import EventService
from seawall_control.services.feed import Feed
from seawall_control.services.fleet import Fleet
from seawall_control.services.health import HealthService
from seawall_control.services.tail import Hub


@dataclass(frozen=True, slots=True)
class HttpParts:
    """What the endpoints use."""

    events: EventService
    fleet: Fleet
    health: HealthService
    hub: Hub
    feed: Feed
    clock: Clock
    served: Registry
    version: str
