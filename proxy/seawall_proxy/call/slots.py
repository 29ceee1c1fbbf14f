"""How many calls of one client connection may be at work: a reset gives its place back a moment later.

SETTINGS_MAX_CONCURRENT_STREAMS bounds the streams that are open. A stream that is reset, by the client (rapid
reset, CVE-2023-44487) or by us because the client broke a rule on purpose (MadeYouReset, CVE-2025-8671), is
closed at once, while its call may still be at work at a backend that learns of the reset a little later. Such
a call keeps its slot for `RELEASE_AFTER_S`. While all slots are taken, new calls of the connection wait their
turn before they reach a backend. They are not refused, since a client that cancels much is no attacker; and
what is reset while it waits never reaches a backend at all.
"""

from __future__ import annotations

from typing import Final

from seawall_proxy.call.context import Held
from seawall_proxy.call.timers import Timed, TimerWheel
from seawall_proxy.http2.connection import Connection

RELEASE_AFTER_S: Final = 0.1
"""How long a call may be at work after its reset was passed on: a round trip and a busy server's turn."""


class Slots(Timed):
    """The slots of one client connection."""

    def __init__(self, timers: TimerWheel) -> None:
        self.tick = -1
        self.lingering: list[float] = []
        """Until when each slot is kept whose stream is gone, in order."""
        self._timers: TimerWheel = timers
        self._connection: Connection | None = None
        self._waiting: dict[Held, None] = {}

    def take(self, call: Held, connection: Connection) -> bool:
        """Take a slot for a call whose stream was just opened; False if it waits for `slot_free`."""
        self._connection = connection
        if self._at_work(connection) <= connection.limits.max_concurrent_streams:
            return True
        self._waiting[call] = None
        return False

    def _at_work(self, connection: Connection) -> int:
        return connection.active_streams - len(self._waiting) + len(self.lingering)

    def give_up(self, call: Held) -> None:
        """Wait no longer."""
        self._waiting.pop(call, None)

    def linger(self, now: float) -> None:
        """Keep the slot of a call whose stream was reset while a backend was at work."""
        self.lingering.append(now + RELEASE_AFTER_S)
        if self.tick < 0:
            self._timers.arm(self, now + RELEASE_AFTER_S)

    def fire(self, now: float) -> None:
        lingering = self.lingering
        due = 0
        while due < len(lingering) and lingering[due] <= now:
            due += 1
        del lingering[:due]
        connection = self._connection
        while self._waiting and connection is not None:
            if lingering and self._at_work(connection) >= connection.limits.max_concurrent_streams:
                break
            call = next(iter(self._waiting))
            del self._waiting[call]
            call.slot_free()
        if lingering:
            self._timers.arm(self, lingering[0])
