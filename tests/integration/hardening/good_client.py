"""A well-behaved client in a process of its own: 50 calls a second over grpcio, each begun on time.

Run as `python -m tests.integration.hardening.good_client ADDRESS FILE`. It calls between the lines `go` and
`stop` on its standard input, and ends with that. For each call a line is appended to FILE: when it was due
(monotonic seconds, which all processes of a machine share), how long it took from then, and its status;
`stopped` says that every call has ended.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from pathlib import Path
from typing import IO

import grpc

from tests.kit.rpc import unary_unary

PERIOD_S = 0.02


async def one(call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes], due: float, out: IO[str]) -> None:
    """Make one call and note how it went."""
    status = "OK"
    try:
        answer = await call(b"hello", timeout=60)
        if answer != b"hello":
            status = "WRONG_ANSWER"
    except grpc.aio.AioRpcError as error:
        status = f"{error.code().name}: {error.details()}"
    out.write(f"{due:.6f} {time.monotonic() - due:.6f} {status!r}\n")
    out.flush()


async def run(address: str, path: str) -> None:
    """Call while told to, until there is nobody to tell."""
    loop = asyncio.get_running_loop()
    commands: asyncio.Queue[str] = asyncio.Queue()
    running: set[asyncio.Task[None]] = set()

    def listen() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(commands.put_nowait, line.strip())
        loop.call_soon_threadsafe(commands.put_nowait, "end")

    threading.Thread(target=listen, daemon=True).start()
    with Path(path).open("a", encoding="utf-8") as out:  # noqa: ASYNC230 - lines of 60 bytes to a local file
        async with grpc.aio.insecure_channel(address) as channel:
            call = unary_unary(channel, "/good.Good/Unary")
            while await commands.get() == "go":
                due = time.monotonic()
                while commands.empty():
                    await asyncio.sleep(max(0.0, due - time.monotonic()))
                    task = asyncio.create_task(one(call, due, out))
                    running.add(task)
                    task.add_done_callback(running.discard)
                    due += PERIOD_S
                commands.get_nowait()
                if running:
                    await asyncio.wait(running)
                out.write("stopped\n")
                out.flush()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2]))
