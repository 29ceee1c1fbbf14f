"""What is known of the time before a start: calls by route, kept by the minute, and from when on events are.

Counts of calls exist nowhere but in the proxies, whose counters say how many and not when. So the sums of
each minute are kept, those of more than six hours ago by the hour, as far back as the rules look. A restart,
or another control plane that takes over, then begins with windows that are full but for its absence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from seawall_control.domain.alerts.rules import BURN_WINDOWS, Trigger, TriggerKind
from seawall_control.domain.alerts.windows import CALL_SLOT_US, MAX_ROUTES
from seawall_control.domain.events import MICROS

MINUTE_US: Final = 60 * MICROS
HOUR_US: Final = 3600 * MICROS
FINE_US: Final = 6 * HOUR_US
"""What is older is kept by the hour; no window that is built in looks further back."""
HOLE_SHARE: Final = 0.1
"""A window that misses no more than this of its time is as good as whole."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Calls that ended within a minute or an hour: failed and all, by route."""

    start_us: int
    length_us: int
    calls: Mapping[str, tuple[int, int]]

    @property
    def name(self) -> str:
        """Name of its document; the order of names is that of time."""
        return f"{self.start_us // MICROS:012d}-{self.length_us // MICROS}"

    def counted_at_us(self, now_us: int) -> int:
        """Return when its calls are taken to have ended: late, so that no window loses them too early."""
        return min(self.start_us + self.length_us - CALL_SLOT_US, now_us)

    def to_text(self) -> str:
        """Return it as it is stored."""
        return json.dumps(
            {"start_us": self.start_us, "length_us": self.length_us, "calls": self.calls},
            ensure_ascii=False,
            separators=(",", ":"),
        )

    @classmethod
    def of_text(cls, text: str) -> Bucket:
        """Read one. Raise ValueError, TypeError or LookupError for what is none."""
        data = json.loads(text)
        calls = {str(route): (int(failed), int(total)) for route, (failed, total) in data["calls"].items()}
        return cls(int(data["start_us"]), int(data["length_us"]), calls)


class CallBook:
    """Sums calls by the minute, and says which minutes are to be stored."""

    def __init__(self) -> None:
        self._minutes: dict[int, dict[str, tuple[int, int]]] = {}
        self._changed: set[int] = set()

    def resume(self, buckets: Iterable[Bucket], *, at_us: int) -> None:
        """Go on with the minute that somebody else began."""
        for bucket in buckets:
            if bucket.length_us == MINUTE_US and bucket.start_us == at_us // MINUTE_US * MINUTE_US:
                self._minutes[bucket.start_us] = dict(bucket.calls)

    def add(self, route: str, failed: int, total: int, at_us: int) -> None:
        """Count calls that have ended. The same bound on routes holds as for windows."""
        start_us = at_us // MINUTE_US * MINUTE_US
        calls = self._minutes.setdefault(start_us, {})
        before = calls.get(route)
        if before is None and len(calls) >= MAX_ROUTES:
            return
        calls[route] = (before[0] + failed, before[1] + total) if before else (failed, total)
        self._changed.add(start_us)

    def take(self, *, at_us: int) -> list[Bucket]:
        """Return the minutes that have changed since the last time; those that are over are forgotten."""
        found = [Bucket(start, MINUTE_US, dict(self._minutes[start])) for start in sorted(self._changed)]
        self._changed.clear()
        now = at_us // MINUTE_US * MINUTE_US
        self._minutes = {start: calls for start, calls in self._minutes.items() if start == now}
        return found

    def put_back(self, buckets: Iterable[Bucket]) -> None:
        """Take minutes back that could not be stored: at most the newest hour of them."""
        for bucket in buckets:
            if bucket.start_us not in self._minutes:
                self._minutes[bucket.start_us] = dict(bucket.calls)
            self._changed.add(bucket.start_us)
        for start in sorted(self._minutes)[:-60]:
            del self._minutes[start]
            self._changed.discard(start)


def folded(buckets: Sequence[Bucket], *, at_us: int, keep_us: int) -> tuple[list[Bucket], list[str]]:
    """Return the hours that take the place of old minutes, and the names of what is to be deleted: those
    minutes, and everything of longer ago than `keep_us` or of a time that lies ahead.
    """
    hours: dict[int, dict[str, tuple[int, int]]] = {}
    gone: list[str] = []
    grown: set[int] = set()
    # An hour that has some of its minutes already, from before a fold that was cut short, takes in the rest.
    for bucket in sorted(buckets, key=lambda one: -one.length_us):
        start_us = bucket.start_us // HOUR_US * HOUR_US
        is_old = bucket.start_us + bucket.length_us <= at_us - keep_us
        if is_old or bucket.start_us > at_us + HOUR_US:  # a clock was wrong
            gone.append(bucket.name)
        elif bucket.length_us != MINUTE_US:
            hours[start_us] = dict(bucket.calls)
        elif start_us + HOUR_US <= at_us - FINE_US:
            sums = hours.setdefault(start_us, {})
            for route, (failed, total) in bucket.calls.items():
                before = sums.get(route, (0, 0))
                sums[route] = (before[0] + failed, before[1] + total)
            gone.append(bucket.name)
            grown.add(start_us)
    return [Bucket(start, HOUR_US, hours[start]) for start in sorted(grown)], gone


@dataclass(frozen=True, slots=True)
class Known:
    """How complete the windows are that an engine begins with."""

    calls_until_us: int = 0
    """Calls are known up to here, from further back than any rule looks; 0: none are."""
    events_since_us: int = 0
    """Events are known from here on; 0: none are."""

    def settled_us(self, trigger: Trigger, started_us: int) -> int:
        """Return from when on silence says that a trigger does not hold: once its window is whole."""
        if trigger.kind in (TriggerKind.ERROR_RATE, TriggerKind.BURN_RATE):
            window_us = int(longest_s(trigger) * MICROS)
            hole_us = started_us - self.calls_until_us
            return started_us if hole_us <= window_us * HOLE_SHARE else started_us + window_us
        if trigger.kind in (TriggerKind.EVENT_COUNT, TriggerKind.RECOVERY_FAILURE_RATE):
            window_us = int(trigger.window_s * MICROS)
            complete = 0 < self.events_since_us <= started_us - window_us
            return started_us if complete else started_us + window_us
        return started_us


def longest_s(trigger: Trigger) -> float:
    """Return how far back a trigger looks at calls, in seconds; 0 for one that does not."""
    if trigger.kind is TriggerKind.BURN_RATE:
        return max(pair.long_s for pair in trigger.windows or BURN_WINDOWS)
    return trigger.window_s if trigger.kind is TriggerKind.ERROR_RATE else 0.0
