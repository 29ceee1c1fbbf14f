"""What every action has: doing, saying beforehand what it would do, and taking back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from seawall_control.domain.errors import PreconditionFailed
from seawall_control.domain.healing.actions import checked
from seawall_control.domain.healing.engine import Case
from seawall_control.services.alerting.asking import Asker
from seawall_control.services.analysis.recommending import Recommender
from seawall_control.services.archives import Archives
from seawall_control.services.edge import Clock
from seawall_control.services.fleet import Fleet
from seawall_control.services.groups import GroupService
from seawall_control.services.healing.signals import Signals
from seawall_control.services.machine import Machine
from seawall_control.services.operations import FleetOperations
from seawall_control.services.policies import PolicyService
from seawall_control.services.rollouts import Rollouts
from seawall_control.store.port import Store

ACTOR: Final = "seawall-healing"


class NothingToDo(PreconditionFailed):
    """The action has nothing to act on now. That is nobody's mistake: nobody is asked, and nothing failed."""

    reason = "NOTHING_TO_DO"


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an action."""

    ok: bool
    text: str
    undo: str = ""
    """What it is taken back with; empty where there is nothing."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What actions may lay hands on."""

    store: Store
    fleet: Fleet
    policies: PolicyService
    rollouts: Rollouts
    recommender: Recommender
    operations: FleetOperations
    groups: GroupService
    archives: Archives
    asker: Asker
    signals: Signals
    clock: Clock
    ages: Clock
    """The clock by which things are deleted."""
    machine: Machine
    hooks: Mapping[str, str]
    """Commands by the name that runbooks call them; only whoever starts the process can add one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an action helped, as it says itself."""

    helped: bool
    text: str


Note = Callable[[str, str], Awaitable[None]]
"""Writes down how far an action has come and what it is taken back with, before it goes on. Raises
`ControlError` where that cannot be kept: then nothing may be done that would have to be taken back.
"""


class Handler(ABC):
    """One action. What it raises (`ControlError`, OSError, ValueError) is why it could not be done."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    @abstractmethod
    async def preview(self, case: Case) -> str:
        """Say what would be done now, without doing it: `would ...`. Raise what doing it would raise."""

    async def basis(self, case: Case) -> str:
        """Return what the preview stands on, for an action whose plan may become another one while somebody
        thinks about it; empty: nothing. Raise what doing it would raise.
        """
        return ""

    @abstractmethod
    async def do_noting(self, case: Case, note: Note) -> Done:
        """Do it, writing down in between what must not be forgotten."""

    async def judge(self, case: Case) -> Verdict | None:
        """Say whether it helped, where the catalogue says that the action does; None: not to be said yet."""
        raise PreconditionFailed(f"{case.runbook.action} does not say itself whether it helped")

    async def undo(self, case: Case) -> Done:
        """Take it back."""
        raise PreconditionFailed(f"{case.runbook.action} cannot be taken back")


class AtOnce(Handler):
    """An action in one step: while it is done there is nothing to write down."""

    @abstractmethod
    async def do(self, case: Case) -> Done:
        """Do it."""

    async def do_noting(self, case: Case, note: Note) -> Done:
        """See `Handler.do_noting`."""
        return await self.do(case)


def number(case: Case, name: str) -> float:
    """Return a parameter that is a number."""
    value = checked(case.runbook.action, case.runbook.parameters)[name]
    assert isinstance(value, float)
    return value


def text(case: Case, name: str) -> str:
    """Return a parameter that is a text."""
    return str(checked(case.runbook.action, case.runbook.parameters)[name])


def reason(case: Case) -> str:
    """Return why it is done, for the record of whoever is told."""
    return f"{case.id}: {case.evidence}"[:500]


def subject_of(case: Case, kind: str) -> str:
    """Return the name of a subject of a kind. Raise `PreconditionFailed` for one of another kind."""
    found, _, name = case.subject.partition("/")
    if found != kind or not name:
        raise PreconditionFailed(f"{case.runbook.action} is for {kind}s, not for {case.subject}")
    return name
