"""Errors of an application reach a real control plane, which may be away when they happen."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from google.protobuf.json_format import MessageToDict

from seawall.client import Seawall
from seawall.resilience import (
    Reporter,
    error_context,
    record_operation,
    report_to,
    stop_reporting,
    with_error_handling,
)
from seawall.resilience.reporter import current_reporter
from seawall.v1 import event_pb2, policy_pb2
from tests.kit.processes import PATIENCE_S, end, environment, free_port, wait_until
from tests.kit.stand import Stand

pytestmark = pytest.mark.integration


def charge(amount: int) -> None:
    """Fail with a secret around."""
    api_key = "sk-very-secret"
    raise ConnectionError(f"cannot charge {amount} of {len(api_key)}")


def test_an_error_arrives_with_its_context(stand: Stand) -> None:
    """Component, job, trace, category, what was undone; variables without the secret ones."""
    control = stand.control()
    report_to(control.grpc, component="orders", include_locals=True)
    undone: list[str] = []

    @with_error_handling(severity="HIGH")
    def place(amount: int) -> None:
        record_operation("reserve", compensation=lambda: undone.append("reserve"))
        charge(amount)

    try:
        with error_context(job_id="job-7", job_name="nightly", tenant="acme"), pytest.raises(ConnectionError):
            place(42)
        reporter = current_reporter()
        assert reporter is not None and reporter.flush(PATIENCE_S)
    finally:
        stop_reporting()
    with Seawall(control.grpc) as seawall:
        (event,) = seawall.events.list("component = orders")
    assert (event.error_type, event.message) == ("ConnectionError", "cannot charge 42 of 14")
    assert (event.job_id, event.job_name, event.code) == ("job-7", "nightly", "UNAVAILABLE")
    assert (event.severity, event.kind) == (event_pb2.SEVERITY_HIGH, event_pb2.EVENT_KIND_APPLICATION)
    assert event.category == policy_pb2.CATEGORY_TRANSIENT
    assert "in charge" in event.stack_trace
    assert (event.details["tenant"], event.details["strategy"]) == ("acme", "retry")
    details = MessageToDict(event.details)
    assert details["compensated"] == ["reserve"]
    text = str(details)
    assert "amount" in text
    assert "very-secret" not in text
    assert undone == ["reserve"]


def test_what_happens_while_the_control_plane_is_away_arrives_later(stand: Stand) -> None:
    """Each event once, in spite of repeated batches; the application notices nothing."""
    address = f"127.0.0.1:{free_port()}"
    reporter = Reporter(address, component="away")
    for number in range(50):
        reporter.report(KeyError(number))
    wait_until(lambda: reporter.stats.failed_sends > 0, "a failed batch")
    assert reporter.stats.queued == 50
    control = stand.control(grpc=address)
    wait_until(lambda: reporter.stats.delivered == 50, "everything is delivered")
    end(stand.children[-1])
    reporter.report(KeyError("later"))
    stand.control(grpc=address)
    assert reporter.flush(PATIENCE_S)
    with Seawall(control.grpc) as seawall:
        events = list(seawall.events.list("component = away"))
    assert len(events) == 51
    assert reporter.stats.dropped == 0
    reporter.close()


async def test_an_asynchronous_application_reports_too(stand: Stand) -> None:
    """From coroutines, with a bad detail dropped alone."""
    control = await asyncio.to_thread(stand.control)

    async with Reporter(control.grpc, component="aio") as reporter:
        reporter.report(KeyError("bad"), details={"x": object()})  # type: ignore[dict-item]
        for number in range(5):
            reporter.report(KeyError(number))
        assert await reporter.aflush(PATIENCE_S)
        assert (reporter.stats.delivered, reporter.stats.dropped) == (5, 1)


def test_the_end_of_a_program_waits_for_its_reports(stand: Stand) -> None:
    """A program that fails and exits at once has reported all the same. It waits for two seconds, in which a
    machine that is busy may not come to it: one of several has.
    """
    control = stand.control()
    script = (
        "from seawall.resilience import report_to, with_error_handling\n"
        f"report_to({control.grpc!r}, component='script')\n"
        "@with_error_handling\n"
        "def main(): raise RuntimeError('the end')\n"
        "main()\n"
    )

    def fails() -> list[str]:
        result = subprocess.run(
            [sys.executable, "-c", script], check=False, capture_output=True, env=environment()
        )
        assert result.returncode == 1
        assert b"RuntimeError: the end" in result.stderr
        with Seawall(control.grpc) as seawall:
            return [event.message for event in seawall.events.list("component = script")]

    assert set(wait_until(fails, "an event of the program")) == {"the end"}
