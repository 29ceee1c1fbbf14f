"""Analysis on a whole control plane: what is counted, found, foretold, recommended, and applied."""

from __future__ import annotations

import asyncio
import json
import time
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from seawall.client.aio import AsyncSeawall
from seawall.errors import SeawallError
from seawall.v1 import admin_analysis_pb2 as pb
from seawall.v1 import admin_events_pb2, event_pb2
from seawall_control.domain.analysis.forecast import Forecast
from seawall_control.domain.healing.conditions import Condition
from seawall_control.server import ControlPlane
from seawall_control.services.analysis.models import Models
from tests.integration.control.kit import Proxy, Stubs, document, until
from tests.kit.processes import http_get

pytestmark = pytest.mark.integration

SERVICE = "/seawall.v1.AnalysisService"
MINUTE = 60


def failed(
    number: int, at_s: int, *, code: str = "UNAVAILABLE", route: str = "all", component: str = ""
) -> event_pb2.ErrorEvent:
    """Return an event of a call that failed, or of a component."""
    found = event_pb2.ErrorEvent(
        id=f"00000000-0000-4000-8000-{number:012d}",
        severity=event_pb2.SEVERITY_MEDIUM,
        component=component or f"route/{route}",
        error_type=code,
        message="it failed",
        kind=event_pb2.EVENT_KIND_CALL_FAILED,
        route=route,
        method="shop.v1.Catalog/Get" if route else "",
        code=code,
    )
    found.timestamp.FromSeconds(at_s)
    return found


class Moment:
    """When a test takes place."""

    at_s = 0.0


@pytest.fixture(autouse=True)
def moment(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the time of analysis: a minute that ends in the middle of a test makes other windows."""
    Moment.at_s = time.time()
    monkeypatch.setattr(plane.analysis, "_now", lambda: Moment.at_s)


async def report(stubs: Stubs, *per_minute: int, **more: Any) -> int:
    """Report so many events in each of the last whole minutes; return the start of the first."""
    first = int(Moment.at_s) // MINUTE * MINUTE - MINUTE * len(per_minute)
    number = 1 + 100_000 * len(more)
    for place, count in enumerate(per_minute):
        events = [failed(number + n, first + place * MINUTE + n % MINUTE, **more) for n in range(count)]
        number += count
        if events:
            await stubs.events.ReportEvents(admin_events_pb2.ReportEventsRequest(events=events))
    return first


async def send(plane: ControlPlane, method: str, request: Any, response: Any) -> Any:
    """Send an RPC."""
    async with AsyncSeawall(plane.addresses.grpc) as seawall:
        return await seawall.call(f"{SERVICE}/{method}", request, response)


async def test_a_window(plane: ControlPlane, stubs: Stubs) -> None:
    """Totals, shares, the trend and what is unusual, also for what a flood left unstored."""
    await report(stubs, *[2] * 20, 90, 0)
    await report(stubs, 0, 0, 7, 0, code="INTERNAL", route="rest")
    window = Duration(seconds=30 * MINUTE)
    found = await send(plane, "GetAnalysis", pb.GetAnalysisRequest(window=window), pb.GetAnalysisResponse)
    assert found.total_events == 137
    assert len(found.trend) == 30
    assert sum(point.events for point in found.trend) == 137
    assert max(point.events for point in found.trend) >= 90
    assert [(s.name, s.events) for s in found.by_code] == [("UNAVAILABLE", 130), ("INTERNAL", 7)]
    assert [(s.name, s.events) for s in found.top_routes] == [("all", 130), ("rest", 7)]
    assert found.by_code[0].share == pytest.approx(130 / 137)
    kinds = {(a.kind, a.subject) for a in found.anomalies}
    assert {("burst", ""), ("burst", "route/all"), ("frequent_error", "route/all")} <= kinds
    assert found.resolution_rate == 0.0
    assert not found.HasField("mean_time_to_resolve")
    assert not found.HasField("recovery_rate")


async def test_how_long_it_takes_to_resolve(plane: ControlPlane, stubs: Stubs) -> None:
    """From when it happened until somebody has dealt with it; what is told of ourselves does not count."""
    first = await report(stubs, 1, 1, *[0] * 18)
    ours = failed(900, first + 2 * MINUTE)
    ours.kind, ours.resolved = event_pb2.EVENT_KIND_SYSTEM, True
    ours.resolved_at.CopyFrom(ours.timestamp)
    await stubs.events.ReportEvents(admin_events_pb2.ReportEventsRequest(events=[ours]))
    before_s = time.time()
    await stubs.events.ResolveEvents(admin_events_pb2.ResolveEventsRequest(filter="kind = CALL_FAILED"))
    after_s = time.time()
    window = Duration(seconds=30 * MINUTE)
    found = await send(plane, "GetAnalysis", pb.GetAnalysisRequest(window=window), pb.GetAnalysisResponse)
    took_s = found.mean_time_to_resolve.ToNanoseconds() / 1e9
    # One event a minute after the other: on average half a minute after the first.
    assert before_s - 0.001 <= took_s + first + MINUTE / 2 <= after_s + 0.001
    _, body = await asyncio.to_thread(
        http_get, plane.addresses.http, "/api/v1/errors/analysis?window_minutes=30"
    )
    assert json.loads(body)["error_analysis"]["mean_time_to_resolve_seconds"] == pytest.approx(took_s)


async def test_a_caller_s_mistakes_are_no_errors(plane: ControlPlane, stubs: Stubs) -> None:
    """The threshold is that of the alert rule, and so is what is counted: NOT_FOUND is an answer."""
    proxy = Proxy(stubs, "p1")
    await proxy.hello()
    before = [100, *([0] * 16)]
    after = [150, 0, 0, 0, 0, 40, *([0] * 8), 10, 0, 0]
    await proxy.say(stats={"routes": [{"route": "all", "by_code": before}]})
    await asyncio.sleep(1.2)
    await proxy.say(stats={"routes": [{"route": "all", "by_code": after}]})
    found = pb.GetAnalysisResponse()

    async def counted() -> bool:
        found.CopyFrom(await send(plane, "GetAnalysis", pb.GetAnalysisRequest(), pb.GetAnalysisResponse))
        return found.HasField("error_rate")

    await until(counted, what="the calls are counted")
    assert found.error_rate == pytest.approx(10 / 100)
    assert [one for one in found.anomalies if one.kind == "high_rate"] == []
    diagnosed = {d.observation.condition: d.observation for d in await plane.healing.diagnose()}
    assert diagnosed[Condition.ERROR_RATE].value == pytest.approx(10 / 100)


async def test_what_is_not_about_a_route_is_told_by_its_component(plane: ControlPlane, stubs: Stubs) -> None:
    """Applications report what has neither route nor code."""
    await report(stubs, *[1] * 20, 60, component="billing", route="", code="")
    await report(stubs, 0, 4, 0)
    window = Duration(seconds=30 * MINUTE)
    found = await send(plane, "GetAnalysis", pb.GetAnalysisRequest(window=window), pb.GetAnalysisResponse)
    assert [(s.name, s.events) for s in found.top_components] == [("billing", 80), ("route/all", 4)]
    kinds = {(a.kind, a.subject) for a in found.anomalies}
    assert {("burst", "billing"), ("frequent_error", "billing")} <= kinds
    ask = pb.GetTrendRequest(window=window, by="component")
    trend = await send(plane, "GetTrend", ask, pb.GetTrendResponse)
    assert [(line.name, sum(line.events)) for line in trend.series] == [("billing", 80), ("route/all", 4)]


async def test_a_revision_that_is_followed_by_failures(plane: ControlPlane, stubs: Stubs) -> None:
    """Is named, but not the first one: there was nothing before it."""
    for timeout_s in (1, 2):
        await plane.policies.apply(document(timeout_s))
    newest = await plane.policies.revision()
    minute = newest.create_time_us // 60_000_000 * 60
    for n in range(3):
        await stubs.events.ReportEvents(
            admin_events_pb2.ReportEventsRequest(
                events=[failed(1000 * n + m, minute + MINUTE * n) for m in range(1, 41)]
            )
        )
    plane.analysis._now = lambda: minute + 4.0 * MINUTE  # type: ignore[method-assign]
    found = await plane.analysis.analyse(10 * MINUTE)
    named = {a.text for a in found.anomalies if a.kind == "policy_change" and not a.subject}
    assert named == {f"120 events after {newest.name}, 0 in the same time before"}


async def test_trend(plane: ControlPlane, stubs: Stubs) -> None:
    """Lines by a field, the largest first."""
    await report(stubs, 3, 0, 5)
    await report(stubs, 1, 0, 0, code="INTERNAL")
    ask = pb.GetTrendRequest(window=Duration(seconds=5 * MINUTE), by="code")
    found = await send(plane, "GetTrend", ask, pb.GetTrendResponse)
    lines = {line.name: list(line.events) for line in found.series}
    assert [line.name for line in found.series] == ["UNAVAILABLE", "INTERNAL"]
    assert sum(lines["UNAVAILABLE"]) == 8
    assert all(len(line) == 5 for line in lines.values())
    with pytest.raises(SeawallError, match="by must be one of"):
        await send(plane, "GetTrend", pb.GetTrendRequest(by="message"), pb.GetTrendResponse)
    short = pb.GetTrendRequest(window=Duration(seconds=1))
    with pytest.raises(SeawallError, match="window must be"):
        await send(plane, "GetTrend", short, pb.GetTrendResponse)


async def test_forecast(plane: ControlPlane, stubs: Stubs) -> None:
    """What is steady goes on."""
    await report(stubs, *[10] * 30)
    ask = pb.GetForecastRequest(window=Duration(seconds=25 * MINUTE), ahead=3)
    found = await send(plane, "GetForecast", ask, pb.GetForecastResponse)
    assert (found.model, len(found.points)) == ("holt", 3)
    assert all(p.low <= p.events <= p.high for p in found.points)
    assert 5 <= found.points[0].events <= 15


async def test_a_recommendation_is_applied(plane: ControlPlane, stubs: Stubs) -> None:
    """Shown first, then made a revision of one route's own policy; then it does not hold any more."""
    wanted = document()
    wanted.routes[0].idempotent = True
    await plane.policies.apply(wanted)
    await report(stubs, 0, 30, 0)
    listed = await send(
        plane, "ListRecommendations", pb.ListRecommendationsRequest(), pb.ListRecommendationsResponse
    )
    (one,) = listed.recommendations
    assert (one.kind, one.route, one.policy.extends) == ("retry", "all", "standard")
    assert "30 of 30 failed calls" in one.evidence
    ask = pb.ApplyRecommendationRequest(id=one.id, validate_only=True, author="ann")
    shown = await send(plane, "ApplyRecommendation", ask, pb.ApplyRecommendationResponse)
    assert not shown.HasField("revision")
    assert any("retry" in change.field for change in shown.changes)
    ask.validate_only = False
    done = await send(plane, "ApplyRecommendation", ask, pb.ApplyRecommendationResponse)
    assert (done.revision.revision, done.revision.author) == (2, "ann")
    with pytest.raises(SeawallError, match="no recommendation"):
        await send(plane, "ApplyRecommendation", ask, pb.ApplyRecommendationResponse)


async def test_settings(plane: ControlPlane) -> None:
    """Those of the alert rules are the same numbers there and here."""
    change = pb.UpdateAnalysisSettingsRequest(
        settings=pb.AnalysisSettings(error_rate=0.3, spike_deviations=9)
    )
    found = await send(plane, "UpdateAnalysisSettings", change, pb.UpdateAnalysisSettingsResponse)
    assert (found.settings.error_rate, found.settings.spike_deviations) == (0.3, 9)
    assert (await plane.alerting.administration.thresholds()).error_rate == 0.3
    bad = pb.UpdateAnalysisSettingsRequest(settings=pb.AnalysisSettings(error_rate=3))
    with pytest.raises(SeawallError, match="nothing was changed"):
        await send(plane, "UpdateAnalysisSettings", bad, pb.UpdateAnalysisSettingsResponse)


class Fixed:
    """A model that an installed package could offer."""

    def forecast(self, values: Any, ahead: int) -> Forecast | None:
        """Return as many sevens as asked for, or too few when the last value is odd."""
        number = ahead - int(values[-1]) % 2
        return Forecast((7.0,) * number, (6.0,) * number, (8.0,) * number)


class Broken:
    """One that cannot be made."""

    def __init__(self) -> None:
        raise RuntimeError("no licence")


def test_other_models() -> None:
    """Another model answers; ours does where that one is broken, also when it breaks later."""
    ours = EntryPoint("ours", f"{__name__}:Fixed", "seawall.forecast")
    broken = EntryPoint("broken", f"{__name__}:Broken", "seawall.forecast")
    models = Models([ours, broken])
    assert models.name == "ours"
    found = models.forecast([2.0] * 20, 3)
    assert found is not None
    assert found.values == (7.0, 7.0, 7.0)
    found = models.forecast([1.0] * 20, 3)
    assert found is not None
    assert found.values == pytest.approx((1.0, 1.0, 1.0))
    assert models.name == "holt"
    assert Models([]).name == "holt"


async def test_what_recovered_by_what(plane: ControlPlane, stubs: Stubs) -> None:
    """Calls by their events, breakers by begin and end, cases of healing by their record; the last ten
    minutes are the numbers that the REST API has.
    """
    first = await report(stubs, 5, 0, 0, 0)
    happened = [
        (100, event_pb2.EVENT_KIND_CALL_RECOVERED, first + 1),
        (101, event_pb2.EVENT_KIND_CALL_RECOVERED, first + 2),
        (102, event_pb2.EVENT_KIND_CALL_DEGRADED, first + 3),
        (103, event_pb2.EVENT_KIND_CALL_REJECTED, first + 4),
        (104, event_pb2.EVENT_KIND_BREAKER_OPENED, first + 10),
        (105, event_pb2.EVENT_KIND_BREAKER_CLOSED, first + 40),
        (106, event_pb2.EVENT_KIND_BREAKER_OPENED, first + 50),
    ]
    events = []
    for number, kind, at_s in happened:
        one = failed(number, at_s)
        one.kind = kind
        one.latency.FromMilliseconds(200 if number == 100 else 400)
        events.append(one)
    await stubs.events.ReportEvents(admin_events_pb2.ReportEventsRequest(events=events))
    await plane.healing.load()
    await plane.healing.run_now("memory-grows", subject="process", actor="ann")
    ask = pb.GetRecoveryReportRequest(window=Duration(seconds=10 * MINUTE))
    found = await send(plane, "GetRecoveryReport", ask, pb.GetRecoveryReportResponse)
    total = found.total
    assert (total.failed, total.rejected, total.by_retry, total.by_fallback) == (5, 1, 2, 1)
    assert total.recovered_share == pytest.approx(3 / 9)
    assert [one.route for one in found.routes] == ["all"]
    by = {one.mechanism: one for one in found.mechanisms}
    assert set(by) == {"retry", "fallback", "breaker", "ejection", "degradation", "healing"}
    assert (by["retry"].troubled, by["retry"].recovered) == (7, 2)
    assert by["retry"].median.ToMilliseconds() == 200
    assert by["retry"].longest.ToMilliseconds() == 400
    breaker = by["breaker"]
    assert (breaker.troubled, breaker.recovered, breaker.open) == (2, 1, 1)
    assert breaker.median.ToSeconds() == 30
    assert not by["ejection"].HasField("median")
    assert (found.lately.failed, found.lately.success_rate, found.whole) == (0, 1.0, True)
    status, body = await asyncio.to_thread(
        http_get, plane.addresses.http, "/api/v1/errors/recovery/stats?window_minutes=10"
    )
    assert status == 200
    stats = json.loads(body)
    assert (stats["failed_calls"], stats["success_rate"]) == (found.lately.failed, found.lately.success_rate)
    other = pb.GetRecoveryReportRequest(window=Duration(seconds=10 * MINUTE), route='no "such" route')
    nothing = await send(plane, "GetRecoveryReport", other, pb.GetRecoveryReportResponse)
    assert nothing.total.failed == 0
    assert not nothing.total.HasField("recovered_share")
    assert all(one.troubled == 0 for one in nothing.mechanisms)
