"""What other control planes on the same store change, taken in here: a policy that is applied at one is
pushed to the proxies that are connected to another, and whoever keeps documents in memory reads them again.

The store tells of changes as hints; what is true is read from it. Several hints for one thing, while a read
is under way, become one more read. Documents are read before policies: what withholds a revision is known
before the revision is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from seawall_control.domain.errors import ControlError
from seawall_control.services.background import Background
from seawall_control.services.fleet import Fleet
from seawall_control.store.port import Elsewhere, PolicyStore

AGAIN_S: Final = 1.0
"""How long to wait before reading again what could not be read."""

_log = logging.getLogger("seawall.control.neighbours")


class Neighbours:
    """Hands what was changed elsewhere to those whom it concerns."""

    def __init__(self, store: PolicyStore, fleet: Fleet, background: Background) -> None:
        self._store = store
        self._fleet = fleet
        self._background = background
        self._readers: dict[str, Callable[[], Awaitable[None]]] = {}
        self._kinds: set[str] = set()
        self._sets: set[str] = set()
        self._reading = False

    def follow(self, kind: str, read: Callable[[], Awaitable[None]]) -> None:
        """Call `read` after documents of a kind were changed elsewhere."""
        self._readers[kind] = read

    def told(self, what: Elsewhere) -> None:
        """Take a hint. Sets of which no proxy has ever been here are read when one comes."""
        known, kinds = self._fleet.pushes.policy_sets(), frozenset(self._readers)
        self._sets |= known if what.everything else known & what.policy_sets
        self._kinds |= kinds if what.everything else kinds & {kind for kind, _ in what.documents}
        self._begin()

    def _begin(self) -> None:
        if not (self._sets or self._kinds) or self._reading:
            return
        self._reading = self._background.start(self._read(), "seawall-neighbours")
        if not self._reading:
            # No room beside the calls now; what was hinted at is kept, and there will be.
            asyncio.get_running_loop().call_later(AGAIN_S, self._begin)

    async def _read(self) -> None:
        try:
            while self._kinds or self._sets:
                wanted = self._kinds or self._sets
                name = wanted.pop()
                try:
                    await (self._readers[name]() if wanted is self._kinds else self._publish(name))
                except ControlError as error:
                    _log.warning(
                        "what was changed elsewhere cannot be read yet",
                        extra={"fields": {"what": name, "error": str(error)}},
                    )
                    wanted.add(name)
                    await asyncio.sleep(AGAIN_S)
                except Exception:  # noqa: BLE001 - one that cannot be read must not keep the others from it
                    _log.exception(
                        "what was changed elsewhere cannot be read", extra={"fields": {"what": name}}
                    )
        finally:
            self._reading = False

    async def _publish(self, policy_set: str) -> None:
        newest = await self._store.latest(policy_set)
        if newest is not None:
            self._fleet.pushes.published(newest)
