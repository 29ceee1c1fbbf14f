"""Rows of a large record, quickly: what a fleet of sixteen proxies and some jobs report in thirty days.

A thousand problems, the frequent ones far more so than the rare ones; four fifths of what is older than a day
has been dealt with; most calls have a trace, some traces several events; a tenth comes from jobs. Rows are
made without events in between, and what the store keeps beside them (groups, hours, rollups) is summed up on
the way by the same rules, so that a loaded store is one that the use cases would have made.
"""

from __future__ import annotations

import bisect
import itertools
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from seawall_control.domain.escalation import HOUR_US, WEEK_HOURS
from seawall_control.domain.events import MICROS, Category, EventKind, Outcome, Severity
from seawall_control.domain.groups import Activity, Group, GroupState
from seawall_control.domain.retention import GROUP_HOURS_DAYS
from seawall_control.domain.rollups import KEPT_S, Bound, Key, Width
from seawall_control.store.group_rows import group_row

FORM: Final = 2
"""Of the rows; another one with every change to them, so that a record that was kept is not taken for one."""
PROBLEMS: Final = 1000
ROUTES: Final = 100
PROXIES: Final = 16
JOBS: Final = 20
DAYS: Final = 30
END_US: Final = 1_769_000_400_000_000
"""When the last event happens: twenty minutes past an hour, so that hours are cut as they are in life."""
NEEDLE_TRACE: Final = "feedfacefeedfacefeedfacefeedface"
NEEDLE_TEXT: Final = "the needle in the haystack"
NEEDLE_CODE: Final = "DATA_LOSS"
"""One event in the middle has this trace, text and code; no other has any of them."""
_CODES: Final = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "RESOURCE_EXHAUSTED", "ABORTED")
_REASONS: Final = ("UPSTREAM_RESET", "TIMEOUT", "", "OVERLOADED", "")
_WORDS: Final = (
    "connection reset by peer while reading response headers",
    "upstream request timeout after the per-try deadline",
    "no healthy upstream: all endpoints ejected",
    "transport: error while dialing: connection refused",
    "stream terminated by RST_STREAM with error code CANCEL",
)
_FRAME: Final = '  File "/srv/app/orders/worker.py", line {}, in handle\n    self._store.put(order)\n'


@dataclass(frozen=True, slots=True)
class Problem:
    """What the events of one group have in common."""

    fingerprint: str
    severity: int
    component: str
    error_type: str
    words: str
    job: str
    kind: int
    route: str
    method: str
    code: str
    category: int
    attempts: str | None
    endpoint: str
    outcome: int
    reason: str
    stack: str

    @property
    def key(self) -> Key:
        """What its events are counted by."""
        names = (self.component, self.route, self.method, self.code)
        return (*names, self.category, self.severity, self.kind, self.outcome)


def _severity(dice: random.Random) -> int:
    return dice.choices((1, 2, 3, 4), (55, 30, 14, 1))[0]


def problems() -> list[Problem]:
    """Return the problems, the most frequent one first."""
    dice = random.Random(20)
    found = []
    for number in range(PROBLEMS):
        severity, code = _severity(dice), dice.randrange(len(_CODES))
        fingerprint = f"v0:{number:032x}"
        if number % 10 == 9:
            job = number // 10 % JOBS
            found.append(
                Problem(
                    fingerprint, severity, f"job/nightly-{job}", "ValueError", _WORDS[code], f"nightly-{job}",
                    int(EventKind.APPLICATION), "", "", "", int(Category.PERMANENT), None, "", 0, "",
                    "Traceback (most recent call last):\n" + "".join(_FRAME.format(n) for n in range(8)),
                )
            )  # fmt: skip
            continue
        route = f"checkout-{dice.randrange(ROUTES)}"
        recovered = dice.random() < 0.4
        endpoint = f"10.0.{number % 7}.{number % 50}:50051"
        attempts = [[n, endpoint, _CODES[code], 1500 * n, _REASONS[code]] for n in (1, 2)]
        found.append(
            Problem(
                fingerprint, severity, f"route/{route}", _CODES[code], _WORDS[code], "",
                int(EventKind.CALL_RECOVERED if recovered else EventKind.CALL_FAILED),
                route, f"/shop.v1.Checkout/Method{number % 12}", "OK" if recovered else _CODES[code],
                int(Category.TRANSIENT), json.dumps(attempts, separators=(",", ":")), endpoint,
                int(Outcome.RETRIED if recovered else Outcome.FAILED), _REASONS[code], "",
            )
        )  # fmt: skip
    return found


class Record:
    """The rows of a record of so many events, and what is kept beside them once they have all been made."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.problems = problems()
        self.spacing_us = DAYS * 86_400 * MICROS // count
        self.start_us = END_US - (count - 1) * self.spacing_us
        self.counts: dict[tuple[int, int], int] = defaultdict(int)
        self._by_hour: dict[tuple[int, int], int] = defaultdict(int)
        self._by_minute: dict[tuple[int, int], int] = defaultdict(int)
        self._last: dict[int, tuple[int, int, str]] = {}

    def at_us(self, number: int) -> int:
        """Return when an event happened."""
        return self.start_us + number * self.spacing_us

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield rows of EVENT_COLUMNS, the spool and the number in it, in the order of time."""
        dice = random.Random(7)
        bits, chance = dice.getrandbits, dice.random
        totals = list(itertools.accumulate(1.0 / (rank + 3) for rank in range(PROBLEMS)))
        whole = totals[-1]
        proxies = [(f"edge-{n}", f"{n:032x}") for n in range(PROXIES)]
        minutes_from = END_US - KEPT_S[Width.MINUTE] * MICROS
        recent_us = END_US - 86_400 * MICROS
        trace = ""
        for n in range(self.count):
            at_us = self.start_us + n * self.spacing_us
            which = bisect.bisect_left(totals, chance() * whole)
            problem = self.problems[which]
            low = bits(62) | 1 << 63
            if problem.job:
                job_id, trace_id, message = f"{problem.job}-{n // 40}", "", f"{problem.words}: order {low}"
            else:
                if low & 7 > 2:
                    trace = f"{bits(128):032x}"
                job_id, trace_id = "", trace if low & 15 else ""
                message = f"{problem.words}: order {low >> 32} for user {low & 0xFFFF}"
            code = problem.code
            if n == self.count // 2:
                trace_id, message, code = NEEDLE_TRACE, NEEDLE_TEXT, NEEDLE_CODE
            resolved = int((at_us < recent_us and low & 0xFF < 204) or which % 50 == 7)
            head = f"{at_us // 1000 << 80 | 7 << 76 | low:032x}"
            proxy, spool = proxies[n % PROXIES]
            hour = at_us // HOUR_US
            self.counts[problem.severity, resolved] += 1
            self._by_hour[hour, which] += 1
            if at_us >= minutes_from:
                self._by_minute[at_us // (60 * MICROS), which] += 1
            self._last[which] = (at_us, resolved, message)
            yield (
                f"{head[:8]}-{head[8:12]}-{head[12:16]}-{head[16:20]}-{head[20:]}",
                at_us, problem.severity, problem.component, problem.error_type, message,
                f'{{"order":{low >> 40}}}' if low & 15 == 3 else None,
                job_id, problem.job, problem.stack, resolved, at_us + HOUR_US if resolved else 0,
                problem.kind, problem.route, problem.method, code, problem.category, problem.attempts,
                problem.endpoint, 1000 + (low & 0xFFFFF), problem.outcome, problem.reason, trace_id,
                problem.fingerprint, 7, proxy, "fixed by a release" if resolved else "", spool,
                n // PROXIES + 1,
            )  # fmt: skip

    # --------------------------------------------------------------------------- once all rows have been made

    def event_hours(self) -> list[tuple[int, int]]:
        """Return hours since the epoch and their events."""
        found: dict[int, int] = defaultdict(int)
        for (hour, _), number in self._by_hour.items():
            found[hour] += number
        return sorted(found.items())

    def groups(self) -> list[tuple[Any, ...]]:
        """Return rows of groups."""
        events: dict[int, int] = defaultdict(int)
        first: dict[int, int] = {}
        for (hour, which), number in self._by_hour.items():
            events[which] += number
            first.setdefault(which, hour * HOUR_US)
        now = END_US // HOUR_US
        rows = []
        for which, (last_us, resolved, message) in self._last.items():
            problem = self.problems[which]
            group = Group(
                id=problem.fingerprint,
                state=GroupState.RESOLVED if resolved else GroupState.ONGOING,
                since_us=last_us,
                first_seen_us=max(first[which], self.start_us),
                last_seen_us=last_us,
                events=events[which],
                severity=Severity(problem.severity),
                kind=EventKind(problem.kind),
                route=problem.route,
                method=problem.method,
                code=problem.code,
                category=Category(problem.category),
                component=problem.component,
                error_type=problem.error_type,
                reason=problem.reason,
                message=message,
                hour=now,
                hour_events=self._by_hour.get((now, which), 0),
                parts={"given": problem.fingerprint},
                activity=(Activity(self.start_us, "", "new"),),
            )
            rows.append(group_row(group))
        return rows

    def group_hours(self) -> list[tuple[str, int, int, int]]:
        """Return rows of `group_hours`, as far back as they are kept."""
        oldest = END_US // HOUR_US - max(GROUP_HOURS_DAYS * 24, WEEK_HOURS)
        return [
            (self.problems[which].fingerprint, hour, number, 0)
            for (hour, which), number in sorted(self._by_hour.items())
            if hour >= oldest
        ]

    def rollups(self) -> Iterator[Any]:
        """Yield rows of `event_rollups`, with full buckets bounded as the store does it."""
        yield from self._rolled(Width.MINUTE, self._by_minute, 60)
        yield from self._rolled(Width.HOUR, self._by_hour, 3600)
        days: dict[tuple[int, int], int] = defaultdict(int)
        for (hour, which), number in self._by_hour.items():
            days[hour // 24, which] += number
        yield from self._rolled(Width.DAY, days, 86_400)

    def buckets(self) -> list[tuple[int, int, int, int]]:
        """Return rows of `event_buckets`."""
        sums: dict[tuple[int, int], int] = defaultdict(int)
        for row in self.rollups():
            sums[row[0], row[1]] += row[-1]
        return [(width, start, 0, events) for (width, start), events in sums.items()]

    def _rolled(self, width: Width, sums: dict[tuple[int, int], int], unit_s: int) -> Iterator[Any]:
        ordered = sorted(sums.items())
        for start, some in itertools.groupby(ordered, key=lambda item: item[0][0] * unit_s):
            counts: dict[Key, int] = defaultdict(int)
            for (_, which), number in some:
                counts[self.problems[which].key] += number
            for key, number in Bound().bounded(width, start, counts).items():
                yield (int(width), start, *key, number)
