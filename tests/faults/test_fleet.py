"""F25, F26, F31, and Q10: many proxies at once, batches in every disorder, events that nobody can store."""

from __future__ import annotations

import asyncio
import shutil
from time import monotonic

import grpc
import pytest

from seawall.client import AsyncSeawall
from seawall.v1 import event_pb2
from tests.faults.fleet import OPTIONS, Streamer
from tests.faults.trial import Trial, eventually, times
from tests.integration.control.kit import event
from tests.kit.processes import PATIENCE_S

pytestmark = [pytest.mark.integration, pytest.mark.slow]


async def test_f25_restart_with_a_thousand_proxies(trial: Trial) -> None:
    """Killed and started again, all proxies are back with the newest policy within 30 s; none is served an
    older one, and the process holds no more afterwards than before.
    """
    control = await asyncio.to_thread(trial.control)
    count = times(150, 1000)
    address = f"127.0.0.1:{trial.control_port}"
    channels = [grpc.aio.insecure_channel(address, options=OPTIONS) for _ in range(10)]
    fleet = [Streamer(trial.wire(), channels[n % 10], f"p{n:04}") for n in range(count)]
    await trial.apply(trial.stand.policy(trial.document("127.0.0.1:1")))
    try:
        await asyncio.gather(*(streamer.open() for streamer in fleet))
        nodes = [streamer.node for streamer in fleet]
        for timeout in ("99s", "98s")[: times(1, 2)]:
            trial.resources(control.child, "before")
            trial.fault("killed")
            control.child.kill()
            control = await asyncio.to_thread(trial.control)
            document = trial.document("127.0.0.1:1", timeout=timeout)
            revision = await trial.apply(trial.stand.policy(document, "next.yaml"))
            trial.note("healed", revision=revision, nodes=nodes)
            began = monotonic()
            async with asyncio.timeout(4 * PATIENCE_S):
                while not all(streamer.revision == revision for streamer in fleet):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert monotonic() - began < 30
            trial.resources(control.child, "after")
    finally:
        await asyncio.gather(*(streamer.close() for streamer in fleet))
        for channel in channels:
            await channel.close()
    await trial.end()
    trial.verdict("I4", "I7", "I9", "X5")


def some(*numbers: int) -> list[tuple[int, event_pb2.ErrorEvent]]:
    """Return events with ids, and groups, that follow from their numbers."""
    found = []
    for number in numbers:
        one = event(number)
        one.fingerprint = f"v1:{number:016x}"
        found.append((number, one))
    return found


async def test_f26_repeated_reordered_and_replayed_batches(trial: Trial) -> None:
    """Twice, in the wrong order, overlapping, on another stream, after a restart: each is stored once, and
    counts once.
    """
    control = await asyncio.to_thread(trial.control)
    address = f"127.0.0.1:{trial.control_port}"
    note = trial.wire()
    async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
        proxy = Streamer(note, channel, "p")
        await proxy.open()
        await proxy.send("s", some(*range(1, 11)))
        for numbers in (range(21, 31), range(11, 21), range(5, 25), range(21, 31), range(1, 11)):
            trial.fault("out of order")
            await proxy.send("s", some(*numbers))
        await proxy.acknowledged("s", 30)
        trial.fault("another stream")
        other = Streamer(note, channel, "p", boot="boot-2")
        await proxy.close()
        await other.open()
        await other.send("s", some(*range(1, 41)))
        await other.acknowledged("s", 40)
        trial.fault("killed")
        control.child.kill()
        control = await asyncio.to_thread(trial.control)
        await other.send("s", some(*range(1, 51)))
        await other.acknowledged("s", 50)
        await other.close()
    await trial.end()
    trial.verdict("I1", "I2")


async def test_f26_lost_acknowledgements(trial: Trial) -> None:
    """Acknowledgements are lost on the way, each with its connection, and the control plane is killed in
    between: real events of a real proxy are stored once.
    """
    proxy, link = await trial.follow()
    async with trial.callers() as callers:
        for round_ in range(times(3, 20)):
            trial.fault("acknowledgements lost")
            link.weather.lose_acks = 2
            await eventually(lambda: link.weather.lose_acks == 0, "they are lost")
            if round_ % 2:
                trial.fault("killed")
                assert trial.running is not None
                trial.running.child.kill()
                await asyncio.to_thread(trial.control)
        assert callers.failed_otherwise == 0
    await trial.delivered(proxy)
    await trial.end(proxy)
    trial.verdict("I1", "I2", "I3", "I8")


def strange(number: int) -> event_pb2.ErrorEvent:
    """Return an event that is hard to take."""
    one = event(number)
    one.fingerprint = f"v1:{number:016x}"
    match number % 6:
        case 0:
            one.component = ""
        case 1:
            one.message = "nul \0 and \ud7ff and \U0010ffff and \u202e \x1b[31m"
        case 2:
            one.message = "x" * 2_000_000
        case 3:
            one.timestamp.seconds += 400 * 24 * 3600
        case 4:
            one.id = "not a UUID"
        case 5:
            one.details.update({"deep": {"deeper": [{"deepest": "\0" * 50}] * 50}})
    return one


async def test_f31_events_that_nobody_can_store(trial: Trial) -> None:
    """Poison among good ones: what cannot be stored is refused once, by its number and with a reason, what is
    too much is cut, and everything behind it goes on. So it does after very many tiny ones.
    """
    await asyncio.to_thread(trial.control)
    address = f"127.0.0.1:{trial.control_port}"
    async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
        proxy = Streamer(trial.wire(), channel, "p")
        await proxy.open()
        numbers = 0
        for _ in range(4):
            trial.fault("poison")
            batch = [(n, strange(n)) for n in range(numbers + 1, numbers + 7)]
            batch += some(*range(numbers + 7, numbers + 17))
            await proxy.send("s", batch)
            numbers += 16
            await proxy.acknowledged("s", numbers)
        assert proxy.refusals and all(proxy.refusals.values())
        trial.fault("tiny ones")
        tiny = times(5_000, 1_000_000)
        while tiny > 0:
            await proxy.send("s", some(*range(numbers + 1, numbers + 501)))
            numbers += 500
            tiny -= 500
            await proxy.acknowledged("s", numbers)
        await proxy.close()
    await trial.end()
    verdict = trial.verdict("I1", "I2")
    assert verdict.figures["refused"] == len(proxy.refusals)


async def test_q10_a_cloned_proxy_loses_no_event(trial: Trial) -> None:
    """Two processes with one name and copies of one spool, as two machines from one image: they give out the
    same numbers. That is noticed, and what either of them recorded is kept.
    """
    proxy, link = await trial.follow()
    async with trial.callers() as callers:
        await callers.until(50)
    await trial.delivered(proxy)
    assert await asyncio.to_thread(proxy.child.terminate) == 0
    shutil.copytree(trial.stand.folder / "data", trial.stand.folder / "clone")
    config = trial.stand.folder / "policy.yaml"
    trial.fault("cloned")
    one = await asyncio.to_thread(trial.proxy, config, link)
    async with trial.callers(name="original") as callers:
        await callers.until(50)
    await trial.delivered(one)
    assert await asyncio.to_thread(one.child.terminate) == 0
    clone = await asyncio.to_thread(trial.proxy, config, link, data="clone")
    async with trial.callers(name="clone") as callers:
        await callers.until(80)
    await trial.delivered(clone)
    async with AsyncSeawall(f"127.0.0.1:{trial.control_port}") as seawall:
        kinds = {event.error_type async for event in seawall.events.list("kind = SYSTEM", limit=1000)}
    assert "spool_forked" in kinds
    await trial.end(clone, data="clone")
    trial.verdict("I1", "I2", "I3")
