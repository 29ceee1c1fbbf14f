"""Looking through many events leaves others their turn."""

from __future__ import annotations

import asyncio
from itertools import count

from seawall_control.domain.flood import KEEP_ALL, Pressure
from seawall_control.services.edge import TimeOrderedIds
from seawall_control.services.event_intake import EventIntake, Reported
from seawall_control.services.grouping import Grouping
from seawall_control.services.notices import Notices
from seawall_control.services.tail import Hub
from seawall_control.store.memory import MemoryStore
from tests.conformance.store.test_port import NOW_US, event


class SlowClock:
    """A clock on which a millisecond passes between two looks at it."""

    def __init__(self) -> None:
        self._looks = count()

    def now_us(self) -> int:
        """See `Clock.now_us`."""
        return NOW_US

    def monotonic_s(self) -> float:
        """See `Clock.monotonic_s`."""
        return next(self._looks) / 1000


async def test_batch_of_a_proxy_is_looked_through_in_slices() -> None:
    """Also the store's writer waits for its turn, with the server of a database idle meanwhile."""
    store, clock = MemoryStore(), SlowClock()
    intake = EventIntake(
        store, clock, TimeOrderedIds(), Hub(), Notices(), Grouping(store, clock), KEEP_ALL, Pressure()
    )
    batch = [(n, Reported(event(n), int(event(n).severity))) for n in range(1, 101)]
    work = asyncio.ensure_future(intake.ingest("p", "s", batch, (), starts_stream=True))
    turns = 0
    while not work.done():
        await asyncio.sleep(0)
        turns += 1
    assert (await work).through_seq == 100
    assert turns >= 30
    await store.aclose()
