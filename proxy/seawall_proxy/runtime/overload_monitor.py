"""Carrying out what seawall_policy.overload decides for one event loop.

Four looks a second, a tenth of a millisecond each. Shedding closes a tenth of the idle connections at each
look (a client with a call under way loses nothing: GOAWAY says which streams were seen) and pauses the door.
Refusing sets one attribute that every new call is tested against.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from seawall.v1 import event_pb2
from seawall_policy.overload import LEVEL_NAMES, NORMAL, RESOURCES, OverloadGuard
from seawall_proxy.runtime.door import Door
from seawall_proxy.runtime.readings import Descriptors, Memory
from seawall_proxy.runtime.worker import Worker
from seawall_proxy.telemetry.events import SystemRecord

log = logging.getLogger("seawall.overload")

LOOK_S: Final = 0.25
SHED_SHARE: Final = 10
"""One in so many idle connections is closed at each look."""
IDLE_S: Final = 1.0
"""A connection without a call for this long is idle; a younger one is about to send its first."""


class OverloadMonitor:
    """Watches one event loop."""

    def __init__(
        self,
        worker: Worker,
        door: Door,
        guard: OverloadGuard,
        memory: Memory,
        descriptors: Descriptors,
        report: Callable[[SystemRecord], None],
    ) -> None:
        self.guard: OverloadGuard = guard
        self.memory: Memory = memory
        self.descriptors: Descriptors = descriptors
        self.lag_s: float = 0.0
        """How late the last look was."""
        self.shed: int = 0
        """Idle connections that were closed."""
        self._worker: Worker = worker
        self._door: Door = door
        self._report: Callable[[SystemRecord], None] = report
        self._most: int = int(guard.options.descriptors * descriptors.limit)
        worker.on_accept = self._accepted

    def prime(self) -> None:
        """Measure before the first connection comes."""
        self.memory.read()
        self.descriptors.read()

    def _accepted(self) -> None:
        """Count a new connection: a crowd takes the last descriptor long before the next look."""
        self.descriptors.used += 1
        if self.descriptors.used >= self._most and not self._door.paused:
            # Not within the event loop's accepting.
            self._worker.loop.call_soon(self._door.pause)

    async def run(self) -> None:
        """Look until cancelled."""
        loop = self._worker.loop
        while True:
            due = loop.time() + LOOK_S
            await asyncio.sleep(LOOK_S)
            try:
                await self.look(max(0.0, loop.time() - due))
            except Exception:
                log.exception("looking at the resources failed; it is done again")

    async def look(self, lag_s: float) -> None:
        """Measure, decide, act."""
        guard = self.guard
        self.lag_s = lag_s
        changed = guard.look(self.memory.read(), self.descriptors.read(), lag_s)
        for resource in changed:
            self._tell(resource)
        self._worker.context.refusing = guard.refusing
        if guard.shedding:
            self._shed()
        if guard.shedding != self._door.paused:
            if guard.shedding:
                self._door.pause()
            else:
                await self._door.resume()

    def _shed(self) -> None:
        worker = self._worker
        now = worker.tell_time()
        idle = [protocol for protocol in worker.downstream if protocol.idle_s(now) >= IDLE_S]
        for protocol in idle[: -(-len(idle) // SHED_SHARE)]:
            protocol.leave()
            self.shed += 1
        worker.after_batch()

    def _tell(self, resource: str) -> None:
        level = self.guard.levels[resource]
        word = LEVEL_NAMES[level]
        values = self._values()
        said = f"{resource}: {word} ({values[resource]})"
        if level == NORMAL:
            log.info("no longer overloaded, %s", said)
        else:
            log.warning("overloaded, %s", said)
        self._report(
            SystemRecord(
                event_pb2.EVENT_KIND_SYSTEM,
                event_pb2.SEVERITY_LOW if level == NORMAL else event_pb2.SEVERITY_HIGH,
                "proxy/overload",
                "overload_ended" if level == NORMAL else f"overload_{word}",
                f"the proxy is {'no longer ' if level == NORMAL else ''}short of {resource}",
                self._worker.tell_time(),
                {"resource": resource, "level": word, "reading": values[resource]},
            )
        )

    def _values(self) -> dict[str, str]:
        return {
            "memory": f"{self.memory.used_bytes >> 20} of {self.memory.limit_bytes >> 20} MiB",
            "descriptors": f"{self.descriptors.used} of {self.descriptors.limit}",
            "event_loop": f"{self.lag_s:.3f} s late",
        }

    def status(self) -> dict[str, object]:
        """Return what /status says."""
        return {
            "levels": {name: LEVEL_NAMES[self.guard.levels[name]] for name in RESOURCES},
            "accepting": not self._door.paused,
            "refusing": self.guard.refusing,
            "memory_bytes": self.memory.used_bytes,
            "memory_limit_bytes": self.memory.limit_bytes,
            "memory_limit_from": self.memory.kind,
            "descriptors": self.descriptors.used,
            "descriptors_limit": self.descriptors.limit,
            "event_loop_lag_seconds": round(self.lag_s, 4),
            "idle_connections_closed": self.shed,
        }
