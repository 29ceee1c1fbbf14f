"""Reading `listeners[].limits`: each value in its range, or reported at its place."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

from seawall.v1 import policy_pb2
from seawall_policy.compile import codes
from seawall_policy.compile.scope import Scope
from seawall_policy.listener_limits import ADDRESS_SHARE, DEFAULTS, Allowance, ListenerLimits, PingPolicy
from seawall_policy.sizes import format_size

_KIB = 1 << 10
_MIB = 1 << 20
_GIB = 1 << 30
_LEAST_WINDOW = 65_535
_MOST_UINT32 = 2**32 - 1


def read_listener_limits(scope: Scope, given: policy_pb2.ListenerLimits) -> ListenerLimits:
    """Return the limits of a listener; what is not given has its default."""
    read = _Reader(scope, given)
    d = DEFAULTS
    connections = read.count("max_connections", 1, 1_000_000, d.max_connections)
    share = max(1, int(connections * ADDRESS_SHARE))
    per_address = read.count("max_connections_per_address", 1, 1_000_000, share)
    if per_address > connections:
        (scope / "max_connections_per_address").warn(
            codes.NO_EFFECT, f"is above max_connections ({connections}), which applies first; lower it"
        )
    stream_window = read.size("stream_window", _LEAST_WINDOW, 16 * _MIB, d.stream_window_bytes)
    connection_window = read.size("connection_window", _LEAST_WINDOW, _GIB, d.connection_window_bytes)
    if stream_window > connection_window:
        (scope / "stream_window").warn(
            codes.NO_EFFECT,
            f"is above connection_window ({format_size(connection_window)}), which applies first; raise that",
        )
    memory = read.size("memory", 64 * _KIB, _MOST_UINT32, d.memory_bytes)
    return ListenerLimits(
        max_connections=connections,
        max_connections_per_address=per_address,
        max_streams=read.count("max_streams", 1, 100_000, d.max_streams),
        memory_bytes=memory,
        max_request_message_bytes=read.size("max_request_message", 0, _MOST_UINT32, 0),
        header_list_bytes=read.size("header_list", _KIB, _MIB, d.header_list_bytes),
        header_count=read.count("header_count", 10, 10_000, d.header_count),
        header_block_bytes=read.size("header_block", 16 * _KIB, _MIB, d.header_block_bytes),
        continuation_frames=read.count("continuation_frames", 1, 1000, d.continuation_frames),
        preface_timeout_s=read.time("preface_timeout", "10ms", "5m", d.preface_timeout_s),
        settings_timeout_s=read.time("settings_timeout", "10ms", "5m", d.settings_timeout_s),
        settings_ack_timeout_s=read.time("settings_ack_timeout", "10ms", "5m", d.settings_ack_timeout_s),
        header_block_timeout_s=read.time("header_block_timeout", "10ms", "5m", d.header_block_timeout_s),
        frame_timeout_s=read.time("frame_timeout", "1s", "5m", d.frame_timeout_s),
        flush_timeout_s=read.time("flush_timeout", "1s", "1h", d.flush_timeout_s),
        response_timeout_s=read.time("response_timeout", "1s", "24h", d.response_timeout_s),
        stream_window_bytes=stream_window,
        connection_window_bytes=connection_window,
        max_frame_bytes=read.size("max_frame", 16 * _KIB, _MIB, d.max_frame_bytes),
        write_buffer_bytes=read.size("write_buffer", 16 * _KIB, 64 * _MIB, d.write_buffer_bytes),
        resets=_allowance(scope / "resets", given.resets, d.resets),
        stream_errors=_allowance(scope / "stream_errors", given.stream_errors, d.stream_errors),
        premature_age_s=read.time("premature_age", "10ms", "5m", d.premature_age_s),
        refused_streams=_allowance(scope / "refused_streams", given.refused_streams, d.refused_streams),
        glitches=_allowance(scope / "glitches", given.glitches, d.glitches),
        control_frames=_allowance(scope / "control_frames", given.control_frames, d.control_frames),
        queued_replies=read.count("queued_replies", 1, 100_000, d.queued_replies),
        queued_frames=read.count("queued_frames", 100, 1_000_000, d.queued_frames),
        empty_frames=read.count("empty_frames", 0, 1000, d.empty_frames),
        priority_frames=read.count("priority_frames", 0, 10_000, d.priority_frames),
        window_updates=read.count("window_updates", 1, 1000, d.window_updates),
        settings_entries=read.count("settings_entries", 6, 1000, d.settings_entries),
        pings=_pings(scope / "pings", given.pings, d.pings),
    )


class _Reader:
    """Single values by the name of their field."""

    def __init__(self, scope: Scope, given: policy_pb2.ListenerLimits) -> None:
        self._scope = scope
        self._given = given

    def count(self, name: str, low: int, high: int, default: int) -> int:
        value = getattr(self._given, name) if self._given.HasField(name) else None
        return (self._scope / name).integer(value, low, high, default)

    def size(self, name: str, low: int, high: int, default: int) -> int:
        value = getattr(self._given, name) if self._given.HasField(name) else None
        if value is None:
            return default
        if not low <= value <= high:
            (self._scope / name).error(
                codes.OUT_OF_RANGE,
                f"{format_size(value)} is out of range; allowed is {format_size(low)} to {format_size(high)}",
            )
            return default
        return int(value)

    def time(self, name: str, low: str, high: str, default_s: float) -> float:
        value: Duration | None = None
        if self._given.HasField(name):
            value = getattr(self._given, name)
        return (self._scope / name).duration(value, low, high, default_s)


def _allowance(scope: Scope, given: policy_pb2.Allowance, default: Allowance) -> Allowance:
    burst = given.burst if given.HasField("burst") else None
    rate = given.per_second if given.HasField("per_second") else None
    return Allowance(
        (scope / "burst").integer(burst, 1, 1_000_000, default.burst),
        (scope / "per_second").number(rate, 0.0, 1e6, default.per_second),
    )


def _pings(scope: Scope, given: policy_pb2.PingPolicy, default: PingPolicy) -> PingPolicy:
    idle = given.min_interval if given.HasField("min_interval") else None
    busy = given.min_interval_with_calls if given.HasField("min_interval_with_calls") else None
    strikes = given.strikes if given.HasField("strikes") else None
    return PingPolicy(
        (scope / "min_interval").duration(idle, "0s", "24h", default.min_interval_s),
        (scope / "min_interval_with_calls").duration(busy, "0s", "24h", default.min_interval_with_calls_s),
        (scope / "strikes").integer(strikes, 0, 1_000_000, default.strikes),
    )
