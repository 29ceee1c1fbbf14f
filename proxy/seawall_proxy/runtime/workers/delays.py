"""How long a worker that died is waited with before it is started again."""

from __future__ import annotations

from typing import Final

from seawall_proxy.runtime.workers.handle import WorkerHandle

FIRST_DELAY_S: Final = 0.1
MAX_DELAY_S: Final = 10.0
STEADY_S: Final = 30.0
"""A worker that lived this long is started again at once."""


class Delays:
    """None the first time, then longer each time, until the worker has lived for a while."""

    def __init__(self) -> None:
        self._delays: dict[int, float] = {}

    def next(self, number: int) -> float:
        """Return the seconds to wait now, and have the next time be longer."""
        delay = self._delays.get(number, 0.0)
        self._delays[number] = min(max(delay * 2, FIRST_DELAY_S), MAX_DELAY_S)
        return delay

    def forgive(self, worker: WorkerHandle) -> None:
        """Start a worker at once the next time, if it is still there `STEADY_S` after its start."""
        if worker.alive:
            self._delays.pop(worker.number, None)
