"""AnalysisService: decode, call the use case, encode."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from seawall.v1 import admin_analysis_pb2 as pb
from seawall.v1 import admin_analysis_pb2_grpc, admin_healing_pb2, admin_policies_pb2
from seawall_control.api import codec
from seawall_control.api.errors import Context, answered
from seawall_control.domain import paging
from seawall_control.domain.analysis.detectors import Anomaly
from seawall_control.domain.analysis.recommend import Recommendation
from seawall_control.domain.analysis.recovery import Recovered, RouteRecovery
from seawall_control.domain.analysis.settings import Settings
from seawall_control.domain.events import MICROS
from seawall_control.services.analysis.facts import policy_of
from seawall_control.services.analysis.recovery import RecoveryReports
from seawall_control.services.analysis.service import AnalysisService
from seawall_control.services.analysis.summaries import Counted
from seawall_control.services.edge import Clock

_MAX_AUTHOR: Final = 128
_FAR_S: Final = 1e9
"""What is used up later than in thirty years is told as then."""


def _at(seconds: float) -> Timestamp:
    return codec.timestamp(int(seconds * MICROS))


def _seconds(duration: Duration) -> float:
    return codec.duration_us(duration) / MICROS


def _shares(counted: Counted, total: int) -> list[pb.Share]:
    return [
        pb.Share(name=name, events=events, share=events / total if total else 0.0) for name, events in counted
    ]


def anomaly_message(one: Anomaly) -> pb.Anomaly:
    """Encode an anomaly."""
    return pb.Anomaly(
        kind=one.kind,
        subject=one.subject,
        severity=int(one.severity),  # type: ignore[arg-type]
        value=one.value,
        threshold=one.threshold,
        text=one.text,
        at=_at(one.at_s) if one.at_s else None,
    )


def recommendation_message(one: Recommendation, policy_set: str) -> pb.Recommendation:
    """Encode a recommendation."""
    return pb.Recommendation(
        id=one.id,
        kind=one.kind,
        route=one.route,
        title=one.title,
        evidence=one.evidence,
        cost=one.cost,
        policy=policy_of(one) if one.policy_name else None,
        policy_name=one.policy_name,
        policy_set=policy_set,
    )


def _recovery_of(one: RouteRecovery) -> pb.RecoveryOfRoute:
    return pb.RecoveryOfRoute(
        route=one.route,
        failed=one.failed,
        rejected=one.rejected,
        by_retry=one.by_retry,
        by_fallback=one.by_fallback,
        recovered_share=one.share,
    )


def _recovered_by(mechanism: str, one: Recovered) -> pb.RecoveredBy:
    return pb.RecoveredBy(
        mechanism=mechanism,
        troubled=one.troubled,
        recovered=one.recovered,
        open=one.open,
        median=None if one.median_s is None else codec.seconds(one.median_s),
        longest=None if one.longest_s is None else codec.seconds(one.longest_s),
    )


def _settings(settings: Settings) -> pb.AnalysisSettings:
    return pb.AnalysisSettings(**asdict(settings))


class AnalysisServicer(admin_analysis_pb2_grpc.AnalysisServiceServicer):
    """seawall.v1.AnalysisService."""

    def __init__(self, analysis: AnalysisService, recovery: RecoveryReports, clock: Clock) -> None:
        self._analysis = analysis
        self._recovery = recovery
        self._clock = clock

    async def GetAnalysis(self, request: pb.GetAnalysisRequest, context: Context) -> pb.GetAnalysisResponse:
        """Return everything about a window."""

        async def work() -> pb.GetAnalysisResponse:
            found = await self._analysis.analyse(_seconds(request.window))
            window = found.window
            return pb.GetAnalysisResponse(
                start=_at(window.start),
                end=_at(window.end),
                total_events=found.total,
                events_per_minute=found.total * 60 / (window.end - window.start),
                events_before=found.before,
                by_category=_shares(found.by_category, found.total),
                by_severity=_shares(found.by_severity, found.total),
                by_code=_shares(found.by_code, found.total),
                top_components=_shares(found.top_components, found.total),
                top_routes=_shares(found.top_routes, found.total),
                top_methods=_shares(found.top_methods, found.total),
                trend=[
                    pb.TrendPoint(start=_at(window.start + place * window.width), events=events)
                    for place, events in enumerate(found.trend)
                ],
                bucket=Duration(seconds=int(window.width)),
                anomalies=[anomaly_message(one) for one in found.anomalies],
                recommendations=[recommendation_message(one, "default") for one in found.recommendations],
                open_breakers=[
                    pb.OpenBreaker(name=name, proxy=proxy, state=state)
                    for name, proxy, state in found.open_breakers
                ],
                resolution_rate=found.resolution_rate,
                recovery_rate=found.recovery_rate,
                error_rate=found.error_rate,
                mean_time_to_resolve=(
                    None
                    if found.mean_time_to_resolve_s is None
                    else codec.seconds(found.mean_time_to_resolve_s)
                ),
            )

        return await answered(context, work())

    async def GetTrend(self, request: pb.GetTrendRequest, context: Context) -> pb.GetTrendResponse:
        """Return counts over time."""

        async def work() -> pb.GetTrendResponse:
            found = await self._analysis.trend(_seconds(request.window), by=request.by, route=request.route)
            return pb.GetTrendResponse(
                start=_at(found.window.start),
                bucket=Duration(seconds=int(found.window.width)),
                series=[pb.TrendSeries(name=name, events=events) for name, events in found.series],
            )

        return await answered(context, work())

    async def GetForecast(self, request: pb.GetForecastRequest, context: Context) -> pb.GetForecastResponse:
        """Return what comes next."""

        async def work() -> pb.GetForecastResponse:
            found = await self._analysis.foretell(
                _seconds(request.window), route=request.route, ahead=request.ahead
            )
            window, forecast = found.window, found.forecast
            answer = pb.GetForecastResponse(model=found.model, bucket=Duration(seconds=int(window.width)))
            if forecast is not None:
                for place, value in enumerate(forecast.values):
                    answer.points.add(
                        start=_at(window.end + place * window.width),
                        events=value,
                        low=forecast.low[place],
                        high=forecast.high[place],
                    )
            now_s = self._clock.now_us() / MICROS
            for one in found.exhaustions:
                at = None if one.in_s is None else _at(now_s + min(one.in_s, _FAR_S))
                answer.exhaustions.add(resource=one.resource, used=one.used, at=at)
            return answer

        return await answered(context, work())

    async def GetRecoveryReport(
        self, request: pb.GetRecoveryReportRequest, context: Context
    ) -> pb.GetRecoveryReportResponse:
        """Return what recovered by what."""

        async def work() -> pb.GetRecoveryReportResponse:
            found = await self._recovery.report(_seconds(request.window), route=request.route)
            lately = found.lately
            return pb.GetRecoveryReportResponse(
                start=_at(found.window.start),
                end=_at(found.window.end),
                total=_recovery_of(found.total),
                routes=[_recovery_of(one) for one in found.routes],
                mechanisms=[_recovered_by(name, one) for name, one in found.mechanisms.items()],
                healing=[
                    admin_healing_pb2.HealingCount(action=action, state=state, cases=cases)
                    for (action, state), cases in sorted(found.actions.items())
                ],
                lately=pb.RecoveryLately(
                    retries=lately.retries,
                    recovered=lately.recovered,
                    hedges=lately.hedges,
                    hedges_won=lately.hedges_won,
                    fallbacks=lately.fallbacks,
                    failed=lately.failed,
                    success_rate=lately.success_rate,
                ),
                whole=found.is_whole,
            )

        return await answered(context, work())

    async def ListRecommendations(
        self, request: pb.ListRecommendationsRequest, context: Context
    ) -> pb.ListRecommendationsResponse:
        """Return what could be changed."""

        async def work() -> pb.ListRecommendationsResponse:
            window_s, policy_set = _seconds(request.window), request.policy_set or "default"
            found, next_token = paging.short_page(
                await self._analysis.recommender.recommend(window_s, policy_set=policy_set),
                lambda one: (one.route, one.kind, one.id),
                size=request.page_size,
                token=request.page_token,
                scope=("recommendations", policy_set, str(window_s)),
            )
            return pb.ListRecommendationsResponse(
                recommendations=[recommendation_message(one, policy_set) for one in found],
                next_page_token=next_token,
            )

        return await answered(context, work())

    async def ApplyRecommendation(
        self, request: pb.ApplyRecommendationRequest, context: Context
    ) -> pb.ApplyRecommendationResponse:
        """Make the change of a recommendation."""

        async def work() -> pb.ApplyRecommendationResponse:
            differs, revision = await self._analysis.recommender.apply(
                request.id,
                _seconds(request.window),
                policy_set=request.policy_set,
                author=request.author[:_MAX_AUTHOR],
                validate_only=request.validate_only,
            )
            return pb.ApplyRecommendationResponse(
                changes=[
                    admin_policies_pb2.Change(field=c.field, before=c.before, after=c.after) for c in differs
                ],
                revision=codec.revision_message(revision) if revision else None,
            )

        return await answered(context, work())

    async def GetAnalysisSettings(
        self, request: pb.GetAnalysisSettingsRequest, context: Context
    ) -> pb.GetAnalysisSettingsResponse:
        """Return the numbers."""

        async def work() -> pb.GetAnalysisSettingsResponse:
            return pb.GetAnalysisSettingsResponse(settings=_settings(await self._analysis.settings()))

        return await answered(context, work())

    async def UpdateAnalysisSettings(
        self, request: pb.UpdateAnalysisSettingsRequest, context: Context
    ) -> pb.UpdateAnalysisSettingsResponse:
        """Change some numbers."""

        async def work() -> pb.UpdateAnalysisSettingsResponse:
            values = {field.name: float(value) for field, value in request.settings.ListFields()}
            return pb.UpdateAnalysisSettingsResponse(
                settings=_settings(
                    await self._analysis.update_settings(values, validate_only=request.validate_only)
                )
            )

        return await answered(context, work())
