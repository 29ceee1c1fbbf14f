"""Runs commands on the control plane's event loop while calls come in, and prints how each of them ended."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress

import grpc.aio

from seawall_control.event_loop import run_on_loop
from seawall_control.services.healing.actions.hooks import run_command

COMMANDS = 60
CALLERS = 4


async def calling(channel: grpc.aio.Channel) -> None:
    """Call a method that nobody has, without end."""
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/nobody/Has")
    while True:
        with suppress(grpc.aio.AioRpcError):
            await call(b"")


async def busy() -> list[tuple[int, str]]:
    """Run the commands one after the other, with gRPC's own threads at work."""
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await channel.channel_ready()
        callers = [asyncio.create_task(calling(channel)) for _ in range(CALLERS)]
        words = [sys.executable, "-S", "-c", "print('done')"]
        ended = [await run_command(words, dict(os.environ)) for _ in range(COMMANDS)]
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
    await server.stop(None)
    return ended


if __name__ == "__main__":
    print(json.dumps(run_on_loop(busy())))
