"""A test server on grpclib, whose HTTP/2 is that of h2. Prints its port."""

from __future__ import annotations

import asyncio
from typing import Any

from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError
from grpclib.server import Server, Stream

from tests.interop.python import server_rules as rules
from tests.interop.python.schema import SERVICE, TYPES, pb
from tests.interop.python.transport import Transport, arguments


def pairs(stream: Any) -> list[tuple[str, Any]]:
    """Return the metadata of a request as pairs."""
    return list(stream.metadata.items())


class Service:
    """The methods."""

    async def empty_call(self, stream: Stream[Any, Any]) -> None:
        await stream.recv_message()
        await stream.send_message(pb.Empty())

    async def unary_call(self, stream: Stream[Any, Any]) -> None:
        request = await stream.recv_message()
        await self._initial(stream)
        asked = rules.asked_status(request)
        if asked is not None:
            raise GRPCError(Status(asked[0]), asked[1])
        await stream.send_message(rules.simple_response(request))
        await stream.send_trailing_metadata(metadata=rules.trailing(pairs(stream), request))

    async def input_call(self, stream: Stream[Any, Any]) -> None:
        total = 0
        async for request in stream:
            total += len(request.payload.body)
        await stream.send_message(pb.StreamingInputCallResponse(aggregated_payload_size=total))

    async def output_call(self, stream: Stream[Any, Any]) -> None:
        request = await stream.recv_message()
        await self._initial(stream)
        await self._chunks(stream, request)
        asked = rules.asked_status(request)
        if asked is not None:
            raise GRPCError(Status(asked[0]), asked[1])
        await stream.send_trailing_metadata(metadata=rules.trailing(pairs(stream), request))

    async def duplex_call(self, stream: Stream[Any, Any]) -> None:
        await self._initial(stream)
        async for request in stream:
            asked = rules.asked_status(request)
            if asked is not None:
                raise GRPCError(Status(asked[0]), asked[1])
            await self._chunks(stream, request)
        await stream.send_trailing_metadata(metadata=rules.trailing(pairs(stream), None))

    async def _initial(self, stream: Stream[Any, Any]) -> None:
        initial = rules.echoed(pairs(stream), rules.ECHO_INITIAL)
        if initial:
            await stream.send_initial_metadata(metadata=initial)

    async def _chunks(self, stream: Stream[Any, Any], request: Any) -> None:
        for parameters in request.response_parameters:
            if parameters.interval_us:
                await asyncio.sleep(parameters.interval_us / 1e6)
            await stream.send_message(rules.chunk(parameters))

    def __mapping__(self) -> dict[str, Handler]:
        plan = {
            "EmptyCall": (self.empty_call, Cardinality.UNARY_UNARY),
            "UnaryCall": (self.unary_call, Cardinality.UNARY_UNARY),
            "StreamingInputCall": (self.input_call, Cardinality.STREAM_UNARY),
            "StreamingOutputCall": (self.output_call, Cardinality.UNARY_STREAM),
            "FullDuplexCall": (self.duplex_call, Cardinality.STREAM_STREAM),
        }
        return {SERVICE + name: Handler(method, kind, *TYPES[name]) for name, (method, kind) in plan.items()}


async def serve(port: int, transport: Transport) -> None:
    """Serve until killed."""
    server = Server([Service()])
    await server.start("127.0.0.1", port, ssl=transport.context(server=True))
    sockets = server._server.sockets  # type: ignore[union-attr]
    print(sockets[0].getsockname()[1], flush=True)
    await server.wait_closed()


def main() -> None:
    """Read the arguments and serve."""
    parser = arguments("test server on grpclib")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    asyncio.run(serve(given.port, Transport(given.transport, given.certs)))


if __name__ == "__main__":
    main()
