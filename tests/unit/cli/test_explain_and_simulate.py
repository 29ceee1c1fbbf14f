"""`seawall explain` and `seawall simulate` without a control plane."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seawall.cli import exits, main
from tests.unit.cli.test_recorded import event, line

POLICY = """\
version: v1
listeners: [{name: main, address: "127.0.0.1:0"}]
clusters: [{name: c, endpoints: ["127.0.0.1:1"]}]
policies:
  careful: {extends: builtin/standard, timeout: 2s, retry: {max_attempts: 3}}
routes:
  - {name: r, match: {service: a.B}, cluster: c, policy: careful, idempotent: true}
  - {name: drill, match: {service: a.B, metadata: [{name: x-drill, value: "1"}]}, cluster: c}
"""


@pytest.fixture
def policy(tmp_path: Path) -> str:
    """Return the path of a policy file."""
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return str(path)


def test_explain_a_call(policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As text and as JSON with stable keys."""
    assert main(["explain", "a.B/C", "--config", policy]) == exits.OK
    text = capsys.readouterr().out
    assert "careful → builtin/standard" in text
    assert "drill: metadata: x-drill is not '1'" in text
    assert main(["explain", "a.B/C", "--config", policy, "-o", "json"]) == exits.OK
    shown = json.loads(capsys.readouterr().out)
    assert set(shown) == {
        "method",
        "route",
        "passed_over",
        "policy",
        "line",
        "idempotent",
        "destinations",
        "mechanisms",
        "clusters",
        "off",
        "optional",
    }
    retry = next(one for one in shown["mechanisms"] if one["name"] == "retry")
    assert {"name": "retry.max_attempts", "value": 3, "source": "careful"} in retry["settings"]


def test_explain_with_metadata(policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Names are not case-sensitive."""
    arguments = ["explain", "a.B/C", "--config", policy, "--metadata", "X-Drill=1", "-o", "json"]
    assert main(arguments) == exits.OK
    assert json.loads(capsys.readouterr().out)["route"] == "drill"


def test_explain_no_route(policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, and why each route does not take it."""
    assert main(["explain", "x.Y/Z", "--config", policy]) == exits.FAILED
    assert "UNIMPLEMENTED" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["explain"],
        ["explain", "a.B/C", "--event", "1"],
        ["explain", "nomethod"],
        ["explain", "a.B/C", "--config", "none.yaml"],
        ["explain", "a.B/C", "--metadata", "nothing"],
    ],
)
def test_explain_wrong_usage(arguments: list[str], policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2."""
    if "--config" not in arguments:
        arguments = [*arguments, "--config", policy]
    assert main(arguments) == exits.USAGE
    assert capsys.readouterr().out == ""


def test_simulate_an_access_log(policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The policy retries what failed in the record; caveats stand below the numbers."""
    log = tmp_path / "access.log"
    log.write_text(
        "\n".join([line(), line(status="UNAVAILABLE", outcome="failed"), line(time="2026-11-30T10:00:01Z")])
    )
    assert main(["simulate", "--config", policy, "--access-log", str(log), "-o", "json"]) == exits.OK
    shown = json.loads(capsys.readouterr().out)
    [route] = shown["candidate"]["routes"]
    assert (route["calls"], route["recorded_ok"], route["ok"], route["saved"]) == (3, 2, 3, 1)
    assert (route["added_attempts"], route["estimated_attempts"]) == (1, 1)
    assert shown["against"] is None
    assert shown["caveats"]
    parts = {part["mechanism"]: part for part in route["mechanisms"]}
    assert (parts["retry"]["saved"], parts["retry"]["added_attempts"]) == (1, 1)
    assert not parts["max_in_flight"]["judged"]
    plain = tmp_path / "plain.yaml"
    plain.write_text(POLICY.replace("max_attempts: 3", "max_attempts: 1"))
    assert (
        main(["simulate", "--config", policy, "--against", str(plain), "--access-log", str(log)]) == exits.OK
    )
    text = capsys.readouterr().out
    assert "Candidate:" in text
    assert "Against:" in text
    assert "Mechanisms of " in text
    assert "not judged: " in text
    assert "Bear in mind:" in text


def test_simulate_events(policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Events in a file; that good calls are missing is said."""
    file = tmp_path / "events.json"
    file.write_text(json.dumps({"events": [event(), event(timestamp="2026-11-30T10:00:02.000Z")]}))
    assert main(["simulate", "--config", policy, "--events", str(file)]) == exits.OK
    assert "an access log has all" in capsys.readouterr().out


def test_simulate_breaker_transitions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """When the breaker would have opened, and whom it would have refused."""
    file = tmp_path / "policy.yaml"
    file.write_text(
        POLICY.replace(
            "timeout: 2s, retry: {max_attempts: 3}",
            "retry: {max_attempts: 1}, breaker: {consecutive: 2, open_for: 1h}",
        )
    )
    log = tmp_path / "access.log"
    times = [f"2026-11-30T10:00:{second:02d}Z" for second in range(6)]
    codes = ["UNAVAILABLE", "UNAVAILABLE", "OK", "OK", "UNAVAILABLE", "OK"]
    log.write_text(
        "\n".join(
            line(time=time, status=code, outcome="ok" if code == "OK" else "failed")
            for time, code in zip(times, codes, strict=True)
        )
    )
    assert main(["simulate", "--config", str(file), "--access-log", str(log), "-o", "json"]) == exits.OK
    [route] = json.loads(capsys.readouterr().out)["candidate"]["routes"]
    assert (route["rejected_good"], route["rejected_bad"]) == (3, 1)
    [change] = route["breaker_transitions"]
    assert (change["from"], change["to"], change["trigger"]) == ("CLOSED", "OPEN", "consecutive")
    assert main(["simulate", "--config", str(file), "--access-log", str(log)]) == exits.OK
    assert "Breaker of r:" in capsys.readouterr().out


def test_simulate_wrong_usage(policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files that cannot be read or are something else, and nothing to run over."""
    empty = tmp_path / "empty"
    empty.write_text("")
    missing = str(tmp_path / "none")
    assert main(["simulate", "--config", policy, "--access-log", missing]) == exits.USAGE
    assert main(["simulate", "--config", policy, "--events", str(empty)]) == exits.USAGE
    both = ["--events", str(empty), "--access-log", str(empty)]
    assert main(["simulate", "--config", policy, *both]) == exits.USAGE
    assert main(["simulate", "--config", policy, "--access-log", str(empty)]) == exits.FAILED
    assert "no recorded call" in capsys.readouterr().err
