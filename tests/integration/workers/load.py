"""Continuous calls from real clients, which count what fails."""

from __future__ import annotations

import asyncio
import time
from typing import Self

import grpc

from tests.kit.processes import PATIENCE_S
from tests.kit.rpc import unary_unary


class Load:
    """Calls over so many channels until told to stop; every failure is kept."""

    def __init__(self, address: str, channels: int, pause_s: float = 0.01) -> None:
        self.failures: list[str] = []
        self.done: int = 0
        self._address = address
        self._channels = channels
        self._pause_s = pause_s
        self._stop = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._client(index)) for index in range(self._channels)]
        await self.calls(2 * self._channels)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop = True
        await asyncio.gather(*self._tasks)

    async def calls(self, more: int, limit_s: float = 2 * PATIENCE_S) -> None:
        """Wait until so many further calls have ended."""
        until = time.monotonic() + limit_s
        wanted = self.done + more
        while self.done < wanted:
            assert time.monotonic() < until, f"only {self.done} of {wanted} calls in {limit_s} s"
            await asyncio.sleep(0.01)

    async def _client(self, index: int) -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(self._address, options=options) as channel:
            call = unary_unary(channel, "/any.Service/Unary")
            while not self._stop:
                sent = f"{index}-{self.done}".encode()
                # Some calls are under way while generations change.
                metadata = (("sleep", "0.2"),) if index % 4 == 0 else ()
                try:
                    assert await call(sent, timeout=60, metadata=metadata) == sent
                except grpc.aio.AioRpcError as error:
                    self.failures.append(f"{error.code().name}: {error.details()}")
                self.done += 1
                await asyncio.sleep(self._pause_s)
