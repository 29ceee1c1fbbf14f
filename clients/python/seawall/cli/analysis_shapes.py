"""The stable form of `-o json` of analysis; the rules are those of shapes.py."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.cli.plain import to_plain
from seawall.cli.shapes import Shape, change, revision, seconds, time, word
from seawall.v1 import admin_analysis_pb2 as pb
from seawall.v1 import event_pb2


def severity(number: int) -> str:
    """Return a severity as a word."""
    return word(event_pb2.Severity, number, "SEVERITY_")


def shares(items: Iterable[pb.Share]) -> list[Shape]:
    """Counts with their shares, the largest first."""
    return [{"name": one.name, "events": one.events, "share": one.share} for one in items]


def anomaly(item: pb.Anomaly) -> Shape:
    """Something unusual."""
    return {
        "kind": item.kind,
        "subject": item.subject,
        "severity": severity(item.severity),
        "value": item.value,
        "threshold": item.threshold,
        "text": item.text,
        "at": time(item.at),
    }


def recommendation(item: pb.Recommendation) -> Shape:
    """Something that could be changed."""
    return {
        "id": item.id,
        "kind": item.kind,
        "route": item.route,
        "title": item.title,
        "evidence": item.evidence,
        "cost": item.cost,
        "policy_set": item.policy_set,
        "policy_name": item.policy_name or None,
        "policy": to_plain(item.policy) if item.HasField("policy") else None,
    }


def analysis(item: pb.GetAnalysisResponse) -> Shape:
    """Everything about a window."""
    return {
        "start": time(item.start),
        "end": time(item.end),
        "total_events": item.total_events,
        "events_per_minute": item.events_per_minute,
        "events_before": item.events_before,
        "error_rate": item.error_rate if item.HasField("error_rate") else None,
        "recovery_rate": item.recovery_rate if item.HasField("recovery_rate") else None,
        "resolution_rate": item.resolution_rate if item.HasField("resolution_rate") else None,
        "mean_time_to_resolve_s": (
            seconds(item.mean_time_to_resolve) if item.HasField("mean_time_to_resolve") else None
        ),
        "by_category": shares(item.by_category),
        "by_severity": shares(item.by_severity),
        "by_code": shares(item.by_code),
        "top_components": shares(item.top_components),
        "top_routes": shares(item.top_routes),
        "top_methods": shares(item.top_methods),
        "bucket_s": seconds(item.bucket),
        "trend": [{"start": time(one.start), "events": one.events} for one in item.trend],
        "anomalies": [anomaly(one) for one in item.anomalies],
        "recommendations": [recommendation(one) for one in item.recommendations],
        "open_breakers": [
            {"name": one.name, "proxy": one.proxy, "state": one.state.lower()} for one in item.open_breakers
        ],
    }


def trend(item: pb.GetTrendResponse) -> Shape:
    """Counts over time."""
    return {
        "start": time(item.start),
        "bucket_s": seconds(item.bucket),
        "series": [{"name": one.name, "events": list(one.events)} for one in item.series],
    }


def exhaustion(item: pb.Exhaustion) -> Shape:
    """When something is used up."""
    return {
        "resource": item.resource,
        "used": item.used,
        "at": time(item.at) if item.HasField("at") else None,
    }


def forecast(item: pb.GetForecastResponse) -> Shape:
    """What comes next."""
    return {
        "model": item.model,
        "bucket_s": seconds(item.bucket),
        "points": [
            {"start": time(one.start), "events": one.events, "low": one.low, "high": one.high}
            for one in item.points
        ],
        "exhaustions": [exhaustion(one) for one in item.exhaustions],
    }


def recovery_of(item: pb.RecoveryOfRoute) -> Shape:
    """What became of the calls of a route that got into trouble."""
    return {
        "route": item.route,
        "failed": item.failed,
        "rejected": item.rejected,
        "by_retry": item.by_retry,
        "by_fallback": item.by_fallback,
        "recovered_share": item.recovered_share if item.HasField("recovered_share") else None,
    }


def recovered_by(item: pb.RecoveredBy) -> Shape:
    """What one mechanism did."""
    return {
        "mechanism": item.mechanism,
        "troubled": item.troubled,
        "recovered": item.recovered,
        "open": item.open,
        "median_s": seconds(item.median) if item.HasField("median") else None,
        "longest_s": seconds(item.longest) if item.HasField("longest") else None,
    }


def recovery(item: pb.GetRecoveryReportResponse) -> Shape:
    """What recovered by what."""
    return {
        "start": time(item.start),
        "end": time(item.end),
        "total": recovery_of(item.total),
        "routes": [recovery_of(one) for one in item.routes],
        "mechanisms": [recovered_by(one) for one in item.mechanisms],
        "healing": [{"action": one.action, "state": one.state, "cases": one.cases} for one in item.healing],
        "lately": {
            "retries": item.lately.retries,
            "recovered": item.lately.recovered,
            "hedges": item.lately.hedges,
            "hedges_won": item.lately.hedges_won,
            "fallbacks": item.lately.fallbacks,
            "failed": item.lately.failed,
            "success_rate": item.lately.success_rate,
        },
        "whole": item.whole,
    }


def applied(item: pb.ApplyRecommendationResponse) -> Shape:
    """What a recommendation changes, and the revision that it became."""
    return {
        "changes": [change(one) for one in item.changes],
        "revision": revision(item.revision) if item.HasField("revision") else None,
    }


def settings(item: pb.AnalysisSettings) -> Shape:
    """The numbers that decide what is unusual."""
    return {field.name: getattr(item, field.name) for field in item.DESCRIPTOR.fields}
