"""The yardstick at the other end: a generic byte pass-through on grpc.aio without any policy."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import grpc


class PassThrough(grpc.GenericRpcHandler):
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        method = handler_call_details.method

        async def forward(requests: AsyncIterator[bytes], _context: object) -> AsyncIterator[bytes]:
            onward: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = self.channel.stream_stream(method)
            async for reply in onward(requests, timeout=15):
                yield reply

        return grpc.stream_stream_rpc_method_handler(forward)


async def serve(target: str) -> None:
    async with grpc.aio.insecure_channel(target) as channel:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((PassThrough(channel),))
        print(server.add_insecure_port("127.0.0.1:0"), flush=True)
        await server.start()
        await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
