"""Calls without a pause while their servers are killed and started again, one after the other.

    python -m tests.interop.soak --seconds 60

Two servers, a policy that retries what is idempotent: no call may fail, on whichever server it was when that
died.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.interop.matrix import POLICY
from tests.interop.peers import Server, Setting
from tests.interop.python.cases import UNARY
from tests.interop.python.client_aio import AioCaller
from tests.interop.python.schema import generate, pb, zeros
from tests.interop.python.transport import Transport
from tests.kit.processes import free_port
from tests.kit.stand import Proxy, Stand

WORKERS = 8
LIFE_S = 0.7
"""How long a server lives."""
PEERS = ("grpcio-aio", "grpcio")


@dataclass
class Outcome:
    """What came out."""

    calls: int = 0
    restarts: int = 0
    failures: Counter[str] = field(default_factory=Counter)


def document(addresses: Iterable[str]) -> dict[str, object]:
    """Return a policy document that lets a call survive its server."""
    return {
        "clusters": [{"name": "up", "endpoints": list(addresses)}],
        "policies": {"soak": POLICY},
        "routes": [{"name": "all", "match": {}, "cluster": "up", "policy": "soak", "idempotent": True}],
    }


async def _work(caller: AioCaller, outcome: Outcome, ended: asyncio.Event) -> None:
    request = pb.SimpleRequest(response_size=1000, payload=zeros(1000))
    while not ended.is_set():
        result = await caller.unary(UNARY, request, timeout_s=20.0)
        outcome.calls += 1
        if result.code != 0:
            outcome.failures[f"{result.code} {result.details}"] += 1


async def _kill_and_restart(
    setting: Setting, servers: list[Server], proxy: Proxy, seconds: float, outcome: Outcome
) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        number = outcome.restarts % len(servers)
        await asyncio.sleep(LIFE_S)
        port = int(servers[number].address.rpartition(":")[2])
        await asyncio.to_thread(servers[number].end)
        servers[number] = await asyncio.to_thread(Server, setting, PEERS[number], port)
        # The other one may only die once this one is found again.
        await asyncio.to_thread(proxy.wait_for_endpoints, "up", len(servers))
        outcome.restarts += 1


async def _run(setting: Setting, servers: list[Server], proxy: Proxy, seconds: float) -> Outcome:
    outcome = Outcome()
    ended = asyncio.Event()
    caller = AioCaller(proxy.address, Transport("plaintext", Path()))
    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(_work(caller, outcome, ended))
        await _kill_and_restart(setting, servers, proxy, seconds, outcome)
        ended.set()
    await caller.close()
    return outcome


def run(folder: Path, seconds: float) -> Outcome:
    """Run for a while in `folder`."""
    stubs = folder / "stubs"
    stubs.mkdir()
    generate(stubs)
    setting = Setting("plaintext", folder, stubs, folder)
    stand = Stand(folder)
    servers: list[Server] = []
    try:
        servers += [Server(setting, peer, free_port()) for peer in PEERS]
        proxy = stand.proxy(stand.policy(document(server.address for server in servers)))
        proxy.wait_for_endpoints("up", len(servers))
        outcome = asyncio.run(_run(setting, servers, proxy, seconds))
        assert "Traceback" not in proxy.child.log(), proxy.child.log()
        return outcome
    finally:
        for server in servers:
            server.end()
        stand.close()


def main() -> int:
    """Run what the arguments ask for; 1 when a call failed."""
    parser = argparse.ArgumentParser(description="calls while servers are killed and started again")
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="seawall-soak-") as folder:
        outcome = run(Path(folder), given.seconds)
    print(f"{outcome.calls} calls, {outcome.restarts} restarts, {outcome.failures.total()} failed")
    for what, count in outcome.failures.most_common():
        print(f"{count:>6} {what}")
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main())
