"""How much time is left: a deadline for each thread or task, which policies shorten and everything reads."""

from __future__ import annotations

from contextvars import ContextVar
from math import inf

from seawall.resilience.clock import current_clock

_deadline: ContextVar[float] = ContextVar("seawall_deadline", default=inf)


def deadline() -> float:
    """Return when the time is up, in monotonic seconds; infinity when there is no limit."""
    return _deadline.get()


def set_deadline(at: float) -> float:
    """Set the deadline of this thread or task; return the one before, which the caller must put back."""
    before = _deadline.get()
    _deadline.set(at)
    return before


def time_left(default: float | None = None) -> float | None:
    """Return the seconds left of the innermost `timeout`, `default` when there is none; at least 0.0.

    Hand it on to what blocks: `requests.get(url, timeout=time_left(10))`, `stub.Get(request,
    timeout=time_left())`.
    """
    at = _deadline.get()
    if at == inf:
        return default
    left = max(0.0, at - current_clock().now())
    return left if default is None else min(default, left)
