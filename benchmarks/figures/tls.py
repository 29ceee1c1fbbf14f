"""CPU per unary call with TLS on both sides: h2load as the client, a TLS upstream on our own HTTP/2 layer."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from benchmarks import peers, tools
from benchmarks.bench import NAN, Bench
from benchmarks.loads import LIMIT_S, Sample
from benchmarks.peers import AIO, Setting
from benchmarks.processes import Running, process

NAME = "tls"
CPU = "CPU us/call, TLS on both sides"
SHAPES = {"TLS, c=1 m=32": (1, 32, 30_000), "TLS, c=4 m=32": (4, 32, 40_000)}

_FINISHED = re.compile(r"finished in ([\d.]+)(us|ms|s), ([\d.]+) req/s")
_FAILED = re.compile(r"(\d+) failed, (\d+) errored, (\d+) timeout")


@contextmanager
def _upstream() -> Iterator[int]:
    certificate, key = tools.certificate()
    command = [sys.executable, "-m", "benchmarks.tls_backend", "100", str(certificate), str(key)]
    with process(command) as child:
        assert child.stdout is not None
        yield int(child.stdout.readline())


def h2load(target: Running, connections: int, in_flight: int, calls: int, body: Path) -> Sample:
    """Run h2load; its connections and handshakes are part of the cost, a few among thousands of calls."""
    program = shutil.which("h2load")
    if program is None:
        raise tools.Missing("TLS: h2load is not installed; Debian's package is nghttp2-client")
    command = [program, "-n", str(calls), "-c", str(connections), "-m", str(in_flight), "-d", str(body)]
    command += ["-H", "te: trailers", "-H", "content-type: application/grpc", "-H", "grpc-timeout: 9S"]
    command.append(f"https://{target.address}/bench.v1.S0/Unary")
    before = target.cpu_seconds()
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    cpu = target.cpu_seconds() - before
    finished, failed = _FINISHED.search(done.stdout), _FAILED.search(done.stdout)
    if finished is None or failed is None:
        raise RuntimeError(f"h2load said {done.stdout.strip().splitlines()[-1:]}")
    errors = sum(int(number) for number in failed.groups())
    return Sample(cpu / calls * 1e6, float(finished[3]), errors)


def run(bench: Bench) -> None:
    """Measure the proxies that speak TLS."""
    if shutil.which("h2load") is None:
        bench.note("left out: TLS: h2load is not installed; Debian's package is nghttp2-client")
        return
    wanted = tuple(name for name in bench.peers if name != AIO)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        body = folder / "body"
        body.write_bytes(b"\x00" + (100).to_bytes(4, "big") + b"x" * 100)
        try:
            port = stack.enter_context(_upstream())
        except tools.Missing as error:
            bench.note(f"left out: {error}")
            return
        note = bench.note
        running = peers.start_all(stack, Setting(port, tls=True), wanted, lambda text: note(f"{text} (TLS)"))
        for target in running:
            bench.measure(f"{NAME}, warm-up", target, partial(h2load, target, 1, 8, 500, body))
        for number in range(bench.rounds):
            for shape, (connections, in_flight, most) in SHAPES.items():
                for target in running:
                    calls = bench.calls(target.name, most)
                    place = f"{NAME}, round {number + 1}/{bench.rounds}, {shape}"
                    sample = bench.measure(
                        place,
                        target,
                        partial(h2load, target, connections, in_flight, calls, body),
                    )
                    bench.add(CPU, shape, target.name, sample.cpu_us if sample else NAN)
