"""The yardstick at the other end: a generic byte pass-through on grpc.aio without any policy.

Also the program itself: `python -m benchmarks.peers.aio TARGET` prints its port.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import grpc

from benchmarks.processes import Running, process
from benchmarks.tools import Missing


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
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(target, options=unlimited) as channel:
        server = grpc.aio.server(options=unlimited)
        server.add_generic_rpc_handlers((PassThrough(channel),))
        print(server.add_insecure_port("127.0.0.1:0"), flush=True)
        await server.start()
        await server.wait_for_termination()


@contextmanager
def start(name: str, backend_port: int, _routes: int, tls: bool) -> Iterator[Running]:
    """Run the pass-through."""
    if tls:
        raise Missing("measured without TLS only")
    command = [sys.executable, "-m", "benchmarks.peers.aio", f"127.0.0.1:{backend_port}"]
    with process(command) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        if not line:
            raise RuntimeError("it did not start")
        yield Running(name, child.pid, f"127.0.0.1:{int(line)}")


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
