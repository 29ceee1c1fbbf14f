"""The end of the audit journal, written down outside of the store.

A chain shows what was changed or taken out in its middle; whoever cuts its end off leaves a chain that holds.
So the number and the link of the newest entry are kept in a file beside the store, a few seconds late, and
looked for in the journal later.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seawall_control.domain.audit import TOPIC
from seawall_control.domain.errors import ControlError
from seawall_control.domain.records import Entry
from seawall_control.services.durable_files import write_private
from seawall_control.store.port import RecordStore

FILE_NAME: Final = "audit.head"
LOOK_EVERY_S: Final = 5.0

_log = logging.getLogger("seawall.control.audit")


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry at some time."""

    number: int
    chain: str


class HeadFile:
    """Follows the end of the journal."""

    def __init__(self, store: RecordStore, path: Path) -> None:
        self._store = store
        self._path = path
        self._complained = False

    def read(self) -> Head | None:
        """Return what the file says; None when it says nothing."""
        try:
            value = json.loads(self._path.read_bytes())
            return Head(int(value["number"]), str(value["chain"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    async def missing(self, head: Head) -> str:
        """Return what is wrong with the journal when an entry that was its end is not in it; empty: nothing
        is. An entry that was deleted by age is not missed.
        """
        newest = await self._store.entries(TOPIC, limit=1)
        last = newest[0].number if newest else 0
        if last < head.number:
            return (
                f"the journal ends at entry {last}, and entry {head.number} was written: "
                "its end was cut off, or an older copy of the store was restored"
            )
        entry = await self._entry(head.number)
        if entry is not None and entry.chain != head.chain:
            return (
                f"entry {head.number} is not the one that was written: the journal was made anew from there"
            )
        return ""

    async def _entry(self, number: int) -> Entry | None:
        found = await self._store.entries(TOPIC, before=number + 1, limit=1)
        return found[0] if found and found[0].number == number else None

    async def follow(self) -> None:
        """Write down the newest entry, unless the one that is written down is missing: that stays, and shows
        it.
        """
        head = await asyncio.to_thread(self.read)
        newest = await self._store.entries(TOPIC, limit=1)
        if not newest or (head is not None and newest[0].chain == head.chain):
            return
        if head is not None and (wrong := await self.missing(head)):
            if not self._complained:
                _log.error("the audit journal was tampered with: %s", wrong)
            self._complained = True
            return
        body = json.dumps({"number": newest[0].number, "chain": newest[0].chain}) + "\n"
        await asyncio.to_thread(write_private, self._path, body.encode())

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            # The store or the disk may be away for a while; the next look is soon.
            with contextlib.suppress(ControlError, OSError):
                await self.follow()
            await asyncio.sleep(LOOK_EVERY_S)
