"""Failures taken in hand: undone in reverse, classified, reported once, and followed by the right thing."""

from __future__ import annotations

import asyncio
import logging
from importlib import metadata

import pytest

from seawall.resilience import (
    RAISE,
    ErrorHandlingContext,
    Failure,
    Recovery,
    VirtualClock,
    category_of,
    record_operation,
    strategies,
    strategy_of,
    with_error_handling,
)
from seawall.resilience.reporter import Reporter


class Record(Reporter):
    """A reporter that keeps what it is given."""

    def __init__(self) -> None:
        super().__init__("nowhere")
        self.kept: list[tuple[BaseException, dict[str, object]]] = []

    def report(self, error: BaseException, **fields: object) -> str:
        """Keep it."""
        self.kept.append((error, fields))
        return "id"


def details(record: Record, index: int = -1) -> dict[str, object]:
    """Return the details of a report."""
    found = record.kept[index][1]["details"]
    assert isinstance(found, dict)
    return found


def test_what_was_done_is_undone_in_reverse() -> None:
    """And the failure is raised, with its report."""
    record, undone = Record(), []

    @with_error_handling(component="orders", reporter=record)
    def place(order: int) -> None:
        record_operation("reserve", compensation=lambda: undone.append(f"release {order}"))
        record_operation("note")
        record_operation("charge", compensation=lambda: undone.append(f"refund {order}"))
        raise ConnectionError("shipping is down")

    with pytest.raises(ConnectionError):
        place(7)
    assert undone == ["refund 7", "release 7"]
    (error, fields) = record.kept[0]
    assert str(error) == "shipping is down"
    assert (fields["component"], fields["severity"]) == ("orders", "MEDIUM")
    found = details(record)
    assert found["operations"] == ["reserve", "note", "charge"]
    assert found["compensated"] == ["charge", "reserve"]
    assert (found["strategy"], found["attempts"], found["recovered"]) == ("retry", 1, False)
    assert str(found["operation"]).endswith("place")


def test_success_undoes_and_reports_nothing() -> None:
    """The function's result passes through."""
    record = Record()

    @with_error_handling(reporter=record)
    def work() -> int:
        record_operation("a", compensation=lambda: pytest.fail("not to be undone"))
        return 3

    assert work() == 3
    assert record.kept == []


def test_it_works_without_arguments_and_without_a_reporter() -> None:
    """The bare decorator only undoes and raises."""

    @with_error_handling
    def work(number: int) -> int:
        if number < 0:
            raise ValueError
        return number

    assert work(1) == 1
    with pytest.raises(ValueError):
        work(-1)


def test_a_compensation_that_fails_does_not_stop_the_others() -> None:
    """It is noted on the error and in the report."""
    record, undone = Record(), []

    def broken() -> None:
        raise OSError("disk")

    async def asynchronous() -> None:
        undone.append("never")

    work = ErrorHandlingContext("job", reporter=record)
    work.record_operation("first", compensation=lambda: undone.append("first"))
    work.record_operation("second", compensation=broken)
    work.record_operation("third", compensation=asynchronous)
    with pytest.raises(KeyError) as caught, work:
        raise KeyError("x")
    assert undone == ["first"]
    assert caught.value.__notes__[1] == "seawall: could not be undone: second: OSError: disk"
    assert "asynchronous" in caught.value.__notes__[0]
    assert len(details(record)["not_compensated"]) == 2  # type: ignore[arg-type]
    assert work.failure is not None
    assert (work.failure.code, work.failure.category) == ("UNKNOWN", "unknown")
    assert work.failure.compensated == ("first",)


async def test_the_asynchronous_forms() -> None:
    """Compensations may be coroutine functions; a cancelled task is undone and not reported."""
    record, undone = Record(), []

    async def undo() -> None:
        await asyncio.sleep(0)
        undone.append("undone")

    @with_error_handling(reporter=record)
    async def work(error: BaseException) -> None:
        record_operation("a", compensation=undo)
        await asyncio.sleep(0)
        raise error

    with pytest.raises(KeyError):
        await work(KeyError())
    assert (undone, len(record.kept)) == (["undone"], 1)
    with pytest.raises(asyncio.CancelledError):
        await work(asyncio.CancelledError())
    assert (undone, len(record.kept)) == (["undone"] * 2, 1)
    context = ErrorHandlingContext("block", reporter=record)
    context.record_operation("b", compensation=undo)
    with pytest.raises(KeyError):
        async with context:
            raise KeyError
    assert (len(undone), len(record.kept)) == (3, 2)


async def test_tasks_have_contexts_of_their_own() -> None:
    """What one task records, another does not undo."""
    undone: list[int] = []

    @with_error_handling
    async def work(number: int) -> None:
        record_operation("a", compensation=lambda: undone.append(number))
        await asyncio.sleep(0)
        if number % 2:
            raise KeyError(number)

    await asyncio.gather(*(work(number) for number in range(6)), return_exceptions=True)
    assert sorted(undone) == [1, 3, 5]


def test_recording_needs_a_context() -> None:
    """A forgotten decorator is not silent."""
    with pytest.raises(RuntimeError, match="with_error_handling"):
        record_operation("a")


def test_transient_failures_run_again_once_they_are_undone() -> None:
    """Up to three attempts, one report of low severity when it succeeds in the end."""
    clock, record, log = VirtualClock(), Record(), []

    @with_error_handling(recover=True, reporter=record, clock=clock)
    def work() -> str:
        log.append("do")
        record_operation("a", compensation=lambda: log.append("undo"))
        if log.count("do") < 3:
            raise ConnectionResetError
        return "done"

    assert work() == "done"
    assert log == ["do", "undo", "do", "undo", "do"]
    assert clock.sleeps == [0.025, 0.05]
    assert len(record.kept) == 1
    assert (record.kept[0][1]["severity"], details(record)["recovered"]) == ("LOW", True)
    log.clear()
    with pytest.raises(ConnectionResetError):
        with_error_handling(recover=True, reporter=record, clock=clock)(
            lambda: _raise(ConnectionResetError())
        )()
    assert details(record)["attempts"] == 3


def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "category", "attempts", "severity"),
    [
        (ConnectionResetError(), "transient", 3, "MEDIUM"),
        (MemoryError(), "resource", 4, "MEDIUM"),
        (ValueError(), "validation", 1, "LOW"),
        (PermissionError(), "permanent", 1, "HIGH"),
        (RuntimeError(), "unknown", 1, "MEDIUM"),
    ],
)
def test_the_strategy_of_each_category(error: Exception, category: str, attempts: int, severity: str) -> None:
    """Transient and resource run again, the others are raised at once; what a person must see is HIGH."""
    clock, record = VirtualClock(), Record()
    handled = with_error_handling(recover=True, reporter=record, clock=clock)
    with pytest.raises(type(error)):
        handled.call(_raise, error)
    assert category_of(error) == category
    assert details(record)["attempts"] == attempts
    assert details(record)["strategy"] == strategy_of(error)
    assert record.kept[0][1]["severity"] == severity


async def test_strategies_of_ones_own() -> None:
    """By function or by name; they may answer instead of raising."""
    seen: list[Failure] = []

    def answer(failure: Failure) -> Recovery:
        seen.append(failure)
        return Recovery.answer("instead") if failure.attempt == 2 else Recovery.retry(5)

    clock = VirtualClock()
    handled = with_error_handling(by_category={"validation": answer}, clock=clock)
    assert handled.call(_raise, ValueError("bad")) == "instead"
    assert (clock.sleeps, [one.attempt for one in seen]) == ([5.0], [1, 2])
    strategies.add("test_answer", lambda _: Recovery.answer(1))
    assert with_error_handling(by_category={"unknown": "test_answer"}).call(_raise, KeyError()) == 1
    with pytest.raises(ValueError, match="no such category"):
        with_error_handling(by_category={"transcient": "retry"})

    async def work() -> int:
        raise KeyError

    assert await with_error_handling(by_category={"unknown": "test_answer"})(work)() == 1


def test_a_strategy_that_fails_raises_the_failure(caplog: pytest.LogCaptureFixture) -> None:
    """A plug-in cannot make things worse, and the log says what it did."""

    def broken(failure: Failure) -> Recovery:
        raise LookupError(failure.name)

    for strategy in (broken, "not_there"):
        with caplog.at_level(logging.ERROR), pytest.raises(KeyError):
            with_error_handling(by_category={"unknown": strategy}).call(_raise, KeyError())
    assert "LookupError" in caplog.text
    assert "no such strategy: 'not_there'" in caplog.text


def test_strategies_of_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package brings strategies by name in the group `seawall.strategies`."""
    point = metadata.EntryPoint("test_plugin", f"{__name__}:plugin", "seawall.strategies")
    monkeypatch.setattr(metadata.EntryPoint, "load", lambda _: plugin)
    monkeypatch.setattr(
        "seawall.resilience.recovery.entry_points",
        lambda group, name=None: (
            [point] if group == "seawall.strategies" and name in (None, point.name) else []
        ),
    )
    assert "test_plugin" in strategies.names()
    assert with_error_handling(by_category={"unknown": "test_plugin"}).call(_raise, KeyError()) == "plugged"


def plugin(failure: Failure) -> Recovery:
    """Be the plug-in."""
    return Recovery.answer("plugged") if failure.category == "unknown" else RAISE
