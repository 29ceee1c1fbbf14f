"""Hedging: another attempt while the first one goes on; the first good answer wins.

The rules are gRFC A6's. While an attempt runs, the next one follows after a delay. What an attempt's end
means for the others:

| an attempt ended with | then |
|---|---|
| OK | the others are taken back |
| a fatal status | the others are taken back, and this is the answer |
| a non-fatal status | the next attempt is sent at once; then the delay counts again |
| a pushback that says stop | no further attempt; those that run go on |
| a pushback of n ms | the next attempt in n ms; then the delay counts again |

The delay is fixed, or a percentile of what the route's attempts have taken lately (`latency.py`), never below
`min_delay_s`. Before anything is known it is `UNKNOWN_DELAY_S`.

Hedges cost load, so they are paid for: a ledger (`budget.RetryBudget`) of `budget_percent` hedges per 100
calls of the last `INTERVAL_S`, with a reserve of `RESERVE_PER_S` a second. A percentile of 95 spends five of
a hundred on calls that are merely late. The interval is long and the budget larger than that on purpose: what
a quiet time leaves unspent is there when an endpoint freezes and, all of a sudden, a third of the calls needs
a hedge until the endpoint is left out.

With retries on the same route both work together: a status that is worth a retry is non-fatal, a further
attempt that hedging does not send may be sent by the rules of retries, and the attempts of a call
(repetitions of what no server has seen apart) are never more than the larger of the two `max_attempts`.

Sources: gRFC A6 (the table); Dean and Barroso, "The Tail at Scale" (2013); Finagle's BackupRequestFilter
(load budget, windowed percentile).
"""

from __future__ import annotations

from math import inf
from typing import Final

from seawall_policy import status
from seawall_policy.budget import BudgetOptions, RetryBudget
from seawall_policy.latency import LatencyEstimate
from seawall_policy.retry import PUSHBACK_STOP

# Whether hedges are sent, numbered as in seawall.v1.
ENFORCE: Final = 1
SHADOW: Final = 2
OFF: Final = 3

# What a failed attempt means for the others.
FATAL: Final = 0
WAIT: Final = 1
NEXT: Final = 2

NEVER: Final = inf
UNKNOWN_DELAY_S: Final = 0.1
"""How long a percentile hedge waits before the route's latency is known."""
INTERVAL_S: Final = 30.0
"""What the budget is counted over."""
RESERVE_PER_S: Final = 1.0
"""Hedges a second that are always allowed, so that routes with little traffic are hedged too."""

# Why a hedge that was due was not sent; names are metric labels.
REFUSED_BUDGET: Final = "budget"
REFUSED_FULL: Final = "full"
REFUSED_ENDPOINT: Final = "endpoint"
REFUSED_BREAKER: Final = "breaker"
REFUSED_DEADLINE: Final = "deadline"
REFUSED_THROTTLED: Final = "throttled"
REFUSED_BUFFER: Final = "buffer"


class HedgeOptions:
    """How a route hedges. Raises ValueError for a number that makes no sense.

    Either `delay_s` (0 or more) or `quantile` (0.5 to 0.999; 0: fixed delay) says when. `non_fatal` has bit n
    set when status n leaves the other attempts running.
    """

    def __init__(
        self,
        *,
        delay_s: float = 0.0,
        quantile: float = 0.0,
        min_delay_s: float = 0.001,
        max_attempts: int = 2,
        budget_percent: float = 10.0,
        non_fatal: int = 1 << status.UNAVAILABLE,
        only_idempotent: bool = True,
        mode: int = ENFORCE,
    ) -> None:
        _require(0.0 <= delay_s < inf, "delay_s", "at least 0 and finite")
        _require(quantile == 0.0 or 0.5 <= quantile <= 0.999, "quantile", "0.5 to 0.999, or 0")
        _require(0.0 <= min_delay_s < inf, "min_delay_s", "at least 0 and finite")
        _require(2 <= max_attempts <= 5, "max_attempts", "2 to 5")
        _require(0.0 <= budget_percent <= 100.0, "budget_percent", "0 to 100")
        _require(mode in (ENFORCE, SHADOW), "mode", "ENFORCE or SHADOW; leave the options out for off")
        self.delay_s: float = delay_s
        self.quantile: float = quantile
        self.min_delay_s: float = min_delay_s
        self.max_attempts: int = max_attempts
        self.budget_percent: float = budget_percent
        self.non_fatal: int = non_fatal & ~(1 << status.OK)
        self.only_idempotent: bool = only_idempotent
        self.mode: int = mode


class Hedger:
    """The hedging of one route: its budget, and the delay in force. It outlives policy documents."""

    def __init__(self, options: HedgeOptions) -> None:
        self.options: HedgeOptions = options
        self.sends: bool = options.mode == ENFORCE
        """Hedges are sent, not only counted."""
        self.delay_s: float = options.delay_s if options.quantile == 0.0 else UNKNOWN_DELAY_S
        """How long an attempt is waited for at present."""
        self.budget: RetryBudget = RetryBudget(
            BudgetOptions(options.budget_percent, RESERVE_PER_S, INTERVAL_S)
        )

    def carry_over(self, other: Hedger) -> None:
        """Take over what the hedger of an earlier document has learned, as far as it still applies."""
        options = self.options
        if options.quantile > 0.0 and other.options.quantile == options.quantile:
            self.delay_s = max(other.delay_s, options.min_delay_s)
        if other.options.budget_percent == self.options.budget_percent:
            self.budget = other.budget

    def look(self, latency: LatencyEstimate) -> None:
        """Read the delay off what is known of the route's attempts; its quantile is that of the options."""
        options = self.options
        if options.quantile > 0.0:
            late = latency.late_s
            if late < 0.0:
                late = UNKNOWN_DELAY_S
            self.delay_s = max(options.min_delay_s, late)

    def deposit(self, calls: int, now: float) -> None:
        """Count calls of the route that have come."""
        self.budget.deposit_many(calls, now)

    def pay(self, now: float) -> bool:
        """Pay for one hedge, if the budget has it."""
        return self.budget.try_withdraw(now)


class HedgeRun:
    """The hedges of one call; made when the first one is due or the first attempt has failed.

    A *round* begins with an attempt that is no hedge: the first one, or a retry. Each round has up to
    `max_attempts` attempts, itself included.
    """

    def __init__(self, options: HedgeOptions, also_non_fatal: int = 0) -> None:
        self.options: HedgeOptions = options
        self.sent: int = 1
        """Attempts of this round."""
        self.stopped: bool = False
        """A server has asked for no more."""
        self._non_fatal: int = options.non_fatal | also_non_fatal

    def new_round(self) -> None:
        """Begin again with a retry."""
        self.sent = 1

    def has_room(self) -> bool:
        """Tell whether another hedge may follow in this round."""
        return not self.stopped and self.sent < self.options.max_attempts

    def next_at(self, now: float, delay_s: float) -> float:
        """Return when the next hedge is due after an attempt that was sent `now`; NEVER when none is."""
        return now + delay_s if self.has_room() else NEVER

    def sent_one(self) -> None:
        """Count a hedge."""
        self.sent += 1

    def failed(self, code: int, pushback_ms: int) -> int:
        """Return what the end of an attempt means: FATAL, WAIT (nothing at once), or NEXT (send the next one
        now, or as soon as the pushback says).
        """
        if pushback_ms == PUSHBACK_STOP:
            self.stopped = True
        if not 0 < code <= status.MAX_CODE or (self._non_fatal >> code) & 1 == 0:
            return FATAL
        return NEXT if self.has_room() else WAIT


def _require(fine: bool, field: str, allowed: str) -> None:
    if not fine:
        raise ValueError(f"hedge: {field} must be {allowed}")
