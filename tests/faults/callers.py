"""The load of a fault test: calls that fail on purpose, each with its own name, and what became of them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import Counter
from typing import Any, Self

import grpc

from tests.kit.history import Recorder
from tests.kit.processes import PATIENCE_S
from tests.kit.rpc import unary_unary

DEADLINE_S = PATIENCE_S
MOST = 64
"""Calls under way at once: a machine that cannot do more is not asked for more."""
ASKED = "asked to fail"
"""What the upstream says of a call that was to fail: its failure went through the proxy, which records it."""

STALL_S = 0.1
"""A caller that is later than this itself hears of the end of its calls later, too."""


class Callers:
    """Calls `rate` times a second, or as often as it can, until stopped. Every call fails at the server, and
    so becomes an event.
    """

    def __init__(self, note: Recorder, address: str, *, rate: float = 150.0, name: str = "job") -> None:
        self.address = address
        self.answered = 0
        self.failed_otherwise = 0
        """Calls that ended with another status than the server's."""
        self.others: Counter[str] = Counter()
        """Their statuses, with what they say."""
        self._note = note
        self._rate = rate
        self._name = name
        self._numbers = itertools.count(1)
        self._stopping = False
        self._calls: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._channel: tuple[str, grpc.aio.Channel] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Begin no more calls, and wait for those under way."""
        self._stopping = True
        if self._task is not None:
            await self._task
        await asyncio.gather(*self._calls)
        if self._channel is not None:
            await self._channel[1].close()
            self._channel = None

    async def until(self, answered: int, limit_s: float = 2 * PATIENCE_S) -> None:
        """Wait until the server has answered so many calls more."""
        wanted = self.answered + answered
        async with asyncio.timeout(limit_s):
            while self.answered < wanted:  # noqa: ASYNC110 - other tasks count
                await asyncio.sleep(0.01)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not self._stopping:
            task = asyncio.create_task(self._call(f"{self._name}-{next(self._numbers)}"))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)
            # Late after a pause of the whole test: what was missed is not made up for.
            while len(self._calls) >= MOST and not self._stopping:
                await asyncio.wait(self._calls, return_when=asyncio.FIRST_COMPLETED)
            due = max(due + 1.0 / self._rate, loop.time() - 0.05)
            await asyncio.sleep(max(0.0, due - loop.time()))
            late_s = loop.time() - due
            if late_s > STALL_S:
                self._note("stalled", seconds=late_s)

    async def _reached(self) -> grpc.aio.Channel:
        if self._channel is not None and self._channel[0] == self.address:
            return self._channel[1]
        old = self._channel
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_reconnect_backoff_ms", 200),
                   ("grpc.initial_reconnect_backoff_ms", 50)]  # fmt: skip
        channel = grpc.aio.insecure_channel(self.address, options=options)
        self._channel = (self.address, channel)
        if old is not None:
            await old[1].close()
        return channel

    async def _call(self, job: str) -> None:
        call = unary_unary(await self._reached(), "/any.Service/Unary")
        metadata = (("x-job-id", job), ("fail", "13"))
        self._note("began", job=job, deadline_s=DEADLINE_S, once=True)
        code, stamps = "OK", []
        try:
            await call(b"x", timeout=DEADLINE_S, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            code = error.code().name
            stamps = stamps_of(error.initial_metadata(), error.trailing_metadata())
            if error.code() is grpc.StatusCode.INTERNAL and ASKED in (error.details() or ""):
                self.answered += 1
                self._note("produced", job=job)
            else:
                self.failed_otherwise += 1
                self.others[f"{code}: {(error.details() or '')[:80]}"] += 1
        except asyncio.CancelledError:
            # A closed channel cancels its calls; anybody else cancels us.
            code = "CANCELLED"
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
        finally:
            with contextlib.suppress(OSError):
                self._note("ended", job=job, code=code, stamps=stamps)


def stamps_of(*metadata: Any) -> list[str]:
    """Return what the policy wrote into a call on its way there, and on its way back."""
    return [
        str(value)
        for pairs in metadata
        for key, value in pairs or ()
        if key in ("x-revision-back", "seen-x-revision")
    ]
