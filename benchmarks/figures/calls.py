"""CPU per unary call, and calls a second at saturation: 100 bytes each way, closed loop."""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks import peers
from benchmarks.bench import Bench
from benchmarks.loads import Load, upstream
from benchmarks.peers import Setting

NAME = "calls"
CPU = "CPU us/call"
RATE = "calls/s"

M1 = "c=1 m=1"
C1 = "c=1 m=32"
C4 = "c=4 m=32"
C1_VARYING = "c=1 m=32, varying metadata"
C4_VARYING = "c=4 m=32, varying metadata"

SHAPES = {
    M1: Load(1, 1, 8_000),
    C1: Load(1, 32, 60_000),
    C4: Load(4, 32, 90_000),
    C1_VARYING: Load(1, 32, 60_000, varying=True),
    C4_VARYING: Load(4, 32, 90_000, varying=True),
}


def run(bench: Bench) -> None:
    """Measure every shape in every round."""
    with ExitStack() as stack:
        port = stack.enter_context(upstream())
        running = peers.start_all(stack, Setting(port), bench.peers, bench.note)
        for number in range(bench.rounds):
            for shape, load in SHAPES.items():
                for target in running:
                    place = f"{NAME}, round {number + 1}/{bench.rounds}, {shape}"
                    sample = bench.closed(place, target, load)
                    bench.add(CPU, shape, target.name, sample.cpu_us if sample else float("nan"))
                    bench.add(RATE, shape, target.name, sample.per_second if sample else float("nan"))
