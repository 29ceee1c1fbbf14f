"""Gathers what there is to observe of what is asked for: what no runbook is about costs nothing."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Final

from seawall_control.domain import group_filters
from seawall_control.domain.errors import ControlError, NotFound, StoreBusy
from seawall_control.domain.escalation import HOUR_US
from seawall_control.domain.events import MICROS
from seawall_control.domain.fleet import is_drifted
from seawall_control.domain.fleet_share import EndpointSight
from seawall_control.domain.groups import Group
from seawall_control.domain.healing.conditions import (
    Condition,
    Observation,
    Watched,
    names_of,
    of_disk,
    of_growth,
    of_route,
    wants,
)
from seawall_control.domain.healing.news import COMPONENT
from seawall_control.domain.machine import MIB, Usage
from seawall_control.services.analysis.recommending import Recommender
from seawall_control.services.edge import Clock
from seawall_control.services.fleet import Fleet
from seawall_control.services.machine import Machine
from seawall_control.store.port import GroupQuery, Store

WINDOW_S: Final = 60.0
"""How far back a route's calls are looked at."""
MAX_GROUPS: Final = 200
"""Groups that are looked at where a runbook is not about one by name: those with the newest events."""
TUNE_EVERY_S: Final = 60.0
"""Time between two looks for recommendations: they ask the record."""
CHECK_EVERY_S: Final = 6 * 3600.0
"""Time between two checks of the store by itself."""

_log = logging.getLogger("seawall.control.healing")


class Signals:
    """Everything that runbooks may be about."""

    def __init__(
        self, store: Store, fleet: Fleet, clock: Clock, machine: Machine, recommender: Recommender
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._clock = clock
        self._machine = machine
        self._recommender = recommender
        self._tuned: list[Observation] = []
        self._tuned_s = float("-inf")
        self._cpu: tuple[float, float] | None = None
        self._drifted: dict[str, float] = {}
        self._findings: tuple[str, ...] = ()
        self._checked_s = float("-inf")

    async def observe(self, watched: Watched = None) -> list[Observation]:
        """Look once at what is watched; at everything when told None."""
        now = self._clock.monotonic_s()
        # Since when a proxy lags behind is only known to whoever looks all the time.
        found = self._proxies(now)
        if wants(watched, Condition.ERROR_RATE, Condition.UPSTREAM_UNRESPONSIVE):
            found += self._routes()
        if wants(watched, Condition.ENDPOINT_EJECTED):
            found += self._endpoints()
        if wants(watched, Condition.GROUP_EVENTS):
            found += await self._known(self._groups(names_of(watched, Condition.GROUP_EVENTS)), "groups")
        if wants(watched, Condition.DISK, Condition.CPU, Condition.MEMORY_GROWTH):
            found += self._of_machine(await self._machine.look(), now)
        if wants(watched, Condition.TUNABLE):
            found += await self._known(self._tunable(now), "recommendations")
        if wants(watched, Condition.BACKLOG, Condition.STORE_SIZE):
            found += await self._store_state()
        if wants(watched, Condition.STORE_INTEGRITY):
            found.append(await self._integrity(now))
        return found

    async def _known(self, asked: Awaitable[list[Observation]], what: str) -> list[Observation]:
        """Return what the store says; nothing is known of it while it cannot be asked, and everything else is
        looked at all the same: a full disk has to be cleaned just then.
        """
        try:
            return await asked
        except ControlError as error:
            _log.warning(
                "the store could not be asked, so that runbooks do not see some of it",
                extra={"fields": {"what": what, "error": str(error)}},
            )
            return []

    async def _tunable(self, now: float) -> list[Observation]:
        """Return what recommendations of the set `default` are about; found anew once a minute."""
        if now - self._tuned_s >= TUNE_EVERY_S:
            self._tuned_s = now
            self._tuned = [
                Observation(
                    Condition.TUNABLE,
                    f"route/{one.recommendation.route}",
                    one.share.value,
                    f"{one.recommendation.kind}: {one.recommendation.evidence}",
                )
                for one in await self._recommender.tunable()
            ]
        return self._tuned

    async def _store_state(self) -> list[Observation]:
        report = await self._store.report_state()
        size = (report.size_bytes + report.wal_bytes) / MIB
        return [
            Observation(
                Condition.BACKLOG,
                "store",
                float(report.queued),
                f"{report.queued} changes wait for the store",
            ),
            Observation(Condition.STORE_SIZE, "store", size, f"the store is {size:.1f} MiB large"),
        ]

    async def _integrity(self, now: float) -> Observation:
        if now - self._checked_s >= CHECK_EVERY_S and (await self._store.report_state()).state == "ok":
            await self.check_store()
        return Observation(
            Condition.STORE_INTEGRITY,
            "store",
            float(len(self._findings)),
            "; ".join(self._findings[:3])[:500] or "the last check found nothing",
        )

    async def check_store(self) -> tuple[str, ...]:
        """Check the store now and return what was found."""
        self._checked_s = self._clock.monotonic_s()
        try:
            self._findings = tuple(await self._store.findings())
        except StoreBusy as error:
            # A large store is not a damaged one.
            _log.warning("the check of the store did not end", extra={"fields": {"error": str(error)}})
        except ControlError as error:
            self._findings = (f"the check did not end: {error}",)
        return self._findings

    def _routes(self) -> list[Observation]:
        calls = self._fleet.view.lately(WINDOW_S)
        return [
            one
            for route, counters in calls.items()
            for one in of_route(route, counters.by_code, window_s=WINDOW_S)
        ]

    def _endpoints(self) -> list[Observation]:
        """Return how many proxies leave an endpoint out, for endpoints that one of them does."""
        return [
            Observation(
                Condition.ENDPOINT_EJECTED,
                f"endpoint/{cluster}/{address}",
                seen.ejected / seen.watched,
                f"{seen.ejected} of {seen.watched} proxies leave it out"
                + (f" ({', '.join(seen.reasons)})" if seen.reasons else ""),
            )
            for (cluster, address), seen in sorted(self._fleet.view.endpoints().items())
            if seen.watched
        ]

    def others_in(self, cluster: str, address: str) -> bool:
        """Tell whether every proxy that has an endpoint has another one of its cluster that takes calls."""
        seen = self._fleet.view.endpoints().get((cluster, address), EndpointSight())
        return seen.proxies > 0 and seen.alone == 0

    async def _groups(self, subjects: frozenset[str] | None) -> list[Observation]:
        """Return the events in this hour of these groups; without names, of those that have any, the newest
        first: there is no need of more.
        """
        hour = self._clock.now_us() // HOUR_US
        found: list[Observation] = []
        if subjects is None:
            since = datetime.fromtimestamp(hour * HOUR_US / MICROS, UTC).isoformat()
            query = GroupQuery(group_filters.parse(f'last_seen >= "{since}"'), MAX_GROUPS)
            found += [
                _of_group(f"group/{group.id}", group, hour)
                for group in await self._store.groups(query)
                # What runbooks themselves tell of would call runbooks again.
                if not group.component.startswith(COMPONENT)
            ]
        for subject in sorted(subjects or ()):
            try:
                group = await self._store.group(subject.removeprefix("group/"))
            except NotFound:
                continue
            found.append(_of_group(subject, group, hour))
        return found

    async def route_of(self, subject: str) -> str:
        """Return the route that a subject is about, or empty. Raise `NotFound` for a group that is gone."""
        kind, _, name = subject.partition("/")
        if kind == "group":
            return (await self._store.group(name)).route
        return name if kind == "route" else ""

    def _proxies(self, now: float) -> list[Observation]:
        found: list[Observation] = []
        for record in self._fleet.known():
            if not self._fleet.is_online(record.node):
                self._drifted.pop(record.node, None)
                continue
            subject = f"proxy/{record.node}"
            if is_drifted(record, self._fleet.pushes.wanted_hash(record)):
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

    def _of_machine(self, used: Usage, now: float) -> list[Observation]:
        found: list[Observation] = []
        if used.disk is not None:
            found.append(of_disk(str(self._machine.directory), used.disk))
        sizes = [
            (s.at_s, float(s.usage.resident_bytes)) for s in self._machine.samples if s.usage.resident_bytes
        ]
        if (growth := of_growth("process", sizes)) is not None:
            found.append(growth)
        if self._cpu is None:
            self._cpu = (now, used.cpu_s)
        elif now > self._cpu[0]:
            busy = (used.cpu_s - self._cpu[1]) / (now - self._cpu[0])
            found.append(
                Observation(Condition.CPU, "process", busy, f"{busy:.2f} processors busy in this process")
            )
            self._cpu = (now, used.cpu_s)
        return found


def _of_group(subject: str, group: Group, hour: int) -> Observation:
    events = group.hour_events if group.hour == hour else 0
    return Observation(Condition.GROUP_EVENTS, subject, float(events), events_text(group, events))


def events_text(group: Group, events: int) -> str:
    """Say how many events there were; what a fallback has covered is named, not the caller's OK."""
    many = "1 event" if events == 1 else f"{events} events"
    what = group.error_type if group.code in ("", "OK") else group.code
    return f"{many} this hour: {what} on {group.route or group.component}"
