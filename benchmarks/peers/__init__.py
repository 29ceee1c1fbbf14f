"""The proxies that are measured: how each is started, and why one is left out.

Each peer runs with one worker and does for a call what its own configuration can of Seawall's standard chain:
a deadline, retries with a budget, passive health checks. The grpc.aio pass-through does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial

from benchmarks.peers import aio, envoy, haproxy, nginx, seawall
from benchmarks.processes import Running
from benchmarks.tools import Missing

SEAWALL = "seawall"
INTERPRETED = "seawall, interpreted"
ENVOY = "envoy"
NGINX = "nginx"
HAPROXY = "haproxy"
AIO = "grpc.aio pass-through"

ALL = (SEAWALL, INTERPRETED, ENVOY, NGINX, HAPROXY, AIO)
OURS = (SEAWALL, INTERPRETED)


@dataclass(frozen=True)
class Setting:
    """What all proxies of one measurement are started with."""

    backend_port: int
    routes: int = 1
    """How many routes the configuration has; route number N takes the service bench.v1.SN."""
    tls: bool = False


Starter = Callable[[Setting], AbstractContextManager[Running]]


def starters() -> dict[str, Starter]:
    """Return the way to start each proxy."""
    return {
        SEAWALL: partial(_start, seawall.start, SEAWALL, interpreted=False),
        INTERPRETED: partial(_start, seawall.start, INTERPRETED, interpreted=True),
        ENVOY: partial(_start, envoy.start, ENVOY),
        NGINX: partial(_start, nginx.start, NGINX),
        HAPROXY: partial(_start, haproxy.start, HAPROXY),
        AIO: partial(_start, aio.start, AIO),
    }


def _start(
    start: Callable[..., AbstractContextManager[Running]], name: str, setting: Setting, **more: bool
) -> AbstractContextManager[Running]:
    return start(name, setting.backend_port, setting.routes, setting.tls, **more)


def start_all(
    stack: ExitStack, setting: Setting, wanted: tuple[str, ...], say: Callable[[str], None]
) -> list[Running]:
    """Start every proxy of `wanted` that is there; say which is not, and why."""
    known = starters()
    running = []
    for name in wanted:
        try:
            running.append(stack.enter_context(known[name](setting)))
        except (Missing, RuntimeError, OSError) as error:
            say(f"left out: {name}: {error}")
    return running
