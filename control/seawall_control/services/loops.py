"""Work that goes on for as long as the process does.

Each loop expects what may go wrong with it (a store that is full or away) and says so itself. What nobody
expected must not end it unnoticed either: alerts that are no longer asked, or a lead that is no longer looked
at, look exactly like a quiet night.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

AGAIN_S: Final = 1.0
"""Pause after a loop has failed; doubled with each failure that follows soon, up to `LONGEST_S`."""
LONGEST_S: Final = 60.0

_log = logging.getLogger("seawall.control")


async def kept_going(
    name: str,
    loop: Callable[[], Coroutine[Any, Any, None]],
    *,
    told: Callable[[str, str], None] = lambda _name, _why: None,
    again_s: float = AGAIN_S,
    longest_s: float = LONGEST_S,
) -> None:
    """Run a loop until it is cancelled. One that has ended otherwise (by an error, by a cancellation that was
    none of ours, or by returning) is logged, told with why, and begun anew after a pause, which is short
    again once it has run for longer than the longest pause.
    """
    task = asyncio.current_task()
    now = asyncio.get_running_loop().time
    wait_s = again_s
    while True:
        began_s = now()
        error: BaseException | None = None
        try:
            await loop()
        except asyncio.CancelledError as cancelled:
            if task is None or task.cancelling():
                raise
            # Something that the loop waited for was cancelled, which says nothing about the loop.
            error = cancelled
        except Exception as failed:  # noqa: BLE001 - whatever it was, the loop goes on
            error = failed
        if now() - began_s > longest_s:
            wait_s = again_s
        _log.error(
            "a loop ended by our fault and begins anew",
            exc_info=error,
            extra={"fields": {"loop": name, "in_s": wait_s}},
        )
        told(name, "it returned" if error is None else f"{type(error).__name__}: {error}")
        await asyncio.sleep(wait_s)
        wait_s = min(longest_s, 2 * wait_s)
