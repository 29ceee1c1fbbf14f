"""The record of cases: every state that each came into, in the journal `healing`."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from seawall_control.domain import paging
from seawall_control.domain.events import MICROS
from seawall_control.domain.healing import case_filters
from seawall_control.domain.healing.codec import case_of, case_text
from seawall_control.domain.healing.engine import Case
from seawall_control.domain.records import Append, Entry
from seawall_control.services.edge import Clock
from seawall_control.store.port import RecordStore

TOPIC: Final = "healing"
KEEP_ENTRIES: Final = 5000
REMEMBERED: Final = 1000
"""Entries that are read at once: at the start, since an open case is among the newest, and to find some."""
_KEEP_US: Final = 90 * 86400 * MICROS

_log = logging.getLogger("seawall.control.healing")


@dataclass(frozen=True, slots=True)
class CasePage:
    """Changes of cases, newest first, and the token of the next page."""

    cases: Sequence[Case]
    next_token: str


class CaseJournal:
    """Reads and writes it."""

    def __init__(self, store: RecordStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def append(self, case: Case) -> None:
        """Write down the state of a case."""
        await self._store.commit([Append(TOPIC, case_text(case))], at_us=self._clock.now_us())

    async def trim(self, now_us: int) -> None:
        """Drop what is older than ninety days at a time, but never the newest 5000 entries."""
        await self._store.trim(TOPIC, keep=KEEP_ENTRIES, before_us=now_us - _KEEP_US)

    async def newest(self) -> tuple[list[Case], int]:
        """Return the cases of the newest thousand entries, each as it is now and the oldest first, and a
        number above those of all cases.
        """
        found: dict[str, Case] = {}
        next_id = 1
        for entry in await self._store.entries(TOPIC, limit=REMEMBERED):
            next_id = max(next_id, entry.number + 1)
            if (case := _read(entry)) is not None:
                number = case.id.rpartition("-")[2]
                next_id = max(next_id, int(number) + 1 if number.isdecimal() else 1)
                found.setdefault(case.id, case)
        return sorted(found.values(), key=lambda case: case.started_us), next_id

    async def page(self, *, filter_text: str = "", size: int = 0, token: str = "") -> CasePage:
        """Return changes of cases, newest first. Raise `InvalidFilter` or `InvalidPageToken`."""
        wanted = case_filters.parse(filter_text)
        limit = paging.page_size(size, default=50, most=1000)
        scope = ("healing", filter_text)
        before = int(paging.decode(token, scope)[0]) if token else 0
        found: list[Case] = []
        async with aclosing(self._entries(before)) as entries:
            async for entry in entries:
                case = _read(entry)
                if case is None or not case_filters.matches(wanted, case):
                    continue
                if len(found) == limit:
                    return CasePage(found, paging.encode((before,), scope))
                found.append(case)
                before = entry.number
        return CasePage(found, "")

    async def since(self, at_us: int) -> list[Case]:
        """Return the cases that have changed at or after a time, each as it is now, newest first."""
        found: dict[str, Case] = {}
        async with aclosing(self._entries(0)) as entries:
            async for entry in entries:
                if entry.time_us < at_us:
                    break
                if (case := _read(entry)) is not None:
                    found.setdefault(case.id, case)
        return list(found.values())

    async def _entries(self, before: int) -> AsyncGenerator[Entry, None]:
        while True:
            entries = await self._store.entries(TOPIC, before=before, limit=REMEMBERED)
            for entry in entries:
                yield entry
            if len(entries) < REMEMBERED:
                return
            before = entries[-1].number


def _read(entry: Entry) -> Case | None:
    try:
        return case_of(entry.body)
    except ValueError as error:
        _log.warning(
            "an entry about healing cannot be read and is left out",
            extra={"fields": {"entry": entry.number, "error": str(error)}},
        )
        return None
