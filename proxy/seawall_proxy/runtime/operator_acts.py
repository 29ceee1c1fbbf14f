"""What a person has broken on purpose or taken out of service here, for a time, from the control plane.

Faults stand in for those of a route's policy, endpoints are left out of balancing, the proxy says that it
does not serve; each ends by itself when its time is up, whether or not anybody can still be reached. They
outlive policies: whatever comes into force is broken and left out in the same places.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Final

from google.protobuf.duration_pb2 import Duration

from seawall.v1 import fleet_pb2, policy_pb2
from seawall_policy.compile.faults import check_fault, read_fault
from seawall_policy.compile.report import Report
from seawall_policy.compile.scope import Scope
from seawall_policy.fault import FaultOptions, Faults
from seawall_proxy.call.routing import RouteState
from seawall_proxy.runtime.call_features import CallFeatures
from seawall_proxy.runtime.commands import MAX_HOLD_S, MAX_LISTED, MIN_HOLD_S
from seawall_proxy.runtime.worker import Worker
from seawall_proxy.upstream.clusters import ClusterSet

ACTS: Final = frozenset({"start_fault", "stop_fault", "drain", "undrain"})
"""Actions of a command that are done here."""
MAX_ACTS: Final = 100

PROXY: Final = ("", "")
"""The place of a drain of the whole proxy."""


@dataclass(frozen=True, slots=True)
class _Fault:
    options: FaultOptions
    until: float
    """Monotonic seconds."""


class OperatorActs:
    """The acts in force in one event loop's data path."""

    def __init__(self, worker: Worker, clusters: ClusterSet, features: CallFeatures) -> None:
        self._worker: Worker = worker
        self._clusters: ClusterSet = clusters
        self._features: CallFeatures = features
        self._faults: dict[str, _Fault] = {}
        """By route; the empty name is all of them."""
        self._drains: dict[tuple[str, str], float] = {}
        """Until when, by cluster and address."""
        self._replaced: dict[str, tuple[RouteState, Faults | None]] = {}
        """What routes would break by themselves, where something else takes its place."""
        self._next_end: float = inf

    def run(self, command: fleet_pb2.Command) -> tuple[bool, str]:
        """Do what a command says; return whether it was done, and why not."""
        kind = command.WhichOneof("action")
        now = self._worker.tell_time()
        if kind == "start_fault":
            return self._start_fault(command.start_fault, now)
        if kind == "stop_fault":
            route = command.stop_fault.route
            if self._faults.pop(route, None) is None:
                return (
                    False,
                    f"no fault was started for route {route!r} here" if route else "none was started",
                )
        elif kind == "drain":
            return self._drain(command.drain, now)
        else:
            place = (command.undrain.cluster, command.undrain.address)
            if self._drains.pop(place, None) is None:
                return False, "it is not drained here"
        self.carry_over()
        return True, ""

    def _start_fault(self, command: fleet_pb2.StartFaultCommand, now: float) -> tuple[bool, str]:
        seconds = _length_s(command.duration)
        if seconds is None:
            return False, _bad_length("a fault")
        table = self._worker.context.table
        if command.route and (table is None or command.route not in table.states):
            known = sorted(table.states) if table is not None else []
            return (
                False,
                f"no route {command.route!r} here; there are: {', '.join(known[:MAX_LISTED]) or 'none'}",
            )
        options, mistakes = _read(command.fault, seconds)
        if options is None:
            return False, "; ".join(mistakes)
        if len(self._faults) >= MAX_ACTS and command.route not in self._faults:
            return False, f"{MAX_ACTS} faults were started here already"
        self._faults[command.route] = _Fault(options, now + seconds)
        self.carry_over()
        return True, ""

    def _drain(self, command: fleet_pb2.DrainCommand, now: float) -> tuple[bool, str]:
        seconds = _length_s(command.duration)
        if seconds is None:
            return False, _bad_length("something")
        place = (command.cluster, command.address)
        if place != PROXY:
            cluster = self._clusters.clusters.get(command.cluster)
            known = [] if cluster is None else [endpoint.address for endpoint in cluster.endpoints]
            if cluster is None:
                return False, f"no cluster {command.cluster!r} here"
            if command.address not in known:
                return False, (
                    f"no endpoint {command.address!r} in cluster {command.cluster}; there are: "
                    f"{', '.join(known[:MAX_LISTED]) or 'none'}"
                )
            if len(self._drains) >= MAX_ACTS and place not in self._drains:
                return False, f"{MAX_ACTS} things are drained here already"
        self._drains[place] = now + seconds
        self.carry_over()
        if place == PROXY:
            self._worker.start_drain()
        return True, ""

    def carry_over(self) -> None:
        """Have everything in force where it belongs in the policy of now."""
        self._place_faults()
        parked: dict[str, set[str]] = {}
        for cluster, address in self._drains:
            parked.setdefault(cluster, set()).add(address)
        for name, cluster_ in self._clusters.clusters.items():
            cluster_.park(parked.get(name, set()))
        self._features.park(PROXY in self._drains)
        ends = [fault.until for fault in self._faults.values()] + list(self._drains.values())
        self._next_end = min(ends, default=inf)

    def _place_faults(self) -> None:
        for state, own in self._replaced.values():
            state.faults = own
        self._replaced = {}
        table = self._worker.context.table
        if table is None or not self._faults:
            return
        for name, state in table.states.items():
            fault = self._faults.get(name) or self._faults.get("")
            if fault is not None:
                self._replaced[name] = (state, state.faults)
                state.faults = Faults(fault.options, fault.until, state.counters.faults)

    def tick(self, now: float) -> None:
        """End what is over; due about once a second."""
        if now < self._next_end:
            return
        self._faults = {route: fault for route, fault in self._faults.items() if fault.until > now}
        self._drains = {place: until for place, until in self._drains.items() if until > now}
        self.carry_over()

    def status(self) -> dict[str, object]:
        """Return what is in force, and for how many seconds yet."""
        now = self._worker.context.now
        return {
            "faults": {route or "*": round(f.until - now, 1) for route, f in sorted(self._faults.items())},
            "drained": {
                f"{cluster}/{address}" if cluster else "proxy": round(until - now, 1)
                for (cluster, address), until in sorted(self._drains.items())
            },
        }


def _length_s(length: Duration) -> float | None:
    seconds = length.ToTimedelta().total_seconds()
    return seconds if MIN_HOLD_S <= seconds <= MAX_HOLD_S else None


def _bad_length(what: str) -> str:
    return f"{what} lasts {MIN_HOLD_S:g} s to {MAX_HOLD_S:g} s"


def _read(fault: policy_pb2.Fault, seconds: float) -> tuple[FaultOptions | None, list[str]]:
    """Read a fault as a policy's is read; its end is ours."""
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    policy = policy_pb2.Policy()
    policy.fault.CopyFrom(fault)
    policy.fault.until = until.isoformat(timespec="seconds").replace("+00:00", "Z")
    report = Report()
    try:
        options = read_fault(Scope(report, ""), policy)
    except ValueError as error:
        return None, [str(error)]
    check_fault(Scope(report, ""), policy, policy, None)
    mistakes = [f"{v.field}: {v.message}" for v in report.violations() if not v.warning]
    return (None, mistakes) if mistakes else (options, [])
