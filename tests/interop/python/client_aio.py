"""grpcio with asyncio as a caller."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar

import grpc

from tests.interop.python.caller import Metadata, Outcome
from tests.interop.python.schema import types_of
from tests.interop.python.server_rules import BIG, MAX_METADATA
from tests.interop.python.transport import SERVER_NAME, Transport

OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", BIG),
    ("grpc.max_send_message_length", BIG),
    ("grpc.max_metadata_size", MAX_METADATA),
    ("grpc.absolute_max_metadata_size", MAX_METADATA),
    ("grpc.ssl_target_name_override", SERVER_NAME),
    # A channel of one case is not to ride on the connection of another.
    ("grpc.use_local_subchannel_pool", 1),
]


def codecs(method: str) -> dict[str, Any]:
    """Return the serializers of a method."""
    request, response = types_of(method)
    return {"request_serializer": request.SerializeToString, "response_deserializer": response.FromString}


def compression(wanted: bool) -> grpc.Compression | None:
    """Return what to compress with."""
    return grpc.Compression.Gzip if wanted else None


async def outcome_of(call: Any, message: Any = None) -> Outcome:
    """Return how a call ended."""
    code = await call.code()
    return Outcome(
        code.value[0],
        await call.details() or "",
        message,
        list(await call.initial_metadata() or ()),
        list(await call.trailing_metadata() or ()),
    )


class AioStream:
    """A call whose answers come one by one."""

    def __init__(self, call: Any, *, writes: bool) -> None:
        self._call = call
        self._writes = writes

    async def send(self, message: Any) -> None:
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await self._call.write(message)

    async def end(self) -> None:
        if self._writes:
            await self._call.done_writing()

    async def receive(self) -> Any | None:
        try:
            message = await self._call.read()
        except (grpc.aio.AioRpcError, asyncio.CancelledError):
            if not self._call.done():
                raise
            return None
        return None if message is grpc.aio.EOF else message

    async def cancel(self) -> None:
        self._call.cancel()

    async def outcome(self) -> Outcome:
        return await outcome_of(self._call)


class AioCaller:
    """One channel."""

    missing: ClassVar[dict[str, str]] = {}
    hides_load_reports = True

    def __init__(self, address: str, transport: Transport) -> None:
        credentials = transport.grpcio_client()
        self._channel = (
            grpc.aio.insecure_channel(address, OPTIONS)
            if credentials is None
            else grpc.aio.secure_channel(address, credentials, OPTIONS)
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
        call = self._channel.unary_unary(method, **codecs(method))(
            request, metadata=tuple(metadata), timeout=timeout_s, compression=compression(compressed)
        )
        try:
            return await outcome_of(call, await call)
        except grpc.aio.AioRpcError:
            return await outcome_of(call)

    async def client_stream(
        self,
        method: str,
        requests: Sequence[Any],
        timeout_s: float | None = None,
        *,
        compressed: bool = False,
    ) -> Outcome:
        call = self._channel.stream_unary(method, **codecs(method))(
            timeout=timeout_s, compression=compression(compressed)
        )
        try:
            for request in requests:
                await call.write(request)
            await call.done_writing()
            return await outcome_of(call, await call)
        except grpc.aio.AioRpcError:
            return await outcome_of(call)

    async def server_stream(self, method: str, request: Any, timeout_s: float | None = None) -> AioStream:
        call = self._channel.unary_stream(method, **codecs(method))(request, timeout=timeout_s)
        return AioStream(call, writes=False)

    async def duplex(self, method: str, metadata: Metadata = (), timeout_s: float | None = None) -> AioStream:
        call = self._channel.stream_stream(method, **codecs(method))(
            metadata=tuple(metadata), timeout=timeout_s
        )
        return AioStream(call, writes=True)

    async def close(self) -> None:
        await self._channel.close()
