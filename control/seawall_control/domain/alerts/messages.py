"""What people read: one alert as JSON with a fixed set of keys, and a message of several as text.

The keys are all that ever leaves the house about an alert (subject.py says why).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from seawall_control.domain.alerts.lifecycle import Alert
from seawall_control.domain.alerts.rules import Rule
from seawall_control.domain.alerts.subject import scrubbed
from seawall_control.domain.alerts.telling import News
from seawall_control.domain.events import Json

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_LISTED = 50


def moment(at_us: int) -> str:
    """Return a time in RFC 3339; empty for none."""
    if at_us <= 0:
        return ""
    at = _EPOCH + timedelta(microseconds=at_us)
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def body_of(alert: Alert, rule: Rule | None, news: News) -> dict[str, Json]:
    """Return an alert as it is told."""
    subject = alert.subject
    return {
        "alert_id": alert.id,
        "state": news.value,
        "rule": alert.rule,
        "title": scrubbed(rule.title) if rule and rule.title else alert.rule,
        "severity": alert.severity.name.lower(),
        "summary": scrubbed(alert.text),
        "value": alert.value,
        "threshold": alert.threshold,
        "started": moment(alert.since_us),
        "fired": moment(alert.fired_us),
        "resolved": moment(alert.resolved_us),
        "flapping": alert.flapping,
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
    }


def _word(body: Mapping[str, Json]) -> str:
    severity = str(body.get("severity", "")).upper()
    return "RESOLVED" if body.get("state") == News.RESOLVED else severity


def headline(bodies: Sequence[Mapping[str, Json]]) -> str:
    """Return one line for a message: a mail's subject."""
    if len(bodies) == 1:
        body = bodies[0]
        return f"[{_word(body)}] {body.get('title')}: {body.get('summary')}"
    resolved = sum(body.get("state") == News.RESOLVED for body in bodies)
    parts = [f"{len(bodies) - resolved} firing" if len(bodies) > resolved else "", f"{resolved} resolved"]
    return f"[Seawall] {', '.join(part for part in parts if part and not part.startswith('0'))}"


def text_of(bodies: Sequence[Mapping[str, Json]]) -> str:
    """Return a message as plain text."""
    blocks = [_block(body) for body in bodies[:MAX_LISTED]]
    if len(bodies) > MAX_LISTED:
        blocks.append(f"and {len(bodies) - MAX_LISTED} more; `seawall alerts list` shows them.")
    return "\n\n".join(blocks) + "\n"


_SHOWN = ("route", "method", "proxy", "code", "fired", "resolved", "rule", "alert_id", "event_id")


def _block(body: Mapping[str, Json]) -> str:
    lines = [f"[{_word(body)}] {body.get('title')}", f"  {body.get('summary')}"]
    lines += [f"  {name.replace('_', ' ')}: {body[name]}" for name in _SHOWN if body.get(name)]
    if body.get("state") == News.REPEATED:
        lines.append("  still firing, and nobody has acknowledged it")
    if body.get("flapping") and body.get("state") != News.RESOLVED:
        lines.append("  flapping: it is told as resolved once it has been quiet for ten minutes")
    return "\n".join(lines)
