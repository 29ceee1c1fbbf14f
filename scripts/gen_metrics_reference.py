"""Writes docs/reference/metrics.md from the names that the proxy and the control plane serve; --check only
tells whether it is fresh (exit 1 when not).

The proxy's names, kinds and texts come from `seawall_proxy.telemetry.names`, the control plane's from a page
that it renders of nothing. What a number tells is said here, and a metric about which nothing is said stops
the script.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Final

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "metrics.md"

for folder in ("clients/python", "control", "proxy"):
    sys.path.insert(0, str(ROOT / folder))

HEAD = """\
# Metrics

Generated from `seawall_proxy/telemetry/names.py` and `seawall_control/api/metrics.py` by
`scripts/gen_metrics_reference.py`; do not edit.

Both planes serve Prometheus' text format (version 0.0.4): the proxy at `/metrics` of its admin HTTP (default
127.0.0.1:8081), the control plane at `/metrics` of its HTTP (default 127.0.0.1:9091). Metrics are not
exported over OTLP in this version; [traces](../how-to/connect-tracing.md) are.

Rules:

- Counters only grow until the process restarts. Reasons and codes that never occurred have no series.
- No client can make a series: routes, clusters and endpoints are those of the policy in force, reasons and
  codes are fixed lists. A route that a policy no longer names keeps its series until the restart.
- `rpc_method` is `package.Service/Method` for methods that a route or a descriptor names, and for the first
  500 others (`admin: {max_methods}`, in each worker) that a server answered with anything but UNIMPLEMENTED.
  All other calls of a route are under `_OTHER`, so the methods of a route add up to the route.
- Calls without a route (`NO_ROUTE`, and requests that are not valid gRPC) are under `route=""`.
- Buckets of the histogram are those of gRFC A66, from 10 µs to 100 s. A call that was answered at once, by an
  open breaker or a static fallback, lasts 0 s and is in the bucket `le="0.0"`.

## What to watch

"""

_BY_ROUTE: Final = "sum by (route) (rate({}[5m]))"
_ALL_CALLS: Final = _BY_ROUTE.format("seawall_calls_total")
_GOOD_CALLS: Final = _BY_ROUTE.format('seawall_calls_total{rpc_status_code="OK"}')
_RETRIES: Final = _BY_ROUTE.format("seawall_retry_attempts_total")
_BUCKETS: Final = "sum by (route, le) (rate(rpc_server_call_duration_seconds_bucket[5m]))"

WATCH: Final[tuple[tuple[str, str], ...]] = (
    ("share of calls that callers saw fail", f"1 - {_GOOD_CALLS} / {_ALL_CALLS}"),
    ("99th percentile", f"histogram_quantile(0.99, {_BUCKETS})"),
    ("extra load by retries", f"{_RETRIES} / {_ALL_CALLS}"),
    ("callers served a fallback", "rate(seawall_fallback_served_total[5m])"),
    ("a route lives on its fallbacks", "seawall_degraded == 1"),
    ("callers refused", "rate(seawall_rejected_total[5m])"),
    ("a breaker is not closed", 'seawall_breaker_state{state!="closed"} > 0'),
    ("an endpoint cannot be reached", 'seawall_endpoint_state{state="backoff"} == 1'),
    ("events get lost", "increase(seawall_events_dropped_total[1h]) > 0"),
    ("the control plane is away", "seawall_control_connected == 0"),
    ("a proxy refuses the newest policy", "seawall_control_proxies_refusing > 0"),
    ("the control plane cannot store", "seawall_control_store_up == 0"),
    ("people are not told of alerts", "seawall_control_alert_channels_resting > 0"),
)

# Labels, and what the number tells beyond its own text.
PROXY: Final[dict[str, tuple[str, str]]] = {
    "rpc_server_call_duration_seconds": (
        "route, rpc_method, rpc_system_name",
        "All attempts and waits included. Calls without a route are left out.",
    ),
    "seawall_method_calls_total": ("route, rpc_method, rpc_status_code", "The status that the caller saw."),
    "seawall_calls_total": ("route, rpc_status_code", "The status that the caller saw."),
    "seawall_inflight": ("route", ""),
    "seawall_retry_attempts_total": ("route", "Transparent repetitions included."),
    "seawall_recovered_total": ("route", "Outcome `retried`."),
    "seawall_retry_budget_exhausted_total": ("route", "Rises in an outage: the budget protects the service."),
    "seawall_retry_not_made_total": (
        "route, reason",
        "Reasons: see [retries](../policies/retries.md). Without retries nothing is counted.",
    ),
    "seawall_hedges_total": ("route", "Attempts beyond the first, beside those of retries."),
    "seawall_hedges_won_total": ("route", "Few of many: the delay is too short, or all endpoints are slow."),
    "seawall_hedges_shadow_total": ("route", "Mode `shadow`."),
    "seawall_hedges_refused_total": ("route, reason", "Reasons: see [hedging](../policies/hedging.md)."),
    "seawall_hopeless_total": (
        "route",
        "Refused ones are in `seawall_rejected_total` too. See [timeouts](../policies/timeouts.md).",
    ),
    "seawall_wasted_attempts_total": (
        "route",
        "Still at work when the deadline passed, or answered later. See [timeouts](../policies/timeouts.md).",
    ),
    "seawall_wasted_seconds_total": ("route", "Its rate is how many attempts are at work for nothing."),
    "seawall_fallback_served_total": ("route", "Outcome `fallback`; the status is OK."),
    "seawall_fallback_kind_total": (
        "route, kind",
        "Kinds: `static`, `cluster`, `method`, `last_good`, `empty`.",
    ),
    "seawall_degraded": ("route", "See [fallback](../policies/fallback.md)."),
    "seawall_degraded_calls_total": ("route", "All of them, whatever answered."),
    "seawall_last_good_entries": ("route", ""),
    "seawall_last_good_bytes": ("route", ""),
    "seawall_journal_stored_total": ("route", ""),
    "seawall_journal_replayed_total": ("route", ""),
    "seawall_journal_waited_total": ("route", ""),
    "seawall_journal_reused_total": ("route", "Also in `seawall_rejected_total`."),
    "seawall_journal_skipped_total": (
        "route, reason",
        "Reasons: see [idempotency](../policies/idempotency.md).",
    ),
    "seawall_journal_entries": ("route", ""),
    "seawall_journal_bytes": ("route", ""),
    "seawall_limit": (
        "route",
        "Routes that share a limit show the same number. With several workers, their sum.",
    ),
    "seawall_limit_inflight": ("route", "Calls of all routes that share the limit."),
    "seawall_limit_long_calls": (
        "route",
        "Streams without news, and calls that hang or wait for their client.",
    ),
    "seawall_queue_depth": ("route", "Calls of all routes that share the limit."),
    "seawall_queued_total": ("route", "Whether they got a place or not."),
    "seawall_queue_wait_seconds_total": ("route", "Divided by `seawall_queued_total`: the mean wait."),
    "seawall_limited_total": (
        "route, reason, criticality",
        "Reasons: `LIMITED`, `QUEUE_TIMEOUT`, `BROWNOUT`, `RATE_LIMITED`; also when a fallback answered.",
    ),
    "seawall_would_limit_total": (
        "route, reason",
        "`mode: shadow`. `LIMITED` covers those that would have waited.",
    ),
    "seawall_limit_tenants": ("route", "Routes that share a limit show the same."),
    "seawall_rate_limit_keys": ("route", ""),
    "seawall_mirror_calls_total": (
        "route, cluster, rpc_status_code",
        "The mirror's own status; DEADLINE_EXCEEDED when it took too long.",
    ),
    "seawall_mirror_dropped_total": (
        "route, cluster, reason",
        "Reasons: see [mirroring](../policies/mirroring.md).",
    ),
    "seawall_mirror_inflight": ("route, cluster", ""),
    "seawall_faults_injected_total": (
        "route, kind",
        "[Faults](../policies/faults.md): `abort`, `delay`, `bandwidth`, `stream`.",
    ),
    "seawall_faults_active": ("route", "Never above `max_active` in each worker."),
    "seawall_faults_capped_total": ("route", ""),
    "seawall_would_total": (
        "route, mechanism, would",
        "Everything in [shadow](../how-to/explain-and-simulate.md#try-one-mechanism-beside-those-in-force).",
    ),
    "seawall_shadow_total": (
        "route, would",
        "[Kinds](../how-to/explain-and-simulate.md): `open`, `reject`, `timeout`, `retry`, `no_retry`.",
    ),
    "seawall_access_log_written_total": ("", "Only with an [access log](access-log.md)."),
    "seawall_access_log_dropped_total": (
        "reason",
        "`queue_full`: more calls ended than could be written; `write_failed`: the file or pipe refused.",
    ),
    "seawall_access_log_waiting": ("", "At most 10,000."),
    "seawall_cancelled_total": (
        "route",
        "A cancellation at the caller's own deadline is a DEADLINE_EXCEEDED instead.",
    ),
    "seawall_rejected_total": (
        "route, reason",
        "Refused before any attempt; [reasons](errors.md). A fallback that answered is not counted here.",
    ),
    "seawall_breaker_state": (
        "route, state",
        (
            "States: `closed`, `open`, `half_open`, `ramp`, `disabled`, `forced_open`, `metrics_only`. A "
            "route has one breaker, or with `per` one for each method or endpoint; counted anew each time."
        ),
    ),
    "seawall_breaker_opened_total": ("route", "An opening again after a failed probing counts too."),
    "seawall_breaker_rejected_total": ("route", "Fallbacks or not."),
    "seawall_breaker_would_reject_total": (
        "route",
        "Modes `shadow` and `metrics_only`, and `breaker observe`.",
    ),
    "seawall_endpoint_state": (
        "cluster, endpoint, state",
        "States: `idle`, `connecting`, `ready`, `backoff`.",
    ),
    "seawall_endpoint_attempts_total": ("cluster, endpoint", ""),
    "seawall_endpoint_failures_total": (
        "cluster, endpoint",
        "Every status but OK counts, a caller's mistakes included.",
    ),
    "seawall_endpoint_inflight": ("cluster, endpoint", "Those that wait for a connection included."),
    "seawall_endpoint_ejected": (
        "cluster, endpoint",
        "Only where [outliers](../policies/outliers.md) are looked for.",
    ),
    "seawall_outlier_ejections_total": (
        "cluster, reason, enforced, why",
        "`why` says why not: `max_ejection_overflow`, `enforcement_percentage`, `shadow`.",
    ),
    "seawall_endpoint_health": (
        "cluster, endpoint, health",
        "`unknown`, `healthy`, `unhealthy`: [health checks](../policies/health-checks.md).",
    ),
    "seawall_endpoint_latency_seconds": (
        "cluster, endpoint",
        "Only where `peak_ewma` balances; failures count as latency there.",
    ),
    "seawall_health_checks_total": ("cluster", ""),
    "seawall_health_check_failures_total": ("cluster", ""),
    "seawall_cluster_panic": ("cluster", "Only where there are health checks."),
    "seawall_cluster_panics_total": ("cluster", ""),
    "seawall_dns_lookups_total": ("cluster", ""),
    "seawall_dns_lookup_failures_total": ("cluster", "The last good answer stays in use."),
    "seawall_connections": ("", ""),
    "seawall_connections_total": ("", ""),
    "seawall_connections_refused_total": ("", "[Limit](limits.md) of connections."),
    "seawall_connections_failed_total": (
        "reason",
        "Before HTTP/2; reasons are in [use TLS](../how-to/use-tls.md); those of PROXY headers say it.",
    ),
    "seawall_certificate_expiry_timestamp_seconds": (
        "owner, file",
        "`listener NAME` or `cluster NAME`; clusters with the same files share one.",
    ),
    "seawall_certificate_reloads_total": ("result", "`taken`, or `refused`: the log says why."),
    "seawall_protocol_errors_total": ("", "Also when a [limit](limits.md) on abuse trips."),
    "seawall_limits_tripped_total": (
        "side, limit",
        "Every [limit](limits.md) of a connection that was exceeded, by its name.",
    ),
    "seawall_policy_revision": ("", ""),
    "seawall_policy_applied_total": ("", "The policy of the start is the first."),
    "seawall_policy_rejected_total": ("", "From a file or pushed; `/status` says why."),
    "seawall_policy_apply_duration_seconds": ("", "Compiling, and asking upstreams for descriptors."),
    "seawall_control_connected": ("", "Not there for a stand-alone proxy."),
    "seawall_events_produced_total": ("", ""),
    "seawall_events_dropped_total": ("", "Each of them is declared to the control plane as a gap."),
    "seawall_events_waiting": ("", "The ring holds 10,000."),
    "seawall_spool_depth": ("", "Grows while the control plane is away."),
    "seawall_spool_bytes": ("", "At most 256 MiB."),
    "seawall_spool_oldest_age_seconds": ("", "To a second; 0 when none waits."),
    "seawall_spool_acknowledged_total": ("", ""),
    "seawall_spool_dropped_total": (
        "reason",
        "The reasons are those of [gaps](../explanation/event-delivery.md#gaps-and-refusals).",
    ),
    "seawall_spool_degraded": ("", ""),
    "seawall_received_bytes_total": ("", "Added when a connection ends."),
    "seawall_sent_bytes_total": ("", "Added when a connection ends."),
    "seawall_resets_received_total": ("", "Added when a connection ends."),
    "seawall_resets_sent_total": ("", "Added when a connection ends."),
    "seawall_workers": ("", "Not there with one worker."),
    "seawall_worker_restarts_total": ("", "Not there with one worker."),
    "seawall_overload_level": ("resource", "Resources: `memory`, `descriptors`, `event_loop`."),
    "seawall_overload_connections_closed_total": ("", ""),
    "seawall_memory_used_bytes": ("", "Resident memory, the cgroup's working set or the address space."),
    "seawall_memory_limit_bytes": ("", "With several workers, one worker's share."),
    "seawall_descriptors": ("", "With several workers, the largest number; so for the limit and the lag."),
    "seawall_descriptors_limit": ("", ""),
    "seawall_event_loop_lag_seconds": ("", "Looked at four times a second."),
    "seawall_build_info": ("version, data_path", "`data_path`: `compiled`, `interpreted` or `stale`."),
}


def control_families() -> list[tuple[str, str, str, str]]:
    """Return name, kind, labels and text of everything that the control plane serves."""
    from seawall_control.api import access_metrics, alert_metrics, change_metrics, metrics, recovery_metrics
    from seawall_control.api.gate import GateNumbers
    from seawall_control.domain.events import EventCounts, Severity
    from seawall_control.domain.health import Component, Status
    from seawall_control.services.alerting.parts import AlertNumbers
    from seawall_control.services.audit import AuditNumbers
    from seawall_control.services.event_intake import Numbers as EventNumbers
    from seawall_control.services.fleet_pushes import Numbers as PushNumbers

    every = dict.fromkeys(Severity, 0)
    store = SimpleNamespace(
        engine="e",
        version="v",
        state="ok",
        size_bytes=0,
        wal_bytes=0,
        commits=0,
        commit_seconds=0.0,
        queued=0,
    )
    report = SimpleNamespace(
        status=Status.HEALTHY,
        components=(Component("store", Status.HEALTHY, ""),),
        store=store,
        counts=EventCounts(
            total=0, unresolved=0, by_severity=every, unresolved_by_severity=every, recent_24h=0
        ),
        uptime_s=0.0,
    )
    pushes = SimpleNamespace(numbers=PushNumbers(), refusing=list)
    view = SimpleNamespace(spooled=lambda **_: (0, 0.0))
    fleet = SimpleNamespace(pushes=pushes, superseded=0, connected=0, known=list, view=view)

    class _Hub:
        skipped = 0

        def __len__(self) -> int:
            return 0

    events = SimpleNamespace(numbers=EventNumbers())
    text = metrics.render(report, events, fleet, _Hub(), "v", firing={}, feed_readers=0)  # type: ignore[arg-type]
    changes = change_metrics.render([], {}, 0) + alert_metrics.render(AlertNumbers())
    changes += recovery_metrics.render({}, {}, 0)
    return families(text + access_metrics.render(GateNumbers(), AuditNumbers(), 0) + changes)


def families(page: str) -> list[tuple[str, str, str, str]]:
    """Return name, kind, labels and help of every family of a page of metrics."""
    found: list[tuple[str, str, str, str]] = []
    for name, help_text in re.findall(r"^# HELP (\S+) (.*)$", page, re.MULTILINE):
        kind = re.findall(rf"^# TYPE {name} (\S+)$", page, re.MULTILINE)[0]
        inside = re.search(rf"^{name}(?:_bucket)?{{(.*)}} ", page, re.MULTILINE)
        labels = re.findall(r'(\w+)="', inside.group(1)) if inside else []
        found.append((name, kind, ", ".join(label for label in labels if label != "le"), help_text))
    return found


def page() -> str:
    """Return the page."""
    from seawall_proxy.telemetry.names import ALL

    said = [metric for metric in ALL if metric.name not in PROXY]
    if said:
        sys.exit(f"gen_metrics_reference: say something about {', '.join(m.name for m in said)} in PROXY")
    lines = [f"{HEAD}| question | expression |", "|---|---|"]
    lines += [f"| {question} | `{expression}` |" for question, expression in WATCH]
    lines += ["", "## Proxy", "", "| metric | kind | labels | |", "|---|---|---|---|"]
    for metric in ALL:
        labels, note = PROXY[metric.name]
        lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {f'{metric.help} {note}'.rstrip()} |")
    lines += ["", "## Control plane", "", "| metric | kind | labels | |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {kind} | {labels} | {text} |" for name, kind, labels, text in control_families()]
    lines += ["", *aliases()]
    return "\n".join(lines) + "\n"


def aliases() -> list[str]:
    """Return the part about names of an older system."""
    from seawall_control.api.metric_aliases import ALIASES, SET

    lines = [
        "## Other names",
        "",
        f"`GET /metrics?aliases={SET}` of the control plane adds gauges under the names of an older system,",
        "for dashboards and rules that know those. A `flow` is a route; `control` and `fleet` are no routes.",
        "They are about the whole fleet, whichever of several control planes is asked; Seawall's own metrics",
        "are about the one that is asked and the proxies that are connected to it.",
        "",
        "| there | meaning | here |",
        "|---|---|---|",
    ]
    for name, text, ours in ALIASES:
        lines.append(f"| `{name}` | {text} | {', '.join(f'`{item}`' for item in ours)} |")
    return lines


def main() -> int:
    """Write the page, or check it."""
    text = page()
    if "--check" in sys.argv[1:]:
        if PAGE.is_file() and PAGE.read_text("utf-8") == text:
            return 0
        print(
            f"{PAGE.relative_to(ROOT)} is not fresh; run: python scripts/gen_metrics_reference.py",
            file=sys.stderr,
        )
        return 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
