"""`seawall explain` and `seawall simulate` with a real control plane."""

from __future__ import annotations

from pathlib import Path

from google.protobuf.duration_pb2 import Duration

from seawall.client import Seawall
from seawall.v1 import event_pb2, policy_pb2
from tests.integration.cli.conftest import Run, some_event


def _call(index: int) -> event_pb2.ErrorEvent:
    event = some_event(
        index,
        kind=event_pb2.EVENT_KIND_CALL_FAILED,
        outcome=event_pb2.OUTCOME_FAILED,
        category=policy_pb2.CATEGORY_TRANSIENT,
        route="r",
        method="a.B/C",
        code="UNAVAILABLE",
        error_type="UNAVAILABLE",
        latency=Duration(nanos=200_000_000),
        attempts=[
            event_pb2.Attempt(
                number=1,
                endpoint="10.0.0.1:1",
                code="UNAVAILABLE",
                reason="UPSTREAM_RESET",
                latency=Duration(nanos=100_000_000),
            )
        ],
    )
    event.details.update(
        {"strategy": "retry", "classify_rule": 1, "breaker": "CLOSED", "not_retried": "budget"}
    )
    return event


def test_a_recorded_call_is_told(run: Run, seawall: Seawall) -> None:
    """Each decision with its reason, as text and as JSON."""
    seawall.events.report([_call(1)])
    told = run("explain", "--event", _call(1).id, "-o", "json")
    assert told.code == 0
    shown = told.json()
    assert set(shown) == {"event", "not_retried", "steps"}
    whats = [step["what"] for step in shown["steps"]]
    assert whats[0] == "attempt 1 at 10.0.0.1:1: UNAVAILABLE after 100 ms"
    assert "classified as transient (retry)" in whats
    text = run("explain", "--event", _call(1).id).out
    assert "the retry budget was used up" in text
    assert "entry 1 of the policy's `classify` matched" in text
    assert run("explain", "--event", "00000000-0000-4000-8000-00000000ffff").code == 1


def test_the_policy_in_effect_is_explained(run: Run, seawall: Seawall, policy: Path) -> None:
    """Without a file the newest revision decides."""
    seawall.policies.apply(str(policy))
    assert run("explain", "a.B/C", "-o", "json").json()["line"] == ["careful", "builtin/standard"]
    assert run("explain", "x.Y/Z").code == 1


def test_events_of_the_control_plane_are_simulated(run: Run, seawall: Seawall, policy: Path) -> None:
    """Those that the filter names."""
    seawall.events.report([_call(1), _call(2), some_event(3)])
    shown = run("simulate", "--config", str(policy), "--filter", "route = r", "-o", "json").json()
    assert (shown["calls"], shown["source"]) == (2, "events")
    assert run("simulate", "--config", str(policy), "--filter", "route = nowhere").code == 1
