"""Fixed limits of a proxy: towards clients, in calls, in what it records, of its policy and process."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from scripts.docs_tables.text import count, length, size, table


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
    from seawall_proxy.runtime import event_pump
    from seawall_proxy.runtime.control import refused
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
                count(event_pump.MAX_EVENTS_PER_S),
                "the records wait; `seawall_events_waiting`",
            ),
            ("events shown at `/events`", count(event_pump.RECENT), "the oldest goes"),
            (
                "spool on disk",
                size(s.max_bytes),
                (
                    f"the oldest segment ({size(s.segment_bytes)}) is dropped; {dropped}, "
                    '`seawall_spool_dropped_total{reason="spool_full"}`'
                ),
            ),
            (
                "acknowledged events kept for a store that is put back",
                f"{size(s.keep_bytes)}, {length(s.keep_s)}",
                "the oldest segment is removed, sooner where events that wait need the room",
            ),
            (
                "age of a spooled event",
                length(s.max_age_s),
                f'dropped; {dropped}, `seawall_spool_dropped_total{{reason="expired"}}`',
            ),
            (
                "file of events that the control plane refuses",
                size(refused.LIMIT_BYTES),
                "becomes `.1`; at most twice the limit is kept",
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
    from seawall_proxy.runtime import admin_http
    from seawall_proxy.runtime.control import backoff, link, shipping
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
            ("drain: time to ship events", length(link.FLUSH_LIMIT_S), "they stay in the spool"),
            ("admin HTTP: connections", count(admin_http.MAX_CONNECTIONS), "closed at once"),
            ("admin HTTP: request head", size(admin_http.MAX_HEADER_BYTES), "400 or 431"),
            ("admin HTTP: time to ask", length(admin_http.REQUEST_LIMIT_S), "closed"),
            ("admin HTTP: idle connection", length(admin_http.IDLE_LIMIT_S), "closed"),
            (
                "control link: longest wait between attempts",
                length(backoff.BACKOFF_MAX_S),
                f"{length(backoff.BACKOFF_MAX_WAITING_S)} while events wait",
            ),
            ("control link: time for the Welcome", length(link.WELCOME_LIMIT_S), "tried again"),
            (
                "control link: events in one batch",
                f"{count(shipping.MAX_BATCH_EVENTS)}, {size(shipping.MAX_BATCH_BYTES)}",
                "more batches",
            ),
            (
                "control link: time for an acknowledgement",
                length(shipping.ACK_TIMEOUT_S),
                f"sent again, with waits up to {length(shipping.ACK_TIMEOUT_MAX_S)}",
            ),
        ],
    )
