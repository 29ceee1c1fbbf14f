"""The fleet beyond this process: what other control planes on the same store have told of their proxies.

A control plane that has said nothing new for `GONE_S` is taken for gone, and its proxies for disconnected.
How old a share is goes by this machine's clock alone, and what is in it says ages and no times, so that
clocks need not agree.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from google.protobuf.message import DecodeError

from seawall.v1 import stats_pb2
from seawall_control.domain.fleet_ledger import LEFT_S, End
from seawall_control.domain.fleet_share import EndpointSight, Judged, NodeNumbers, Share
from seawall_control.domain.statistics import ClusterCounters, Counters, History, Sample
from seawall_control.services.edge import Clock

GONE_S: Final = 20.0
LATE_S: Final = 12.0
"""One that has said nothing for so long, twice the time between shares, has had no calls since: its proxies
are with others.
"""
SHORTEST_WINDOW_S: Final = 15.0
"""Shares come every 5 s; a shorter window might hold the difference of none."""
MAX_RUNS: Final = 4
"""Runs of one proxy whose ends are remembered."""

_log = logging.getLogger("seawall.control.fleet")
_LONG_AGO: Final = float("-inf")


@dataclass(slots=True)
class Plane:
    """One of the others."""

    share: Share
    at_s: float = _LONG_AGO
    """When its newest share was read."""
    before_s: float = _LONG_AGO
    """And the one before."""
    epoch: int = 0
    """Changes when it starts anew."""
    is_from_start: bool = False
    """Whether its first shares were read: then all it has counted is news."""
    grown: Mapping[str, Counters] = field(default_factory=dict)
    """What it has counted by now."""
    history: History = field(default_factory=History)
    breakers: tuple[stats_pb2.BreakerStatus, ...] = ()


class Beyond:
    """The newest share of every other control plane."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.own = ("", "")
        """What this control plane is called among the others, and its run."""
        self._planes: dict[str, Plane] = {}
        self._node: dict[str, str] = {}
        """The control plane of each proxy."""
        self._seen: dict[str, float] = {}
        """When each proxy last said something to another control plane, in our monotonic seconds."""
        self._ends: dict[str, tuple[float, dict[str, End]]] = {}
        """How far the calls of proxies were counted, by run, and when that was heard."""

    # -------------------------------------------------------------------------------------------------- told

    def told(self, shares: Mapping[str, Share], *, unproven: Collection[str] = ()) -> None:
        """Take the shares of all other control planes by name. Those of `unproven` may be of control planes
        that went away before we came: they are believed once there is a newer one.
        """
        now = self._clock.monotonic_s()
        for name, share in shares.items():
            plane = self._planes.get(name)
            if plane is not None and (plane.share.run, plane.share.number) == (share.run, share.number):
                continue
            self.remember_ends(share)
            if plane is None:
                at_s = _LONG_AGO if name in unproven else now
                plane = self._planes[name] = Plane(share, at_s, is_from_start=share.number <= 2)
                if plane.is_from_start:
                    plane.history.add(Sample(now - SHORTEST_WINDOW_S, {}, plane.epoch))
            else:
                if plane.share.run != share.run:
                    plane.epoch += 1
                plane.before_s, plane.at_s, plane.share = plane.at_s, now, share
            for node, numbers in share.nodes.items():
                self._seen[node] = max(self._seen.get(node, _LONG_AGO), plane.at_s - numbers.silent_s)
            if not share.is_partial:
                plane.breakers = tuple(_breakers(share))
                plane.grown = share.grown
                plane.history.add(Sample(now, share.grown, plane.epoch))
        for name in [name for name in self._planes if name not in shares]:
            del self._planes[name]
        self._node = {node: name for name, plane in self.there() for node in plane.share.nodes}
        self._forget(now)

    def remember_ends(self, share: Share) -> None:
        """Note how far proxies have been counted."""
        now = self._clock.monotonic_s()
        for node, end in share.ends.items():
            runs = self._ends[node][1] if node in self._ends else {}
            known = runs.pop(end.run, None)
            runs[end.run] = end if known is None or end.calls >= known.calls else known
            while len(runs) > MAX_RUNS:
                del runs[next(iter(runs))]
            self._ends[node] = (now, runs)

    def _forget(self, now: float) -> None:
        for node in [node for node, (at_s, _) in self._ends.items() if at_s < now - LEFT_S]:
            del self._ends[node]
        for node in [node for node, at_s in self._seen.items() if at_s < now - LEFT_S]:
            del self._seen[node]

    def there(self) -> Iterator[tuple[str, Plane]]:
        """Yield the control planes that are there, by name."""
        oldest = self._clock.monotonic_s() - GONE_S
        for name, plane in self._planes.items():
            if plane.at_s >= oldest and not plane.share.has_ended:
                yield name, plane

    # --------------------------------------------------------------------------------------------------- ends

    def end_of(self, node: str, run: str) -> End | None:
        """Return how far the others have counted a run of a proxy; None when none of them says so."""
        return self._ends[node][1].get(run) if node in self._ends else None

    def have_told_of(self, node: str, since_s: float) -> bool:
        """Whether all that others have counted of a proxy that came here at a time has been heard. Their
        first share after it may be of before it, unless it says that the proxy has left.
        """
        return all(
            plane.before_s > since_s
            or (plane.at_s > since_s and node not in plane.share.nodes and node in plane.share.ends)
            for _, plane in self.there()
        )

    # ------------------------------------------------------------------------------------------------- views

    def plane_of(self, node: str) -> str:
        """Return the control plane that a proxy is connected to; empty when it is none of the others."""
        name = self._node.get(node, "")
        return name if any(name == one for one, _ in self.there()) else ""

    def nodes(self) -> list[str]:
        """Return the proxies that are connected to other control planes."""
        return [node for _, plane in self.there() for node in plane.share.nodes]

    def numbers_of(self, node: str) -> NodeNumbers:
        """Return the numbers of a proxy; zeros when it is connected nowhere."""
        plane = self._planes.get(self.plane_of(node))
        numbers = plane.share.nodes.get(node) if plane is not None else None
        if plane is None or numbers is None:
            return NodeNumbers()
        return replace(numbers, silent_s=self._clock.monotonic_s() - plane.at_s + numbers.silent_s)

    def seen_s_ago(self, node: str) -> float | None:
        """Return how many seconds ago a proxy said something to one of the others; None when that is long."""
        at_s = self._seen.get(node)
        return None if at_s is None else max(0.0, self._clock.monotonic_s() - at_s)

    def windows(self, window_s: float) -> list[tuple[Mapping[str, Counters], float]]:
        """Return for each control plane what happened per route in a window that ends now, and how long that
        was in seconds. One that has gone is still part of the windows that reach back to it.
        """
        now = self._clock.monotonic_s()
        length_s = max(window_s, SHORTEST_WINDOW_S)
        return [_window(plane, length_s, now) for plane in self._planes.values()]

    def totals(self) -> list[Mapping[str, Counters]]:
        """Return what the proxies of each control plane count together."""
        return [plane.share.totals for _, plane in self.there()]

    def clusters(self) -> list[Mapping[str, tuple[ClusterCounters, int]]]:
        """Return the clusters of each control plane: numbers, and of how many proxies."""
        return [plane.share.clusters for _, plane in self.there()]

    def endpoints(self) -> list[Mapping[tuple[str, str], EndpointSight]]:
        """Return the endpoints of each control plane's proxies."""
        return [plane.share.endpoints for _, plane in self.there()]

    def breakers(self) -> list[stats_pb2.BreakerStatus]:
        """Return breakers of the proxies of other control planes."""
        return [status for _, plane in self.there() for status in plane.breakers]

    def judged(self, policy_set: str, revision: int, stage: int) -> list[Judged]:
        """Return what calls came to at other control planes in a stage of a rollout."""
        wanted = (policy_set, revision, stage)
        return [
            one
            for _, plane in self.there()
            for one in plane.share.judged
            if (one.policy_set, one.revision, one.stage) == wanted
        ]

    def growing(self) -> Iterator[tuple[str, Plane]]:
        """Yield every control plane by name, also those that have gone: what they counted last counts."""
        yield from self._planes.items()


def _window(plane: Plane, length_s: float, now: float) -> tuple[Mapping[str, Counters], float]:
    late_s = now - plane.at_s
    if late_s <= LATE_S and not plane.share.has_ended:
        return plane.history.over(length_s, now=now)
    grown = plane.history.over(length_s - late_s, now=plane.at_s)[0] if late_s < length_s else {}
    return grown, length_s


def _breakers(share: Share) -> Iterator[stats_pb2.BreakerStatus]:
    for text in share.breakers:
        try:
            yield stats_pb2.BreakerStatus.FromString(base64.b64decode(text, validate=True))
        except (ValueError, DecodeError) as error:
            _log.info(
                "a breaker of another control plane cannot be read", extra={"fields": {"error": str(error)}}
            )
