"""Statistics: when a report is due, and what is in it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from math import inf
from time import time
from typing import Final

from seawall.v1 import fleet_pb2
from seawall_proxy.runtime.control.spool_report import spool_message
from seawall_proxy.runtime.event_pump import EventPump

log = logging.getLogger("seawall.control")

STATS_INTERVAL_S: Final = 1.0
STATS_INTERVAL_MIN_S: Final = 0.1
STATS_INTERVAL_MAX_S: Final = 300.0


class Reports:
    """Makes reports of the runtime's numbers and the spool's."""

    def __init__(self, stats: Callable[[], fleet_pb2.StatsReport], pump: EventPump) -> None:
        self._stats: Callable[[], fleet_pb2.StatsReport] = stats
        self._pump: EventPump = pump
        self.clock: StatsClock = StatsClock()

    def message(self) -> fleet_pb2.ConnectRequest:
        """Return a report as of now."""
        report = self._stats()
        spool = spool_message(self._pump.spool_status(), self._pump.problem, time())
        if spool is not None:
            report.spool.CopyFrom(spool)
        return fleet_pb2.ConnectRequest(stats=report)

    def quietly(self) -> fleet_pb2.ConnectRequest | None:
        """Return a report, or None when it cannot be made: numbers that cannot be told must not keep events
        and answers from being told.
        """
        try:
            return self.message()
        except Exception:
            log.exception("the statistics report failed")
            return None


class StatsClock:
    """When the next statistics report is due."""

    def __init__(self) -> None:
        self.interval_s: float = STATS_INTERVAL_S
        self._due_at: float = inf

    def start(self, interval_s: float, now: float) -> None:
        """Begin on a new stream; an interval of 0 is the default, others are kept within 0.1 s and 5 min."""
        wanted = interval_s if interval_s > 0.0 else STATS_INTERVAL_S
        self.interval_s = min(max(wanted, STATS_INTERVAL_MIN_S), STATS_INTERVAL_MAX_S)
        self._due_at = now

    def stop(self) -> None:
        """End with the stream."""
        self._due_at = inf

    def take(self, now: float) -> bool:
        """Tell whether a report is due, and plan the next one; a report that is late moves the ones after
        it.
        """
        if now < self._due_at:
            return False
        self._due_at = max(self._due_at + self.interval_s, now + self.interval_s / 2)
        return True

    def next_deadline(self) -> float:
        """Return when the next report is due."""
        return self._due_at
