"""Which watch watches which trigger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from seawall_control.domain.alerts.rules import Trigger, TriggerKind
from seawall_control.domain.alerts.watch import Watch
from seawall_control.domain.alerts.watch_breakers import BreakerWatch
from seawall_control.domain.alerts.watch_calls import BurnRateWatch, ErrorRateWatch
from seawall_control.domain.alerts.watch_events import EventCountWatch, OccurrenceWatch, RecoveryWatch
from seawall_control.domain.alerts.watch_levels import AbsenceWatch, LevelWatch

_MAKERS: Final[Mapping[TriggerKind, Callable[[Trigger], Watch]]] = {
    TriggerKind.ERROR_RATE: ErrorRateWatch,
    TriggerKind.BURN_RATE: BurnRateWatch,
    TriggerKind.EVENT_COUNT: EventCountWatch,
    TriggerKind.RECOVERY_FAILURE_RATE: RecoveryWatch,
    TriggerKind.EVENT: OccurrenceWatch,
    TriggerKind.GROUP: OccurrenceWatch,
    TriggerKind.BREAKER: BreakerWatch,
    TriggerKind.DISK: LevelWatch,
    TriggerKind.QUEUE: LevelWatch,
    TriggerKind.STORE: LevelWatch,
}


def watch_of(trigger: Trigger, at_us: int) -> Watch:
    """Return a new watch for a trigger."""
    if trigger.kind is TriggerKind.ABSENCE:
        return AbsenceWatch(trigger, at_us)
    return _MAKERS[trigger.kind](trigger)
