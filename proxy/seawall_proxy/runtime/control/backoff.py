"""When the next stream is opened, without a clock: told of failures and given draws.

The first attempt comes within 200 ms, so that a restarted control plane is found at once; then full jitter
under 1 s x 1.6^n, at most 120 s, at most 5 s while events wait (gRFC A57's numbers; AWS Architecture Blog,
"Exponential Backoff And Jitter"). A control plane that is asked by too many at once says how long to wait at
least.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

QUICK_RETRY_S: Final = 0.2
BACKOFF_INITIAL_S: Final = 1.0
BACKOFF_FACTOR: Final = 1.6
BACKOFF_MAX_S: Final = 120.0
BACKOFF_MAX_WAITING_S: Final = 5.0
PUSHBACK: Final = "grpc-retry-pushback-ms"


def pushback_s(metadata: Iterable[tuple[str, str | bytes]]) -> float:
    """Return how long the other side asks to wait before another attempt (gRFC A6's pushback), at most two
    minutes; 0 when it does not.
    """
    for name, value in metadata:
        if name == PUSHBACK and isinstance(value, str) and value.isascii() and value.isdecimal():
            return min(int(value[:12]) / 1000.0, BACKOFF_MAX_S)
    return 0.0


class Backoff:
    """Delays before the next attempt; `draw` gives numbers in [0, 1)."""

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw: Callable[[], float] = draw
        self._failures: int = 0

    def reset(self) -> None:
        """Forget the failures: the other side has answered."""
        self._failures = 0

    def next_delay(self, *, events_waiting: bool) -> float:
        """Return seconds to wait, and count a failure."""
        failures = self._failures
        self._failures += 1
        if failures == 0:
            return QUICK_RETRY_S * self._draw()
        ceiling = BACKOFF_MAX_WAITING_S if events_waiting else BACKOFF_MAX_S
        # The power is bounded before it is taken: after a thousand failures it would overflow.
        grown = BACKOFF_INITIAL_S * BACKOFF_FACTOR ** min(failures - 1, 32)
        # Half of the first delay is the least: full jitter alone would hammer now and then.
        return max(min(grown, ceiling) * self._draw(), BACKOFF_INITIAL_S / 2 * self._draw(), QUICK_RETRY_S)
