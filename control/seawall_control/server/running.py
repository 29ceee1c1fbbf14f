"""The life of a control plane in a process: opened, served until it is to end, closed.

A store that must not be written any more ends the process with an error, so that its supervisor starts it
anew and the file is verified; so does a part that has ended while the others go on.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable
from typing import Final

from seawall_control.access import check_listeners
from seawall_control.server.plane import ControlPlane
from seawall_control.server.settings import Addresses, ControlSettings
from seawall_control.store.opening import open_store

EXIT_OK: Final = 0
EXIT_STORE_FAILED: Final = 3
EXIT_PART_ENDED: Final = 4
_GC_THRESHOLDS: Final = (50_000, 20, 50)

_log = logging.getLogger("seawall.control")


def look_for_cycles_seldom() -> None:
    """Have the collector of cycles leave alone what is there, and look less often at what comes.

    To be called when everything is started, by whoever has the process to itself: events come by the
    thousand and none is part of a cycle, and what was loaded at the start stays.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


class Stop(asyncio.Event):
    """Set to end a control plane."""

    def __init__(self) -> None:
        super().__init__()
        self.reason = ""
        """Why, such as `SIGTERM`; it is told."""


async def run_control(
    settings: ControlSettings,
    *,
    ready: Callable[[Addresses], None] | None = None,
    stop: asyncio.Event | None = None,
) -> int:
    """Run the control plane until `stop` is set; return the exit code.

    `ready` is called once with the addresses when everything is served. A `Stop` may say why. Raises
    `StoreRefused`, `ListenRefused`, `TlsMistake`, `AuthorityUnusable` and `AddressInUse` before anything is
    served. Cancelling drains as `stop` does. Signals are the caller's business (main.py).
    """
    stop = stop or Stop()
    check_listeners(settings.access, settings.grpc_address, settings.http_address)
    store = await open_store(settings.data_dir, settings.store_url)
    try:
        plane = ControlPlane(settings, store)
        try:
            await plane.start()
            if ready is not None:
                ready(plane.addresses)
            await _first_of(stop, store.failed, plane.failed)
        finally:
            clean = not (store.failed.is_set() or plane.failed.is_set())
            reason = stop.reason if isinstance(stop, Stop) else ""
            await plane.stop(reason if clean else "a part of it ended", clean=clean)
    finally:
        await store.aclose()
    if store.failed.is_set():
        _log.error("the store failed; the process ends so that it is verified at the next start")
        return EXIT_STORE_FAILED
    if plane.failed.is_set():
        _log.error("a part of the control plane ended; the process ends so that all of it is started anew")
        return EXIT_PART_ENDED
    return EXIT_OK


async def _first_of(*events: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
