"""Keeps the newest state of proxies, many at once: when a thousand connect, each write must not wait for the
one before, nor be lost for want of a task.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Mapping
from typing import Final

from seawall_control.domain.fleet import ProxyRecord
from seawall_control.services.background import Background
from seawall_control.store.port import FleetStore

SAVED_AT_ONCE: Final = 64
"""States that are handed to the store together."""

_log = logging.getLogger("seawall.control.fleet")


class ProxySaver:
    """Stores what `known` says of a proxy soon after it has changed: the newest state at the time of writing,
    so that late tasks never put an older one over it.
    """

    def __init__(self, store: FleetStore, background: Background, known: Mapping[str, ProxyRecord]) -> None:
        self._store = store
        self._background = background
        self._known = known
        self._unsaved: dict[str, None] = {}
        self._saving = False

    def changed(self, node: str) -> None:
        """Store the state of a proxy soon."""
        self._unsaved[node] = None
        self.save_soon()

    def save_soon(self) -> None:
        """Begin to store what has changed, unless that is under way."""
        if self._unsaved and not self._saving:
            self._saving = self._background.start(self._save(), "seawall-remember-proxies")

    async def _save(self) -> None:
        try:
            while self._unsaved:
                nodes = list(itertools.islice(self._unsaved, SAVED_AT_ONCE))
                records = [self._known[node] for node in nodes if node in self._known]
                for node in nodes:
                    del self._unsaved[node]
                results = await asyncio.gather(
                    *(self._store.remember(record) for record in records), return_exceptions=True
                )
                failed = {
                    record.node: result
                    for record, result in zip(records, results, strict=True)
                    if isinstance(result, BaseException)
                }
                if failed:
                    # They stay for the next time that somebody says `save_soon`.
                    self._unsaved.update(dict.fromkeys(failed))
                    _log.warning(
                        "states of proxies could not be stored and are kept for later",
                        extra={"fields": {"proxies": len(failed), "error": str(next(iter(failed.values())))}},
                    )
                    return
        finally:
            self._saving = False
