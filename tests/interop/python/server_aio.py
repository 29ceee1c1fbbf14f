"""A test server on grpcio with asyncio. Prints its port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc

from tests.interop.python import server_rules as rules
from tests.interop.python.schema import pb
from tests.interop.python.server_grpcio import CODES, handlers
from tests.interop.python.transport import Transport, arguments


class Service:
    """The methods."""

    async def empty_call(self, request: Any, context: Any) -> Any:
        return pb.Empty()

    async def unary_call(self, request: Any, context: Any) -> Any:
        await self._metadata(request, context)
        await self._status(request, context)
        if request.HasField("response_compressed"):
            self._compress(context, request.response_compressed.value)
            # With asyncio the algorithm is named only in headers that are sent by hand.
            await context.send_initial_metadata(())
        return rules.simple_response(request)

    async def input_call(self, requests: AsyncIterator[Any], context: Any) -> Any:
        total = 0
        async for request in requests:
            total += len(request.payload.body)
        return pb.StreamingInputCallResponse(aggregated_payload_size=total)

    async def output_call(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await self._metadata(request, context)
        async for message in self._chunks(request, context):
            yield message
        await self._status(request, context)

    async def duplex_call(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        await self._metadata(None, context)
        async for request in requests:
            await self._status(request, context)
            async for message in self._chunks(request, context):
                yield message

    async def _metadata(self, request: Any, context: Any) -> None:
        given = context.invocation_metadata()
        context.set_trailing_metadata(tuple(rules.trailing(given, request)))
        initial = rules.echoed(given, rules.ECHO_INITIAL)
        if initial:
            await context.send_initial_metadata(initial)

    async def _status(self, request: Any, context: Any) -> None:
        asked = rules.asked_status(request)
        if asked is not None:
            await context.abort(CODES[asked[0]], asked[1])

    async def _chunks(self, request: Any, context: Any) -> AsyncIterator[Any]:
        for parameters in request.response_parameters:
            if parameters.interval_us:
                await asyncio.sleep(parameters.interval_us / 1e6)
            if parameters.HasField("compressed"):
                self._compress(context, parameters.compressed.value)
            yield rules.chunk(parameters)

    def _compress(self, context: Any, wanted: bool) -> None:
        if wanted:
            context.set_compression(grpc.Compression.Gzip)
        else:
            context.disable_next_message_compression()


async def serve(port: int, transport: Transport) -> None:
    """Serve until killed."""
    server = grpc.aio.server(options=rules.GRPCIO_SERVER_OPTIONS)
    server.add_generic_rpc_handlers((handlers(Service()),))
    credentials = transport.grpcio_server()
    address = f"127.0.0.1:{port}"
    bound = (
        server.add_insecure_port(address)
        if credentials is None
        else server.add_secure_port(address, credentials)
    )
    await server.start()
    print(bound, flush=True)
    await server.wait_for_termination()


def main() -> None:
    """Read the arguments and serve."""
    parser = arguments("test server on grpcio with asyncio")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    asyncio.run(serve(given.port, Transport(given.transport, given.certs)))


if __name__ == "__main__":
    main()
