"""Decides at every tick of which alerts people are told, apart from whether they fire: nothing that keeps an
alert quiet (a silence, a rule that inhibits, the action interval, the hourly bound) can lose it. What still
fires when the reason is gone is told then. People hear `resolved` of exactly those alerts that they heard of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from seawall_control.domain.alerts.lifecycle import Alert, Phase
from seawall_control.domain.alerts.rules import Rule
from seawall_control.domain.alerts.silences import Silencer
from seawall_control.domain.alerts.standing import Standing
from seawall_control.domain.events import MICROS


class News(StrEnum):
    """What people are told of an alert."""

    FIRING = "firing"
    REPEATED = "repeated"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Notification:
    """Something that the channels of a rule are to be told."""

    alert: Alert
    news: News


def told(
    standings: Mapping[str, Standing],
    silencer: Silencer,
    resolved: Sequence[Alert],
    at_us: int,
    changed: list[Alert],
) -> list[Notification]:
    """Return what is to be told now; alerts of which something changed by it are added to `changed`."""
    notifications: list[Notification] = []
    for alert in resolved:
        standing = standings.get(alert.rule)
        wanted = standing is None or standing.rule.notify_resolved
        if alert.told and wanted and _quiet_by(standings, silencer, alert, None, at_us) == "":
            notifications.append(Notification(alert, News.RESOLVED))
    firing = [a for s in standings.values() for a in s.active.values() if a.phase is Phase.FIRING]
    for alert in sorted(firing, key=lambda a: (-a.severity, a.fired_us, a.id)):
        standing = standings[alert.rule]
        quiet_by = _quiet_by(standings, silencer, alert, standing.rule, at_us)
        if quiet_by == "" and (news := _news_of(alert, standing, at_us)) is not None:
            standing.told.append(at_us)
            after = replace(
                alert,
                told=True,
                notified_us=at_us,
                notifications=alert.notifications + 1,
                quiet_by="",
            )
            notifications.append(Notification(after, news))
        elif quiet_by != alert.quiet_by:
            after = replace(alert, quiet_by=quiet_by)
        else:
            continue
        standing.active[alert.subject.key] = after
        changed.append(after)
    return notifications


def _news_of(alert: Alert, standing: Standing, at_us: int) -> News | None:
    rule = standing.rule
    wait_us = int(rule.interval_s * MICROS)
    if alert.told:
        if rule.repeat_s <= 0 or alert.acknowledged_us:
            return None
        wait_us = max(wait_us, int(rule.repeat_s * MICROS))
    if alert.notified_us and at_us - alert.notified_us < wait_us:
        return None
    if not standing.may_tell(at_us):
        return None
    return News.REPEATED if alert.told else News.FIRING


def _quiet_by(
    standings: Mapping[str, Standing], silencer: Silencer, alert: Alert, rule: Rule | None, at_us: int
) -> str:
    silence = silencer.silence_of(alert, at_us)
    if silence is not None:
        return f"silence {silence.id}"
    for name in rule.inhibited_by if rule else ():
        other = standings.get(name)
        if other is not None and any(_covers(a, alert) for a in other.active.values()):
            return f"rule {name}"
    return ""


def _covers(other: Alert, alert: Alert) -> bool:
    """Whether a firing alert is about the same route or proxy, or about no route and no proxy at all."""
    if other.phase is not Phase.FIRING or other.id == alert.id:
        return False
    mine, its = alert.subject, other.subject
    if not its.route and not its.proxy:
        return True
    return bool(its.route and its.route == mine.route) or bool(its.proxy and its.proxy == mine.proxy)
