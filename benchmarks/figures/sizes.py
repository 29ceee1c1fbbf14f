"""Message sizes and streams: CPU per MB of large messages in both directions, CPU per message of a stream."""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks import loads, peers
from benchmarks.bench import NAN, Bench
from benchmarks.loads import Load, Sample, upstream
from benchmarks.peers import AIO, Setting
from benchmarks.processes import Running

NAME = "sizes"
PER_MB = "CPU us/MB"
PER_MESSAGE = "CPU us/message"

DOWN_8MB = "8 MB responses"
UP_8MB = "8 MB requests"
STREAM = "server stream of 1 KiB messages"
STREAM_MESSAGES = 1_000

RESPONSES = {
    "1 KiB responses": (1 << 10, 20_000),
    "16 KiB responses": (1 << 14, 12_000),
    "256 KiB responses": (1 << 18, 1_500),
    "1 MB responses": (1 << 20, 480),
    DOWN_8MB: (8 << 20, 60),
}


def run(bench: Bench) -> None:
    """Measure size after size, each with an upstream of its own."""
    wanted = tuple(name for name in bench.peers if name != AIO)
    for shape, (size, calls) in RESPONSES.items():
        load = Load(1, 4, calls, response_bytes=size + 5, warm_up=2)
        _measure(bench, wanted, shape, PER_MB, size, 1, load, 1e6 / (size + 5))
    load = Load(1, 4, 60, request_bytes=8 << 20, warm_up=2)
    _measure(bench, wanted, UP_8MB, PER_MB, 100, 1, load, 1e6 / ((8 << 20) + 5))
    load = Load(1, 4, 120, response_bytes=1029 * STREAM_MESSAGES, warm_up=2)
    _measure(bench, wanted, STREAM, PER_MESSAGE, 1024, STREAM_MESSAGES, load, 1 / STREAM_MESSAGES)


def _measure(
    bench: Bench,
    wanted: tuple[str, ...],
    shape: str,
    figure: str,
    message_bytes: int,
    messages: int,
    load: Load,
    scale: float,
) -> None:
    with ExitStack() as stack:
        port = stack.enter_context(upstream(message_bytes, messages))
        running = peers.start_all(stack, Setting(port), wanted, bench.note)
        for number in range(bench.rounds):
            for target in running:
                sample = _one(bench, f"{NAME}, round {number + 1}/{bench.rounds}, {shape}", target, load)
                bench.add(figure, shape, target.name, sample.cpu_us * scale if sample else NAN)


def _one(bench: Bench, place: str, target: Running, load: Load) -> Sample | None:
    sized = Load(**{**load.__dict__, "calls": max(8, load.calls // (4 if bench.quick else 1))})

    return bench.measure(place, target, lambda: loads.run(target, sized))
