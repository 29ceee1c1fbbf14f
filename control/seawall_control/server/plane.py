"""All parts of a control plane: started, watched, and taken down in the right order.

Order of the end: health says NOT_SERVING, streams are closed with UNAVAILABLE so that proxies come back
elsewhere or later, running requests finish, what runs beside ends, the writer commits what it accepted.
"""

from __future__ import annotations

import asyncio
import logging

from seawall_control.domain.errors import ShuttingDown
from seawall_control.domain.events import Severity
from seawall_control.server.beside import loops
from seawall_control.server.listeners import Listeners
from seawall_control.server.services import Services
from seawall_control.server.settings import ControlSettings
from seawall_control.services.loops import kept_going
from seawall_control.store.port import Store

_log = logging.getLogger("seawall.control")


class ControlPlane(Services):
    """The use cases, served. Use `run_control`; tests use `start` and `stop`.

    Raise `AddressInUse`, `TlsMistake` and `AuthorityUnusable`.
    """

    def __init__(self, settings: ControlSettings, store: Store) -> None:
        super().__init__(settings, store)
        self.listeners = Listeners(self)
        self.served, self.parts = self.listeners.served, self.listeners.parts
        self.addresses = self.listeners.addresses
        self.failed = asyncio.Event()
        """Set when a part has ended that ends with `stop` only; the log says which."""
        self._started = self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Serve."""
        await self.load()
        self._started = True
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(kept_going(name, run, told=self._loop_failed), name=f"seawall-{name}")
            for name, run in loops(self).items()
        ]
        for task in (*self._tasks, await self.listeners.start()):
            task.add_done_callback(self._ended)
        self.access.announce(self.addresses.grpc, self.addresses.http)

    def _loop_failed(self, name: str, why: str) -> None:
        """Record it: a log is read by few, and what the loop does has stood still meanwhile."""
        self.background.start(
            self.events.report_own(
                component="control",
                error_type="loop_failed",
                message=f"The loop {name} of the control plane ended by our fault and began anew: {why}",
                severity=Severity.HIGH,
                details={"loop": name},
            ),
            "seawall-event-loop",
        )

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A control plane that no longer answers on one of its ports, or watches no longer, looks well to
        everybody who does not ask that part: better none than half of one.
        """
        error = None if task.cancelled() else task.exception()
        if self._stopping:
            return
        _log.critical(
            "a part of the control plane has ended by our fault",
            exc_info=error,
            extra={"fields": {"part": task.get_name().removeprefix("seawall-")}},
        )
        self.failed.set()

    async def stop(self, reason: str = "", *, clean: bool = True) -> None:
        """Drain and end everything but the store. `reason` is told, with the next start too."""
        self._stopping = True
        self.health.draining = True
        await self.listeners.drain()
        self.fleet.close()
        stopping = ShuttingDown("the control plane is stopping; follow again in a moment")
        for followed in (self.hub, self.feed, self.rollouts.watchers):
            followed.close(stopping)
        self.alerting.close()
        await self.listeners.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.runs.end(reason, clean=clean)
        if self._started:
            await self.alerting.evaluator.aclose()
        await self.background.aclose(self.settings.grace_s)
