"""`seawall alerts` against a real control plane."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from seawall.client import Seawall
from seawall.v1 import event_pb2
from tests.integration.cli.conftest import Ran, Run, some_event
from tests.kit.processes import Child, running, wait_until

pytestmark = pytest.mark.integration


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Child]:
    """Run a control plane whose channels may reach this machine."""
    arguments = ["-m", "seawall_control", "--data-dir", str(tmp_path / "data"), "--log", "json"]
    arguments += ["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--alert-allow-net", "127.0.0.0/8"]
    with running("control", arguments, tmp_path) as child:
        child.wait_ready()
        yield child


class Hook(HTTPServer):
    """Answers every POST with `status` and keeps its body."""

    status = 200
    bodies: list[Any]


@pytest.fixture
def hook() -> Iterator[Hook]:
    """Run a web server."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            server.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(server.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = Hook(("127.0.0.1", 0), Handler)
    server.bodies = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


RULE = """\
name: shop/checkout-errors
title: Checkout fails
severity: critical
when:
  - {kind: error_rate, threshold: 0.05, window: 2m, min_calls: 50}
  - kind: burn_rate
    objective: 0.999
    windows: [{factor: 14.4, long: 1h, short: 5m}]
filters: {all: [route = checkout]}
hold: 30s
"""


def test_rules(run: Run, tmp_path: Path) -> None:
    """A rule is applied from a file, shown in the same form, changed, switched off and deleted."""
    file = tmp_path / "rule.yaml"
    file.write_text(RULE)
    assert run("alerts", "rules", "apply", str(file), "--dry-run").code == 0
    assert run("alerts", "rules", "show", "shop/checkout-errors").code == 1
    assert "is in force" in run("alerts", "rules", "apply", str(file)).err
    shown = yaml.safe_load(run("alerts", "rules", "show", "shop/checkout-errors").out)
    assert shown["when"] == [
        {"kind": "error_rate", "threshold": 0.05, "window": "2m", "min_calls": 50},
        {
            "kind": "burn_rate",
            "objective": 0.999,
            "windows": [{"factor": 14.4, "long": "1h", "short": "5m"}],
        },
    ]
    assert (shown["hold"], shown["interval"], shown["etag"]) == ("30s", "5m", "1")
    file.write_text(yaml.safe_dump({**shown, "severity": "high"}))
    assert run("alerts", "rules", "apply", str(file)).code == 0
    refused = run("alerts", "rules", "apply", str(file))
    assert refused.code == 1
    assert "somebody changed it" in refused.err
    assert run("alerts", "rules", "disable", "shop/checkout-errors").code == 0
    listed = {rule["name"]: rule for rule in run("alerts", "rules", "list", "-o", "json").json()["rules"]}
    assert listed["shop/checkout-errors"]["disabled"]
    assert listed["builtin/disk"]["builtin"]
    listed_text = run("alerts", "rules", "list").out
    assert "error_rate 5%, burn_rate 99.9%" in listed_text
    assert "queue ingest 200, queue deliveries 500, 3 more" in listed_text
    assert "as it was at first" in run("alerts", "rules", "delete", "builtin/disk").err
    assert run("alerts", "rules", "enable", "shop/checkout-errors").code == 0
    assert run("alerts", "rules", "delete", "shop/checkout-errors").code == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: x\nwhen: [{kind: error_rat}]", "when[0].kind: 'error_rat' is none of error_rate, "),
        ("name: x\nwen: []", "wen: there is no such field; did you mean 'when'?"),
        ("name: x\nhold: soon", "hold: 'soon' "),
        ("name: x", "when: has 0 triggers"),
        ("[]", "a mapping is expected"),
        ("name: x\nwhen: [{kind: disk, threshold: 7}]", "when[0].threshold: is 7; it must be 0.0001 to 1"),
        (
            "name: x\nwhen: [{kind: error_rate, threshold: 0.1, severity: high}]",
            "when[0].severity: is not looked at by error_rate, which has threshold, window, min_calls",
        ),
        (
            "name: x y\nwhen: [{kind: breaker, of: [a]}]",
            "rule x y cannot be stored: 2 mistakes\n  name: 'x y' is not a name",
        ),
    ],
)
def test_mistakes_in_files(run: Run, tmp_path: Path, text: str, says: str) -> None:
    """Each is told with its place."""
    file = tmp_path / "rule.yaml"
    file.write_text(text)
    ran = run("alerts", "rules", "apply", str(file))
    assert ran.code == 1
    assert says in ran.err


@pytest.mark.parametrize("url", ["ftp://host/x", "host/path", "https://", "https://host:port/"])
def test_an_address_that_is_none(run: Run, tmp_path: Path, url: str) -> None:
    """It is refused when the channel is set, not when the first alert is to be told."""
    file = tmp_path / "channel.yaml"
    file.write_text(f"name: hook\nwebhook: {{url: '{url}', secret: a-secret-of-some-length}}\n")
    ran = run("alerts", "channels", "apply", str(file))
    assert (ran.code, "webhook.url: is no address such as https://host/path" in ran.err) == (1, True)


def applied(run: Run, tmp_path: Path, hook: Hook) -> Ran:
    """Add a signed webhook, which hears of nothing as harmless as a machine that is a little full."""
    file = tmp_path / "channel.yaml"
    url = f"http://127.0.0.1:{hook.server_address[1]}/"
    file.write_text(
        f"name: hook\nmin_severity: high\nwebhook: {{url: '{url}', secret: a-secret-of-some-length}}\n"
    )
    return run("alerts", "channels", "apply", str(file))


def test_channels(run: Run, tmp_path: Path, hook: Hook) -> None:
    """Secrets are shown as stars and kept when those are applied; a test says whether it works."""
    assert applied(run, tmp_path, hook).code == 0
    shown = run("alerts", "channels", "show", "hook").out
    assert "a-secret" not in shown
    assert yaml.safe_load(shown)["webhook"]["secret"] == "***"
    file = tmp_path / "again.yaml"
    file.write_text(shown)
    assert run("alerts", "channels", "apply", str(file)).code == 0
    assert run("alerts", "test", "hook", "-o", "json").json()["ok"]
    assert hook.bodies[0]["alerts"][0]["state"] == "test"
    hook.status = 500
    failed = run("alerts", "channels", "test", "hook")
    assert (failed.code, failed.err) == (1, "It did not arrive: 127.0.0.1 answered 500.\n")
    listed = run("alerts", "channels", "list").out
    assert "hook" in listed
    assert "webhook" in listed
    assert run("alerts", "channels", "delete", "hook").code == 0


def test_from_firing_to_history(run: Run, seawall: Seawall, tmp_path: Path, hook: Hook) -> None:
    """What fires is listed, shown and acknowledged; a message that fails is listed and sent once more."""
    applied(run, tmp_path, hook)
    hook.status = 410
    seawall.events.report([some_event(1, severity=event_pb2.SEVERITY_CRITICAL, route="checkout")])

    def firing() -> list[Any]:
        found: list[Any] = run("alerts", "list", "--filter", "route = checkout", "-o", "json").json()[
            "alerts"
        ]
        return found

    (alert,) = wait_until(firing, "it fires")
    assert (alert["rule"], alert["phase"], alert["severity"]) == (
        "builtin/critical-event", "firing", "critical"
    )  # fmt: skip
    assert "ValueError in test (critical)" in run("alerts", "list").out
    assert "builtin/critical-event" in run("alerts", "show", alert["id"]).out
    assert "Acknowledged" in run("alerts", "ack", alert["id"], "--reason", "mine").err
    assert "acknowledged by" in run("alerts", "list").out

    def failed() -> list[Any]:
        found: list[Any] = run("alerts", "deliveries", "--failed", "-o", "json").json()["deliveries"]
        return found

    (delivery,) = wait_until(failed, "the message is given up")
    assert "127.0.0.1 answered 410" in run("alerts", "deliveries", "--channel", "hook").out
    hook.status = 200
    assert run("alerts", "retry", delivery["id"]).code == 0
    wait_until(lambda: not failed(), "it is sent")
    whats = [entry["what"] for entry in run("alerts", "history", "-o", "json").json()["entries"]]
    assert {"firing", "acknowledged", "failed", "delivery_retried", "channel_created"} <= set(whats)
    assert "delivery_retried" in run("alerts", "history").out


def test_silences(run: Run) -> None:
    """A silence is added, listed and ended."""
    assert run("alerts", "silence", "add", "--for", "1h").code == 2
    everything = run("alerts", "silence", "add", "--for", "1h", "--reason", "x")
    assert "about everything for 1h" in everything.err
    assert run("alerts", "silence", "expire", everything.err.split("`")[1].split()[-1]).code == 0
    made = run(
        "alerts", "silence", "add", "--rule", "builtin/*", "--for", "1h", "--reason", "x", "-o", "json"
    )
    assert made.json()["rules"] == ["builtin/*"]
    assert "in force" in run("alerts", "silence", "list").out
    assert run("alerts", "silence", "expire", made.json()["id"]).code == 0
    assert run("alerts", "silence", "list", "-o", "json").json() == {"silences": []}
    assert "over" in run("alerts", "silence", "list", "--all").out


def test_thresholds(run: Run) -> None:
    """They are shown, and changed one by one."""
    assert run("alerts", "thresholds", "-o", "json").json() == {
        "error_rate": 0.15, "specific_error_count": 20, "recovery_failure_rate": 0.25
    }  # fmt: skip
    changed = run("alerts", "thresholds", "--error-rate", "0.3", "-o", "json").json()
    assert (changed["error_rate"], changed["specific_error_count"]) == (0.3, 20)


def test_lists_say_that_they_are_empty_and_name_a_trigger_once(run: Run) -> None:
    """A head without a row looked as if something was missing; five triggers of a kind were five words."""
    ran = run("alerts", "deliveries", "--failed")
    assert (ran.code, ran.out.strip(), ran.err.strip()) == (0, "", "No deliveries.")
    (queue,) = [line for line in run("alerts", "rules", "list").out.splitlines() if "builtin/queue" in line]
    assert queue.count("queue, queue") == 0
