"""The report of recovery over a window."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from seawall_control.domain import filters
from seawall_control.domain.analysis.recovery import (
    BEGINS,
    ENDS,
    Mechanism,
    Recovered,
    RouteRecovery,
    by_route,
    episodes,
    total_of,
)
from seawall_control.domain.events import MICROS, Event, EventKind
from seawall_control.domain.healing.engine import ENDED, Case, State
from seawall_control.domain.recovery import Recovery, recovery_of
from seawall_control.domain.statistics import total_of as total_counters
from seawall_control.services.analysis.counting import counted
from seawall_control.services.analysis.recommending import CALLS_S, HOUR_S, MONTH_S
from seawall_control.services.analysis.windows import Window, window_of
from seawall_control.services.edge import Clock
from seawall_control.services.fleet import Fleet
from seawall_control.store.port import EventQuery, Store

MOST_EPISODES: Final = 5000
"""Events of begins and ends that are read, the newest; with more the report says that it is not whole."""
MOST_CALLS: Final = 1000
"""Recovered calls whose times are looked at, the newest of each mechanism."""
_ACTED: Final = frozenset(
    {State.RUNNING, State.VERIFYING, State.HELPED, State.NOT_HELPED, State.UNCLEAR, State.FAILED}
)

CasesSince = Callable[[int], Awaitable[Sequence[Case]]]
"""Returns the cases that changed at or after a time in microseconds, each as it is now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryReport:
    """What recovered by what."""

    window: Window
    total: RouteRecovery
    routes: Sequence[RouteRecovery]
    mechanisms: Mapping[Mechanism, Recovered]
    actions: Mapping[tuple[str, str], int]
    """Cases of healing that acted, by action and state."""
    lately: Recovery
    """Calls of the last ten minutes, as /api/v1/errors/recovery/stats counts them."""
    is_whole: bool


class RecoveryReports:
    """Makes reports."""

    def __init__(self, store: Store, fleet: Fleet, clock: Clock, cases_since: CasesSince) -> None:
        self._store = store
        self._fleet = fleet
        self._clock = clock
        self._cases_since = cases_since

    async def report(self, length_s: float = 0.0, *, route: str = "") -> RecoveryReport:
        """Return the report of a window that ends with the last whole bucket. Raise `InvalidRequest`."""
        now_s = self._clock.now_us() / MICROS
        window = window_of(length_s, now_s=now_s, default_s=HOUR_S, most_s=MONTH_S)
        routes = by_route(
            [
                (str(name), int(kind), events)
                for _, (name, kind), events in await counted(
                    self._store, window, ("route", "kind"), route=route
                )
            ]
        )
        total = total_of(routes)
        lasting, is_whole = await self._lasting(window, route)
        found = {
            Mechanism.RETRY: Recovered(total.by_retry + total.failed, total.by_retry),
            Mechanism.FALLBACK: Recovered(total.by_fallback, total.by_fallback),
            **lasting,
        }
        for mechanism, kind in (
            (Mechanism.RETRY, EventKind.CALL_RECOVERED),
            (Mechanism.FALLBACK, EventKind.CALL_DEGRADED),
        ):
            calls = await self._newest(window, (kind,), route, MOST_CALLS)
            found[mechanism].lengths_s = [event.latency_us / MICROS for event in calls if event.latency_us]
        healing, actions = await self._healing(window, route)
        found[Mechanism.HEALING] = healing
        lately = self._fleet.view.lately(CALLS_S)
        return RecoveryReport(
            window=window,
            total=total,
            routes=routes,
            mechanisms=found,
            actions=actions,
            lately=recovery_of(total_counters(one for name, one in lately.items() if route in ("", name))),
            is_whole=is_whole,
        )

    async def _lasting(self, window: Window, route: str) -> tuple[dict[Mechanism, Recovered], bool]:
        kinds = (*BEGINS, *ENDS)
        found = await self._newest(window, kinds, route, MOST_EPISODES + 1)
        # Events of one moment are told in the order in which things happen: an end before the next begin.
        ordered = sorted(found[:MOST_EPISODES], key=lambda one: (one.timestamp_us, one.kind in BEGINS))
        return episodes(ordered), len(found) <= MOST_EPISODES

    async def _newest(
        self, window: Window, kinds: Sequence[EventKind], route: str, most: int
    ) -> Sequence[Event]:
        wanted = " OR ".join(f"kind = {kind.name}" for kind in kinds)
        text = (
            f'({wanted}) AND timestamp >= "{_rfc3339(window.start)}" AND timestamp < "{_rfc3339(window.end)}"'
        )
        if route:
            text += f' AND route = "{_quoted(route)}"'
        return await self._store.events(EventQuery(filters.parse(text), most))

    async def _healing(self, window: Window, route: str) -> tuple[Recovered, dict[tuple[str, str], int]]:
        found, actions = Recovered(), dict[tuple[str, str], int]()
        for case in await self._cases_since(window.start * MICROS):
            if case.state not in _ACTED or case.started_us >= window.end * MICROS:
                continue
            if route and case.subject != f"route/{route}":
                continue
            found.troubled += 1
            found.open += case.state not in ENDED
            key = (case.runbook.action.value, case.state.value)
            actions[key] = actions.get(key, 0) + 1
            if case.state is State.HELPED:
                found.recovered += 1
                found.lengths_s.append((case.changed_us - case.started_us) / MICROS)
        return found, actions


def _rfc3339(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat()


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
