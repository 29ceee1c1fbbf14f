"""Gathers what there is to observe, every time it is asked."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from seawall_control.domain import group_filters
from seawall_control.domain.errors import ControlError
from seawall_control.domain.escalation import HOUR_US
from seawall_control.domain.fleet import is_drifted
from seawall_control.domain.groups import Group
from seawall_control.domain.healing.conditions import Condition, Growth, Observation, of_disk, of_route
from seawall_control.services.edge import Clock
from seawall_control.services.fleet import Fleet
from seawall_control.services.healing.machine import Usage, usage
from seawall_control.store.port import GroupQuery, Store

WINDOW_S: Final = 60.0
"""How far back a route's calls are looked at."""
SAMPLE_S: Final = 60.0
"""Time between two samples of the memory's size."""
MAX_GROUPS: Final = 200
"""Groups that are looked at, those with the newest events."""
CHECK_EVERY_S: Final = 6 * 3600.0
"""Time between two checks of the store by itself."""


class Signals:
    """Everything that runbooks may be about."""

    def __init__(self, store: Store, fleet: Fleet, clock: Clock, directory: Path | None) -> None:
        self._store = store
        self._fleet = fleet
        self._clock = clock
        self._directory = directory
        self._growth = Growth()
        self._sampled_s = float("-inf")
        self._cpu: tuple[float, float] | None = None
        self._drifted: dict[str, float] = {}
        self._findings: tuple[str, ...] = ()
        self._checked_s = float("-inf")

    async def observe(self) -> list[Observation]:
        """Look at everything once."""
        now = self._clock.monotonic_s()
        found = [*self._routes(), *self._endpoints(), *self._proxies(now), *await self._groups()]
        found += self._machine(await asyncio.to_thread(usage, self._directory), now)
        report = await self._store.report_state()
        found.append(
            Observation(
                Condition.BACKLOG,
                "store",
                float(report.queued),
                f"{report.queued} changes wait for the store",
            )
        )
        if now - self._checked_s >= CHECK_EVERY_S and report.state == "ok":
            await self.check_store()
        found.append(
            Observation(
                Condition.STORE_INTEGRITY,
                "store",
                float(len(self._findings)),
                "; ".join(self._findings[:3])[:500] or "the last check found nothing",
            )
        )
        return found

    async def check_store(self) -> tuple[str, ...]:
        """Check the store now and return what was found."""
        self._checked_s = self._clock.monotonic_s()
        try:
            self._findings = tuple(await self._store.findings())
        except ControlError as error:
            self._findings = (f"the check did not end: {error}",)
        return self._findings

    def _routes(self) -> list[Observation]:
        calls = self._fleet.stats.window(self._fleet.chosen(""), window_s=WINDOW_S)
        return [
            one
            for route, counters in calls.items()
            for one in of_route(route, counters.by_code, window_s=WINDOW_S)
        ]

    def _endpoints(self) -> list[Observation]:
        """Return how many proxies leave an endpoint out, for endpoints that one of them does."""
        seen: dict[tuple[str, str], list[str]] = {}
        for node in self._fleet.chosen(""):
            for status in self._fleet.stats.report_of(node).endpoints:
                if status.outlier:
                    seen.setdefault((status.cluster, status.address), []).append(
                        status.outlier_reason if status.outlier == "ejected" else ""
                    )
        return [
            Observation(
                Condition.ENDPOINT_EJECTED,
                f"endpoint/{cluster}/{address}",
                sum(map(bool, reasons)) / len(reasons),
                f"{sum(map(bool, reasons))} of {len(reasons)} proxies leave it out"
                + (f" ({', '.join(sorted({r for r in reasons if r}))})" if any(reasons) else ""),
            )
            for (cluster, address), reasons in sorted(seen.items())
        ]

    def others_in(self, cluster: str, address: str) -> bool:
        """Tell whether every proxy that has an endpoint has another one of its cluster that takes calls."""
        found = False
        for node in self._fleet.chosen(""):
            ours = [s for s in self._fleet.stats.report_of(node).endpoints if s.cluster == cluster]
            if any(s.address == address for s in ours):
                found = any(
                    s.address != address and s.state != "backoff" and s.outlier != "ejected" for s in ours
                )
                if not found:
                    return False
        return found

    async def _groups(self) -> list[Observation]:
        """Return the groups with events in this hour, the newest ones; there is no need of more."""
        hour = self._clock.now_us() // HOUR_US
        try:
            groups = await self._store.groups(GroupQuery(group_filters.parse(""), MAX_GROUPS))
        except ControlError:
            return []
        return [
            Observation(
                Condition.GROUP_EVENTS,
                f"group/{group.id}",
                float(group.hour_events),
                events_text(group),
            )
            for group in groups
            if group.hour == hour
        ]

    async def route_of(self, subject: str) -> str:
        """Return the route that a subject is about, or empty. Raise `NotFound` for a group that is gone."""
        kind, _, name = subject.partition("/")
        if kind == "group":
            return (await self._store.group(name)).route
        return name if kind == "route" else ""

    def _proxies(self, now: float) -> list[Observation]:
        found: list[Observation] = []
        for record in self._fleet.known():
            if not self._fleet.is_connected(record.node):
                self._drifted.pop(record.node, None)
                continue
            subject = f"proxy/{record.node}"
            if is_drifted(record, self._fleet.wanted_hash(record)):
                since = self._drifted.setdefault(record.node, now)
            else:
                self._drifted.pop(record.node, None)
                since = now
            found.append(
                Observation(
                    Condition.POLICY_DRIFT,
                    subject,
                    now - since,
                    f"runs revision {record.applied_revision}; not the newest for {now - since:.0f} s",
                )
            )
        return found

    def _machine(self, used: Usage, now: float) -> list[Observation]:
        found: list[Observation] = []
        if used.disk_total_bytes and self._directory is not None:
            found.append(
                of_disk(
                    str(self._directory),
                    used_bytes=used.disk_used_bytes,
                    total_bytes=used.disk_total_bytes,
                )
            )
        if used.resident_bytes and now - self._sampled_s >= SAMPLE_S:
            self._sampled_s = now
            self._growth.add(now, used.resident_bytes)
        if (growth := self._growth.observe("process")) is not None:
            found.append(growth)
        if self._cpu is not None and now > self._cpu[0]:
            busy = (used.cpu_s - self._cpu[1]) / (now - self._cpu[0])
            found.append(
                Observation(Condition.CPU, "process", busy, f"{busy:.2f} processors busy in this process")
            )
        self._cpu = (now, used.cpu_s)
        return found


def events_text(group: Group) -> str:
    """Say how many events there were; what a fallback has covered is named, not the caller's OK."""
    many = "1 event" if group.hour_events == 1 else f"{group.hour_events} events"
    what = group.error_type if group.code in ("", "OK") else group.code
    return f"{many} this hour: {what} on {group.route or group.component}"
