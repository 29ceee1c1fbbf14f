"""A second policy beside the one in force: it sees every attempt and decides, and nothing of it takes effect.

What it would have done otherwise is counted, by kind:

========  ==================================================================================================
open      its breaker opened
reject    its breaker would have refused an attempt that was made
timeout   its `per_try_timeout` would have ended an attempt earlier; its breaker then saw DEADLINE_EXCEEDED
retry     it would have tried again where the policy in force gave up
no_retry  it would have given up where the policy in force tried again; asked once for each call
========  ==================================================================================================

Outcomes are the true ones: an attempt that it would have refused teaches it nothing, just as if it had not
been made, and a retry that it would have made has no outcome. Its breaker and its budget are its own.
"""

from __future__ import annotations

from typing import Final

from seawall_policy import status
from seawall_policy.breaker import OPEN as OPEN_STATE
from seawall_policy.breaker import Breaker
from seawall_policy.budget import RetryBudget
from seawall_policy.retry import NO_RETRY, RetryDecision, RetryOptions

OPEN: Final = 0
REJECT: Final = 1
TIMEOUT: Final = 2
RETRY: Final = 3
NO_RETRY_HERE: Final = 4
KINDS: Final = 5
KIND_NAMES: Final[tuple[str, ...]] = ("open", "reject", "timeout", "retry", "no_retry")

NO_PERMIT: Final = -1


class ShadowStatistics:
    """What shadow policies of one route would have done otherwise; outlives policy documents."""

    def __init__(self) -> None:
        self.would: list[int] = [0] * KINDS
        """By kind; only grows."""


class Shadow:
    """The shadow policy of one route. Times are monotonic seconds."""

    def __init__(
        self,
        policy: str,
        per_try_timeout_s: float,
        retry: RetryOptions,
        breaker: Breaker | None,
        budget: RetryBudget | None,
        statistics: ShadowStatistics,
    ) -> None:
        self.policy: str = policy
        self.per_try_timeout_s: float = per_try_timeout_s
        self.retry: RetryOptions = retry
        self.breaker: Breaker | None = breaker
        self.budget: RetryBudget | None = budget
        self.statistics: ShadowStatistics = statistics

    def call_began(self, now: float) -> None:
        """Count an original call for the budget."""
        if self.budget is not None:
            self.budget.deposit(now)

    def call_ended(self) -> None:
        """Count a call out that has been counted by `call_began`; exactly once."""
        if self.budget is not None:
            self.budget.call_ended()

    def attempt_began(self, now: float) -> int:
        """Return a permit of the shadow's breaker; NO_PERMIT when it would have refused, or has none."""
        breaker = self.breaker
        if breaker is None:
            return NO_PERMIT
        if breaker.next_deadline() <= now:
            breaker.handle_timer(now)
        permit = breaker.admit(now)
        self._look(breaker)
        if permit < 0:
            self.statistics.would[REJECT] += 1
            return NO_PERMIT
        return permit

    def attempt_ended(self, permit: int, code: int, duration_s: float, now: float) -> None:
        """Take the permit back with the true outcome, cut to what the shadow would have waited for."""
        if duration_s > self.per_try_timeout_s:
            self.statistics.would[TIMEOUT] += 1
            code = status.DEADLINE_EXCEEDED
            duration_s = self.per_try_timeout_s
        breaker = self.breaker
        if breaker is not None and permit >= 0:
            breaker.record(permit, code, duration_s, now)
            self._look(breaker)

    def attempt_released(self, permit: int, now: float) -> None:
        """Take the permit back of an attempt that says nothing about the endpoint."""
        breaker = self.breaker
        if breaker is not None and permit >= 0:
            breaker.release(permit, now)

    def begin_decision(self) -> RetryDecision:
        """Return what decides about the retries of one call."""
        return RetryDecision(self.retry, self.budget)

    def weigh(
        self,
        decision: RetryDecision,
        granted: bool,
        code: int,
        pushback_ms: int,
        seen: int,
        replayable: bool,
        idempotent: bool,
        remaining_s: float,
        now: float,
        draw: float,
    ) -> bool:
        """Decide about a failed attempt that the policy in force has decided about (`granted`: it tries
        again); return whether the two agree, so that the call can be compared further.
        """
        wait = decision.decide(code, pushback_ms, seen, False, replayable, idempotent, remaining_s, now, draw)
        would = wait != NO_RETRY
        if would == granted:
            return True
        self.statistics.would[RETRY if would else NO_RETRY_HERE] += 1
        return False

    def _look(self, breaker: Breaker) -> None:
        if breaker.has_transitions():
            for change in breaker.take_transitions():
                if change.to_state == OPEN_STATE:
                    self.statistics.would[OPEN] += 1
