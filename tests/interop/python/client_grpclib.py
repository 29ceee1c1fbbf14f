"""grpclib as a caller; its HTTP/2 is that of h2."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

from grpclib.client import Channel
from grpclib.client import Stream as LibStream
from grpclib.config import Configuration
from grpclib.const import Cardinality
from grpclib.exceptions import GRPCError, StreamTerminatedError
from grpclib.metadata import Deadline

from tests.interop.python.caller import CANCELLED, DEADLINE_EXCEEDED, UNAVAILABLE, Metadata, Outcome
from tests.interop.python.schema import types_of
from tests.interop.python.transport import SERVER_NAME, Transport

NO_COMPRESSION = "grpclib has no message compression"


class LibCall:
    """A call, of whatever kind."""

    def __init__(
        self,
        channel: Channel,
        method: str,
        kind: Cardinality,
        metadata: Metadata = (),
        timeout_s: float | None = None,
    ) -> None:
        request, response = types_of(method)
        deadline = None if timeout_s is None else Deadline.from_timeout(timeout_s)
        self.stream: LibStream[Any, Any] = channel.request(
            method, kind, request, response, timeout=timeout_s, deadline=deadline, metadata=list(metadata)
        )
        self._timeout_s = timeout_s
        self._until = None if timeout_s is None else asyncio.get_running_loop().time() + timeout_s
        self._failure: BaseException | None = None
        self._open = False

    async def begin(self) -> LibCall:
        """Open the stream, unless the deadline comes first."""
        await self._watched(self._begin())
        return self

    async def _begin(self) -> None:
        await self.stream.__aenter__()
        self._open = True
        await self.stream.send_request()

    async def _watched(self, step: Any) -> Any:
        """Take a step of the call; a failure is kept for the outcome."""
        if self._failure is not None:
            step.close()
            return None
        try:
            async with asyncio.timeout_at(self._until):
                return await step
        except (GRPCError, StreamTerminatedError, TimeoutError, ConnectionError) as error:
            self._failure = error
            return None

    async def send(self, message: Any) -> None:
        await self._watched(self.stream.send_message(message))

    async def end(self) -> None:
        await self._watched(self.stream.end())

    async def receive(self) -> Any | None:
        return await self._watched(self.stream.recv_message())

    async def cancel(self) -> None:
        if self._open:
            await self.stream.cancel()
        self._failure = asyncio.CancelledError()

    async def outcome(self, message: Any = None) -> Outcome:
        if self._open:
            await self._watched(self.stream.recv_trailing_metadata())
            failure = self._failure
            try:
                await self.stream.__aexit__(None if failure is None else type(failure), failure, None)
            except (GRPCError, StreamTerminatedError, TimeoutError, asyncio.CancelledError) as error:
                self._failure = failure or error
        result = Outcome(
            message=message,
            initial=list((self.stream.initial_metadata or {}).items()),
            trailing=list((self.stream.trailing_metadata or {}).items()),
        )
        match self._failure:
            case None:
                pass
            case GRPCError() as said:
                result.code, result.details = said.status.value, said.message or ""
            case TimeoutError():
                result.code = DEADLINE_EXCEEDED
            case asyncio.CancelledError():
                result.code = CANCELLED
            case _ if self._until is not None and asyncio.get_running_loop().time() >= self._until:
                # grpclib drops trailers that come together with RST_STREAM.
                result.code = DEADLINE_EXCEEDED
            case other:
                result.code, result.details = UNAVAILABLE, repr(other)
        return result


class LibCaller:
    """One channel."""

    hides_load_reports = False
    missing: ClassVar[dict[str, str]] = {
        "client_compressed_unary": NO_COMPRESSION,
        "client_compressed_streaming": NO_COMPRESSION,
        "server_compressed_unary": NO_COMPRESSION,
        "server_compressed_streaming": NO_COMPRESSION,
    }

    def __init__(self, address: str, transport: Transport) -> None:
        host, _, port = address.rpartition(":")
        self._channel = Channel(
            host,
            int(port),
            ssl=transport.context(server=False),
            config=Configuration(ssl_target_name_override=SERVER_NAME),
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
        call = await LibCall(self._channel, method, Cardinality.UNARY_UNARY, metadata, timeout_s).begin()
        await call._watched(call.stream.send_message(request, end=True))
        return await call.outcome(await call.receive())

    async def client_stream(
        self,
        method: str,
        requests: Sequence[Any],
        timeout_s: float | None = None,
        *,
        compressed: bool = False,
    ) -> Outcome:
        call = await LibCall(self._channel, method, Cardinality.STREAM_UNARY, (), timeout_s).begin()
        for request in requests:
            await call.send(request)
        await call.end()
        return await call.outcome(await call.receive())

    async def server_stream(self, method: str, request: Any, timeout_s: float | None = None) -> LibCall:
        call = await LibCall(self._channel, method, Cardinality.UNARY_STREAM, (), timeout_s).begin()
        await call._watched(call.stream.send_message(request, end=True))
        return call

    async def duplex(self, method: str, metadata: Metadata = (), timeout_s: float | None = None) -> LibCall:
        return await LibCall(self._channel, method, Cardinality.STREAM_STREAM, metadata, timeout_s).begin()

    async def close(self) -> None:
        self._channel.close()
