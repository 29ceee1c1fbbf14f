"""How many retries there may be in all: a budget in proportion to calls, and gRPC's token throttle.

Both are the engine's, made safe for threads. One object may be shared by many retries, and should be where
they call the same service.
"""

from __future__ import annotations

import threading
from typing import Final

from seawall.resilience.clock import Seconds, seconds_of
from seawall_policy.budget import BudgetOptions, RetryBudget, RetryThrottle

LEDGERS: Final = threading.Lock()
"""Guards every budget and throttle: a decision asks both, and each look takes less than a microsecond."""


class Budget:
    """Retries allowed: `percent` of the calls of the last `interval`, and `min_per_second` in any case.

    The defaults are Gateway API's (GEP-3388): a fifth more load is what a service in trouble can bear.
    """

    def __init__(
        self, percent: float = 20.0, *, min_per_second: float = 10.0, interval: Seconds = 10.0
    ) -> None:
        self.engine: Final = RetryBudget(BudgetOptions(percent, min_per_second, seconds_of(interval)))

    def balance(self, now: float) -> float:
        """Return how many retries could be paid for now."""
        with LEDGERS:
            return self.engine.balance(now)

    def __repr__(self) -> str:
        options = self.engine.options
        return f"Budget({options.percent} %, min {options.min_per_second}/s over {options.interval_s} s)"


class Throttle:
    """gRPC's retry throttle (A6): a failure takes a token, a success gives `token_ratio`; retries are made
    while more than half of `max_tokens` are left.
    """

    def __init__(self, max_tokens: float = 10.0, token_ratio: float = 0.1) -> None:
        self.engine: Final = RetryThrottle(max_tokens, token_ratio)

    def tokens(self) -> float:
        """Return the tokens that are left."""
        with LEDGERS:
            return self.engine.tokens()

    def __repr__(self) -> str:
        return f"Throttle({self.tokens()} tokens left)"
