"""`listeners[].limits`: every setting has its default, its range and its place."""

from __future__ import annotations

from dataclasses import fields

import pytest

from seawall.v1 import policy_pb2
from seawall_policy.compile import codes
from seawall_policy.compile.listener_limits import read_listener_limits
from seawall_policy.compile.report import Report
from seawall_policy.compile.scope import Scope
from seawall_policy.listener_limits import DEFAULTS, Allowance, ListenerLimits, PingPolicy
from seawall_proxy.config import lint_text
from seawall_proxy.http2.limits import Limits
from seawall_proxy.runtime.admission import connection_limits

FILE = """\
version: v1
listeners: [{{name: main, address: "127.0.0.1:8080", limits: {{{settings}}}}}]
clusters: [{{name: c, endpoints: ["127.0.0.1:1"]}}]
routes: [{{name: r, cluster: c}}]
"""


def read(settings: str) -> tuple[ListenerLimits, list[tuple[str, str]]]:
    """Return the limits of a file, and what it was told off for."""
    report = lint_text(FILE.format(settings=settings), path="p.yaml")
    found = [(one.violation.field, one.violation.code) for one in (*report.errors, *report.warnings)]
    scope = Scope(Report(), "")
    return read_listener_limits(scope, report.document.listeners[0].limits), found


def test_defaults() -> None:
    """Nothing given means the defaults, and an address may have four fifths of the connections."""
    limits, found = read("")
    assert (limits, found) == (DEFAULTS, [])
    assert read("max_connections: 100")[0].max_connections_per_address == 80
    assert read("max_connections: 1")[0].max_connections_per_address == 1


def test_the_connection_starts_from_the_same_defaults() -> None:
    """What the HTTP/2 layer assumes by itself is what a listener without settings gets."""
    mine, own = connection_limits(DEFAULTS), Limits()
    # Not vars(): a compiled class has none.
    names = [name for name in dir(own) if not name.startswith("_") and not callable(getattr(own, name))]
    assert len(names) > 30
    differing = {name for name in names if getattr(mine, name) != getattr(own, name)}
    assert differing == {"frames_per_turn", "ping_strikes", "stream_window_bytes", "connection_window_bytes"}


def test_every_setting() -> None:
    """Each is read from its own key, in the units of a policy file."""
    limits, found = read(
        "max_connections: 11, max_connections_per_address: 7, max_streams: 12, memory: 2MiB, "
        "max_request_message: 1MiB, header_list: 2KiB, header_count: 13, header_block: 32KiB, "
        "continuation_frames: 3, preface_timeout: 1s, settings_timeout: 1s500ms, settings_ack_timeout: 3s, "
        "header_block_timeout: 4s, frame_timeout: 6s, flush_timeout: 7s, response_timeout: 8s, "
        "stream_window: 128KiB, connection_window: 2MiB, max_frame: 32KiB, write_buffer: 64KiB, "
        "resets: {burst: 1, per_second: 2}, premature_age: 9s, refused_streams: {burst: 3}, "
        "glitches: {per_second: 0.5}, control_frames: {burst: 4}, queued_replies: 14, queued_frames: 150, "
        "empty_frames: 0, priority_frames: 16, window_updates: 17, settings_entries: 18, "
        "stream_errors: {burst: 5}, "
        "pings: {min_interval: 5m, min_interval_with_calls: 10s, strikes: 2}"
    )
    assert found == []
    assert limits == ListenerLimits(
        max_connections=11,
        max_connections_per_address=7,
        max_streams=12,
        memory_bytes=2 << 20,
        max_request_message_bytes=1 << 20,
        header_list_bytes=2048,
        header_count=13,
        header_block_bytes=32 << 10,
        continuation_frames=3,
        preface_timeout_s=1.0,
        settings_timeout_s=1.5,
        settings_ack_timeout_s=3.0,
        header_block_timeout_s=4.0,
        frame_timeout_s=6.0,
        flush_timeout_s=7.0,
        response_timeout_s=8.0,
        stream_window_bytes=128 << 10,
        connection_window_bytes=2 << 20,
        max_frame_bytes=32 << 10,
        write_buffer_bytes=64 << 10,
        resets=Allowance(1, 2.0),
        stream_errors=Allowance(5, 33.0),
        premature_age_s=9.0,
        refused_streams=Allowance(3, 33.0),
        glitches=Allowance(1000, 0.5),
        control_frames=Allowance(4, 200.0),
        queued_replies=14,
        queued_frames=150,
        empty_frames=0,
        priority_frames=16,
        window_updates=17,
        settings_entries=18,
        pings=PingPolicy(300.0, 10.0, 2),
    )
    same = [one.name for one in fields(limits) if getattr(limits, one.name) == getattr(DEFAULTS, one.name)]
    assert same == []


@pytest.mark.parametrize(
    ("settings", "field", "code"),
    [
        ("max_connections: 0", "max_connections", codes.OUT_OF_RANGE),
        ("memory: 1KiB", "memory", codes.OUT_OF_RANGE),
        ("memory: 5GiB", "memory", codes.OUT_OF_RANGE),
        ("memory: lots", "memory", codes.BAD_NUMBER),
        ("memory: 64K", "memory", codes.BAD_NUMBER),
        ("header_list: 2MiB", "header_list", codes.OUT_OF_RANGE),
        ("preface_timeout: 1ms", "preface_timeout", codes.OUT_OF_RANGE),
        ("preface_timeout: 5", "preface_timeout", codes.BAD_DURATION),
        ("resets: {burst: 0}", "resets.burst", codes.OUT_OF_RANGE),
        ("glitches: {per_second: -1}", "glitches.per_second", codes.OUT_OF_RANGE),
        ("pings: {min_interval: 25h}", "pings.min_interval", codes.OUT_OF_RANGE),
        (
            "max_connections: 5, max_connections_per_address: 6",
            "max_connections_per_address",
            codes.NO_EFFECT,
        ),
        ("stream_window: 2MiB", "stream_window", codes.NO_EFFECT),
        ("max_conections: 5", "max_conections", codes.UNKNOWN_KEY),
    ],
)
def test_mistakes(settings: str, field: str, code: str) -> None:
    """A value out of range or without effect is reported at its place."""
    _, found = read(settings)
    assert (f"listeners[0].limits.{field}", code) in found or (field, code) in found, found


def test_a_message_from_elsewhere() -> None:
    """Ranges hold for messages that no file was read into."""
    report = Report()
    read_listener_limits(Scope(report, "limits"), policy_pb2.ListenerLimits(max_streams=2**32 - 1))
    assert [one.code for one in report.violations()] == [codes.OUT_OF_RANGE]
