"""What one connection may cost us: every bound of this layer with its default.

The defaults are those of an edge listener; where a number is not the RFC's it follows nghttp2 (CONTINUATION
frames, budgets refilled at a rate), Envoy (control frames, frames queued, header count, formulas for PRIORITY
and WINDOW_UPDATE) or Node (SETTINGS entries, refused streams).
"""

from __future__ import annotations

from typing import Final

CLIENT_STREAM_WINDOW_BYTES: Final = 256 * 1024
SERVER_STREAM_WINDOW_BYTES: Final = 64 * 1024
CONNECTION_WINDOW_BYTES: Final = 1024 * 1024


class Limits:
    """Hold the limits of a connection; a window of 0 bytes stands for the default of the role."""

    def __init__(  # noqa: PLR0913 - a record of limits, all with defaults and by name
        self,
        *,
        max_concurrent_streams: int = 100,
        assumed_peer_streams: int = 100,
        stream_window_bytes: int = 0,
        connection_window_bytes: int = 0,
        max_frame_bytes: int = 16384,
        header_list_bytes: int = 16 * 1024,
        header_count: int = 100,
        header_block_bytes: int = 64 * 1024,
        continuation_frames: int = 8,
        header_block_timeout_s: float = 5.0,
        preface_timeout_s: float = 10.0,
        settings_ack_timeout_s: float = 10.0,
        interim_responses: int = 10,
        premature_age_s: float = 1.0,
        reset_burst: int = 1000,
        reset_rate_per_s: float = 33.0,
        glitch_burst: int = 1000,
        glitch_rate_per_s: float = 100.0,
        refused_burst: int = 100,
        refused_rate_per_s: float = 33.0,
        control_burst: int = 1000,
        control_rate_per_s: float = 200.0,
        queued_replies: int = 1000,
        queued_frames: int = 10000,
        empty_data_frames: int = 1,
        settings_entries: int = 32,
        remembered_resets: int = 1024,
        frames_per_turn: int = 0,
        settings_timeout_s: float = 2.0,
        priority_frames: int = 100,
        window_updates: int = 10,
        ping_strikes: int = -1,
        ping_interval_s: float = 5.0,
        ping_interval_busy_s: float = 1.0,
        write_buffer_bytes: int = 1 << 20,
        stream_error_burst: int = 200,
        stream_error_rate_per_s: float = 33.0,
    ) -> None:
        self.max_concurrent_streams: int = max_concurrent_streams
        self.assumed_peer_streams: int = assumed_peer_streams
        self.stream_window_bytes: int = stream_window_bytes
        self.connection_window_bytes: int = connection_window_bytes
        self.max_frame_bytes: int = max_frame_bytes
        self.header_list_bytes: int = header_list_bytes
        self.header_count: int = header_count
        self.header_block_bytes: int = header_block_bytes
        self.continuation_frames: int = continuation_frames
        self.header_block_timeout_s: float = header_block_timeout_s
        self.preface_timeout_s: float = preface_timeout_s
        self.settings_ack_timeout_s: float = settings_ack_timeout_s
        self.interim_responses: int = interim_responses
        self.premature_age_s: float = premature_age_s
        self.reset_burst: int = reset_burst
        self.reset_rate_per_s: float = reset_rate_per_s
        self.glitch_burst: int = glitch_burst
        self.glitch_rate_per_s: float = glitch_rate_per_s
        self.refused_burst: int = refused_burst
        self.refused_rate_per_s: float = refused_rate_per_s
        self.control_burst: int = control_burst
        self.control_rate_per_s: float = control_rate_per_s
        self.queued_replies: int = queued_replies
        self.queued_frames: int = queued_frames
        self.empty_data_frames: int = empty_data_frames
        self.settings_entries: int = settings_entries
        self.remembered_resets: int = remembered_resets
        self.frames_per_turn: int = frames_per_turn
        """Frames that one `receive` takes before it leaves the rest for the next; 0 for all."""
        self.stream_error_burst: int = stream_error_burst
        self.stream_error_rate_per_s: float = stream_error_rate_per_s
        self.settings_timeout_s: float = settings_timeout_s
        """Between a client's preface and its first SETTINGS."""
        self.priority_frames: int = priority_frames
        """PRIORITY frames for each stream, and as many before the first."""
        self.window_updates: int = window_updates
        """WINDOW_UPDATE frames for each pair of DATA frames sent."""
        self.ping_strikes: int = ping_strikes
        """Pings that may come too early (gRFC A8); -1 leaves them to the control budget alone."""
        self.ping_interval_s: float = ping_interval_s
        self.ping_interval_busy_s: float = ping_interval_busy_s
        """The same while streams are open."""
        self.write_buffer_bytes: int = write_buffer_bytes
        """Output that the transport takes before DATA waits."""

    def stream_window(self, is_client: bool) -> int:
        """Return the receive window of a stream in bytes."""
        if self.stream_window_bytes:
            return self.stream_window_bytes
        return CLIENT_STREAM_WINDOW_BYTES if is_client else SERVER_STREAM_WINDOW_BYTES

    def connection_window(self) -> int:
        """Return the receive window of the connection in bytes, never below the 65,535 it is born with."""
        return max(self.connection_window_bytes or CONNECTION_WINDOW_BYTES, 65535)
