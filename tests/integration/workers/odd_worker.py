"""A worker process with a fault, for the pool to cope with: `python -m tests.integration.workers.odd_worker
FAULT FILE LOG`. The fault is there in worker 1, while the file exists.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from seawall_proxy.runtime.frames import Frame
from seawall_proxy.runtime.workers import __main__ as worker
from seawall_proxy.runtime.workers import child

FAULT, SWITCH = sys.argv[1], Path(sys.argv[2])
SLOW_S = 4.0
"""Longer than a worker takes to start."""


class OddChild(child.Child):
    """A worker that does not do everything that it is told."""

    def _odd(self, fault: str) -> bool:
        return fault == FAULT and self.number == 1 and SWITCH.exists()

    async def run(self) -> None:
        if self._odd("dies-at-start"):
            os._exit(3)
        await super().run()

    async def _prepare(self, frame: Frame) -> None:
        if FAULT == "dies-while-another-compiles" and SWITCH.exists():  # noqa: ASYNC240
            if self.number == 1:
                os.unlink(SWITCH)  # noqa: PTH108 - at once, in a process of its own
                os._exit(4)
            await asyncio.sleep(SLOW_S)
        if self._odd("refuses"):
            self.answer(frame, ["routes[0]: this worker does not want it"])
        elif self._odd("dies-while-compiling"):
            os._exit(4)
        else:
            await super()._prepare(frame)

    async def _commit(self, frame: Frame) -> None:
        if self._odd("cannot-install"):
            os.unlink(SWITCH)  # noqa: PTH108 - at once, in a process of its own
            self.answer(frame, ["putting it in force failed"])
        else:
            await super()._commit(frame)


child.Child = OddChild  # type: ignore[misc]
sys.argv = [sys.argv[0], sys.argv[3]]
sys.exit(worker.main())
