"""Reports in the background: bounded, counted, never in the way of the application."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence

import pytest

from seawall.capture import Captured
from seawall.errors import Invalid, Unreachable
from seawall.resilience import error_context, report_to, stop_reporting, with_error_handling
from seawall.resilience.reporter import Reporter, current_reporter


class Wire:
    """A delivery that keeps, fails or blocks as it is told."""

    def __init__(self) -> None:
        self.batches: list[list[Captured]] = []
        self.errors: list[Exception] = []
        self.gate = threading.Event()
        self.gate.set()
        self.closed = False

    def send(self, batch: Sequence[Captured]) -> int:
        """Keep a batch."""
        self.gate.wait(60)
        if self.errors:
            raise self.errors.pop(0)
        self.batches.append(list(batch))
        return 0

    def close(self) -> None:
        """Note it."""
        self.closed = True

    @property
    def events(self) -> list[Captured]:
        """Return all events that arrived."""
        return [one for batch in self.batches for one in batch]


def make(wire: Wire, *, max_queue: int = 1000, max_batch: int = 100) -> Reporter:
    """Return a reporter over a wire."""
    return Reporter(
        "test", component="orders", max_queue=max_queue, max_batch=max_batch, delivery=lambda: wire
    )


def broken() -> None:
    """Fail."""
    raise KeyError("x")


def test_an_exception_arrives_with_what_is_known() -> None:
    """Class, text, trace, code, category, job and context, under the id that was returned."""
    wire = Wire()
    with make(wire) as reporter, error_context(job_id="7", job_name="import", tenant="acme"):
        try:
            raise ConnectionError("down")
        except ConnectionError as error:
            event_id = reporter.report(error, details={"n": 3})
        assert reporter.flush(60)
    event = wire.events[0]
    assert (event.id, event.error_type, event.message) == (event_id, "ConnectionError", "down")
    assert (event.component, event.severity) == ("orders", "MEDIUM")
    assert (event.job_id, event.job_name) == ("7", "import")
    assert event.details == {"tenant": "acme", "n": 3}
    assert (event.code, event.category) == ("UNAVAILABLE", "transient")
    assert "test_reporter.py" in event.stack
    assert wire.closed


def test_nothing_runs_before_the_first_report() -> None:
    """No thread, no connection."""
    before = threading.active_count()
    reporter = make(Wire())
    assert threading.active_count() == before
    reporter.close()


def test_a_full_queue_drops_the_newest_and_counts() -> None:
    """While the control plane is away the application loses neither time nor memory."""
    wire = Wire()
    wire.gate.clear()
    reporter = make(wire, max_queue=5, max_batch=2)
    for number in range(20):
        reporter.report(KeyError(number))
    stats = reporter.stats
    assert (stats.reported, stats.dropped, stats.queued) == (20, 15, 5)
    wire.gate.set()
    assert reporter.flush(60)
    assert [event.message for event in wire.events] == [str(number) for number in range(5)]
    stats = reporter.stats
    assert stats.reported == stats.delivered + stats.dropped + stats.queued
    reporter.close()


def test_what_did_not_arrive_is_sent_again() -> None:
    """With the same ids and in the same order."""
    wire = Wire()
    wire.errors = [Unreachable("away"), Unreachable("away")]
    reporter = make(wire)
    ids = [reporter.report(KeyError(number)) for number in range(3)]
    assert reporter.flush(60)
    assert [event.id for event in wire.events] == ids
    assert (reporter.stats.failed_sends, reporter.stats.dropped) == (2, 0)
    reporter.close()


@pytest.mark.parametrize("error", [Invalid("bad"), RuntimeError("a bug")])
def test_what_can_never_arrive_is_dropped(error: Exception) -> None:
    """It does not block what comes after it."""
    wire = Wire()
    wire.errors = [error]
    reporter = make(wire)
    reporter.report(KeyError("bad"))
    assert reporter.flush(60)
    reporter.report(KeyError("good"))
    assert reporter.flush(60)
    assert len(wire.events) == 1
    assert reporter.stats.dropped == 1
    reporter.close()


def test_reporting_never_raises() -> None:
    """Whatever the exception, the details or the redaction do."""

    class Nasty(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def redact(name: str, text: str) -> str:
        raise RuntimeError(name, text)

    wire = Wire()
    reporter = Reporter("test", include_locals=True, redact=redact, delivery=lambda: wire)
    assert reporter.report(Nasty(), severity="URGENT")
    reporter.flush(60)
    assert wire.events[0].message.endswith("Nasty")
    assert wire.events[0].severity == "MEDIUM"
    reporter.close()
    assert reporter.report(KeyError("late"))
    assert reporter.stats.dropped == 1


def test_a_close_in_the_middle_of_an_outage_ends() -> None:
    """What is left is counted as dropped; the wait is as long as it was told."""

    class Away(Wire):
        def send(self, batch: Sequence[Captured]) -> int:
            raise Unreachable("away")

    reporter = Reporter("test", delivery=Away)
    reporter.report(KeyError())
    reporter.close(0.2)
    stats = reporter.stats
    assert (stats.delivered, stats.queued) == (0, 0)
    assert stats.dropped == 1


async def test_from_coroutines() -> None:
    """Flushing and closing do not block the event loop."""
    wire = Wire()
    async with make(wire) as reporter:
        reporter.report(KeyError())
        assert await reporter.aflush(60)
    assert len(wire.events) == 1


def test_many_threads_report_at_once() -> None:
    """Every report is delivered, dropped or queued; none is lost or counted twice."""
    wire = Wire()
    reporter = make(wire, max_queue=100, max_batch=7)

    def work() -> None:
        for number in range(50):
            reporter.report(KeyError(number))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert reporter.flush(60)
    stats = reporter.stats
    assert (stats.reported, stats.queued) == (400, 0)
    assert stats.delivered + stats.dropped == 400
    assert len(wire.events) == stats.delivered == len({event.id for event in wire.events})
    reporter.close()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_reports_on_its_own() -> None:
    """The parent's queue stays with the parent, and the child's thread is a new one."""
    wire = Wire()
    wire.gate.clear()
    reporter = make(wire)
    reporter.report(KeyError("parent"))
    child = os.fork()
    if child == 0:
        wire.gate.set()
        wire.batches.clear()
        reporter.report(KeyError("child"))
        fine = reporter.flush(60) and [event.message for event in wire.events] == ["'child'"]
        os._exit(0 if fine else 1)
    _, status = os.waitpid(child, 0)
    assert status == 0
    wire.gate.set()
    assert reporter.flush(60)
    assert [event.message for event in wire.events] == ["'parent'"]
    reporter.close()


def test_the_reporter_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """`report_to` makes it, error handling uses it, another one replaces it."""
    wire = Wire()
    made: list[str] = []

    def delivery(target: str) -> Wire:
        made.append(target)
        return wire

    monkeypatch.setattr("seawall.resilience.reporter._to_control_plane", delivery)
    try:
        report_to("10.0.0.1:9090", component="old")
        reporter = report_to("10.0.0.2:9090", component="orders")
        assert current_reporter() is reporter
        with pytest.raises(KeyError):
            with_error_handling(broken)()
        assert reporter.flush(60)
        assert (wire.events[0].component, made) == ("orders", ["10.0.0.2:9090"])
    finally:
        stop_reporting()
    assert current_reporter() is None


def test_a_control_plane_that_hangs_holds_nobody_up() -> None:
    """While a batch is stuck on its way, reports are taken as before."""
    wire = Wire()
    wire.gate.clear()
    reporter = make(wire)
    for _ in range(100):
        reporter.report(KeyError())
    assert (reporter.stats.reported, reporter.stats.queued) == (100, 100)
    wire.gate.set()
    assert reporter.flush(60)
    assert len(wire.events) == 100
    reporter.close()


async def test_tasks_carry_their_own_context() -> None:
    """Fields of one task are not seen in another, and end with their block."""
    wire = Wire()
    async with make(wire) as reporter:

        async def work(number: int) -> None:
            with error_context(job_id=str(number)):
                await asyncio.sleep(0)
                reporter.report(KeyError(number))

        await asyncio.gather(*(work(number) for number in range(5)))
        reporter.report(KeyError("outside"))
        await reporter.aflush(60)
    assert {(event.message, event.job_id) for event in wire.events} == {
        ("'outside'", ""),
        *((str(number), str(number)) for number in range(5)),
    }
