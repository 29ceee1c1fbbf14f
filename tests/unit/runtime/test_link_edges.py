"""The control link against a control plane that breaks the rules."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from time import monotonic

import grpc
import grpc.aio
import pytest

from seawall.v1 import fleet_pb2, fleet_pb2_grpc, policy_pb2
from seawall_proxy.runtime.control.link import ControlLink, LinkIdentity
from seawall_proxy.runtime.control.pushes import AppliedPolicy
from seawall_proxy.runtime.event_pump import EventPump
from seawall_proxy.telemetry.counters import ProxyCounters
from seawall_proxy.telemetry.recorder import EventRecorder

pytestmark = pytest.mark.integration


class RudePlane(fleet_pb2_grpc.FleetServiceServicer):
    """Sends a policy in place of a welcome, and then nothing."""

    def __init__(self) -> None:
        self.streams = 0

    async def Connect(
        self, requests: AsyncIterator[fleet_pb2.ConnectRequest], context: object
    ) -> AsyncIterator[fleet_pb2.ConnectResponse]:
        """Serve one stream."""
        self.streams += 1
        yield fleet_pb2.ConnectResponse(policy=fleet_pb2.PolicyPush(revision=9))
        await asyncio.sleep(60)


class Runtime:
    """What the link asks of the proxy; the first question fails as often as it is told to."""

    def __init__(self, mistakes: int = 0) -> None:
        self.mistakes = mistakes
        self.asked = 0
        self.applied_revisions: list[int] = []

    def applied(self) -> AppliedPolicy:
        """Say what is in force."""
        self.asked += 1
        if self.asked <= self.mistakes:
            raise KeyError("a mistake of the runtime's")
        return AppliedPolicy(1, "hash", "file")

    async def apply(self, document: policy_pb2.PolicyDocument, revision: int, digest: str) -> list[str]:
        """Put a policy in force."""
        self.applied_revisions.append(revision)
        return []

    async def command(self, command: fleet_pb2.Command) -> tuple[bool, str]:
        """Do nothing."""
        return True, ""


def make_link(port: int, runtime: Runtime) -> ControlLink:
    """Return a link that tries again quickly."""
    counters = ProxyCounters()
    return ControlLink(
        f"127.0.0.1:{port}",
        LinkIdentity(node="n", boot_id="b", version="0", start_s=0.0),
        EventPump(EventRecorder(counters), counters, "n", os.urandom),
        apply=runtime.apply,
        applied=runtime.applied,
        stats=fleet_pb2.StatsReport,
        command=runtime.command,
        draw=lambda: 0.0,
    )


async def streams_of(runtime: Runtime, wanted: int) -> RudePlane:
    """Run a link against the rude control plane until it has opened so many streams."""
    plane = RudePlane()
    server = grpc.aio.server()
    fleet_pb2_grpc.add_FleetServiceServicer_to_server(plane, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    task = asyncio.create_task(make_link(port, runtime).run())
    try:
        end = monotonic() + 60.0
        while plane.streams < wanted:
            assert not task.done(), "the link has given up"
            assert monotonic() < end, f"only {plane.streams} streams in a minute"
            await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await server.stop(0)
    return plane


async def test_a_stream_that_does_not_begin_with_a_welcome_is_left() -> None:
    """A control plane that says something else first is not waited for, and what it says is not applied."""
    runtime = Runtime()
    await streams_of(runtime, 3)
    assert runtime.applied_revisions == []


async def test_a_mistake_of_the_proxys_own_does_not_end_the_link() -> None:
    """When a stream cannot be opened because the proxy itself fails, the link tries again."""
    runtime = Runtime(mistakes=2)
    await streams_of(runtime, 1)
    assert runtime.asked > 2
