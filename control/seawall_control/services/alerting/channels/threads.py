"""Work that blocks and may hang, each in a thread of its own: what a mail server or a name server makes wait.

The threads that everybody shares are few, a handful on a small machine, and the event loop looks up no more
than two names at once: some servers that say nothing would hold up every other channel, and whoever else
needs a thread. Nor does the end of the process wait for these.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from seawall_control.services.alerting.channels.port import NotSent

T = TypeVar("T")

MOST: Final = 256
"""Threads at once, of those too that nobody waits for any more: more than twice as many as channels."""

_room = threading.BoundedSemaphore(MOST)


async def in_own_thread(work: Callable[[], T]) -> T:
    """Return what `work` returns, or raise what it raises. Raise `NotSent` when there are too many already.
    Cancelling leaves the thread to its end.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def told(result: T | None, error: Exception | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: T | None = None
        error: Exception | None = None
        try:
            result = work()
        except Exception as raised:  # noqa: BLE001 - whoever waits is told
            error = raised
        finally:
            _room.release()
        # The loop may have ended.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(told, result, error)

    if not _room.acquire(blocking=False):
        raise NotSent(f"{MOST} messages wait for servers that say nothing")
    try:
        threading.Thread(target=run, name="seawall-alert", daemon=True).start()
    except BaseException:
        _room.release()
        raise
    return await answer
