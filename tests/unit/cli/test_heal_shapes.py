"""The stable form of `-o json` of healing and analysis: add keys, never rename or remove them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from seawall.cli import analysis_shapes, heal_shapes, plain
from seawall.cli.commands.analysis_recovery import as_csv
from seawall.v1 import admin_analysis_pb2 as analysis
from seawall.v1 import admin_healing_pb2 as healing
from seawall.v1 import event_pb2

KEYS: dict[str, tuple[Any, Message, str]] = {
    "runbook": (
        heal_shapes.runbook,
        healing.Runbook(),
        (
            "name description condition threshold subject lasting action parameters mode cooldown "
            "max_per_hour verify_after approval_ttl etag built_in"
        ),
    ),
    "case": (
        heal_shapes.case,
        healing.HealingCase(),
        "id runbook action subject state start_time change_time evidence value plan outcome actor asked_by",
    ),
    "observation": (
        heal_shapes.observation,
        healing.HealingObservation(),
        "condition subject value unit text runbooks",
    ),
    "stats": (heal_shapes.stats, healing.GetHealingStatsResponse(), "counts effectiveness open"),
    "actions": (heal_shapes.vocabulary, healing.ListHealingActionsResponse(), "conditions actions"),
    "anomaly": (
        analysis_shapes.anomaly,
        analysis.Anomaly(),
        "kind subject severity value threshold text at",
    ),
    "recommendation": (
        analysis_shapes.recommendation,
        analysis.Recommendation(),
        "id kind route title evidence cost policy_set policy_name policy",
    ),
    "analysis": (
        analysis_shapes.analysis,
        analysis.GetAnalysisResponse(),
        (
            "start end total_events events_per_minute events_before error_rate recovery_rate resolution_rate "
            "mean_time_to_resolve_s by_category by_severity by_code top_components top_routes top_methods "
            "bucket_s trend "
            "anomalies recommendations open_breakers"
        ),
    ),
    "trend": (analysis_shapes.trend, analysis.GetTrendResponse(), "start bucket_s series"),
    "forecast": (
        analysis_shapes.forecast,
        analysis.GetForecastResponse(),
        "model bucket_s points exhaustions",
    ),
    "exhaustion": (analysis_shapes.exhaustion, analysis.Exhaustion(), "resource used at"),
    "recovery": (
        analysis_shapes.recovery,
        analysis.GetRecoveryReportResponse(),
        "start end total routes mechanisms healing lately whole",
    ),
    "recovered by": (
        analysis_shapes.recovered_by,
        analysis.RecoveredBy(),
        "mechanism troubled recovered open median_s longest_s",
    ),
    "recovery of a route": (
        analysis_shapes.recovery_of,
        analysis.RecoveryOfRoute(),
        "route failed rejected by_retry by_fallback recovered_share",
    ),
    "applied": (analysis_shapes.applied, analysis.ApplyRecommendationResponse(), "changes revision"),
    "settings": (
        analysis_shapes.settings,
        analysis.AnalysisSettings(),
        (
            "error_rate specific_error_count recovery_failure_rate critical_count spike_deviations "
            "burst_factor burst_events period_correlation change_factor min_calls"
        ),
    ),
}


@pytest.mark.parametrize("name", KEYS)
def test_keys_are_always_all_there(name: str) -> None:
    """An empty message has the same keys as a full one, and becomes JSON."""
    shape, message, keys = KEYS[name]
    result = shape(message)
    assert list(result) == keys.split()
    json.dumps(result)


def test_counts_are_numbers_and_zero_is_there() -> None:
    """Counts of 64 bits were texts, and what was 0 was left out."""
    found = analysis_shapes.analysis(
        analysis.GetAnalysisResponse(
            total_events=2**40,
            by_code=[analysis.Share(name="", events=0, share=0.0)],
            trend=[analysis.TrendPoint(start=Timestamp(seconds=1_790_000_000))],
            bucket=Duration(seconds=60),
        )
    )
    assert found["total_events"] == 2**40
    assert found["events_before"] == 0
    assert found["by_code"] == [{"name": "", "events": 0, "share": 0.0}]
    assert found["trend"] == [{"start": "2026-09-21T14:13:20.000Z", "events": 0}]
    assert found["bucket_s"] == 60.0
    assert found["error_rate"] is None
    stats = heal_shapes.stats(
        healing.GetHealingStatsResponse(
            counts=[healing.HealingCount(action="clean_disk", state="helped", cases=3)], effectiveness=0.0
        )
    )
    assert stats == {
        "counts": [{"action": "clean_disk", "state": "helped", "cases": 3}],
        "effectiveness": 0.0,
        "open": 0,
    }
    one = analysis_shapes.anomaly(analysis.Anomaly(severity=event_pb2.SEVERITY_HIGH))
    assert (one["severity"], one["at"]) == ("high", None)


def test_a_report_of_recovery_as_a_table() -> None:
    """What a spreadsheet would run is only text in it."""
    report = analysis_shapes.recovery(
        analysis.GetRecoveryReportResponse(
            mechanisms=[
                analysis.RecoveredBy(
                    mechanism="breaker", troubled=3, recovered=2, open=1, median=Duration(seconds=9)
                )
            ],
            routes=[analysis.RecoveryOfRoute(route="=HYPERLINK()", failed=4, by_retry=2, by_fallback=1)],
        )
    )
    lines = as_csv(report).splitlines()
    assert lines[0] == "start,end,what,name,troubled,recovered,open,median_s,longest_s"
    assert lines[1] == ",,mechanism,breaker,3,2,1,9.0,"
    assert lines[2] == ",,route,'=HYPERLINK(),7,3,,,"


def test_a_runbook_that_is_shown_can_be_set() -> None:
    """The form that is shown is the form of the file, also where a value is 0."""
    runbook = healing.Runbook(
        name="r",
        condition="disk",
        threshold=0.0,
        action="clean_disk",
        subject="*",
        lasting=Duration(seconds=0),
        mode=healing.RUNBOOK_MODE_DRY_RUN,
        cooldown=Duration(seconds=90),
        max_per_hour=2,
        verify_after=Duration(seconds=1, nanos=500_000_000),
        approval_ttl=Duration(seconds=3600),
        etag="7",
    )
    json_format.ParseDict({"free_share": 0.25, "revision": 12, "hook": "x"}, runbook.parameters)
    shown = heal_shapes.runbook(runbook)
    assert (shown["lasting"], shown["cooldown"], shown["verify_after"]) == ("0s", "1m30s", "1.5s")
    assert (shown["threshold"], shown["mode"]) == (0, "dry_run")
    assert shown["parameters"] == {"free_share": 0.25, "revision": 12, "hook": "x"}
    assert plain.to_message(shown, healing.Runbook) == runbook
    old = {**shown, "mode": "RUNBOOK_MODE_DRY_RUN", "cooldown": "90s"}
    assert plain.to_message(old, healing.Runbook) == runbook, "files of the version before"
