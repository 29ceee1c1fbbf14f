"""Changes the states of groups that time alone changes, and follows rules that others have changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from seawall_control.domain.errors import ControlError
from seawall_control.services.edge import Clock
from seawall_control.services.grouping import Grouping
from seawall_control.services.notices import Notices, of_change
from seawall_control.store.port import GroupStore

EVERY_S: Final = 10.0

_log = logging.getLogger("seawall.control.events")


async def once(store: GroupStore, notices: Notices, clock: Clock) -> int:
    """Change every state that is due; return how many groups there were."""
    total = 0
    while True:
        changes, number = await store.age_groups(at_us=clock.now_us())
        for change in changes:
            notices.publish(of_change(change, clock.now_us()))
        total += number
        if not number:
            return total


async def run(
    store: GroupStore,
    notices: Notices,
    grouping: Grouping,
    clock: Clock,
    leads: Callable[[], bool],
    *,
    every_s: float = EVERY_S,
) -> None:
    """Do so every ten seconds, until cancelled. Of several control planes on one store the leading one
    changes states.
    """
    while True:
        try:
            await grouping.load()
            if leads():
                await once(store, notices, clock)
        except ControlError as error:
            _log.warning("states of groups could not be changed", extra={"fields": {"error": str(error)}})
        await asyncio.sleep(every_s)
