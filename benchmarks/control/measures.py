"""The measurements."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from benchmarks.control.events import SPACING_US, START_US, made
from benchmarks.control.places import Place, row
from seawall_control.domain.events import Event
from seawall_control.domain.flood import KEEP_ALL, Pressure
from seawall_control.server import look_for_cycles_seldom
from seawall_control.services.edge import SystemClock, TimeOrderedIds
from seawall_control.services.event_intake import Reported
from seawall_control.services.events import EventService
from seawall_control.services.grouping import Grouping
from seawall_control.services.notices import Notices
from seawall_control.services.tail import Hub
from seawall_control.store.port import Store

BATCH: Final = 250
"""Events in one batch of a proxy."""
PROXIES: Final = 4
"""Spools that send at once."""
TRANSACTION: Final = 500
"""Rows in one transaction of the bulk insert: as many as one of the group commit."""


@dataclass(frozen=True)
class Rate:
    """How quickly events were stored."""

    per_second: float
    cpu_us: float
    """CPU time for one event, of this process and of the database's, in microseconds."""


@dataclass(frozen=True)
class Ingest:
    """Both ways, one after the other."""

    through_service: Rate
    in_bulk: Rate


def _service(store: Store) -> EventService:
    clock = SystemClock()
    # Everything is stored: flood control would count most of it, which is cheaper.
    return EventService(
        store, clock, TimeOrderedIds(), Hub(), Notices(), Grouping(store, clock), KEEP_ALL, Pressure()
    )


async def ingest(place: Place, count: int, seed: int) -> Ingest:
    """Take events in through the use case, and write as many in bulk: in every second round the other way
    round, since whoever is second finds the larger table. Both are timed until their connections are closed.
    """
    if seed % 2 == 0:
        in_bulk = await _in_bulk(place, count, seed)
        return Ingest(await _through_service(place, count, seed), in_bulk)
    return Ingest(await _through_service(place, count, seed), await _in_bulk(place, count, seed))


def _start_us(share: int, seed: int) -> int:
    """Return when the events of a round begin: after those of the rounds before, as events do."""
    return START_US + seed * share * PROXIES * SPACING_US


async def _in_bulk(place: Place, count: int, seed: int) -> Rate:
    share = count // PROXIES // BATCH * BATCH
    events = made(share * PROXIES, seed + 100, start_us=_start_us(share, seed))
    rows = [row(event, seed * 10**9 + n) for n, event in enumerate(events)]
    return await _rate(place, share * PROXIES, place.write(rows, TRANSACTION))


async def _rate(place: Place, events: int, work: Awaitable[None]) -> Rate:
    # As a control plane does once it is started; the events that are to be sent are not its own either.
    look_for_cycles_seldom()
    cpu_s = await place.cpu_s()
    started = perf_counter()
    await work
    took_s = perf_counter() - started
    return Rate(events / took_s, (await place.cpu_s() - cpu_s) / events * 1e6)


async def _through_service(place: Place, count: int, seed: int) -> Rate:
    share = count // PROXIES // BATCH * BATCH
    # A seed of its own for each spool and round: an id that came before is a duplicate and is not stored.
    spools = [list(made(share, seed * 10 + n, start_us=_start_us(share, seed))) for n in range(PROXIES)]
    store = await place.open()
    service = _service(store)

    async def send(proxy: str, events: list[Event]) -> None:
        for start in range(0, share, BATCH):
            batch = [
                (start + n + 1, Reported(event, int(event.severity)))
                for n, event in enumerate(events[start : start + BATCH])
            ]
            await service.ingest(proxy, f"spool-{seed}", batch, (), starts_stream=start == 0)

    async def everything() -> None:
        await asyncio.gather(*(send(f"edge-{n}", events) for n, events in enumerate(spools)))
        await store.aclose()

    rate = await _rate(place, share * PROXIES, everything())
    if service.numbers.stored != share * PROXIES:
        raise RuntimeError(
            f"{service.numbers.stored} of {share * PROXIES} events were stored; nothing is measured"
        )
    return rate
