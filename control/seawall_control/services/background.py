"""Tasks that nobody waits for: bounded in number, kept until they end, awaited at shutdown."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final

MAX_TASKS: Final = 256

_log = logging.getLogger("seawall.control")


class Background:
    """A supervised set of tasks."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self.refused = 0

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> bool:
        """Start a task, or count that there was no room for it; tell which."""
        if len(self._tasks) >= MAX_TASKS:
            work.close()
            self.refused += 1
            return False
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return True

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error(
                "a background task failed", exc_info=error, extra={"fields": {"task": task.get_name()}}
            )

    async def aclose(self, patience_s: float) -> None:
        """Wait a little for the tasks, then cancel them."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=patience_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=patience_s)
