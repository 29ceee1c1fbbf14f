"""The life of one alert: PENDING while its condition has not held for long enough, FIRING, RESOLVED.

The table, for one subject of one rule, asked once a tick whether the condition holds:

    before     holds                                     does not hold
    (none)     PENDING; FIRING when `hold` is 0          (none)
    PENDING    FIRING once it has held for `hold`        (none)
    FIRING     FIRING, its pause forgotten               RESOLVED once it has paused for `keep`

Flapping: an alert that fires for the `FLAP_AFTER`th time within `FLAP_WINDOW_US` is marked, and from then on
resolves only after it has been quiet for that window, so that whoever is told hears `firing` three times and
`resolved` once it is true. An alert that fires again is a new one, with what its predecessors remember.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from seawall_control.domain.alerts.subject import Subject
from seawall_control.domain.events import MICROS, Severity

FLAP_AFTER: Final = 3
FLAP_WINDOW_US: Final = 600 * MICROS


class Phase(StrEnum):
    """Where an alert is in its life."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Reading:
    """A condition that holds: what it is about, what was seen and what is allowed, and both in words."""

    subject: Subject
    value: float
    threshold: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert. Times are microseconds since the epoch, 0 for what has not happened."""

    id: str
    rule: str
    subject: Subject
    severity: Severity
    phase: Phase
    since_us: int
    """Since when the condition has held."""
    fired_us: int = 0
    resolved_us: int = 0
    paused_us: int = 0
    """Since when the condition has not held, while FIRING."""
    value: float = 0.0
    threshold: float = 0.0
    text: str = ""
    flapping: bool = False
    fires: tuple[int, ...] = ()
    """When this subject began to fire within the window for flapping, this time included."""
    notified_us: int = 0
    """When people were last told that this subject fires; kept from one alert to the next."""
    told: bool = False
    """Whether they were told of this alert."""
    notifications: int = 0
    quiet_by: str = ""
    """Why nobody was told so far: a silence's id, or the rule that inhibits it."""
    acknowledged_us: int = 0
    acknowledged_by: str = ""
    acknowledged_why: str = ""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a condition must hold, and be over, in microseconds."""

    hold_us: int = 0
    keep_us: int = 0


def begun(
    rule: str, reading: Reading, severity: Severity, before: Alert | None, *, alert_id: str, at_us: int
) -> Alert:
    """Return the pending alert of a condition that has begun to hold; `before` is the last one of the same
    subject, where it is remembered.
    """
    return Alert(
        id=alert_id,
        rule=rule,
        subject=reading.subject,
        severity=severity,
        phase=Phase.PENDING,
        since_us=at_us,
        value=reading.value,
        threshold=reading.threshold,
        text=reading.text,
        fires=before.fires if before else (),
        notified_us=before.notified_us if before else 0,
    )


def stepped(alert: Alert, reading: Reading | None, timing: Timing, *, at_us: int) -> Alert | None:
    """Return the alert after a tick; None for a pending one whose condition is over. `reading` is None when
    the condition does not hold.
    """
    if alert.phase is Phase.RESOLVED:
        return alert
    if reading is None:
        return _paused(alert, timing, at_us)
    alert = replace(alert, value=reading.value, threshold=reading.threshold, text=reading.text, paused_us=0)
    if alert.phase is Phase.PENDING and at_us - alert.since_us >= timing.hold_us:
        fires = (*(t for t in alert.fires if t > at_us - FLAP_WINDOW_US), at_us)[-FLAP_AFTER:]
        return replace(
            alert, phase=Phase.FIRING, fired_us=at_us, fires=fires, flapping=len(fires) >= FLAP_AFTER
        )
    return alert


def _paused(alert: Alert, timing: Timing, at_us: int) -> Alert | None:
    if alert.phase is Phase.PENDING:
        return None
    since = alert.paused_us or at_us
    needed = max(timing.keep_us, FLAP_WINDOW_US) if alert.flapping else timing.keep_us
    if at_us - since >= needed:
        return replace(alert, phase=Phase.RESOLVED, resolved_us=at_us, paused_us=since)
    return replace(alert, paused_us=since)


def _in_time(alert: Alert, moved: Callable[[int], int]) -> Alert:
    """Return the alert with a function applied to each of its times that has happened."""

    def at(when_us: int) -> int:
        return moved(when_us) if when_us else 0

    return replace(
        alert,
        since_us=at(alert.since_us),
        fired_us=at(alert.fired_us),
        resolved_us=at(alert.resolved_us),
        paused_us=at(alert.paused_us),
        notified_us=at(alert.notified_us),
        acknowledged_us=at(alert.acknowledged_us),
        fires=tuple(at(when_us) for when_us in alert.fires),
    )


def shifted(alert: Alert, by_us: int) -> Alert:
    """Return the alert as it is by a clock that was set by so much."""
    return _in_time(alert, lambda when_us: max(1, when_us + by_us))


def not_ahead(alert: Alert, at_us: int) -> Alert:
    """Return the alert with no time ahead: what a clock that was wrong has left must not delay anything."""
    return _in_time(alert, lambda when_us: min(when_us, at_us))
