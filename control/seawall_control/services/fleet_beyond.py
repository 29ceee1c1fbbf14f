"""The fleet beyond this process: what other control planes on the same store have told of their proxies.

A control plane that has said nothing new for `GONE_S` is taken for gone, and its proxies for disconnected.
How old a share is goes by this machine's clock alone.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from google.protobuf.message import DecodeError

from seawall.v1 import stats_pb2
from seawall_control.domain.fleet_share import Judged, NodeNumbers, Share
from seawall_control.domain.statistics import ClusterCounters, Counters, History, Sample
from seawall_control.services.edge import Clock

GONE_S: Final = 20.0
SHORTEST_WINDOW_S: Final = 15.0
"""Shares come every 5 s; a shorter window might hold the difference of none."""

_log = logging.getLogger("seawall.control.fleet")


@dataclass(slots=True)
class _Plane:
    share: Share
    at_s: float
    epoch: int = 0
    history: History = field(default_factory=History)
    breakers: tuple[stats_pb2.BreakerStatus, ...] = ()


class Beyond:
    """The newest share of every other control plane."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._planes: dict[str, _Plane] = {}
        self._node: dict[str, str] = {}
        """The control plane of each proxy."""

    # -------------------------------------------------------------------------------------------------- told

    def told(self, shares: Mapping[str, Share]) -> None:
        """Take the shares of all other control planes by name."""
        now = self._clock.monotonic_s()
        for name, share in shares.items():
            plane = self._planes.get(name)
            if plane is not None and (plane.share.run, plane.share.number) == (share.run, share.number):
                continue
            if plane is None:
                plane = self._planes[name] = _Plane(share, now)
            elif plane.share.run != share.run:
                plane.epoch += 1
            plane.share, plane.at_s = share, now
            plane.breakers = tuple(_breakers(share))
            plane.history.add(Sample(now, share.grown, plane.epoch))
        for name in [name for name in self._planes if name not in shares]:
            del self._planes[name]
        self._node = {node: name for name, plane in self._there() for node in plane.share.nodes}

    def _there(self) -> Iterator[tuple[str, _Plane]]:
        oldest = self._clock.monotonic_s() - GONE_S
        for name, plane in self._planes.items():
            if plane.at_s >= oldest:
                yield name, plane

    # ------------------------------------------------------------------------------------------------- views

    def plane_of(self, node: str) -> str:
        """Return the control plane that a proxy is connected to; empty when it is none of the others."""
        name = self._node.get(node, "")
        plane = self._planes.get(name)
        gone = plane is None or plane.at_s < self._clock.monotonic_s() - GONE_S
        return "" if gone else name

    def nodes(self) -> list[str]:
        """Return the proxies that are connected to other control planes."""
        return [node for _, plane in self._there() for node in plane.share.nodes]

    def numbers_of(self, node: str) -> NodeNumbers:
        """Return the numbers of a proxy; zeros when it is connected nowhere."""
        plane = self._planes.get(self.plane_of(node))
        return NodeNumbers() if plane is None else plane.share.nodes.get(node, NodeNumbers())

    def windows(self, window_s: float) -> list[tuple[Mapping[str, Counters], float]]:
        """Return for each control plane what happened per route in a window that ends now, and how long that
        was in seconds.
        """
        now = self._clock.monotonic_s()
        return [plane.history.over(max(window_s, SHORTEST_WINDOW_S), now=now) for _, plane in self._there()]

    def totals(self) -> list[Mapping[str, Counters]]:
        """Return what the proxies of each control plane count together."""
        return [plane.share.totals for _, plane in self._there()]

    def clusters(self) -> list[Mapping[str, tuple[ClusterCounters, int]]]:
        """Return the clusters of each control plane: numbers, and of how many proxies."""
        return [plane.share.clusters for _, plane in self._there()]

    def breakers(self) -> list[stats_pb2.BreakerStatus]:
        """Return breakers of the proxies of other control planes."""
        return [status for _, plane in self._there() for status in plane.breakers]

    def judged(self, policy_set: str, revision: int, stage: int) -> list[Judged]:
        """Return what calls came to at other control planes in a stage of a rollout."""
        wanted = (policy_set, revision, stage)
        return [
            one
            for _, plane in self._there()
            for one in plane.share.judged
            if (one.policy_set, one.revision, one.stage) == wanted
        ]


def _breakers(share: Share) -> Iterator[stats_pb2.BreakerStatus]:
    for text in share.breakers:
        try:
            yield stats_pb2.BreakerStatus.FromString(base64.b64decode(text, validate=True))
        except (ValueError, DecodeError) as error:
            _log.info(
                "a breaker of another control plane cannot be read", extra={"fields": {"error": str(error)}}
            )
