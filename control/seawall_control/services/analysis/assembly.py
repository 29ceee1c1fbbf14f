"""Puts analysis together, with the thresholds that it shares with the alert rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from seawall_control.services.alerting.administration import AlertAdministration, Thresholds
from seawall_control.services.analysis.service import AnalysisService
from seawall_control.services.edge import Clock
from seawall_control.services.events import EventService
from seawall_control.services.fleet import Fleet
from seawall_control.services.machine import Machine
from seawall_control.services.policies import PolicyService
from seawall_control.store.port import Store

ACTOR: Final = "seawall-analysis"


class RuleThresholds:
    """The thresholds of the built-in alert rules, by name."""

    def __init__(self, administration: AlertAdministration) -> None:
        self._administration = administration

    async def read(self) -> Mapping[str, float]:
        """Return them."""
        found = await self._administration.thresholds()
        values = {
            "error_rate": found.error_rate,
            "specific_error_count": found.specific_error_count,
            "recovery_failure_rate": found.recovery_failure_rate,
        }
        return {name: float(value) for name, value in values.items() if value is not None}

    async def write(self, values: Mapping[str, float]) -> None:
        """Change those that are given. Raise `InvalidRequest`."""
        count = values.get("specific_error_count")
        wanted = Thresholds(
            error_rate=values.get("error_rate"),
            specific_error_count=None if count is None else int(count),
            recovery_failure_rate=values.get("recovery_failure_rate"),
        )
        await self._administration.update_thresholds(wanted, validate_only=False, actor=ACTOR)


def analysis_service(
    store: Store,
    events: EventService,
    fleet: Fleet,
    policies: PolicyService,
    clock: Clock,
    administration: AlertAdministration,
    *,
    machine: Machine,
) -> AnalysisService:
    """Return the service."""
    shared = RuleThresholds(administration)
    return AnalysisService(store, events, fleet, policies, clock, shared, machine=machine)
