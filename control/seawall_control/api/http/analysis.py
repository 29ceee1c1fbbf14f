"""The analysis under the path and the names that the requirements give it.

    GET /api/v1/errors/analysis   ?window_minutes=

The window is that of AnalysisService.GetAnalysis; what is said of breakers, recovery and healing is what
their own paths say. The service's RPCs tell more: trends, forecasts, what could be applied.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from seawall.v1 import admin_analysis_pb2, admin_healing_pb2, event_pb2
from seawall_control.api import codec
from seawall_control.api.http.access import calls
from seawall_control.api.http.answers import guarded, json_answer
from seawall_control.api.http.healing import stats_json
from seawall_control.api.http.operations import breakers_json, recovery_json
from seawall_control.api.http.parts import HttpParts
from seawall_control.api.http.reading import number, only
from seawall_control.api.http.rpc.carrying import called
from seawall_control.api.http.rpc.methods import as_json
from seawall_control.domain.errors import InvalidRequest
from seawall_control.domain.events import Json
from seawall_control.domain.recovery import recovery_of
from seawall_control.domain.statistics import total_of

_RPC: Final = "/seawall.v1.AnalysisService"
_LONGEST_MINUTES: Final = 30 * 24 * 60.0
_RECENT_S: Final = 600.0
"""What is told of recovery, whatever the window: all that is remembered of calls."""


def _anomaly(found: admin_analysis_pb2.Anomaly) -> dict[str, Json]:
    severity = event_pb2.Severity.Name(found.severity).removeprefix("SEVERITY_")
    return {**as_json(found), "severity": severity}


def analysis_json(found: admin_analysis_pb2.GetAnalysisResponse) -> dict[str, Json]:
    """Return an analysis under the names of the requirements."""
    return {
        "start": as_json(found)["start"],
        "end": as_json(found)["end"],
        "total_errors": found.total_events,
        "errors_before": found.events_before,
        "errors_per_minute": found.events_per_minute,
        "error_rate": found.error_rate if found.HasField("error_rate") else None,
        "error_distribution": {share.name.lower(): share.events for share in found.by_category},
        "by_severity": {share.name: share.events for share in found.by_severity},
        "top_components": {share.name: share.events for share in found.top_components},
        "top_routes": {share.name: share.events for share in found.top_routes},
        "resolution_rate": found.resolution_rate if found.HasField("resolution_rate") else None,
        "mean_time_to_resolve_seconds": (
            found.mean_time_to_resolve.ToNanoseconds() / 1e9
            if found.HasField("mean_time_to_resolve")
            else None
        ),
        "anomalies": [_anomaly(anomaly) for anomaly in found.anomalies],
        "recommendations": [as_json(one) for one in found.recommendations],
    }


class Analysis:
    """The endpoint."""

    def __init__(self, parts: HttpParts) -> None:
        self._parts = parts

    def routes(self) -> list[BaseRoute]:
        """Return the table of routes."""
        return [Route("/api/v1/errors/analysis", calls(f"{_RPC}/GetAnalysis", guarded(self.analysis)))]

    async def analysis(self, request: Request) -> Response:
        """Answer with what the record of a window says, and with breakers, recovery and healing."""
        only(request, "window_minutes")
        minutes = number(request, "window_minutes", 60.0)
        if not 5 <= minutes <= _LONGEST_MINUTES:
            raise InvalidRequest(f"window_minutes must be from 5 to {_LONGEST_MINUTES:g}")
        fleet = self._parts.fleet
        asked = admin_analysis_pb2.GetAnalysisRequest(window=codec.seconds(minutes * 60))
        found: Any = await called(self._parts, request, "AnalysisService", "GetAnalysis", asked)
        healing = await called(
            self._parts,
            request,
            "HealingService",
            "GetHealingStats",
            admin_healing_pb2.GetHealingStatsRequest(),
        )
        lately = total_of(fleet.view.lately(_RECENT_S).values())
        return json_answer(
            request,
            {
                "window_minutes": minutes,
                "error_analysis": analysis_json(found),
                "circuit_breakers": breakers_json(fleet.view.breakers()),
                "recovery": recovery_json(recovery_of(lately)),
                "self_healing": stats_json(healing),
            },
        )
