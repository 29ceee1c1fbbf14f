"""Health of the control plane, by part."""

from __future__ import annotations

from dataclasses import dataclass

from seawall_control.domain import health
from seawall_control.domain.errors import ControlError
from seawall_control.domain.events import EventCounts
from seawall_control.domain.health import Component, EventLimits, Status
from seawall_control.services.edge import Clock
from seawall_control.services.events import EventService
from seawall_control.services.fleet import Fleet
from seawall_control.store.port import Store, StoreReport


@dataclass(frozen=True, slots=True)
class Report:
    """Health as a whole and by part, and the numbers that it was judged by."""

    status: Status
    components: tuple[Component, ...]
    store: StoreReport
    counts: EventCounts | None
    uptime_s: float


class HealthService:
    """Judges the parts."""

    def __init__(
        self, store: Store, events: EventService, fleet: Fleet, clock: Clock, limits: EventLimits
    ) -> None:
        self._store = store
        self._events = events
        self._fleet = fleet
        self._clock = clock
        self._limits = limits
        self._started_s = clock.monotonic_s()
        self.draining = False

    async def report(self) -> Report:
        """Return the health of all parts; never raises for a part that is ill."""
        store = await self._store.report_state()
        counts: EventCounts | None = None
        try:
            counts = await self._events.counts()
            events = health.of_events(counts, self._limits)
        except ControlError as error:
            events = Component("events", Status.UNHEALTHY, f"cannot be counted: {error}")
        healthy = store.state == "ok"
        components: tuple[Component, ...] = (
            Component(
                "store",
                Status.HEALTHY if healthy else Status.UNHEALTHY,
                f"{store.engine} {store.version}" if healthy else store.detail,
            ),
            events,
            health.of_fleet(
                known=len(self._fleet.known()),
                connected=self._fleet.connected,
                refusing=self._fleet.pushes.refusing(),
            ),
        )
        if self.draining:
            components = (*components, Component("process", Status.UNHEALTHY, "stopping"))
        return Report(
            health.overall(components), components, store, counts, self._clock.monotonic_s() - self._started_s
        )

    async def is_ready(self) -> bool:
        """Whether requests are served and changes can be stored."""
        return not self.draining and (await self._store.report_state()).state == "ok"
