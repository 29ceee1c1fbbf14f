"""Commands that need no control plane, and how the command line behaves as a program."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from seawall.cli import exits, main, options
from seawall.cli.commands import events, policy
from seawall.cli.root import COMMANDS
from seawall.v1.admin_policies_pb2 import Change
from tests.kit.processes import ROOT, environment

GOOD = """\
version: v1
listeners: [{name: main, address: "127.0.0.1:0"}]
clusters: [{name: c, endpoints: ["127.0.0.1:1"]}]
routes: [{name: r, cluster: c}]
"""


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    """Return the path of a good policy file."""
    path = tmp_path / "policy.yaml"
    path.write_text(GOOD)
    return path


def test_version_says_what_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has the state of the hot modules and the versions of what matters."""
    assert main(["version", "-o", "json"]) == exits.OK
    shown = json.loads(capsys.readouterr().out)
    assert shown["native"] in {"compiled", "interpreted", "stale"}
    assert {"seawall", "python", "grpcio", "protobuf", "platform", "native_modules"} <= set(shown)


def test_version_and_help_import_no_grpc() -> None:
    """Commands that need no network start without what makes Python programs start slowly."""
    script = (
        "import sys; from seawall.cli import main; main(sys.argv[1:]); "
        "heavy = ('grpc', 'google.protobuf', 'yaml', 'rich', 'asyncio'); "
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    for arguments in (["version"], ["--help"], ["--version"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            capture_output=True,
            text=True,
            check=True,
            env=environment(),
        )
        assert done.stderr.strip() == "[]", arguments


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`-h` works everywhere and says what the command does."""
    assert main([name, "-h"]) == exits.OK
    assert "Usage: seawall " + name in capsys.readouterr().out


def test_a_mistyped_command_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage is exit code 2, with a hint on stderr and nothing on stdout."""
    assert main(["aply"]) == exits.USAGE
    captured = capsys.readouterr()
    assert "Did you mean 'apply'?" in captured.err
    assert captured.out == ""


def test_lint_accepts_a_good_file(policy_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing on stdout, a summary on stderr, exit 0."""
    assert main(["lint", str(policy_file)]) == exits.OK
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "0 mistakes" in captured.err


def test_lint_reports_every_mistake_with_its_place(
    policy_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """file:line:col for each, exit 1; the same as JSON."""
    policy_file.write_text(GOOD.replace("cluster: c}", "clusterr: c}") + "policies: {p: {timeout: 5}}\n")
    assert main(["lint", str(policy_file)]) == exits.FAILED
    text = capsys.readouterr().out
    assert f"{policy_file}:4:20: error" in text
    assert f"{policy_file}:5:25: error" in text
    assert main(["-q", "lint", "-o", "json", str(policy_file)]) == exits.FAILED
    shown = json.loads(capsys.readouterr().out)
    assert shown["errors"] >= 2
    assert {"line", "column", "field", "code", "severity", "message"} <= set(
        shown["files"][0]["violations"][0]
    )


def test_lint_of_a_file_that_cannot_be_read_is_exit_2(
    policy_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other files are checked all the same."""
    assert main(["lint", str(tmp_path / "none.yaml"), str(policy_file)]) == exits.USAGE
    assert "cannot read" in capsys.readouterr().err


def test_up_without_a_file_explains_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The explanation is a policy that works."""
    monkeypatch.chdir(tmp_path)
    assert main(["up"]) == exits.USAGE
    text = capsys.readouterr().err
    example = text.partition("The smallest one:")[2]
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "smallest.yaml").write_text("\n".join(line[2:] for line in example.splitlines()))
    assert main(["lint", str(tmp_path / "smallest.yaml")]) == exits.OK


def test_up_with_mistakes_in_the_file_starts_nothing(
    policy_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mistakes are shown as lint shows them."""
    policy_file.write_text(GOOD + "nonsense: 1\n")
    assert main(["up", "--config", str(policy_file)]) == exits.FAILED
    assert f"{policy_file}:5:1: error" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["get", "proxies"],
        ["stat"],
        ["events", "list"],
        ["breaker", "list"],
        ["rollout", "status"],
        ["events", "tail"],
    ],
)
def test_without_a_control_plane_the_exit_code_is_3(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """One message with a remedy, nothing on stdout."""
    assert main([*arguments, "--control", "127.0.0.1:1"]) == exits.UNREACHABLE
    captured = capsys.readouterr()
    assert "cannot reach the control plane at 127.0.0.1:1" in captured.err
    assert "seawall up" in captured.err
    assert captured.out == ""


def test_diff_never_takes_an_error_for_a_difference(policy_file: Path) -> None:
    """1 means a difference, so mistakes are 2 and an unreachable control plane 3."""
    assert main(["diff", str(policy_file), "--control", "127.0.0.1:1"]) == exits.UNREACHABLE
    policy_file.write_text("nonsense")
    assert main(["diff", str(policy_file), "--control", "127.0.0.1:1"]) == exits.USAGE


def test_a_reader_that_goes_away_is_no_failure() -> None:
    """`seawall ... | head` ends with 0 and without a word, as scripts with pipefail want it."""
    command = [sys.executable, "-m", "seawall", "get", "policies", "--builtin", "-o", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stderr is not None
        child.stdout.close()
        said = child.stderr.read()
        assert (child.wait(30), said) == (0, b"")


def test_builtin_policies_can_be_pasted_into_a_file(
    policy_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `get policy` prints is a section that lint takes, once it has a name of its own."""
    assert main(["get", "policy", "builtin/read"]) == exits.OK
    section = capsys.readouterr().out.replace("builtin/read", "mine")
    policy_file.write_text(GOOD.replace("cluster: c}", "cluster: c, policy: mine}") + section)
    assert main(["lint", str(policy_file)]) == exits.OK
    assert main(["get", "policies", "--builtin", "-o", "json"]) == exits.OK
    assert "builtin/standard" in json.loads(capsys.readouterr().out)["policies"]


def test_check_of_nothing_fails_with_hints(capsys: pytest.CaptureFixture[str]) -> None:
    """Every × has a hint; JSON says the same."""
    nowhere = ["--admin", "127.0.0.1:1", "--http", "127.0.0.1:1", "--control", "127.0.0.1:1"]
    assert main(["check", *nowhere]) == exits.FAILED
    text = capsys.readouterr().out
    assert text.count("×") == 3
    assert text.count("hint:") >= 3
    assert main(["check", "--quick", "-o", "json", *nowhere]) == exits.FAILED
    shown = json.loads(capsys.readouterr().out)
    assert shown["ok"] is False
    assert [one["name"] for one in shown["checks"]] == ["proxy", "control plane"]


class _Late(BaseHTTPRequestHandler):
    """Healthy from the third time on that it is asked."""

    asked = 0

    def do_GET(self) -> None:
        """Answer."""
        type(self).asked += 1
        self.send_response(200 if self.asked > 2 else 503)
        self.end_headers()
        self.wfile.write(b'{"status": "healthy"}' if self.asked > 2 else b'{"status": "unhealthy"}')

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_check_waits_for_a_start_and_not_for_ever(capsys: pytest.CaptureFixture[str]) -> None:
    """What comes up meanwhile is found; what does not is said when the time is over."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Late) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            at = f"127.0.0.1:{server.server_address[1]}"
            assert main(["check", "--quick", "--no-proxy", "--http", at, "--wait", "30s"]) == exits.OK
        finally:
            server.shutdown()
            thread.join()
    assert _Late.asked == 4, "twice in vain, once healthy, and once to be shown"
    assert capsys.readouterr().out.count("control plane: healthy") == 1
    began = time.monotonic()
    nowhere = ["--no-proxy", "--http", "127.0.0.1:1", "--wait", "500ms"]
    assert main(["check", "--quick", *nowhere]) == exits.FAILED
    assert 0.5 <= time.monotonic() - began < 60.0
    assert "hint: Start it" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("10s", 10), ("1m30s", 90), ("2", 2), ("1.5", 1.5)]
)
def test_lengths_of_time(text: str, seconds: float) -> None:
    """As in a policy file, and a bare number is seconds."""
    assert options.DURATION.convert(text, None, None) == seconds


def test_a_length_of_time_that_is_none_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """The message says how to spell it."""
    assert main(["stat", "--window", "soon"]) == exits.USAGE
    assert "50ms, 1.5s or 1m30s" in capsys.readouterr().err


def test_filters_are_put_together_and_quoted() -> None:
    """The short options narrow a filter down; a value cannot break out of its quotes."""
    assert events.build_filter("") == ""
    assert events.build_filter("a = 1 OR b = 2") == "a = 1 OR b = 2"
    assert (
        events.build_filter("a = 1 OR b = 2", severity="high", route='x" OR y', unresolved=True)
        == '(a = 1 OR b = 2) AND severity = HIGH AND route = "x\\" OR y" AND resolved = false'
    )


def test_changes_are_told_by_a_sign() -> None:
    """New, gone and changed fields differ in their first character, not only in colour."""
    text = policy.change_lines(
        [
            Change(field="a", after="1"),
            Change(field="b", before="1"),
            Change(field="c", before="1", after="2"),
        ]
    )
    assert [line.split("m", 1)[1][0] for line in text.splitlines()] == ["+", "-", "~"]


def test_reference_page_is_fresh() -> None:
    """docs/reference/cli.md says what the help says."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "gen_cli_reference.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["rollout", "undo", "--to-revision", "9" * 20],
        ["groups", "resolve", "v1:0", "--in-revision", str(2**63)],
        ["audit", "export", "--after", str(2**63)],
        ["export", "events", "--limit", str(2**63)],
        ["events", "list", "--filter", "\udcff"],
        ["groups", "note", "v1:0", "\udcff"],
    ],
)
def test_what_no_request_can_hold_is_wrong_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A number that is too large, a text that is no UTF-8: a line, not a traceback."""
    assert main([*arguments, "--control", "127.0.0.1:1"]) == exits.USAGE
    assert "Error: " in capsys.readouterr().err
