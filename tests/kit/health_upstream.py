"""A gRPC server with a health service that a file controls:
`python -m tests.kit.health_upstream PORT NAME FILE`.

While the file says `NOT_SERVING` so does the server; else, and without the file, it is SERVING. Everything
else is `tests.kit.upstream`.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from tests.kit.upstream import Upstream

LOOK_S = 0.02


def read(switch: Path) -> str:
    """Return what the file says; nothing without one."""
    return switch.read_text() if switch.exists() else ""


async def serve(port: str, name: str, switch: Path) -> None:
    """Serve until killed."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_generic_rpc_handlers((Upstream(name),))
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    said = -1

    async def follow() -> None:
        nonlocal said
        text = await asyncio.to_thread(read, switch)
        status = health_pb2.HealthCheckResponse.ServingStatus
        now = status.NOT_SERVING if text.strip() == "NOT_SERVING" else status.SERVING
        if now != said:
            said = now
            await servicer.set("", now)

    await follow()
    await server.start()
    print(bound, flush=True)
    while True:
        await asyncio.sleep(LOOK_S)
        await follow()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
