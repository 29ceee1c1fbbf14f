"""A gRPC server as a process of its own, for tests to call through the proxy and to kill.

Run as `python -m tests.kit.upstream PORT NAME [HISTORY]`; prints the port, and notes in the history which
calls with a name (`x-job-id`) it has seen. Any service name works; the method's name says what it does:
`Unary` echoes, `Count` sums the bytes of a client stream, `Repeat` streams the request five times, `Chat`
echoes a stream, `Early` answers a client stream after its first message, `Silent` never answers, `Sink` reads
slowly. What a call's metadata asks for: `fail: CODE` (status after the message was read), `fail-first: N`
(UNAVAILABLE for the first N attempts), `late-fail: CODE` (status in the trailers, after a message),
`sleep: SECONDS`, `fail-file: PATH` (fails with UNAVAILABLE while the file exists), `slow-file: PATH` (sleeps
0.3 s while it exists). Every answer carries the trailing metadata `served-by` and `attempt`
(grpc-previous-rpc-attempts as received); `saw-traceparent` says which parent it was given.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from tests.kit.history.lines import Recorder

_CODES = {code.value[0]: code for code in grpc.StatusCode}


def is_there(path: str) -> bool:
    """Tell whether a switch, which is a file, is on."""
    return Path(path).exists()


class Upstream(grpc.GenericRpcHandler):
    """Serves every method."""

    def __init__(self, name: str, note: Recorder | None = None) -> None:
        self._name = name
        self._note = note

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        method = details.method.rpartition("/")[2]
        if method in ("Unary", "Silent"):
            return grpc.unary_unary_rpc_method_handler(self._unary if method == "Unary" else self._silent)
        if method in ("Count", "Early"):
            return grpc.stream_unary_rpc_method_handler(self._count if method == "Count" else self._early)
        if method == "Repeat":
            return grpc.unary_stream_rpc_method_handler(self._repeat)
        if method in ("Chat", "Sink"):
            return grpc.stream_stream_rpc_method_handler(self._chat if method == "Chat" else self._sink)
        return None

    async def _prepare(self, context: Any) -> dict[str, Any]:
        asked = dict(context.invocation_metadata())
        if self._note is not None and "x-job-id" in asked:
            self._note("seen", job=asked["x-job-id"])
        trailing = [
            ("served-by", self._name),
            ("attempt", asked.get("grpc-previous-rpc-attempts", "0")),
            ("left-ms", str(int((context.time_remaining() or 0) * 1000))),
        ]
        trailing += [(f"seen-{key}", value) for key, value in asked.items() if key.startswith("x-")]
        if "traceparent" in asked:
            trailing.append(("saw-traceparent", asked["traceparent"]))
        context.set_trailing_metadata(tuple(trailing))
        if "sleep" in asked:
            await asyncio.sleep(float(asked["sleep"]))
        if "slow-file" in asked and is_there(asked["slow-file"]):
            await asyncio.sleep(0.3)
        if "fail-file" in asked and is_there(asked["fail-file"]):
            await context.abort(grpc.StatusCode.UNAVAILABLE, f"{self._name} is told to fail")
        if int(asked.get("grpc-previous-rpc-attempts", "0")) < int(asked.get("fail-first", "0")):
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        if "fail" in asked:
            await context.abort(_CODES[int(asked["fail"])], "asked to fail: \u00fcber")
        return asked

    async def _unary(self, request: bytes, context: Any) -> bytes:
        await self._prepare(context)
        return request

    async def _silent(self, request: bytes, context: Any) -> bytes:
        await asyncio.sleep(60)
        return request

    async def _count(self, requests: AsyncIterator[bytes], context: Any) -> bytes:
        await self._prepare(context)
        total = 0
        async for request in requests:
            total += len(request)
        return str(total).encode()

    async def _early(self, requests: AsyncIterator[bytes], context: Any) -> bytes:
        async for request in requests:
            return request
        return b"none"

    async def _repeat(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        asked = await self._prepare(context)
        for _ in range(5):
            yield request
        if "late-fail" in asked:
            await context.abort(_CODES[int(asked["late-fail"])], "late")

    async def _chat(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        await self._prepare(context)
        async for request in requests:
            yield request

    async def _sink(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for _ in requests:
            await asyncio.sleep(0.05)
        yield b"done"


async def serve(port: str, name: str, history: str = "") -> None:
    """Serve until killed."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)])
    note = Recorder(Path(history), "server") if history else None
    server.add_generic_rpc_handlers((Upstream(name, note),))
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print(bound, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
