"""CPU per unary call with real gRPC clients, with and without metadata that changes on each call."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from benchmarks import clients, peers
from benchmarks.bench import Bench
from benchmarks.loads import run_command, upstream
from benchmarks.peers import AIO, Setting
from benchmarks.tools import Missing

NAME = "clients"
CPU = "CPU us/call, real clients"
IN_FLIGHT = 32


def shape_of(client: str, varying: bool) -> str:
    """Return the name of a shape."""
    return f"{client}, varying metadata" if varying else client


def run(bench: Bench) -> None:
    """Measure every client that can be made."""
    ready = []
    for client in clients.CLIENTS:
        try:
            bench.say(f"preparing {client}")
            clients.CLIENTS[client][0]()
            ready.append(client)
        except Missing as error:
            bench.note(f"left out: {error}")
    # The pass-through would take minutes and is measured by `calls`.
    wanted = tuple(name for name in bench.peers if name != AIO)
    with ExitStack() as stack:
        port = stack.enter_context(upstream())
        running = peers.start_all(stack, Setting(port), wanted, bench.note)
        for number in range(bench.rounds):
            for client in ready:
                for varying in (False, True):
                    for target in running:
                        calls = clients.CLIENTS[client][1] // (4 if bench.quick else 1)
                        command = clients.command(client, target, calls, IN_FLIGHT, varying)
                        shape = shape_of(client, varying)
                        place = f"{NAME}, round {number + 1}/{bench.rounds}, {shape}"
                        sample = bench.measure(place, target, partial(run_command, target, command))
                        bench.add(CPU, shape, target.name, sample.cpu_us if sample else float("nan"))
