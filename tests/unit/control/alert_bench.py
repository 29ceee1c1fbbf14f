"""A bench for the engine of alerts: it is told events, facts and the time, and keeps what it says."""

from __future__ import annotations

from itertools import count
from typing import Any

from seawall_control.domain.alerts.engine import Engine, News, Outcome
from seawall_control.domain.alerts.facts import Facts
from seawall_control.domain.alerts.lifecycle import Alert
from seawall_control.domain.alerts.rules import Rule, Trigger
from seawall_control.domain.alerts.silences import Silence
from seawall_control.domain.events import MICROS, Event, Severity

START_US = 1_800_000_000 * MICROS


class Bench:
    """An engine, its time, and what it has said."""

    def __init__(
        self, *rules: Rule, alerts: tuple[Alert, ...] = (), silences: tuple[Silence, ...] = ()
    ) -> None:
        numbers = count(1)
        self.at_us = START_US
        self.engine = Engine(
            rules, new_id=lambda: f"a{next(numbers)}", at_us=self.at_us, alerts=alerts, silences=silences
        )
        self.facts = Facts()
        self.told: list[tuple[News, str]] = []
        self.alerts: dict[str, Alert] = {}

    def event(self, **fields: Any) -> None:
        """Give it an event."""
        values: dict[str, Any] = {
            "id": "e1", "timestamp_us": self.at_us, "severity": Severity.MEDIUM, "component": "app", **fields
        }  # fmt: skip
        self.engine.event(Event(**values), self.at_us)

    def tick(self, after_s: float = 1.0) -> Outcome:
        """Let time pass and ask."""
        self.at_us += int(after_s * MICROS)
        outcome = self.engine.tick(self.facts, at_us=self.at_us)
        for alert in outcome.changed:
            self.alerts[alert.id] = alert
        for name in outcome.removed:
            self.alerts.pop(name, None)
        self.told += [(n.news, n.alert.subject.key) for n in outcome.notifications]
        return outcome

    def phases(self) -> list[str]:
        """Return the phases of the alerts it has made, the oldest first."""
        return [self.alerts[key].phase.value for key in sorted(self.alerts, key=lambda k: int(k[1:]))]


def rule(*triggers: Trigger, **fields: Any) -> Rule:
    """Return a rule that tells at once."""
    values: dict[str, Any] = {"name": "r", "when": triggers, "interval_s": 0.0, **fields}
    return Rule(**values)
