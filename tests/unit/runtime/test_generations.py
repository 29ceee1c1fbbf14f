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
from seawall_proxy.runtime.handover import Successor
from seawall_proxy.telemetry.counters import ProxyCounters
from seawall_proxy.telemetry.recorder import EventRecorder


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
