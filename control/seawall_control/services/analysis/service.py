"""The use cases of analysis."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Final, Protocol

from seawall.v1 import stats_pb2
from seawall_control.domain.alerts.facts import failures_of
from seawall_control.domain.analysis.detectors import OF_CALLS, Anomaly, found_by, worst_first
from seawall_control.domain.analysis.forecast import Forecast
from seawall_control.domain.analysis.recommend import Recommendation
from seawall_control.domain.analysis.resolving import mean_time_to_resolve_s
from seawall_control.domain.analysis.settings import Settings, problems
from seawall_control.domain.errors import FieldProblem, InvalidRequest
from seawall_control.domain.events import MICROS, Event
from seawall_control.domain.records import Put
from seawall_control.domain.rollups import KEY_FIELDS, OTHER
from seawall_control.services.analysis.counting import counted
from seawall_control.services.analysis.filling import Exhaustion, Filling, budgets
from seawall_control.services.analysis.judging import Judge, material_of
from seawall_control.services.analysis.models import Models
from seawall_control.services.analysis.recommending import (
    CALLS_S,
    DEFAULT_SET,
    HOUR_S,
    MONTH_S,
    Recommender,
    within,
)
from seawall_control.services.analysis.summaries import Counted, named
from seawall_control.services.analysis.windows import Window, window_of
from seawall_control.services.edge import Clock
from seawall_control.services.events import EventService
from seawall_control.services.fleet import Fleet
from seawall_control.services.policies import PolicyService
from seawall_control.store.port import Store

TOP: Final = 20
KIND: Final = "analysis"
_CLOSED: Final = (stats_pb2.BREAKER_STATE_CLOSED, stats_pb2.BREAKER_STATE_UNSPECIFIED)
_REVISIONS: Final = 20
MOST_RESOLVED: Final = 1000
"""Events that the time until they are resolved is taken from."""
SHARED: Final = frozenset({"error_rate", "specific_error_count", "recovery_failure_rate"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """A window of the record."""

    window: Window
    total: int
    before: int
    by_category: Counted
    by_severity: Counted
    by_code: Counted
    top_components: Counted
    top_routes: Counted
    top_methods: Counted
    trend: list[int]
    anomalies: tuple[Anomaly, ...]
    recommendations: tuple[Recommendation, ...]
    open_breakers: list[tuple[str, str, str]]
    resolution_rate: float | None
    recovery_rate: float | None
    error_rate: float | None
    mean_time_to_resolve_s: float | None


@dataclass(frozen=True, slots=True)
class Trend:
    """Counts over time, told apart."""

    window: Window
    series: list[tuple[str, list[int]]]


@dataclass(frozen=True, slots=True)
class Foretold:
    """What comes next."""

    window: Window
    model: str
    forecast: Forecast | None
    exhaustions: Sequence[Exhaustion]


class SharedThresholds(Protocol):
    """The thresholds that alert rules have, too: kept there, shown and changed here and there."""

    async def read(self) -> Mapping[str, float]:
        """Return them by name."""
        ...

    async def write(self, values: Mapping[str, float]) -> None:
        """Change those that are given."""
        ...

    async def objective(self) -> float | None:
        """Return the share of calls that must succeed; None where no rule says so."""
        ...


class AnalysisService:
    """Looks at the record as a whole."""

    def __init__(
        self,
        store: Store,
        events: EventService,
        fleet: Fleet,
        policies: PolicyService,
        clock: Clock,
        shared: SharedThresholds,
        *,
        filling: Filling,
        models: Models | None = None,
    ) -> None:
        """`shared` are the numbers that are those of the built-in alert rules, too."""
        self._store = store
        self._events = events
        self._fleet = fleet
        self._policies = policies
        self._clock = clock
        self._filling = filling
        self.recommender = Recommender(store, fleet, policies, clock)
        self._shared = shared
        self._models = models or Models()
        self._judge = Judge()

    def _now(self) -> float:
        return self._clock.now_us() / MICROS

    # --------------------------------------------------------------------------------------------- settings

    async def settings(self) -> Settings:
        """Return the numbers that decide what is unusual."""
        document = await self._store.document(KIND, "settings")
        found = Settings(**json.loads(document.body)) if document else Settings()
        return replace(found, **await self._shared.read())

    async def update_settings(self, values: Mapping[str, float], *, validate_only: bool = False) -> Settings:
        """Change some of them, or say what they would be. Raise `InvalidRequest`."""
        names = {field.name for field in fields(Settings)}
        if not values:
            raise InvalidRequest(f"nothing is to be changed: set one of {', '.join(sorted(names))}")
        wanted = replace(await self.settings(), **{k: v for k, v in values.items() if k in names})
        found = problems(wanted)
        if found:
            wrong = [FieldProblem(f"settings.{name}", message) for name, message in found]
            raise InvalidRequest.of(wrong, "nothing was changed")
        if validate_only:
            return wanted
        given = {name: value for name, value in values.items() if name in SHARED}
        if given:
            await self._shared.write(given)
        own = {name: value for name, value in asdict(wanted).items() if name not in SHARED}
        await self._store.commit([Put(KIND, "settings", json.dumps(own))], at_us=self._clock.now_us())
        return await self.settings()

    # --------------------------------------------------------------------------------------------- counting

    async def trend(self, length_s: float, *, by: str = "", route: str = "") -> Trend:
        """Return counts over time. Raise `InvalidRequest`."""
        if by and by not in KEY_FIELDS:
            raise InvalidRequest(f"by must be one of {', '.join(KEY_FIELDS)}, not {by[:64]!r}")
        window = window_of(length_s, now_s=self._now(), default_s=HOUR_S, most_s=730 * 86400)
        found: dict[tuple[str | int, ...], list[int]] = {}
        for start, values, events in await counted(self._store, window, (by,) if by else (), route=route):
            line = found.get(values)
            if line is None:
                line = found[values] = [0] * window.buckets
            line[(start - window.start) // window.width] += events
        lines = {named(by, values[0]) if by else "": line for values, line in found.items()}
        if not by:
            lines.setdefault("", [0] * window.buckets)
        ordered = sorted(lines.items(), key=lambda item: (-sum(item[1]), item[0]))
        if len(ordered) > TOP:
            rest = [sum(column) for column in zip(*(line for _, line in ordered[TOP - 1 :]), strict=True)]
            ordered = [*ordered[: TOP - 1], (OTHER, rest)]
        return Trend(window, ordered)

    # --------------------------------------------------------------------------------------------- analysis

    async def analyse(self, length_s: float = 0.0) -> Analysis:
        """Return everything about a window. Raise `InvalidRequest`."""
        window = window_of(length_s, now_s=self._now(), default_s=HOUR_S, most_s=MONTH_S)
        # All of it is asked for at once: on a database in another place each question is a trip there.
        summary, page, settings, counts, newest, resolved = await asyncio.gather(
            self.recommender.summaries.of(window),
            self._policies.revisions(size=_REVISIONS),
            self.settings(),
            self._events.counts(),
            self.recommender.newest(DEFAULT_SET),
            self._resolved(window),
        )
        calls = self.recommender.calls()
        material = material_of(window, summary, calls, page.revisions)
        unusual = worst_first(
            (*found_by(OF_CALLS, material, settings), *await self._judge.of(summary, material, settings))
        )
        trend = [0] * window.buckets
        for start, events in summary.total.items():
            trend[(start - window.start) // window.width] += events
        calls_of_all = sum(c.calls for c in calls.values())
        tried = sum(min(c.retries, c.calls) for c in calls.values())
        recovered = sum(c.recovered for c in calls.values())
        failed = sum(failures_of(c.by_code)[0] for c in calls.values())
        return Analysis(
            window=window,
            total=sum(trend),
            before=summary.before,
            by_category=summary.by_category,
            by_severity=summary.by_severity,
            by_code=summary.by_code[:TOP],
            top_components=summary.by_component[:TOP],
            top_routes=summary.by_route[:TOP],
            top_methods=summary.by_method[:TOP],
            trend=trend,
            anomalies=unusual,
            recommendations=within(summary, newest, calls),
            open_breakers=self._open_breakers(),
            resolution_rate=(counts.total - counts.unresolved) / counts.total if counts.total else None,
            recovery_rate=min(1.0, recovered / tried) if tried else None,
            error_rate=failed / calls_of_all if calls_of_all else None,
            mean_time_to_resolve_s=mean_time_to_resolve_s(resolved),
        )

    async def _resolved(self, window: Window) -> list[Event]:
        """Return the newest events of a window that are resolved."""
        begin, end = (datetime.fromtimestamp(at, UTC).isoformat() for at in (window.start, window.end))
        return await self._events.newest(
            f'resolved = true AND timestamp >= "{begin}" AND timestamp < "{end}"', MOST_RESOLVED
        )

    def _open_breakers(self) -> list[tuple[str, str, str]]:
        found = self._fleet.view.breakers()
        return [
            (b.name, b.proxy, stats_pb2.BreakerState.Name(b.state).removeprefix("BREAKER_STATE_"))
            for b in found
            if b.state not in _CLOSED
        ][:1000]

    # --------------------------------------------------------------------------------------------- forecast

    async def foretell(self, length_s: float, *, route: str = "", ahead: int = 0) -> Foretold:
        """Return what comes next. Raise `InvalidRequest`."""
        if not 0 <= ahead <= 100:
            raise InvalidRequest(f"ahead must be 1 to 100, not {ahead}")
        window = window_of(length_s, now_s=self._now(), default_s=2 * HOUR_S, most_s=MONTH_S, least_s=20 * 60)
        values = [0] * window.buckets
        for start, _, events in await counted(self._store, window, (), route=route):
            values[(start - window.start) // window.width] += events
        found = await asyncio.to_thread(self._models.forecast, [float(v) for v in values], ahead or 10)
        return Foretold(
            window,
            self._models.name,
            found,
            [*self._filling.exhaustions(), *await self._budgets()],
        )

    async def _budgets(self) -> Sequence[Exhaustion]:
        objective = await self._shared.objective()
        if objective is None:
            return ()
        calls = self.recommender.calls()
        return budgets(calls, objective=objective, window_s=CALLS_S)
