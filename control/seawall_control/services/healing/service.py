"""Runbooks as their users meet them: written, watched, approved, judged, counted.

Runbooks are documents; built-in ones are there until a document of the same name takes their place.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from seawall_control.domain.errors import (
    ControlError,
    InvalidRequest,
    NotFound,
    NotKnownYet,
    PermissionDenied,
    PreconditionFailed,
)
from seawall_control.domain.healing.actions import Action
from seawall_control.domain.healing.conditions import Observation, by_subject
from seawall_control.domain.healing.engine import Case, Engine, Run, State, Step, Told
from seawall_control.domain.healing.owed import not_ahead, owes_undo
from seawall_control.domain.healing.runbooks import BUILT_IN, Mode, Runbook
from seawall_control.services.background import Background
from seawall_control.services.edge import Clock
from seawall_control.services.healing.actuators import Actuators
from seawall_control.services.healing.carrying import Carrying
from seawall_control.services.healing.journal import CaseJournal
from seawall_control.services.healing.runbooks import Kept, Runbooks
from seawall_control.services.healing.subjects import Observe, chosen
from seawall_control.services.steady_clock import SteadyClock
from seawall_control.store.port import RecordStore

EVERY_S: Final = 10.0
TIDY_EVERY_S: Final = 3600.0

_log = logging.getLogger("seawall.control.healing")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a runbook says about an observation now."""

    runbook: str
    holds: bool
    mode: Mode


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One observation, and the runbooks whose business it is."""

    observation: Observation
    verdicts: tuple[Verdict, ...]


class HealingService(Carrying):
    """The use cases of healing."""

    def __init__(
        self,
        store: RecordStore,
        clock: Clock,
        observe: Observe,
        actuators: Actuators,
        background: Background,
        *,
        may_act: Callable[[], bool] = lambda: True,
        ages: Clock,
        needs_person: Callable[[Action], bool] = lambda _: False,
        tell: Callable[[Case], None] = lambda _: None,
    ) -> None:
        """`may_act` says whether this control plane is the one that acts; others only show. `ages` is what
        time it is for what is dropped. `needs_person`: whether an action is never done by itself here, so
        that a case that would be done waits for approval. `tell` is called with each new state of a case that
        is on record.
        """
        # Cool-downs and limits last as long as they say, whatever becomes of the wall clock.
        self._steady = clock = SteadyClock(clock)
        super().__init__(CaseJournal(store, clock), clock, actuators, background, Engine(BUILT_IN), tell)
        self._ages = ages
        self._needs_person = needs_person
        self.books = Runbooks(store, clock, changed=self._changed)
        self._observe = observe
        self._may_act = may_act
        self._next_id = 1
        self._acted = False
        """Whether this control plane was the one that acts when it last looked."""
        self._tidied_s = clock.monotonic_s()

    async def set_runbook(self, runbook: Runbook, *, etag: str = "", validate_only: bool = False) -> Kept:
        """Make or change a runbook, which must be able to act if it may. Raise as `Runbooks.put`."""
        if runbook.mode in (Mode.APPROVE, Mode.AUTO) and (problem := self._actuators.problem(runbook)):
            raise InvalidRequest.of([problem], "nothing was changed")
        return await self.books.put(runbook, etag=etag, validate_only=validate_only)

    # -------------------------------------------------------------------------------------------------- life

    async def load(self) -> None:
        """Read runbooks and open cases."""
        await self.books.load()
        found, next_id = await self.journal.newest()
        # Nothing that was known before is left, so there is nothing to move along.
        self._steady.follow()
        now_us = self._clock.now_us()
        cases = [not_ahead(case, now_us) for case in found]
        self._next_id = max(self._next_id, next_id)
        for case in cases:
            self.count(case)
        self._owed = [case for case in cases if owes_undo(case, now_us)]
        self._engine = Engine(self._runbooks(), tuple(cases))
        self._acted = self._may_act()

    async def run(self) -> None:
        """Look every ten seconds, until cancelled."""
        while True:
            try:
                if await self._takes_part():
                    await self.look()
                    await self._tidy()
            except ControlError as error:
                _log.warning("healing could not look", extra={"fields": {"error": str(error)}})
            await asyncio.sleep(EVERY_S)

    async def _tidy(self) -> None:
        """Drop what is old, once an hour: trimming is a commit, which a plane at rest need not make."""
        now_s = self._clock.monotonic_s()
        if now_s - self._tidied_s >= TIDY_EVERY_S:
            self._tidied_s = now_s
            await self.journal.trim(self._ages.now_us())

    async def _takes_part(self) -> bool:
        """Whether this control plane acts; whoever begins to reads first what the one before has done."""
        acts = self._may_act()
        if acts and not self._acted:
            await self.load()
        self._acted = acts
        return acts

    def _changed(self) -> None:
        self._engine.set_runbooks(self._runbooks())

    def _runbooks(self) -> tuple[Runbook, ...]:
        """Return the runbooks as they are carried out here."""
        return tuple(
            replace(runbook, mode=Mode.APPROVE)
            if runbook.mode is Mode.AUTO and self._needs_person(runbook.action)
            else runbook
            for runbook in self.books.values()
        )

    async def look(self) -> None:
        """Look once, at what a runbook or a case is about, and begin what follows."""
        owed, self._owed = self._owed, []
        for case in owed:
            self.begin_undo(case)
        if by_us := self._steady.follow():
            self._engine.moved(by_us)
        watched = self._engine.watched
        seen = by_subject(await self._observe(watched)) if watched else {}
        steps = self._engine.look(seen, self._clock.now_us(), first_id=self._next_id)
        self._next_id += len(steps)
        for step in steps:
            try:
                await self.take(await self._with_plan(await self._unless_idle(step)))
            except ControlError as error:
                # The others of this look are as much under way as this one.
                _log.warning(
                    "a change of a case could not be recorded",
                    extra={"fields": {"case": step.case.id, "error": str(error)}},
                )

    async def _unless_idle(self, step: Step) -> Step:
        """Return the step, or the end of its case where there is nothing to do: nobody is asked in vain."""
        begins = isinstance(step, Run) or (isinstance(step, Told) and step.case.state is State.PROPOSED)
        if not begins or not (why := await self._actuators.idle(step.case)):
            return step
        try:
            return self._engine.withdraw(step.case, f"nothing to do: {why}", self._clock.now_us())
        except KeyError:
            return step  # somebody was quicker with an answer

    async def _with_plan(self, step: Step) -> Step:
        """Return the step, with what would be done where somebody is to decide or to read about it."""
        if not isinstance(step, Told) or step.case.state not in (State.PROPOSED, State.DRY_RUN):
            return step
        try:
            # First, so that a plan that becomes another one in between is noticed by whoever approves it.
            basis = await self._actuators.basis(step.case) if step.case.state is State.PROPOSED else ""
        except ControlError:
            basis = ""  # the plan says why
        return Told(self._engine.planned(step.case, await self._actuators.preview(step.case), basis))

    # ------------------------------------------------------------------------------------------------- cases

    @property
    def open_cases(self) -> tuple[Case, ...]:
        """Cases that have not ended."""
        return self._engine.open_cases

    async def approve(self, case_id: str, *, actor: str, caller: str = "", person: str = "") -> Case:
        """Let a proposal run. Where that takes a person, the `caller` counts and not what it says of itself,
        and the `person` must be another than who has asked for it. Raise `NotFound`, `PermissionDenied`, and
        `PreconditionFailed`, also where there is another plan by now: that waits to be looked at.
        """
        self._check_acts()
        waiting = next((case for case in self._engine.open_cases if case.id == case_id), None)
        if waiting is None or waiting.state is not State.PROPOSED:
            raise self._no_proposal(case_id)
        if self._needs_person(waiting.runbook.action):
            actor = caller or actor
            _check_other(waiting, actor, person)
        plan, basis = await self._approvable(waiting)
        try:
            step = self._engine.approve(case_id, actor, self._clock.now_us())
        except KeyError:
            raise self._no_proposal(case_id) from None
        if isinstance(step, Told):
            await self.take(step)
            raise self._no_proposal(case_id)
        step = Run(self._engine.planned(step.case, plan, basis))
        await self.take(step)
        return step.case

    async def _approvable(self, case: Case) -> tuple[str, str]:
        """Return what would be done now and what that stands on, if it is what was proposed. The numbers may
        be others, and the record says which were approved; but no other thing is done than was looked at.
        """
        try:
            basis = await self._actuators.basis(case)
        except (NotFound, PreconditionFailed) as error:
            if isinstance(error, NotKnownYet) or not case.basis:
                raise  # the plan said so: it could not be done then, either
            await self.take(self._withdrawn(case, f"it is not wanted any more: {error}"))
            raise PreconditionFailed(f"{case.id} has ended: {error}") from None
        plan = await self._actuators.preview(case)
        if basis == case.basis:
            return plan, basis
        other = self._engine.planned(case, plan, basis)
        if other not in self._engine.open_cases:
            raise self._no_proposal(case.id)  # somebody was quicker with an answer
        await self.record(other)
        raise PreconditionFailed(
            f"{case.id} is another change by now, as the policy or what is recommended has changed: {plan}. "
            f"If that is wanted, approve it again (seawall heal approve {case.id})"
        )

    def _withdrawn(self, case: Case, reason: str) -> Told:
        try:
            return self._engine.withdraw(case, reason, self._clock.now_us())
        except KeyError:
            raise self._no_proposal(case.id) from None

    async def reject(self, case_id: str, *, actor: str, reason: str) -> Case:
        """End a proposal. Raise `PreconditionFailed`."""
        self._check_acts()
        try:
            step = self._engine.reject(case_id, actor, reason, self._clock.now_us())
        except KeyError:
            raise self._no_proposal(case_id) from None
        await self.take(step)
        return step.case

    async def run_now(
        self,
        name: str,
        *,
        subject: str = "",
        actor: str = "",
        caller: str = "",
        person: str = "",
        validate_only: bool = False,
    ) -> Case:
        """Do what a runbook does now, whatever its mode and threshold; or only say what that would be. The
        subject may be left out where one is observed. What takes a person is proposed to another one. Raise
        `NotFound`, `InvalidRequest`, `PreconditionFailed`.
        """
        runbook = self.books.get(name).runbook
        one = await chosen(self._observe, runbook, subject)
        if validate_only:
            now_us = self._clock.now_us()
            case = Case(
                id="",
                runbook=runbook,
                subject=one.subject,
                state=State.DRY_RUN,
                started_us=now_us,
                evidence=one.text,
                value=one.value,
                changed_us=now_us,
                actor=actor,
            )
            return replace(case, plan=await self._actuators.preview(case))
        self._check_acts()
        proposed = self._needs_person(runbook.action)
        try:
            begun = self._engine.begin(
                runbook,
                one,
                f"heal-{self._next_id}",
                actor=(caller or actor) if proposed else actor,
                person=person,
                proposed=proposed,
                now_us=self._clock.now_us(),
            )
        except ValueError as error:
            raise PreconditionFailed(str(error)) from None
        self._next_id += 1
        step = await self._with_plan(begun)
        await self.take(step)
        return step.case

    def _check_acts(self) -> None:
        # What another one has proposed, begun or ended is not known here: an action might run twice.
        if not (self._may_act() and self._acted):
            raise PreconditionFailed(
                "another control plane on the same store acts on cases now; ask that one, or try again when "
                "this one does"
            )

    def _no_proposal(self, case_id: str) -> ControlError:
        known = self._recent.get(case_id)
        if known is None:
            return NotFound(f"there is no case {case_id[:64]!r}; `seawall heal cases` lists them")
        return PreconditionFailed(f"{case_id} is {known.state.value}, it waits for no answer")

    async def diagnose(self) -> list[Diagnosis]:
        """Look at everything now and say what each runbook thinks of it; nothing is done."""
        found = by_subject(await self._observe(None))
        return [
            Diagnosis(
                one,
                tuple(
                    Verdict(runbook.name, runbook.holds(one), runbook.mode)
                    for runbook in self._runbooks()
                    if runbook.matches(one)
                ),
            )
            for _, one in sorted(found.items())
        ]


def _check_other(case: Case, actor: str, person: str) -> None:
    """Raise `PermissionDenied` for who has asked for a case, whichever credential is shown."""
    if case.asked_by and (actor == case.asked_by or person == case.asked_person):
        raise PermissionDenied(
            f"{case.asked_by} has asked for {case.id}; somebody else approves it (seawall heal approve "
            f"{case.id})"
        )
