"""The pool of workers with real processes, one of which has a fault."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from seawall.v1 import policy_pb2
from seawall_proxy.runtime.data_plane import Bootstrap
from seawall_proxy.runtime.event_pump import EventPump
from seawall_proxy.runtime.places import StartFailed
from seawall_proxy.runtime.settings import ProxySettings
from seawall_proxy.runtime.sockets import bind
from seawall_proxy.runtime.workers.pool import WorkerPool
from seawall_proxy.telemetry.counters import ProxyCounters
from seawall_proxy.telemetry.recorder import EventRecorder
from tests.kit.processes import PATIENCE_S, ROOT, environment

pytestmark = pytest.mark.integration


def document(timeout_s: int = 1) -> policy_pb2.PolicyDocument:
    """Return a valid document; the timeout tells one from another."""
    policy = policy_pb2.Policy()
    policy.timeout.FromSeconds(timeout_s)
    return policy_pb2.PolicyDocument(
        version="v1",
        listeners=[policy_pb2.Listener(name="main", address="127.0.0.1:0")],
        clusters=[policy_pb2.Cluster(name="up", endpoints=[policy_pb2.Endpoint(address="127.0.0.1:1")])],
        policies={"p": policy},
        routes=[policy_pb2.Route(name="all", match=policy_pb2.RouteMatch(), cluster="up", policy="p")],
    )


class Bench:
    """A pool of two workers, and what it is given."""

    def __init__(self, folder: Path, fault: str) -> None:
        self.switch = folder / "faulty"
        self.counters = ProxyCounters()
        self.recorder = EventRecorder(self.counters)
        self.pump = EventPump(self.recorder, self.counters, "n", os.urandom)
        bootstrap = Bootstrap(document=document(), folder=folder, node="n", workers=2)
        settings = ProxySettings(config_path=folder / "p.yaml", drain_grace_s=0.1, drain_limit_s=2.0)
        module = "tests.integration.workers.odd_worker"
        command = [sys.executable, "-m", module, fault, str(self.switch)]
        self.pool = WorkerPool(bootstrap, settings, self.pump, self.counters, self.recorder, command)
        self.place = bind("127.0.0.1:0", 2)

    async def wait(self, done: Callable[[], bool], what: str, limit_s: float = PATIENCE_S) -> None:
        """Wait until `done`."""
        until = time.monotonic() + limit_s
        while not done():
            assert time.monotonic() < until, f"not within {limit_s} s: {what}"
            await asyncio.sleep(0.02)

    def pids(self) -> list[int]:
        """Return the pids of the workers that are there."""
        return [worker.pid for worker in self.pool.alive()]

    async def hashes(self) -> list[object]:
        """Return the policy that each worker itself has in force, once all of them answer in time."""
        until = time.monotonic() + PATIENCE_S
        while True:
            alive = self.pool.alive()
            pages = await self.pool._view._pages(alive, "status")
            if len(pages) == len(alive):
                return [page["policy"]["hash"] for page in pages.values()]  # type: ignore[index, call-overload]
            assert time.monotonic() < until, "a worker does not answer"


@asynccontextmanager
async def bench(folder: Path, fault: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """Give a pool whose workers find the tree's packages; they end with the test."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    made = Bench(folder, fault)
    try:
        yield made
    finally:
        await made.pool.close()
        made.place.close()


async def start(made: Bench) -> None:
    """Start the pool under its first policy."""
    await made.pool.start([made.place])
    assert await made.pool.apply(document(), revision=1, source="file", patient=True) == []
    await made.pool.serve()


async def test_a_policy_that_one_worker_refuses_is_in_force_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker's refusal is the proxy's: no worker has it, the reason is told, the next one is taken."""
    async with bench(tmp_path, "refuses", monkeypatch) as made:
        await start(made)
        before = await made.hashes()
        assert before == [made.pool.policy.digest] * 2
        made.switch.touch()
        refused = await made.pool.apply(document(2), revision=2, source="live", patient=False)
        assert refused == ["routes[0]: this worker does not want it"]
        assert made.pool.policy.revision == 1
        assert made.counters.policy_refused == 1
        assert await made.hashes() == before
        made.switch.unlink()
        assert await made.pool.apply(document(3), revision=3, source="live", patient=False) == []
        assert await made.hashes() == [made.pool.policy.digest] * 2
        assert made.pool.policy.revision == 3


async def test_a_worker_that_cannot_be_started_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first start every worker has to come up; the message says which one did not."""
    async with bench(tmp_path, "dies-at-start", monkeypatch) as made:
        made.switch.touch()
        with pytest.raises(StartFailed, match="worker 1 of 2"):
            await made.pool.start([made.place])
    assert made.pids() == []


async def test_a_worker_that_does_not_come_back_is_tried_again_and_missed_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a worker cannot be started again the other one accepts from its slot too; the tries get rarer and
    go on, and the one that succeeds takes the policy in force.
    """
    async with bench(tmp_path, "dies-at-start", monkeypatch) as made:
        await start(made)
        made.switch.touch()
        made.pool.alive()[1].kill()
        await made.wait(lambda: made.pool.restarts >= 2, "it is tried again")
        assert made.pool.ready
        port = int(made.place.address.rpartition(":")[2])
        for _ in range(16):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
            async with asyncio.timeout(PATIENCE_S):
                assert await reader.readexactly(9)
            writer.close()
        assert await made.pool.apply(document(7), revision=7, source="live", patient=False) == []
        made.switch.unlink()
        await made.wait(lambda: [w.ready for w in made.pool.alive()] == [True, True], "it is back")
        assert await made.hashes() == [made.pool.policy.digest] * 2


async def test_a_worker_that_dies_while_compiling_refuses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others' acceptance counts, and the successor starts with the new policy."""
    async with bench(tmp_path, "dies-while-compiling", monkeypatch) as made:
        await start(made)
        made.switch.touch()
        applied = asyncio.create_task(made.pool.apply(document(2), revision=2, source="live", patient=False))
        await made.wait(lambda: len(made.pids()) == 1 or applied.done(), "it has died")
        made.switch.unlink()
        assert await applied == []
        await made.wait(lambda: [w.ready for w in made.pool.alive()] == [True, True], "it is back")
        assert await made.hashes() == [made.pool.policy.digest] * 2


async def test_a_worker_that_starts_while_others_compile_is_not_told_to_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not asked to compile that policy: it takes it at its own turn, nobody waits or is killed."""
    async with bench(tmp_path, "dies-while-another-compiles", monkeypatch) as made:
        await start(made)
        made.switch.touch()
        assert await made.pool.apply(document(2), revision=2, source="live", patient=False) == []
        await made.wait(lambda: [w.ready for w in made.pool.alive()] == [True, True], "it is back")
        assert made.pool.restarts == 1, "a commit that nobody answers ends the worker"
        assert await made.hashes() == [made.pool.policy.digest] * 2


async def test_a_worker_that_cannot_follow_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that accepted a policy and cannot install it is ended; its successor has the policy."""
    async with bench(tmp_path, "cannot-install", monkeypatch) as made:
        await start(made)
        before = made.pids()
        made.switch.touch()
        assert await made.pool.apply(document(2), revision=2, source="live", patient=False) == []
        await made.wait(lambda: len(made.pids()) == 2 and made.pids()[1] != before[1], "it is replaced")
        await made.wait(lambda: [w.ready for w in made.pool.alive()] == [True, True], "it is back")
        assert made.pids()[0] == before[0]
        assert await made.hashes() == [made.pool.policy.digest] * 2


async def test_no_worker_outlives_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose conversation ends drains and ends by itself; signals of a terminal do not end it."""
    async with bench(tmp_path, "none", monkeypatch) as made:
        await start(made)
        first, second = made.pool.alive()
        os.kill(first.pid, signal.SIGINT)
        os.kill(first.pid, signal.SIGTERM)
        await asyncio.sleep(0.3)
        assert first.alive
        made.pool._ending = True
        second.channel.close()
        first.channel.close()
        assert await asyncio.to_thread(second.process.wait, PATIENCE_S) == 0
        assert await asyncio.to_thread(first.process.wait, PATIENCE_S) == 0
