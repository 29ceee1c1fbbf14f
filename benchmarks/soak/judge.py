"""Is the proxy where it was? Compares two quiet readings and the samples between them.

Exactly nothing may be left of calls, streams and connections. What has a resting level (descriptors,
timers, tasks, upstream connections) must be back at it, give or take the few that a moment decides. Memory
and objects may have grown by what bounded caches and the record of the newest events explain, and must not
have a trend.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median

Numbers = dict[str, float]

ZERO = (
    "connections", "streams", "calls", "held_calls", "replay_bytes", "attempts", "waiting_attempts",
    "retired_endpoints",
)  # fmt: skip
LEVEL = {"descriptors": 4, "timers": 4, "tasks": 3, "upstream_connections": 3}
"""By number, by how many it may be above its first quiet reading."""

MEMORY_SHARE, MEMORY_BYTES = 0.05, 8e6
OBJECTS_SHARE, OBJECTS = 0.05, 1_000
EVENTS_KEPT, OBJECTS_AN_EVENT = 1_000, 10
"""A proxy keeps its newest events; until it has as many, they explain a growth."""
LEAST_OK_SHARE = 0.5


@dataclass
class Sample:
    """The numbers at one moment of the run."""

    at_s: float
    numbers: Numbers


@dataclass
class Evidence:
    """Everything that is judged."""

    before: Numbers
    after: Numbers
    samples: list[Sample]
    in_flight: dict[str, int]
    """The gauge of each route, at the end."""
    counted_ok: int
    """Calls that the proxy counts as OK, whoever made them."""
    by_kind: dict[str, dict[str, int]]
    unexplained: dict[str, int]
    """By kind, status and detail, how many calls ended so."""
    bystander_calls: int = 0
    bystander_errors: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    """Calls that the proxy refused, by reason."""
    log_problems: list[str] = field(default_factory=list)
    exit_code: int = 0


def trend(samples: list[Sample], name: str) -> float:
    """Return how much a number grew over the samples: Theil-Sen slope (median of the slopes of all pairs,
    which single peaks do not move) times the time between first and last.
    """
    # A few hundred points say as much as thousands, and their pairs are counted in a moment.
    step = max(1, len(samples) // 300)
    points = [(sample.at_s, sample.numbers[name]) for sample in samples[::step]]
    slopes = [
        (later - earlier) / (end - start)
        for number, (start, earlier) in enumerate(points)
        for end, later in points[number + 1 :]
        if end > start
    ]
    return median(slopes) * (points[-1][0] - points[0][0]) if slopes else 0.0


def problems(evidence: Evidence) -> Iterator[str]:
    """Return what is not as it must be."""
    yield from _left_over(evidence)
    yield from _grown(evidence)
    yield from _calls(evidence)
    for line in evidence.log_problems:
        yield f"the proxy's log: {line}"
    if evidence.exit_code != 0:
        yield f"the proxy ended with {evidence.exit_code}"


def _left_over(evidence: Evidence) -> Iterator[str]:
    for name in ZERO:
        if evidence.after[name] != 0:
            yield f"{name}: {evidence.after[name]:g} are left, with nobody there"
    for name, most in LEVEL.items():
        before, after = evidence.before[name], evidence.after[name]
        if after > before + most:
            yield f"{name}: {before:g} before, {after:g} after"


def _grown(evidence: Evidence) -> Iterator[str]:
    limits = {
        "resident_bytes": (MEMORY_SHARE, MEMORY_BYTES, 1e6, "MB"),
        "objects": (OBJECTS_SHARE, OBJECTS, 1, ""),
    }
    for name, (share, least, unit, word) in limits.items():
        before, after = evidence.before[name], evidence.after[name]
        most = before * share + least
        if name == "objects":
            most += max(0.0, EVENTS_KEPT - evidence.before["events"]) * OBJECTS_AN_EVENT
        if after - before > most:
            yield f"{name}: {before / unit:.1f} before, {after / unit:.1f} {word} after"
        grown = trend(evidence.samples, name)
        if grown > most:
            yield f"{name}: a trend of {grown / unit:+.1f} {word} over the run"


def _calls(evidence: Evidence) -> Iterator[str]:
    for what, count in evidence.unexplained.items():
        yield f"{count} calls cannot be explained: {what}"
    for route, count in evidence.in_flight.items():
        if count != 0:
            yield f"route {route!r}: {count} calls in flight, with nobody there"
    seen_ok = sum(codes.get("OK", 0) for codes in evidence.by_kind.values())
    seen_ok += evidence.bystander_calls - evidence.bystander_errors
    if seen_ok > evidence.counted_ok:
        yield f"{seen_ok} calls were seen to end OK, {evidence.counted_ok} were counted"
    if evidence.bystander_errors:
        yield f"the bystander: {evidence.bystander_errors} of {evidence.bystander_calls} calls failed"
    plain = evidence.by_kind.get("unary", {})
    total = sum(plain.values())
    if total == 0 or plain.get("OK", 0) < LEAST_OK_SHARE * total:
        yield f"plain unary calls: {plain.get('OK', 0)} of {total} went well"
