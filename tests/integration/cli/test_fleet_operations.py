"""`seawall fault`, `seawall drain`, `seawall breaker --everywhere` and `seawall operations`."""

from __future__ import annotations

import pytest

from seawall.cli.commands.fault import make_fault
from seawall.client import Seawall
from tests.integration.cli.conftest import Connect, Run

pytestmark = pytest.mark.integration


def test_an_operation_is_begun_seen_and_ended(run: Run, proxies: Connect, seawall: Seawall) -> None:
    """What each proxy said, who it is for, and the way to end it."""
    proxies("p1")
    proxies("p2")
    dry = run("drain", "endpoint", "c", "127.0.0.1:1", "--for", "10m", "--reason", "disk", "--dry-run")
    assert (dry.code, "at: p1, p2" in dry.err) == (0, True)
    assert "There has been no operation" in run("operations", "list").err
    begun = run("drain", "endpoint", "c", "127.0.0.1:1", "--for", "10m", "--reason", "disk")
    assert begun.code == 0, begun.err
    assert begun.out.count("✓ done") == 2
    held = run("breaker", "trip", "r", "--for", "5m", "--everywhere", "--reason", "incident", "-o", "json")
    assert (held.code, held.json()["title"]) == (0, "breaker r FORCED_OPEN")
    assert run("breaker", "observe", "r", "--selector", "zone=a", "--reason", "x").code == 0
    fault = run("fault", "start", "*", "--abort", "unavailable:5%", "--for", "1m", "--reason", "game day")
    assert fault.code == 0, fault.err
    listed = run("operations", "list", "--active", "-o", "json").json()["operations"]
    assert [item["title"] for item in listed] == [
        "fault abort on every route",
        "breaker r METRICS_ONLY",
        "breaker r FORCED_OPEN",
        "drain 127.0.0.1:1 of cluster c",
    ]
    assert "game day" in run("operations", "list").out
    told = run("describe", "proxy", "p1")
    assert "drain 127.0.0.1:1 of cluster c" in told.out and "disk" in told.out
    data = run("describe", "proxy", "p1", "-o", "json").json()
    assert [item["id"] for item in data["operations"]] == [listed[i]["id"] for i in (0, 2, 3)]
    reset = run("breaker", "reset", "r")
    assert f"`seawall operations cancel {listed[2]['id']}` ends it" in reset.err
    shown = run("operations", "show", listed[3]["id"])
    assert "disk" in shown.out and "✓ done" in shown.out
    ended = run("operations", "cancel", listed[3]["id"], "--reason", "mended")
    assert (ended.code, ended.out.count("· ended")) == (0, 2)
    assert seawall.fleet_operations.get(listed[3]["id"]).cancelled_by.endswith(": mended")
    assert "drain 127.0.0.1:1" not in run("describe", "proxy", "p1").out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("drain", "proxy", "--for", "1m", "--reason", "x"), "not the whole fleet"),
        (("drain", "proxy", "--proxy", "x", "--for", "1m"), "--reason"),
        (
            ("fault", "start", "r", "--for", "1m", "--reason", "x", "--abort", "UNAVAILABLE"),
            "lacks its share",
        ),
        (("fault", "start", "r", "--for", "1m", "--reason", "x", "--stream", "burn:5%"), "none of abort"),
        (("fault", "start", "r", "--for", "1m", "--reason", "x", "--bandwidth", "much:5%"), "--bandwidth"),
        (("fault", "start", "r", "--for", "1m", "--reason", "x", "--metadata", "k"), "KEY=VALUE"),
        (("fault", "start", "r", "--for", "1m", "--reason", "x", "--delay", "soon:5%"), "--delay"),
        (("fault", "start", "r", "--for", "1m", "--reason", "x"), "says nothing to break"),
        (("breaker", "trip", "r", "--everywhere"), "reason must say why"),
        (("operations", "show", "nothing"), "there is no operation 'nothing'"),
    ],
)
def test_what_is_missing_is_said(run: Run, args: tuple[str, ...], words: str) -> None:
    """And nothing is done."""
    ran = run(*args)
    assert ran.code != 0
    assert words in ran.err
    assert run("operations", "list", "-o", "json").json() == {"operations": []}


def test_a_fault_is_spelled_as_on_the_command_line() -> None:
    """Each kind with its share; metadata as it is."""
    fault = make_fault(
        abort="unavailable:5%",
        delay="200ms:10",
        bandwidth="64KiB:1.5%",
        stream="drop_trailers:2%",
        metadata=("x-test=a=b",),
    )
    assert (fault.abort.code, fault.abort.percent) == ("UNAVAILABLE", 5.0)
    assert (fault.delay.duration.nanos, fault.delay.percent) == (200_000_000, 10.0)
    assert (fault.bandwidth.per_second, fault.bandwidth.percent) == (65536, 1.5)
    assert (fault.stream.kind, fault.stream.percent) == (3, 2.0)
    assert [(m.name, m.value) for m in fault.metadata] == [("x-test", "a=b")]
