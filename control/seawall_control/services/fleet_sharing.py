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
from dataclasses import replace
from typing import Final

from seawall.v1 import stats_pb2
from seawall_control.domain.errors import ControlError
from seawall_control.domain.events import MICROS
from seawall_control.domain.fleet_share import (
    KIND,
    MAX_BREAKERS,
    MAX_CLUSTERS,
    MAX_ENDPOINTS,
    Judged,
    Share,
)
from seawall_control.domain.fleet_share_codec import decoded, encoded
from seawall_control.domain.records import Change, Delete, Put
from seawall_control.domain.rollout.meter import MAX_ROUTES, bounded
from seawall_control.services.edge import Clock
from seawall_control.services.fleet import Fleet
from seawall_control.services.fleet_view import sights_of
from seawall_control.store.port import Store

EVERY_S: Final = 5.0
OFTEN_S: Final = 2.0
"""And while a rollout is under way, whose guards wait for numbers."""
FORGET_US: Final = 24 * 3600 * MICROS
"""The document of a control plane that has not written it for so long is removed."""
FORGET_ENDED_US: Final = 900 * MICROS
"""And of one that has stopped: everybody has read the last one."""
PROVEN_US: Final = 60 * MICROS
"""A document whose time is further from ours may be old, or of another clock: the next one tells."""

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
        fleet.beyond.own = (name, run_id)
        self._number = 0

    async def run(self) -> None:
        """Tell and listen until cancelled."""
        if not self._store.is_shared:
            await asyncio.Event().wait()
        try:
            while True:
                try:
                    # What an earlier process of our name has counted is read before it is written over.
                    await self.listen()
                    await self.tell()
                except ControlError as error:
                    _log.info("the fleet cannot be shared now", extra={"fields": {"error": str(error)}})
                await asyncio.sleep(OFTEN_S if self._judged() else EVERY_S)
        finally:
            await self._leave()

    async def _leave(self) -> None:
        """Say for the last time what was counted here, and that nobody is here any more."""
        try:
            async with asyncio.timeout(1.0):
                await self._write(replace(self._share(), has_ended=True, nodes={}))
        except (ControlError, TimeoutError):
            _log.info("others on the store will take a while to see that this control plane has left")

    async def tell(self) -> None:
        """Write what is to be known of the proxies that are connected here."""
        await self._write(self._share())

    async def _write(self, share: Share) -> None:
        await self._commit([Put(KIND, self._name, encoded(share))])

    async def listen(self) -> None:
        """Read what the others have written."""
        found: dict[str, Share] = {}
        unproven: set[str] = set()
        old: list[Change] = []
        now_us = self._clock.now_us()
        for document in await self._store.documents(KIND):
            age_us = now_us - document.update_time_us
            if document.name != self._name and age_us > FORGET_US:
                old.append(Delete(KIND, document.name))
                continue
            try:
                share = decoded(document.body)
            except ValueError as error:
                _log.info(
                    "what another control plane shares cannot be read",
                    extra={"fields": {"control_plane": document.name, "error": str(error)}},
                )
                continue
            if document.name == self._name:
                if share.run != self._run_id:
                    self._fleet.beyond.remember_ends(share)
            elif share.has_ended and age_us > FORGET_ENDED_US:
                old.append(Delete(KIND, document.name))
            else:
                found[document.name] = share
                if abs(age_us) > PROVEN_US:
                    unproven.add(document.name)
        self._fleet.beyond.told(found, unproven=unproven)
        self._fleet.settle()
        if old:
            await self._commit(old)

    async def _commit(self, changes: Sequence[Change]) -> None:
        await self._store.commit(changes, at_us=self._clock.now_us())

    # ------------------------------------------------------------------------------------------------- inside

    def _share(self) -> Share:
        stats, view = self._fleet.stats, self._fleet.view
        nodes = [record.node for record in self._fleet.connected_ones()]
        totals = stats.totals(nodes)
        self._number += 1
        clusters = sorted(stats.clusters(nodes).items(), key=lambda one: (-one[1][1], one[0]))
        endpoints = sorted(
            sights_of(stats.report_of(node) for node in nodes).items(),
            key=lambda one: (-one[1].ejected, -one[1].watched, one[0]),
        )
        breakers = stats.breakers(nodes)
        return Share(
            run=self._run_id,
            number=self._number,
            nodes={node: view.sight(node).numbers for node in nodes},
            grown=dict(stats.ledger.grown),
            ends=stats.ledger.ends(),
            totals=totals if len(totals) <= MAX_ROUTES else bounded(totals),
            clusters=dict(clusters[:MAX_CLUSTERS]),
            endpoints=dict(endpoints[:MAX_ENDPOINTS]),
            breakers=tuple(_texts(breakers)),
            open_breakers=sum(one.state != stats_pb2.BREAKER_STATE_CLOSED for one in breakers),
            judged=tuple(self._judged()),
        )


def _texts(breakers: Sequence[stats_pb2.BreakerStatus]) -> list[str]:
    closed = stats_pb2.BREAKER_STATE_CLOSED
    first = sorted(breakers, key=lambda one: one.state == closed)[:MAX_BREAKERS]
    return [base64.b64encode(one.SerializeToString()).decode("ascii") for one in first]
