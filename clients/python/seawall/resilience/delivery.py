"""Batches of errors over gRPC; imported when there is something to send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from seawall.capture import Captured
from seawall.client.report import to_event
from seawall.client.sync import Seawall
from seawall.errors import Invalid
from seawall.v1.event_pb2 import ErrorEvent

MAX_BATCH_BYTES: Final = 768 * 1024
"""The control plane takes 1 MiB at once."""

TIMEOUT_S: Final = 5.0


class ControlPlaneDelivery:
    """Sends batches to a control plane."""

    def __init__(self, target: str) -> None:
        self._seawall = Seawall(target, timeout_s=TIMEOUT_S)

    def send(self, batch: Sequence[Captured]) -> int:
        """Send a batch in as many messages as it needs; return how many events were refused for good."""
        refused = 0
        part: list[ErrorEvent] = []
        size = 0
        for captured in batch:
            try:
                event = to_event(captured)
            except (TypeError, ValueError):
                refused += 1  # a detail that is no JSON
                continue
            more = event.ByteSize()
            if part and size + more > MAX_BATCH_BYTES:
                refused += self._send(part)
                part, size = [], 0
            part.append(event)
            size += more
        if part:
            refused += self._send(part)
        return refused

    def close(self) -> None:
        """Close the connection."""
        self._seawall.close()

    def _send(self, events: list[ErrorEvent]) -> int:
        """Send events; where one of them is bad, send each alone, so that the others arrive."""
        try:
            self._seawall.events.report(events)
        except Invalid:
            return 1 if len(events) == 1 else sum(self._send([event]) for event in events)
        return 0
