"""Real gRPC clients as loads: grpcio, grpc-js, grpc-go.

Each is a program `CLIENT TARGET CALLS IN_FLIGHT VARYING`, on one channel with insecure credentials, that
speaks as loads.py says. With VARYING=1 each call carries a traceparent and a request id that no other call
carries, beside a fixed token.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from benchmarks import tools
from benchmarks.processes import Running


def _python() -> list[str]:
    return [sys.executable, "-m", "benchmarks.clients.python"]


def _go() -> list[str]:
    return [str(tools.go_client())]


CLIENTS: dict[str, tuple[Callable[[], list[str]], int]] = {
    "grpcio": (_python, 6_000),
    "grpc-js": (tools.node_client, 8_000),
    "grpc-go": (_go, 30_000),
}
"""How each is made, and how many calls it makes in a few seconds."""


def command(name: str, target: Running, calls: int, in_flight: int, varying: bool) -> list[str]:
    """Return the command of one load; raises Missing when the client cannot be made."""
    return [*CLIENTS[name][0](), target.address, str(calls), str(in_flight), str(int(varying))]
