"""Which WebSockets are open, so that the end of the process can wait until each has been told of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator


class OpenSockets:
    """Counts them."""

    def __init__(self) -> None:
        self._number = 0
        self._none = asyncio.Event()
        self._none.set()

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Count one while the context lasts."""
        self._number += 1
        self._none.clear()
        try:
            yield
        finally:
            self._number -= 1
            if not self._number:
                self._none.set()

    async def gone(self, patience_s: float) -> None:
        """Return when none is open, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._none.wait()
