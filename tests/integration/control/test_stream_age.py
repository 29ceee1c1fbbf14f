"""Streams end when they are old, so that proxies spread anew: nothing is lost, and nothing comes twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from seawall.v1 import admin_events_pb2 as events_pb
from seawall.v1 import admin_policies_pb2 as policies_pb
from seawall.v1 import fleet_pb2
from seawall_control.domain.filters import EVERYTHING
from seawall_control.server import ControlPlane
from seawall_control.services import fleet, fleet_door, fleet_pushes
from seawall_control.store.port import GroupQuery
from seawall_proxy.runtime.control.pushes import AppliedPolicy
from tests.integration.control.kit import Proxy, Stubs, document, event, running_plane, until
from tests.integration.telemetry.test_control_link import Proxy as RealLink
from tests.integration.telemetry.test_control_link import running
from tests.kit.processes import PATIENCE_S

pytestmark = pytest.mark.integration


@pytest.fixture
def age_s() -> float:
    """How old streams get."""
    return 600.0


@pytest.fixture
async def plane(tmp_path: Path, age_s: float, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ControlPlane]:
    """A control plane that looks for old streams often."""
    monkeypatch.setattr(fleet, "TICK_S", 0.05)
    async with running_plane(tmp_path, stream_age_s=age_s) as control:
        yield control


@pytest.mark.parametrize("age_s", [0.6])
async def test_events_and_policies_go_on_over_old_streams(
    plane: ControlPlane, stubs: Stubs, tmp_path: Path
) -> None:
    """A link connects again and again while events come and policies change: each event is stored once, the
    newest policy is in force, and nobody is told that the proxy had stopped.
    """
    port = int(plane.addresses.grpc.rpartition(":")[2])
    link = RealLink(port, tmp_path / "proxy")
    link.applied = AppliedPolicy(0, "", "none")
    async with running(link):
        for number in range(40):
            link.fail_calls(5)
            if number % 4 == 0:
                request = policies_pb.ApplyPolicyRequest(document=document(1 + number))
                await stubs.policies.ApplyPolicy(request)
            await asyncio.sleep(0.1)

        async def is_applied() -> bool:
            return link.applied.revision == 10

        async def is_acknowledged() -> bool:
            # Events are in the spool some time after they were produced.
            return link.spool().depth == 0 and link.spool().acked >= link.counters.events_produced

        await until(is_applied, what="the newest revision is in force")
        await until(is_acknowledged, what="all events are acknowledged")

        async def has_come_again() -> bool:
            return int(str(link.link.status()["connects"])) >= 4

        await until(has_come_again, what="the link has connected again and again")
        assert link.applies == sorted(set(link.applies)), "no revision twice, none after a newer one"
        produced = link.counters.events_produced
        assert produced == 200
    groups = await plane.store.groups(GroupQuery(EVERYTHING, 100))
    assert [group.events for group in groups if group.component == "route/checkout"] == [produced]
    stopped = events_pb.ListEventsRequest(filter='error_type = "proxy_stopped"')
    assert not (await stubs.events.ListEvents(stopped)).events


async def test_a_stream_ends_only_when_nothing_is_under_way(plane: ControlPlane, stubs: Stubs) -> None:
    """An answer that is waited for keeps it open; then it ends without an error, all having been said."""
    proxy = Proxy(stubs, "one")
    await proxy.hello()
    await stubs.policies.ApplyPolicy(policies_pb.ApplyPolicyRequest(document=document(1)))
    push = (await proxy.hear("policy")).policy
    plane.fleet.sessions["one"].ends_s = 0.0
    await asyncio.sleep(0.5)
    assert plane.fleet.is_connected("one"), "the push is not answered yet"
    await proxy.send("spool", (1, event(1)))
    assert (await proxy.hear("event_ack")).event_ack.through_seq == 1
    await proxy.ack(push)
    async with asyncio.timeout(PATIENCE_S):
        assert await proxy.call.read() is grpc.aio.EOF
    assert await proxy.call.code() is grpc.StatusCode.OK
    assert plane.fleet.proxy("one").applied_revision == 1


async def test_too_many_at_once_are_told_when_to_come_again(
    plane: ControlPlane, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the rate a stream is refused with a pushback of its own."""
    monkeypatch.setattr(plane.fleet._door._bucket, "_burst", 1.0)
    monkeypatch.setattr(plane.fleet._door._bucket, "_per_second", 0.001)
    await Proxy(stubs, "one").hello()
    waits = set()
    for _ in range(3):
        call = stubs.fleet.Connect()
        await call.write(fleet_pb2.ConnectRequest(hello=fleet_pb2.Hello(node="two")))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        waits.add(int(dict(caught.value.trailing_metadata() or ())["grpc-retry-pushback-ms"]))
    low, high = fleet_door.AGAIN_S
    assert len(waits) > 1, "each has a pushback of its own; two of a few thousand may be alike"
    assert all(low * 1000 <= wait <= high * 1000 for wait in waits)
    assert plane.fleet._door.turned_away == 3


async def test_a_name_that_nobody_follows_takes_no_room(
    plane: ControlPlane, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sets that were only asked for are not kept, nor are those whose last proxy has gone."""
    monkeypatch.setattr(fleet_pushes, "PRUNE_S", 0.0)
    for number in range(50):
        await stubs.policies.GetRollout(policies_pb.GetRolloutRequest(policy_set=f"made/up/{number}"))
    proxy = Proxy(stubs, "one", policy_set="followed")
    await proxy.hello()

    async def are_gone() -> bool:
        return plane.fleet.pushes.policy_sets() == {"followed"}

    await until(are_gone, what="only what is followed is kept")
    request = policies_pb.ApplyPolicyRequest(document=document(1), policy_set="followed")
    await stubs.policies.ApplyPolicy(request)
    assert (await proxy.hear("policy")).policy.revision == 1
