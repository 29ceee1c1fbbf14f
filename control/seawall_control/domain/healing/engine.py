"""When a runbook acts, and what comes of it.

    quiet -> lasting -> (proposed ->) running -> verifying -> ended, then rest

For every runbook and subject there is at most one case at a time. The engine is told observations and the
ends of actions, and answers with what is to be done next; the service does it and records it. A case ends as
`helped` when the condition no longer holds at the time of verification, as `not_helped` when it does (what
can be taken back is), as `unclear` when nobody knows any more, and as `failed` when the action itself did not
succeed. Each start counts toward the hourly limit of its runbook, also one that only says what it would do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeAlias

from seawall_control.domain.events import MICROS
from seawall_control.domain.healing.actions import CATALOGUE
from seawall_control.domain.healing.conditions import Condition, Observation
from seawall_control.domain.healing.runbooks import Mode, Runbook

HOUR_US: Final = 3600 * MICROS
MAX_CASES: Final = 1000
"""Most cases and waiting subjects at once; more are not begun, and counted."""


class State(StrEnum):
    """Where a case is."""

    PROPOSED = "proposed"
    RUNNING = "running"
    VERIFYING = "verifying"
    HELPED = "helped"
    NOT_HELPED = "not_helped"
    UNCLEAR = "unclear"
    FAILED = "failed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    DRY_RUN = "dry_run"


ENDED: Final = frozenset(State) - {State.PROPOSED, State.RUNNING, State.VERIFYING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One remediation."""

    id: str
    runbook: Runbook
    """As it was when the case began."""
    subject: str
    state: State
    started_us: int
    """Wall time in microseconds since the epoch, as all times here: cases outlive the process."""
    evidence: str
    value: float
    changed_us: int
    """When it came into this state."""
    outcome: str = ""
    """What the action said, or why it ended so."""
    undo: str = ""
    """What the action left to take it back with; empty when there is nothing."""
    actor: str = ""
    """Who approved, rejected or began it; empty for what the runbook did by itself."""
    plan: str = ""
    """What the action would do, found out before anybody decides; empty where nobody is asked."""
    basis: str = ""
    """What the plan stands on, for actions that say so: with another one it is another plan."""
    asked_by: str = ""
    """Who asked for it, where that takes somebody else's approval."""
    asked_person: str = ""
    """Whose credential that was."""
    begun_us: int = 0
    """When it began, as the clock was then: what it is known by. The other times are moved along when the
    clock is set.
    """

    @property
    def identity(self) -> tuple[str, str]:
        """What stands for this case and no other: ids begin anew where the store is older than they are."""
        return self.id, str(self.begun_us or self.started_us)


@dataclass(frozen=True, slots=True)
class Run:
    """Do the action of a case."""

    case: Case


@dataclass(frozen=True, slots=True)
class Undo:
    """Take the action of a case back."""

    case: Case


@dataclass(frozen=True, slots=True)
class Told:
    """Record the state of a case; nothing else is to be done."""

    case: Case


@dataclass(frozen=True, slots=True)
class Judge:
    """Ask the action of a case whether it helped; `Engine.judged` takes the answer."""

    case: Case


Step: TypeAlias = Run | Undo | Told | Judge
_Key: TypeAlias = tuple[str, str]
LATE: Final = "nobody answered in time"


def _us(seconds: float) -> int:
    return round(seconds * MICROS)


def _is_late(case: Case, now_us: int) -> bool:
    return now_us - case.changed_us >= _us(case.runbook.approval_ttl_s)


class Engine:
    """All cases. Not thread-safe; every method is told the wall time in microseconds."""

    def __init__(self, runbooks: tuple[Runbook, ...] = (), cases: tuple[Case, ...] = ()) -> None:
        """Begin with these runbooks and with the open cases of an earlier life.

        A case that was running when that life ended is looked at as if its action had just been done: it may
        have been.
        """
        self._runbooks = {runbook.name: runbook for runbook in runbooks}
        self._since: dict[_Key, int] = {}
        self._rest: dict[_Key, int] = {}
        self._starts: dict[str, deque[int]] = {}
        self._cases: dict[_Key, Case] = {}
        self.not_begun = 0
        """Cases that there was no room for."""
        for case in cases:
            key = (case.runbook.name, case.subject)
            if case.state in ENDED:
                self._rest[key] = max(self._rest.get(key, 0), case.changed_us + _us(case.runbook.cooldown_s))
                continue
            kept = replace(case, state=State.VERIFYING) if case.state is State.RUNNING else case
            self._cases[key] = kept
        for case in cases:
            self._starts.setdefault(case.runbook.name, deque()).append(case.started_us)

    def moved(self, by_us: int) -> None:
        """Take in that the wall clock was set by so much: what rests or waits does so as long as before."""
        self._since = {key: at + by_us for key, at in self._since.items()}
        self._rest = {key: until + by_us for key, until in self._rest.items()}
        self._starts = {name: deque(at + by_us for at in starts) for name, starts in self._starts.items()}
        self._cases = {
            key: replace(case, started_us=case.started_us + by_us, changed_us=case.changed_us + by_us)
            for key, case in self._cases.items()
        }

    def set_runbooks(self, runbooks: tuple[Runbook, ...]) -> None:
        """Take other runbooks; cases that are under way go on as they began."""
        self._runbooks = {runbook.name: runbook for runbook in runbooks}
        self._since = {key: at for key, at in self._since.items() if key[0] in self._runbooks}

    @property
    def open_cases(self) -> tuple[Case, ...]:
        """Cases that have not ended, oldest first."""
        return tuple(sorted(self._cases.values(), key=lambda case: (case.started_us, case.id)))

    @property
    def watched(self) -> Mapping[Condition, frozenset[str]]:
        """Conditions that matter now, with the patterns of the subjects that do: those of runbooks that are
        not off, and of cases that are under way. Nothing else need be observed.
        """
        found: dict[Condition, set[str]] = {}
        for runbook in self._runbooks.values():
            if runbook.mode is not Mode.OFF:
                found.setdefault(runbook.condition, set()).add(runbook.subject)
        for case in self._cases.values():
            found.setdefault(case.runbook.condition, set()).add(case.subject)
        return {condition: frozenset(subjects) for condition, subjects in found.items()}

    def look(
        self, observations: Mapping[tuple[Condition, str], Observation], now_us: int, *, first_id: int
    ) -> tuple[Step, ...]:
        """Return what follows from what is observed now. New cases are named `heal-N` from `first_id`."""
        steps: list[Step] = [*self._verified(observations, now_us), *self._expired(observations, now_us)]
        number = first_id
        for runbook in self._runbooks.values():
            for one in observations.values():
                if not runbook.matches(one):
                    continue
                case = self._begun(runbook, one, now_us, f"heal-{number}")
                if case is not None:
                    number += 1
                    steps.append(Run(case) if case.state is State.RUNNING else Told(case))
        # A condition that is not observed any more does not last.
        self._since = {
            key: at
            for key, at in self._since.items()
            if (self._runbooks[key[0]].condition, key[1]) in observations
        }
        self._rest = {key: until for key, until in self._rest.items() if until > now_us}
        return tuple(steps)

    def _begun(self, runbook: Runbook, one: Observation, now_us: int, case_id: str) -> Case | None:
        key = (runbook.name, one.subject)
        if runbook.mode is Mode.OFF or not runbook.holds(one):
            self._since.pop(key, None)
            return None
        since = self._since.setdefault(key, now_us)
        if now_us - since < _us(runbook.lasting_s) or key in self._cases or self._rest.get(key, 0) > now_us:
            return None
        starts = self._starts.setdefault(runbook.name, deque())
        while starts and starts[0] <= now_us - HOUR_US:
            starts.popleft()
        if len(starts) >= runbook.max_per_hour:
            return None
        if len(self._cases) >= MAX_CASES:
            self.not_begun += 1
            return None
        starts.append(now_us)
        state = {Mode.DRY_RUN: State.DRY_RUN, Mode.APPROVE: State.PROPOSED}.get(runbook.mode, State.RUNNING)
        case = Case(
            id=case_id,
            runbook=runbook,
            subject=one.subject,
            state=state,
            started_us=now_us,
            evidence=one.text,
            value=one.value,
            changed_us=now_us,
            begun_us=now_us,
        )
        if state is State.DRY_RUN:
            self._rest[key] = now_us + _us(runbook.cooldown_s)
        else:
            self._cases[key] = case
        return case

    def _verified(self, observations: Mapping[tuple[Condition, str], Observation], now_us: int) -> list[Step]:
        steps: list[Step] = []
        for case in self.open_cases:
            if case.state is not State.VERIFYING or now_us - case.changed_us < _us(
                case.runbook.verify_after_s
            ):
                continue
            if CATALOGUE[case.runbook.action].judges:
                # Again after the same time, should nobody answer.
                self._cases[case.runbook.name, case.subject] = replace(case, changed_us=now_us)
                steps.append(Judge(case))
                continue
            one = observations.get((case.runbook.condition, case.subject))
            if one is None:
                steps.append(Told(self._end(case, State.UNCLEAR, "nothing is known of it any more", now_us)))
            elif not case.runbook.holds(one):
                steps.append(Told(self._end(case, State.HELPED, one.text, now_us)))
            else:
                steps.append(self._not_helped(case, one.text, now_us))
        return steps

    def _not_helped(self, case: Case, text: str, now_us: int) -> Undo | Told:
        ended = self._end(case, State.NOT_HELPED, text, now_us)
        can_undo = CATALOGUE[case.runbook.action].can_undo and ended.undo != ""
        return Undo(ended) if can_undo else Told(ended)

    def judged(self, case_id: str, *, helped: bool, text: str, now_us: int) -> Undo | Told:
        """Take what the action of a case says. Raise KeyError when no such case is to be judged."""
        case = self._open(case_id, State.VERIFYING)
        if helped:
            return Told(self._end(case, State.HELPED, text, now_us))
        return self._not_helped(case, text, now_us)

    def noted(self, case_id: str, *, outcome: str, undo: str) -> Case:
        """Keep how far a running action has come, and what it is taken back with. Raise KeyError when no such
        case is running.
        """
        case = replace(self._open(case_id, State.RUNNING), outcome=outcome, undo=undo)
        self._cases[case.runbook.name, case.subject] = case
        return case

    def _expired(self, observations: Mapping[tuple[Condition, str], Observation], now_us: int) -> list[Step]:
        steps: list[Step] = []
        for case in self.open_cases:
            if case.state is not State.PROPOSED:
                continue
            one = observations.get((case.runbook.condition, case.subject))
            if one is not None and not case.runbook.holds(one):
                steps.append(Told(self._end(case, State.EXPIRED, f"it went away: {one.text}", now_us)))
            elif _is_late(case, now_us):
                steps.append(Told(self._end(case, State.EXPIRED, LATE, now_us)))
        return steps

    def _end(self, case: Case, state: State, outcome: str, now_us: int, actor: str = "") -> Case:
        key = (case.runbook.name, case.subject)
        self._cases.pop(key, None)
        self._since.pop(key, None)
        self._rest[key] = now_us + _us(case.runbook.cooldown_s)
        said = f"{case.outcome}; {outcome}" if case.outcome and outcome else case.outcome or outcome
        return replace(case, state=state, outcome=said, changed_us=now_us, actor=actor or case.actor)

    def _open(self, case_id: str, *states: State) -> Case:
        for case in self._cases.values():
            if case.id == case_id and case.state in states:
                return case
        raise KeyError(case_id)

    def planned(self, case: Case, plan: str, basis: str = "") -> Case:
        """Note what the action of a case would do, and what that stands on; return the case."""
        key = (case.runbook.name, case.subject)
        known = self._cases.get(key)
        # Whoever was quicker with an answer has changed it meanwhile.
        if known is not None and known.id == case.id and known.state is case.state:
            self._cases[key] = replace(known, plan=plan, basis=basis)
        return replace(case, plan=plan, basis=basis)

    def begin(
        self,
        runbook: Runbook,
        one: Observation,
        case_id: str,
        *,
        actor: str,
        now_us: int,
        person: str = "",
        proposed: bool = False,
    ) -> Run | Told:
        """Begin a case because somebody says so, whatever the runbook's mode, threshold and rest; it counts
        toward the hourly limit. When only `proposed`, it waits for somebody else than this person. Raise
        ValueError with the reason when that cannot be.
        """
        key = (runbook.name, one.subject)
        if key in self._cases:
            raise ValueError(f"{self._cases[key].id} is under way for {one.subject}; wait for its end")
        if len(self._cases) >= MAX_CASES:
            raise ValueError(f"{MAX_CASES} cases are under way; wait until some have ended")
        self._starts.setdefault(runbook.name, deque()).append(now_us)
        case = Case(
            id=case_id,
            runbook=replace(runbook, mode=Mode.APPROVE) if proposed else runbook,
            subject=one.subject,
            state=State.PROPOSED if proposed else State.RUNNING,
            started_us=now_us,
            evidence=one.text,
            value=one.value,
            changed_us=now_us,
            actor=actor,
            asked_by=actor if proposed else "",
            asked_person=person if proposed else "",
            begun_us=now_us,
        )
        self._cases[key] = case
        return Told(case) if proposed else Run(case)

    def approve(self, case_id: str, actor: str, now_us: int) -> Run | Told:
        """Let a proposal run; one whose time is over ends. Raise KeyError when there is no such proposal."""
        case = self._open(case_id, State.PROPOSED)
        if _is_late(case, now_us):
            return Told(self._end(case, State.EXPIRED, LATE, now_us))
        case = replace(case, state=State.RUNNING, changed_us=now_us, actor=actor)
        self._cases[case.runbook.name, case.subject] = case
        return Run(case)

    def reject(self, case_id: str, actor: str, reason: str, now_us: int) -> Told:
        """End a proposal. Raise KeyError when there is no such proposal."""
        return Told(self._end(self._open(case_id, State.PROPOSED), State.REJECTED, reason, now_us, actor))

    def withdraw(self, case: Case, reason: str, now_us: int) -> Told:
        """End a case that stands on nothing, before it is done. Raise KeyError when it went on meanwhile."""
        return Told(self._end(self._open(case.id, case.state), State.EXPIRED, reason, now_us))

    def put_off(self, case: Case) -> None:
        """Take it that a case was never begun, or its action was not. One that was approved waits again; any
        other is gone, counts toward no limit, and begins anew while its condition holds.
        """
        key = (case.runbook.name, case.subject)
        known = self._cases.get(key)
        if known is None or known.id != case.id:
            return
        if known.state is State.RUNNING and known.actor and known.runbook.mode is Mode.APPROVE and known.plan:
            self._cases[key] = replace(known, state=State.PROPOSED, actor=known.asked_by)
            return
        del self._cases[key]
        starts = self._starts.get(known.runbook.name)
        if starts and known.started_us in starts:
            starts.remove(known.started_us)

    def done(self, case_id: str, *, ok: bool, outcome: str, undo: str, now_us: int) -> Told:
        """Take the end of an action. Raise KeyError when no such case is running."""
        case = self._open(case_id, State.RUNNING)
        if not ok:
            return Told(self._end(case, State.FAILED, outcome, now_us))
        case = replace(case, state=State.VERIFYING, outcome=outcome, undo=undo, changed_us=now_us)
        self._cases[case.runbook.name, case.subject] = case
        return Told(case)
