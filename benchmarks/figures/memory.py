"""Resident memory: of an idle proxy, of an idle connection, of an open stream.

Every proxy is started afresh, warmed by a few calls, and read when it has been idle for a moment.
"""

from __future__ import annotations

import time
from contextlib import ExitStack

from benchmarks import loads, peers
from benchmarks.bench import Bench
from benchmarks.loads import Load, upstream
from benchmarks.peers import Setting
from benchmarks.processes import Running

NAME = "memory"
IDLE = "resident memory idle, MB"
CONNECTION = "memory of an idle connection, KB"
STREAM = "memory of an open stream, KB"

CONNECTIONS = 1_000
STREAM_CONNECTIONS = 20
STREAMS_EACH = 50
SETTLE_S = 1.0
SHAPE = "resident"


def run(bench: Bench) -> None:
    """Measure one proxy after another; memory hardly varies between rounds, so that there is one or two."""
    for number in range(1 if bench.quick else 2):
        for name in bench.peers:
            with ExitStack() as stack:
                speaking = stack.enter_context(upstream())
                silent = stack.enter_context(upstream(silent=True))
                for target in peers.start_all(stack, Setting(speaking), (name,), bench.note):
                    _idle_and_connections(bench, number, target)
            with ExitStack() as stack:
                silent = stack.enter_context(upstream(silent=True))
                for target in peers.start_all(stack, Setting(silent), (name,), bench.note):
                    _streams(bench, number, target)


def _settled(target: Running) -> int:
    time.sleep(SETTLE_S)
    return target.resident_bytes()


def _idle_and_connections(bench: Bench, number: int, target: Running) -> None:
    try:
        idle_before_use = _settled(target)
        loads.run(target, Load(4, 8, 400))
        warmed = _settled(target)
        with loads.holding(target, CONNECTIONS, 0):
            full = _settled(target)
    except RuntimeError as error:
        bench.note(f"failed: {NAME}, {CONNECTIONS} connections, {target.name}: {error}")
        return
    each = (full - warmed) / CONNECTIONS / 1e3
    bench.add(IDLE, SHAPE, target.name, idle_before_use / 1e6)
    bench.add(CONNECTION, SHAPE, target.name, each)
    bench.say(
        f"{NAME}, round {number + 1}, {target.name}: idle {idle_before_use / 1e6:.1f} MB, "
        f"{each:.1f} KB for each of {CONNECTIONS} idle connections"
    )


def _streams(bench: Bench, number: int, target: Running) -> None:
    streams = STREAM_CONNECTIONS * STREAMS_EACH
    try:
        with loads.holding(target, STREAM_CONNECTIONS, 0):
            before = _settled(target)
        with loads.holding(target, STREAM_CONNECTIONS, STREAMS_EACH):
            full = _settled(target)
    except RuntimeError as error:
        bench.note(f"failed: {NAME}, {streams} streams, {target.name}: {error}")
        return
    each = (full - before) / streams / 1e3
    bench.add(STREAM, SHAPE, target.name, each)
    bench.say(f"{NAME}, round {number + 1}, {target.name}: {each:.1f} KB for each of {streams} open streams")
