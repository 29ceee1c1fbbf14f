"""Calls as they were recorded."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class RecordedAttempt:
    """One attempt that was made."""

    code: int
    duration_s: float
    sent: bool = True
    """It may have reached a server."""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One call that was made. Times are seconds of any one clock."""

    at: float
    route: str
    method: str
    """`package.Service/Method`."""
    code: int
    """The status that the caller saw."""
    attempts: tuple[RecordedAttempt, ...]
    deadline_s: float = inf
    """Time that the caller gave."""


class Attempts:
    """The attempts of a record by route, to know how another one would have fared."""

    def __init__(self, calls: Iterable[RecordedCall]) -> None:
        found: dict[str, list[tuple[float, RecordedAttempt]]] = {}
        for call in calls:
            at = call.at
            for attempt in call.attempts:
                # The waits between attempts are not recorded.
                found.setdefault(call.route, []).append((at, attempt))
                at += attempt.duration_s
        self._known: dict[str, tuple[list[float], list[RecordedAttempt]]] = {}
        for name, entries in found.items():
            entries.sort(key=lambda entry: entry[0])
            self._known[name] = ([at for at, _ in entries], [attempt for _, attempt in entries])

    def next_after(self, route: str, now: float) -> RecordedAttempt:
        """Return the next attempt that was begun on a route, the last one when there was none any more."""
        starts, attempts = self._known[route]
        return attempts[min(bisect_left(starts, now), len(attempts) - 1)]
