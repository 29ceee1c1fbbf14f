"""Every name that telemetry of the proxy has outside: metrics, their labels and help, and span attributes.

Metric names follow the OpenTelemetry RPC conventions where those exist (`rpc.server.call.duration`),
translated for Prometheus in the classic way; what gRPC and OpenTelemetry have no word for is under
`seawall_`.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Metric(NamedTuple):
    """A metric family."""

    name: str
    kind: str
    """`counter`, `gauge` or `histogram`."""
    help: str


CALL_DURATION: Final = Metric(
    "rpc_server_call_duration_seconds",
    "histogram",
    "Time from request to final status, by route and method.",
)
METHOD_CALLS: Final = Metric(
    "seawall_method_calls_total", "counter", "Finished calls by route, method and final status."
)
CALLS: Final = Metric("seawall_calls_total", "counter", "Finished calls by route and final status.")
IN_FLIGHT: Final = Metric("seawall_inflight", "gauge", "Calls in flight, by route.")
RETRIES: Final = Metric("seawall_retry_attempts_total", "counter", "Attempts beyond the first, by route.")
RECOVERED: Final = Metric("seawall_recovered_total", "counter", "Calls that a later attempt saved, by route.")
BUDGET_EXHAUSTED: Final = Metric(
    "seawall_retry_budget_exhausted_total", "counter", "Retries that the budget refused, by route."
)
NOT_RETRIED: Final = Metric(
    "seawall_retry_not_made_total",
    "counter",
    "Failures that no further attempt followed, by route and reason.",
)
HEDGES: Final = Metric("seawall_hedges_total", "counter", "Hedges sent, by route.")
HEDGES_WON: Final = Metric("seawall_hedges_won_total", "counter", "Hedges whose answer was used, by route.")
HEDGES_SHADOW: Final = Metric(
    "seawall_hedges_shadow_total", "counter", "Hedges that shadow mode did not send, by route."
)
HEDGES_REFUSED: Final = Metric(
    "seawall_hedges_refused_total", "counter", "Hedges that were due and not sent, by route and reason."
)
HOPELESS: Final = Metric(
    "seawall_hopeless_total",
    "counter",
    "Calls that came with less time than the fastest tenth of attempts had needed, by route.",
)
FALLBACKS: Final = Metric(
    "seawall_fallback_served_total", "counter", "Calls answered by a fallback, by route."
)
REJECTED: Final = Metric(
    "seawall_rejected_total", "counter", "Calls that Seawall refused, by route and reason."
)
WASTED: Final = Metric(
    "seawall_wasted_attempts_total",
    "counter",
    "Attempts that came to nothing because the call's time was up, by route.",
)
WASTED_SECONDS: Final = Metric(
    "seawall_wasted_seconds_total", "counter", "How long such attempts have taken, by route."
)
LIMIT: Final = Metric("seawall_limit", "gauge", "Calls that may be at work at once, by route.")
LIMIT_IN_FLIGHT: Final = Metric(
    "seawall_limit_inflight", "gauge", "Calls that hold a place under the limit, by route."
)
LIMIT_LONG_CALLS: Final = Metric(
    "seawall_limit_long_calls", "gauge", "Calls at work for so long that they are no longer counted."
)
QUEUE_DEPTH: Final = Metric("seawall_queue_depth", "gauge", "Calls that wait for a place, by route.")
QUEUED: Final = Metric("seawall_queued_total", "counter", "Calls that have waited for a place, by route.")
QUEUE_WAIT: Final = Metric(
    "seawall_queue_wait_seconds_total", "counter", "Time that calls have waited for a place, by route."
)
LIMITED: Final = Metric(
    "seawall_limited_total", "counter", "Calls that a limit refused, by route, reason and criticality."
)
WOULD_LIMIT: Final = Metric(
    "seawall_would_limit_total",
    "counter",
    "Calls that a limit in shadow would have refused or kept waiting, by route and reason.",
)
TENANTS: Final = Metric(
    "seawall_limit_tenants", "gauge", "Tenants with calls at work or waiting, by route; only with fair_share."
)
RATE_KEYS: Final = Metric("seawall_rate_limit_keys", "gauge", "Buckets of the rate limit, by route.")
MIRRORED: Final = Metric(
    "seawall_mirror_calls_total", "counter", "Copies that were sent to a mirror, by what came of them."
)
MIRROR_DROPPED: Final = Metric(
    "seawall_mirror_dropped_total", "counter", "Copies that were given up, by reason."
)
MIRROR_IN_FLIGHT: Final = Metric("seawall_mirror_inflight", "gauge", "Copies in flight.")
FAULTS_INJECTED: Final = Metric(
    "seawall_faults_injected_total", "counter", "Faults that took effect, by route and kind."
)
FAULTS_ACTIVE: Final = Metric("seawall_faults_active", "gauge", "Attempts that are under a fault, by route.")
FAULTS_CAPPED: Final = Metric(
    "seawall_faults_capped_total",
    "counter",
    "Attempts that were spared a fault because max_active were under one, by route.",
)
WOULD: Final = Metric(
    "seawall_would_total",
    "counter",
    "What mechanisms in shadow would have done, by route and mechanism, and the shadow policy.",
)
SHADOW: Final = Metric(
    "seawall_shadow_total", "counter", "What the shadow policy would have done otherwise, by route."
)
CANCELLED: Final = Metric("seawall_cancelled_total", "counter", "Calls whose caller went away, by route.")
BREAKER_STATE: Final = Metric(
    "seawall_breaker_state", "gauge", "How many of the route's breakers are in a state; most routes have one."
)
BREAKER_OPENED: Final = Metric(
    "seawall_breaker_opened_total", "counter", "Times the route's breakers opened."
)
BREAKER_REJECTED: Final = Metric(
    "seawall_breaker_rejected_total", "counter", "Attempts that the route's breakers rejected."
)
BREAKER_WOULD_REJECT: Final = Metric(
    "seawall_breaker_would_reject_total",
    "counter",
    "Attempts that the route's breakers let through and, enforcing, would have rejected.",
)
ENDPOINT_STATE: Final = Metric(
    "seawall_endpoint_state", "gauge", "1 for the state that the endpoint is in, 0 for the others."
)
ENDPOINT_ATTEMPTS: Final = Metric(
    "seawall_endpoint_attempts_total", "counter", "Attempts sent to the endpoint."
)
ENDPOINT_FAILURES: Final = Metric("seawall_endpoint_failures_total", "counter", "Attempts that failed there.")
ENDPOINT_IN_FLIGHT: Final = Metric("seawall_endpoint_inflight", "gauge", "Attempts in flight there.")
ENDPOINT_HEALTH: Final = Metric(
    "seawall_endpoint_health",
    "gauge",
    "1 for what the health checks say of the endpoint, 0 for the others; only where there are checks.",
)
ENDPOINT_LATENCY: Final = Metric(
    "seawall_endpoint_latency_seconds", "gauge", "Latency that peak_ewma reckons with."
)
ENDPOINT_EJECTED: Final = Metric(
    "seawall_endpoint_ejected", "gauge", "1 while the endpoint is left out as an outlier."
)
OUTLIER_EJECTIONS: Final = Metric(
    "seawall_outlier_ejections_total",
    "counter",
    "Outliers, by cluster and reason, and whether they were ejected; if not, why not.",
)
HEALTH_CHECKS: Final = Metric("seawall_health_checks_total", "counter", "Health checks begun, by cluster.")
HEALTH_CHECK_FAILURES: Final = Metric(
    "seawall_health_check_failures_total", "counter", "Health checks that failed or were not answered."
)
PANIC: Final = Metric(
    "seawall_cluster_panic",
    "gauge",
    "1 while health is ignored because too little of the cluster is healthy.",
)
PANICS: Final = Metric("seawall_cluster_panics_total", "counter", "Times that this has begun.")
LOOKUPS: Final = Metric("seawall_dns_lookups_total", "counter", "Lookups of a cluster's name.")
LOOKUP_FAILURES: Final = Metric(
    "seawall_dns_lookup_failures_total", "counter", "Lookups that failed or came back empty."
)
CONNECTIONS: Final = Metric("seawall_connections", "gauge", "Open client connections.")
CONNECTIONS_TOTAL: Final = Metric("seawall_connections_total", "counter", "Client connections accepted.")
CONNECTIONS_REFUSED: Final = Metric(
    "seawall_connections_refused_total",
    "counter",
    "Client connections closed at once because a limit was reached.",
)
CONNECTIONS_FAILED: Final = Metric(
    "seawall_connections_failed_total",
    "counter",
    "Client connections that ended in the TLS handshake or the PROXY protocol header, by reason.",
)
CERTIFICATE_EXPIRY: Final = Metric(
    "seawall_certificate_expiry_timestamp_seconds",
    "gauge",
    "When a certificate in use expires, in Unix time, by owner and file.",
)
CERTIFICATE_RELOADS: Final = Metric(
    "seawall_certificate_reloads_total",
    "counter",
    "Changes of certificate files, by result: taken or refused.",
)
PROTOCOL_ERRORS: Final = Metric(
    "seawall_protocol_errors_total", "counter", "Client connections ended because the peer broke HTTP/2."
)
LIMITS_TRIPPED: Final = Metric(
    "seawall_limits_tripped_total",
    "counter",
    "Times that a limit on connections was exceeded, by side (client, endpoint) and limit.",
)
POLICY_REVISION: Final = Metric("seawall_policy_revision", "gauge", "Revision in force; 0 for a policy file.")
POLICY_APPLIED: Final = Metric("seawall_policy_applied_total", "counter", "Policies put in force.")
POLICY_REFUSED: Final = Metric("seawall_policy_rejected_total", "counter", "Policies refused.")
POLICY_APPLY_SECONDS: Final = Metric(
    "seawall_policy_apply_duration_seconds", "gauge", "Time that the last change of policy took."
)
CONTROL_CONNECTED: Final = Metric(
    "seawall_control_connected", "gauge", "1 while the stream to the control plane is open."
)
EVENTS_PRODUCED: Final = Metric("seawall_events_produced_total", "counter", "Events recorded.")
EVENTS_DROPPED: Final = Metric(
    "seawall_events_dropped_total", "counter", "Events dropped, all of them counted."
)
EVENTS_WAITING: Final = Metric("seawall_events_waiting", "gauge", "Records that wait to become events.")
SPOOL_DEPTH: Final = Metric(
    "seawall_spool_depth", "gauge", "Events on disk that the control plane has not acknowledged."
)
SPOOL_BYTES: Final = Metric("seawall_spool_bytes", "gauge", "Bytes of the event spool.")
SPOOL_OLDEST_AGE: Final = Metric(
    "seawall_spool_oldest_age_seconds", "gauge", "For how long the oldest spooled event has waited."
)
SPOOL_ACKED: Final = Metric(
    "seawall_spool_acknowledged_total", "counter", "Numbers of this spool that the control plane has."
)
SPOOL_DROPPED: Final = Metric(
    "seawall_spool_dropped_total", "counter", "Numbers declared as gaps since the start, by reason."
)
SPOOL_DEGRADED: Final = Metric(
    "seawall_spool_degraded", "gauge", "1 after the disk has refused a write or a sync since the start."
)
FALLBACKS_BY_KIND: Final = Metric(
    "seawall_fallback_kind_total", "counter", "Fallbacks served, by route and kind."
)
DEGRADED: Final = Metric(
    "seawall_degraded", "gauge", "1 while the route lives on its fallbacks; only where there are any."
)
DEGRADED_CALLS: Final = Metric(
    "seawall_degraded_calls_total", "counter", "Calls that ended while the route was degraded."
)
LAST_GOOD_ENTRIES: Final = Metric("seawall_last_good_entries", "gauge", "Last good answers that are kept.")
LAST_GOOD_BYTES: Final = Metric("seawall_last_good_bytes", "gauge", "Memory of the last good answers.")
JOURNAL_STORED: Final = Metric(
    "seawall_journal_stored_total", "counter", "Answers that the journal of idempotency keys has kept."
)
JOURNAL_REPLAYED: Final = Metric(
    "seawall_journal_replayed_total", "counter", "Calls that got the answer of another with the same key."
)
JOURNAL_WAITED: Final = Metric(
    "seawall_journal_waited_total", "counter", "Calls that came while another with the same key was at work."
)
JOURNAL_REUSED: Final = Metric(
    "seawall_journal_reused_total", "counter", "Calls refused because their key belongs to another request."
)
JOURNAL_SKIPPED: Final = Metric(
    "seawall_journal_skipped_total", "counter", "Calls with a key that the journal does not know, by reason."
)
JOURNAL_ENTRIES: Final = Metric("seawall_journal_entries", "gauge", "Answers that the journal keeps.")
JOURNAL_BYTES: Final = Metric(
    "seawall_journal_bytes", "gauge", "Memory of the answers that the journal keeps."
)
ACCESS_LOG_WRITTEN: Final = Metric("seawall_access_log_written_total", "counter", "Lines of the access log.")
ACCESS_LOG_DROPPED: Final = Metric(
    "seawall_access_log_dropped_total", "counter", "Lines that could not be written, by reason."
)
ACCESS_LOG_WAITING: Final = Metric("seawall_access_log_waiting", "gauge", "Calls that wait to be written.")
BYTES_RECEIVED: Final = Metric("seawall_received_bytes_total", "counter", "Bytes from clients.")
BYTES_SENT: Final = Metric("seawall_sent_bytes_total", "counter", "Bytes to clients.")
RESETS_RECEIVED: Final = Metric("seawall_resets_received_total", "counter", "Streams that clients reset.")
RESETS_SENT: Final = Metric("seawall_resets_sent_total", "counter", "Client streams that were reset here.")
WORKERS: Final = Metric("seawall_workers", "gauge", "Worker processes that accept calls.")
WORKER_RESTARTS: Final = Metric(
    "seawall_worker_restarts_total", "counter", "Worker processes that died and were started again."
)
OVERLOAD_LEVEL: Final = Metric(
    "seawall_overload_level", "gauge", "0 normal, 1 shedding idle connections, 2 refusing calls, by resource."
)
OVERLOAD_SHED: Final = Metric(
    "seawall_overload_connections_closed_total", "counter", "Idle connections closed to make room."
)
MEMORY_USED: Final = Metric("seawall_memory_used_bytes", "gauge", "Memory that is compared with the limit.")
MEMORY_LIMIT: Final = Metric("seawall_memory_limit_bytes", "gauge", "Memory limit; 0 when there is none.")
DESCRIPTORS_USED: Final = Metric("seawall_descriptors", "gauge", "Open file descriptors.")
DESCRIPTORS_LIMIT: Final = Metric("seawall_descriptors_limit", "gauge", "RLIMIT_NOFILE.")
EVENT_LOOP_LAG: Final = Metric(
    "seawall_event_loop_lag_seconds", "gauge", "How late the event loop was at the last look."
)
BUILD_INFO: Final = Metric(
    "seawall_build_info", "gauge", "1, with version and form of the data path as labels."
)

ALL: Final[tuple[Metric, ...]] = tuple(
    value for value in list(globals().values()) if isinstance(value, Metric)
)
"""Every metric; the documentation lists these."""

# Spans. `rpc.response.status_code` is the published conventions' name, `rpc.status_code` the coming one's.
SCOPE: Final = "seawall.proxy"
SERVICE: Final = "seawall-proxy"
RPC_SYSTEM: Final = "rpc.system.name"
RPC_METHOD: Final = "rpc.method"
RPC_STATUS: Final = "rpc.status_code"
RPC_STATUS_BEFORE: Final = "rpc.response.status_code"
ERROR_TYPE: Final = "error.type"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
PREVIOUS_ATTEMPTS: Final = "previous-rpc-attempts"
TRANSPARENT_RETRY: Final = "transparent-retry"
ROUTE: Final = "seawall.route"
OUTCOME: Final = "seawall.outcome"
REASON: Final = "seawall.reason"
ATTEMPTS: Final = "seawall.attempts"
RESENDS: Final = "seawall.resends"
HEDGE: Final = "seawall.hedge"
NOT_RETRIED_BECAUSE: Final = "seawall.not_retried"
REVISION: Final = "seawall.policy.revision"
FALLBACK_USED: Final = "seawall.fallback.used"
COVERED_STATUS: Final = "seawall.covered.status_code"
COVERED_REASON: Final = "seawall.covered.reason"
