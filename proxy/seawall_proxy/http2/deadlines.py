"""The things that a peer owes a connection within a time: its preface, its first SETTINGS, its SETTINGS
acknowledgement, a whole header block.
"""

from __future__ import annotations

from typing import Final

from seawall_proxy.http2.errors import ENHANCE_YOUR_CALM, PROTOCOL_ERROR, SETTINGS_TIMEOUT, ConnectionFault

NEVER: Final = float("inf")


class Deadlines:
    """Hold points in time in monotonic seconds; infinity while nothing is owed."""

    def __init__(self) -> None:
        self.preface: float = NEVER
        self.first_settings: float = NEVER
        self.settings_ack: float = NEVER
        self.header_block: float = NEVER

    def clear(self) -> None:
        """Wait for nothing any more."""
        self.preface = self.first_settings = self.settings_ack = self.header_block = NEVER

    def earliest(self) -> float:
        """Return the next deadline, infinity if there is none."""
        return min(self.preface, self.first_settings, self.settings_ack, self.header_block)

    def check(self, now: float) -> None:
        """Raise the ConnectionFault of a deadline that has passed."""
        if now >= self.preface:
            raise ConnectionFault(PROTOCOL_ERROR, "no HTTP/2 preface in time", "preface_timeout")
        if now >= self.first_settings:
            raise ConnectionFault(PROTOCOL_ERROR, "no SETTINGS in time", "settings_timeout")
        if now >= self.settings_ack:
            raise ConnectionFault(
                SETTINGS_TIMEOUT, "SETTINGS were not acknowledged in time", "settings_ack_timeout"
            )
        if now >= self.header_block:
            raise ConnectionFault(ENHANCE_YOUR_CALM, "header block took too long", "header_block_timeout")
