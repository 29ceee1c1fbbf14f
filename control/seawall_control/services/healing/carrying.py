"""Carries cases on: every change of one is in the journal before anything else happens, so that a control
plane that ends in the middle knows after its start what it was about.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from seawall_control.domain.errors import ControlError, PreconditionFailed
from seawall_control.domain.healing.engine import ENDED, Case, Engine, Judge, Run, State, Step, Undo
from seawall_control.services.background import Background
from seawall_control.services.edge import Clock
from seawall_control.services.healing.actuators import Actuators
from seawall_control.services.healing.journal import REMEMBERED, CaseJournal

_log = logging.getLogger("seawall.control.healing")


class Carrying:
    """What a service of healing does once it is decided."""

    def __init__(
        self,
        journal: CaseJournal,
        clock: Clock,
        actuators: Actuators,
        background: Background,
        engine: Engine,
        tell: Callable[[Case], None],
    ) -> None:
        self.journal = journal
        self._clock = clock
        self._actuators = actuators
        self._background = background
        self._engine = engine
        self._tell = tell
        self._counts: Counter[tuple[str, str]] = Counter()
        self._recent: dict[str, Case] = {}
        self._owed: list[Case] = []
        """Cases whose actions are to be taken back at the next look: of an earlier life, for one."""
        self._taking_back: set[str] = set()

    async def take(self, step: Step) -> None:
        """Record a step, then do it. What could not be recorded is not begun; but it is taken back."""
        case = step.case
        if isinstance(step, Judge):
            self._background.start(self._judge(case), f"seawall-healing-judge-{case.id}")
            return
        waiting = (one.id for one in self._engine.open_cases if one.state is State.PROPOSED)
        if case.state is State.PROPOSED and case.id not in waiting:
            return  # somebody was quicker with an answer, which is on record
        try:
            await self.record(case)
        except ControlError:
            if isinstance(step, Run) or case.state is State.PROPOSED:
                self._engine.put_off(case)
            elif isinstance(step, Undo):
                self.begin_undo(case)
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
                self._engine.put_off(case)
        elif isinstance(step, Undo):
            self.begin_undo(case)

    async def _act(self, case: Case) -> None:
        async def note(outcome: str, undo: str) -> None:
            try:
                await self.record(self._engine.noted(case.id, outcome=outcome, undo=undo))
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
        await self.take(step)

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
        await self.take(step)

    def begin_undo(self, case: Case) -> None:
        """Take back what a case did, once at a time."""
        if case.id not in self._taking_back:
            self._taking_back.add(case.id)
            if not self._background.start(self._take_back(case), f"seawall-healing-undo-{case.id}"):
                self._taking_back.discard(case.id)
                self._owed.append(case)

    async def _take_back(self, case: Case) -> None:
        try:
            done = await self._actuators.undo(case)
            said = f"taken back: {done.text}" if done.ok else f"could not be taken back: {done.text}"
            outcome = f"{case.outcome}; {said}"
            await self.record(replace(case, outcome=outcome, undo="", changed_us=self._clock.now_us()))
        finally:
            self._taking_back.discard(case.id)

    async def record(self, case: Case) -> None:
        """Write down where a case is."""
        await self.journal.append(case)
        before = self._recent.get(case.id)
        self.count(case)
        if before is None or before.state is not case.state:
            self._tell(case)

    def count(self, case: Case) -> None:
        """Remember where a case is, and count it when it has ended."""
        before = self._recent.get(case.id)
        if case.state in ENDED and (before is None or before.state not in ENDED):
            self._counts[case.runbook.action.value, case.state.value] += 1
        self._recent[case.id] = case
        while len(self._recent) > REMEMBERED:
            del self._recent[next(iter(self._recent))]

    def effect(self) -> Mapping[tuple[str, str], int]:
        """Return how many cases ended, by action and state, among those that are remembered."""
        return dict(self._counts)
