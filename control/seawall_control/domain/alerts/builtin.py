"""The rules that are there from the start. Changing one stores it under its name; deleting it brings this
form back.

The three thresholds at the top are those of the requirements (error rate 0.15, one error 20 times, failed
recoveries 0.25) and are what `GetThresholds` and `UpdateThresholds` show and change.
"""

from __future__ import annotations

from typing import Final

from seawall_control.domain.alerts.rules import (
    ABSENT_PROXY,
    BUILTIN,
    QUEUE_DELIVERIES,
    QUEUE_DROPPED,
    QUEUE_INGEST,
    QUEUE_SPOOL_AGE,
    QUEUE_SPOOLED,
    Filters,
    Rule,
    Trigger,
    TriggerKind,
)
from seawall_control.domain.events import Severity
from seawall_control.domain.healing.news import FAILED, FOR_PEOPLE
from seawall_control.domain.runs import RESTARTS

ERROR_RATE: Final = f"{BUILTIN}error-rate"
SPECIFIC_ERROR: Final = f"{BUILTIN}specific-error"
RECOVERY_FAILURES: Final = f"{BUILTIN}recovery-failures"
DEFAULT_ERROR_RATE: Final = 0.15
DEFAULT_SPECIFIC_ERROR_COUNT: Final = 20
DEFAULT_RECOVERY_FAILURE_RATE: Final = 0.25

RULES: Final = (
    Rule(
        name=ERROR_RATE,
        title="A route fails too often",
        severity=Severity.HIGH,
        when=(Trigger(kind=TriggerKind.ERROR_RATE, threshold=DEFAULT_ERROR_RATE, min_calls=20),),
        keep_firing_s=60.0,
    ),
    Rule(
        name=SPECIFIC_ERROR,
        title="The same error again and again",
        severity=Severity.MEDIUM,
        when=(Trigger(kind=TriggerKind.EVENT_COUNT, threshold=DEFAULT_SPECIFIC_ERROR_COUNT),),
        # A breaker that opens has an alert of its own, and recovered calls are what retries are for.
        filters=Filters(none=("kind = CALL_RECOVERED", "kind = BREAKER_OPENED OR kind = BREAKER_CLOSED")),
        keep_firing_s=60.0,
        interval_s=900.0,
    ),
    Rule(
        name=RECOVERY_FAILURES,
        title="Retries do not help",
        severity=Severity.HIGH,
        when=(
            Trigger(
                kind=TriggerKind.RECOVERY_FAILURE_RATE,
                threshold=DEFAULT_RECOVERY_FAILURE_RATE,
                min_calls=20,
            ),
        ),
        keep_firing_s=60.0,
    ),
    Rule(
        name=f"{BUILTIN}breaker-open",
        title="A breaker is open",
        severity=Severity.HIGH,
        when=(Trigger(kind=TriggerKind.BREAKER),),
    ),
    Rule(
        name=f"{BUILTIN}critical-event",
        title="A critical event",
        severity=Severity.CRITICAL,
        when=(Trigger(kind=TriggerKind.EVENT, severity=Severity.CRITICAL),),
    ),
    Rule(
        name=f"{BUILTIN}error-budget",
        title="A route uses up its error budget",
        severity=Severity.CRITICAL,
        # Nobody has said what the objective is: 99 % is one that most services mean at least.
        when=(Trigger(kind=TriggerKind.BURN_RATE, objective=0.99, min_calls=100),),
        keep_firing_s=120.0,
    ),
    Rule(
        name=f"{BUILTIN}group-returned",
        title="Errors that came back, or grow",
        severity=Severity.HIGH,
        when=(Trigger(kind=TriggerKind.GROUP, of=("regressed", "escalating"), window_s=1800.0),),
    ),
    Rule(
        name=f"{BUILTIN}proxy-absent",
        title="A proxy does not report",
        severity=Severity.HIGH,
        when=(Trigger(kind=TriggerKind.ABSENCE, of=(ABSENT_PROXY,), window_s=300.0),),
    ),
    Rule(
        name=f"{BUILTIN}restart",
        title="A proxy or the control plane started anew",
        # That of the event: LOW after an end in order, MEDIUM after another.
        # Over soon, and told each time: an unclean end after one in order is news. Many are the next rule's.
        when=(Trigger(kind=TriggerKind.EVENT, window_s=10.0),),
        filters=Filters(any=tuple(f"error_type = {word}" for word in RESTARTS)),
        interval_s=0.0,
        notify_resolved=False,
    ),
    Rule(
        name=f"{BUILTIN}restart-loop",
        title="A proxy or the control plane starts again and again",
        severity=Severity.HIGH,
        when=(Trigger(kind=TriggerKind.EVENT_COUNT, threshold=3, window_s=900.0),),
        filters=Filters(any=tuple(f"error_type = {word}" for word in RESTARTS)),
    ),
    Rule(
        name=f"{BUILTIN}own-trouble",
        title="Seawall itself is in trouble",
        severity=Severity.HIGH,
        when=(Trigger(kind=TriggerKind.EVENT, severity=Severity.HIGH),),
        # Cases that failed are the next rule's.
        filters=Filters(any=("kind = SYSTEM", "kind = POLICY_REJECTED"), none=(f"error_type = {FAILED}",)),
    ),
    Rule(
        name=f"{BUILTIN}healing",
        title="A runbook waits for an answer, or did not help",
        # That of the event. Told each time: the next proposal is about something else.
        when=(Trigger(kind=TriggerKind.EVENT, window_s=10.0),),
        filters=Filters(any=tuple(f"error_type = {word}" for word in FOR_PEOPLE)),
        interval_s=0.0,
        notify_resolved=False,
    ),
    Rule(
        name=f"{BUILTIN}store",
        title="The store cannot be written",
        severity=Severity.CRITICAL,
        when=(Trigger(kind=TriggerKind.STORE),),
        keep_firing_s=30.0,
    ),
    Rule(
        name=f"{BUILTIN}disk-warning",
        title="The disk of the store fills up",
        severity=Severity.MEDIUM,
        when=(Trigger(kind=TriggerKind.DISK, threshold=0.8),),
        inhibited_by=(f"{BUILTIN}disk",),
        keep_firing_s=60.0,
        interval_s=3600.0,
    ),
    Rule(
        name=f"{BUILTIN}disk",
        title="The disk of the store is nearly full",
        severity=Severity.HIGH,
        when=(Trigger(kind=TriggerKind.DISK, threshold=0.9),),
        keep_firing_s=60.0,
        interval_s=3600.0,
    ),
    Rule(
        name=f"{BUILTIN}queue",
        title="Work waits too long, or is dropped",
        severity=Severity.HIGH,
        when=(
            Trigger(kind=TriggerKind.QUEUE, of=(QUEUE_INGEST,), threshold=200),
            Trigger(kind=TriggerKind.QUEUE, of=(QUEUE_DELIVERIES,), threshold=500),
            Trigger(kind=TriggerKind.QUEUE, of=(QUEUE_DROPPED,), threshold=1),
            # A proxy that is connected is at most a few seconds behind; these say that it does not catch up.
            Trigger(kind=TriggerKind.QUEUE, of=(QUEUE_SPOOLED,), threshold=10_000),
            Trigger(kind=TriggerKind.QUEUE, of=(QUEUE_SPOOL_AGE,), threshold=300),
        ),
        hold_s=10.0,
        keep_firing_s=60.0,
    ),
)
BY_NAME: Final = {rule.name: rule for rule in RULES}
