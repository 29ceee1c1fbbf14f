"""Answers that go on: chunks as they come, with signs of life in between, until either side ends.

The head of the answer waits a moment for the first chunk, so that what fails at once still has a status of
its own. A reader that is slow holds up its producer and nobody else; one that takes nothing at all is
disconnected by the listener.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

HEARTBEAT_S: Final = 15.0
"""Below the idle limit of every common proxy."""
PATIENCE_S: Final = 0.1

_log = logging.getLogger("seawall.control.http")

Emit = Callable[[bytes], Awaitable[None]]


class Streaming(Response):
    """An answer that is produced while it is sent.

    `produce` is given a function that sends a chunk and returns when it is written. What it raises before the
    head is sent becomes `failed(error)`; afterwards it is `last_words(error)`, the last chunk. An
    answer that has no form for last words is cut off; its reader misses the last chunk (RFC 9112, 8).
    """

    def __init__(
        self,
        produce: Callable[[Emit], Awaitable[None]],
        *,
        media_type: str,
        failed: Callable[[Exception], Response],
        last_words: Callable[[Exception], bytes] | None,
        heartbeat: Callable[[], bytes] | None = None,
        heartbeat_s: float = HEARTBEAT_S,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(media_type=media_type, headers=headers)
        # Response says a length of 0 otherwise; nginx buffers a whole stream unless it is told not to.
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-store"
        self.headers["x-accel-buffering"] = "no"
        self._produce = produce
        self._failed = failed
        self._last_words = last_words
        self._heartbeat = heartbeat
        self._heartbeat_s = heartbeat_s
        self._began = False
        self._sent_at = 0.0
        self._writing = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until `produce` returns or the reader is gone."""
        loop = asyncio.get_running_loop()

        async def begin() -> None:
            if not self._began:
                self._began = True
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})

        async def emit(chunk: bytes) -> None:
            async with self._writing:
                await begin()
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                self._sent_at = loop.time()

        async def live() -> None:
            self._sent_at = loop.time()
            await asyncio.sleep(PATIENCE_S)
            await emit(b"")
            while self._heartbeat is not None:
                await asyncio.sleep(max(0.0, self._sent_at + self._heartbeat_s - loop.time()))
                if loop.time() >= self._sent_at + self._heartbeat_s:
                    await emit(self._heartbeat())

        producing = asyncio.ensure_future(self._produce(emit))
        others = [loop.create_task(live()), loop.create_task(gone(receive))]
        try:
            pending = {producing, *others}
            while not producing.done() and not others[1].done():
                _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (producing, *others):
                task.cancel()
            results = await asyncio.gather(producing, *others, return_exceptions=True)
        error = results[0]
        if isinstance(error, asyncio.CancelledError):
            return
        if isinstance(error, Exception) and not self._began:
            await self._failed(error)(scope, receive, send)
            return
        await begin()
        last = b""
        if isinstance(error, Exception):
            if self._last_words is None:
                _log.warning(
                    "an answer was cut off", extra={"fields": {"path": scope["path"], "reason": str(error)}}
                )
                return
            last = self._last_words(error)
        await send({"type": "http.response.body", "body": last, "more_body": False})


async def gone(receive: Receive) -> None:
    """Return when the reader is gone; what else comes of it is let pass."""
    while (await receive())["type"] != "http.disconnect":
        pass
