"""How long it takes until somebody has dealt with an event."""

from __future__ import annotations

from collections.abc import Iterable

from seawall_control.domain.events import MICROS, Event, EventKind


def mean_time_to_resolve_s(events: Iterable[Event]) -> float | None:
    """Return the mean from event to resolution; None where nothing is resolved. What the control plane and
    proxies tell of themselves is left out: much of it is stored as resolved.
    """
    took = [
        max(0, event.resolved_at_us - event.timestamp_us)
        for event in events
        if event.resolved and event.kind is not EventKind.SYSTEM
    ]
    return sum(took) / len(took) / MICROS if took else None
