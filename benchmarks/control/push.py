"""How soon a policy is in effect at a thousand proxies, and how soon they are all back after a restart.

    python -m benchmarks.control.push [--proxies 1000] [--rounds 5] [--routes 50]

The proxies are simulated: each has a connection and a stream of its own, says hello, acknowledges each push
at once, and comes back by the rules of the real one's link (the same code). The control plane is a process of
its own on the same machine, so the numbers hold both sides' work. Printed with the goals: 99 % of
1,000 within 1 s, one proxy within 50 ms, all of 1,000 back within 10 s of a restart.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from benchmarks.processes import ROOT, Running
from seawall.client import AsyncSeawall
from seawall.v1 import fleet_pb2, fleet_pb2_grpc, policy_pb2
from seawall_proxy.runtime.control.backoff import Backoff

GOALS = {"all": 1.0, "one": 0.05, "back": 10.0}
OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))


@dataclass
class Fleet:
    """What the simulated proxies have in effect, and who waits for it."""

    target: str
    applied: dict[str, int] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    connected: set[str] = field(default_factory=set)
    acked_at: dict[str, float] = field(default_factory=dict)
    ends: Counter[str] = field(default_factory=Counter)
    """How streams ended, by status."""

    async def all_have(self, revision: int, count: int, limit_s: float = 120.0) -> None:
        """Wait until so many have a revision in effect."""
        end = time.monotonic() + limit_s
        while sum(number == revision for number in self.applied.values()) < count:
            if time.monotonic() > end:
                have = sum(number == revision for number in self.applied.values())
                sys.exit(f"only {have} of {count} have revision {revision} after {limit_s:g} s")
            await asyncio.sleep(0.005)

    async def all_connected(self, count: int, limit_s: float = 120.0) -> None:
        """Wait until so many are connected."""
        end = time.monotonic() + limit_s
        while len(self.connected) < count:
            if time.monotonic() > end:
                sys.exit(f"only {len(self.connected)} of {count} are connected after {limit_s:g} s")
            await asyncio.sleep(0.005)

    async def nobody_connected(self) -> None:
        """Wait until everybody has noticed that the control plane is gone."""
        while self.connected:  # noqa: ASYNC110 - a thousand streams end
            await asyncio.sleep(0.01)


async def proxy(fleet: Fleet, node: str, dice: random.Random) -> None:
    """Be one proxy until cancelled."""
    backoff = Backoff(dice.random)
    while True:
        async with grpc.aio.insecure_channel(fleet.target, options=OPTIONS) as channel:
            stub: Any = fleet_pb2_grpc.FleetServiceStub(channel)  # type: ignore[no-untyped-call]
            try:
                await _follow(fleet, node, stub.Connect(), backoff)
            except grpc.aio.AioRpcError as error:
                fleet.ends[error.code().name] += 1
            finally:
                fleet.connected.discard(node)
        await asyncio.sleep(backoff.next_delay(events_waiting=False))


async def _follow(fleet: Fleet, node: str, stream: Any, backoff: Backoff) -> None:
    hello = fleet_pb2.Hello(
        node=node,
        boot_id=node,
        version="benchmark",
        schema_version=1,
        applied_revision=fleet.applied.get(node, 0),
        applied_hash=fleet.hashes.get(node, ""),
    )
    await stream.write(fleet_pb2.ConnectRequest(hello=hello))
    while True:
        message = await stream.read()
        if message is grpc.aio.EOF:
            return
        kind = message.WhichOneof("kind")
        if kind == "welcome":
            backoff.reset()
            fleet.connected.add(node)
        elif kind == "policy":
            push = message.policy
            result = fleet_pb2.PolicyResult(
                nonce=push.nonce,
                revision=push.revision,
                verdict=fleet_pb2.POLICY_VERDICT_ACK,
                applied_revision=push.revision,
                applied_hash=push.hash,
            )
            await stream.write(fleet_pb2.ConnectRequest(policy_result=result))
            fleet.applied[node], fleet.hashes[node] = push.revision, push.hash
            fleet.acked_at[node] = time.monotonic()


def document(routes: int, timeout_s: int) -> policy_pb2.PolicyDocument:
    """Return a document of so many routes."""
    found = policy_pb2.PolicyDocument(version="v1")
    found.clusters.add(name="shop", endpoints=[policy_pb2.Endpoint(address="127.0.0.1:50051")])
    found.policies["standard"].timeout.seconds = timeout_s
    for number in range(routes):
        route = found.routes.add(name=f"route-{number}", cluster="shop", policy="standard")
        route.match.service = f"shop.v1.Service{number}"
    return found


def start_control(folder: Path, address: str) -> tuple[subprocess.Popen[bytes], Running]:
    """Start a control plane and wait until it serves."""
    log = (folder / "control.log").open("ab")
    command = [sys.executable, "-m", "seawall_control", "--data-dir", str(folder / "data")]
    command += ["--grpc", address, "--http", "127.0.0.1:0", "--log", "json"]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT, env=environ)
    end = time.monotonic() + 30
    while time.monotonic() < end and child.poll() is None:
        with contextlib.suppress(OSError):
            import socket  # noqa: PLC0415

            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), 0.2).close()
            return child, Running("control", child.pid, address)
        time.sleep(0.05)
    sys.exit(f"the control plane did not start:\n{(folder / 'control.log').read_text()[-2000:]}")


def percentile(values: list[float], share: float) -> float:
    """Return a percentile, the larger neighbour."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def measure(proxies: int, rounds: int, routes: int, address: str, folder: Path) -> dict[str, float]:
    """Return the numbers, in seconds and MiB."""
    child, running = start_control(folder, address)
    fleet = Fleet(address)
    dice = random.Random(1)
    found: dict[str, float] = {}
    tasks = [asyncio.create_task(proxy(fleet, f"node-{number}", dice)) for number in range(proxies)]
    try:
        began = time.monotonic()
        await fleet.all_connected(proxies)
        found["connect_all_s"] = time.monotonic() - began
        found["connect_cpu_ms_per_proxy"] = running.cpu_seconds() * 1000 / proxies
        print(f"streams that ended while all connected: {dict(fleet.ends)}", file=sys.stderr)
        found["memory_connected_mib"] = running.resident_bytes() / 2**20
        times: list[float] = []
        cpu = running.cpu_seconds()
        found["document_kib"] = len(document(routes, 1).SerializeToString()) / 1024
        async with AsyncSeawall(address, timeout_s=60) as seawall:
            for number in range(rounds):
                made = document(routes, number + 1)
                began = time.monotonic()
                answer = await seawall.policies.apply(made)
                await fleet.all_have(answer.revision.revision, proxies)
                times += [at - began for at in fleet.acked_at.values()]
                await asyncio.sleep(0.5)
        found["push_p50_s"] = percentile(times, 0.50)
        found["push_p99_s"] = percentile(times, 0.99)
        found["push_max_s"] = max(times)
        found["push_cpu_ms_per_proxy"] = (running.cpu_seconds() - cpu) * 1000 / (rounds * proxies)
        found["memory_pushed_mib"] = running.resident_bytes() / 2**20
        child.kill()
        child.wait()
        await fleet.nobody_connected()
        began = time.monotonic()
        child, running = start_control(folder, address)
        await fleet.all_connected(proxies)
        found["restart_all_back_s"] = time.monotonic() - began
        found["memory_back_mib"] = running.resident_bytes() / 2**20
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        child.kill()
        child.wait()
    return found


async def one(rounds: int, address: str, folder: Path) -> float:
    """Return the 99th percentile for a fleet of one."""
    child, _ = start_control(folder, address)
    fleet = Fleet(address)
    task = asyncio.create_task(proxy(fleet, "node-0", random.Random(1)))
    times = []
    try:
        await fleet.all_connected(1)
        async with AsyncSeawall(address) as seawall:
            for number in range(rounds * 4):
                began = time.monotonic()
                answer = await seawall.policies.apply(document(10, number + 1))
                committed = time.monotonic()
                await fleet.all_have(answer.revision.revision, 1)
                times.append(fleet.acked_at["node-0"] - min(committed, began + 1))
                await asyncio.sleep(0.1)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        child.kill()
        child.wait()
    return percentile(times, 0.99)


def free_address() -> str:
    """Return a free address of this machine."""
    import socket  # noqa: PLC0415

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{sock.getsockname()[1]}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--proxies", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--routes", type=int, default=50)
    parser.add_argument("--json", action="store_true", help="print numbers only")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        single = asyncio.run(one(given.rounds, free_address(), Path(folder)))
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(given.proxies, given.rounds, given.routes, free_address(), Path(folder)))
    found = {"one_p99_s": single, **found}
    if given.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:24} {value:10.3f}")
    reached = {
        "commit to acknowledged, p99 of all": (found["push_p99_s"], GOALS["all"]),
        "commit to acknowledged, one proxy": (found["one_p99_s"], GOALS["one"]),
        "all back after a restart": (found["restart_all_back_s"], GOALS["back"]),
    }
    for name, (value, goal) in reached.items():
        print(f"{'✓' if value <= goal else '×'} {name}: {value:.3f} s, goal {goal:g} s")


if __name__ == "__main__":
    main()
