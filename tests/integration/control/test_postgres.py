"""Control planes on one PostgreSQL database: in this process, and as processes."""

from __future__ import annotations

import asyncio
import json
import signal
import urllib.request
from pathlib import Path

import grpc
import pytest

from seawall.v1 import admin_events_pb2 as events_pb
from seawall.v1 import admin_policies_pb2 as policies_pb
from seawall.v1 import admin_rollouts_pb2 as rollouts_pb
from seawall.v1 import admin_rollouts_pb2_grpc, fleet_pb2
from seawall_control.domain.fleet import ProxyRecord
from seawall_control.server import ControlPlane
from seawall_control.services import fleet, fleet_roster
from seawall_control.store.postgres import PostgresStore
from tests.integration.control.kit import Proxy, Stubs, document, event, until
from tests.integration.control.test_process import Process
from tests.kit.postgres import PASSWORD, PostgresServer
from tests.kit.processes import PATIENCE_S

pytestmark = pytest.mark.integration


async def listening(planes: list[ControlPlane]) -> None:
    """Wait until all listen to each other."""
    async with asyncio.timeout(PATIENCE_S):
        for plane in planes:
            assert isinstance(plane.store, PostgresStore)
            while plane.store._watch._db is None:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)


async def test_policy_applied_at_one_reaches_the_proxies_of_another(planes: list[ControlPlane]) -> None:
    """Also when it is applied again, which asks a proxy that refused it."""
    await listening(planes)
    async with (
        grpc.aio.insecure_channel(planes[0].addresses.grpc) as one,
        grpc.aio.insecure_channel(planes[1].addresses.grpc) as two,
    ):
        here, there = Stubs(one), Stubs(two)
        proxy = Proxy(there, "edge-1")
        await proxy.hello()
        await here.policies.ApplyPolicy(policies_pb.ApplyPolicyRequest(document=document(1)))
        push = (await proxy.hear("policy")).policy
        assert push.revision == 1
        await proxy.nack(push, "no")

        async def refused() -> bool:
            rollout = await there.policies.GetRollout(policies_pb.GetRolloutRequest())
            return [p.state for p in rollout.proxies] == [policies_pb.ROLLOUT_STATE_REJECTED]

        await until(refused, what="the refusal has been heard")
        await here.policies.ApplyPolicy(policies_pb.ApplyPolicyRequest(document=document(1)))
        push = (await proxy.hear("policy")).policy
        assert push.revision == 1
        await proxy.ack(push)
        await there.policies.ApplyPolicy(policies_pb.ApplyPolicyRequest(document=document(2)))
        assert (await proxy.hear("policy")).policy.revision == 2


@pytest.fixture
def attentive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have control planes that start from now on read and keep the record often. One that runs already may
    have decided when it reads it next.
    """
    monkeypatch.setattr(fleet, "LOOK_S", 0.1)
    monkeypatch.setattr(fleet_roster, "REMEMBER_S", 0.1)


async def test_proxies_of_others_are_known(attentive: None, planes: list[ControlPlane]) -> None:
    """What a proxy that is connected elsewhere last had is read from the record; being seen there keeps it
    from being forgotten here.
    """
    async with grpc.aio.insecure_channel(planes[1].addresses.grpc) as two:
        proxy = Proxy(Stubs(two), "edge-9", labels={"zone": "b"})
        await proxy.hello()

        def known() -> list[ProxyRecord]:
            return [p for p in planes[0].fleet.known() if p.node == "edge-9"]

        async with asyncio.timeout(PATIENCE_S):
            while not known():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)
        assert known()[0].labels == {"zone": "b"}
        assert planes[0].fleet.connected == 0
        first = known()[0].last_seen_us
        async with asyncio.timeout(PATIENCE_S):
            while known()[0].last_seen_us == first:
                await proxy.say(stats=fleet_pb2.StatsReport())
                await asyncio.sleep(0.1)
        await planes[0].store.forget(["edge-9"], unseen_since_us=first + 1)
        assert [p.node for p in await planes[0].store.proxies()] == ["edge-9"]


async def test_stages_hold_at_every_control_plane(planes: list[ControlPlane]) -> None:
    """A revision that is withheld from a proxy is withheld wherever it is connected; verbs may be said to
    either control plane.
    """
    await listening(planes)
    async with (
        grpc.aio.insecure_channel(planes[0].addresses.grpc) as one,
        grpc.aio.insecure_channel(planes[1].addresses.grpc) as two,
    ):
        here, there = Stubs(one), Stubs(two)
        proxies = [Proxy(stubs, f"edge-{n}", labels={"zone": "b"}) for n, stubs in enumerate((here, there))]
        for proxy in proxies:
            await proxy.hello()
        await here.policies.ApplyPolicy(policies_pb.ApplyPolicyRequest(document=document(1)))
        for proxy in proxies:
            await proxy.ack((await proxy.hear("policy")).policy)
        strategy = rollouts_pb.RolloutStrategy(stages=[rollouts_pb.RolloutStage(selector="zone=a")])
        await there.policies.ApplyPolicy(
            policies_pb.ApplyPolicyRequest(document=document(2), rollout=strategy)
        )
        async with asyncio.timeout(PATIENCE_S):
            while [r.state for p in planes for r in p.rollouts.active] != ["running"] * 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        late = Proxy(here, "late", labels={"zone": "b"})
        await late.hello()
        push = (await late.hear("policy")).policy
        assert push.revision == 1
        await late.ack(push)
        for stubs in (one, two):
            verbs = admin_rollouts_pb2_grpc.RolloutServiceStub(stubs)  # type: ignore[no-untyped-call]
            if stubs is one:
                await verbs.PauseRollout(rollouts_pb.PauseRolloutRequest(policy_set="default"))
                async with asyncio.timeout(PATIENCE_S):
                    while any(p.rollouts.active[0].state != "paused" for p in planes):  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
            else:
                await verbs.PromoteRollout(rollouts_pb.PromoteRolloutRequest(policy_set="default"))
        for proxy in (*proxies, late):
            push = (await proxy.hear("policy")).policy
            assert push.revision == 2
            await proxy.ack(push)
        async with asyncio.timeout(PATIENCE_S):
            while any(plane.rollouts.active for plane in planes):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)


async def test_spool_goes_on_at_another_control_plane(planes: list[ControlPlane]) -> None:
    """A proxy that lost its control plane repeats its batch at another: stored once."""
    for number, plane in enumerate(planes):
        async with grpc.aio.insecure_channel(plane.addresses.grpc) as channel:
            proxy = Proxy(Stubs(channel), "edge-1", boot_id=f"boot-{number}")
            await proxy.hello()
            batch = fleet_pb2.EventBatch(
                spool_id="spool",
                events=[fleet_pb2.SequencedEvent(seq=n, event=event(n)) for n in (1, 2, 3)],
            )
            await proxy.say(events=batch)
            assert (await proxy.hear("event_ack")).event_ack.through_seq == 3
    async with grpc.aio.insecure_channel(planes[0].addresses.grpc) as channel:
        listed = await Stubs(channel).events.ListEvents(events_pb.ListEventsRequest(page_size=50))
        assert len([e for e in listed.events if e.error_type == "UNAVAILABLE"]) == 3


async def test_process_on_postgresql(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named by the variable; no answer and no line of the log has the password; no file is made."""
    monkeypatch.setenv("SEAWALL_STORE_URL", url)
    process = await Process(tmp_path / "data").start()
    base = f"http://{process.addresses['http']}"

    def get(path: str) -> str:
        with urllib.request.urlopen(base + path, timeout=PATIENCE_S) as answer:
            return str(answer.read().decode())

    pages = [await asyncio.to_thread(get, path) for path in ("/status", "/health", "/metrics")]
    assert "postgresql" in pages[0] + pages[1]
    assert not any(PASSWORD in page for page in pages)
    assert await process.end(signal.SIGTERM) == 0
    assert PASSWORD not in process.log
    assert not (tmp_path / "data" / "control.db").exists()


async def test_process_that_cannot_have_its_store_says_why(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    """Exit code 2, the place and the remedy, without the password."""
    store = ("--store", postgres_server.url_of("nowhere"), "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0")
    process = await Process(tmp_path / "data", *store).start()
    assert await process.process.wait() == 2
    said = json.loads(process.lines[-1])
    assert "there is no database" in json.dumps(said)
    assert PASSWORD not in "".join(process.lines)
