"""The flows that were asked for, from the call to what people see of it: processes throughout."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import grpc
import pytest

from seawall.client import AsyncSeawall
from seawall.v1 import event_pb2, policy_pb2
from tests.integration.system.test_both_planes import applied, call, document, following, until
from tests.kit.processes import http_get
from tests.kit.rpc import trailing_of
from tests.kit.stand import Stand

pytestmark = pytest.mark.integration


async def told(seawall: AsyncSeawall, kind: int) -> list[event_pb2.ErrorEvent]:
    """Return the events of a kind, the oldest first, once there are some."""

    async def check() -> list[event_pb2.ErrorEvent]:
        return [event async for event in seawall.events.list() if event.kind == kind]

    found: list[event_pb2.ErrorEvent] = await until(f"an event of kind {kind}", check)
    return found[::-1]


async def test_what_fails_twice_and_then_succeeds_is_on_record(stand: Stand) -> None:
    """The caller has its answer; the event has every attempt, what kind of failure it was and for which job;
    statistics of recovery count it.
    """
    _, address = stand.upstream()
    control = stand.control()
    full = document(address, retry={"max_attempts": 3, "backoff": {"initial": "10ms"}})
    full["routes"][0]["idempotent"] = True
    config = stand.policy(full)
    proxy = following(stand, control, config)
    async with AsyncSeawall(control.grpc) as seawall, grpc.aio.insecure_channel(proxy.address) as channel:
        await seawall.policies.apply(config)
        await applied(seawall, 1)
        assert await call(channel, ("fail-first", "2"), ("x-job-id", "job-7")) == b"x"
        (event,) = await told(seawall, event_pb2.EVENT_KIND_CALL_RECOVERED)
        assert [(a.number, a.code, a.endpoint) for a in event.attempts] == [
            (1, "UNAVAILABLE", address),
            (2, "UNAVAILABLE", address),
            (3, "OK", address),
        ]
        assert (event.code, event.error_type, event.job_id) == ("OK", "UNAVAILABLE", "job-7")
        assert (event.outcome, event.category) == (
            event_pb2.OUTCOME_RETRIED,
            policy_pb2.CATEGORY_TRANSIENT,
        )
        assert event.severity == event_pb2.SEVERITY_LOW

        async def counted() -> Any:
            _, body = await asyncio.to_thread(http_get, control.http, "/api/v1/errors/recovery/stats")
            total = json.loads(body)["since_start"]
            return total if total["successful_recoveries"] else None

        total = await until("the recovery is counted", counted)
        assert (total["successful_recoveries"], total["failed_calls"], total["success_rate"]) == (1, 0, 1.0)
        assert total["by_strategy"]["retry"] == {"attempts": 2, "successful": 1}


async def test_a_breaker_is_added_while_it_runs(stand: Stand) -> None:
    """A policy with one is applied; the running proxy opens it after so many failures, refuses calls, and
    says so with the numbers that made it.
    """
    _, address = stand.upstream()
    control = stand.control()
    config = stand.policy(document(address))
    added = stand.policy(
        document(
            address,
            breaker={
                "consecutive": 5,
                "open_for": "60s",
                "success_threshold": 3,
            },
        ),
        "added.yaml",
    )
    proxy = following(stand, control, config)
    async with AsyncSeawall(control.grpc) as seawall, grpc.aio.insecure_channel(proxy.address) as channel:
        await seawall.policies.apply(config)
        await applied(seawall, 1)

        async def failed() -> str:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(channel, ("fail", "14"))
            return str(trailing_of(caught.value).get("seawall-reason", ""))

        assert [await failed() for _ in range(8)] == [""] * 8
        await seawall.policies.apply(added)
        await applied(seawall, 2)
        assert [await failed() for _ in range(7)] == [""] * 5 + ["BREAKER_OPEN"] * 2
        (opened,) = await told(seawall, event_pb2.EVENT_KIND_BREAKER_OPENED)
        assert (opened.reason, opened.route, opened.policy_revision) == ("consecutive", "all", 2)
        assert (opened.details["from"], opened.details["to"]) == ("CLOSED", "OPEN")
        assert (opened.details["calls"], opened.details["failures"]) == (5, 5)
    _, page = await asyncio.to_thread(http_get, proxy.admin, "/config")
    assert json.loads(page)["policies"]["p"]["breaker"]["consecutive"] == 5, "what is in force"


async def test_a_route_that_lives_on_fallbacks_and_comes_back(stand: Stand) -> None:
    """Both ends are told: which fallback covers what, and for how many calls it did."""
    _, address = stand.upstream()
    control = stand.control()
    fallback = [{"when": ["UNAVAILABLE"], "empty": True}]
    config = stand.policy(document(address, fallback=fallback, recovered_after=3))
    proxy = following(stand, control, config)
    async with AsyncSeawall(control.grpc) as seawall, grpc.aio.insecure_channel(proxy.address) as channel:
        await seawall.policies.apply(config)
        await applied(seawall, 1)
        for _ in range(4):
            assert await call(channel, ("fail", "14")) == b""
        (began,) = await told(seawall, event_pb2.EVENT_KIND_ROUTE_DEGRADED)
        assert (began.route, began.severity) == ("all", event_pb2.SEVERITY_MEDIUM)
        assert (began.details["kind"], began.details["code"]) == ("empty", "UNAVAILABLE")
        degraded = proxy.route("all")["degraded"]
        assert (degraded["active"], degraded["calls"]) == (True, 4)
        for _ in range(3):
            assert await call(channel) == b"x"
        (ended,) = await told(seawall, event_pb2.EVENT_KIND_ROUTE_RECOVERED)
        assert (ended.route, ended.details["calls"]) == ("all", 4)
        assert not proxy.route("all")["degraded"]["active"]
