"""Rules of alerts as messages and back."""

from __future__ import annotations

from typing import Final

from seawall.v1 import admin_alerts_pb2 as pb
from seawall.v1 import event_pb2
from seawall_control.api import codec
from seawall_control.api.alert_codec import named, seconds_of, severity_of
from seawall_control.domain.alerts.rules import USED_BY, BurnWindow, Filters, Rule, Trigger, TriggerKind
from seawall_control.domain.events import Severity
from seawall_control.services.alerting.administration import Stored

KINDS: Final = (
    None,
    TriggerKind.ERROR_RATE,
    TriggerKind.BURN_RATE,
    TriggerKind.EVENT_COUNT,
    TriggerKind.RECOVERY_FAILURE_RATE,
    TriggerKind.EVENT,
    TriggerKind.BREAKER,
    TriggerKind.GROUP,
    TriggerKind.ABSENCE,
    TriggerKind.DISK,
    TriggerKind.QUEUE,
    TriggerKind.STORE,
)
"""By the numbers of `AlertTriggerKind`."""
_WINDOW_S: Final = 300.0
_INTERVAL_S: Final = 300.0


def rule_of(message: pb.AlertRule) -> Rule:
    """Decode a rule."""
    return Rule(
        name=message.name,
        title=message.title,
        disabled=message.disabled,
        severity=severity_of(message.severity),
        when=tuple(_trigger_of(item, f"when[{index}]") for index, item in enumerate(message.when[:100])),
        filters=Filters(tuple(message.filters.all), tuple(message.filters.any), tuple(message.filters.none)),
        hold_s=seconds_of(message, "hold", message.hold),
        keep_firing_s=seconds_of(message, "keep_firing", message.keep_firing),
        channels=tuple(message.channels),
        interval_s=seconds_of(message, "interval", message.interval, _INTERVAL_S),
        repeat_s=seconds_of(message, "repeat", message.repeat),
        max_per_hour=message.max_per_hour if message.HasField("max_per_hour") else 60,
        notify_resolved=not message.skip_resolved,
        inhibited_by=tuple(message.inhibited_by),
    )


def _trigger_of(message: pb.AlertTrigger, field: str) -> Trigger:
    return Trigger(
        kind=named(KINDS, message.kind, f"{field}.kind"),
        threshold=message.threshold,
        window_s=seconds_of(message, "window", message.window, _WINDOW_S),
        min_calls=message.min_calls,
        severity=severity_of(message.severity) or Severity.LOW,
        of=tuple(message.of),
        objective=message.objective,
        windows=tuple(
            BurnWindow(w.factor, seconds_of(w, "long", w.long), seconds_of(w, "short", w.short))
            for w in message.windows
        ),
    )


def rule_message(rule: Rule, stored: Stored) -> pb.AlertRule:
    """Encode a rule."""
    found = pb.AlertRule(
        name=rule.name,
        title=rule.title,
        disabled=rule.disabled,
        severity=codec.enum(event_pb2.Severity, int(rule.severity or 0)),
        when=[_trigger_message(trigger) for trigger in rule.when],
        hold=codec.seconds(rule.hold_s) if rule.hold_s else None,
        keep_firing=codec.seconds(rule.keep_firing_s) if rule.keep_firing_s else None,
        channels=rule.channels,
        interval=codec.seconds(rule.interval_s),
        repeat=codec.seconds(rule.repeat_s) if rule.repeat_s else None,
        max_per_hour=rule.max_per_hour,
        skip_resolved=not rule.notify_resolved,
        inhibited_by=rule.inhibited_by,
        builtin=rule.is_builtin,
        changed=rule.is_builtin and stored.version > 0,
        etag=str(stored.version),
    )
    wanted = rule.filters
    if wanted.all or wanted.any or wanted.none:
        found.filters.CopyFrom(pb.AlertFilters(all=wanted.all, any=wanted.any, none=wanted.none))
    if stored.update_us:
        found.update_time.CopyFrom(codec.timestamp(stored.update_us))
    return found


def _trigger_message(trigger: Trigger) -> pb.AlertTrigger:
    """Encode a trigger: only what its kind looks at, so that nobody takes the rest for something."""
    used = USED_BY[trigger.kind]
    found = pb.AlertTrigger(kind=codec.enum(pb.AlertTriggerKind, KINDS.index(trigger.kind)))
    if "threshold" in used:
        found.threshold = trigger.threshold
    if "window" in used:
        found.window.CopyFrom(codec.seconds(trigger.window_s))
    if "min_calls" in used:
        found.min_calls = trigger.min_calls
    if "severity" in used:
        found.severity = codec.enum(event_pb2.Severity, int(trigger.severity))
    if "objective" in used:
        found.objective = trigger.objective
    found.of.extend(trigger.of)
    for pair in trigger.windows:
        long, short = codec.seconds(pair.long_s), codec.seconds(pair.short_s)
        found.windows.add(factor=pair.factor, long=long, short=short)
    return found
