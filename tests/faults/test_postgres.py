"""F27, F28: the database of the control plane is killed, restarted, cut off in the middle of a COMMIT, away
and locked; and several control planes are on one store.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.faults.trial import LONG, Trial, eventually, times
from tests.kit.cut import Wire
from tests.kit.postgres import PostgresServer
from tests.kit.processes import free_port, http_get

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
async def wire(postgres_server: PostgresServer) -> AsyncIterator[tuple[Wire, str, str]]:
    """A wire to an empty database, its URL over the wire, and without."""
    name = await postgres_server.new_database()
    made = Wire(postgres_server.port)
    port = await made.start()
    url = postgres_server.url_of(name)
    yield made, url.replace(f":{postgres_server.port}/", f":{port}/"), url
    await made.aclose()


async def test_f28_the_database_fails(
    trial: Trial, wire: tuple[Wire, str, str], postgres_server: PostgresServer
) -> None:
    """COMMITs whose answer is lost, before and after the server saw them, a database that is killed, that
    refuses connections, and whose tables are locked: what was acknowledged is there, once, and the control
    plane says when it is not well.
    """
    between, url, direct = wire
    proxy, _ = await trial.follow("--store", url)
    control = trial.running
    assert control is not None

    def health() -> int:
        return http_get(control.http, "/health")[0]

    async with trial.callers() as callers:
        await callers.until(50)
        for round_ in range(times(4, 40)):
            trial.fault("cut in the middle of a COMMIT")
            between.cut = "after" if round_ % 2 else "before"
            await eventually(lambda: between.cut == "", "a COMMIT is cut")
        trial.fault("no connections")
        between.refuse = True
        between.drop()
        await eventually(lambda: health() == 503, "it says that it is not well")
        await callers.until(50)
        between.refuse = False
        await eventually(lambda: health() == 200, "it is well again")
        trial.fault("locked")
        holder = await asyncpg.connect(direct)
        async with holder.transaction():
            await holder.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
            waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'events'::regclass AND NOT granted"
            async with asyncio.timeout(30):
                while not await holder.fetchval(waiting):
                    await callers.until(10)
            await callers.until(200)
        await holder.close()
        trial.fault("killed")
        await asyncio.to_thread(postgres_server.kill)
        await callers.until(100)
        await asyncio.to_thread(postgres_server.start)
        await eventually(lambda: health() == 200, "it is well again")
        await callers.until(50)
        assert callers.failed_otherwise == 0
    await trial.delivered(proxy)
    await trial.end(proxy, collect=False)
    await trial.collect_postgres(direct, "one")
    verdict = trial.verdict("I1", "I2", "I3", "I4", "I8")
    assert verdict.figures["faults"] == times(4, 40) + 3 and between.cuts == times(4, 40)


async def test_f27_two_control_planes_on_one_database(
    trial: Trial, wire: tuple[Wire, str, str], postgres_server: PostgresServer
) -> None:
    """The proxy goes from one to the other and back as they are killed: revisions of both are one line, and
    events are stored once, whichever of them took them.
    """
    _, _, direct = wire
    proxy, link = await trial.follow("--store", direct)
    ports = [trial.control_port, free_port()]
    assert trial.running is not None
    planes = {ports[0]: trial.running}
    timeout = 101
    async with trial.callers(rate=100) as callers:
        for round_ in range(times(3, 12)):
            here, there = ports[round_ % 2], ports[1 - round_ % 2]
            for port in ports:
                if port not in planes:
                    trial.control_port = port
                    planes[port] = await asyncio.to_thread(trial.control, "--store", direct)
            # What is published at the one is pushed by the other.
            trial.control_port = there
            document = trial.document(trial.upstream_address, timeout=f"{timeout + round_}s")
            revision = await trial.apply(trial.stand.policy(document, "next.yaml"))
            trial.fault("moved")
            link.move(there)
            trial.note("healed", revision=revision, nodes=["one"])
            await trial.in_force(proxy, revision)
            await callers.until(30)
            trial.fault("killed")
            planes.pop(here).child.kill()
    await trial.delivered(proxy)
    trial.running = next(iter(planes.values()))
    await trial.end(proxy, collect=False)
    await trial.collect_postgres(direct, "one")
    trial.verdict("I1", "I2", "I3", "I4", "I7", "I8")


@LONG
async def test_f27_two_control_planes_on_one_file(trial: Trial) -> None:
    """The second one is refused, says who has the file, and changes nothing, as often as it is tried."""
    proxy, _ = await trial.follow()
    first = trial.running
    assert first is not None
    async with trial.callers() as callers:
        for _ in range(times(2, 20)):
            trial.fault("a second one")
            process = await asyncio.to_thread(trial.second_control)
            assert process.process.returncode == 2
            assert f"process {first.child.process.pid}" in process.log()
            await callers.until(20)
    await trial.delivered(proxy)
    await trial.end(proxy)
    trial.verdict("I1", "I2", "I3", "I4", "I8")
