"""Which channels are told of an alert, and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from seawall_control.domain.alerts import messages, outbox
from seawall_control.domain.alerts.channels import Channel
from seawall_control.domain.alerts.outbox import Delivery
from seawall_control.domain.alerts.rules import Rule
from seawall_control.domain.alerts.telling import Notification


def addressed(
    notification: Notification,
    rule: Rule | None,
    channels: Mapping[str, Channel],
    *,
    room: int,
    new_id: Callable[[], str],
    at_us: int,
) -> list[Delivery]:
    """Return a delivery for each channel: those that the rule names, or all, that take the severity. What has
    no room among those that wait has failed already.
    """
    alert = notification.alert
    body = messages.body_of(alert, rule, notification.news)
    found: list[Delivery] = []
    for name in rule.channels if rule and rule.channels else tuple(channels):
        channel = channels.get(name)
        if channel is None or channel.disabled or alert.severity < channel.min_severity:
            continue
        delivery = Delivery(
            id=new_id(),
            channel=name,
            alert_id=alert.id,
            rule=alert.rule,
            severity=alert.severity,
            news=notification.news.value,
            body=body,
            create_us=at_us,
            next_us=outbox.due_us(channel, alert.severity, at_us),
        )
        if room <= len(found):
            why = "too many messages wait already"
            delivery = outbox.not_sent(delivery, "", why, final=True, at_us=at_us)
        found.append(delivery)
    return found
