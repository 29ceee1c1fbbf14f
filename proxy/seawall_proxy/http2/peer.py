"""The peer's SETTINGS (RFC 9113 section 6.5.2): what it announced, checked value by value."""

from __future__ import annotations

from seawall_proxy.http2.errors import FLOW_CONTROL_ERROR, PROTOCOL_ERROR, ConnectionFault
from seawall_proxy.http2.frames import (
    DEFAULT_WINDOW_BYTES,
    MAX_MAX_FRAME_BYTES,
    MAX_STREAM_ID,
    MAX_WINDOW_BYTES,
    MIN_MAX_FRAME_BYTES,
    SETTING_ENABLE_PUSH,
    SETTING_HEADER_TABLE_SIZE,
    SETTING_INITIAL_WINDOW_SIZE,
    SETTING_MAX_CONCURRENT_STREAMS,
    SETTING_MAX_FRAME_SIZE,
    SETTING_MAX_HEADER_LIST_SIZE,
    read_u32,
)


class PeerSettings:
    """Hold the peer's settings; the defaults are those before its first SETTINGS frame."""

    def __init__(self, *, is_client: bool, assumed_streams: int) -> None:
        self._is_client: bool = is_client
        self.received: bool = False
        self.header_table_bytes: int = 4096
        self.lowest_table_bytes: int = 4096
        self.max_concurrent_streams: int = assumed_streams
        self.initial_window_bytes: int = DEFAULT_WINDOW_BYTES
        self.max_frame_bytes: int = MIN_MAX_FRAME_BYTES
        self.max_header_list_bytes: int = -1

    def apply(self, buf: bytes, pos: int, length: int) -> None:
        """Read the entries of one frame in order; raises ConnectionFault for a value out of range."""
        if not self.received:
            self.received = True
            self.max_concurrent_streams = MAX_STREAM_ID
        self.lowest_table_bytes = self.header_table_bytes
        for at in range(pos, pos + length, 6):
            self._apply_one(buf[at] << 8 | buf[at + 1], read_u32(buf, at + 2))

    def _apply_one(self, identifier: int, value: int) -> None:
        if identifier == SETTING_HEADER_TABLE_SIZE:
            self.header_table_bytes = value
            self.lowest_table_bytes = min(self.lowest_table_bytes, value)
        elif identifier == SETTING_ENABLE_PUSH:
            if value > 1 or (self._is_client and value):
                raise ConnectionFault(PROTOCOL_ERROR, "SETTINGS_ENABLE_PUSH out of range")
        elif identifier == SETTING_MAX_CONCURRENT_STREAMS:
            self.max_concurrent_streams = value
        elif identifier == SETTING_INITIAL_WINDOW_SIZE:
            if value > MAX_WINDOW_BYTES:
                raise ConnectionFault(FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE out of range")
            self.initial_window_bytes = value
        elif identifier == SETTING_MAX_FRAME_SIZE:
            if not MIN_MAX_FRAME_BYTES <= value <= MAX_MAX_FRAME_BYTES:
                raise ConnectionFault(PROTOCOL_ERROR, "SETTINGS_MAX_FRAME_SIZE out of range")
            self.max_frame_bytes = value
        elif identifier == SETTING_MAX_HEADER_LIST_SIZE:
            self.max_header_list_bytes = value
