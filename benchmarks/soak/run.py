"""The soak test's course: warm up, rest, read; trouble for N minutes; rest, read; judge."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from benchmarks import loads, tools
from benchmarks.loads import Load
from benchmarks.processes import ROOT
from benchmarks.soak import rude
from benchmarks.soak.judge import Evidence, Numbers, Sample, problems, trend
from benchmarks.soak.troubles import Troubles

WARM_UP_SHARE, MOST_WARM_UP_S = 0.25, 60.0
SAMPLE_S = 3.0
SAY_S = 10.0
REST_LIMIT_S = 45.0
BYSTANDER = Load(connections=4, rate=200.0, seconds=5.0, varying=True)

_IN_FLIGHT = re.compile(r'^seawall_inflight\{.*?route="([^"]*)".*?\} (-?\d+)', re.MULTILINE)
_REJECTED = re.compile(r'^seawall_rejected_total\{[^}]*reason="([^"]*)"[^}]*\} (\d+)', re.MULTILINE)
_OK = re.compile(r'^seawall_calls_total\{[^}]*"OK"[^}]*\} (\d+)', re.MULTILINE)


@dataclass
class Soak:
    """One run."""

    folder: Path
    seed: int
    began: float = field(default_factory=monotonic)
    samples: list[Sample] = field(default_factory=list)
    by_kind: dict[str, Counter[str]] = field(default_factory=dict)
    unexplained: Counter[str] = field(default_factory=Counter)
    rude: Counter[str] = field(default_factory=Counter)
    bystander_calls: int = 0
    bystander_errors: int = 0
    admin: str = ""
    target: str = ""

    def say(self, text: str) -> None:
        """Print a line of progress."""
        print(f"[{monotonic() - self.began:6.0f} s] {text}", file=sys.stderr, flush=True)

    async def get(self, page: str) -> str:
        """Return an admin page."""

        def fetch() -> str:
            with urllib.request.urlopen(f"http://{self.admin}{page}", timeout=20) as reply:
                return str(reply.read().decode())

        return await asyncio.to_thread(fetch)

    async def numbers(self) -> Numbers:
        """Return the proxy's numbers."""
        return {name: float(value) for name, value in json.loads(await self.get("/internals")).items()}

    async def sample(self, stop: asyncio.Event) -> None:
        """Read the numbers every few seconds; the last word goes to the log."""
        said = 0.0
        while not stop.is_set():
            now = monotonic() - self.began
            numbers = await self.numbers()
            self.samples.append(Sample(now, numbers))
            if now - said >= SAY_S:
                said = now
                self.say(
                    "{resident:.1f} MB, {objects:.0f} objects, {descriptors:.0f} descriptors, "
                    "{timers:.0f} timers, {calls:.0f} calls, {connections:.0f} connections".format(
                        resident=numbers["resident_bytes"] / 1e6, **numbers
                    )
                )
            await asyncio.sleep(SAMPLE_S)

    async def calm(self, stop: asyncio.Event) -> None:
        """Be the bystander: its upstream is never in trouble, so neither may its calls be."""
        port = self.target.rpartition(":")[2]
        while not stop.is_set():
            try:
                done = await asyncio.to_thread(loads.run, port, BYSTANDER)
            except RuntimeError as error:
                self.unexplained[f"bystander: {error}"] += 1
                return
            self.bystander_calls += int(BYSTANDER.rate * BYSTANDER.seconds)
            self.bystander_errors += done.errors

    async def traffic(self, stop: asyncio.Event) -> None:
        """Run the process that makes real gRPC calls, and take its account."""
        command = [sys.executable, "-m", "benchmarks.soak.traffic", self.target, str(self.seed)]
        child = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            await stop.wait()
            said, _ = await asyncio.wait_for(child.communicate(b""), 90)
        finally:
            if child.returncode is None:
                child.kill()
        account = json.loads(said)
        for kind, codes in account["by_kind"].items():
            self.by_kind.setdefault(kind, Counter()).update(codes)
        self.unexplained.update(account["unexplained"])

    async def stretch(self, seconds: float, troubles: Troubles, with_bystander: bool) -> None:
        """Run everything for so long."""
        stop = asyncio.Event()
        self.samples.clear()
        work = [
            self.sample(stop),
            self.traffic(stop),
            rude.drive(self.target, self.seed, self.rude, stop),
            troubles.drive(stop),
        ]
        if with_bystander:
            work.append(self.calm(stop))
        tasks = [asyncio.ensure_future(one) for one in work]
        try:
            done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            stop.set()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def rest(self, troubles: Troubles) -> Numbers:
        """Wait until the proxy has nothing to do, and read its numbers."""
        troubles.put_right()
        until = monotonic() + REST_LIMIT_S
        before: Numbers = {}
        while monotonic() < until:
            await asyncio.sleep(2.0)
            status = json.loads(await self.get("/status"))
            endpoints = [one for cluster in status["clusters"].values() for one in cluster["endpoints"]]
            numbers = await self.numbers()
            resting = all(one["state"] == "ready" for one in endpoints) and numbers["connections"] == 0
            same = ("timers", "descriptors", "tasks", "upstream_connections")
            if resting and before and all(before[name] == numbers[name] for name in same):
                return {**numbers, "events": float(status["events_produced"])}
            before = numbers
        self.say("the proxy does not come to rest; judged as it is")
        return {**await self.numbers(), "events": 0.0}


async def start_proxy(stack: AsyncExitStack, soak: Soak, config: Path) -> asyncio.subprocess.Process:
    """Start the proxy and wait until it is ready; its log is kept in the folder."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("proxy", "control", "clients/python")),
    }
    command = [sys.executable, "-m", "seawall_proxy", "--config", str(config), "--log", "json"]
    command += ["--data-dir", str(soak.folder / "data"), "--drain-grace", "0.5", "--drain-limit", "5"]
    path = soak.folder / "proxy.log"
    log = stack.enter_context(path.open("wb"))
    child = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, stderr=log)

    def end() -> None:
        if child.returncode is None:
            child.kill()

    stack.callback(end)
    until = monotonic() + 30
    while monotonic() < until and child.returncode is None:
        for line in path.read_text().splitlines():
            if line.startswith("{") and '"ready"' in line:
                ready = json.loads(line)
                soak.target, soak.admin = ready["listen"][0], ready["admin"]
                return child
        await asyncio.sleep(0.1)
    raise RuntimeError(f"the proxy does not start:\n{path.read_text()}")


def log_problems(text: str) -> list[str]:
    """Return the lines of the proxy's log that no trouble from outside explains."""
    return [line[:300] for line in text.splitlines() if '"exception"' in line or "Traceback" in line][:20]


async def course(soak: Soak, seconds: float) -> Evidence:
    """Run the whole of it."""
    async with AsyncExitStack() as stack:
        bystander: str | None = None
        try:
            backend = ExitStack()
            stack.callback(backend.close)
            bystander = f"127.0.0.1:{backend.enter_context(loads.upstream())}"
        except tools.Missing as error:
            soak.say(f"no bystander: {error}")
        troubles = Troubles(soak.folder, bystander, soak.seed)
        stack.callback(troubles.end)
        troubles.begin()
        proxy = await start_proxy(stack, soak, troubles.config)
        warm_up = min(seconds * WARM_UP_SHARE, MOST_WARM_UP_S)
        soak.say(f"warming up for {warm_up:.0f} s")
        await soak.stretch(warm_up, troubles, bystander is not None)
        before = await soak.rest(troubles)
        soak.say(f"trouble for {seconds:.0f} s")
        await soak.stretch(seconds, troubles, bystander is not None)
        after = await soak.rest(troubles)
        metrics = await soak.get("/metrics")
        soak.say("ending the proxy")
        proxy.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(proxy.wait(), 30)
        soak.say(f"what was done: {dict(troubles.done)}; rude clients: {dict(soak.rude)}")
        problems_in_log = log_problems((soak.folder / "proxy.log").read_text(errors="replace"))
        return Evidence(
            before=before,
            after=after,
            samples=soak.samples,
            in_flight={route: int(count) for route, count in _IN_FLIGHT.findall(metrics)},
            counted_ok=sum(int(count) for count in _OK.findall(metrics)),
            by_kind={kind: dict(codes) for kind, codes in soak.by_kind.items()},
            unexplained=dict(soak.unexplained),
            bystander_calls=soak.bystander_calls,
            bystander_errors=soak.bystander_errors,
            rejected=_by_reason(metrics),
            log_problems=problems_in_log,
            exit_code=code,
        )


def _by_reason(metrics: str) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for reason, count in _REJECTED.findall(metrics):
        counts[reason] += int(count)
    return dict(counts)


def report(evidence: Evidence) -> str:
    """Return what was seen, as text."""
    lines = ["| | before | after | trend over the run |", "|---|--:|--:|--:|"]
    for name, before in evidence.before.items():
        moved = trend(evidence.samples, name) if name in {"resident_bytes", "objects"} else None
        shown = "" if moved is None else f"{moved:+.0f}"
        lines.append(f"| {name} | {before:.0f} | {evidence.after[name]:.0f} | {shown} |")
    lines += ["", "| calls | how they ended |", "|---|---|"]
    for kind, codes in sorted(evidence.by_kind.items()):
        ends = ", ".join(f"{code} {count}" for code, count in sorted(codes.items()))
        lines.append(f"| {kind} | {ends} |")
    refused = ", ".join(f"{reason} {count}" for reason, count in evidence.rejected.items())
    lines.append(f"| refused by the proxy | {refused or 'none'} |")
    lines.append(f"| bystander | {evidence.bystander_calls} calls, {evidence.bystander_errors} failed |")
    return "\n".join(lines)


def main() -> int:
    """Run the soak test; 0 when the proxy is where it was."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long the trouble lasts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", metavar="DIR", help="folder for the proxy's log; default: a temporary one")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        kept = Path(given.keep or folder)
        kept.mkdir(parents=True, exist_ok=True)
        soak = Soak(kept, given.seed)
        evidence = asyncio.run(course(soak, given.minutes * 60))
    print(report(evidence))
    found = list(problems(evidence))
    for problem in found:
        print(f"NOT AS IT MUST BE: {problem}")
    print(f"soak: {'the proxy is where it was' if not found else f'{len(found)} problems'}")
    return 1 if found else 0
