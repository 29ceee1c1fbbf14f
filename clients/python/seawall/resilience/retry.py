"""Try again: a decorator, `call`, and a loop, over the engine that the proxy retries with.

    @retry(on=ConnectionError)
    def fetch(): ...

    for attempt in retry(on=ConnectionError):
        with attempt:
            fetch()

An exception becomes a status code (`exceptions`), and `seawall_policy.retry` decides: codes, pushback,
throttle, attempts, deadline, budget, in that order. What is given up is raised as it was, with a note.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from seawall.errors import SeawallError
from seawall.resilience.backoff import Backoff, Preset, settings_of, with_attempts
from seawall.resilience.budget import LEDGERS, Budget, Throttle
from seawall.resilience.clock import Clock, Seconds, current_clock, duration_of
from seawall.resilience.deadline import deadline
from seawall.resilience.errors import DeadlineExceeded, Rejected
from seawall.resilience.exceptions import (
    TRANSIENT_CODES,
    ExceptionMap,
    Matcher,
    On,
    code_number,
    exception_map,
    pushback_of,
)
from seawall.resilience.strategy import BLOCK, CallInfo, Wrapper
from seawall_policy import retry as engine
from seawall_policy import status
from seawall_policy.classify import Classifier
from seawall_policy.retry import RetryDecision, RetryOptions

T = TypeVar("T")

_NOTE: Final = "seawall: "
_EVERY_CODE: Final = (1 << (status.MAX_CODE + 1)) - 2

_SENTENCES: Final[dict[int, str]] = {
    engine.REASON_CODE: "not one of the failures to retry",
    engine.REASON_OFF: "retries are off",
    engine.REASON_ATTEMPTS: "no attempts left",
    engine.REASON_DEADLINE: "no time left for another attempt",
    engine.REASON_BUDGET: "the retry budget is used up",
    engine.REASON_THROTTLED: "retries are throttled",
    engine.REASON_PUSHBACK: "the server asked not to retry",
    engine.REASON_NOT_IDEMPOTENT: "not declared idempotent",
}


@dataclass(frozen=True, slots=True)
class RetryState:
    """What `before_retry` is told: an attempt has failed, and another one follows after a wait."""

    name: str
    """Of the function; "block" in a loop."""
    attempt: int
    """Number of the attempt that failed, from 1."""
    error: Exception
    wait: float
    """Seconds until the next attempt."""
    elapsed: float
    """Seconds since the call began."""


BeforeRetry = Callable[[RetryState], object]
"""Called before each wait. What it raises ends the call; what it returns may be awaitable in asynchronous
calls."""


class RetryClass:
    """Other settings for some failures: what `on` means gets these attempts and waits.

    `attempts` is the most that a call may have while its failures are of this class.
    """

    def __init__(self, name: str, *, on: On, attempts: int, backoff: Backoff) -> None:
        self.name: Final = name
        self.matcher: Final = Matcher(on)
        self.options: Final = backoff.options(attempts, _EVERY_CODE, only_idempotent=False)

    def __repr__(self) -> str:
        return f"RetryClass({self.name!r}, attempts={self.options.max_attempts})"


def _class_of(name: Preset) -> RetryClass:
    settings = settings_of(name)
    return RetryClass(name, on=settings.codes, attempts=settings.attempts, backoff=settings.backoff)


NETWORK: Final = _class_of("network")
"""Connections that fail: 5 attempts, waits from 100 ms to 5 s."""
DATABASE: Final = _class_of("database")
"""Conflicts and lost connections: 3 attempts, decorrelated waits from 50 ms to 2 s."""
RESOURCE: Final = _class_of("resource")
"""What is used up: 4 attempts, linear waits from 1 s to 10 s."""


@dataclass(slots=True)
class RetryStats:
    """Counts since the start."""

    calls: int = 0
    retries: int = 0
    recovered: int = 0
    """Calls that failed first and succeeded in the end."""
    gave_up: int = 0
    """Calls whose last failure was one to retry."""


class Retry(Wrapper):
    """A retry policy, ready to be used by any number of threads and tasks; `retry` makes one."""

    def __init__(  # noqa: PLR0913 - one keyword per setting
        self,
        options: RetryOptions,
        *,
        matcher: Matcher | None = None,
        classes: Sequence[RetryClass] = (),
        timeout_s: float = inf,
        budget: Budget | None = None,
        throttle: Throttle | None = None,
        before_retry: BeforeRetry | None = None,
        idempotent: bool = True,
        exceptions: ExceptionMap | None = None,
        classifier: Classifier | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.options = options
        self.classifier = classifier or Classifier()
        self.matcher = matcher
        self.classes = tuple(classes)
        self.timeout_s = timeout_s
        self.budget = budget
        self.throttle = throttle
        self.before_retry = before_retry
        self.idempotent = idempotent
        self.exceptions = exceptions or exception_map
        self.clock = clock
        self._stats = RetryStats()

    @property
    def stats(self) -> RetryStats:
        """Return the counts."""
        with LEDGERS:
            return replace(self._stats)

    def run(self, work: Callable[[], T], info: CallInfo) -> T:
        """Do the work, again where that helps."""
        tries = _Tries(self, info)
        while True:
            try:
                result = work()
            except Exception as error:
                wait = tries.failed(error)
                if wait < 0.0:
                    raise
                tries.announce(error, wait)
            else:
                tries.succeeded()
                return result
            if wait > 0.0:
                tries.clock.sleep(wait)

    async def arun(self, work: Callable[[], Awaitable[T]], info: CallInfo) -> T:
        """Do asynchronous work, again where that helps."""
        tries = _Tries(self, info)
        while True:
            try:
                result = await work()
            except Exception as error:
                wait = tries.failed(error)
                if wait < 0.0:
                    raise
                await tries.aannounce(error, wait)
            else:
                tries.succeeded()
                return result
            if wait > 0.0:
                await tries.clock.asleep(wait)

    def __iter__(self) -> Iterator[Attempt]:
        """Yield attempts for `with` until one succeeds; the last failure is raised."""
        tries = _Tries(self, BLOCK)
        while True:
            attempt = Attempt(tries, tries.decision.attempts)
            yield attempt
            if attempt.wait < 0.0:
                return
            if attempt.error is not None:
                tries.announce(attempt.error, attempt.wait)
            if attempt.wait > 0.0:
                tries.clock.sleep(attempt.wait)

    async def __aiter__(self) -> AsyncIterator[Attempt]:
        """Yield attempts for `with` until one succeeds; the last failure is raised."""
        tries = _Tries(self, BLOCK)
        while True:
            attempt = Attempt(tries, tries.decision.attempts)
            yield attempt
            if attempt.wait < 0.0:
                return
            if attempt.error is not None:
                await tries.aannounce(attempt.error, attempt.wait)
            if attempt.wait > 0.0:
                await tries.clock.asleep(attempt.wait)

    def count(self, *, retries: int, failed: bool, wanted: bool) -> None:
        """Count a call that has ended; the caller holds LEDGERS."""
        stats = self._stats
        stats.calls += 1
        stats.retries += retries
        if failed:
            stats.gave_up += wanted
        else:
            stats.recovered += retries > 0

    def __repr__(self) -> str:
        kind = engine.BACKOFF_NAMES[self.options.kind]
        return f"Retry(attempts={self.options.max_attempts}, {kind} from {self.options.initial_s} s)"


class Attempt:
    """One attempt of a loop; the attempt is the body of its `with`."""

    def __init__(self, tries: _Tries, number: int) -> None:
        self.number: Final = number
        """1 for the first."""
        self.error: Exception | None = None
        self.wait = engine.NO_RETRY
        self._tries = tries

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None:
            self._tries.succeeded()
            return False
        if not isinstance(error, Exception):
            return False
        self.wait = self._tries.failed(error)
        self.error = error
        return self.wait >= 0.0

    def __repr__(self) -> str:
        return f"Attempt({self.number})"


class _Tries:
    """The attempts of one call. All that decides is here, once for both kinds of function."""

    __slots__ = ("_began", "_chosen", "_ends", "_name", "_policy", "clock", "decision")

    def __init__(self, policy: Retry, info: CallInfo) -> None:
        self.clock = policy.clock or current_clock()
        budget, throttle = policy.budget, policy.throttle
        self.decision = RetryDecision(
            policy.options, budget.engine if budget else None, throttle.engine if throttle else None
        )
        self._policy = policy
        self._chosen: engine.RetryClass | None = None
        self._name = info.name
        self._began = self.clock.now()
        self._ends = min(deadline(), self._began + policy.timeout_s)

    def succeeded(self) -> None:
        """Note the end of a call that went well."""
        now = self.clock.now()
        with LEDGERS:
            self.decision.succeeded()
            self._ended(now, failed=False, wanted=False)

    def failed(self, error: Exception) -> float:
        """Return the seconds until the next attempt, negative when there is none."""
        decision = self.decision
        code, wait = self._judge(error)
        now = self.clock.now()
        if code == status.OK:
            decision.reason = engine.REASON_CODE
            granted = engine.NO_RETRY
        else:
            granted = self._decide(error, code, wait, now)
        if granted < 0.0:
            wanted = decision.reason not in (engine.REASON_CODE, engine.REASON_OFF)
            with LEDGERS:
                self._ended(now, failed=True, wanted=wanted)
            if wanted:
                _annotate(error, self._last_words(now))
        return granted

    def announce(self, error: Exception, wait: float) -> None:
        """Tell `before_retry`."""
        if self._policy.before_retry is not None:
            self._policy.before_retry(self._state(error, wait))

    async def aannounce(self, error: Exception, wait: float) -> None:
        """Tell `before_retry`, which may be asynchronous."""
        if self._policy.before_retry is not None:
            answer = self._policy.before_retry(self._state(error, wait))
            if inspect.isawaitable(answer):
                await answer

    def _state(self, error: Exception, wait: float) -> RetryState:
        number = self.decision.attempts - (not self.decision.transparent)
        return RetryState(self._name, number, error, wait, self.clock.now() - self._began)

    def _judge(self, error: Exception) -> tuple[int, float]:
        """Return the status code to decide on, OK (0) for what is none of our business, and the wait that a
        condition asked for (-1.0: none).
        """
        policy = self._policy
        self.decision.options = policy.options
        for one in policy.classes:
            answer = one.matcher.match(error)
            if answer is not False:
                self.decision.options = one.options
                return self._retryable(error, one.options), _wait_of(answer)
        if policy.matcher is None:
            if isinstance(error, Rejected):
                return status.OK, -1.0
            # An attempt that was cut short may be asked elsewhere, as in the proxy.
            cut_short = isinstance(error, DeadlineExceeded) and error.per_try
            code = status.UNAVAILABLE if cut_short else policy.exceptions.code(error)
            if policy.options.classes:
                local = error.reason if isinstance(error, DeadlineExceeded) else ""
                told = error.reason if isinstance(error, SeawallError) and not local else ""
                category = policy.classifier.category(code)
                self._chosen = policy.options.class_of(code, local, told, category)
            return code, -1.0
        answer = policy.matcher.match(error)
        if answer is False:
            return status.OK, -1.0
        return self._retryable(error, policy.options), _wait_of(answer)

    def _retryable(self, error: Exception, options: RetryOptions) -> int:
        """Return the error's code where the options retry it: a failure that is named is one to retry."""
        code = self._policy.exceptions.code(error)
        return code if code != status.OK and (options.codes >> code) & 1 else status.UNKNOWN

    def _decide(self, error: Exception, code: int, wait: float, now: float) -> float:
        """Ask the engine, with the wait that a condition or the server asked for as pushback."""
        asked = wait if wait >= 0.0 else pushback_of(error)
        pushback_ms = engine.NO_PUSHBACK
        if asked == inf:
            pushback_ms = engine.PUSHBACK_STOP
        elif asked >= 0.0:
            pushback_ms = round(asked * 1000.0)
        unsent = self._policy.matcher is None and isinstance(error, ConnectionRefusedError)
        with LEDGERS:
            return self.decision.decide(
                code,
                pushback_ms,
                engine.UNSENT if unsent else engine.SEEN,
                False,
                True,
                self._policy.idempotent,
                self._ends - now,
                now,
                self.clock.draw(),
                self._chosen,
            )

    def _ended(self, now: float, *, failed: bool, wanted: bool) -> None:
        """Count the call and let it pay for the retries of others; the caller holds LEDGERS."""
        policy = self._policy
        if policy.budget is not None:
            policy.budget.engine.deposit(now)
        retries = self.decision.attempts - 1 + self.decision.transparent_retries
        policy.count(retries=retries, failed=failed, wanted=wanted)

    def _last_words(self, now: float) -> str:
        decision = self.decision
        attempts = decision.attempts + decision.transparent_retries
        plural = "" if attempts == 1 else "s"
        why = _SENTENCES.get(decision.reason, engine.REASON_NAMES[decision.reason])
        return f"gave up after {attempts} attempt{plural} in {now - self._began:.3g} s: {why}"


def _wait_of(answer: bool | float) -> float:
    return -1.0 if isinstance(answer, bool) else float(answer)


def _annotate(error: BaseException, text: str) -> None:
    """Leave one note of ours on the error, the newest: exceptions may be raised again and again."""
    notes: list[Any] = getattr(error, "__notes__", [])
    for index, note in enumerate(notes):
        if isinstance(note, str) and note.startswith(_NOTE):
            notes[index] = _NOTE + text
            return
    error.add_note(_NOTE + text)


_DEFAULT: Final = Budget()


def retry(  # noqa: PLR0913 - one keyword per setting
    on: On | None = None,
    *,
    attempts: int | None = None,
    backoff: Backoff | None = None,
    timeout: Seconds | None = None,
    preset: Preset = "quick",
    classes: Sequence[RetryClass] = (),
    budget: Budget | None = _DEFAULT,
    throttle: Throttle | None = None,
    before_retry: BeforeRetry | None = None,
    exceptions: ExceptionMap | None = None,
    clock: Clock | None = None,
) -> Retry:
    """Return a retry policy: a decorator, a caller, a loop.

    `on` says which failures are tried again: exception classes, status codes ("UNAVAILABLE",
    `grpc.StatusCode.UNAVAILABLE`), or functions; several in a tuple. Without it, what is transient: lost
    connections, timeouts, conflicts. Everything else is raised at once.

    `attempts` includes the first. `timeout` bounds the whole, waits included: a retry that could only start
    after it is not begun, nor one after the `timeout` that the call runs in. `classes` give some failures
    settings of their own; the first that fits decides. Unless told otherwise each policy has a budget of
    20 % of its calls and 10 a second; share one object among policies for the same service, or pass None
    for no budget.

    Raises ValueError for numbers that make no sense. A failed call raises the exception of its last attempt.
    """
    settings = with_attempts(settings_of(preset), attempts, backoff)
    if on is not None:
        codes = _EVERY_CODE
    elif classes:
        codes = 0  # the classes name every failure that is tried again
    elif settings.codes:
        codes = sum(1 << code_number(name) for name in settings.codes)
    else:
        codes = TRANSIENT_CODES
    return Retry(
        settings.backoff.options(settings.attempts, codes, only_idempotent=False),
        matcher=None if on is None else Matcher(on, exceptions),
        classes=classes,
        timeout_s=inf if timeout is None else duration_of(timeout, "retry: timeout"),
        budget=Budget() if budget is _DEFAULT else budget,
        throttle=throttle,
        before_retry=before_retry,
        exceptions=exceptions,
        clock=clock,
    )
