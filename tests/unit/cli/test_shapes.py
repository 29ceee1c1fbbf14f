"""The stable form of `-o json`. A key that disappears here breaks somebody's script: add keys, never rename
or remove them.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from seawall.cli import shapes
from seawall.cli.commands.get import route_shape
from seawall.v1 import (
    admin_events_pb2,
    admin_fleet_pb2,
    admin_policies_pb2,
    event_pb2,
    fleet_pb2,
    policy_pb2,
    stats_pb2,
)

KEYS: dict[str, tuple[Any, Message, set[str]]] = {
    "violation": (shapes.violation, admin_policies_pb2.Violation(), {"field", "message", "code", "warning"}),
    "revision": (
        shapes.revision,
        admin_policies_pb2.Revision(),
        {
            *("name", "revision", "policy_set", "hash", "author", "message", "create_time", "rollback_of"),
            *("base", "base_revision"),
        },
    ),
    "change": (shapes.change, admin_policies_pb2.Change(), {"field", "before", "after"}),
    "proxy_rollout": (
        shapes.proxy_rollout,
        admin_policies_pb2.ProxyRollout(),
        {"proxy", "state", "applied_revision", "last_verdict", "reasons", "update_time"},
    ),
    "rollout": (
        shapes.rollout,
        admin_policies_pb2.GetRolloutResponse(),
        {"revision", "hash", "applied", "connected", "proxies"},
    ),
    "event": (
        shapes.event,
        event_pb2.ErrorEvent(),
        {
            *(
                "id",
                "timestamp",
                "severity",
                "kind",
                "component",
                "error_type",
                "message",
                "route",
                "method",
                "code",
            ),
            *(
                "category",
                "outcome",
                "reason",
                "endpoint",
                "latency_s",
                "attempts",
                "proxy",
                "policy_revision",
            ),
            *(
                "trace_id",
                "fingerprint",
                "job_id",
                "job_name",
                "details",
                "stack_trace",
                "resolved",
                "resolved_at",
            ),
            "resolution",
        },
    ),
    "event_stats": (
        shapes.event_stats,
        admin_events_pb2.GetEventStatsResponse(),
        {"total", "unresolved", "recent_24h", "by_severity", "unresolved_by_severity"},
    ),
    "endpoint": (
        shapes.endpoint,
        fleet_pb2.EndpointStatus(),
        {"cluster", "address", "state", "in_flight", "last_error", "outlier", "outlier_reason"},
    ),
    "proxy": (
        shapes.proxy,
        admin_fleet_pb2.Proxy(),
        {
            *(
                "node",
                "connected",
                "control_plane",
                "last_seen",
                "start_time",
                "version",
                "labels",
                "policy_set",
                "applied_revision",
            ),
            *(
                "policy_source",
                "drifted",
                "stale",
                "connections",
                "events_produced",
                "events_dropped",
                "admin_address",
            ),
            *("endpoints", "spool"),
        },
    ),
    "route_stats": (
        shapes.route_stats,
        stats_pb2.RouteStats(),
        {
            *("route", "window_s", "calls_per_second", "success_ratio", "p50_s", "p95_s", "p99_s"),
            *("retries_per_second", "fallbacks_per_second", "rejected_per_second", "breaker", "total"),
            *("hedges_per_second", "limited_per_second", "hopeless_per_second"),
            "wasted_seconds_per_second",
        },
    ),
    "cluster_stats": (
        shapes.cluster_stats,
        stats_pb2.ClusterStats(),
        {"cluster", "proxies", "endpoints", "ejected", "ejections", "spared", "panics"},
    ),
    "breaker": (
        shapes.breaker,
        stats_pb2.BreakerStatus(),
        {
            *("name", "route", "proxy", "state", "since", "trigger", "window_calls", "window_failures"),
            *("window_slow", "rejected", "opened", "retry_after_s", "failure_rate", "slow_rate"),
            *("consecutive", "in_flight", "probes", "next_probe", "ramp_share", "would_reject", "hold"),
            *("policy", "policy_revision", "mode", "history"),
        },
    ),
    "command_result": (
        shapes.command_result,
        admin_fleet_pb2.ProxyCommandResult(),
        {"proxy", "ok", "message"},
    ),
    "health": (
        shapes.health,
        admin_fleet_pb2.GetSystemHealthResponse(),
        {"status", "version", "uptime_s", "components"},
    ),
    "route": (
        route_shape,
        policy_pb2.Route(),
        {"name", "service", "method", "metadata", "cluster", "backends", "policy", "idempotent", "optional"},
    ),
}


@pytest.mark.parametrize("name", KEYS)
def test_keys_are_always_all_there(name: str) -> None:
    """An empty message has the same keys as a full one, and becomes JSON."""
    shape, message, keys = KEYS[name]
    result = shape(message)
    assert set(result) == keys
    json.dumps(result)


def test_event_says_enum_values_as_words_and_times_in_utc() -> None:
    """No numbers of enums, no prefixes, RFC 3339 with milliseconds."""
    event = event_pb2.ErrorEvent(
        severity=event_pb2.SEVERITY_HIGH,
        kind=event_pb2.EVENT_KIND_BREAKER_OPENED,
        category=policy_pb2.CATEGORY_TRANSIENT,
        outcome=event_pb2.OUTCOME_FALLBACK,
        timestamp=Timestamp(seconds=1_700_000_000, nanos=5_000_000),
        latency=Duration(nanos=1_500_000),
        attempts=[event_pb2.Attempt(number=1, code="UNAVAILABLE", latency=Duration(seconds=1))],
    )
    shape = shapes.event(event)
    assert (shape["severity"], shape["kind"], shape["category"], shape["outcome"]) == (
        *("high", "breaker_opened"),
        *("transient", "fallback"),
    )
    assert shape["timestamp"] == "2023-11-14T22:13:20.005Z"
    assert shape["latency_s"] == 0.0015
    assert shape["attempts"][0]["latency_s"] == 1.0
    assert shape["resolved_at"] is None


def test_status_codes_are_named_and_zero_counts_left_out() -> None:
    """by_code lists what happened, by name."""
    total = stats_pb2.RouteCounters(by_code=[5, *([0] * 13), 2, 0, 0], retries=3)
    shape = shapes.route_stats(stats_pb2.RouteStats(route="r", total=total))
    assert shape["total"]["by_code"] == {"OK": 5, "UNAVAILABLE": 2}
    assert shape["total"]["calls"] == 7


def test_unknown_enum_value_is_shown_as_its_number() -> None:
    """A newer control plane does not crash an older command line."""
    assert shapes.word(stats_pb2.BreakerState, 99, "BREAKER_STATE_") == "99"
    assert shapes.word(stats_pb2.BreakerState, 0, "BREAKER_STATE_") == ""


def test_stats_fill_in_the_severities_that_have_no_events() -> None:
    """All four severities are there, in lower case, with or without the enum's prefix."""
    answer = admin_events_pb2.GetEventStatsResponse(total=3, by_severity={"HIGH": 2, "SEVERITY_LOW": 1})
    assert shapes.event_stats(answer)["by_severity"] == {"low": 1, "medium": 0, "high": 2, "critical": 0}


def test_retry_after_tells_absent_from_zero() -> None:
    """A breaker that probes now is not a breaker that is closed."""
    assert shapes.breaker(stats_pb2.BreakerStatus())["retry_after_s"] is None
    assert shapes.breaker(stats_pb2.BreakerStatus(retry_after=Duration()))["retry_after_s"] == 0
