"""Deletes resolved events that are older than the operator wants to keep, a little at a time. Unresolved ones
stay for ever.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from seawall_control.domain.errors import ControlError
from seawall_control.domain.events import MICROS
from seawall_control.services.events import EventService

EVERY_S: Final = 600.0
DAY_S: Final = 24 * 3600

_log = logging.getLogger("seawall.control.retention")


async def run(events: EventService, *, days: float, leads: Callable[[], bool]) -> None:
    """Clean up now and every ten minutes, until cancelled; 0 days means never. Of several control planes on
    one store the leading one does it.
    """
    while days > 0:
        try:
            if not leads():
                await asyncio.sleep(EVERY_S)
                continue
            deleted = await events.delete_resolved(older_than_us=int(days * DAY_S * MICROS))
            if deleted:
                _log.info(
                    "resolved events deleted", extra={"fields": {"events": deleted, "older_than_days": days}}
                )
        except ControlError as error:
            _log.warning("clean-up failed, next try in ten minutes", extra={"fields": {"error": str(error)}})
        await asyncio.sleep(EVERY_S)
