"""grpcio with threads as a caller: what blocks, blocks a thread of the event loop's pool."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import grpc

from tests.interop.python.caller import Metadata, Outcome
from tests.interop.python.client_aio import OPTIONS, codecs, compression
from tests.interop.python.transport import Transport


def outcome_of(call: Any, message: Any = None) -> Outcome:
    """Return how a call ended; blocks until it has."""
    return Outcome(
        call.code().value[0],
        call.details() or "",
        message,
        list(call.initial_metadata() or ()),
        list(call.trailing_metadata() or ()),
    )


class SyncStream:
    """A call whose answers come one by one."""

    def __init__(self, call: Any, requests: queue.SimpleQueue[Any] | None) -> None:
        self._call = call
        self._requests = requests

    async def send(self, message: Any) -> None:
        assert self._requests is not None
        self._requests.put(message)

    async def end(self) -> None:
        if self._requests is not None:
            self._requests.put(None)

    def _next(self) -> Any | None:
        try:
            return next(self._call)
        except (StopIteration, grpc.RpcError):
            return None

    async def receive(self) -> Any | None:
        return await asyncio.to_thread(self._next)

    async def cancel(self) -> None:
        self._call.cancel()
        await self.end()

    async def outcome(self) -> Outcome:
        result = await asyncio.to_thread(outcome_of, self._call)
        await self.end()
        return result


class SyncCaller:
    """One channel."""

    missing: ClassVar[dict[str, str]] = {}
    hides_load_reports = True

    def __init__(self, address: str, transport: Transport) -> None:
        credentials = transport.grpcio_client()
        self._channel = (
            grpc.insecure_channel(address, OPTIONS)
            if credentials is None
            else grpc.secure_channel(address, credentials, OPTIONS)
        )

    async def unary(
        self,
        method: str,
        request: Any,
        metadata: Metadata = (),
        timeout_s: float | None = None,
        *,
        compressed: bool = False,
    ) -> Outcome:
        call = self._channel.unary_unary(method, **codecs(method)).future(
            request, metadata=tuple(metadata), timeout=timeout_s, compression=compression(compressed)
        )
        return await self._end_of(call)

    async def client_stream(
        self,
        method: str,
        requests: Sequence[Any],
        timeout_s: float | None = None,
        *,
        compressed: bool = False,
    ) -> Outcome:
        call = self._channel.stream_unary(method, **codecs(method)).future(
            iter(requests), timeout=timeout_s, compression=compression(compressed)
        )
        return await self._end_of(call)

    async def _end_of(self, call: Any) -> Outcome:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        call.add_done_callback(lambda _: loop.call_soon_threadsafe(ended.set))
        await ended.wait()
        return outcome_of(call, call.result() if call.code() is grpc.StatusCode.OK else None)

    async def server_stream(self, method: str, request: Any, timeout_s: float | None = None) -> SyncStream:
        call = self._channel.unary_stream(method, **codecs(method))(request, timeout=timeout_s)
        return SyncStream(call, None)

    async def duplex(
        self, method: str, metadata: Metadata = (), timeout_s: float | None = None
    ) -> SyncStream:
        requests: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def given() -> Iterator[Any]:
            return iter(requests.get, None)

        call = self._channel.stream_stream(method, **codecs(method))(
            given(), metadata=tuple(metadata), timeout=timeout_s
        )
        return SyncStream(call, requests)

    async def close(self) -> None:
        self._channel.close()
