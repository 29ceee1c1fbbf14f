"""Groups, histories and exports as the commands show them."""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path

import pytest

from seawall.client import AsyncSeawall, Seawall
from seawall.v1 import event_pb2
from tests.integration.cli.conftest import Run, some_event
from tests.kit.processes import Child

pytestmark = pytest.mark.integration


def _event(number: int, fingerprint: str = "v1:a", **more: str) -> event_pb2.ErrorEvent:
    event = some_event(number)
    event.fingerprint = fingerprint
    event.timestamp.FromSeconds(int(time.time()) - 60 + number)
    for name, value in more.items():
        setattr(event, name, value)
    return event


def test_a_group_is_found_described_and_resolved(run: Run, seawall: Seawall) -> None:
    """Resolved groups leave the list; --all and filters find them."""
    seawall.events.report([_event(1), _event(2), _event(3, "v1:b")])
    listed = run("groups", "list", "--order", "count", "-o", "json").json()["groups"]
    assert [(one["id"], one["events"], one["state"]) for one in listed] == [
        ("v1:a", 2, "new"),
        ("v1:b", 1, "new"),
    ]
    text = run("groups", "list").out
    assert "v1:a" in text and "STATE" in text
    described = run("groups", "describe", "v1:a", "-o", "json").json()
    assert len(described["samples"]) == 2 and described["hours"] and described["group"]["why"]
    assert "Why one group" in run("groups", "describe", "v1:a").out
    done = run("groups", "resolve", "v1:a", "-m", "restarted", "--in-revision", "3", "-o", "json")
    assert (done.json()["state"], done.json()["resolved_revision"]) == ("resolved", 3)
    assert "2 stored events" in done.err
    assert [one["id"] for one in run("groups", "list", "-o", "json").json()["groups"]] == ["v1:b"]
    found = run("groups", "list", "--filter", "state = RESOLVED", "-o", "json").json()["groups"]
    assert [one["id"] for one in found] == ["v1:a"]
    assert run("groups", "reopen", "v1:a", "-o", "json").json()["state"] == "ongoing"
    assert run("groups", "describe", "v1:nothing").code == 1


def test_a_group_is_muted_assigned_and_merged(run: Run, seawall: Seawall) -> None:
    """One way of muting at a time; what was merged can be taken out again."""
    seawall.events.report([_event(1), _event(2, "v1:b")])
    assert run("groups", "mute", "v1:a", "-o", "json").json()["muted_until"] == "escalating"
    assert run("groups", "mute", "v1:a", "--forever", "-o", "json").json()["muted_until"] == "forever"
    assert run("groups", "mute", "v1:a", "--count", "3", "-o", "json").json()["muted_until"] == 4
    assert run("groups", "mute", "v1:a", "--for", "1h", "-o", "json").json()["muted_until"].endswith("Z")
    assert run("groups", "mute", "v1:a", "--for", "1h", "--forever").code == 2
    assert run("groups", "assign", "v1:a", "ann", "-o", "json").json()["assignee"] == "ann"
    assert (
        run("groups", "note", "v1:a", "seen before", "-o", "json").json()["activity"][-1]["text"]
        == "seen before"
    )
    assert run("groups", "merge", "v1:a", "v1:b", "-o", "json").json()["events"] == 2
    assert "Fingerprints" in run("groups", "describe", "v1:a").out
    assert run("groups", "split", "v1:a", "v1:b").code == 0


def test_grouping_rules_are_a_file(run: Run, tmp_path: Path) -> None:
    """Checked without being used, then used; a mistake is explained."""
    file = tmp_path / "rules.yaml"
    file.write_text("- {name: shards, filter: 'message:shard', by: [route]}\n")
    assert "fine" in run("groups", "rules", str(file), "--dry-run").err
    assert run("groups", "rules", "-o", "json").json() == {"rules": []}
    assert "in force" in run("groups", "rules", str(file)).err
    assert "shards" in run("groups", "rules").out
    file.write_text("- {name: money, filter: 'route = pay', by: [fingerprint], severity: critical}\n")
    assert run("groups", "rules", str(file)).code == 0
    row = run("groups", "rules").out.splitlines()[1]
    assert row.split() == ["money", "route", "=", "pay", "fingerprint", "CRITICAL"]
    (shown,) = run("groups", "rules", "-o", "json").json()["rules"]
    assert (shown["by"], shown["severity"]) == (["fingerprint"], "critical")
    file.write_text("- {name: x, filter: 'colour = blue'}\n")
    wrong = run("groups", "rules", str(file))
    assert wrong.code == 1 and "colour" in wrong.err
    file.write_text("- {colour: blue}\n")
    unknown = run("groups", "rules", str(file))
    assert unknown.code == 1 and "rules[0].colour: there is no such field" in unknown.err


def test_no_rules_are_put_in_force_by_those_who_say_so(run: Run, tmp_path: Path) -> None:
    """An empty file is a mistake until it is said that there are to be none."""
    file = tmp_path / "rules.yaml"
    file.write_text("- {name: shards, filter: 'message:shard', by: [route]}\n")
    assert run("groups", "rules", str(file)).code == 0
    mixed = run("groups", "rules", str(file), "--clear", "--yes")
    assert (mixed.code, "has rules" in mixed.err) == (2, True)
    file.write_text("")
    empty = run("groups", "rules", str(file))
    assert (empty.code, "--clear" in empty.err) == (1, True)
    unasked = run("groups", "rules", "--clear")
    assert (unasked.code, "This takes 1 rule away" in unasked.err) == (2, True)
    assert run("groups", "rules", "-o", "json").json()["rules"]
    assert "0 rules are in force" in run("groups", "rules", "--clear", "--yes").err
    assert run("groups", "rules", "-o", "json").json() == {"rules": []}


def test_history_says_what_happened_to_a_job(run: Run, seawall: Seawall) -> None:
    """Oldest first."""
    seawall.events.report([_event(1, job_id="j", trace_id="ab" * 16), _event(2, job_id="j"), _event(3)])
    found = run("events", "history", "--job", "j", "-o", "json").json()
    assert [one["message"] for one in found["events"]] == ["event 1", "event 2"]
    assert len(run("events", "history", "--trace", "ab" * 16, "-o", "json").json()["events"]) == 1
    assert "event 1" in run("events", "history", "--job", "j").out
    assert run("events", "history").code == 2


def test_export_writes_a_file(run: Run, seawall: Seawall, tmp_path: Path) -> None:
    """To stdout or to a file."""
    seawall.events.report([_event(1), _event(2)])
    lines = run("export", "events").out.splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["event 2", "event 1"]
    out = tmp_path / "events.csv"
    ran = run("export", "events", "--format", "csv", "--filter", "message:1", "--out", str(out))
    assert "1 events written" in ran.err
    assert [row["message"] for row in csv.DictReader(io.StringIO(out.read_text()))] == ["event 1"]


async def test_asynchronous_client_does_the_same(control: Child) -> None:
    """The same files, histories and counts."""
    async with AsyncSeawall(control.ready["grpc"]) as seawall:
        await seawall.events.report([_event(1)])
        parts = [part async for part in seawall.events.export(format="json")]
        await seawall.events.report([_event(n, job_id="j") for n in range(2, 5)])
        assert [one.message async for one in seawall.events.history(job_id="j", limit=2)] == [
            "event 2",
            "event 3",
        ]
        counts = await seawall.events.timeline(group_by=["kind"])
        assert {row.values["kind"] for row in counts.rows} == {"APPLICATION"}
    assert json.loads(b"".join(part.chunk for part in parts))[0]["message"] == "event 1"
