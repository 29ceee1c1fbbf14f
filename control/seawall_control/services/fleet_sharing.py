"""Control planes on one store tell each other of their proxies, so that lists show the whole fleet wherever
they are asked for, and guards of a rollout judge the calls of all proxies.

Each writes one document every few seconds, and reads those of the others. It is not written where nobody else
can be.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable, Sequence
from typing import Final

from seawall.v1 import stats_pb2
from seawall_control.domain import fleet_share
from seawall_control.domain.errors import ControlError
from seawall_control.domain.events import MICROS
from seawall_control.domain.fleet_share import KIND, MAX_BREAKERS, MAX_CLUSTERS, Judged, NodeNumbers, Share
from seawall_control.domain.records import Change, Delete, Put
from seawall_control.domain.rollout.meter import MAX_ROUTES, Meter, bounded
from seawall_control.domain.statistics import Counters, added
from seawall_control.services.edge import Clock
from seawall_control.services.fleet import Fleet
from seawall_control.store.port import Store

EVERY_S: Final = 5.0
OFTEN_S: Final = 2.0
"""And while a rollout is under way, whose guards wait for numbers."""
FORGET_US: Final = 24 * 3600 * MICROS
"""The document of a control plane that has not written it for so long is removed."""

_log = logging.getLogger("seawall.control.fleet")


class FleetSharing:
    """Tells, and listens. `name` is what this control plane is called among the others."""

    def __init__(
        self,
        store: Store,
        fleet: Fleet,
        judged: Callable[[], Sequence[Judged]],
        clock: Clock,
        *,
        name: str,
        run_id: str,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._judged = judged
        self._clock = clock
        self._name = name
        self._run_id = run_id
        self._number = 0
        self._meter = Meter()

    async def run(self) -> None:
        """Tell and listen until cancelled."""
        if not self._store.is_shared:
            await asyncio.Event().wait()
        try:
            while True:
                try:
                    await self.tell()
                    await self.listen()
                except ControlError as error:
                    _log.info("the fleet cannot be shared now", extra={"fields": {"error": str(error)}})
                await asyncio.sleep(OFTEN_S if self._judged() else EVERY_S)
        finally:
            await self._leave()

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(1.0):
                await self._commit([Delete(KIND, self._name)])
        except (ControlError, TimeoutError):
            _log.info("others on the store will take a while to see that this control plane has left")

    async def tell(self) -> None:
        """Write what is to be known of the proxies that are connected here."""
        await self._commit([Put(KIND, self._name, fleet_share.encoded(self._share()))])

    async def listen(self) -> None:
        """Read what the others have written."""
        found: dict[str, Share] = {}
        old: list[Change] = []
        oldest_us = self._clock.now_us() - FORGET_US
        for document in await self._store.documents(KIND):
            if document.name == self._name:
                continue
            if document.update_time_us < oldest_us:
                old.append(Delete(KIND, document.name))
                continue
            try:
                found[document.name] = fleet_share.decoded(document.body)
            except ValueError as error:
                _log.info(
                    "what another control plane shares cannot be read",
                    extra={"fields": {"control_plane": document.name, "error": str(error)}},
                )
        self._fleet.beyond.told(found)
        if old:
            await self._commit(old)

    async def _commit(self, changes: Sequence[Change]) -> None:
        await self._store.commit(changes, at_us=self._clock.now_us())

    # ------------------------------------------------------------------------------------------------- inside

    def _share(self) -> Share:
        stats = self._fleet.stats
        nodes = [record.node for record in self._fleet.connected_ones()]
        now_s = self._clock.monotonic_s()
        totals: dict[str, Counters] = {}
        for node in nodes:
            sample = stats.latest(node)
            self._meter.sample(node, canary=True, sample=sample, now_s=now_s)
            for route, counters in sample.routes.items() if sample else ():
                totals[route] = added(totals[route], counters) if route in totals else counters
        self._meter.forget(keep=set(nodes))
        self._number += 1
        clusters = sorted(stats.clusters(nodes), key=lambda one: (-one[2], one[0]))[:MAX_CLUSTERS]
        return Share(
            run=self._run_id,
            number=self._number,
            nodes={node: self._numbers(node) for node in nodes},
            grown=dict(self._meter.canary),
            totals=totals if len(totals) <= MAX_ROUTES else bounded(totals),
            clusters={name: (counters, proxies) for name, counters, proxies in clusters},
            breakers=tuple(_texts(stats.breakers(nodes))),
            judged=tuple(self._judged()),
        )

    def _numbers(self, node: str) -> NodeNumbers:
        report = self._fleet.stats.report_of(node)
        return NodeNumbers(report.events_produced, report.events_dropped, report.connections)


def _texts(breakers: Sequence[stats_pb2.BreakerStatus]) -> list[str]:
    closed = stats_pb2.BREAKER_STATE_CLOSED
    first = sorted(breakers, key=lambda one: one.state == closed)[:MAX_BREAKERS]
    return [base64.b64encode(one.SerializeToString()).decode("ascii") for one in first]
