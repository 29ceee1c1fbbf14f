"""The audit journal: written by whoever admits calls, read and verified by anybody who may look."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from seawall_control.domain.audit import INTERRUPTED, TALLY, TOPIC, AuditRecord, decoded_body, encoded
from seawall_control.domain.buckets import Buckets
from seawall_control.domain.errors import ControlError
from seawall_control.domain.events import MICROS
from seawall_control.domain.records import Append, Change, Delete, DocumentConflict, Entry, Seal, broken_link
from seawall_control.services.audit_head import HeadFile
from seawall_control.services.edge import Clock
from seawall_control.services.keyring import Keyring
from seawall_control.store.port import RecordStore
from seawall_control.store.witness import witnessed

PAGE: Final = 500
DAY_S: Final = 86_400
TALLY_S: Final = 3600.0
"""Longest time between two transactions of a change of many events that still goes on."""
KEPT_ENTRIES: Final = 10_000
"""The newest entries are kept whatever their age."""
REFUSALS_PER_S: Final = 0.2
REFUSALS_BURST: Final = 20

_log = logging.getLogger("seawall.control.audit")


@dataclass(slots=True)
class AuditNumbers:
    """Counted since the start, for metrics."""

    written: int = 0
    lost: int = 0
    """Entries that the store did not take."""
    suppressed: int = 0
    """Refused calls that did not get an entry each."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What a walk over the journal found."""

    entries: int
    first: int
    """Number of the oldest entry that is kept; 0 when there is none."""
    last: int
    head: str
    """Link of the newest entry: whoever writes it down elsewhere can tell later that nothing was cut off."""
    broken: Entry | None
    """The first entry that does not follow from the one before it, or lacks its seal."""
    problem: str = ""
    """What is wrong, in words; empty: nothing is."""
    sealed: int = 0
    """Entries whose link was made with a key of the store."""


class AuditLog:
    """The journal `audit`."""

    def __init__(
        self,
        store: RecordStore,
        clock: Clock,
        *,
        keys: Keyring | None = None,
        head: HeadFile | None = None,
    ) -> None:
        """Without `keys` entries are not sealed; without `head` nobody notices that the end is missing."""
        self._store = store
        self._clock = clock
        self._keys = keys
        self.head = head
        self._refusals = Buckets(per_second=REFUSALS_PER_S, burst=REFUSALS_BURST, capacity=1)
        self._suppressed = 0
        self.numbers = AuditNumbers()

    @property
    def seal(self) -> Seal | None:
        """The seal of entries that are written now."""
        return self._keys.seal if self._keys is not None else None

    def now_us(self) -> int:
        """Return the time for an entry."""
        return self._clock.now_us()

    async def write(self, record: AuditRecord, *more: Change) -> None:
        """Write an entry that goes with no change but `more`. What the store does not take is logged and
        counted: the caller must hear what came of the call all the same.
        """
        try:
            await self.commit(record, *more)
        except Exception as error:  # noqa: BLE001 - whatever it was, the entry goes to the log
            self.numbers.lost += 1
            _log.error("an audit entry could not be stored (%s): %s", error, encoded(record))

    async def commit(self, record: AuditRecord, *more: Change) -> None:
        """Write an entry with `more`, or neither. Raise what the store raises."""
        entry = Append(TOPIC, encoded(record), self.seal)
        with witnessed(None):
            await self._store.commit([entry, *more], at_us=self._clock.now_us())
        self.numbers.written += 1

    async def write_refusal(self, record: AuditRecord) -> None:
        """Write an entry about a call that was refused, unless there are too many of them: then it is counted
        in the next entry that is written.
        """
        if self._refusals.take("", self._clock.monotonic_s()) > 0:
            self._suppressed += 1
            self.numbers.suppressed += 1
            return
        suppressed, self._suppressed = self._suppressed, 0
        await self.write(replace(record, suppressed=suppressed))

    async def page(self, *, before: int, limit: int) -> Sequence[Entry]:
        """Return entries, newest first, numbered below `before` (0: from the newest)."""
        return await self._store.entries(TOPIC, before=before, limit=limit)

    async def page_after(self, after: int, *, limit: int) -> Sequence[Entry]:
        """Return entries, oldest first, numbered above `after`."""
        return await self._store.entries(TOPIC, after=after, limit=limit, oldest_first=True)

    async def verify(self) -> Verified:
        """Walk the whole journal; stop at the first entry that does not follow, or lacks its seal."""
        count = first = last = sealed = 0
        before: list[Entry] = []
        head = ""
        while True:
            page = list(await self._store.entries(TOPIC, after=last, limit=PAGE, oldest_first=True))
            if not page:
                wrong = await self._missing()
                return Verified(count, first, last, head, None, wrong, sealed)
            broken = broken_link([*before, *page], self._keys)
            good = page[: page.index(broken)] if broken is not None else page
            first = first or page[0].number
            count += len(good)
            sealed += sum(":" in entry.chain for entry in good)
            if good:
                last, head = good[-1].number, good[-1].chain
            if broken is not None:
                return Verified(count, first, last, head, broken, self._why(broken), sealed)
            before = [page[-1]]

    async def _missing(self) -> str:
        written = self.head.read() if self.head is not None else None
        return await self.head.missing(written) if self.head is not None and written is not None else ""

    def _why(self, broken: Entry) -> str:
        name, colon, _ = broken.chain.partition(":")
        if colon and (self._keys is None or self._keys.named(name) is None):
            return f"entry {broken.number} is sealed with key {name[:64]}, which is not here"
        if not colon and self._keys is not None and self._keys.is_due(broken.number):
            return f"entry {broken.number} has no seal: it was written without the key of this store"
        return f"entry {broken.number} was changed, or an entry before it is missing"

    async def run_tallies(self) -> None:
        """Close tallies that calls have left behind now and every hour, until cancelled."""
        while True:
            # The store may be full or busy; the next hour is soon enough.
            with contextlib.suppress(ControlError):
                await self.close_tallies()
            await asyncio.sleep(TALLY_S)

    async def close_tallies(self) -> int:
        """Write down the sums of changes of many events that have not gone on for an hour: their control
        plane was ended before it could. Return how many.
        """
        left = [
            found
            for found in await self._store.documents(TALLY)
            if found.update_time_us < self._clock.now_us() - int(TALLY_S * MICROS)
        ]
        closed = 0
        for found in left:
            record = replace(decoded_body(found.body), outcome=INTERRUPTED, reason=INTERRUPTED)
            # Another control plane may be doing the same; the document goes once, and the entry with it.
            with contextlib.suppress(DocumentConflict):
                await self.commit(record, Delete(TALLY, found.name, found.version))
                closed += 1
        return closed

    async def run_trim(self, ages: Clock, *, days: float) -> None:
        """Delete old entries now and every day, until cancelled; `days` is more than 0."""
        while True:
            # The store may be full or busy; tomorrow is soon enough.
            with contextlib.suppress(ControlError):
                await self.trim(before_us=ages.now_us() - int(days * DAY_S * MICROS))
            await asyncio.sleep(DAY_S)

    async def trim(self, *, before_us: int) -> int:
        """Delete entries of before a time, but never the newest 10,000."""
        return await self._store.trim(TOPIC, keep=KEPT_ENTRIES, before_us=before_us)
