"""Failures taken in hand: what was done is undone, what happened is reported, and the right thing follows.

    @with_error_handling(component="orders")
    def place(order):
        charge(order)
        record_operation("charge", compensation=lambda: refund(order))
        ship(order)                  # fails: refunded, reported with its category, raised

A failure is classified (`seawall_policy.classify`, through the status code that stands for the exception).
With `recover=True` the category's strategy then decides whether the function runs again.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, ParamSpec, Self, TypeVar, cast, overload

from seawall.capture import Detail
from seawall.resilience.clock import Clock, current_clock
from seawall.resilience.deadline import deadline
from seawall.resilience.exceptions import ExceptionMap, exception_map
from seawall.resilience.recovery import RAISE, Failure, Recovery, RecoveryStrategy, strategies
from seawall.resilience.reporter import Reporter, current_reporter
from seawall.resilience.strategy import CallInfo, Strategy, call_with, decorate
from seawall_policy import classify, status
from seawall_policy.classify import CATEGORY_NAMES, STRATEGY_NAMES, Classifier

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_log: Final = logging.getLogger("seawall.resilience")
_DEFAULTS: Final = Classifier()

MAX_OPERATIONS: Final = 1000
"""Of one context: more are done, and undone, by something that keeps a journal."""

Compensation = Callable[[], object]
"""Undoes an operation. May be a coroutine function where the context is asynchronous."""


@dataclass(slots=True)
class _Operation:
    name: str
    compensation: Compensation | None


@dataclass(slots=True)
class _Undone:
    """What came of the compensations."""

    compensated: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def note(self, name: str, error: Exception) -> None:
        self.failed.append(f"{name}: {type(error).__name__}: {error}"[:500])


class ErrorHandlingContext:
    """A piece of work that is undone and reported when it fails; a `with` and `async with`.

        with ErrorHandlingContext("import", component="jobs") as work:
            upload(file)
            work.record_operation("upload", compensation=lambda: delete(file))
            index(file)

    The failure goes on; `failure` says how it was classified. Compensations run in reverse order, also when
    the task is cancelled; one that fails is noted on the error and does not keep the others from running.
    """

    def __init__(
        self,
        name: str,
        *,
        component: str = "",
        details: Mapping[str, Detail] | None = None,
        severity: str = "",
        reporter: Reporter | None = None,
        classifier: Classifier | None = None,
        exceptions: ExceptionMap | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.name: Final = name
        self.component: Final = component
        self.failure: Failure | None = None
        self._details = dict(details or {})
        self._severity = severity
        self._reporter = reporter
        self._classifier = classifier or _DEFAULTS
        self._exceptions = exceptions or exception_map
        self._clock = clock or current_clock()
        self._operations: list[_Operation] = []
        self._began = self._clock.now()
        self._token: Token[ErrorHandlingContext | None] | None = None
        self.attempt = 1
        """Number of the attempt that is under way."""
        self.reports = True
        """Whether leaving reports a failure; `with_error_handling` reports once for all attempts."""

    @property
    def operations(self) -> tuple[str, ...]:
        """Return what has been recorded, in its order."""
        return tuple(one.name for one in self._operations)

    def record_operation(self, name: str, compensation: Compensation | None = None) -> None:
        """Say that something has been done, and how to undo it."""
        if len(self._operations) >= MAX_OPERATIONS:
            raise ValueError(f"{self.name}: more than {MAX_OPERATIONS} operations in one context")
        self._operations.append(_Operation(name, compensation))

    def report(self, error: BaseException, failure: Failure, *, recovered: bool = False) -> None:
        """Report a failure with everything that is known of it; without a reporter nothing happens."""
        reporter = self._reporter or current_reporter()
        if reporter is None:
            return
        outcome = "retried" if recovered else "failed"
        severity = self._severity or classify.severity_for(status.CODE_BY_NAME[failure.code], outcome)
        if failure.strategy == "dead_letter" and not recovered and not self._severity:
            severity = classify.HIGH
        details: dict[str, Detail] = {
            **self._details,
            "operation": failure.name,
            "strategy": failure.strategy,
            "attempts": failure.attempt,
            "recovered": recovered,
        }
        for key, names in (
            ("operations", failure.operations),
            ("compensated", failure.compensated),
            ("not_compensated", failure.not_compensated),
        ):
            if names:
                details[key] = list(names)
        reporter.report(error, component=self.component, severity=severity, details=details)

    # -- entering and leaving

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        if error is None:
            return
        undone = _Undone()
        for operation in reversed(self._operations):
            if operation.compensation is None:
                continue
            try:
                _refuse_awaitable(operation.compensation())
                undone.compensated.append(operation.name)
            except Exception as second:  # noqa: BLE001 - noted on the first
                undone.note(operation.name, second)
        self._failed(error, undone)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        if error is None:
            return
        undone = _Undone()
        for operation in reversed(self._operations):
            if operation.compensation is None:
                continue
            try:
                answer = operation.compensation()
                if inspect.isawaitable(answer):
                    await answer
                undone.compensated.append(operation.name)
            except Exception as second:  # noqa: BLE001 - noted on the first
                undone.note(operation.name, second)
        self._failed(error, undone)

    def _leave(self) -> None:
        if self._token is not None:
            _current.reset(self._token)
            self._token = None

    def _failed(self, error: BaseException, undone: _Undone) -> None:
        """Classify, note what could not be undone, and report."""
        for text in undone.failed:
            error.add_note(f"seawall: could not be undone: {text}")
        number = self._exceptions.code(error)
        self.failure = failure = Failure(
            error=error,
            name=self.name,
            component=self.component,
            code=status.NAMES[number],
            category=CATEGORY_NAMES[self._classifier.category(number)],
            strategy=STRATEGY_NAMES[self._classifier.strategy(number)],
            attempt=self.attempt,
            elapsed=self._clock.now() - self._began,
            operations=self.operations,
            compensated=tuple(undone.compensated),
            not_compensated=tuple(undone.failed),
            time_left=deadline() - self._clock.now(),
            draw=self._clock.draw(),
        )
        if self.reports and isinstance(error, Exception):
            self.report(error, failure)

    def again(self) -> None:
        """Begin another attempt: what was recorded has been undone."""
        self._operations.clear()
        self.attempt += 1

    def __repr__(self) -> str:
        return f"ErrorHandlingContext({self.name!r}, {len(self._operations)} operations)"


_current: ContextVar[ErrorHandlingContext | None] = ContextVar("seawall_error_handling", default=None)


def record_operation(name: str, compensation: Compensation | None = None) -> None:
    """Record an operation in the innermost context of this thread or task; RuntimeError outside of any."""
    context = _current.get()
    if context is None:
        raise RuntimeError(
            "record_operation: use it inside @with_error_handling or `with ErrorHandlingContext(...)`"
        )
    context.record_operation(name, compensation)


def _refuse_awaitable(answer: object) -> None:
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        raise TypeError("the compensation is asynchronous; use `async with` or an async def")


class ErrorHandling(Strategy):
    """What `with_error_handling` wraps functions in."""

    def __init__(
        self,
        *,
        name: str = "",
        component: str = "",
        details: Mapping[str, Detail] | None = None,
        severity: str = "",
        recover: bool = False,
        by_category: Mapping[str, str | RecoveryStrategy] | None = None,
        reporter: Reporter | None = None,
        classifier: Classifier | None = None,
        exceptions: ExceptionMap | None = None,
        clock: Clock | None = None,
    ) -> None:
        unknown = set(by_category or ()) - set(CATEGORY_NAMES[1:])
        if unknown:
            raise ValueError(
                f"no such category: {', '.join(sorted(unknown))}; use {', '.join(CATEGORY_NAMES[1:])}"
            )
        self._name = name
        self._recover = recover or by_category is not None
        self._by_category = dict(by_category or {})
        self._clock = clock
        self._make = functools.partial(
            ErrorHandlingContext,
            component=component,
            details=details,
            severity=severity,
            reporter=reporter,
            classifier=classifier,
            exceptions=exceptions,
            clock=clock,
        )

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function or coroutine function; its signature stays what it was."""
        return decorate(self, function)

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function; given a coroutine function, return a coroutine to await."""
        return call_with(self, function, args, kwargs)

    def run(self, work: Callable[[], T], info: CallInfo) -> T:
        """Do the work, and what is right when it fails."""
        context = self._open(info)
        while True:
            try:
                with context:
                    result = work()
            except Exception as error:
                recovery = self._decide(context, error)
                if recovery.is_answer:
                    return cast("T", recovery.value)
                if not recovery.is_retry:
                    raise
            else:
                self._recovered(context)
                return result
            context.again()
            if recovery.wait > 0.0:
                (self._clock or current_clock()).sleep(recovery.wait)

    async def arun(self, work: Callable[[], Awaitable[T]], info: CallInfo) -> T:
        """Do asynchronous work, and what is right when it fails."""
        context = self._open(info)
        while True:
            try:
                async with context:
                    result = await work()
            except Exception as error:
                recovery = self._decide(context, error)
                if recovery.is_answer:
                    return cast("T", recovery.value)
                if not recovery.is_retry:
                    raise
            else:
                self._recovered(context)
                return result
            context.again()
            if recovery.wait > 0.0:
                await (self._clock or current_clock()).asleep(recovery.wait)

    def _open(self, info: CallInfo) -> ErrorHandlingContext:
        context = self._make(self._name or info.name)
        context.reports = False
        return context

    def _decide(self, context: ErrorHandlingContext, error: Exception) -> Recovery:
        """Ask the strategy of the failure's category, and report what ends here."""
        failure = context.failure
        assert failure is not None
        recovery = RAISE
        if self._recover:
            chosen = self._by_category.get(failure.category, failure.strategy)
            recovery = strategies.decide(chosen, failure)
        if not recovery.is_retry:
            context.report(error, failure, recovered=recovery.is_answer)
        return recovery

    def _recovered(self, context: ErrorHandlingContext) -> None:
        """Report a failure that later attempts have made good."""
        failure = context.failure
        if failure is not None:
            context.report(failure.error, failure, recovered=True)


@overload
def with_error_handling(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def with_error_handling(
    *,
    name: str = "",
    component: str = "",
    details: Mapping[str, Detail] | None = None,
    severity: str = "",
    recover: bool = False,
    by_category: Mapping[str, str | RecoveryStrategy] | None = None,
    reporter: Reporter | None = None,
    classifier: Classifier | None = None,
    exceptions: ExceptionMap | None = None,
    clock: Clock | None = None,
) -> ErrorHandling: ...


def with_error_handling(
    function: Callable[P, R] | None = None, /, **settings: Any
) -> Callable[P, R] | ErrorHandling:
    """Decorate a function so that its failures are undone, classified, reported, and raised.

    `record_operation` inside it says what to undo. Reports go to `reporter`, or to that of `report_to`, or
    nowhere. `severity` is LOW, MEDIUM, HIGH or CRITICAL; by default the code decides.

    `recover=True` lets the strategy of the failure's category act: transient failures run the function again
    (3 attempts), those of resources after longer waits (4 attempts), all others are raised. Say so only of
    functions that may run twice once their operations are undone. `by_category` (implies it) gives a
    category another strategy, by name or as a function. One event is reported for a call, whatever the
    number of attempts.
    """
    handling = ErrorHandling(**settings)
    return handling if function is None else handling(function)
