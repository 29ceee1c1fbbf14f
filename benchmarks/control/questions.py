"""What people ask of a large record, through the use cases, and how long the answers take."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic, perf_counter, process_time
from typing import Any, Final

from benchmarks.control.bulk import END_US, NEEDLE_CODE, NEEDLE_TEXT, NEEDLE_TRACE, Record
from seawall_control.domain import filters, paging
from seawall_control.domain.errors import StoreBusy
from seawall_control.domain.events import MICROS
from seawall_control.domain.flood import KEEP_ALL, Pressure
from seawall_control.domain.health import EventLimits
from seawall_control.services.analysis.filling import Filling
from seawall_control.services.analysis.service import AnalysisService
from seawall_control.services.background import Background
from seawall_control.services.edge import TimeOrderedIds, dice
from seawall_control.services.event_views import EventViews
from seawall_control.services.events import EventService
from seawall_control.services.fleet import Fleet
from seawall_control.services.fleet_door import Door
from seawall_control.services.grouping import Grouping
from seawall_control.services.groups import GroupService
from seawall_control.services.health import HealthService
from seawall_control.services.leadership import Leadership
from seawall_control.services.machine import Machine
from seawall_control.services.notices import Notices
from seawall_control.services.policies import PolicyService
from seawall_control.services.rollouts import Rollouts
from seawall_control.services.runs import Runs
from seawall_control.services.tail import Hub
from seawall_control.store.port import Store

DAY_S: Final = 86_400.0
GROUP: Final = f"v0:{17:032x}"


def _time(us: int) -> str:
    return datetime.fromtimestamp(us / MICROS, UTC).isoformat().replace("+00:00", "Z")


_DAY_AGO: Final = _time(END_US - 86_400 * MICROS)
_TWO_DAYS_AGO: Final = _time(END_US - 2 * 86_400 * MICROS)
LISTS: Final[Mapping[str, str]] = {
    "newest": "",
    "severity": "severity = CRITICAL",
    "severity and worse": "severity >= HIGH",
    "unresolved": "resolved = false",
    "resolved": "resolved = true",
    "unresolved and critical": "resolved = false AND severity = CRITICAL",
    "component": 'component = "job/nightly-7"',
    "route": "route = checkout-7",
    "unresolved of a route": "route = checkout-7 AND resolved = false",
    "routes": "route = checkout-7 OR route = checkout-8 OR route = checkout-9",
    "job": "job_id = nightly-9-{job}",
    "trace": f"trace_id = {NEEDLE_TRACE}",
    "a day": f'timestamp >= "{_DAY_AGO}"',
    "a day, a day ago": f'timestamp >= "{_TWO_DAYS_AGO}" AND timestamp < "{_DAY_AGO}"',
    "critical of a day": f'severity = CRITICAL AND timestamp >= "{_TWO_DAYS_AGO}"',
    "kind": "kind = CALL_RECOVERED",
    "kind, none": "kind = BREAKER_OPENED",
    "code": "code = INTERNAL",
    "code and unresolved": "code = INTERNAL AND resolved = false",
    "code, one of all": f"code = {NEEDLE_CODE}",
    "method": 'method = "/shop.v1.Checkout/Method3"',
    "group": f'fingerprint = "{GROUP}"',
    "unresolved of a group": f'fingerprint = "{GROUP}" AND resolved = false',
    "text": 'message:"peer while reading"',
    "text, one of all": f'message:"{NEEDLE_TEXT}"',
    "text, none": 'message:"never said"',
    "text of a route, none": 'route = checkout-7 AND message:"never said"',
    "route, none": "route = nowhere",
    "severity and kind": "severity = HIGH AND kind = CALL_FAILED AND resolved = false",
    "not of a route": "NOT route = checkout-7 AND proxy = edge-3",
    "no trace": "NOT trace_id:* AND severity = LOW",
}
"""Filters by what they ask for. Pages are asked for from the newest on and from anywhere."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Of one question, in seconds."""

    what: str
    p50: float
    p99: float
    worst: float
    cpu: float
    """The 99th percentile of this process's own computing time: what a busy machine adds is not in it."""
    note: str = ""


def quantile(samples: Sequence[float], share: float) -> float:
    """Return the sample that `share` of them stay within."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(frozen=True, slots=True)
class Then:
    """The clock of the moment at which the record ends."""

    def now_us(self) -> int:
        """See `Clock.now_us`."""
        return END_US

    def monotonic_s(self) -> float:
        """See `Clock.monotonic_s`."""
        return monotonic()


class _Thresholds:
    """Thresholds of analysis alone: what is measured has no alert rules that would share them."""

    def __init__(self) -> None:
        self._values: dict[str, float] = {}

    async def read(self) -> Mapping[str, float]:
        return self._values

    async def write(self, values: Mapping[str, float]) -> None:
        self._values.update(values)

    async def objective(self) -> float | None:
        return None


async def _no_queues() -> Mapping[str, float]:
    return {}


class Asked:
    """The use cases over a store."""

    def __init__(self, store: Store) -> None:
        clock, ids = Then(), TimeOrderedIds()
        self.events = EventService(
            store, clock, ids, Hub(), Notices(), Grouping(store, clock), KEEP_ALL, Pressure()
        )
        background = Background()
        runs = Runs(store, self.events, clock, background, name="bench", run_id=ids.new(), version="0")
        door = Door(clock, dice(), age_s=3600.0)
        fleet = Fleet(store, self.events, clock, ids, background, runs, door)
        rollouts = Rollouts(store, fleet, self.events, clock, is_leader=Leadership(store))
        policies = PolicyService(store, clock, rollouts)
        filling = Filling(Machine(clock, None), fleet, clock, _no_queues)
        self.views = EventViews(store, clock)
        self.groups = GroupService(store, clock)
        self.health = HealthService(store, self.events, fleet, clock, EventLimits())
        self.analysis = AnalysisService(
            store, self.events, fleet, policies, clock, _Thresholds(), filling=filling
        )


async def _timed(
    what: str, ask: Callable[[], Awaitable[Any]], times: int, *, pause_s: float = 0.0
) -> Latency:
    samples = []
    computed = []
    try:
        for _ in range(3):
            await ask()
        for _ in range(times):
            if pause_s:
                await asyncio.sleep(pause_s)
            began, started = process_time(), perf_counter()
            await ask()
            samples.append(perf_counter() - started)
            computed.append(process_time() - began)
    except StoreBusy as error:
        return Latency(what, math.inf, math.inf, math.inf, math.inf, str(error)[:40])
    return Latency(
        what, quantile(samples, 0.5), quantile(samples, 0.99), max(samples), quantile(computed, 0.99)
    )


async def pages(asked: Asked, record: Record, what: str, times: int) -> Latency:
    """Ask for pages of 100 events of a list, half of them the newest and half anywhere in time."""
    dice = random.Random(what)
    text = LISTS[what].format(job=(record.count // 40) - 5)
    filters.parse(text)
    sizes: list[int] = []

    async def ask() -> None:
        token = ""
        if dice.random() < 0.5:
            anywhere = record.at_us(dice.randrange(record.count))
            token = paging.encode((anywhere, ""), ("events", text, "True"))
        page = await asked.events.page(filter_text=text, size=100, token=token)
        sizes.append(len(page.events))

    found = await _timed(what, ask, times)
    return found if found.note else replace(found, note=f"{sum(sizes) / len(sizes):.0f} events a page")


async def statistics(asked: Asked, times: int, *, pause_s: float = 0.0) -> list[Latency]:
    """Ask for numbers and for groups, one question after the other with pauses in between."""
    questions: list[tuple[str, Callable[[], Awaitable[Any]]]] = [
        ("GetEventStats", asked.events.counts),
        ("/health", asked.health.report),
        ("ListGroups, newest first", asked.groups.page),
        ("ListGroups, most events", lambda: asked.groups.page(order_by="events desc")),
        ("ListGroups, unresolved of a route", lambda: asked.groups.page(filter_text="route = checkout-7")),
        ("GetGroup", lambda: asked.groups.view(GROUP)),
        ("GetEventTimeline of a day", lambda: asked.views.timeline(by=["severity"])),
        ("GetAnalysis of a day", lambda: asked.analysis.analyse(DAY_S)),
        ("GetTrend of a day", lambda: asked.analysis.trend(DAY_S)),
        ("GetTrend of a day by code", lambda: asked.analysis.trend(DAY_S, by="code")),
        ("GetTrend of a day by route", lambda: asked.analysis.trend(DAY_S, by="route")),
        ("GetEntityHistory of a trace", lambda: asked.views.history("trace_id", NEEDLE_TRACE)),
    ]
    return [await _timed(what, ask, times, pause_s=pause_s) for what, ask in questions]
