"""Events of workers on their way into the spool, and what of them a worker that is gone still had."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Final

from seawall_proxy.runtime.event_pump import EventPump
from seawall_proxy.runtime.frames import Frame, Kind, unpack
from seawall_proxy.runtime.workers.handle import WorkerHandle
from seawall_proxy.telemetry.spool import RING_FULL, WORKER_DIED
from seawall_proxy.telemetry.spool.mark import boot_digest
from seawall_proxy.telemetry.spool.opening import boot_id
from seawall_proxy.telemetry.spool.source_mark import SourceMark

log = logging.getLogger("seawall.workers")

MARK_LIMIT_S: Final = 1.0
"""How long a disk may take to give a worker its mark; a slow one must not hold up its start."""
SETTLE_LIMIT_S: Final = 5.0


class WorkerEvents:
    """Has events spooled, with what each worker's mark says of them, and answers."""

    def __init__(self, pump: EventPump) -> None:
        self._pump: EventPump = pump
        self._boot: bytes = boot_digest(boot_id())
        self._tasks: set[asyncio.Task[None]] = set()

    async def mark(self) -> SourceMark:
        """Return a mark for a worker that is about to start. Raises OSError."""
        making = asyncio.ensure_future(asyncio.to_thread(SourceMark.create, self._pump.directory, self._boot))
        done, _ = await asyncio.wait([making], timeout=MARK_LIMIT_S)
        try:
            if done:
                return making.result()
            making.add_done_callback(_discard)
            why = f"the disk did not give a file within {MARK_LIMIT_S:g} s"
        except OSError as error:
            why = str(error)
        log.warning("what a worker still has is not known when this process is killed with it: %s", why)
        return SourceMark.create(None, self._boot)

    def take(self, worker: WorkerHandle, frame: Frame) -> None:
        """Have a batch spooled. Beside, for a disk may take seconds, and the worker's other answers must not
        wait for it.
        """
        payloads = unpack(frame.body)
        dropped = frame.number("dropped")
        worker.received += len(payloads) + dropped
        self._spawn(
            self._keep(worker, frame.number("seq"), payloads, dropped, frame.text("reason") or RING_FULL)
        )

    def ended(self, worker: WorkerHandle) -> int:
        """A worker is gone, and all that it has said is heard: have declared what it still had; return how
        many events that are.
        """
        lost = max(worker.mark.recorded - worker.received, 0)
        self._spawn(self._declare(worker, lost))
        return lost

    async def settled(self) -> None:
        """Wait until all is spooled and declared, for a few seconds at most."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=SETTLE_LIMIT_S)

    def close(self) -> None:
        """End what is under way."""
        for task in self._tasks:
            task.cancel()

    async def _keep(
        self, worker: WorkerHandle, seq: int, payloads: list[bytes], dropped: int, reason: str
    ) -> None:
        await self._pump.submit(payloads, dropped, reason, worker.mark)
        _forget(worker)
        worker.say(Kind.EVENTS_KEPT, {"seq": seq})

    async def _declare(self, worker: WorkerHandle, lost: int) -> None:
        if lost:
            await self._pump.submit([], lost, WORKER_DIED, worker.mark)
        _forget(worker)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _forget(worker: WorkerHandle) -> None:
    """Remove the mark of a worker that is gone, once there is nothing to declare."""
    if not worker.alive and worker.mark.settled >= worker.mark.recorded:
        worker.mark.remove()


def _discard(making: asyncio.Future[SourceMark]) -> None:
    if not making.cancelled() and making.exception() is None:
        making.result().remove()
