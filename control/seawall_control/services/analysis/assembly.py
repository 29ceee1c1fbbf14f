"""Puts analysis together, with the thresholds that it shares with the alert rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from seawall_control.domain.alerts.rules import TriggerKind
from seawall_control.services.alerting.administration import AlertAdministration, Thresholds
from seawall_control.services.alerting.deliverer import MAX_PENDING, Deliverer
from seawall_control.services.analysis.filling import Filling, Queues
from seawall_control.services.analysis.service import AnalysisService
from seawall_control.services.edge import Clock
from seawall_control.services.events import EventService
from seawall_control.services.fleet import Fleet
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

    async def objective(self) -> float | None:
        """Return the largest objective of a rule of burn rates that is on."""
        rules = [rule for rule, _ in await self._administration.rules() if not rule.disabled]
        found = [t.objective for r in rules for t in r.when if t.kind is TriggerKind.BURN_RATE]
        return max(found, default=None)


def queues_of(store: Store, deliverer: Deliverer) -> Queues:
    """Return how full the queues are: changes that wait for the store, messages that wait to be sent."""

    async def read() -> Mapping[str, float]:
        report = await store.report_state()
        found = {"deliveries": min(1.0, deliverer.pending / MAX_PENDING)}
        if report.queue_limit:
            found["store_queue"] = min(1.0, report.queued / report.queue_limit)
        return found

    return read


def analysis_service(
    store: Store,
    events: EventService,
    fleet: Fleet,
    policies: PolicyService,
    clock: Clock,
    administration: AlertAdministration,
    *,
    filling: Filling,
) -> AnalysisService:
    """Return the service."""
    shared = RuleThresholds(administration)
    return AnalysisService(store, events, fleet, policies, clock, shared, filling=filling)
