"""Fills the generated parts of the pages in docs/: tables and diagrams between `<!-- generated: NAME -->` and
`<!-- end -->`; --check only tells whether they are fresh (exit 1 when not).

What can be read off the code is read off the code (values, transitions, severities); what only a person can
say stands here beside it, and a row whose constant is gone stops the script.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from math import isinf
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"

for folder in ("clients/python", "control", "proxy"):
    sys.path.insert(0, str(ROOT / folder))

_REGION: Final = re.compile(r"<!-- generated: ([a-z-]+) -->\n(.*?)<!-- end -->", re.DOTALL)

Row = tuple[str, ...]


def table(head: Row, rows: Iterable[Row]) -> str:
    """Return a table in Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def length(seconds: float) -> str:
    """Return a length of time for people."""
    if isinf(seconds):
        return "none"
    if seconds >= 86400 and seconds % 86400 == 0:
        return f"{seconds / 86400:g} d"
    if seconds >= 60 and seconds % 60 == 0:
        return f"{seconds / 60:g} min"
    return f"{seconds:g} s" if seconds >= 1 or seconds == 0 else f"{seconds * 1000:g} ms"


def size(octets: int) -> str:
    """Return an amount of memory for people."""
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if octets >= unit and octets % unit == 0:
            return f"{octets // unit} {name}"
    return f"{octets} B"


def count(number: int) -> str:
    """Return a number with thousands set apart."""
    return f"{number:,}"


def codes(mask: int) -> str:
    """Return the names of a set of status codes."""
    from seawall_policy import status

    return ", ".join(name for code, name in enumerate(status.NAMES) if mask >> code & 1)


# ---------------------------------------------------------------------------------------------- the breaker


def breaker_diagram() -> str:
    """Return the state diagram of TRANSITIONS: what traffic and time do, and what a person does."""
    from seawall_policy.breaker.rules import SIGNAL_NAMES, STATE_NAMES, TRANSITIONS

    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> CLOSED"]
    by_hand: dict[int, int] = {}
    for (before, signal), after in TRANSITIONS.items():
        if _is_by_hand(signal):
            by_hand[signal] = after
        else:
            lines.append(f"    {STATE_NAMES[before]} --> {STATE_NAMES[after]}: {SIGNAL_NAMES[signal]}")
    lines.append('    state "any state" as ANY')
    lines += [
        f"    ANY --> {STATE_NAMES[after]}: {SIGNAL_NAMES[signal]}" for signal, after in by_hand.items()
    ]
    return "\n".join([*lines, "```"]) + "\n"


def _is_by_hand(signal: int) -> bool:
    from seawall_policy.breaker.rules import STATE_NAMES, TRANSITIONS

    return all((state, signal) in TRANSITIONS for state in range(len(STATE_NAMES)))


SIGNALS: Final = {
    "TRIP": "a threshold is reached: `consecutive`, `failure_rate` or `slow_call`, asked in this order",
    "COOLED_DOWN": "`open_for` has passed; by the clock, also without traffic",
    "PROBES_PASSED": "`success_threshold` probes have passed",
    "PROBES_FAILED": "so many probes have failed or were slow that the threshold can no longer be met",
    "PROBES_TIMED_OUT": "`half_open_timeout` has passed since the first probe, and the answers are not there",
    "RECOVERING": "`success_threshold` probes have passed and there is a `ramp`; in another worker, perhaps",
    "RAMPED_UP": "the last step of the ramp has not failed",
    "RAMP_FAILED": "a step of the ramp has failed and the share was no more than `ramp.from`",
    "HOLD_ENDED": "the time is up for which a person has held it",
    "HOLD_OPEN": "another worker of the proxy has opened, and will probe",
    "FORCE_OPEN": "`seawall breaker trip NAME --for 5m`: open for that long, then probe",
    "RESET": "`seawall breaker reset NAME`: closed, everything forgotten",
    "DISABLE": "`seawall breaker hold-closed NAME --for 5m`: let everything pass unwatched",
    "OBSERVE": "`seawall breaker observe NAME --for 5m`: let everything pass, and count",
}


def breaker_signals() -> str:
    """Return what sets each transition off."""
    from seawall_policy.breaker.rules import SIGNAL_NAMES, STATE_NAMES, TRANSITIONS

    rows: list[Row] = []
    for number, name in enumerate(SIGNAL_NAMES):
        pairs = [(before, after) for (before, signal), after in TRANSITIONS.items() if signal == number]
        if _is_by_hand(number):
            moves = f"any state → {STATE_NAMES[pairs[0][1]]}"
        else:
            moves = ", ".join(f"{STATE_NAMES[before]} → {STATE_NAMES[after]}" for before, after in pairs)
        rows.append((f"`{name}`", moves, SIGNALS[name]))
    return table(("signal", "transition", "set off by"), rows)


# ---------------------------------------------------------------------------------------------- defaults


def breaker_defaults() -> str:
    """Return the defaults of a breaker."""
    from seawall_policy.breaker import MODE_NAMES, SCOPE_NAMES, BreakerOptions

    o = BreakerOptions()
    return table(
        ("setting", "default", "range"),
        [
            ("`window`", f"kind `{o.kind}`, size {o.size}", "1 to 100,000 calls, or 1 s to 1 h"),
            ("`min_calls`", str(o.min_calls), "1 to 100,000"),
            ("`failure_rate`", f"{o.failure_rate:g} %", "above 0 to 100 %"),
            ("`consecutive`", f"{o.consecutive} (off)", "0 to 100,000"),
            ("`slow_call.duration`", length(o.slow_call_duration_s), "1 ms to 24 h"),
            ("`slow_call.rate`", f"{o.slow_call_rate:g} %", "above 0 to 100 %"),
            ("`open_for`", length(o.open_for_s), "10 ms to 24 h"),
            ("`open_multiplier`", f"{o.open_multiplier:g}", "1 to 10"),
            ("`open_for_max`", length(o.open_for_max_s), "10 ms to 24 h"),
            ("`half_open_calls`", str(o.half_open_calls), "1 to 10,000"),
            ("`half_open_timeout`", length(o.half_open_timeout_s), "0 (never) to 24 h"),
            ("`open_jitter`", f"{o.open_jitter:g}", "0 to 1"),
            ("`per`", f"`{SCOPE_NAMES[o.scope]}`", ", ".join(f"`{n}`" for n in SCOPE_NAMES[1:])),
            ("`ramp.duration`", "no ramp; 10 s with `ramp: {}`", "100 ms to 1 h"),
            ("`ramp.from`", f"{o.ramp_from:g} %", "1 to 100 %"),
            ("`success_threshold`", str(o.success_threshold), "1 to 10,000"),
            ("`failure_codes`", codes(o.failure_mask), "every status but OK"),
            ("`mode`", f"`{MODE_NAMES[o.mode]}`", ", ".join(f"`{n}`" for n in MODE_NAMES[1:])),
        ],
    )


def retry_defaults() -> str:
    """Return the defaults of retries."""
    from seawall_policy.budget import BudgetOptions, ThrottleOptions
    from seawall_policy.retry import BACKOFF_NAMES, JITTER_NAMES, MAX_ATTEMPTS, RetryOptions

    o, b, t = RetryOptions(), BudgetOptions(), ThrottleOptions()
    jitters = ", ".join(f"`{n}`" for n in JITTER_NAMES[1:])
    return table(
        ("setting", "default", "range"),
        [
            ("`max_attempts`", f"{o.max_attempts} (no retry)", f"1 to {MAX_ATTEMPTS}, the first included"),
            ("`codes`", codes(o.codes), "every status but OK"),
            ("`only_idempotent`", str(o.only_idempotent).lower(), "true, false"),
            ("`backoff.kind`", f"`{BACKOFF_NAMES[o.kind]}`", ", ".join(f"`{n}`" for n in BACKOFF_NAMES[1:])),
            ("`backoff.initial`", length(o.initial_s), "0 to 1 h"),
            ("`backoff.multiplier`", f"{o.multiplier:g}", "1 to 100"),
            ("`backoff.max`", length(o.max_s), "0 to 1 h"),
            ("`backoff.jitter`", f"{o.jitter:g}", "0 to 1"),
            ("`backoff.jitter_kind`", f"`{JITTER_NAMES[o.jitter_kind]}`", jitters),
            ("`budget.kind`", "`rate`", "`rate`, `concurrency`"),
            ("`budget.percent`", f"{b.percent:g} %", "0 to 100 %"),
            ("`budget.min_per_second`", f"{b.min_per_second:g}", "0 to 1,000,000"),
            ("`budget.interval`", length(b.interval_s), "1 s to 1 h"),
            ("`budget.min_concurrent`", f"{b.min_concurrent}", "0 to 1,000"),
            ("`throttle`", "none", ""),
            ("`throttle.max_tokens`", f"{t.max_tokens:g}", "above 0 to 1,000"),
            ("`throttle.token_ratio`", f"{t.token_ratio:g}", "0.001 to 1,000"),
            ("`retry_info`", str(o.retry_info).lower(), "true, false"),
            ("`preset`", "none", "see above"),
            ("`classes`", "none", "at most 20, each with a `name`"),
            ("`classes[].max_attempts`", "as in the retry", f"1 to {MAX_ATTEMPTS}"),
            ("`classes[].backoff`", "as in the retry", "as above"),
        ],
    )


def retry_presets() -> str:
    """Return what the presets of retries stand for."""
    from seawall.v1 import policy_pb2
    from seawall_policy.compile.friendly import enum_word
    from seawall_policy.compile.retries import PRESETS

    uses: dict[int, str] = {
        policy_pb2.RETRY_PRESET_QUICK: "one endpoint of several is away, and a person waits",
        policy_pb2.RETRY_PRESET_CLASSIC: "scripts whose waits can be read off the clock",
        policy_pb2.RETRY_PRESET_PATIENT: "jobs that outlast a restart; a thousand of them are kept apart",
        policy_pb2.RETRY_PRESET_NETWORK: "a network that is away for seconds",
        policy_pb2.RETRY_PRESET_DATABASE: "conflicts, which must not meet again",
        policy_pb2.RETRY_PRESET_RESOURCE: "what is used up and comes back with time",
    }

    def row(number: int) -> Row:
        preset = PRESETS[number]
        shape = preset.backoff
        kind = enum_word(policy_pb2.BackoffKind.DESCRIPTOR, shape.kind)
        jitter = enum_word(policy_pb2.JitterKind.DESCRIPTOR, shape.jitter_kind)
        waits = f"{length(shape.initial.ToTimedelta().total_seconds())} to "
        waits += length(shape.max.ToTimedelta().total_seconds())
        name = enum_word(policy_pb2.RetryPreset.DESCRIPTOR, number)
        codes_ = ", ".join(preset.codes)
        return f"`{name}`", f"{preset.max_attempts}", codes_, f"{kind}, {waits}", f"{jitter}", uses[number]

    return table(
        ("preset", "attempts", "codes", "waits", "jitter", "for"), [row(number) for number in PRESETS]
    )


def hedge_defaults() -> str:
    """Return the defaults of hedging."""
    from seawall_policy.hedge import HedgeOptions

    o = HedgeOptions()
    return table(
        ("setting", "default", "range"),
        [
            ("`delay`", "none: either this or `percentile`", "0 to 1 h"),
            ("`percentile`", "none", "50 to 99.9 %"),
            ("`min_delay`", length(o.min_delay_s), "1 ms to 1 h"),
            ("`max_attempts`", f"{o.max_attempts}", "2 to 5, the first included"),
            ("`budget`", f"{o.budget_percent:g} %", "0 to 100 %"),
            ("`non_fatal_codes`", codes(o.non_fatal), "every status but OK"),
            ("`only_idempotent`", str(o.only_idempotent).lower(), "true, false"),
            ("`mode`", "`enforce`", "`enforce`, `shadow`, `off`"),
        ],
    )


def limit_defaults() -> str:
    """Return the defaults of a limit."""
    from seawall_policy.call_key import MOST_PARTS
    from seawall_policy.limit.options import (
        CLASS_NAMES,
        KIND_NAMES,
        MOST_PLACES,
        MOST_TENANTS,
        MOST_WAITING,
        LimitOptions,
    )

    o = LimitOptions()
    kinds = ", ".join(f"`{name}`" for name in KIND_NAMES[1:])
    classes = ", ".join(f"`{name}`" for name in CLASS_NAMES)
    places = f"1 to {count(MOST_PLACES)}"
    parts = f"up to {MOST_PARTS} of `peer`, `method`, `metadata:NAME`"
    return table(
        ("setting", "default", "range"),
        [
            ("`adaptive`", f"`{KIND_NAMES[o.kind]}`", kinds),
            ("`max_in_flight`", str(o.max_in_flight), places),
            ("`min_in_flight`", str(o.min_in_flight), places),
            ("`initial`", str(o.initial), places),
            ("`queue`", f"{o.queue} (nobody waits)", f"0 to {count(MOST_WAITING)}"),
            ("`queue_timeout`", length(o.queue_timeout_s), "1 ms to 1 h"),
            ("`criticality_header`", "none", "a metadata key"),
            ("`criticality`", f"`{CLASS_NAMES[o.criticality]}`", classes),
            ("`shares`", "none", "one for each class, together at most 100 %"),
            ("`shares[].criticality`", "required", classes),
            ("`shares[].share`", "required", "0 to 100 %"),
            ("`fair_share.key`", "none: all calls are alike", parts),
            ("`fair_share.max_tenants`", count(o.max_tenants), f"1 to {count(MOST_TENANTS)}"),
            ("`brownout`", f"{o.brownout * 100:g} %, of optional routes", "0 to 100 %"),
            ("`mode`", "`enforce`", "`enforce`, `shadow`, `off`"),
        ],
    )


def rate_limit_defaults() -> str:
    """Return the defaults of a rate limit."""
    from seawall_policy.call_key import MOST_PARTS
    from seawall_policy.rate import MOST_KEYS, RateLimitOptions

    o = RateLimitOptions(1.0)
    return table(
        ("setting", "default", "range"),
        [
            ("`per_second`", "required", "above 0 to 1,000,000"),
            ("`burst`", "`per_second`, at least 1", "1 to 1,000,000"),
            ("`key`", "none: one bucket", f"up to {MOST_PARTS} of `peer`, `method`, `metadata:NAME`"),
            ("`max_keys`", count(o.max_keys), f"1 to {count(MOST_KEYS)}"),
            ("`mode`", "`enforce`", "`enforce`, `shadow`, `off`"),
        ],
    )


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


# ---------------------------------------------------------------------------------------------- events


def severities() -> str:
    """Return how loudly what is recorded: by outcome, for a final status."""
    from seawall_policy import status
    from seawall_policy.classify import severity_for

    by_code: dict[str, list[str]] = {}
    for code in range(1, status.MAX_CODE + 1):
        by_code.setdefault(severity_for(code, "failed"), []).append(status.NAMES[code])
    words = (
        *("retried", "fallback", "rejected", "breaker_opened", "breaker_half_open", "breaker_closed"),
        *("endpoint_ejected", "endpoint_returned", "route_degraded", "route_recovered"),
    )
    rows: list[Row] = [(f"`{word}`", severity_for(status.UNAVAILABLE, word)) for word in words]
    rows += [(f"`failed` with {', '.join(names)}", severity) for severity, names in sorted(by_code.items())]
    return table(("outcome, or change of a breaker or route", "severity"), rows)


def categories() -> str:
    """Return category, strategy and whether a failed call makes an event, by status code."""
    from seawall_policy import status
    from seawall_policy.classify import (
        CATEGORY_NAMES,
        DEFAULT_CATEGORIES,
        DEFAULT_STRATEGIES,
        STRATEGY_NAMES,
        severity_for,
    )
    from seawall_proxy.call.call_end import RECORDED_CODES

    rows: list[Row] = []
    for code in range(1, status.MAX_CODE + 1):
        category = DEFAULT_CATEGORIES[code]
        rows.append(
            (
                f"{code} {status.NAMES[code]}",
                CATEGORY_NAMES[category],
                STRATEGY_NAMES[DEFAULT_STRATEGIES[category]],
                severity_for(code, "failed"),
                "yes" if RECORDED_CODES >> code & 1 else "no",
            )
        )
    return table(
        ("status", "category", "strategy", "severity when failed", "a failed call is recorded"), rows
    )


# ---------------------------------------------------------------------------------------------- limits


def limits_client() -> str:
    """Return what a client and its connections may cost."""
    from seawall_policy.listener_limits import ADDRESS_SHARE, DEFAULTS, MEMORY_END_FACTOR, Allowance
    from seawall_policy.transport import IDLE_LIMIT_S
    from seawall_proxy.http2.guard import PREMATURE_SAMPLE
    from seawall_proxy.http2.hpack.decoder import MAX_EXCESS_FIELDS

    n = DEFAULTS
    calm = "the connection ends with ENHANCE_YOUR_CALM"
    ends = "the connection ends"
    reset = "the stream is reset with ENHANCE_YOUR_CALM"

    def rate(allowance: Allowance) -> str:
        return f"{count(allowance.burst)} at once, {allowance.per_second:g}/s"

    rows: list[tuple[str, str, str, str]] = [
        ("max_connections", count(n.max_connections), "Envoy", "closed at once"),
        (
            "max_connections_per_address",
            f"{count(n.max_connections_per_address)} ({ADDRESS_SHARE:.0%} of max_connections)",
            "ours",
            "closed at once; with IPv6 a /64 network counts as one address",
        ),
        ("max_streams", count(n.max_streams), "Envoy", "refused with REFUSED_STREAM"),
        ("refused_streams", rate(n.refused_streams), "Node", calm),
        (
            "memory",
            size(n.memory_bytes),
            "ours (Node allows 10 MB; a hundred large calls at once hold more)",
            f"new calls are refused with REFUSED_STREAM; beyond {MEMORY_END_FACTOR} times as much {calm}",
        ),
        (
            "max_request_message",
            "not looked at",
            "gRPC servers limit what they accept, by default to 4 MiB",
            "RESOURCE_EXHAUSTED, `MESSAGE_TOO_LARGE`; in `seawall_calls_total`",
        ),
        (
            "header_list",
            size(n.header_list_bytes),
            "gRPC suggests 8 KiB",
            f"{reset}; {count(MAX_EXCESS_FIELDS)} fields further {calm}",
        ),
        ("header_count", count(n.header_count), "Envoy", "as header_list"),
        ("header_block", size(n.header_block_bytes), "nghttp2", calm),
        ("continuation_frames", count(n.continuation_frames), "nghttp2", calm),
        ("header_block_timeout", length(n.header_block_timeout_s), "ours", calm),
        ("preface_timeout", length(n.preface_timeout_s), "Go", ends),
        ("settings_timeout", length(n.settings_timeout_s), "Go", ends),
        ("settings_ack_timeout", length(n.settings_ack_timeout_s), "ours", f"{ends} with SETTINGS_TIMEOUT"),
        ("frame_timeout", length(n.frame_timeout_s), "Go (headers)", f"{calm}; DATA may take its time"),
        ("flush_timeout", length(n.flush_timeout_s), "ours", calm),
        ("response_timeout", length(n.response_timeout_s), "Envoy", "the stream is reset with CANCEL"),
        ("stream_window", size(n.stream_window_bytes), "Envoy", "the client waits for credit"),
        ("connection_window", size(n.connection_window_bytes), "Envoy", "the client waits for credit"),
        ("max_frame", size(n.max_frame_bytes), "RFC 9113", f"{ends} with FRAME_SIZE_ERROR"),
        ("write_buffer", size(n.write_buffer_bytes), "ours", "responses wait, and so do their endpoints"),
        (
            "resets",
            rate(n.resets),
            "nghttp2",
            f"{calm}; also when of {count(PREMATURE_SAMPLE)} streams and more over half were reset so",
        ),
        (
            "premature_age",
            length(n.premature_age_s),
            "Envoy",
            "resets of younger calls count, unless an upstream had worked for 50 ms or the deadline had come",
        ),
        ("stream_errors", rate(n.stream_errors), "ours", calm),
        ("glitches", rate(n.glitches), "nghttp2, less", calm),
        ("control_frames", rate(n.control_frames), "ours", calm),
        (
            "pings",
            (
                f"one each {length(n.pings.min_interval_s)}, "
                f"with calls {length(n.pings.min_interval_with_calls_s)}; {n.pings.strikes} strikes"
            ),
            "gRFC A8, more tolerant",
            f"{calm} and `too_many_pings`",
        ),
        ("queued_replies", count(n.queued_replies), "Envoy", calm),
        ("queued_frames", count(n.queued_frames), "Envoy", calm),
        ("empty_frames", count(n.empty_frames), "Envoy", "further ones are glitches"),
        ("priority_frames", f"{n.priority_frames} x (1 + streams)", "Envoy", "further ones are glitches"),
        (
            "window_updates",
            f"5 + 2 x (streams + {n.window_updates} x DATA frames sent)",
            "Envoy",
            "further ones are glitches",
        ),
        ("settings_entries", count(n.settings_entries), "Node", calm),
    ]
    head = ("`listeners[].limits`", "default", "source", "what happens beyond it")
    own = table(head, [(f"`{name}`", *rest) for name, *rest in rows])
    idle = f"`listeners[].connection.idle_timeout`, {length(IDLE_LIMIT_S)}"
    return own + (
        f"\nHow long a client may stay without a call ({idle}; at an edge 15 min is usual), the age of "
        "connections and the calls of one connection are settings of `listeners[].connection`, the TLS "
        "handshake's time is one of `listeners[].tls`. Unanswered pings of ours: one at most.\n"
    )


_NO_COPY: Final = "there is no copy; `seawall_mirror_dropped_total`. The call goes on"


def limits_call() -> str:
    """Return what one call may cost."""
    from seawall_proxy.call import context as c
    from seawall_proxy.call import local as own
    from seawall_proxy.call import mirror as m
    from seawall_proxy.http2 import limits as h
    from seawall_proxy.upstream import endpoint as e

    return table(
        ("limit", "value", "what happens beyond it"),
        [
            (
                "request bytes kept for another attempt, one call",
                size(c.REPLAY_CALL_BYTES),
                "the call goes on, and cannot be repeated nor sent to a fallback cluster",
            ),
            (
                "the same, all calls together",
                size(c.REPLAY_WORKER_BYTES),
                "as above",
            ),
            (
                "the same with requests of calls that wait for a connection",
                size(c.KEPT_WORKER_BYTES),
                "`MEMORY_LIMITED`",
            ),
            ("response bytes held back", size(c.HOLD_BYTES), "the response is committed and passed on"),
            (
                "time that response headers alone are held",
                length(c.HOLD_AFTER_HEADERS_S),
                "committed; not for methods known to be unary",
            ),
            ("time that first response bytes are held", length(c.HOLD_AFTER_DATA_S), "as above"),
            (
                "request bytes under way on one stream",
                size(h.SERVER_STREAM_WINDOW_BYTES),
                "the client waits for credit",
            ),
            (
                "response bytes under way on one stream",
                size(h.CLIENT_STREAM_WINDOW_BYTES),
                "the endpoint waits for credit; other streams do not",
            ),
            (
                "attempts that wait for a connection to one endpoint",
                count(e.MAX_WAITING),
                "`UPSTREAM_CONNECT_FAILED`",
            ),
            (
                "attempts in flight to a cluster",
                "`max_in_flight`, 1,024",
                "`CONCURRENCY_LIMITED`; `seawall_rejected_total`",
            ),
            ("copies for mirrors in flight", count(m.MAX_IN_FLIGHT), _NO_COPY),
            ("request bytes that wait for one mirror", size(m.MAX_CALL_BYTES), _NO_COPY),
            ("the same, all copies together", size(m.MAX_WORKER_BYTES), _NO_COPY),
            ("life of a copy", length(m.LIMIT_S), "the copy is cancelled"),
            (
                "calls that the proxy answers itself, at one time",
                count(own.MAX_CALLS),
                "RESOURCE_EXHAUSTED; see [health and reflection](../how-to/health-and-reflection.md)",
            ),
            ("request message of such a call", size(own.MAX_MESSAGE_BYTES), "RESOURCE_EXHAUSTED"),
        ],
    )


def limits_events() -> str:
    """Return how much is recorded and kept."""
    from seawall_proxy.runtime import link_events, link_refused
    from seawall_proxy.telemetry import recorder
    from seawall_proxy.telemetry.spool import SpoolLimits

    s = SpoolLimits()
    dropped = "`seawall_events_dropped_total`"
    return table(
        ("limit", "value", "what happens beyond it, and which metric moves"),
        [
            (
                "records that wait to become events",
                count(recorder.CAPACITY),
                f"the newest is dropped; {dropped}",
            ),
            (
                "events built a second",
                count(link_events.MAX_EVENTS_PER_S),
                "the records wait; `seawall_events_waiting`",
            ),
            ("events shown at `/events`", count(link_events.RECENT), "the oldest goes"),
            (
                "spool on disk",
                size(s.max_bytes),
                (
                    f"the oldest segment ({size(s.segment_bytes)}) is dropped; {dropped}, "
                    '`seawall_spool_dropped_total{reason="spool_full"}`'
                ),
            ),
            (
                "age of a spooled event",
                length(s.max_age_s),
                f'dropped; {dropped}, `seawall_spool_dropped_total{{reason="expired"}}`',
            ),
            (
                "file of events that the control plane refuses",
                size(link_refused.LIMIT_BYTES),
                "becomes `.1`; at most twice the limit is kept",
            ),
        ],
    )


def limits_control() -> str:
    """Return what the control plane takes."""
    from seawall_control.api import fleet as fleet_api
    from seawall_control.api import gate, grpc_server
    from seawall_control.api.http import connection, live, reading
    from seawall_control.api.http.rpc import methods
    from seawall_control.domain import (
        admission,
        enrolment,
        filters,
        fleet,
        flood,
        grouping,
        groups,
        rollups,
        subscription,
        tokens,
    )
    from seawall_control.domain import operations as fleet_operations
    from seawall_control.domain.rollout import strategy as rollout_strategy
    from seawall_control.services import audit, commands, events, feed, policies, rollout_book, session, tail
    from seawall_control.services import fleet as fleet_service
    from seawall_control.services import operations as operations_service
    from seawall_control.store import group_commit
    from seawall_control.store.sqlite import readers

    return table(
        ("limit", "value", "what happens beyond it"),
        [
            ("policy document", size(policies.MAX_DOCUMENT_BYTES), "`INVALID_REQUEST`"),
            ("gRPC message", size(grpc_server.MAX_RECEIVE_BYTES), "RESOURCE_EXHAUSTED"),
            ("connected proxies", count(fleet_service.MAX_SESSIONS), "`TOO_MANY_STREAMS`"),
            ("time for a proxy's Hello", length(fleet_api.HELLO_LIMIT_S), "`HELLO_MISSING`"),
            (
                "time to answer a push",
                length(subscription.ANSWER_LIMIT_S),
                "the proxy stays `pending`; `seawall_control_policy_unanswered_total`",
            ),
            ("time to answer a command", length(commands.COMMAND_TIMEOUT_S), "reported as no answer"),
            ("commands that wait for one proxy", count(session.MAX_COMMANDS), "reported as refused"),
            ("labels of a proxy", count(fleet.MAX_LABELS), "the rest is left out"),
            ("events in one report", count(events.MAX_REPORT), "`INVALID_REQUEST`"),
            ("events resolved by id at once", count(events.MAX_RESOLVE), "`INVALID_REQUEST`"),
            ("message of an event", size(admission.MAX_MESSAGE_BYTES), "cut, visibly"),
            ("stack trace", size(admission.MAX_STACK_BYTES), "cut, visibly"),
            ("details", f"{admission.MAX_DETAILS_NODES} values, {admission.MAX_DEPTH} deep", "cut, visibly"),
            ("attempts of an event", count(admission.MAX_ATTEMPTS), "the first ones are kept"),
            ("filter", f"{filters.MAX_LENGTH} characters, {filters.MAX_TERMS} terms", "`INVALID_FILTER`"),
            ("time for a query", length(readers.LIMIT_S), "`QUERY_TOO_SLOW`"),
            ("changes that wait for the writer", count(group_commit.MAX_QUEUED), "the next ones wait"),
            ("stages of a rollout", count(rollout_strategy.MAX_STAGES), "`INVALID_REQUEST`"),
            ("finished rollouts that a policy set keeps", count(rollout_book.KEEP), "the oldest goes"),
            ("operations in effect", count(fleet_operations.MAX_ACTIVE), "`PRECONDITION_FAILED`"),
            ("operations that are kept after their end", count(operations_service.KEEP), "the oldest goes"),
            ("live followers (`events tail`)", count(tail.FOLLOWERS), "`TOO_MANY_STREAMS`"),
            (
                "events that wait for one follower",
                count(tail.QUEUE),
                "the oldest is left out and said so; `seawall_control_tail_skipped_total`",
            ),
            ("readers of `/api/v1/errors/stream`", count(feed.READERS), "`TOO_MANY_STREAMS`"),
            ("events kept in memory for them", count(feed.RING), "a slower reader reads the store"),
            ("time that a WebSocket may take nothing", length(live.STALL_S), "closed"),
            (
                "events of a group stored at once, and then each second",
                f"{flood.FloodLimits().burst}, {flood.FloodLimits().rate:g}",
                "the newest and a sample are stored, all are counted; `seawall_control_events_counted_total`",
            ),
            ("groups", count(groups.MAX_GROUPS), "further fingerprints share the group `overflow`"),
            ("activity of a group", count(groups.MAX_ACTIVITY), "the oldest goes"),
            ("fingerprints merged into a group", count(groups.MAX_MEMBERS), "`INVALID_REQUEST`"),
            ("different keys counted in one bucket", count(rollups.MAX_KEYS), "the rest is under `_other`"),
            ("grouping rules", count(grouping.MAX_RULES), "`INVALID_REQUEST`"),
            ("HTTP body", size(reading.MAX_BODY_BYTES), "413"),
            ("HTTP body of an RPC", size(methods.MAX_BODY_BYTES), "413"),
            ("time for the head of an HTTP request", length(connection.HEAD_LIMIT_S), "closed"),
            ("time for the body of an HTTP request", length(connection.BODY_LIMIT_S), "closed"),
            ("time that a reader may take nothing", length(connection.STALL_LIMIT_S), "closed"),
            ("API tokens", count(tokens.MAX_TOKENS), "`PRECONDITION_FAILED`"),
            ("enrolment tokens that wait", count(enrolment.MAX_WAITING), "`PRECONDITION_FAILED`"),
            (
                "calls of one caller",
                f"{gate.CALLS_PER_S:g} a second, {count(gate.CALLS_BURST)} at once",
                "`RATE_LIMITED`",
            ),
            (
                "refused calls of one address",
                f"{gate.FAILURES_PER_S:g} a second, {gate.FAILURES_BURST} at once",
                "`RATE_LIMITED`, for those that are refused",
            ),
            (
                "audit entries about refused calls",
                f"{audit.REFUSALS_PER_S:g} a second, {audit.REFUSALS_BURST} at once",
                "counted in the next entry",
            ),
        ],
    )


def limits_policy() -> str:
    """Return how large a policy may be."""
    from seawall_policy import descriptors
    from seawall_policy.compile import clusters, document, fallbacks, inherit, listeners, routes
    from seawall_proxy.config import nodes

    rows = [
        ("policy file", size(nodes.MAX_BYTES), "SW0001"),
        ("values in a file, aliases followed", count(nodes.MAX_NODES), "SW0003"),
        ("nesting", count(nodes.MAX_DEPTH), "SW0003"),
        ("listeners", count(listeners.MAX_LISTENERS), "SW0113"),
        ("clusters", count(clusters.MAX_CLUSTERS), "SW0113"),
        ("endpoints of a cluster", count(clusters.MAX_ENDPOINTS), "SW0113"),
        ("policies", count(document.MAX_POLICIES), "SW0113"),
        ("policies that extend each other in a row", count(inherit.MAX_DEPTH), "SW0113"),
        ("routes", count(routes.MAX_ROUTES), "SW0113"),
        ("fallbacks of a policy", count(fallbacks.MAX_STEPS), "SW0113"),
        ("one static answer", size(fallbacks.MAX_PAYLOAD_BYTES), "SW0302"),
        ("files in descriptor sets", count(descriptors.MAX_FILES), "SW0301"),
        ("methods in descriptor sets", count(descriptors.MAX_METHODS), "SW0301"),
    ]
    return table(("limit", "value", "[code](lint-codes.md)"), rows)


def limits_process() -> str:
    """Return how long the parts of a process wait."""
    from seawall_proxy.runtime import admin_http, control_link, link_state
    from seawall_proxy.runtime.settings import ProxySettings

    p = ProxySettings(config_path=Path("policy.yaml"))
    return table(
        ("limit", "value", "what happens beyond it"),
        [
            (
                "drain: time between the two GOAWAYs",
                length(p.drain_grace_s),
                "clients are told which call was the last; `--drain-grace`",
            ),
            (
                "drain: time for calls in flight",
                length(p.drain_limit_s),
                "cut off; `--drain-limit`",
            ),
            ("drain: time to ship events", length(control_link.FLUSH_LIMIT_S), "they stay in the spool"),
            ("admin HTTP: connections", count(admin_http.MAX_CONNECTIONS), "closed at once"),
            ("admin HTTP: request head", size(admin_http.MAX_HEADER_BYTES), "400 or 431"),
            ("admin HTTP: time to ask", length(admin_http.REQUEST_LIMIT_S), "closed"),
            ("admin HTTP: idle connection", length(admin_http.IDLE_LIMIT_S), "closed"),
            (
                "control link: longest wait between attempts",
                length(link_state.BACKOFF_MAX_S),
                f"{length(link_state.BACKOFF_MAX_WAITING_S)} while events wait",
            ),
            ("control link: time for the Welcome", length(control_link.WELCOME_LIMIT_S), "tried again"),
            (
                "control link: events in one batch",
                f"{count(link_state.MAX_BATCH_EVENTS)}, {size(link_state.MAX_BATCH_BYTES)}",
                "more batches",
            ),
            (
                "control link: time for an acknowledgement",
                length(link_state.ACK_TIMEOUT_S),
                f"sent again, with waits up to {length(link_state.ACK_TIMEOUT_MAX_S)}",
            ),
        ],
    )


def access_log() -> str:
    """Return the keys of a line of the access log."""
    from seawall_policy.compile.access_log import FIELDS

    return table(("key", "meaning"), [(f"`{name}`", meaning) for name, meaning in FIELDS.items()])


REGIONS: Final[dict[str, Callable[[], str]]] = {
    "access-log": access_log,
    "breaker-diagram": breaker_diagram,
    "breaker-signals": breaker_signals,
    "breaker-defaults": breaker_defaults,
    "retry-defaults": retry_defaults,
    "retry-presets": retry_presets,
    "hedge-defaults": hedge_defaults,
    "limit-defaults": limit_defaults,
    "rate-limit-defaults": rate_limit_defaults,
    "cluster-defaults": cluster_defaults,
    "health-check-defaults": health_check_defaults,
    "outlier-defaults": outlier_defaults,
    "slow-start-defaults": slow_start_defaults,
    "dns-defaults": dns_defaults,
    "connection-backoff": connection_backoff,
    "severities": severities,
    "categories": categories,
    "limits-client": limits_client,
    "limits-call": limits_call,
    "limits-events": limits_events,
    "limits-control": limits_control,
    "limits-policy": limits_policy,
    "limits-process": limits_process,
}


def filled(text: str) -> str:
    """Return a page with its generated parts made anew."""

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        return f"<!-- generated: {name} -->\n{REGIONS[name]()}<!-- end -->"

    return _REGION.sub(fill, text)


def main() -> int:
    """Fill the pages, or check them."""
    check = "--check" in sys.argv[1:]
    stale = 0
    for page in sorted(DOCS.rglob("*.md")):
        text = page.read_text("utf-8")
        fresh = filled(text)
        if fresh == text:
            continue
        if check:
            print(
                f"{page.relative_to(ROOT)} is not fresh; run: python scripts/gen_docs_tables.py",
                file=sys.stderr,
            )
            stale = 1
        else:
            page.write_text(fresh, "utf-8")
            print(f"filled {page.relative_to(ROOT)}")
    return stale


if __name__ == "__main__":
    sys.exit(main())
