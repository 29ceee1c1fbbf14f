"""The story of a recorded call."""

from __future__ import annotations

from typing import Any

from seawall.cli.narrate import Step, steps
from seawall_policy.retry import REASON_NAMES
from seawall_proxy.call.local_reply import REASONS
from seawall_proxy.call.ports import OUTCOME_NAMES

ATTEMPT = {
    "number": 1,
    "endpoint": "10.0.0.1:1",
    "code": "UNAVAILABLE",
    "latency_s": 0.012,
    "reason": "UPSTREAM_RESET",
}


def event(**changes: Any) -> dict[str, Any]:
    """Return the shape of a failed call."""
    plain: dict[str, Any] = {
        "kind": "call_failed",
        "message": "m",
        "error_type": "UNAVAILABLE",
        "category": "transient",
        "outcome": "failed",
        "reason": "",
        "attempts": [ATTEMPT],
        "details": {},
    }
    return plain | changes


def test_attempts_and_why_there_was_no_other() -> None:
    """Each attempt with endpoint, status, time and reason."""
    second = {"number": 2, "endpoint": "b", "code": "INTERNAL", "latency_s": 0.5, "reason": ""}
    story = steps(event(attempts=[ATTEMPT, second]), "budget")
    assert story[0] == Step(
        "attempt 1 at 10.0.0.1:1: UNAVAILABLE after 12.0 ms", "it broke the stream or the connection off"
    )
    assert story[1].what == "tried again"
    assert story[2] == Step("attempt 2 at b: INTERNAL after 500 ms", "the server answered so")
    assert story[3] == Step("not tried again", "the retry budget was used up")
    assert story[-1] == Step("failed", "The caller got the failure.")


def test_a_rejected_call() -> None:
    """Nothing was sent, and why."""
    story = steps(event(attempts=[], reason="BREAKER_OPEN", outcome="rejected", details={"breaker": "OPEN"}))
    assert story[0] == Step("no attempt was made", "the breaker was open, so nothing was sent")
    assert Step("the breaker was OPEN", "when the call ended") in story


def test_classification_fallback_and_faults() -> None:
    """Who decided, what answered, what was injected."""
    details = {"strategy": "queue", "classify_rule": 2.0, "fallback": "static", "fault": "delay"}
    story = steps(event(outcome="fallback", category="resource", details=details))
    assert Step("classified as resource (queue)", "entry 2 of the policy's `classify` matched") in story
    assert Step("answered by static", "it is the first fallback for UNAVAILABLE") in story
    assert Step("faults were injected: delay", "the policy has a `fault`") in story
    by_reason = steps(event(details={"error_reason": "NO_SPACE"}))
    assert Step("classified as transient", "by its status; the server's reason was NO_SPACE") in by_reason


def test_every_word_is_known() -> None:
    """Outcomes and reasons for not retrying have sentences; reasons of attempts as well."""
    from seawall.cli import narrate

    assert set(narrate._OUTCOMES) == set(OUTCOME_NAMES) - {""}
    assert set(narrate._NOT_RETRIED) == set(REASON_NAMES) - {""}
    assert set(narrate._REASONS) <= set(REASONS)
