"""Puts healing together."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from seawall_control.domain.healing.actions import Action
from seawall_control.services.alerting.asking import Asker
from seawall_control.services.analysis.recommending import Recommender
from seawall_control.services.archives import Archives
from seawall_control.services.background import Background
from seawall_control.services.edge import Clock
from seawall_control.services.events import EventService
from seawall_control.services.fleet import Fleet
from seawall_control.services.groups import GroupService
from seawall_control.services.healing.actions.base import Reach
from seawall_control.services.healing.actuators import Actuators
from seawall_control.services.healing.service import HealingService
from seawall_control.services.healing.signals import Signals
from seawall_control.services.healing.telling import CaseTeller
from seawall_control.services.machine import Machine
from seawall_control.services.operations import FleetOperations
from seawall_control.services.policies import PolicyService
from seawall_control.services.rollouts import Rollouts
from seawall_control.store.port import Store


def healing_service(  # noqa: PLR0913 - what it sees and what it acts on
    store: Store,
    events: EventService,
    fleet: Fleet,
    policies: PolicyService,
    archives: Archives,
    operations: FleetOperations,
    groups: GroupService,
    asker: Asker,
    clock: Clock,
    background: Background,
    *,
    rollouts: Rollouts,
    recommender: Recommender,
    machine: Machine,
    hooks: Mapping[str, str],
    may_act: Callable[[], bool],
    ages: Clock,
) -> HealingService:
    """Return the service; `may_act` says whether this control plane is the one that acts, `ages` what time it
    is for deletions.
    """
    signals = Signals(store, fleet, clock, machine, recommender)
    reach = Reach(
        store=store,
        fleet=fleet,
        policies=policies,
        rollouts=rollouts,
        recommender=recommender,
        operations=operations,
        groups=groups,
        archives=archives,
        asker=asker,
        signals=signals,
        clock=clock,
        ages=ages,
        machine=machine,
        hooks=hooks,
    )
    return HealingService(
        store,
        clock,
        signals.observe,
        Actuators(reach),
        background,
        may_act=may_act,
        ages=ages,
        needs_person=lambda action: policies.two_person and action is Action.TUNE,
        tell=CaseTeller(events, clock, background),
    )
