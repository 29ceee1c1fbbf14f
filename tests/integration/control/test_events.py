"""Error events over real gRPC: report, read, change, count, clean up, follow."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.rpc import error_details_pb2, status_pb2

from seawall.v1 import admin_events_pb2 as pb
from seawall.v1 import event_pb2
from tests.integration.control.kit import Stubs, event
from tests.kit.processes import PATIENCE_S

pytestmark = pytest.mark.integration


async def report(stubs: Stubs, *events: event_pb2.ErrorEvent) -> Any:
    """Report events."""
    return await stubs.events.ReportEvents(pb.ReportEventsRequest(events=events))


async def refused(call: Any) -> tuple[grpc.StatusCode, str, str]:
    """Return code, reason and message of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    status = status_pb2.Status.FromString(dict(raised.value.trailing_metadata())["grpc-status-details-bin"])
    found = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(found)
    return raised.value.code(), found.reason, raised.value.details() or ""


async def test_event_is_stored_once_whoever_repeats_it(stubs: Stubs) -> None:
    """Reporting the same id again stores nothing and returns the id again; an event without one gets one."""
    nameless = event(2)
    nameless.id = ""
    first = await report(stubs, event(1), nameless)
    assert first.stored == 2 and first.ids[0] == event(1).id and first.ids[1]
    again = await report(stubs, event(1))
    assert (again.stored, list(again.ids)) == (0, [event(1).id])


async def test_every_field_comes_back(stubs: Stubs) -> None:
    """What is reported is what is read: every column of the schema survives the store."""
    said = event(1, severity=4)
    said.details.update({"disk": {"free": 12.5, "mounts": ["/", None, True]}})
    said.job_id, said.job_name, said.stack_trace = "j1", "nightly", 'File "x.py", line 1'
    said.kind, said.route, said.method = event_pb2.EVENT_KIND_CALL_FAILED, "all", "shop.v1.Checkout/Place"
    said.code, said.category, said.endpoint = "UNAVAILABLE", 1, "127.0.0.1:1"  # type: ignore[assignment]
    said.attempts.add(number=1, endpoint="127.0.0.1:1", code="UNAVAILABLE", reason="UPSTREAM_CONNECT_FAILED")
    said.attempts[0].latency.FromMicroseconds(1500)
    said.latency.FromMicroseconds(2500)
    said.timestamp.FromMicroseconds(said.timestamp.ToMicroseconds())
    said.outcome, said.reason = event_pb2.OUTCOME_FAILED, "UPSTREAM_CONNECT_FAILED"
    said.trace_id, said.fingerprint, said.policy_revision, said.proxy = "a" * 32, "v1:abc", 7, "p1"
    await report(stubs, said)
    assert (await stubs.events.GetEvent(pb.GetEventRequest(id=said.id))).event == said


async def test_bad_events_are_refused_with_every_reason(stubs: Stubs) -> None:
    """A request with a wrong event stores nothing and names each field that is wrong."""
    bad = event_pb2.ErrorEvent(id="no-uuid")
    code, reason, _ = await refused(report(stubs, event(1), bad))
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert (await stubs.events.GetEventStats(pb.GetEventStatsRequest())).total == 0
    code, _, message = await refused(report(stubs, *(event(i) for i in range(501))))
    assert code is grpc.StatusCode.INVALID_ARGUMENT and "500" in message


async def test_pages_follow_each_other_under_concurrent_inserts(stubs: Stubs) -> None:
    """Paging by key neither skips nor repeats events that were there when it began."""
    await report(stubs, *(event(i) for i in range(20)))
    seen: list[str] = []
    token = ""
    for number in range(4):
        page = await stubs.events.ListEvents(pb.ListEventsRequest(page_size=6, page_token=token))
        seen += [e.id for e in page.events]
        token = page.next_page_token
        await report(stubs, event(100 + number))
    assert token == ""
    assert len(seen) == 20 and set(seen) == {event(i).id for i in range(20)}


async def test_filter_selects_and_order_turns(stubs: Stubs) -> None:
    """Filters and orders of the contract work, by job and by severity too."""
    await report(stubs, event(1, severity=1), event(2, severity=3, component="route/b"), event(3, severity=4))
    job = event(4)
    job.job_id = "nightly"
    await report(stubs, job)

    async def ids(text: str, order: str = "") -> list[int]:
        answer = await stubs.events.ListEvents(pb.ListEventsRequest(filter=text, order_by=order))
        return [int(e.id[-4:]) for e in answer.events]

    assert sorted(await ids("severity >= HIGH")) == [2, 3]
    assert await ids('severity = HIGH AND resolved = false AND timestamp > "2026-01-01T00:00:00Z"') == [2]
    assert await ids("job_id = nightly") == [4]
    assert sorted(await ids("NOT component:B")) == [1, 3, 4]
    assert await ids("", "timestamp") == list(reversed(await ids("")))


async def test_filter_errors_say_where(stubs: Stubs) -> None:
    """A filter that does not parse is INVALID_ARGUMENT with the position."""
    code, reason, message = await refused(
        stubs.events.ListEvents(pb.ListEventsRequest(filter="severity = HUGE"))
    )
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FILTER")
    assert "character 12" in message and "CRITICAL" in message


async def test_page_token_belongs_to_its_filter(stubs: Stubs) -> None:
    """A token with another filter, or a damaged one, is refused."""
    await report(stubs, *(event(i) for i in range(3)))
    token = (await stubs.events.ListEvents(pb.ListEventsRequest(page_size=1))).next_page_token
    for request in (
        pb.ListEventsRequest(page_size=1, page_token=token, filter="severity = HIGH"),
        pb.ListEventsRequest(page_size=1, page_token=token, order_by="timestamp"),
        pb.ListEventsRequest(page_size=1, page_token="A" + token[1:] if token[0] != "A" else "B" + token[1:]),
        pb.ListEventsRequest(page_size=1, page_token="%%%"),
    ):
        assert (await refused(stubs.events.ListEvents(request)))[1] == "INVALID_PAGE_TOKEN"
    assert (await refused(stubs.events.ListEvents(pb.ListEventsRequest(page_size=-1))))[
        1
    ] == "INVALID_REQUEST"


async def test_update_changes_what_the_mask_names(stubs: Stubs) -> None:
    """Only masked fields change; unknown paths are refused; resolving sets the time once."""
    await report(stubs, event(1))
    change = event_pb2.ErrorEvent(
        id=event(1).id, job_id="j", resolved=True, resolution="restarted", message="other"
    )
    request = pb.UpdateEventRequest(event=change, update_mask=FieldMask(paths=["resolved", "resolution"]))
    after = (await stubs.events.UpdateEvent(request)).event
    assert (after.resolved, after.resolution, after.job_id) == (True, "restarted", "")
    assert after.message == event(1).message and after.resolved_at.seconds > 0
    again = (await stubs.events.UpdateEvent(request)).event
    assert again.resolved_at == after.resolved_at
    wrong = pb.UpdateEventRequest(event=change, update_mask=FieldMask(paths=["message"]))
    assert (await refused(stubs.events.UpdateEvent(wrong)))[0] is grpc.StatusCode.INVALID_ARGUMENT
    missing = pb.UpdateEventRequest(
        event=event_pb2.ErrorEvent(id=event(9).id), update_mask=FieldMask(paths=["job_id"])
    )
    assert (await refused(stubs.events.UpdateEvent(missing)))[0] is grpc.StatusCode.NOT_FOUND


async def test_resolve_counts_what_was_open(stubs: Stubs) -> None:
    """By ids or by filter, each open event is resolved once; a dry run only counts."""
    await report(stubs, *(event(i, severity=1 + i % 2) for i in range(10)))
    dry = pb.ResolveEventsRequest(filter="severity = LOW", validate_only=True)
    assert (await stubs.events.ResolveEvents(dry)).resolved == 5
    assert (await stubs.events.ResolveEvents(pb.ResolveEventsRequest(filter="severity = LOW"))).resolved == 5
    by_ids = pb.ResolveEventsRequest(ids=[event(i).id for i in range(10)] * 2)
    assert (await stubs.events.ResolveEvents(by_ids)).resolved == 5
    assert (await stubs.events.ResolveEvents(by_ids)).resolved == 0
    assert (await refused(stubs.events.ResolveEvents(pb.ResolveEventsRequest())))[1] == "INVALID_REQUEST"


async def test_statistics_follow_every_change(stubs: Stubs) -> None:
    """Counts are right after reports, changes of severity, resolutions and deletions."""
    old = event(1, severity=4)
    old.timestamp.seconds -= 25 * 3600
    await report(stubs, old, event(2, severity=1), event(3, severity=1))
    stats = await stubs.events.GetEventStats(pb.GetEventStatsRequest())
    assert (stats.total, stats.unresolved, stats.recent_24h) == (3, 3, 2)
    assert dict(stats.by_severity) == {"LOW": 2, "MEDIUM": 0, "HIGH": 0, "CRITICAL": 1}
    change = event_pb2.ErrorEvent(id=event(2).id, severity=event_pb2.SEVERITY_HIGH)
    await stubs.events.UpdateEvent(
        pb.UpdateEventRequest(event=change, update_mask=FieldMask(paths=["severity"]))
    )
    await stubs.events.ResolveEvents(pb.ResolveEventsRequest(ids=[old.id]))
    request = pb.DeleteResolvedEventsRequest()
    request.older_than.seconds = 24 * 3600
    assert (await stubs.events.DeleteResolvedEvents(request)).deleted == 1
    stats = await stubs.events.GetEventStats(pb.GetEventStatsRequest())
    assert (stats.total, stats.unresolved, stats.recent_24h) == (2, 2, 2)
    assert dict(stats.unresolved_by_severity) == {"LOW": 1, "MEDIUM": 0, "HIGH": 1, "CRITICAL": 0}


async def test_secrets_do_not_reach_the_store(stubs: Stubs) -> None:
    """Keys that name secrets and values that look like some are redacted at ingest, wherever they are."""
    said = event(1)
    said.message = "login failed: Authorization: Bearer abcdef0123456789, postgres://bob:hunter2@db/x"
    said.stack_trace = "password=hunter2"
    said.details.update(
        {"headers": [{"X-Api-Key": "hunter2"}], "note": "-----BEGIN PRIVATE KEY-----\nhunter2"}
    )
    await report(stubs, said)
    kept = (await stubs.events.GetEvent(pb.GetEventRequest(id=said.id))).event
    assert "hunter2" not in str(kept) and "abcdef0123456789" not in str(kept)
    assert "[redacted:" in kept.message


async def test_tail_sends_the_backlog_and_then_what_is_new(stubs: Stubs) -> None:
    """A follower gets the newest events in order, then each new one that matches, once."""
    await report(stubs, *(event(i) for i in range(3)))
    call = stubs.events.TailEvents(pb.TailEventsRequest(backlog=2, filter="component = route/all"))

    async def following() -> list[str]:
        async with asyncio.timeout(PATIENCE_S):
            return [(await call.read()).event.id for _ in range(2)]

    first = await following()
    assert first == sorted(first) and len(first) == 2
    await report(stubs, event(7, component="route/other"), event(8), event(9))
    assert await following() == [event(8).id, event(9).id]
    call.cancel()


async def test_tail_refuses_a_bad_filter(stubs: Stubs) -> None:
    """A filter that does not parse ends the stream with INVALID_ARGUMENT."""
    call = stubs.events.TailEvents(pb.TailEventsRequest(filter="nothing"))
    async with asyncio.timeout(PATIENCE_S):
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
