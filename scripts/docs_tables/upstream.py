"""Clusters and what watches their endpoints: defaults."""

from __future__ import annotations

from scripts.docs_tables.text import count, length, table


def cluster_defaults() -> str:
    """Return the defaults of a cluster, as the compiler fills them in."""
    from seawall.v1 import policy_pb2
    from seawall_policy.compile import compile_document
    from seawall_policy.compile.friendly import enum_word

    document = policy_pb2.PolicyDocument(version="v1")
    document.clusters.add(name="c").endpoints.add(address="127.0.0.1:1")
    snapshot = compile_document(document).snapshot
    assert snapshot is not None
    spec = snapshot.clusters["c"]
    names = [str(enum_word(policy_pb2.Balance.DESCRIPTOR, n)) for n in policy_pb2.Balance.values() if n]
    balance = enum_word(policy_pb2.Balance.DESCRIPTOR, spec.balance)
    panic = f"{spec.panic_threshold * 100:g} %"
    return table(
        ("setting", "default", "range"),
        [
            ("`endpoints`", "required, or `target`", "1 to 1,000 of `host:port`"),
            ("`endpoints[].weight`", "1", "1 to 1,000,000"),
            ("`endpoints[].zone`", "none", "a word"),
            ("`endpoints[].priority`", "0", "0 to 127"),
            ("`target`", "none", "`dns:///host:port`"),
            ("`balance`", f"`{balance}`", ", ".join(f"`{name}`" for name in names)),
            ("`hash`", "none", "a metadata key; needed by `ring_hash`"),
            ("`panic_threshold`", panic, "0 to 100 %"),
            ("`slow_start`", "none", "100 ms to 1 h"),
            ("`health_check`", "none", "[health checks](health-checks.md)"),
            ("`dns`", "see there", "[find endpoints by name](../how-to/find-endpoints-by-name.md)"),
            ("`outlier`", "on", "[outliers](outliers.md)"),
            ("`max_in_flight_per_endpoint`", "none", "1 to 1,000,000"),
            ("`max_in_flight`", count(spec.max_in_flight), "1 to 1,000,000"),
            ("`connect_timeout`", length(spec.connect_timeout_s), "10 ms to 5 min"),
            ("`authority`", "what the client sent", "a host name, with a port if needed"),
            ("`tls`", "none: plaintext", "[use TLS](../how-to/use-tls.md)"),
            ("`connection`", "below", "[policy file](../reference/policy-file.md)"),
        ],
    )


def health_check_defaults() -> str:
    """Return the defaults of health checks."""
    from seawall_policy.health import HealthOptions

    o = HealthOptions()
    return table(
        ("setting", "default", "range"),
        [
            ("`kind`", "`grpc`", "`grpc`, `tcp`"),
            ("`interval`", length(o.interval_s), "10 ms to 1 h"),
            ("`timeout`", length(o.timeout_s), "1 ms to 5 min"),
            ("`unhealthy_after`", f"{o.unhealthy_after}", "1 to 100"),
            ("`healthy_after`", f"{o.healthy_after}", "1 to 100"),
            ("`service`", "the whole server", "a service's name"),
            ("`jitter`", f"{o.jitter:g}", "0 to 1"),
            ("`no_traffic_interval`", "the interval", "10 ms to 24 h"),
            ("`watch`", str(o.watch).lower(), "`true`, `false`"),
        ],
    )


def outlier_defaults() -> str:
    """Return the defaults of outlier detection."""
    from seawall_policy import status
    from seawall_policy.compile import outliers
    from seawall_policy.outlier import options as o

    def percent(share: float) -> str:
        return f"{share * 100:g} %"

    codes = [f"`{name}`" for code, name in enumerate(status.NAMES) if o.FAILURE_MASK >> code & 1]
    every = "1 to 100,000"
    return table(
        ("setting", "default", "range"),
        [
            ("`mode`", "`enforce`", "`enforce`, `shadow`, `off`"),
            ("`interval`", length(o.INTERVAL_S), "100 ms to 1 h"),
            ("`consecutive`", f"{o.CONSECUTIVE}", "0 (never) to 1,000"),
            ("`consecutive_local`", f"{o.CONSECUTIVE}", "0 (never) to 1,000"),
            ("`ejection`", length(o.EJECTION_S), "100 ms to 24 h"),
            ("`max_ejection`", length(o.MAX_EJECTION_S), "100 ms to 24 h"),
            ("`jitter`", f"{o.JITTER:g}", "0 to 1"),
            ("`max_ejected`", percent(o.MAX_EJECTED), "0 to 100 %"),
            ("`failure_codes`", ", ".join(codes), "status codes"),
            ("`health_check_returns`", "false", "`true`, `false`"),
            ("`failure_share.share`", percent(o.SHARE), "5 to 90 %"),
            ("`failure_share.min_calls`", f"{o.MIN_CALLS}, of all others together", every),
            ("`failure_share.enforcement`", "100 %", "0 to 100 %"),
            ("`latency.mode`", "`enforce`", "`enforce`, `shadow`, `off`"),
            ("`latency.mad_factor`", f"{o.MAD_FACTOR:g}", "above 0 to 1,000"),
            ("`latency.min_ratio`", f"{o.MIN_RATIO:g}", "1 to 1,000"),
            ("`latency.min_excess`", length(o.MIN_EXCESS_S), "0 to 1 h"),
            ("`latency.share`", percent(o.SHARE), "5 to 90 %"),
            ("`latency.silence`", length(o.SILENCE_S), "10 ms to 1 h"),
            ("`latency.min_calls`", f"{o.MIN_CALLS}, of all others together", every),
            ("`success_rate`", "not used", ""),
            ("`success_rate.stdev_factor`", f"{o.STDEV_FACTOR:g}", "above 0 to 100"),
            ("`success_rate.min_endpoints`", f"{outliers.A50_ENDPOINTS}", "2 to 1,000"),
            ("`success_rate.min_calls`", f"{o.RATE_MIN_CALLS}, of each", every),
            ("`success_rate.enforcement`", "100 %", "0 to 100 %"),
            ("`failure_percentage`", "not used", ""),
            ("`failure_percentage.threshold`", f"above {percent(o.FAILURE_THRESHOLD)}", "above 0 to 100 %"),
            ("`failure_percentage.min_endpoints`", f"{outliers.FAILURE_ENDPOINTS}", "1 to 1,000"),
            ("`failure_percentage.min_calls`", f"{o.RATE_MIN_CALLS}, of each", every),
            ("`failure_percentage.enforcement`", "100 %", "0 to 100 %"),
        ],
    )


def slow_start_defaults() -> str:
    """Return the defaults of slow start."""
    from seawall_policy.balance.slow_start import SlowStart

    o = SlowStart()
    return table(
        ("setting", "default", "range"),
        [
            ("`window`", length(o.window_s), "100 ms to 1 h"),
            ("`aggression`", f"{o.aggression:g}", "above 0 to 10"),
            ("`min_weight`", f"{o.min_weight * 100:g} %", "1 to 100 %"),
        ],
    )


def dns_defaults() -> str:
    """Return the defaults of looking names up."""
    from seawall_policy.members import DNS_INTERVAL_S, DNS_MIN_INTERVAL_S, DNS_TIMEOUT_S, MAX_MEMBERS

    return table(
        ("setting", "default", "range"),
        [
            ("`interval`", f"{length(DNS_INTERVAL_S)}, less a random tenth", "1 s to 24 h"),
            ("`min_interval`", length(DNS_MIN_INTERVAL_S), "100 ms to 24 h"),
            ("`timeout`", length(DNS_TIMEOUT_S), "10 ms to 5 min"),
            ("addresses of one answer", count(MAX_MEMBERS), "fixed"),
        ],
    )


def connection_backoff() -> str:
    """Return how an endpoint is dialled again."""
    from seawall_policy import transport
    from seawall_proxy.upstream import endpoint as e

    return table(
        ("", "value"),
        [
            ("first wait after a failed dial", length(e.INITIAL_BACKOFF_S)),
            ("growth", f"×{e.BACKOFF_FACTOR:g} for each failure in a row"),
            ("longest wait", length(e.MAX_BACKOFF_S)),
            ("spread", f"±{e.BACKOFF_JITTER * 100:g} %"),
            (
                "a lost connection that had lived longer than",
                f"{length(e.STEADY_S)} is dialled again at once",
            ),
            (
                "longest wait for an endpoint that was good",
                f"{length(e.LATE_S)}, or {e.LATE_SHARE * 100:g} % of the time it is away",
            ),
            ("ping on a connection with open streams", f"every {length(transport.KEEPALIVE_S)}"),
            ("no answer to a ping", f"ends the connection after {length(transport.KEEPALIVE_TIMEOUT_S)}"),
            (
                "connections to one endpoint",
                f"at most {transport.MAX_CONNECTIONS}, the second when the first is full",
            ),
        ],
    )
