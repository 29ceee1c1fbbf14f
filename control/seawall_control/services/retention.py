"""Deletes what the operator does not want to keep any longer, a little at a time: resolved events by age and
severity, the oldest of them when the store is too large, old counts, and groups of which nothing is left.
Unresolved events stay for ever, unless they are muted and the operator says so.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Final

from seawall_control.domain.errors import ControlError, PreconditionFailed
from seawall_control.domain.events import MICROS
from seawall_control.domain.records import Delete, Put
from seawall_control.domain.retention import (
    BATCH,
    DAY_S,
    FOREVER_US,
    Fit,
    Keeping,
    Prune,
    fit,
    over,
    prunes,
)
from seawall_control.services.archives import Archives
from seawall_control.services.edge import Clock
from seawall_control.store.port import Store

EVERY_S: Final = 600.0
PAUSE_S: Final = 0.02
"""Between two batches, so that clean-up takes a share of the writer and not all of it."""
KIND: Final = "retention"
NAME: Final = "fit"
"""The document that says how many events a store of limited size may have."""
_MAX_SHRINKS: Final = 200
"""Batches that a store which is too large loses in one round."""

ACTOR: Final = "seawall-retention"
_DAY_US: Final = DAY_S * MICROS

_log = logging.getLogger("seawall.control.retention")


class Retention:
    """The clean-up of a store."""

    def __init__(
        self, store: Store, keeping: Keeping, clock: Clock, archives: Archives | None = None
    ) -> None:
        """`clock` is the one that ages are by. `archives` is where events go that are over, if they are to be
        archived.
        """
        self._store = store
        self._archives = archives
        self._archive_next_us = 0
        self._keeping = keeping
        self._clock = clock
        self._complained = False

    async def run(self, leads: Callable[[], bool]) -> None:
        """Clean up now and every ten minutes, until cancelled. Of several control planes on one store the
        leading one does it.
        """
        while True:
            try:
                deleted = await self.once() if leads() else 0
                if deleted:
                    _log.info("old events deleted", extra={"fields": {"events": deleted}})
            except ControlError as error:
                _log.warning(
                    "clean-up failed, next try in ten minutes", extra={"fields": {"error": str(error)}}
                )
            await asyncio.sleep(EVERY_S)

    async def once(self) -> int:
        """Clean up once; return how many events were deleted."""
        at_us = self._clock.now_us()
        deleted = 0
        for prune in prunes(self._keeping, at_us):
            deleted += await self._all_of(prune)
        if self._keeping.archive and self._archives is not None:
            deleted += await self._to_archives(self._archives, at_us)
        deleted += await self._shrink()
        await self._repeat(lambda: self._store.prune_counts(self._keeping.rollup_s, at_us=at_us))
        if self._keeping.days > 0:
            before_us = at_us - int(self._keeping.days * DAY_S * MICROS)
            await self._repeat(lambda: self._store.prune_groups(before_us=before_us))
        return deleted

    async def _to_archives(self, archives: Archives, at_us: int) -> int:
        """Move what is over to archives, once a day: every ten minutes would make a heap of small files."""
        if at_us < self._archive_next_us:
            return 0
        before_us = over(self._keeping, at_us)
        last_us = await archives.newest_of(ACTOR)
        self._archive_next_us = last_us + _DAY_US
        if not before_us or at_us < self._archive_next_us:
            return 0
        try:
            done = await archives.archive_by_age(before_us, actor=ACTOR, reason="their time is over")
        except PreconditionFailed as error:
            # What cannot be archived stays: it was to be kept.
            _log.warning("old events could not be archived", extra={"fields": {"error": str(error)}})
            return 0
        if done.archives:
            self._archive_next_us = at_us + _DAY_US
        return done.events

    async def _repeat(self, prune: Callable[[], Awaitable[int]]) -> None:
        number = await prune()
        while number:
            await asyncio.sleep(PAUSE_S)
            number = await prune()

    async def _all_of(self, prune: Prune) -> int:
        total = 0
        while number := await self._store.prune_events(prune):
            total += number
            if number < prune.limit:
                break
            await asyncio.sleep(PAUSE_S)
        return total

    async def _shrink(self) -> int:
        """Delete the oldest resolved events until the store is small enough, or nothing resolved is left."""
        if not self._keeping.max_bytes:
            return 0
        total = 0
        for _ in range(_MAX_SHRINKS):
            surplus = await self._surplus()
            if surplus <= 0:
                self._complained = False
                break
            number = await self._store.prune_events(Prune(FOREVER_US, limit=min(BATCH, surplus)))
            total += number
            if not number:
                if not self._complained:
                    _log.warning(
                        "the store is larger than it should be, and nothing in it is resolved; resolve "
                        "groups, or allow it more",
                        extra={"fields": {"max_bytes": self._keeping.max_bytes}},
                    )
                self._complained = True
                break
            await asyncio.sleep(PAUSE_S)
        return total

    async def _surplus(self) -> int:
        """Return how many events there are too many for the size that the store may have."""
        report = await self._store.report_state()
        events = (await self._store.counts(at_us=self._clock.now_us())).total
        document = await self._store.document(KIND, NAME)
        before = None if document is None else Fit(**json.loads(document.body))
        # What is free is filled before the file grows.
        found = fit(report.size_bytes - report.free_bytes, self._keeping.max_bytes, events, before)
        if found != before:
            # Written down, since after a restart the size would say the same as before.
            change = Delete(KIND, NAME) if found is None else Put(KIND, NAME, json.dumps(asdict(found)))
            await self._store.commit([change], at_us=self._clock.now_us())
        return 0 if found is None else events - found.events
