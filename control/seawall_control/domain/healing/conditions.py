"""What can be wrong, as numbers with a subject.

Every condition has one measure whose growth is bad, so that a runbook needs a threshold and nothing else. An
observation is made at every look, also while all is well: that is how the end of a condition is seen. A
subject without an observation is unknown, neither ill nor healed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from seawall_control.domain.fitting import fitted
from seawall_control.domain.machine import GIB, MIB, Disk
from seawall_control.domain.rollout.guards import ERRORS


class Condition(StrEnum):
    """A kind of trouble. The words are stable: runbooks name them."""

    UPSTREAM_UNRESPONSIVE = "upstream_unresponsive"
    """Share of a route's calls, 0 to 1, that ended without an answer: UNAVAILABLE or DEADLINE_EXCEEDED."""
    ERROR_RATE = "error_rate"
    """Share of a route's calls, 0 to 1, that failed by the fault of a server or of Seawall."""
    BACKLOG = "backlog"
    """Changes that wait for the store, or events that a proxy has recorded and not delivered."""
    MEMORY_GROWTH = "memory_growth"
    """Growth of the process over the last hour, as a share of its size an hour (`of_growth`)."""
    CPU = "cpu"
    """Processors that the process keeps busy; 1.0 is one of them."""
    DISK = "disk"
    """Share of the disk, 0 to 1, that is in use (domain/machine.py says what that means)."""
    TUNABLE = "tunable"
    """Share of a route's calls, 0 to 1, that a recommendation would make fewer, such as those that end with
    UNAVAILABLE and are not tried again.
    """
    STORE_SIZE = "store_size"
    """Size of the store in MiB (2**20 bytes)."""
    STORE_INTEGRITY = "store_integrity"
    """Findings of the store's own check; 0 when it is sound."""
    ENDPOINT_EJECTED = "endpoint_ejected"
    """Share of the connected proxies, 0 to 1, that leave an endpoint out as an outlier; the subject is
    `endpoint/CLUSTER/ADDRESS`.
    """
    POLICY_DRIFT = "policy_drift"
    """Seconds for which a connected proxy has not run what it should."""
    GROUP_EVENTS = "group_events"
    """Events of a group of errors in this hour; the subject is `group/` and its id, a fingerprint."""


UNITS: Final[Mapping[Condition, str]] = {
    Condition.UPSTREAM_UNRESPONSIVE: "share of calls, 0 to 1",
    Condition.ERROR_RATE: "share of calls, 0 to 1",
    Condition.BACKLOG: "number waiting",
    Condition.MEMORY_GROWTH: "share of its size an hour",
    Condition.CPU: "processors",
    Condition.DISK: "share of the disk, 0 to 1",
    Condition.TUNABLE: "share of calls, 0 to 1",
    Condition.STORE_SIZE: "MiB",
    Condition.STORE_INTEGRITY: "findings",
    Condition.ENDPOINT_EJECTED: "share of proxies, 0 to 1",
    Condition.POLICY_DRIFT: "seconds",
    Condition.GROUP_EVENTS: "events this hour",
}


@dataclass(frozen=True, slots=True)
class Observation:
    """One measure at one look."""

    condition: Condition
    subject: str
    """`route/NAME`, `endpoint/CLUSTER/ADDRESS`, `proxy/NODE`, `group/ID`, `disk/PATH`, `store` or
    `process`."""
    value: float
    text: str
    """The evidence in words, for people."""


MIN_CALLS: Final = 20
"""Fewer calls than this in the window say nothing about a route."""
_UNANSWERED: Final = (4, 14)
"""DEADLINE_EXCEEDED and UNAVAILABLE."""


def of_route(route: str, by_code: Sequence[int], *, window_s: float) -> tuple[Observation, ...]:
    """Return what the finished calls of a window, by status code number, say about a route."""
    calls = sum(by_code)
    if calls < MIN_CALLS:
        return ()
    failed = sum(count for code, count in enumerate(by_code) if code in ERRORS)
    unanswered = sum(by_code[code] for code in _UNANSWERED if code < len(by_code))
    subject = f"route/{route}"
    return (
        Observation(
            Condition.ERROR_RATE,
            subject,
            failed / calls,
            f"{failed} of {calls} calls in {window_s:.0f} s failed",
        ),
        Observation(
            Condition.UPSTREAM_UNRESPONSIVE,
            subject,
            unanswered / calls,
            f"{unanswered} of {calls} calls in {window_s:.0f} s had no answer",
        ),
    )


def of_disk(path: str, disk: Disk) -> Observation:
    """Return how full a disk is."""
    return Observation(
        Condition.DISK,
        f"disk/{path}",
        disk.used_share,
        f"{disk.used_share:.0%} of {path} is used, {disk.free_bytes / GIB:.1f} GiB free",
    )


GROWTH_SAMPLES: Final = 60
"""The newest samples that growth is told by; there is one a minute."""
MIN_GROWTH_SAMPLES: Final = 12
MIN_GROWTH_FIT: Final = 0.8


def of_growth(subject: str, samples: Sequence[tuple[float, float]]) -> Observation | None:
    """Tell steady growth from a size that goes up and down, by samples of (seconds, bytes); None while there
    are too few to tell.

    Theory: a least-squares line through the samples. A leak is a line that explains most of the variation
    (r squared at least 0.8); the measure is its slope an hour relative to the mean. Caches that fill and
    stay, and sizes that swing, give a low r squared or a small slope.
    """
    newest = samples[-GROWTH_SAMPLES:]
    line = fitted(newest)
    if len(newest) < MIN_GROWTH_SAMPLES or line is None or line.mean <= 0:
        return None
    value = line.slope * 3600 / line.mean if line.fit >= MIN_GROWTH_FIT and line.slope > 0 else 0.0
    minutes = (newest[-1][0] - newest[0][0]) / 60
    return Observation(
        Condition.MEMORY_GROWTH,
        subject,
        value,
        f"{line.mean / MIB:.0f} MiB, {line.slope * 3600 / MIB:+.1f} MiB an hour over {minutes:.0f} min",
    )


Watched: TypeAlias = Mapping[Condition, frozenset[str]] | None
"""Conditions that somebody wants to know of, with patterns (`*` and `?`) of their subjects; None: all."""


def wants(watched: Watched, *conditions: Condition) -> bool:
    """Tell whether one of these conditions is watched."""
    return watched is None or any(condition in watched for condition in conditions)


def names_of(watched: Watched, condition: Condition) -> frozenset[str] | None:
    """Return the subjects that are watched for a condition; None when they are not told one by one."""
    if watched is None:
        return None
    patterns = watched.get(condition, frozenset())
    return None if any("*" in p or "?" in p or "[" in p for p in patterns) else patterns


def by_subject(observations: Iterable[Observation]) -> Mapping[tuple[Condition, str], Observation]:
    """Return observations by condition and subject; of several the worst."""
    found: dict[tuple[Condition, str], Observation] = {}
    for one in observations:
        key = (one.condition, one.subject)
        if key not in found or found[key].value < one.value:
            found[key] = one
    return found
