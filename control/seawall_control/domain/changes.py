"""What a change does to an event, for every store alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from seawall_control.domain.events import MICROS, Event, EventChange

DAY_US: Final = 24 * 3600 * MICROS


def changed(event: Event, change: EventChange, *, at_us: int) -> Event:
    """Return the event after the change. The time of resolution is set once, and forgotten when it is taken
    back.
    """
    after = event
    if change.severity is not None:
        after = replace(after, severity=change.severity)
    if change.job_id is not None:
        after = replace(after, job_id=change.job_id)
    if change.job_name is not None:
        after = replace(after, job_name=change.job_name)
    if change.details is not None or change.clear_details:
        after = replace(after, details=change.details)
    if change.resolution is not None:
        after = replace(after, resolution=change.resolution)
    if change.resolved is True and not event.resolved:
        after = replace(after, resolved=True, resolved_at_us=at_us)
    if change.resolved is False:
        after = replace(after, resolved=False, resolved_at_us=0, resolution=change.resolution or "")
    return after
