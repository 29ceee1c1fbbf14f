"""Groups, exports, histories and counts over real gRPC."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from time import monotonic
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from seawall.v1 import admin_events_pb2 as events_pb
from seawall.v1 import admin_groups_pb2 as pb
from seawall.v1 import event_pb2
from seawall_control.domain.events import Severity
from seawall_control.server import ControlPlane
from seawall_control.services.notices import NoticeKind
from tests.integration.control.kit import Proxy, Stubs, event
from tests.integration.control.test_events import refused, report
from tests.kit.processes import PATIENCE_S

pytestmark = pytest.mark.integration


def of_group(number: int, fingerprint: str = "v1:a", **more: Any) -> event_pb2.ErrorEvent:
    """Return an event of a group."""
    found = event(number)
    found.fingerprint = fingerprint
    for name, value in more.items():
        setattr(found, name, value)
    return found


async def group(stubs: Stubs, group_id: str = "v1:a") -> Any:
    """Return a group and what belongs to it."""
    return await stubs.groups.GetGroup(pb.GetGroupRequest(id=group_id))


async def test_flood_from_a_proxy_is_acknowledged_and_counted(plane: ControlPlane, stubs: Stubs) -> None:
    """Of 1,500 failures of one cause some two hundred are stored, and one more each second; all are counted,
    once; each group is told once.
    """
    began = monotonic()
    watcher = plane.notices.subscribe([NoticeKind.GROUP_NEW])
    proxy = Proxy(stubs, "p1")
    await proxy.hello()
    for start in range(1, 1501, 500):
        batch = [(n, of_group(n)) for n in range(start, start + 500)]
        for _ in range(2):
            await proxy.send("s", *batch)
            assert (await proxy.hear("event_ack")).event_ack.through_seq == start + 499
    await proxy.send("s", (1501, of_group(1501, "v1:b")))
    await proxy.hear("event_ack")
    found = await group(stubs)
    stats = await stubs.events.GetEventStats(events_pb.GetEventStatsRequest())
    assert found.group.events == 1500
    assert stats.total == 1500 - found.group.counted + 1
    assert 200 < stats.total < 300 + monotonic() - began
    assert found.samples[0].id == of_group(1500).id
    assert sum(hour.events for hour in found.hours) == 1500
    assert [(await watcher.next()).data["group"] for _ in range(2)] == ["v1:a", "v1:b"]
    lines = await stubs.events.GetEventTimeline(events_pb.GetEventTimelineRequest(group_by=["severity"]))
    assert sum(row.events for row in lines.rows) == 1501
    assert {row.values["severity"] for row in lines.rows} == {"MEDIUM"}
    assert plane.events.numbers.counted_only + plane.events.numbers.stored == 1501


async def test_groups_are_listed_in_pages_by_filter_and_order(stubs: Stubs) -> None:
    """Each group once, in the order asked for; a wrong filter or order says what is allowed."""
    await report(stubs, *(of_group(n, f"v1:{n % 5}") for n in range(15)), of_group(20, "v1:0", severity=4))
    seen: list[str] = []
    token = ""
    while True:
        request = pb.ListGroupsRequest(page_size=2, page_token=token, order_by="events desc")
        page = await stubs.groups.ListGroups(request)
        seen += [one.id for one in page.groups]
        token = page.next_page_token
        if not token:
            break
    assert seen == ["v1:0", "v1:4", "v1:3", "v1:2", "v1:1"]
    found = await stubs.groups.ListGroups(pb.ListGroupsRequest(filter="state = NEW AND severity >= CRITICAL"))
    assert [one.id for one in found.groups] == ["v1:0"]
    _, reason, message = await refused(stubs.groups.ListGroups(pb.ListGroupsRequest(filter="shape = round")))
    assert reason == "INVALID_FILTER" and "last_seen" in message
    _, reason, _ = await refused(stubs.groups.ListGroups(pb.ListGroupsRequest(order_by="shape")))
    assert reason == "INVALID_REQUEST"


async def test_resolved_group_resolves_its_events_and_comes_back(plane: ControlPlane, stubs: Stubs) -> None:
    """An old etag is refused; a newer event reopens it and is told."""
    await report(stubs, of_group(1), of_group(2), of_group(3, "v1:b"))
    etag = (await group(stubs)).group.etag
    request = pb.ResolveGroupRequest(id="v1:a", resolution="restarted", etag=etag, actor="ann")
    done = await stubs.groups.ResolveGroup(request)
    assert (done.group.state, done.resolved) == (pb.GROUP_STATE_RESOLVED, 2)
    assert done.group.activity[-1].text == "restarted"
    code, reason, _ = await refused(stubs.groups.ResolveGroup(request))
    assert (code, reason) == (grpc.StatusCode.ABORTED, "STALE_ETAG")
    kept = (await stubs.events.GetEvent(events_pb.GetEventRequest(id=event(1).id))).event
    assert kept.resolved and kept.resolution.endswith("restarted")
    watcher = plane.notices.subscribe([NoticeKind.GROUP_REGRESSED])
    await report(stubs, of_group(4))
    notice = await watcher.next()
    assert (notice.subject, notice.severity) == ("group/v1:a", Severity.MEDIUM)
    assert (await group(stubs)).group.state == pb.GROUP_STATE_REGRESSED


async def test_group_is_assigned_muted_noted_and_reopened(stubs: Stubs) -> None:
    """What the mask names is changed; each change is in the history."""
    await report(stubs, of_group(1))
    change = pb.UpdateGroupRequest(
        group=pb.Group(id="v1:a", assignee="bob", archive=pb.Archive(until_count=5)),
        update_mask=FieldMask(paths=["assignee", "archive"]),
        note="known",
    )
    found = (await stubs.groups.UpdateGroup(change)).group
    assert (found.state, found.assignee, found.archive.until_count) == (pb.GROUP_STATE_ARCHIVED, "bob", 6)
    await stubs.groups.UpdateGroup(pb.UpdateGroupRequest(group=pb.Group(id="v1:a"), note="password=hunter2"))
    found = (await stubs.groups.ReopenGroup(pb.ReopenGroupRequest(id="v1:a", note="no"))).group
    assert [one.what for one in found.activity] == ["new", "assigned", "archived", "note", "reopened"]
    assert "hunter2" not in str(found)
    for wrong in (
        pb.UpdateGroupRequest(group=pb.Group(id="v1:a"), update_mask=FieldMask(paths=["state"])),
        pb.UpdateGroupRequest(group=pb.Group(id="v1:a"), update_mask=FieldMask(paths=["archive"])),
        pb.UpdateGroupRequest(group=pb.Group(id="v1:a")),
        pb.UpdateGroupRequest(
            group=pb.Group(id="v1:a", archive=pb.Archive(until_time=Timestamp(seconds=1))),
            update_mask=FieldMask(paths=["archive"]),
        ),
    ):
        assert (await refused(stubs.groups.UpdateGroup(wrong)))[0] is grpc.StatusCode.INVALID_ARGUMENT
    _, reason, _ = await refused(stubs.groups.ReopenGroup(pb.ReopenGroupRequest(id="v1:a")))
    assert reason == "PRECONDITION_FAILED"


async def test_merged_groups_show_the_samples_of_all(stubs: Stubs) -> None:
    """And go apart again, for what comes."""
    await report(stubs, of_group(1), of_group(2, "v1:b"))
    merged = (await stubs.groups.MergeGroups(pb.MergeGroupsRequest(id="v1:a", ids=["v1:b"]))).group
    assert merged.events == 2
    found = await group(stubs, "v1:b")
    assert (found.group.id, list(found.fingerprints), len(found.samples)) == ("v1:a", ["v1:a", "v1:b"], 2)
    await stubs.groups.SplitGroup(pb.SplitGroupRequest(id="v1:a", fingerprints=["v1:b"]))
    await report(stubs, of_group(3, "v1:b"))
    assert (await group(stubs, "v1:b")).group.events == 1


async def test_rules_group_before_fingerprints_do(stubs: Stubs) -> None:
    """From the moment they are set; the group says which rule, and values that it looked at."""
    rules = [pb.GroupingRule(name="shards", filter="message:shard", by=["component", "message"])]
    etag = (await stubs.groups.SetGroupingRules(pb.SetGroupingRulesRequest(rules=rules))).etag
    first, second = of_group(1, message="shard 7 away"), of_group(2, "v1:b", message="shard 8 away")
    await report(stubs, first, second, of_group(3))
    found = [one for one in (await stubs.groups.ListGroups(pb.ListGroupsRequest())).groups if one.events == 2]
    assert dict(found[0].why) == {"rule": "shards", "component": "route/all", "message": "shard <num> away"}
    bad = pb.SetGroupingRulesRequest(rules=[pb.GroupingRule(name="x", filter="nothing")], etag=etag)
    assert (await refused(stubs.groups.SetGroupingRules(bad)))[1] == "INVALID_REQUEST"
    for forgotten in (pb.SetGroupingRulesRequest(etag=etag), pb.SetGroupingRulesRequest(validate_only=True)):
        _, reason, message = await refused(stubs.groups.SetGroupingRules(forgotten))
        assert (reason, "takes all rules away" in message) == ("INVALID_REQUEST", True)
    await stubs.groups.SetGroupingRules(pb.SetGroupingRulesRequest(etag=etag, allow_empty=True))
    stale = stubs.groups.SetGroupingRules(pb.SetGroupingRulesRequest(rules=rules, etag=etag))
    assert (await refused(stale))[1] == "STALE_ETAG"


async def test_a_rule_says_how_severe_events_are(stubs: Stubs) -> None:
    """From a proxy and from others; health and alerts go by it, and the groups stay as they are."""
    rule = pb.GroupingRule(name="money", filter="route = pay", by=["fingerprint"], severity=4)  # type: ignore[arg-type]
    await stubs.groups.SetGroupingRules(pb.SetGroupingRulesRequest(rules=[rule]))
    assert list((await stubs.groups.GetGroupingRules(pb.GetGroupingRulesRequest())).rules) == [rule]
    proxy = Proxy(stubs, "p1")
    await proxy.hello()
    await proxy.send("s", (1, of_group(1, route="pay")), (2, of_group(2, "v1:b", route="other")))
    await proxy.hear("event_ack")
    await report(stubs, of_group(3, route="pay"))
    found = await stubs.events.ListEvents(events_pb.ListEventsRequest(order_by="timestamp"))
    assert {(e.route, e.fingerprint, e.severity) for e in found.events} == {
        ("pay", "v1:a", event_pb2.SEVERITY_CRITICAL),
        ("other", "v1:b", event_pb2.SEVERITY_MEDIUM),
    }
    stats = await stubs.events.GetEventStats(events_pb.GetEventStatsRequest())
    assert stats.unresolved_by_severity["CRITICAL"] == 2
    wrong = pb.GroupingRule(name="w", filter="route = pay", severity=9)  # type: ignore[arg-type]
    _, reason, message = await refused(
        stubs.groups.SetGroupingRules(pb.SetGroupingRulesRequest(rules=[wrong]))
    )
    assert (reason, message) == (
        "INVALID_REQUEST",
        "rules[0].severity: must be LOW, MEDIUM, HIGH or CRITICAL; no rule was changed",
    )


async def export(stubs: Stubs, **request: Any) -> str:
    """Return a file."""
    call = stubs.events.ExportEvents(events_pb.ExportEventsRequest(**request))
    return b"".join([part.chunk async for part in call]).decode()


async def test_export_is_a_file_in_each_format(stubs: Stubs) -> None:
    """All events that match, in several parts, newest first; no cell is run by a spreadsheet."""
    for start in range(0, 1200, 400):
        await report(stubs, *(of_group(n, f"v1:{n}") for n in range(start, start + 400)))
    await report(stubs, of_group(5000, message='=cmd|"/c calc"!A1', component="route/x", job_id="j"))
    rows = [json.loads(line) for line in (await export(stubs)).splitlines()]
    assert len(rows) == 1201 and rows[0]["job_id"] == "j" and rows[0]["severity"] == "MEDIUM"
    assert [row["timestamp"] for row in rows] == sorted((row["timestamp"] for row in rows), reverse=True)
    whole = json.loads(await export(stubs, format=events_pb.EXPORT_FORMAT_JSON))
    assert whole == rows
    assert (
        json.loads(await export(stubs, format=events_pb.EXPORT_FORMAT_JSON, filter="route = nowhere")) == []
    )
    table = await export(stubs, format=events_pb.EXPORT_FORMAT_CSV, filter="component = route/x")
    (only,) = csv.DictReader(io.StringIO(table))
    assert only["message"] == "'" + '=cmd|"/c calc"!A1' and only["resolved"] == "false"
    assert set(only) == set(rows[0])
    assert len((await export(stubs, limit=501)).splitlines()) == 501
    call = stubs.events.ExportEvents(events_pb.ExportEventsRequest(filter="nothing"))
    async with asyncio.timeout(PATIENCE_S):
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_history_of_a_job_and_of_a_trace(stubs: Stubs) -> None:
    """Oldest first, with how it ended; neither named is an error."""
    outcomes = (event_pb2.OUTCOME_FAILED, event_pb2.OUTCOME_FAILED, event_pb2.OUTCOME_RETRIED)
    await report(
        stubs,
        *(
            of_group(n, job_id="j", trace_id="ab" * 16, outcome=outcome)
            for n, outcome in enumerate(outcomes, 1)
        ),
        of_group(9, job_id="k"),
    )
    for entity in ({"job_id": "j"}, {"trace_id": "ab" * 16}):
        request = events_pb.GetEntityHistoryRequest(page_size=2, **entity)
        first = await stubs.events.GetEntityHistory(request)
        request.page_token = first.next_page_token
        second = await stubs.events.GetEntityHistory(request)
        found = [*first.events, *second.events]
        assert [one.id for one in found] == [event(n).id for n in (1, 2, 3)]
        assert dict(first.by_outcome) == {"FAILED": 2}
        assert second.last_outcome == event_pb2.OUTCOME_RETRIED and second.next_page_token == ""
    await refused(stubs.events.GetEntityHistory(events_pb.GetEntityHistoryRequest()))


async def test_timeline_refuses_what_it_does_not_count_by(stubs: Stubs) -> None:
    """Steps and fields are those of the counts."""
    for wrong in (
        events_pb.GetEventTimelineRequest(group_by=["message"]),
        events_pb.GetEventTimelineRequest(step={"seconds": 7}),
        events_pb.GetEventTimelineRequest(window={"seconds": 1}),
    ):
        assert (await refused(stubs.events.GetEventTimeline(wrong)))[1] == "INVALID_REQUEST"
    await report(stubs, of_group(1, route="r"), of_group(2))
    request = events_pb.GetEventTimelineRequest(route="r", step={"seconds": 86400})
    found = await stubs.events.GetEventTimeline(request)
    assert [row.events for row in found.rows] == [1] and found.step.seconds == 86400
