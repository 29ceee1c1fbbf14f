"""How many retries a service may be given: a budget in proportion to its calls, and gRPC's token throttle.

**RetryBudget.** Every original call deposits a fraction of a retry (`percent`), every retry withdraws a
whole one, and a reserve of `min_per_second` x `interval_s` is always there for services with little
traffic. Deposits and withdrawals live in a ring of ten slots over `interval_s` and leave it together, so
the balance is: reserve + deposits - withdrawals of the last interval.

A retry is withdrawn when it is *decided*, which is when it enters its backoff: a budget that only counts
retries on the wire lets any number of them wait behind it. One budget is shared by every route of a
service, and each repetition of the same call counts.

**ConcurrencyBudget.** Envoy's kind: of the calls at work, so many percent may be retries, and
`min_concurrent` in any case. A retry is at work from the moment it is decided, its wait included (Envoy issue
30205), until its attempt has ended.

**RetryThrottle.** gRFC A6: tokens from 0 to `max_tokens`; a failure takes 1, a success gives `token_ratio`;
retries are allowed while there are more than half.

Amounts are integers (millionths of a retry, thousandths of a token), so nothing drifts. Sources: Finagle
and tower (`TpsBudget`), Gateway API GEP-3388, Envoy (`retry_budget`), gRFC A6.
"""

from __future__ import annotations

from math import floor, inf
from typing import Final

SLOTS: Final = 10

# One retry, in the units of the ledger.
_RETRY: Final = 1_000_000
_TOKEN: Final = 1000

# Earlier than any tick of any clock.
_NEVER: Final = -(1 << 60)


class BudgetOptions:
    """`percent` retries per 100 calls (0 to 1000), `min_per_second` always allowed, both over `interval_s`
    (above 0). With `concurrent` instead: `percent` of the calls at work, and `min_concurrent` (0 to 1000)
    always.

    Raises ValueError for anything else.
    """

    def __init__(
        self,
        percent: float = 20.0,
        min_per_second: float = 10.0,
        interval_s: float = 10.0,
        concurrent: bool = False,
        min_concurrent: int = 3,
    ) -> None:
        if not 0.0 <= percent <= 1000.0:
            raise ValueError(f"retry budget: percent is {percent}; use 0 to 1000")
        if not 0.0 <= min_per_second <= 1e6:
            raise ValueError(f"retry budget: min_per_second is {min_per_second}; use 0 to 1000000")
        if not 0.0 < interval_s <= 86400.0:
            raise ValueError(f"retry budget: interval_s is {interval_s}; use more than 0 and at most 86400")
        if not 0 <= min_concurrent <= 1000:
            raise ValueError(f"retry budget: min_concurrent is {min_concurrent}; use 0 to 1000")
        self.percent: float = percent
        self.concurrent: bool = concurrent
        self.min_concurrent: int = min_concurrent
        self.min_per_second: float = min_per_second
        self.interval_s: float = interval_s


class RetryBudget:
    """A ledger of calls and retries over the last interval. Times are monotonic seconds; time never runs
    back in it.
    """

    counts_calls: bool = False
    """Wants to know when calls end."""

    def __init__(self, options: BudgetOptions) -> None:
        self.options: BudgetOptions = options
        self.deposits: int = 0
        self.withdrawals: int = 0
        self.refusals: int = 0
        self._deposit: int = round(options.percent * (_RETRY // 100))
        self._reserve: int = round(options.min_per_second * options.interval_s * _RETRY)
        self._slot_s: float = options.interval_s / SLOTS
        self._slots: list[int] = [0] * SLOTS
        self._sum: int = 0
        self._tick: int = _NEVER
        self._at: int = 0

    def deposit(self, now: float) -> None:
        """Count one original call (not a retry) that has ended."""
        self._advance(now)
        self.deposits += 1
        self._slots[self._at] += self._deposit
        self._sum += self._deposit

    def deposit_many(self, calls: int, now: float) -> None:
        """Count original calls of the last moments at once."""
        self._advance(now)
        self.deposits += calls
        amount = self._deposit * calls
        self._slots[self._at] += amount
        self._sum += amount

    def give_back(self) -> None:
        """Learn that a retry which was paid for has ended, or did not happen. Nothing to a ledger of rates:
        what was spent stays spent.
        """

    def call_ended(self) -> None:
        """Learn that a call which was deposited has ended."""

    def try_withdraw(self, now: float) -> bool:
        """Take one retry out when there is a whole one, as it enters its backoff; tell whether it may go
        ahead.
        """
        self._advance(now)
        if self._reserve + self._sum < _RETRY:
            self.refusals += 1
            return False
        self.withdrawals += 1
        self._slots[self._at] -= _RETRY
        self._sum -= _RETRY
        return True

    def balance(self, now: float) -> float:
        """Return how many retries could be withdrawn now, at least 0.0, fractions included."""
        self._advance(now)
        left = self._reserve + self._sum
        return left / _RETRY if left > 0 else 0.0

    def _advance(self, now: float) -> None:
        """Empty the slots that the time has passed."""
        tick = floor(now / self._slot_s)
        steps = tick - self._tick
        if steps <= 0:
            return
        self._tick = tick
        steps = min(steps, SLOTS)
        while steps > 0:
            steps -= 1
            self._at = self._at + 1 if self._at + 1 < SLOTS else 0
            self._sum -= self._slots[self._at]
            self._slots[self._at] = 0


class ConcurrencyBudget(RetryBudget):
    """Retries at work, as a share of the calls at work."""

    counts_calls = True

    def __init__(self, options: BudgetOptions) -> None:
        super().__init__(options)
        self.calls: int = 0
        """Calls at work."""
        self.retries: int = 0
        """Retries at work, those that wait included."""

    def deposit(self, now: float) -> None:
        """Count a call that is at work from now on."""
        self.deposits += 1
        self.calls += 1

    def deposit_many(self, calls: int, now: float) -> None:
        """Count several of them."""
        self.deposits += calls
        self.calls += calls

    def call_ended(self) -> None:
        """Count a call that is at work no longer."""
        self.calls -= 1

    def give_back(self) -> None:
        """Count a retry that is at work no longer."""
        self.retries -= 1

    def try_withdraw(self, now: float) -> bool:
        """Count a retry that is at work from now on, if there may be another one; tell whether it may go
        ahead.
        """
        if self.retries >= self.allowed():
            self.refusals += 1
            return False
        self.withdrawals += 1
        self.retries += 1
        return True

    def balance(self, now: float) -> float:
        """Return how many more retries may be at work."""
        return max(0.0, float(self.allowed() - self.retries))

    def allowed(self) -> int:
        """Return how many retries may be at work now."""
        share = int(self.options.percent * self.calls / 100.0)
        return max(self.options.min_concurrent, share)


def make_budget(options: BudgetOptions) -> RetryBudget:
    """Return a budget of the kind that the options ask for."""
    return ConcurrencyBudget(options) if options.concurrent else RetryBudget(options)


class ThrottleOptions:
    """Settings of a `RetryThrottle`, which checks them."""

    def __init__(self, max_tokens: float = 10.0, token_ratio: float = 0.1) -> None:
        self.max_tokens: float = max_tokens
        self.token_ratio: float = token_ratio


class RetryThrottle:
    """The token bucket of gRFC A6; `max_tokens` above 0 up to 1000, `token_ratio` above 0, both to three
    decimals.
    """

    def __init__(self, max_tokens: float = 10.0, token_ratio: float = 0.1) -> None:
        if not 0.0 < max_tokens <= 1000.0:
            raise ValueError(f"retry throttle: max_tokens is {max_tokens}; use more than 0 and at most 1000")
        if not 0.0 < token_ratio < inf or round(token_ratio * _TOKEN) < 1:
            raise ValueError(f"retry throttle: token_ratio is {token_ratio}; use at least 0.001")
        self._max: int = round(max_tokens * _TOKEN)
        self._gain: int = round(token_ratio * _TOKEN)
        self._tokens: int = self._max

    def failure(self) -> None:
        """Count an attempt that failed with a retryable code, or whose server asked not to retry."""
        self._tokens = self._tokens - _TOKEN if self._tokens > _TOKEN else 0

    def success(self) -> None:
        """Count an attempt that succeeded."""
        self._tokens = min(self._max, self._tokens + self._gain)

    def allows(self) -> bool:
        """Tell whether retries are allowed: more than half of the tokens are left."""
        return self._tokens * 2 > self._max

    def tokens(self) -> float:
        """Return the tokens left."""
        return self._tokens / _TOKEN
