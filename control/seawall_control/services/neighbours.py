"""What other control planes on the same store change, taken in here: a policy that is applied at one is
pushed to the proxies that are connected to another.

The store tells of changes as hints; what is true is read from it. Several hints while one read is under way
become one more read.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from seawall_control.domain.errors import ControlError
from seawall_control.services.background import Background
from seawall_control.services.fleet import Fleet
from seawall_control.store.port import Elsewhere, PolicyStore

AGAIN_S: Final = 1.0
"""How long to wait before reading again what could not be read."""

_log = logging.getLogger("seawall.control.neighbours")


class Neighbours:
    """Hands revisions that were applied elsewhere to the fleet."""

    def __init__(self, store: PolicyStore, fleet: Fleet, background: Background) -> None:
        self._store = store
        self._fleet = fleet
        self._background = background
        self._wanted: set[str] = set()
        self._reading = False
        self.taken = 0
        """Revisions read because of a change elsewhere."""

    def told(self, what: Elsewhere) -> None:
        """Take a hint. Sets of which no proxy here has ever been a member are read when one comes."""
        known = self._fleet.policy_sets()
        self._wanted |= known if what.everything else known & what.policy_sets
        if self._wanted and not self._reading:
            self._reading = True
            self._background.start(self._read(), "seawall-neighbours")

    async def _read(self) -> None:
        try:
            while self._wanted:
                policy_set = self._wanted.pop()
                try:
                    newest = await self._store.latest(policy_set)
                except ControlError as error:
                    _log.warning(
                        "a policy that was applied elsewhere cannot be read yet",
                        extra={"fields": {"set": policy_set, "error": str(error)}},
                    )
                    self._wanted.add(policy_set)
                    await asyncio.sleep(AGAIN_S)
                    continue
                if newest is not None:
                    self.taken += 1
                    self._fleet.published(newest)
        finally:
            self._reading = False
