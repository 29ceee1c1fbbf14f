"""Runbooks as their users meet them: written, watched, approved, judged, counted.

Every change of a case is in the journal before anything else happens, so that a control plane that ends in
the middle knows after its start what it was about. Runbooks are documents; built-in ones are there until a
document of the same name takes their place.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

from seawall_control.domain.errors import (
    ControlError,
    FieldProblem,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
)
from seawall_control.domain.healing.actions import Action
from seawall_control.domain.healing.conditions import Observation, Watched, by_subject
from seawall_control.domain.healing.engine import ENDED, Case, Engine, Judge, Run, State, Step, Told, Undo
from seawall_control.domain.healing.runbooks import BUILT_IN, Mode, Runbook
from seawall_control.services.background import Background
from seawall_control.services.edge import Clock
from seawall_control.services.healing.actuators import Actuators
from seawall_control.services.healing.journal import REMEMBERED, CaseJournal
from seawall_control.services.healing.runbooks import Kept, Runbooks
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


Observe = Callable[[Watched], Awaitable[list[Observation]]]
"""Returns what is observed now of conditions and subjects; of everything when told None."""


class HealingService:
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
        self._ages = ages
        self._needs_person = needs_person
        self._tell = tell
        self.journal = CaseJournal(store, clock)
        self._clock = clock
        self.books = Runbooks(store, clock, changed=self._changed)
        self._observe = observe
        self._actuators = actuators
        self._background = background
        self._may_act = may_act
        self._engine = Engine(BUILT_IN)
        self._next_id = 1
        self._counts: Counter[tuple[str, str]] = Counter()
        self._recent: dict[str, Case] = {}
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
        cases, next_id = await self.journal.newest()
        self._next_id = max(self._next_id, next_id)
        for case in cases:
            self._count(case)
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
        watched = self._engine.watched
        seen = by_subject(await self._observe(watched)) if watched else {}
        steps = self._engine.look(seen, self._clock.now_us(), first_id=self._next_id)
        self._next_id += len(steps)
        for step in steps:
            try:
                await self._take(await self._with_plan(step))
            except ControlError as error:
                # The others of this look are as much under way as this one.
                _log.warning(
                    "a change of a case could not be recorded",
                    extra={"fields": {"case": step.case.id, "error": str(error)}},
                )

    async def _with_plan(self, step: Step) -> Step:
        """Return the step, with what would be done where somebody is to decide or to read about it."""
        if not isinstance(step, Told) or step.case.state not in (State.PROPOSED, State.DRY_RUN):
            return step
        return Told(self._engine.planned(step.case, await self._actuators.preview(step.case)))

    async def _take(self, step: Step) -> None:
        """Record a step, then do it. What could not be recorded is not begun; but it is taken back."""
        case = step.case
        if isinstance(step, Judge):
            self._background.start(self._judge(case), f"seawall-healing-judge-{case.id}")
            return
        try:
            await self._record(case)
        except ControlError:
            if isinstance(step, Run):
                self._engine.put_off(case.id)
            elif isinstance(step, Undo):
                self._background.start(self._take_back(case), f"seawall-healing-undo-{case.id}")
            raise
        level = logging.INFO if case.state in (State.HELPED, State.VERIFYING) else logging.WARNING
        _log.log(
            level,
            "healing",
            extra={
                "fields": {
                    "case": case.id,
                    "runbook": case.runbook.name,
                    "subject": case.subject,
                    "state": case.state.value,
                    "evidence": case.evidence,
                    "plan": case.plan,
                    "outcome": case.outcome,
                }
            },
        )
        if isinstance(step, Run):
            if not self._background.start(self._act(case), f"seawall-healing-{case.id}"):
                self._engine.put_off(case.id)
        elif isinstance(step, Undo):
            self._background.start(self._take_back(case), f"seawall-healing-undo-{case.id}")

    async def _act(self, case: Case) -> None:
        async def note(outcome: str, undo: str) -> None:
            try:
                await self._record(self._engine.noted(case.id, outcome=outcome, undo=undo))
            except KeyError:
                raise PreconditionFailed("the case went on at another control plane") from None

        done = await self._actuators.do(case, note)
        try:
            step = self._engine.done(
                case.id, ok=done.ok, outcome=done.text, undo=done.undo, now_us=self._clock.now_us()
            )
        except KeyError:
            # The cases were read anew meanwhile: another control plane acted in between, and judges this one.
            _log.warning(
                "a case went on elsewhere", extra={"fields": {"case": case.id, "outcome": done.text}}
            )
            return
        await self._take(step)

    async def _judge(self, case: Case) -> None:
        verdict = await self._actuators.judge(case)
        if verdict is None:
            return
        try:
            step = self._engine.judged(
                case.id, helped=verdict.helped, text=verdict.text, now_us=self._clock.now_us()
            )
        except KeyError:
            return
        await self._take(step)

    async def _take_back(self, case: Case) -> None:
        done = await self._actuators.undo(case)
        said = f"taken back: {done.text}" if done.ok else f"could not be taken back: {done.text}"
        await self._record(replace(case, outcome=f"{case.outcome}; {said}", changed_us=self._clock.now_us()))

    async def _record(self, case: Case) -> None:
        await self.journal.append(case)
        before = self._recent.get(case.id)
        self._count(case)
        if before is None or before.state is not case.state:
            self._tell(case)

    def _count(self, case: Case) -> None:
        before = self._recent.get(case.id)
        if case.state in ENDED and (before is None or before.state not in ENDED):
            self._counts[case.runbook.action.value, case.state.value] += 1
        self._recent[case.id] = case
        while len(self._recent) > REMEMBERED:
            del self._recent[next(iter(self._recent))]

    # ------------------------------------------------------------------------------------------------- cases

    @property
    def open_cases(self) -> tuple[Case, ...]:
        """Cases that have not ended."""
        return self._engine.open_cases

    async def approve(self, case_id: str, *, actor: str) -> Case:
        """Let a proposal run. Raise `PreconditionFailed`."""
        self._check_acts()
        # What was true when it was proposed need not be now; the record says what was approved.
        waiting = next((case for case in self._engine.open_cases if case.id == case_id), None)
        plan = await self._actuators.preview(waiting) if waiting is not None else ""
        try:
            case = self._engine.approve(case_id, actor, self._clock.now_us()).case
        except KeyError:
            raise self._no_proposal(case_id) from None
        step = Run(self._engine.planned(case, plan))
        await self._take(step)
        return step.case

    async def reject(self, case_id: str, *, actor: str, reason: str) -> Case:
        """End a proposal. Raise `PreconditionFailed`."""
        self._check_acts()
        try:
            step = self._engine.reject(case_id, actor, reason, self._clock.now_us())
        except KeyError:
            raise self._no_proposal(case_id) from None
        await self._take(step)
        return step.case

    async def run_now(
        self, name: str, *, subject: str = "", actor: str = "", validate_only: bool = False
    ) -> Case:
        """Do what a runbook does now, whatever its mode and threshold; or only say what that would be. The
        subject may be left out where one is observed. Raise `NotFound`, `InvalidRequest`,
        `PreconditionFailed`.
        """
        runbook = self.books.get(name).runbook
        one = await self._chosen(runbook, subject)
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
        try:
            step = self._engine.begin(
                runbook, one, f"heal-{self._next_id}", actor=actor, now_us=self._clock.now_us()
            )
        except ValueError as error:
            raise PreconditionFailed(str(error)) from None
        self._next_id += 1
        await self._take(step)
        return step.case

    async def _chosen(self, runbook: Runbook, subject: str) -> Observation:
        if subject and not fnmatchcase(subject, runbook.subject):
            raise InvalidRequest(
                f"{runbook.name} is for {runbook.subject}, not for {subject[:200]}",
                (FieldProblem("subject", f"must match {runbook.subject}"),),
            )
        wanted = frozenset({subject or runbook.subject})
        seen = [
            one
            for one in by_subject(await self._observe({runbook.condition: wanted})).values()
            if runbook.matches(one) and subject in ("", one.subject)
        ]
        if len(seen) == 1:
            return seen[0]
        if subject:
            return Observation(
                runbook.condition, subject, 0.0, "begun by hand; nothing is measured of it now"
            )
        if not seen:
            raise PreconditionFailed(
                f"nothing is measured now that {runbook.name} is about; name the subject, such as route/NAME"
            )
        some = ", ".join(sorted(one.subject for one in seen)[:10])
        raise InvalidRequest(
            f"{runbook.name} is about {len(seen)} subjects now; name one of them: {some}",
            (FieldProblem("subject", "must be given where there are several"),),
        )

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

    def effect(self) -> Mapping[tuple[str, str], int]:
        """Return how many cases ended, by action and state, among those that are remembered."""
        return dict(self._counts)
