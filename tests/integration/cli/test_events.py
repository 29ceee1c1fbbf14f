"""Events as the commands and the clients show them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from seawall.client import AsyncSeawall, Invalid, NotFound, Seawall, from_exception
from seawall.v1 import event_pb2
from tests.integration.cli.conftest import Run, some_event
from tests.kit.processes import PATIENCE_S, Child, environment

pytestmark = pytest.mark.integration


def _fill(seawall: Seawall) -> None:
    events = [some_event(index) for index in range(1, 6)]
    events.append(some_event(6, severity=event_pb2.SEVERITY_CRITICAL, route="checkout", job_id="j1"))
    answer = seawall.events.report(events)
    assert (len(answer.ids), answer.stored) == (6, 6)


def test_events_are_listed_newest_first_and_filtered(run: Run, seawall: Seawall) -> None:
    """The short options and the filter narrow the list down together."""
    _fill(seawall)
    shown = run("events", "list", "-o", "json").json()["events"]
    assert [one["message"] for one in shown] == [f"event {index}" for index in (6, 5, 4, 3, 2, 1)]
    oldest = run("get", "events", "--limit", "2", "-o", "json").json()["events"]
    assert len(oldest) == 2
    for arguments in (
        ["--severity", "critical"],
        ["--route", "checkout"],
        ["--job", "j1"],
        ["--filter", "job_id = j1"],
    ):
        found = run("events", "list", "--unresolved", *arguments, "-o", "json").json()["events"]
        assert [one["message"] for one in found] == ["event 6"], arguments
    text = run("events", "list", "--limit", "1")
    assert "CRITICAL" in text.out
    assert "There are more" in text.err


def test_a_wrong_filter_is_explained(run: Run) -> None:
    """The server's reason reaches the person."""
    ran = run("events", "list", "--filter", "colour = blue")
    assert ran.code == 1
    assert "colour" in ran.err


def test_an_event_is_shown_whole(run: Run, seawall: Seawall) -> None:
    """Stack trace and details are in `show`; an unknown id is exit 1."""
    try:
        raise ValueError("no bait")
    except ValueError as error:
        event = from_exception(error, component="net", job_name="fishing", details={"depth": 12})
    seawall.events.report([event])
    text = run("events", "show", event.id).out
    assert "no bait" in text
    assert "Traceback" in text
    assert '"depth": 12' in text
    assert run("describe", "event", event.id, "-o", "json").json()["job_name"] == "fishing"
    assert run("events", "show", "00000000-0000-4000-8000-00000000ffff").code == 1


def test_events_are_resolved_by_id_and_by_filter(run: Run, seawall: Seawall) -> None:
    """Once is enough; a filter needs --yes where nobody can be asked."""
    _fill(seawall)
    first = some_event(1).id
    assert run("events", "resolve", first, "-m", "mended", "-o", "json").json() == {
        "resolved": 1,
        "dry_run": False,
    }
    again = run("events", "resolve", first, "-o", "json")
    assert (again.code, again.json()["resolved"]) == (0, 0)
    unknown = run("events", "resolve", first, "no-such-id")
    assert (unknown.code, "There is no event no-such-id" in unknown.err) == (1, True)
    nothing = run("events", "resolve", "--filter", "route = nowhere")
    assert (nothing.code, nothing.out.strip()) == (0, "0 events resolved")
    assert "mended" in run("events", "show", first).out
    dry = run("events", "resolve", "--filter", "severity = MEDIUM", "--dry-run")
    assert (dry.code, dry.out.strip()) == (0, "4 events would be resolved")
    refused = run("events", "resolve", "--filter", "severity = MEDIUM")
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert run("events", "resolve", "--filter", "severity = MEDIUM", "-y").out.strip() == "4 events resolved"
    assert run("events", "resolve").code == 2


def test_counts(run: Run, seawall: Seawall) -> None:
    """Total, unresolved, by severity."""
    _fill(seawall)
    run("events", "resolve", some_event(6).id)
    shape = run("events", "stats", "-o", "json").json()
    assert (shape["total"], shape["unresolved"]) == (6, 5)
    assert shape["by_severity"] == {"low": 0, "medium": 5, "high": 0, "critical": 1}
    assert shape["unresolved_by_severity"]["critical"] == 0
    assert "CRITICAL" in run("events", "stats").out


def test_tail_shows_the_backlog_and_what_comes(run: Run, seawall: Seawall, control: Child) -> None:
    """A line of JSON for each event, flushed as it comes; --max ends it."""
    _fill(seawall)
    arguments = [
        "-m",
        "seawall",
        "events",
        "tail",
        "--backlog",
        "2",
        "--max",
        "3",
        "--for",
        "2m",
        "-o",
        "json",
    ]
    environment_ = environment() | {"SEAWALL_CONTROL": control.ready["grpc"]}
    tail = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True, env=environment_)
    try:
        assert tail.stdout is not None
        backlog = [json.loads(tail.stdout.readline())["message"] for _ in range(2)]
        assert backlog == ["event 5", "event 6"]
        seawall.events.report([some_event(7)])
        assert json.loads(tail.stdout.readline())["message"] == "event 7"
        assert tail.wait(PATIENCE_S) == 0
    finally:
        tail.kill()
        tail.communicate()
    assert run("events", "tail", "--backlog", "0", "--for", "200ms").code == 0


def test_pages_are_put_together(seawall: Seawall) -> None:
    """A list that is longer than a page comes whole, and a limit is kept."""
    # Of one problem not all would be kept.
    for start in (0, 400):
        seawall.events.report(
            some_event(start + index, error_type="ABCDEFGH"[index % 8]) for index in range(1, 401)
        )
    ids = [event.id for event in seawall.events.list(limit=1000)]
    assert len(ids) == len(set(ids)) == 800
    assert len(list(seawall.events.list(limit=333))) == 333
    newest = next(iter(seawall.events.list(limit=1)))
    assert newest.message == "event 800"


def test_an_event_is_changed_and_old_ones_are_deleted(seawall: Seawall) -> None:
    """Only what the mask names changes; clean-up takes resolved events only."""
    _fill(seawall)
    event = some_event(1, job_name="new name")
    event.severity = event_pb2.SEVERITY_HIGH
    changed = seawall.events.update(event, ["job_name"])
    assert (changed.job_name, changed.severity) == ("new name", event_pb2.SEVERITY_MEDIUM)
    seawall.events.resolve([event.id], resolution="done")
    assert seawall.events.get(event.id).resolved
    assert seawall.events.delete_resolved(1, validate_only=True) in {0, 1}
    with pytest.raises(Invalid):
        list(seawall.events.list("nonsense ="))


async def test_the_asynchronous_client_does_the_same(control: Child) -> None:
    """One round through its three parts."""
    async with AsyncSeawall(control.ready["grpc"]) as seawall:
        await seawall.events.report([some_event(1), some_event(2)])
        assert [event.message async for event in seawall.events.list()] == ["event 2", "event 1"]
        async for answer in seawall.events.tail(backlog=1, timeout_s=PATIENCE_S):
            assert answer.event.message == "event 2"
            break
        assert (await seawall.events.stats()).total == 2
        with pytest.raises(NotFound):
            await seawall.policies.revision()
        assert [proxy async for proxy in seawall.operations.proxies()] == []
        assert (await seawall.operations.health()).status == "healthy"
        quiet = [answer async for answer in seawall.events.tail(timeout_s=0.2)]
        assert quiet == []
