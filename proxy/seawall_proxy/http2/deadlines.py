"""The three things a peer owes a connection within a time: its preface, its SETTINGS acknowledgement, a whole
header block.
"""

from __future__ import annotations

from typing import Final

from seawall_proxy.http2.errors import ENHANCE_YOUR_CALM, PROTOCOL_ERROR, SETTINGS_TIMEOUT, ConnectionFault

NEVER: Final = float("inf")


class Deadlines:
    """Hold points in time in monotonic seconds; infinity while nothing is owed."""

    def __init__(self) -> None:
        self.preface: float = NEVER
        self.settings_ack: float = NEVER
        self.header_block: float = NEVER

    def clear(self) -> None:
        """Wait for nothing any more."""
        self.preface = self.settings_ack = self.header_block = NEVER

    def earliest(self) -> float:
        """Return the next deadline, infinity if there is none."""
        return min(self.preface, self.settings_ack, self.header_block)

    def check(self, now: float) -> None:
        """Raise the ConnectionFault of a deadline that has passed."""
        if now >= self.preface:
            raise ConnectionFault(PROTOCOL_ERROR, "no HTTP/2 preface and SETTINGS in time")
        if now >= self.settings_ack:
            raise ConnectionFault(SETTINGS_TIMEOUT, "SETTINGS were not acknowledged in time")
        if now >= self.header_block:
            raise ConnectionFault(ENHANCE_YOUR_CALM, "header block took too long")
