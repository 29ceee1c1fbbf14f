"""A proxy that speaks the control plane's protocol, driven by a test, and what goes with it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from seawall.v1 import (
    admin_alerts_pb2_grpc,
    admin_events_pb2_grpc,
    admin_fleet_pb2_grpc,
    admin_groups_pb2_grpc,
    admin_operations_pb2_grpc,
    admin_policies_pb2_grpc,
    admin_rollouts_pb2_grpc,
    event_pb2,
    fleet_pb2,
    fleet_pb2_grpc,
    policy_pb2,
)
from seawall_control.server import ControlPlane, ControlSettings
from seawall_control.store.opening import open_store
from tests.kit.processes import PATIENCE_S


def document(timeout_s: int = 1, *, cluster: str = "shop") -> policy_pb2.PolicyDocument:
    """Return a small good document; another timeout makes another hash."""
    found = policy_pb2.PolicyDocument(version="v1")
    found.clusters.add(name=cluster, endpoints=[policy_pb2.Endpoint(address="127.0.0.1:50051")])
    found.policies["standard"].timeout.seconds = timeout_s
    found.routes.add(name="all", cluster=cluster, policy="standard")
    return found


def event(number: int, *, severity: int = 2, component: str = "route/all") -> event_pb2.ErrorEvent:
    """Return an event with an id that follows from its number."""
    found = event_pb2.ErrorEvent(
        id=f"00000000-0000-4000-8000-{number:012d}",
        severity=severity,  # type: ignore[arg-type]
        component=component,
        error_type="UNAVAILABLE",
        message=f"call {number} failed",
    )
    found.timestamp.GetCurrentTime()
    return found


class Later:
    """A clock that can be set forward."""

    def __init__(self) -> None:
        self.by_us = 0

    def now_us(self) -> int:
        """See `Clock.now_us`."""
        return time.time_ns() // 1000 + self.by_us

    def monotonic_s(self) -> float:
        """See `Clock.monotonic_s`."""
        return time.monotonic()


@dataclass
class Stubs:
    """One channel and its stubs."""

    channel: grpc.aio.Channel
    policies: Any = field(init=False)
    rollouts: Any = field(init=False)
    fleet_operations: Any = field(init=False)
    events: Any = field(init=False)
    groups: Any = field(init=False)
    operations: Any = field(init=False)
    fleet: Any = field(init=False)
    alerts: Any = field(init=False)

    def __post_init__(self) -> None:
        self.policies = admin_policies_pb2_grpc.PolicyServiceStub(self.channel)  # type: ignore[no-untyped-call]
        self.rollouts = admin_rollouts_pb2_grpc.RolloutServiceStub(self.channel)  # type: ignore[no-untyped-call]
        self.fleet_operations = admin_operations_pb2_grpc.FleetOperationServiceStub(self.channel)  # type: ignore[no-untyped-call]
        self.events = admin_events_pb2_grpc.EventServiceStub(self.channel)  # type: ignore[no-untyped-call]
        self.groups = admin_groups_pb2_grpc.GroupServiceStub(self.channel)  # type: ignore[no-untyped-call]
        self.operations = admin_fleet_pb2_grpc.OperationsServiceStub(self.channel)  # type: ignore[no-untyped-call]
        self.alerts = admin_alerts_pb2_grpc.AlertServiceStub(self.channel)  # type: ignore[no-untyped-call]
        self.fleet = fleet_pb2_grpc.FleetServiceStub(self.channel)  # type: ignore[no-untyped-call]


class Proxy:
    """A proxy's end of the stream, driven by a test."""

    def __init__(self, stubs: Stubs, node: str, *, boot_id: str = "boot-1", **hello: Any) -> None:
        self.call = stubs.fleet.Connect()
        self._turn = asyncio.Lock()
        self._hello = fleet_pb2.Hello(node=node, boot_id=boot_id, version="0.1", schema_version=1, **hello)

    async def say(self, **kind: Any) -> None:
        """Send a message; a stream takes one at a time."""
        async with self._turn:
            await self.call.write(fleet_pb2.ConnectRequest(**kind))

    async def hello(self) -> Any:
        """Open the stream."""
        await self.say(hello=self._hello)
        return (await self.hear("welcome")).welcome

    async def hear(self, kind: str) -> Any:
        """Return the next message, which must be of this kind."""
        async with asyncio.timeout(PATIENCE_S):
            message = await self.call.read()
        assert message is not grpc.aio.EOF, await self.call.debug_error_string()
        assert message.WhichOneof("kind") == kind, message
        return message

    async def is_silent(self, for_s: float = 0.3) -> bool:
        """Whether nothing comes for a while."""
        reading = asyncio.ensure_future(self.call.read())
        done, _ = await asyncio.wait([reading], timeout=for_s)
        if not done:
            # Cancelling a read ends the call in grpc.aio, so this is the last thing that a test does with a
            # stream.
            reading.cancel()
            return True
        return False

    async def ack(self, push: fleet_pb2.PolicyPush) -> None:
        """Accept a push."""
        await self.say(
            policy_result=fleet_pb2.PolicyResult(
                nonce=push.nonce,
                revision=push.revision,
                verdict=fleet_pb2.POLICY_VERDICT_ACK,
                applied_revision=push.revision,
                applied_hash=push.hash,
            )
        )

    async def nack(self, push: fleet_pb2.PolicyPush, *reasons: str) -> None:
        """Refuse a push."""
        await self.say(
            policy_result=fleet_pb2.PolicyResult(
                nonce=push.nonce,
                revision=push.revision,
                verdict=fleet_pb2.POLICY_VERDICT_NACK,
                reasons=reasons,
            )
        )

    async def send(self, spool: str, *numbered: tuple[int, event_pb2.ErrorEvent], **more: Any) -> None:
        """Send a batch of events."""
        events = [fleet_pb2.SequencedEvent(seq=seq, event=item) for seq, item in numbered]
        await self.say(events=fleet_pb2.EventBatch(spool_id=spool, events=events, **more))

    async def end(self) -> Any:
        """Return how the stream ended."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.call.code()


@contextlib.asynccontextmanager
async def running_plane(tmp_path: Path, **fields: Any) -> AsyncIterator[ControlPlane]:
    """Run a control plane in this process, with an empty record and on free ports of this machine."""
    given: dict[str, Any] = {
        "data_dir": tmp_path / "control",
        "grpc_address": "127.0.0.1:0",
        "http_address": "127.0.0.1:0",
        "grace_s": 1.0,
    }
    settings = ControlSettings(**{**given, **fields})
    store = await open_store(settings.data_dir, settings.store_url)
    control = ControlPlane(settings, store)
    await control.start()
    yield control
    await control.stop()
    await store.aclose()


async def until(condition: Any, *, what: str) -> None:
    """Wait until an asynchronous condition holds."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await condition():  # noqa: ASYNC110 - the condition is another process's
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"still not: {what}")
