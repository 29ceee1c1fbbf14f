"""What clients of one listener may cost: every bound with its default.

The defaults are those of a port that strangers reach. Sources: Envoy's edge configuration (connections,
streams, windows, flush and response limits, formulas for PRIORITY and WINDOW_UPDATE), nghttp2 (CONTINUATION
frames, budgets that are refilled at a rate), Node (SETTINGS entries, refused streams), Go (preface and first
SETTINGS), gRFC A8 (pings). Times are seconds, sizes bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

ADDRESS_SHARE: Final = 0.8
"""Share of a listener's connections that one client address may hold unless a number is given."""
MEMORY_END_FACTOR: Final = 4
"""A connection that holds this many times its memory is ended; before that, it gets no new calls."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many at once, and so many a second in the long run."""

    burst: int
    per_second: float


@dataclass(frozen=True, slots=True)
class PingPolicy:
    """How often a client may ping (gRFC A8).

    gRPC servers start from 5 min without calls, 10 s with calls and 2 strikes, and clients of Go and Java
    never ping more often than every 10 s; C-core, JavaScript and Rust clients may, and are used with 1 s to
    10 s. What is kept out here is a flood.
    """

    min_interval_s: float = 5.0
    min_interval_with_calls_s: float = 1.0
    strikes: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerLimits:
    """The limits of a listener's connections."""

    max_connections: int = 10_000
    max_connections_per_address: int = 8_000
    max_streams: int = 100
    memory_bytes: int = 64 << 20
    max_request_message_bytes: int = 0
    """0: messages are not looked at."""
    header_list_bytes: int = 16 << 10
    header_count: int = 100
    header_block_bytes: int = 64 << 10
    continuation_frames: int = 8
    preface_timeout_s: float = 10.0
    settings_timeout_s: float = 2.0
    settings_ack_timeout_s: float = 10.0
    header_block_timeout_s: float = 5.0
    frame_timeout_s: float = 10.0
    flush_timeout_s: float = 30.0
    response_timeout_s: float = 300.0
    stream_window_bytes: int = 64 << 10
    connection_window_bytes: int = 1 << 20
    max_frame_bytes: int = 16 << 10
    write_buffer_bytes: int = 1 << 20
    resets: Allowance = Allowance(1000, 33.0)
    stream_errors: Allowance = Allowance(200, 33.0)
    premature_age_s: float = 1.0
    refused_streams: Allowance = Allowance(100, 33.0)
    glitches: Allowance = Allowance(1000, 100.0)
    control_frames: Allowance = Allowance(1000, 200.0)
    queued_replies: int = 1000
    queued_frames: int = 10_000
    empty_frames: int = 1
    priority_frames: int = 100
    window_updates: int = 10
    settings_entries: int = 32
    pings: PingPolicy = field(default_factory=PingPolicy)


DEFAULTS: Final = ListenerLimits()
