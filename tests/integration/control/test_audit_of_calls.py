"""What calls leave in the audit, over gRPC and over paths that are written by hand."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from seawall.v1 import admin_alerts_pb2, admin_events_pb2, admin_fleet_pb2, admin_policies_pb2
from seawall_control.api import roles
from seawall_control.api.gate import Presented
from seawall_control.domain.audit import BEGUN, INTERRUPTED, TALLY, TOPIC, AuditRecord, decoded
from seawall_control.domain.errors import StoreUnavailable
from seawall_control.domain.events import Event, Severity
from seawall_control.server import ControlPlane
from seawall_control.services import audit as audit_service
from seawall_control.services.audit_witness import CallWitness
from seawall_control.store.sqlite import thread
from tests.integration.control.kit import Stubs, document
from tests.integration.control.test_abandoned_changes import Held, until
from tests.integration.control.web import ask
from tests.kit.processes import PATIENCE_S

pytestmark = pytest.mark.integration

EVENT = "00000000-0000-4000-8000-000000000001"
THRESHOLDS = "/api/v1/errors/alerts/thresholds"


@pytest.fixture(autouse=True)
def whole_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bulk changes change a hundred events in each transaction, however slow the machine."""
    monkeypatch.setattr(thread, "UPKEEP_S", 60.0)


async def records(plane: ControlPlane) -> list[AuditRecord]:
    """Return what the journal says, oldest first."""
    return [decoded(entry) for entry in await plane.store.entries(TOPIC, limit=100, oldest_first=True)]


def event() -> Event:
    """Return an event."""
    return Event(id=EVENT, timestamp_us=1, severity=Severity.LOW, component="c", message="m")


async def test_every_method_that_changes_something_has_a_witness(plane: ControlPlane) -> None:
    """All that a witness sees is written down with it (tests/conformance/store/test_witness.py)."""
    host, _, port = plane.addresses.http.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    mine = writer.get_extra_info("sockname")
    shown = Presented(host=mine[0], port=mine[1], server_port=int(port))
    changing = 0
    for path, access in roles.table(plane.served.services).items():
        if access.role.label == "enrollee":
            continue
        call = await plane.access.gate.admit(path, access, shown)
        assert (call.witness is not None) == access.changes, path
        changing += access.changes
    writer.close()
    assert changing > 25
    assert reader is not None


async def test_an_apply_is_one_entry_in_its_transaction(plane: ControlPlane, stubs: Stubs) -> None:
    """With the hash of what was and what is."""
    first = await stubs.policies.ApplyPolicy(admin_policies_pb2.ApplyPolicyRequest(document=document(1)))
    second = await stubs.policies.ApplyPolicy(admin_policies_pb2.ApplyPolicyRequest(document=document(2)))
    await stubs.policies.ApplyPolicy(admin_policies_pb2.ApplyPolicyRequest(document=document(2)))
    made, changed, same = await records(plane)
    assert [made.step, changed.step, same.step] == [1, 1, 0]
    assert [(c.what, c.before, c.after) for c in changed.changes] == [
        ("policy_set/default", first.revision.hash, second.revision.hash)
    ]
    assert made.call != changed.call
    assert (same.outcome, same.changes, same.result["revision.revision"]) == ("OK", (), "2")


async def test_a_call_that_fails_after_its_change_says_both(
    plane: ControlPlane, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change is on record as made, and the failure as one."""
    true = plane.store.apply_all

    async def lost(drafts: Any) -> Any:
        await true(drafts)
        raise StoreUnavailable("lost")

    monkeypatch.setattr(plane.store, "apply_all", lost)
    with pytest.raises(grpc.aio.AioRpcError):
        await stubs.policies.ApplyPolicy(admin_policies_pb2.ApplyPolicyRequest(document=document(1)))
    made, failed = await records(plane)
    assert (made.outcome, made.step, failed.outcome, failed.step) == ("OK", 1, "UNAVAILABLE", 0)
    assert made.call == failed.call


async def test_commands_to_proxies_are_on_record_before_they_are_sent(
    plane: ControlPlane, stubs: Stubs
) -> None:
    """They change nothing that is stored, so nothing else would say that they were begun."""
    await stubs.operations.ResetBreaker(admin_fleet_pb2.ResetBreakerRequest(breaker="b"))
    begun, done = await records(plane)
    assert (begun.outcome, done.outcome) == (BEGUN, "OK")
    assert begun.call == done.call
    assert begun.resource == done.resource == {"breaker": "b"}


async def test_paths_written_by_hand_are_calls_like_others(plane: ControlPlane) -> None:
    """Thresholds, an event, several, and old ones: what was changed, and what it was about."""
    await plane.store.report([event()])
    address = plane.addresses.http
    assert (await ask(address, THRESHOLDS, method="PUT", body={"error_rate": 0.3})).status == 200
    path = f"/api/v1/errors/{EVENT}/resolve"
    assert (await ask(address, path, method="POST", body={"resolution": "fixed"})).status == 200
    path = "/api/v1/errors/resolve"
    assert (await ask(address, path, method="POST", body={"ids": [EVENT]})).status == 200
    path = "/api/v1/errors?older_than_days=1&validate_only=true"
    assert (await ask(address, path, method="DELETE")).status == 200
    assert (await ask(address, "/api/v1/errors?older_than_days=1", method="DELETE")).status == 200
    thresholds, one, none, deleted = await records(plane)
    assert thresholds.method == "/seawall.v1.AlertService/UpdateThresholds"
    assert [c.what.partition("#")[0] for c in thresholds.changes] == [
        "alert-rule/builtin/error-rate",
        "alerts",
    ]
    assert (one.step, [c.what for c in one.changes]) == (1, [f"event/{EVENT}"])
    assert one.resource["event.id"] == EVENT
    assert (none.step, none.outcome, none.resource["ids"]) == (0, "OK", EVENT)
    assert [c.what for c in deleted.changes] == ["events: 1"]


def events(first: int, last: int) -> list[Event]:
    """Return events that are like each other."""
    return [
        Event(
            id=f"00000000-0000-4000-8000-{number:012d}",
            timestamp_us=number,
            severity=Severity.LOW,
            component="c",
            message="m",
            fingerprint="v1:1",
        )
        for number in range(first, last + 1)
    ]


async def test_a_change_of_many_events_is_its_beginning_and_its_sum(
    plane: ControlPlane, stubs: Stubs
) -> None:
    """However many transactions it takes; one that takes a single one says all in it."""
    await plane.store.report(events(1, 450))
    resolve, delete = stubs.events.ResolveEvents, stubs.events.DeleteResolvedEvents
    await resolve(admin_events_pb2.ResolveEventsRequest(filter="component = c", resolution="fixed"))
    first, summed = await records(plane)
    assert (first.outcome, first.step, [c.what for c in first.changes]) == ("OK", 1, ["events: 100"])
    assert (summed.outcome, summed.step, [c.what for c in summed.changes]) == ("OK", 5, ["events: 450"])
    assert first.call == summed.call
    assert first.resource["filter"] == summed.resource["filter"] == "component = c"
    assert summed.result == {"resolved": "450", "events": "450"}
    request = admin_events_pb2.DeleteResolvedEventsRequest()
    request.older_than.FromSeconds(3600)
    await delete(request)
    _, _, first, summed = await records(plane)
    assert summed.resource == {"older_than": "3600s"}
    assert (summed.result["deleted"], [c.what for c in summed.changes]) == ("450", ["events: 450"])
    assert await plane.store.documents(TALLY) == []
    await plane.store.report(events(501, 502))
    await resolve(admin_events_pb2.ResolveEventsRequest(filter="component = c"))
    last = (await records(plane))[4:]
    assert [(r.step, [c.what for c in r.changes]) for r in last] == [(1, ["events: 2"])]
    assert (await plane.access.audit.verify()).broken is None


async def test_a_change_of_many_events_that_ends_in_the_middle_says_how_far_it_came(
    plane: ControlPlane, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its failure, or, when its control plane was ended, by the tally that it left."""
    await plane.store.report(events(1, 450))
    store: Any = plane.store
    true = store._change_events
    asked = 0

    async def three_times(work: Any, *, deletes: bool = False) -> Any:
        nonlocal asked
        asked += 1
        if asked == 4:
            raise StoreUnavailable("gone")
        return await true(work, deletes=deletes)

    monkeypatch.setattr(store, "_change_events", three_times)
    with monkeypatch.context() as patched:
        # As a process that is killed: nothing is closed.
        async def unclosed(self: Any, outcome: str, reason: str, *, dry_run: bool) -> None: ...

        patched.setattr(CallWitness, "close", unclosed)
        with pytest.raises(grpc.aio.AioRpcError):
            await stubs.events.ResolveEvents(admin_events_pb2.ResolveEventsRequest(filter="component = c"))
    assert [c.what for r in await records(plane) for c in r.changes] == ["events: 100"]
    audit = plane.access.audit
    assert await audit.close_tallies() == 0, "it may still go on"
    monkeypatch.setattr(audit_service, "TALLY_S", 0.0)
    assert await audit.close_tallies() == 1
    assert await audit.close_tallies() == 0
    first, left = await records(plane)
    assert (left.outcome, left.step, [c.what for c in left.changes]) == (INTERRUPTED, 3, ["events: 300"])
    assert (left.call, left.resource, left.actor) == (first.call, first.resource, first.actor)
    asked = 2
    with pytest.raises(grpc.aio.AioRpcError):
        await stubs.events.ResolveEvents(admin_events_pb2.ResolveEventsRequest(filter="component = c"))
    failed = (await records(plane))[-1]
    assert (failed.outcome, failed.step) == ("UNAVAILABLE", 0)
    assert [c.what for c in (await records(plane))[-2].changes] == ["events: 100"]


async def test_a_failure_over_http_has_its_own_reason(plane: ControlPlane) -> None:
    """And not one that was guessed from the number of its status."""
    answer = await ask(plane.addresses.http, THRESHOLDS, method="PUT", body={"error_rate": 7})
    assert answer.status == 400
    path = f"/api/v1/errors/{EVENT}/resolve"
    assert (await ask(plane.addresses.http, path, method="POST", body={})).status == 404
    refused, missing = await records(plane)
    assert (refused.outcome, refused.reason) == ("INVALID_ARGUMENT", answer.json["error"]["reason"])
    assert (missing.outcome, missing.reason) == ("NOT_FOUND", "NOT_FOUND")


async def test_a_path_written_by_hand_is_carried_to_its_end(
    plane: ControlPlane, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thresholds that were stored and not in effect were what a caller who left made of them."""
    with monkeypatch.context() as patched:
        held = Held(patched, plane, "commit")
        for limit in ("2s", "10s", "50s"):
            answer = await ask(
                plane.addresses.http,
                THRESHOLDS,
                method="PUT",
                body={"error_rate": 0.42},
                headers={"seawall-timeout": limit},
            )
            assert answer.status == 504
            # Over before it was stored, on a machine that is slow: there is nothing to be seen of it.
            if held.made.is_set():
                break
        assert held.made.is_set()
        held.go.set()
        await until(
            lambda: any(r.when[0].threshold == 0.42 for r in plane.alerting.evaluator._rules.values())
        )
    got = await stubs.alerts.GetThresholds(admin_alerts_pb2.GetThresholdsRequest())
    assert got.thresholds.error_rate == pytest.approx(0.42)
    async with asyncio.timeout(PATIENCE_S):
        while not (found := await records(plane)):  # noqa: ASYNC110 - what goes on tells nobody
            await asyncio.sleep(0.02)
    assert found[-1].outcome == "OK"
