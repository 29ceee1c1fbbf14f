"""The stable form of `-o json` of what is shown about alerts; the rules are those of shapes.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from seawall.cli.shapes import Shape, time, word
from seawall.v1 import admin_alerts_pb2 as pb
from seawall.v1 import event_pb2


def severity(number: int) -> str:
    """Return a severity as a word."""
    return word(event_pb2.Severity, number, "SEVERITY_")


def alert(item: pb.Alert) -> Shape:
    """Return an alert."""
    subject = item.subject
    return {
        "id": item.id,
        "rule": item.rule,
        "severity": severity(item.severity),
        "phase": word(pb.AlertPhase, item.phase, "ALERT_PHASE_"),
        "summary": item.summary,
        "value": item.value,
        "threshold": item.threshold,
        "start_time": time(item.start_time),
        "fire_time": time(item.fire_time),
        "resolve_time": time(item.resolve_time),
        "notify_time": time(item.notify_time),
        "notifications": item.notifications,
        "flapping": item.flapping,
        "quiet_by": item.quiet_by,
        "acknowledged_by": item.acknowledged_by,
        "acknowledge_time": time(item.acknowledge_time),
        "acknowledge_reason": item.acknowledge_reason,
        "subject": {
            "key": subject.key,
            "component": subject.component,
            "route": subject.route,
            "method": subject.method,
            "code": subject.code,
            "endpoint": subject.endpoint,
            "error_type": subject.error_type,
            "fingerprint": subject.fingerprint,
            "proxy": subject.proxy,
            "breaker": subject.breaker,
            "event_id": subject.event_id,
        },
    }


def happening(item: pb.WatchAlertsResponse) -> Shape:
    """Return something that happened to an alert."""
    return {"what": item.what, "skipped": item.skipped, "alert": alert(item.alert)}


def history(item: pb.AlertHistoryEntry) -> Shape:
    """Return an entry of the history."""
    return {
        "number": item.number,
        "time": time(item.time),
        "what": item.what,
        "alert_id": item.alert_id,
        "rule": item.rule,
        "channel": item.channel,
        "actor": item.actor,
        "text": item.text,
    }


def delivery(item: pb.Delivery) -> Shape:
    """Return a delivery."""
    return {
        "id": item.id,
        "channel": item.channel,
        "alert_id": item.alert_id,
        "rule": item.rule,
        "severity": severity(item.severity),
        "news": item.news,
        "state": word(pb.DeliveryState, item.state, "DELIVERY_STATE_"),
        "attempts": item.attempts,
        "error": item.error,
        "message_id": item.message_id,
        "create_time": time(item.create_time),
        "next_time": time(item.next_time),
        "end_time": time(item.end_time),
        "summary": item.summary,
    }


def silence(item: pb.Silence) -> Shape:
    """Return a silence."""
    return {
        "id": item.id,
        "rules": list(item.rules),
        "filter": item.filter,
        "start_time": time(item.start_time),
        "end_time": time(item.end_time),
        "author": item.author,
        "reason": item.reason,
        "active": item.active,
    }


MAX_TRIGGERS: Final = 2


def triggers(when: Sequence[Mapping[str, Any]]) -> str:
    """Return the triggers of a rule in a few words: what is watched, and from when on it holds."""
    found = [_trigger(one) for one in when]
    more = [f"{len(found) - MAX_TRIGGERS} more"] if len(found) > MAX_TRIGGERS else []
    return ", ".join([*found[:MAX_TRIGGERS], *more])


def _trigger(one: Mapping[str, Any]) -> str:
    kind = str(one["kind"])
    of = "/".join(one.get("of", ()))
    threshold = float(one.get("threshold", 0))
    if kind in ("error_rate", "recovery_failure_rate", "disk"):
        value = f"{threshold * 100:g}%"
    elif kind in ("event_count", "queue"):
        value = f"{threshold:g}"
    elif kind == "burn_rate":
        value = f"{float(one.get('objective', 0)) * 100:g}%"
    elif kind == "absence":
        value = str(one.get("window", ""))
    else:
        value = str(one.get("severity", "")) if kind == "event" else ""
    return " ".join(part for part in (kind, of, value) if part)
