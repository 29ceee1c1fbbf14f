"""Which of several control planes on one store does what is to be done once: retention, rollouts, healing.

The store decides (`Changes.leads`) and is asked every second; whoever has to know without waiting reads the
answer. A control plane that cannot ask does not lead.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from seawall_control.store.port import Changes

EVERY_S: Final = 1.0

_log = logging.getLogger("seawall.control.leadership")


class Leadership:
    """The newest answer."""

    def __init__(self, store: Changes) -> None:
        self._store = store
        self._leads = False

    def __call__(self) -> bool:
        """Tell whether this control plane led when the store was asked last."""
        return self._leads

    async def look(self) -> None:
        """Ask the store now."""
        try:
            leads = await self._store.leads()
        except BaseException:
            # Another one may lead by now, and this loop may rest for a minute before it asks again.
            self._leads = False
            raise
        if leads != self._leads:
            _log.info(
                "this control plane does the periodic work from now on"
                if leads
                else "another control plane does the periodic work from now on"
            )
        self._leads = leads

    async def run(self) -> None:
        """Ask every second until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.look()
