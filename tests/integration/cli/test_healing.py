"""`seawall heal` and `seawall analysis` as an operator walks through them, against a real control plane."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from seawall.client import Seawall
from tests.integration.cli.conftest import Ran, Run, some_event
from tests.kit.processes import Child, free_port, running, wait_until

pytestmark = pytest.mark.integration


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Child]:
    """Run a control plane with a hook."""
    arguments = ["-m", "seawall_control", "--data-dir", str(tmp_path / "data"), "--log", "json"]
    # A port that is kept, for whoever starts on it again.
    arguments += ["--grpc", f"127.0.0.1:{free_port()}", "--http", "127.0.0.1:0"]
    arguments += ["--hook", f"note={sys.executable} -c 'print(1)'"]
    with running("control", arguments, tmp_path) as child:
        child.wait_ready()
        yield child


def book(tmp_path: Path, **fields: Any) -> str:
    """Write a runbook that always holds."""
    path = tmp_path / "book.yaml"
    value = {
        "name": "note",
        "condition": "backlog",
        "threshold": 0,
        "lasting": "0s",
        "action": "command",
        "parameters": {"hook": "note"},
        "mode": "approve",
        "verify_after": "1s",
        "cooldown": "10m",
    }
    path.write_text(yaml.safe_dump({**value, **fields}))
    return str(path)


def good(ran: Ran) -> Ran:
    """Return what went well."""
    assert ran.code == 0, ran.err
    return ran


def test_a_runbook_from_its_file_to_its_history(run: Run, tmp_path: Path) -> None:
    """List, describe, set, switch, approve, see it judged, find it again, delete it."""
    listed = good(run("heal", "runbooks", "-o", "json")).json()["runbooks"]
    assert {"name": "disk-nearly-full", "mode": "auto", "built_in": True}.items() <= listed[0].items()
    assert "Judged after" in good(run("heal", "show", "disk-nearly-full")).out

    file = book(tmp_path)
    assert "nothing was changed" in good(run("heal", "set", file, "--dry-run")).err
    assert run("heal", "show", "note").code != 0
    made = good(run("heal", "set", file, "-o", "json")).json()
    assert (made["mode"], made["etag"], made["parameters"]) == ("approve", "1", {"hook": "note"})
    assert "it was approve" in good(run("heal", "mode", "note", "off")).err
    good(run("heal", "mode", "note", "approve"))
    shown = yaml.safe_load(good(run("heal", "show", "note", "-o", "yaml")).out)
    assert (shown["mode"], shown["verify_after"], shown["etag"]) == ("approve", "1s", "3")
    again = tmp_path / "again.yaml"
    again.write_text(yaml.safe_dump({**shown, "etag": "1"}))
    ran = run("heal", "set", str(again))
    assert ran.code != 0
    assert "etag" in ran.err

    def proposed() -> bool:
        return bool(run("heal", "cases", "--open", "-o", "json").json()["cases"])

    wait_until(proposed, "the runbook has proposed something")
    (case,) = good(run("heal", "cases", "--open", "-o", "json")).json()["cases"]
    assert (case["runbook"], case["state"]) == ("note", "proposed")
    # A change may wait for the store at that moment.
    assert isinstance(case["value"], float)
    good(run("heal", "approve", case["id"]))
    wanted = f'id = "{case["id"]}"'

    def recorded() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = run("heal", "cases", "--filter", wanted, "-o", "json").json()["cases"]
        return found

    wait_until(lambda: recorded()[0]["state"] not in ("proposed", "running", "verifying"), "it is judged")
    history = recorded()
    assert not good(run("heal", "cases", "--open", "-o", "json")).json()["cases"]
    way = [one["state"] for one in history]
    assert way == ["not_helped", "verifying", "running", "proposed"], history[0]["outcome"]
    assert "note ended with 0: 1" in history[0]["outcome"]
    assert history[2]["actor"]
    assert good(run("heal", "cases", "--filter", 'state = "failed"')).err.startswith("No such case")
    assert run("heal", "cases", "--filter", "nonsense = 1").code != 0
    stats = good(run("heal", "stats", "-o", "json")).json()
    assert stats["counts"] == [{"action": "command", "state": "not_helped", "cases": 1}]
    assert (stats["effectiveness"], stats["open"]) == (0.0, 0)
    good(run("heal", "delete", "note"))
    assert run("heal", "delete", "disk-nearly-full").code != 0


def test_what_is_wrong_with_a_file_is_said(run: Run, tmp_path: Path) -> None:
    """With its place, and with what would be right."""
    for fields, words in (
        ({"mode": "sometimes"}, "off, dry_run, approve, auto"),
        ({"lasting": "a while"}, "lasting"),
        ({"conditions": "disk"}, "did you mean 'condition'"),
        ({"parameters": {"hok": "x"}}, "no parameter 'hok'"),
    ):
        ran = run("heal", "set", book(tmp_path, **fields))
        assert ran.code != 0
        assert words in ran.err
    ran = run("heal", "set", book(tmp_path, cooldown="1s", max_per_hour=1000))
    assert "cooldown_s" in ran.err
    assert "max_per_hour" in ran.err


def test_a_runbook_is_tried_and_run_by_hand(run: Run, tmp_path: Path) -> None:
    """First what it would do, then it does it."""
    good(run("heal", "set", book(tmp_path, mode="off")))
    tried = good(run("heal", "try", "note", "-o", "json")).json()
    assert (tried["id"], tried["subject"]) == ("", "store")
    assert tried["plan"].startswith("would run ")
    assert "would collect garbage" in good(run("heal", "try", "memory-grows", "--subject", "process")).out
    assert "nothing is measured" in run("heal", "try", "memory-grows").err
    ask = book(tmp_path, name="ask", action="webhook", parameters={"channel": "x"}, mode="off")
    good(run("heal", "set", ask))
    assert "would fail: there is no channel 'x'" in good(run("heal", "try", "ask")).out
    case = good(run("heal", "run", "note", "-o", "json")).json()
    assert (case["state"], case["action"]) == ("running", "command")
    wanted = f'id = "{case["id"]}" AND state = "verifying"'
    wait_until(
        lambda: run("heal", "cases", "--filter", wanted, "-o", "json").json()["cases"], "the hook has ended"
    )


def test_archives(run: Run, seawall: Seawall, tmp_path: Path) -> None:
    """Old resolved events move to a file that is listed, read, checked and deleted."""
    assert "No archive" in good(run("archive", "list")).err
    seawall.events.report([some_event(number) for number in range(20)])
    seawall.events.resolve(filter='message != "event 7"')
    dry = good(run("archive", "events", "--older-than", "0s", "--dry-run", "-o", "json")).json()
    assert (dry["events"], dry["archives"]) == (19, [])
    assert dry["store_bytes"] > 0
    done = good(run("archive", "events", "--older-than", "0s", "--reason", "room", "-o", "json")).json()
    (archive,) = done["archives"]
    assert (archive["events"], archive["removed"], archive["reason"]) == (19, True, "room")
    assert Path(archive["path"]).stat().st_size == archive["size_bytes"]
    assert seawall.events.stats().total == 1
    listed = good(run("archive", "list", "-o", "json")).json()
    assert (listed["archives"], listed["total"]) == ([archive], 1)
    assert archive["name"] in good(run("archive", "list")).out
    assert archive["sha256"] in good(run("archive", "show", archive["name"])).out
    read = good(run("archive", "read", archive["name"], "--filter", 'message = "event 3"'))
    assert [json.loads(line)["message"] for line in read.out.splitlines()] == ["event 3"]
    file = tmp_path / "out.csv"
    good(run("archive", "read", archive["name"], "--format", "csv", "--out", str(file)))
    assert len(file.read_text().splitlines()) == 20
    assert "is sound" in good(run("archive", "verify", archive["name"])).err
    put = good(
        run("archive", "restore", archive["name"], "--filter", 'message = "event 3"', "-o", "json")
    ).json()
    assert (put["matched"], put["restored"]) == (1, 1)
    assert (
        "18 events are back in the record; 1 were there."
        in good(run("archive", "restore", archive["name"])).err
    )
    good(run("archive", "events", "--older-than", "0s"))
    Path(archive["path"]).write_bytes(b"nothing")
    damaged = run("archive", "verify", archive["name"], "-o", "json")
    assert (damaged.code, "check sum" in damaged.json()["fault"]) == (1, True)
    assert "Nothing was deleted" in good(run("archive", "delete", archive["name"])).err
    good(run("archive", "delete", archive["name"], "--yes"))
    assert run("archive", "show", archive["name"]).code == 1
    assert run("archive", "show", "../seawall.db").code == 1


def test_diagnose(run: Run) -> None:
    """Everything that is measured, with units, and who cares."""
    found = good(run("heal", "diagnose", "-o", "json")).json()["observations"]
    kinds = {one["condition"]: one for one in found}
    assert {"backlog", "disk", "store_integrity"} <= set(kinds)
    assert kinds["disk"]["unit"] == "share of the disk, 0 to 1"
    assert [one["runbook"] for one in kinds["disk"]["runbooks"]] == ["disk-nearly-full"]
    assert "GiB free" in good(run("heal", "diagnose")).out
    assert {"name": "disk", "unit": "share of the disk, 0 to 1"} in good(
        run("heal", "actions", "-o", "json")
    ).json()["conditions"]


def test_numbers_of_detectors_survive_a_restart(run: Run, control: Child, tmp_path: Path) -> None:
    """They are set by the command line, and are there after the next start."""
    changed = good(run("analysis", "settings", "error_rate=0.3", "burst_factor=20", "-o", "json")).json()
    assert (changed["error_rate"], changed["burst_factor"]) == (0.3, 20.0)
    assert run("analysis", "settings", "error_rat=1").code != 0
    assert run("analysis", "settings", "error_rate=7").code != 0
    control.terminate()
    arguments = ["-m", "seawall_control", "--data-dir", str(tmp_path / "data"), "--log", "json"]
    arguments += ["--grpc", control.ready["grpc"], "--http", "127.0.0.1:0"]
    with running("again", arguments, tmp_path) as child:
        child.wait_ready()
        kept = good(run("analysis", "settings", "-o", "json")).json()
        assert (kept["error_rate"], kept["burst_factor"], kept["min_calls"]) == (0.3, 20.0, 20.0)


def test_analysis(run: Run, seawall: Seawall) -> None:
    """One page, a trend, a forecast, and what could be changed."""
    seawall.events.report([some_event(number) for number in range(3)])
    found = good(run("analysis", "show", "-o", "json")).json()
    assert found["total_events"] == 0, "they are of another time"
    assert (found["bucket_s"], len(found["trend"])) == (60.0, 60)
    assert good(run("analysis", "trend", "-o", "json")).json()["series"][0]["events"] == [0] * 60
    forecast = good(run("analysis", "forecast", "-o", "json")).json()
    assert [one["resource"] for one in forecast["exhaustions"]] == [
        *("disk", "memory", "open_files", "deliveries", "store_queue")
    ]
    assert "not growing steadily" in good(run("analysis", "forecast")).out
    recovered = good(run("analysis", "recovery", "-o", "json")).json()
    assert [one["mechanism"] for one in recovered["mechanisms"]] == [
        *("retry", "fallback", "breaker", "ejection", "degradation", "healing")
    ]
    assert "0 calls in trouble" in good(run("analysis", "recovery")).out
    assert len(good(run("analysis", "recovery", "--csv")).out.splitlines()) == 7
    assert "Nothing stands out" in good(run("analysis", "recommend")).err
