"""Events about what is in shadow: once a minute what it would have done, for each route where that was
anything.

A mechanism in shadow may decide about each call, and events as thick as the traffic would be of no use. What
is told is how much the counts have grown in a minute, in one event of a route; the counts themselves are at
`/status`, in the metrics and in the statistics. Hopeless calls are in shadow unless a policy says otherwise,
so they alone make no event.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from seawall.v1 import event_pb2
from seawall_proxy.runtime.breaker_status import BreakerSums
from seawall_proxy.runtime.status import route_states
from seawall_proxy.telemetry.counters import RouteCounters
from seawall_proxy.telemetry.events import SystemRecord
from seawall_proxy.telemetry.would import would_by_name

if TYPE_CHECKING:
    from seawall_proxy.runtime.worker import Worker

log = logging.getLogger(__name__)

TELL_S: Final = 60.0
ERROR_TYPE: Final = "shadow_differs"
_BY_DEFAULT: Final = "deadline/"


class ShadowTeller:
    """Tells of the routes of one event loop."""

    def __init__(
        self, worker: Worker, routes: Mapping[str, RouteCounters], report: Callable[[SystemRecord], None]
    ) -> None:
        self._worker: Worker = worker
        self._routes: Mapping[str, RouteCounters] = routes
        self._report: Callable[[SystemRecord], None] = report
        self._told: dict[str, dict[str, int]] = {}

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            await asyncio.sleep(TELL_S)
            try:
                self.tell()
            except Exception:
                log.exception("telling what is in shadow failed; it is done again")

    def tell(self) -> None:
        """Report what would have been done since the last time."""
        rejects = {state.name: BreakerSums(state).would_reject for state in route_states(self._worker)}
        for name, counters in self._routes.items():
            counts = would_by_name(counters, rejects.get(name, 0))
            before = self._told.get(name, {})
            grown = {what: count - before.get(what, 0) for what, count in counts.items()}
            self._told[name] = counts
            grown = {what: count for what, count in sorted(grown.items()) if count > 0}
            if any(not what.startswith(_BY_DEFAULT) for what in grown):
                self._tell(name, grown)

    def _tell(self, route: str, grown: dict[str, int]) -> None:
        self._report(
            SystemRecord(
                event_pb2.EVENT_KIND_SYSTEM,
                event_pb2.SEVERITY_LOW,
                f"route/{route}",
                ERROR_TYPE,
                f"route {route}: what is in shadow would have done otherwise: {', '.join(grown)}",
                self._worker.tell_time(),
                {"would": dict(grown), "seconds": TELL_S},
            )
        )
