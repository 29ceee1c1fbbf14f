"""Whether a route lives on its fallbacks: since when, how often, and until when.

The first call that a fallback answers makes the route degraded; `recovered_after` calls in a row that the
route's own servers answered with OK make it recovered. A failure in between, or another fallback, begins the
row anew. A call that began before the last fallback was served tells nothing about the time after it, and
does not count. Times are monotonic seconds.
"""

from __future__ import annotations

from typing import Final

RECOVERED_AFTER: Final = 3
"""Successes in a row that end a degradation, unless the policy says otherwise."""
MOST: Final = 1000

NOT: Final = -1.0
"""`since` of a route that is not degraded."""


class Degradation:
    """The state of one route."""

    def __init__(self, recovered_after: int = RECOVERED_AFTER) -> None:
        if not 1 <= recovered_after <= MOST:
            raise ValueError(f"recovered_after {recovered_after}: use 1 to {MOST}")
        self.recovered_after: int = recovered_after
        self.since: float = NOT
        """When it began; negative while the route is not degraded."""
        self.calls: int = 0
        """Calls that fallbacks have answered since then; of the last time when it is over."""
        self.step: int = 0
        """Index of the last step that answered."""
        self.kind: str = ""
        """What that step gives."""
        self.code: int = 0
        """The status that it covered."""
        self.reason: str = ""
        """Our reason for that status; empty when it came from upstream."""
        self.times: int = 0
        """How often the route has become degraded."""
        self._last: float = NOT
        self._row: int = 0

    @property
    def active(self) -> bool:
        """Tell whether the route is degraded."""
        return self.since >= 0.0

    def covered(self, step: int, kind: str, code: int, reason: str, now: float) -> bool:
        """Note a fallback's answer; return whether the route has become degraded by it."""
        self.step = step
        self.kind = kind
        self.code = code
        self.reason = reason
        self._last = now
        self._row = 0
        if self.since >= 0.0:
            self.calls += 1
            return False
        self.since = now
        self.calls = 1
        self.times += 1
        return True

    def succeeded(self, started: float) -> bool:
        """Note a success of the route's own servers in a call that began at `started`; return whether the
        route has recovered by it. `since` stays as it was until `end` is called.
        """
        if self.since < 0.0 or started < self._last:
            return False
        self._row += 1
        return self._row >= self.recovered_after

    def failed(self) -> None:
        """Note a failure that no fallback has covered."""
        self._row = 0

    def end(self) -> None:
        """Be degraded no longer."""
        self.since = NOT
        self._row = 0
