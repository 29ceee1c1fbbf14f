"""Whether a failed attempt is followed by another, and after how long.

The rules are gRFC A6's, in the order in which they are asked; the first that says no is the reason that is
reported:

1. What the server provably never saw is repeated at once, without counting as an attempt and without the
   throttle ("transparent"): any number of times if it never left us, bounded by `max_unsent`, and once if
   the server refused it. These, too, are paid for by the budget, so that a service whose connections all
   fail is not asked again and again.
2. Once a response has reached the client the call is committed; once the replay buffer has overflowed it
   cannot be repeated.
3. The server's pushback decides before our own rules: negative or unreadable means never again for this call.
4. Then: the code, idempotence, the throttle, the number of attempts, the deadline (a retry that could only
   start when the time is up is not begun), and last the budget, so that nothing is withdrawn for a retry
   that another rule forbids.

Waits are computed, then capped, then spread by the jitter. A pushback sets the wait exactly, and the
computed waits start over after it.

**Classes.** A failure may belong to a class, by its status, its reason and its category; the first class that
fits decides how often and how long is waited, and makes the failure worth a retry. Everything else is as
above.

Sources: gRFC A6 (order, pushback, throttle, clamp to five attempts); AWS Architecture Blog, "Exponential
Backoff And Jitter" (decorrelated); Envoy issue 30205 (a retry counts from the moment it starts to wait).
"""

from __future__ import annotations

from math import inf
from typing import Final

from seawall_policy import status
from seawall_policy.budget import BudgetOptions, RetryBudget, RetryThrottle, ThrottleOptions

# Kinds of backoff, numbered as in seawall.v1.
CONSTANT: Final = 1
LINEAR: Final = 2
EXPONENTIAL: Final = 3
FIBONACCI: Final = 4
DECORRELATED: Final = 5
BACKOFF_NAMES: Final[tuple[str, ...]] = (
    "",
    "constant",
    "linear",
    "exponential",
    "fibonacci",
    "decorrelated",
)
BACKOFF_BY_NAME: Final[dict[str, int]] = {BACKOFF_NAMES[i]: i for i in range(1, len(BACKOFF_NAMES))}

# How waits are spread, numbered as in seawall.v1.
SPREAD: Final = 1
NO_JITTER: Final = 2
FULL: Final = 3
EQUAL: Final = 4
JITTER_NAMES: Final[tuple[str, ...]] = ("", "spread", "none", "full", "equal")
JITTER_BY_NAME: Final[dict[str, int]] = {JITTER_NAMES[i]: i for i in range(1, len(JITTER_NAMES))}

# A6: service owners may ask for more, clients treat it as this.
MAX_ATTEMPTS: Final = 5

# What parse_pushback says besides milliseconds.
PUSHBACK_STOP: Final = -1
NO_PUSHBACK: Final = -2
_MAX_INT32: Final = 2**31 - 1

# What `decide` answers instead of a delay.
NO_RETRY: Final = -1.0

# How far a failed attempt had come.
SEEN: Final = 0  # the server may have seen it
REFUSED: Final = 1  # the server says it did not process it (REFUSED_STREAM, GOAWAY below our stream)
UNSENT: Final = 2  # it never left us

# Why a retry did not happen; names are metric labels.
REASON_NONE: Final = 0
REASON_OFF: Final = 1
REASON_COMMITTED: Final = 2
REASON_BUFFER: Final = 3
REASON_PUSHBACK: Final = 4
REASON_CODE: Final = 5
REASON_NOT_IDEMPOTENT: Final = 6
REASON_THROTTLED: Final = 7
REASON_ATTEMPTS: Final = 8
REASON_DEADLINE: Final = 9
REASON_BUDGET: Final = 10
REASON_NAMES: Final[tuple[str, ...]] = (
    "",
    "off",
    "committed",
    "buffer",
    "pushback",
    "code",
    "not_idempotent",
    "throttled",
    "attempts",
    "deadline",
    "budget",
)


class RetryOptions:
    """How a route retries. Raises ValueError for a number that makes no sense.

    `max_attempts` includes the first (1: off) and is clamped to five unless `allow_more`. `codes` has bit n
    set when status code n is worth another attempt. `jitter` j multiplies each wait by U(1-j, 1+j).
    `max_unsent` bounds the repetitions of an attempt that never left us.
    """

    def __init__(  # noqa: PLR0913 - one keyword per setting
        self,
        *,
        max_attempts: int = 1,
        codes: int = 1 << status.UNAVAILABLE,
        kind: str = "exponential",
        initial_s: float = 0.025,
        multiplier: float = 2.0,
        max_s: float = 1.0,
        jitter: float = 0.2,
        only_idempotent: bool = True,
        budget: BudgetOptions | None = None,
        allow_more: bool = False,
        max_unsent: int = 5,
        jitter_kind: str = "spread",
        throttle: ThrottleOptions | None = None,
        classes: tuple[RetryClass, ...] = (),
        retry_info: bool = True,
    ) -> None:
        _require(max_attempts >= 1, "max_attempts", "at least 1")
        _require(kind in BACKOFF_BY_NAME, "kind", "one of " + ", ".join(BACKOFF_NAMES[1:]))
        _require(0.0 <= initial_s < inf, "initial_s", "at least 0 and finite")
        _require(1.0 <= multiplier < inf, "multiplier", "at least 1 and finite")
        _require(0.0 <= max_s < inf, "max_s", "at least 0 and finite")
        _require(0.0 <= jitter <= 1.0, "jitter", "a ratio, 0 to 1")
        _require(max_unsent >= 0, "max_unsent", "at least 0")
        _require(jitter_kind in JITTER_BY_NAME, "jitter_kind", "one of " + ", ".join(JITTER_NAMES[1:]))
        self.max_attempts: int = max_attempts if allow_more else min(max_attempts, MAX_ATTEMPTS)
        self.codes: int = codes & ~(1 << status.OK)
        self.kind: int = BACKOFF_BY_NAME[kind]
        self.initial_s: float = initial_s
        self.multiplier: float = multiplier
        self.max_s: float = max_s
        self.jitter: float = jitter
        self.only_idempotent: bool = only_idempotent
        self.budget: BudgetOptions | None = budget
        self.max_unsent: int = max_unsent
        self.jitter_kind: int = JITTER_BY_NAME[jitter_kind]
        self.throttle: ThrottleOptions | None = throttle
        self.classes: tuple[RetryClass, ...] = classes
        self.retry_info: bool = retry_info
        self.most_attempts: int = max([self.max_attempts] + [entry.options.max_attempts for entry in classes])
        """Attempts of a call at most, whatever its failures."""

    def class_of(self, code: int, reason: str, told: str, category: int) -> RetryClass | None:
        """Return the class of a failure: its status, our own reason (empty: none), the reason of a server's
        ErrorInfo (empty: none) and its category.
        """
        for entry in self.classes:
            if entry.fits(code, reason, told, category):
                return entry
        return None


class RetryClass:
    """Settings for failures of one class. `codes` 0, `reasons` empty and `category` 0 do not ask; `options`
    are those of the whole retry with what the class says instead.
    """

    def __init__(
        self, name: str, codes: int, reasons: frozenset[str], category: int, options: RetryOptions
    ) -> None:
        self.name: str = name
        self.codes: int = codes
        self.reasons: frozenset[str] = reasons
        self.category: int = category
        self.options: RetryOptions = options

    def fits(self, code: int, reason: str, told: str, category: int) -> bool:
        """Tell whether a failure belongs to it: everything that is asked for must fit."""
        if self.codes != 0 and (self.codes >> code) & 1 == 0:
            return False
        if self.category not in (0, category):
            return False
        if len(self.reasons) == 0:
            return True
        return (reason != "" and reason in self.reasons) or (told != "" and told in self.reasons)


def backoff(options: RetryOptions, retry_number: int, previous_s: float, draw: float) -> float:
    """Return the seconds to wait before retry `retry_number` (from 1); finite, 0 to max_s x (1 + jitter).

    `previous_s` is the last wait (0: none yet) and matters to decorrelated backoff only, which uses `draw`
    in [0, 1) to choose between the initial wait and three times the last; the other kinds use it for their
    jitter.
    """
    if options.kind == DECORRELATED:
        return _decorrelated(options, previous_s, draw)
    wait = min(_grown(options, retry_number), options.max_s)
    kind = options.jitter_kind
    if kind == SPREAD:
        return wait if options.jitter == 0.0 else wait * (1.0 + options.jitter * (2.0 * draw - 1.0))
    if kind == FULL:
        return wait * draw
    return wait * (0.5 + 0.5 * draw) if kind == EQUAL else wait


def parse_pushback(value: bytes) -> int:
    """Return the milliseconds in a `grpc-retry-pushback-ms` value, PUSHBACK_STOP (-1) when it is negative
    or cannot be read.

    A6 asks for a signed 32-bit integer in ASCII without unnecessary leading zeros, so `+5`, `05`,
    `2147483648` and two values joined by a comma cannot be read. An absent header is NO_PUSHBACK (-2),
    which is for the caller to pass on.
    """
    size = len(value)
    if size > 10 or not value.isdigit() or (size > 1 and value[0] == 0x30):
        return PUSHBACK_STOP
    milliseconds = int(value)
    return milliseconds if milliseconds <= _MAX_INT32 else PUSHBACK_STOP


class RetryDecision:
    """The retries of one call: what has been tried, and what comes next.

    One object per call; `start` makes it as new. After `decide`, `reason` says why there is no retry and
    `transparent` whether the one that was granted does not count as an attempt.
    """

    def __init__(
        self, options: RetryOptions, budget: RetryBudget | None = None, throttle: RetryThrottle | None = None
    ) -> None:
        self.options: RetryOptions = options
        self.budget: RetryBudget | None = budget
        self.throttle: RetryThrottle | None = throttle
        self.attempts: int = 1
        self.transparent_retries: int = 0
        self.reason: int = REASON_NONE
        self.transparent: bool = False
        self.counted: bool = False
        """The throttle knows of the failure that `decide` is asked about next."""
        self._unsent: int = 0
        self._refused: bool = False
        self._step: int = 0
        self._previous_s: float = 0.0

    def start(
        self, options: RetryOptions, budget: RetryBudget | None = None, throttle: RetryThrottle | None = None
    ) -> None:
        """Begin another call with this object; its first attempt is counted."""
        self.options = options
        self.budget = budget
        self.throttle = throttle
        self.attempts = 1
        self.transparent_retries = 0
        self.reason = REASON_NONE
        self.transparent = False
        self._unsent = 0
        self._refused = False
        self._step = 0
        self._previous_s = 0.0

    def succeeded(self) -> None:
        """Tell the throttle that an attempt ended well."""
        if self.throttle is not None:
            self.throttle.success()

    def decide(
        self,
        code: int,
        pushback_ms: int,
        seen: int,
        committed: bool,
        replayable: bool,
        idempotent: bool,
        remaining_s: float,
        now: float,
        draw: float,
        chosen: RetryClass | None = None,
    ) -> float:
        """Return the seconds to wait before the next attempt, NO_RETRY (-1.0) with `reason` set when there
        is none.

        `code` is the failed attempt's final status, `pushback_ms` comes from `parse_pushback` or is
        NO_PUSHBACK, `seen` is SEEN, REFUSED or UNSENT, `remaining_s` is what the call's deadline leaves
        (infinity: no deadline), `draw` is in [0, 1). `chosen` is the class of the failure (`class_of`). A
        granted retry is counted and paid for here, before its wait.
        """
        self.transparent = False
        if committed:
            return self._refuse(REASON_COMMITTED)
        if not replayable:
            return self._refuse(REASON_BUFFER)
        if seen != SEEN and self._is_transparent(seen):
            return self._grant_transparent(seen, remaining_s, now, draw)
        options = self.options
        if options.most_attempts <= 1:
            return self._refuse(REASON_OFF)
        stop = pushback_ms == PUSHBACK_STOP
        retryable = 0 < code <= status.MAX_CODE and ((options.codes >> code) & 1) == 1
        if chosen is not None:
            options = chosen.options
            retryable = True
        if self.throttle is not None and (stop or retryable) and not self.counted:
            self.throttle.failure()
        self.counted = False
        if stop:
            return self._refuse(REASON_PUSHBACK)
        if not retryable:
            return self._refuse(REASON_CODE)
        if options.only_idempotent and not idempotent and seen == SEEN:
            return self._refuse(REASON_NOT_IDEMPOTENT)
        if self.throttle is not None and not self.throttle.allows():
            return self._refuse(REASON_THROTTLED)
        if self.attempts >= options.max_attempts:
            return self._refuse(REASON_ATTEMPTS)
        if pushback_ms >= 0:
            wait = pushback_ms / 1000.0
        else:
            wait = backoff(options, self._step + 1, self._previous_s, draw)
        if not self._pay(wait, remaining_s, now):
            return NO_RETRY
        self.attempts += 1
        if pushback_ms >= 0:
            self._step = 0
            self._previous_s = 0.0
        else:
            self._step += 1
            self._previous_s = wait
        return wait

    def _is_transparent(self, seen: int) -> bool:
        """Tell whether this one may be repeated without counting as an attempt."""
        return self._unsent < self.options.max_unsent if seen == UNSENT else not self._refused

    def _grant_transparent(self, seen: int, remaining_s: float, now: float, draw: float) -> float:
        """Repeat at once; an attempt that does not get away again and again waits like a retry, so that
        nothing spins.
        """
        wait = backoff(self.options, self._unsent, 0.0, draw) if seen == UNSENT and self._unsent > 0 else 0.0
        if not self._pay(wait, remaining_s, now):
            return NO_RETRY
        self.transparent = True
        self.transparent_retries += 1
        if seen == UNSENT:
            self._unsent += 1
        else:
            self._refused = True
        return wait

    def _pay(self, wait: float, remaining_s: float, now: float) -> bool:
        """Check the deadline, then withdraw from the budget."""
        if wait >= remaining_s:
            self.reason = REASON_DEADLINE
            return False
        if self.budget is not None and not self.budget.try_withdraw(now):
            self.reason = REASON_BUDGET
            return False
        self.reason = REASON_NONE
        return True

    def _refuse(self, reason: int) -> float:
        self.reason = reason
        return NO_RETRY


def _grown(options: RetryOptions, retry_number: int) -> float:
    """Return the wait by the options' formula, before the cap; anything above max_s may be cut to it to end
    early.
    """
    initial = options.initial_s
    if options.kind == CONSTANT or retry_number <= 1 or initial == 0.0:
        return initial
    if options.kind == LINEAR:
        return initial * retry_number
    if options.kind == FIBONACCI:
        return initial * _fibonacci(retry_number, options.max_s / initial)
    try:
        factor: float = options.multiplier ** (retry_number - 1)
    except OverflowError:
        return options.max_s
    return initial * factor


def _fibonacci(n: int, enough: float) -> float:
    """Return the n-th Fibonacci number (1, 1, 2, 3 ...), or the first that is at least `enough`."""
    before = 0.0
    current = 1.0
    for _ in range(n - 1):
        if current >= enough:
            break
        before, current = current, before + current
    return current


def _decorrelated(options: RetryOptions, previous_s: float, draw: float) -> float:
    """Return U(initial, 3 x the last wait), capped."""
    low = min(options.initial_s, options.max_s)
    high = (max(low, previous_s)) * 3.0
    if not high < options.max_s:
        high = options.max_s
    return low + (high - low) * draw


def _require(fine: bool, field: str, allowed: str) -> None:
    if not fine:
        raise ValueError(f"retry: {field} must be {allowed}")
