"""Small rules of a handover: who keeps events while two generations live, and what a stop means for it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from seawall.v1 import event_pb2
from seawall_proxy.runtime.channel import Channel
from seawall_proxy.runtime.event_pump import EventPump
from seawall_proxy.runtime.frames import Frame, Kind
from seawall_proxy.runtime.handover import Predecessor, Successor
from seawall_proxy.telemetry.counters import ProxyCounters
from seawall_proxy.telemetry.recorder import EventRecorder
from seawall_proxy.telemetry.spool import RING_FULL, WORKER_DIED
from seawall_proxy.telemetry.spool.mark import boot_digest
from seawall_proxy.telemetry.spool.opening import boot_id
from seawall_proxy.telemetry.spool.source_mark import SourceMark


async def test_events_of_workers_wait_for_the_spool_of_the_process_before(tmp_path: Path) -> None:
    """While it is not ours they are not dropped: they are spooled, and acknowledged, once it is."""
    counters = ProxyCounters()
    pump = EventPump(EventRecorder(counters), counters, "n", os.urandom, tmp_path / "spool")
    pump.hold()
    payload = event_pb2.ErrorEvent(fingerprint="x").SerializeToString()
    kept = asyncio.create_task(pump.submit([payload], 0))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not kept.done()
    pump.take_over()
    await asyncio.wait_for(kept, 60)
    status = pump.spool_status()
    assert status is not None
    assert (status.depth, counters.events_dropped) == (1, 0)
    await pump.release()
    await pump._finish()


@pytest.mark.parametrize("later", ["this version", "an earlier one"])
async def test_who_takes_over_settles_what_is_handed_on(tmp_path: Path, later: str) -> None:
    """In the page of whoever recorded it, with the numbers. An earlier version does not, so the old process
    does when it hears that they are kept. What was sent to a process that died is settled by nobody, and so
    declared.
    """
    directory = tmp_path / "spool"
    boot = boot_digest(boot_id())
    counters = ProxyCounters()
    old = EventPump(EventRecorder(counters), counters, "n", os.urandom, directory)
    new = EventPump(EventRecorder(counters), counters, "n", os.urandom, directory)
    await old.pump()
    await old.release()
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(["sleep", "60"])  # noqa: ASYNC220 - what the code under test holds
    mark = SourceMark.create(directory, boot)
    try:
        successor, other = Successor(process, await Channel.open(ours)), await Channel.open(theirs)
        if later == "this version":
            new.hold()
            predecessor = Predecessor(other, new)
            predecessor.say_ready()
            hearing = asyncio.create_task(predecessor.run())
        else:
            hearing = asyncio.create_task(_earlier(other))
        assert await successor.ready()
        old.relay = successor.keep
        successor.released()
        mark.record(6)
        payload = event_pb2.ErrorEvent(fingerprint="x").SerializeToString()
        await old.submit([payload, payload], 1, RING_FULL, mark)
        assert (mark.settled, mark.left(boot)) == (3, 3)
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
        other.close()
        await old.submit([payload], 0, RING_FULL, mark)
        assert mark.settled == 3
        mark.close()
        new.take_over()
        new.alone()
        new._look_at = new._tick_at = 0.0
        await new.pump()
        batch = await new.take(100, 1 << 20)
        assert batch is not None
        assert sum(g.last - g.first + 1 for g in batch.gaps if g.reason == WORKER_DIED) == 3
        await successor.close()
        await old._finish()
        await new._finish()
    finally:
        process.kill()
        process.wait()


async def _earlier(channel: Channel) -> None:
    """Answer as a version does that knows of no pages."""
    channel.send(Frame(Kind.READY, {}))
    while (frame := await channel.receive()) is not None:
        if frame.kind == Kind.EVENTS:
            channel.send(Frame(Kind.EVENTS_KEPT, {"seq": frame.number("seq")}))


async def test_a_stop_ends_a_successor_that_is_not_ready() -> None:
    """Whoever stops a proxy does not want to find another one that it had begun to start."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(["sleep", "60"])  # noqa: ASYNC220 - what the code under test holds
    try:
        successor = Successor(process, await Channel.open(ours))
        waiting = asyncio.create_task(successor.ready())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await asyncio.to_thread(process.wait, 50) == -signal.SIGKILL
    finally:
        process.kill()
        process.wait()
        theirs.close()
