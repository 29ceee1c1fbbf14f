"""From the record of every call to the figures of a table.

A call *succeeds* when OK arrives before its deadline. In latencies a call that did not succeed counts as its
whole deadline, so that failing fast improves no percentile. *Attempts* are what the services were sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from benchmarks.efficacy.scenarios import WARM_S, Scenario
from benchmarks.efficacy.services import SLICE_S

OK: Final = 0
NAN: Final = float("nan")
SETTLE_S: Final = 1.0
"""What is left out of *after*: the time in which a proxy may recover."""
_BAD_SHARE: Final = 0.05


@dataclass(frozen=True)
class CallSeen:
    """One call as its caller saw it; seconds from the begin."""

    due: float
    latency: float
    status: int


@dataclass(frozen=True)
class Figures:
    """What came of one scenario through one stack."""

    calls: int
    success: float
    """Share of all calls."""
    p50_ms: float
    p99_ms: float
    p999_ms: float
    attempts: float
    """Calls that services were sent, for each call of the caller."""
    trouble_attempts: float
    """The same while there was trouble."""
    goodput: tuple[float, float, float]
    """Good answers a second before, during and after the trouble."""
    share: tuple[float, float, float]
    """Share of the calls that were due before, during and after that succeeded; after begins one second
    late.
    """
    recovered_s: float
    """From the end of the trouble to the end of the last tenth of a second in which more than one call in
    twenty failed.
    """
    first_success_s: float
    """From the end of the trouble to the first good answer."""
    overshoot: float
    """Most attempts for each call due, over any second after the trouble."""
    statuses: dict[int, int] = field(default_factory=dict)
    """Final statuses other than OK."""


def read_calls(lines: list[str]) -> list[CallSeen]:
    """Read what native/caller.c prints."""
    calls = []
    for line in lines:
        due, latency, status = line.split()
        calls.append(CallSeen(float(due), float(latency), int(status)))
    return calls


def percentile(ordered: list[float], share: float) -> float:
    """Return a percentile of ordered numbers."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else NAN


def measure(
    scenario: Scenario,
    calls: list[CallSeen],
    boards: list[list[tuple[int, int]]],
    begin_s: float,
    deadline_s: float,
) -> Figures:
    """Return the figures; `begin_s` is when the load began on the boards' clock."""
    total = scenario.seconds
    good = [call for call in calls if call.status == OK and call.latency <= deadline_s]
    measured = [call for call in calls if call.due >= WARM_S]
    well = [call for call in good if call.due >= WARM_S]
    late = [deadline_s] * (len(measured) - len(well))
    ordered = sorted([call.latency for call in well] + late)
    from_s, until_s = scenario.trouble
    spans = ((WARM_S, from_s), (from_s, until_s), (until_s, total))
    came = [sum(board[at][0] for board in boards) for at in range(len(boards[0]))]
    statuses: dict[int, int] = {}
    for call in measured:
        if call.status != OK:
            statuses[call.status] = statuses.get(call.status, 0) + 1
    return Figures(
        calls=len(measured),
        success=len(well) / max(1, len(measured)),
        p50_ms=percentile(ordered, 0.5) * 1e3,
        p99_ms=percentile(ordered, 0.99) * 1e3,
        p999_ms=percentile(ordered, 0.999) * 1e3,
        attempts=sum(came) / max(1, len(calls)),
        trouble_attempts=_attempts(came, calls, begin_s, from_s, until_s),
        goodput=tuple(  # type: ignore[arg-type]
            sum(start <= call.due + call.latency < end for call in good) / (end - start)
            for start, end in spans
        ),
        share=tuple(  # type: ignore[arg-type]
            _share(calls, deadline_s, start, end)
            for start, end in (spans[0], spans[1], (until_s + SETTLE_S, total))
        ),
        recovered_s=_recovered(calls, deadline_s, until_s),
        first_success_s=min(
            (call.due + call.latency - until_s for call in good if call.due + call.latency >= until_s),
            default=NAN,
        ),
        overshoot=_overshoot(came, calls, begin_s, until_s, total),
        statuses=statuses,
    )


def _share(calls: list[CallSeen], deadline_s: float, start: float, end: float) -> float:
    due = [call for call in calls if start <= call.due < end]
    if not due:
        return NAN
    return sum(call.status == OK and call.latency <= deadline_s for call in due) / len(due)


def _attempts(came: list[int], calls: list[CallSeen], begin_s: float, start: float, end: float) -> float:
    """Return attempts for each call due in a span; the span is widened to whole slices of the boards."""
    first = int((begin_s + start) / SLICE_S)
    last = int((begin_s + end) / SLICE_S) + 1
    start, end = first * SLICE_S - begin_s, last * SLICE_S - begin_s
    due = sum(start <= call.due < end for call in calls)
    return sum(came[first:last]) / due if due else NAN


def _overshoot(came: list[int], calls: list[CallSeen], begin_s: float, start: float, end: float) -> float:
    most = 0.0
    at = start
    while at + 1.0 <= end:
        most = max(most, _attempts(came, calls, begin_s, at, at + 1.0))
        at += 0.25
    return most


def _recovered(calls: list[CallSeen], deadline_s: float, until_s: float) -> float:
    slices: dict[int, list[int]] = {}
    for call in calls:
        if call.due >= until_s:
            counts = slices.setdefault(int((call.due - until_s) / SLICE_S), [0, 0])
            counts[0] += 1
            counts[1] += call.status != OK or call.latency > deadline_s
    bad = [at for at, (due, failed) in slices.items() if failed > _BAD_SHARE * due]
    return (max(bad) + 1) * SLICE_S if bad else 0.0
