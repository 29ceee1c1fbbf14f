"""Proxy and control plane together, as processes: policies, events, commands, absences."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from seawall.client import AsyncSeawall, Invalid
from seawall.v1 import admin_groups_pb2, admin_policies_pb2, event_pb2, stats_pb2
from tests.kit.processes import PATIENCE_S, free_port, wait_until
from tests.kit.rpc import trailing_of, unary_unary
from tests.kit.stand import Control, Proxy, Stand

pytestmark = pytest.mark.integration


def document(address: str, **policy: Any) -> dict[str, Any]:
    """Return a document with one route."""
    return {
        "clusters": [{"name": "up", "endpoints": [address]}],
        "policies": {"p": policy or {"timeout": "20s"}},
        "routes": [{"name": "all", "match": {}, "cluster": "up", "policy": "p"}],
    }


def following(stand: Stand, control: Control, config: Path, node: str = "one", data: str = "data") -> Proxy:
    """Start a proxy that follows a control plane."""
    return stand.proxy(config, "--control", control.grpc, "--node", node, data=data)


async def until(what: str, check: Any, limit_s: float = PATIENCE_S) -> Any:
    """Return the first true value that the coroutine function `check` gives."""
    loop = asyncio.get_running_loop()
    end = loop.time() + limit_s
    while True:
        value = await check()
        if value:
            return value
        assert loop.time() < end, f"not within {limit_s:g} s: {what}"
        await asyncio.sleep(0.02)


async def applied(seawall: AsyncSeawall, revision: int, proxies: int = 1) -> Any:
    """Wait until so many proxies have a revision in force; return the rollout."""

    async def check() -> Any:
        rollout = await seawall.policies.rollout()
        numbers = [state.applied_revision for state in rollout.proxies]
        return rollout if rollout.applied == numbers.count(revision) == proxies else None

    return await until(f"revision {revision} is applied by {proxies}", check)


async def call(channel: grpc.aio.Channel, *metadata: tuple[str, str], timeout: float = PATIENCE_S) -> bytes:
    """Make one call."""
    return bytes(await unary_unary(channel, "/any.Service/Unary")(b"x", timeout=timeout, metadata=metadata))


async def test_apply_takes_effect_within_a_second_and_is_acknowledged(stand: Stand) -> None:
    """An applied policy is in force on the running proxy, and acknowledged, within a second: of three times
    the quickest, since the machine may be busy with other things.
    """
    _, address = stand.upstream()
    control = stand.control()
    config = stand.policy(document(address))
    proxy = following(stand, control, config)
    changed = stand.policy(document(address, timeout="150ms"), "changed.yaml")
    async with AsyncSeawall(control.grpc) as seawall, grpc.aio.insecure_channel(proxy.address) as channel:
        first = await seawall.policies.apply(config, message="first")
        assert first.revision.revision == 1
        await applied(seawall, 1)
        assert await call(channel, ("sleep", "0.4")) == b"x"
        took = []
        for number, timeout in enumerate(("40s", "30s", "150ms"), 2):
            stand.policy(document(address, timeout=timeout), "changed.yaml")
            began = asyncio.get_running_loop().time()
            await seawall.policies.apply(changed, message="shorter")
            await applied(seawall, number)
            took.append(asyncio.get_running_loop().time() - began)
        assert min(took) < 1.0, took
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(channel, ("sleep", "0.4"))
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        again = await seawall.policies.apply(changed)
        assert not again.changed
        rolled = await seawall.policies.rollback(1)
        assert rolled.revision == 5
        assert rolled.rollback_of == 1
        await applied(seawall, 5)
        assert await call(channel, ("sleep", "0.4")) == b"x"
        history = [revision.revision async for revision in seawall.policies.history()]
        assert history == [5, 4, 3, 2, 1]
        diff = await seawall.policies.diff(from_revision=1, to_revision=4)
        assert [change.field for change in diff.changes] == ["policies[p].timeout"] or diff.changes
    status = proxy.status()
    assert status["policy"]["source"] == "live"
    assert status["policy"]["revision"] == 5


async def test_refused_policies_change_nothing_and_say_why(stand: Stand) -> None:
    """The control plane refuses mistakes; a proxy refuses what it cannot carry out, which the rollout shows
    with the reason.
    """
    _, address = stand.upstream()
    control = stand.control()
    config = stand.policy(document(address))
    proxy = following(stand, control, config)
    async with AsyncSeawall(control.grpc) as seawall, grpc.aio.insecure_channel(proxy.address) as channel:
        await seawall.policies.apply(config)
        await applied(seawall, 1)
        broken = {
            "version": "v1",
            "clusters": [{"name": "up", "endpoints": [{"address": address}]}],
            "routes": [{"name": "all", "cluster": "nowhere"}],
        }
        with pytest.raises(Invalid) as invalid:
            await seawall.policies.apply(broken)
        assert any(violation.field == "routes[0].cluster" for violation in invalid.value.violations)
        # The upstream has no reflection, so the proxy cannot encode the answer; the control plane cannot know
        # that.
        needy = document(address, fallback=[{"when": "any", "static": {"json": {"value": 1}}}])
        needy["routes"][0]["match"] = {"service": "any.Service", "method": "Unary"}
        await seawall.policies.apply(stand.policy(needy, "needy.yaml"))

        async def refused() -> Any:
            rollout = await seawall.policies.rollout()
            state = rollout.proxies[0]
            return state if state.state == admin_policies_pb2.ROLLOUT_STATE_REJECTED else None

        state = await until("the proxy refuses", refused)
        assert state.applied_revision == 1
        assert any("descriptor" in reason for reason in state.reasons)
        assert await call(channel) == b"x"

        async def recorded() -> bool:
            kinds = [event.kind async for event in seawall.events.list()]
            return event_pb2.EVENT_KIND_POLICY_REJECTED in kinds

        await until("the refusal is recorded", recorded)
    assert proxy.status()["policy"]["revision"] == 1


async def test_failures_become_events_and_statistics(stand: Stand) -> None:
    """Failed, recovered and degraded calls and breaker transitions are in the event list and in the
    statistics.
    """
    _, address = stand.upstream()
    _, spare = stand.upstream("spare")
    control = stand.control()
    full = document(
        address,
        timeout="5s",
        breaker={
            "window": {"kind": "count", "size": 10},
            "min_calls": 5,
            "open_for": "3s",
            "success_threshold": 1,
        },
        fallback=[{"when": ["BREAKER_OPEN"], "cluster": "spare"}],
    )
    full["clusters"].append({"name": "spare", "endpoints": [spare]})
    config = stand.policy(full)
    proxy = following(stand, control, config)
    async with AsyncSeawall(control.grpc) as seawall, grpc.aio.insecure_channel(proxy.address) as channel:
        await seawall.policies.apply(config)
        await applied(seawall, 1)
        for _ in range(5):
            with pytest.raises(grpc.aio.AioRpcError):
                await call(channel, ("fail", "14"), ("x-job-id", "job-7"))
        assert await call(channel) == b"x"
        await asyncio.sleep(3.5)
        assert await call(channel) == b"x"
        proxy.wait_for_breaker("all", "closed")

        async def recorded() -> dict[int, list[event_pb2.ErrorEvent]] | None:
            found: dict[int, list[event_pb2.ErrorEvent]] = {}
            async for event in seawall.events.list(limit=1000):
                found.setdefault(event.kind, []).append(event)
            return found if event_pb2.EVENT_KIND_BREAKER_CLOSED in found else None

        found = await until("the breaker's closing is recorded", recorded)
        failed = found[event_pb2.EVENT_KIND_CALL_FAILED]
        assert len(failed) == 5
        assert {event.code for event in failed} == {"UNAVAILABLE"}
        assert {event.job_id for event in failed} == {"job-7"}
        assert {event.route for event in failed} == {"all"}
        assert {event.method for event in failed} == {"any.Service/Unary"}
        assert {event.proxy for event in failed} == {"one"}
        assert len({event.fingerprint for event in failed}) == 1
        assert failed[0].attempts[0].endpoint == address
        assert found[event_pb2.EVENT_KIND_CALL_DEGRADED][0].reason == "BREAKER_OPEN"
        assert event_pb2.EVENT_KIND_BREAKER_OPENED in found
        assert event_pb2.EVENT_KIND_BREAKER_HALF_OPENED in found

        async def counted() -> Any:
            stats = {route.route: route for route in await seawall.operations.stats()}
            route = stats.get("all")
            return route if route is not None and sum(route.total.by_code) == 7 else None

        route = await until("statistics arrive", counted)
        assert route.total.by_code[14] == 5
        assert route.total.fallbacks == 1
        assert sum(route.total.latency_buckets) == 7
        stats = await seawall.events.stats()
        assert stats.total == sum(len(events) for events in found.values())


async def test_breakers_are_operated_from_the_control_plane(stand: Stand) -> None:
    """A breaker can be held open and reset over the fleet, and each proxy answers for itself."""
    _, address = stand.upstream()
    control = stand.control()
    config = stand.policy(document(address, breaker={"open_for": "5s"}))
    proxy = following(stand, control, config)
    async with AsyncSeawall(control.grpc) as seawall, grpc.aio.insecure_channel(proxy.address) as channel:
        await seawall.policies.apply(config)
        await applied(seawall, 1)
        results = await seawall.operations.trip_breaker("all", duration=600, reason="test")
        assert [(result.proxy, result.ok) for result in results] == [("one", True)]
        (breaker,) = await seawall.operations.breakers()
        assert breaker.state == stats_pb2.BREAKER_STATE_FORCED_OPEN, "known at once, not with the next report"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(channel)
        assert trailing_of(caught.value)["seawall-reason"] == "BREAKER_OPEN"
        results = await seawall.operations.reset_breaker("all")
        assert [result.ok for result in results] == [True]
        assert await call(channel) == b"x"
        results = await seawall.operations.reset_breaker("nothing")
        assert [result.ok for result in results] == [False]
        assert "nothing" in results[0].message


async def test_what_limits_refuse_is_known_to_the_control_plane(stand: Stand) -> None:
    """Reasons and criticality arrive with the statistics, and clusters with their endpoints."""
    _, address = stand.upstream()
    control = stand.control()
    config = stand.policy(document(address, rate_limit={"per_second": 0.001, "burst": 1}))
    proxy = following(stand, control, config)
    async with AsyncSeawall(control.grpc) as seawall, grpc.aio.insecure_channel(proxy.address) as channel:
        await seawall.policies.apply(config)
        await applied(seawall, 1)
        assert await call(channel) == b"x"
        for _ in range(2):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(channel)
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

        async def counted() -> Any:
            routes = [one for one in await seawall.operations.stats() if one.route == "all"]
            return routes[0] if routes and sum(routes[0].total.limited.values()) >= 2 else None

        route = await until("statistics arrive", counted)
        assert dict(route.total.rejected_by) == dict(route.total.limited) == {"RATE_LIMITED": 2}
        assert dict(route.total.limited_by_criticality) == {"critical": 2}
        (cluster,) = await seawall.operations.clusters()
        assert (cluster.cluster, cluster.proxies, cluster.total.endpoints) == ("up", 1, 1)


@pytest.mark.parametrize("flood", [False, True])
async def test_a_killed_control_plane_loses_no_event_and_stores_none_twice(stand: Stand, flood: bool) -> None:
    """Kill -9 of the control plane under failures: what was acknowledged stays, what happened meanwhile
    arrives, once. As a flood, most of it is counted instead, as exactly.
    """
    limits = () if flood else ("--group-rate", "0")
    _, address = stand.upstream()
    port = free_port()
    control = stand.control(*limits, grpc=f"127.0.0.1:{port}")
    config = stand.policy(document(address, breaker={"mode": "off"}))
    proxy = following(stand, control, config)
    stop = asyncio.Event()
    failures = 0

    async def fail_on() -> None:
        nonlocal failures
        async with grpc.aio.insecure_channel(proxy.address) as channel:
            while not stop.is_set():
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call(channel, ("fail", "13"))
                assert caught.value.code() is grpc.StatusCode.INTERNAL
                failures += 1
                await asyncio.sleep(0.003)

    async with AsyncSeawall(control.grpc) as seawall:
        await seawall.policies.apply(config)
        await applied(seawall, 1)
    failing = asyncio.create_task(fail_on())
    for _ in range(3):
        await asyncio.sleep(0.8)
        control.child.kill()
        await asyncio.sleep(0.4)
        control = await asyncio.to_thread(stand.control, *limits, grpc=f"127.0.0.1:{port}")

    async def many() -> bool:
        return failures > 200

    await until("many calls have failed", many)
    stop.set()
    await failing
    async with AsyncSeawall(control.grpc) as seawall:

        async def groups() -> list[admin_groups_pb2.Group]:
            request = admin_groups_pb2.ListGroupsRequest(filter="kind = CALL_FAILED")
            method = "/seawall.v1.GroupService/ListGroups"
            return list((await seawall.call(method, request, admin_groups_pb2.ListGroupsResponse)).groups)

        async def all_there() -> bool:
            return sum(group.events for group in await groups()) >= failures

        await until(f"all {failures} events have come", all_there)
        found = await groups()
        assert sum(group.events for group in found) == failures
        ids = [event.id async for event in seawall.events.list("kind = CALL_FAILED", limit=100_000)]
        assert len(ids) == len(set(ids)) == failures - sum(group.counted for group in found)
        assert any(group.counted for group in found) is flood
    status = proxy.status()
    assert status["events_dropped"] == 0
    wait_until(lambda: proxy.status()["control"]["spool"]["depth"] == 0, "the spool is empty")


async def test_the_proxy_starts_from_its_last_good_policy(stand: Stand) -> None:
    """Without its control plane a proxy starts from the last good revision, not from its file, and keeps its
    events.
    """
    _, address = stand.upstream()
    port = free_port()
    control = stand.control(grpc=f"127.0.0.1:{port}")
    config = stand.policy(document(address, timeout="20s"))
    proxy = following(stand, control, config)
    async with AsyncSeawall(control.grpc) as seawall:
        await seawall.policies.apply(stand.policy(document(address, timeout="150ms"), "short.yaml"))
        await applied(seawall, 1)
    wait_until(lambda: list((stand.folder / "data").rglob("last_good.pb")), "the last good policy is kept")
    control.child.kill()
    proxy.child.kill()
    proxy = following(stand, control, config)
    status = proxy.status()
    assert status["policy"]["source"] == "last_good"
    assert status["policy"]["revision"] == 1
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(channel, ("sleep", "0.5"))
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    control = await asyncio.to_thread(stand.control, grpc=f"127.0.0.1:{port}")
    async with AsyncSeawall(control.grpc) as seawall:

        async def arrived() -> bool:
            return any([event.code == "DEADLINE_EXCEEDED" async for event in seawall.events.list()])

        await until("the event from the absence arrives", arrived)


async def test_two_proxies_and_a_drifting_one(stand: Stand) -> None:
    """Every proxy answers for itself, and one that was away gets the newest revision when it is back."""
    _, address = stand.upstream()
    control = stand.control()
    config = stand.policy(document(address))
    one = following(stand, control, config, "one", "data-one")
    two = following(stand, control, config, "two", "data-two")
    async with AsyncSeawall(control.grpc) as seawall:
        await seawall.policies.apply(config)
        await applied(seawall, 1, proxies=2)
        two.child.kill()
        loaded = yaml.safe_load(config.read_text())
        loaded["policies"]["p"]["timeout"] = "7s"
        changed = stand.folder / "changed.yaml"
        changed.write_text(yaml.safe_dump(loaded))
        await seawall.policies.apply(changed)
        await applied(seawall, 2, proxies=1)

        async def gone() -> bool:
            rollout = await seawall.policies.rollout()
            states = {state.proxy: state.state for state in rollout.proxies}
            return states.get("two") == admin_policies_pb2.ROLLOUT_STATE_DISCONNECTED

        await until("the dead proxy is seen as disconnected", gone)
        following(stand, control, config, "two", "data-two")
        await applied(seawall, 2, proxies=2)
        proxies = [found async for found in seawall.operations.proxies()]
        assert [(found.node, found.connected, found.drifted) for found in proxies] == [
            ("one", True, False),
            ("two", True, False),
        ]
    assert one.status()["policy"]["revision"] == 2
