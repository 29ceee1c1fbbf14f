"""One breaker as several workers have it.

Each worker's window holds the calls that it has seen, so windows are added and shares are taken anew. Of the
transitions those count that a worker found out for itself; that the others followed is no news. A worker's
own number of openings is the proxy's, since all open together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from seawall.v1 import stats_pb2
from seawall_policy.breaker import MAX_HISTORY
from seawall_proxy.runtime.breaker_images import SIBLING

LARGEST_OF_BREAKER: Final = frozenset(
    ("opened", "consecutive", "ramp_share", "policy_revision", "failure_rate", "slow_rate")
)
SAME_S: Final = 0.25
"""Transitions to one state within this time are one, carried out by several workers."""


def add_history(into: stats_pb2.BreakerStatus, changes: Iterable[stats_pb2.BreakerTransition]) -> None:
    """Add a worker's transitions to those of the others, in order, each once."""
    merged = sorted([*into.history, *changes], key=_moment)
    kept: list[stats_pb2.BreakerTransition] = []
    for change in merged:
        if change.trigger.startswith(SIBLING) or any(_same(change, other) for other in kept[-4:]):
            continue
        kept.append(change)
    copies = [stats_pb2.BreakerTransition.FromString(change.SerializeToString()) for change in kept]
    del into.history[:]
    into.history.extend(copies[-MAX_HISTORY:])


def recompute(breaker: stats_pb2.BreakerStatus) -> None:
    """Take the shares anew from the windows that were added up."""
    calls = breaker.window_calls
    if breaker.HasField("failure_rate"):
        breaker.failure_rate = breaker.window_failures * 100.0 / calls if calls else 0.0
    if breaker.HasField("slow_rate"):
        breaker.slow_rate = breaker.window_slow * 100.0 / calls if calls else 0.0


def _moment(change: stats_pb2.BreakerTransition) -> float:
    return change.at.seconds + change.at.nanos / 1e9


def _same(one: stats_pb2.BreakerTransition, other: stats_pb2.BreakerTransition) -> bool:
    return one.to == other.to and one.trigger == other.trigger and abs(_moment(one) - _moment(other)) < SAME_S
