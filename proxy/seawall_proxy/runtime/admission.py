"""Which client connections a listener takes, and under which limits they then live.

Counted are all connections of the listener in this worker, and those of one client: an IPv4 address or an
IPv6 /64 network, since a host with IPv6 has 2^64 addresses. Clients of a Unix socket have no address and no
share.
"""

from __future__ import annotations

import ipaddress
from typing import Final

from seawall_policy.listener_limits import DEFAULTS, ListenerLimits
from seawall_proxy.http2.limits import Limits

FRAMES_PER_TURN: Final = 256
"""Frames that one connection may send before the others have their turn."""

_NETWORK_BITS: Final = 64


class Admission:
    """The limits of one listener, and the connections that count against them."""

    def __init__(self, limits: ListenerLimits = DEFAULTS) -> None:
        self.limits: ListenerLimits = limits
        self.http2: Limits = connection_limits(limits)
        self.open: int = 0
        self.by_client: dict[str, int] = {}

    def enter(self, client: str) -> str:
        """Count a connection of `client`, or return the name of the limit that keeps it out."""
        limits = self.limits
        if self.open >= limits.max_connections:
            return "max_connections"
        if client:
            known = self.by_client.get(client, 0)
            if known >= limits.max_connections_per_address:
                return "max_connections_per_address"
            self.by_client[client] = known + 1
        self.open += 1
        return ""

    def leave(self, client: str) -> None:
        """Forget a connection that `enter` has counted."""
        self.open -= 1
        if client:
            left = self.by_client[client] - 1
            if left:
                self.by_client[client] = left
            else:
                del self.by_client[client]


def client_of(peer: object) -> str:
    """Return what the connections of one client have in common; empty for a peer without an IP address."""
    host = peer[0] if isinstance(peer, tuple) and peer else ""
    if not isinstance(host, str) or ":" not in host:
        return host if isinstance(host, str) else ""
    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{ipaddress.IPv6Network((address, _NETWORK_BITS), strict=False)}"


def connection_limits(limits: ListenerLimits) -> Limits:
    """Return the part that the HTTP/2 connection itself watches over."""
    return Limits(
        max_concurrent_streams=limits.max_streams,
        stream_window_bytes=limits.stream_window_bytes,
        connection_window_bytes=limits.connection_window_bytes,
        max_frame_bytes=limits.max_frame_bytes,
        header_list_bytes=limits.header_list_bytes,
        header_count=limits.header_count,
        header_block_bytes=limits.header_block_bytes,
        continuation_frames=limits.continuation_frames,
        header_block_timeout_s=limits.header_block_timeout_s,
        preface_timeout_s=limits.preface_timeout_s,
        settings_timeout_s=limits.settings_timeout_s,
        settings_ack_timeout_s=limits.settings_ack_timeout_s,
        premature_age_s=limits.premature_age_s,
        reset_burst=limits.resets.burst,
        reset_rate_per_s=limits.resets.per_second,
        stream_error_burst=limits.stream_errors.burst,
        stream_error_rate_per_s=limits.stream_errors.per_second,
        glitch_burst=limits.glitches.burst,
        glitch_rate_per_s=limits.glitches.per_second,
        refused_burst=limits.refused_streams.burst,
        refused_rate_per_s=limits.refused_streams.per_second,
        control_burst=limits.control_frames.burst,
        control_rate_per_s=limits.control_frames.per_second,
        queued_replies=limits.queued_replies,
        queued_frames=limits.queued_frames,
        empty_data_frames=limits.empty_frames,
        settings_entries=limits.settings_entries,
        frames_per_turn=FRAMES_PER_TURN,
        priority_frames=limits.priority_frames,
        window_updates=limits.window_updates,
        ping_strikes=limits.pings.strikes,
        ping_interval_s=limits.pings.min_interval_s,
        ping_interval_busy_s=limits.pings.min_interval_with_calls_s,
        write_buffer_bytes=limits.write_buffer_bytes,
    )
