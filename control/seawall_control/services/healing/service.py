"""Runbooks as their users meet them: written, watched, approved, judged, counted.

Every change of a case is in the journal before anything else happens, so that a control plane that ends in
the middle knows after its start what it was about. Runbooks are documents; built-in ones are there until a
document of the same name takes their place.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from seawall_control.domain import paging
from seawall_control.domain.errors import (
    ControlError,
    EtagMismatch,
    FieldProblem,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
)
from seawall_control.domain.events import MICROS, Json
from seawall_control.domain.healing.conditions import Observation, by_subject
from seawall_control.domain.healing.engine import ENDED, Case, Engine, Run, State, Step, Undo
from seawall_control.domain.healing.runbooks import (
    BUILT_IN,
    MAX_RUNBOOKS,
    Mode,
    Runbook,
    of_plain,
    plain,
    problems,
)
from seawall_control.domain.records import Append, Delete, DocumentConflict, Put
from seawall_control.services.background import Background
from seawall_control.services.edge import Clock
from seawall_control.services.healing.actuators import Actuators
from seawall_control.store.port import RecordStore

EVERY_S: Final = 10.0
KIND: Final = "runbook"
TOPIC: Final = "healing"
TIDY_EVERY_S: Final = 3600.0
KEEP_ENTRIES: Final = 5000
_KEEP_US: Final = 90 * 86400 * MICROS
_REMEMBERED: Final = 1000
"""Entries that are read at the start: an open case is among the newest."""

_log = logging.getLogger("seawall.control.healing")


@dataclass(frozen=True, slots=True)
class Kept:
    """A runbook and its version; 0 for a built-in one."""

    runbook: Runbook
    version: int

    @property
    def etag(self) -> str:
        """What a change has to send."""
        return str(self.version)


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


@dataclass(frozen=True, slots=True)
class CasePage:
    """Changes of cases, newest first, and the token of the next page."""

    cases: Sequence[Case]
    next_token: str


def case_plain(case: Case) -> dict[str, Json]:
    """Return a case as JSON."""
    return {
        "id": case.id,
        "runbook": plain(case.runbook),
        "subject": case.subject,
        "state": case.state.value,
        "started_s": case.started_s,
        "evidence": case.evidence,
        "value": case.value,
        "changed_s": case.changed_s,
        "outcome": case.outcome,
        "undo": case.undo,
        "actor": case.actor,
    }


def case_of(text: str) -> Case:
    """Return the case of an entry."""
    value = json.loads(text)
    return Case(**{**value, "runbook": of_plain(value["runbook"]), "state": State(value["state"])})


class HealingService:
    """The use cases of healing."""

    def __init__(
        self,
        store: RecordStore,
        clock: Clock,
        observe: Callable[[], Awaitable[list[Observation]]],
        actuators: Actuators,
        background: Background,
        *,
        may_act: Callable[[], bool] = lambda: True,
    ) -> None:
        """`may_act` says whether this control plane is the one that acts; others only show."""
        self._store = store
        self._clock = clock
        self._observe = observe
        self._actuators = actuators
        self._background = background
        self._may_act = may_act
        self._engine = Engine(BUILT_IN)
        self._kept: dict[str, Kept] = {}
        self._next_id = 1
        self._counts: Counter[tuple[str, str]] = Counter()
        self._recent: dict[str, Case] = {}
        self._acted = False
        self._tidied_s = clock.monotonic_s()
        """Whether this control plane was the one that acts when it last looked."""

    # -------------------------------------------------------------------------------------------------- life

    async def load(self) -> None:
        """Read runbooks and open cases."""
        await self._load_runbooks()
        newest: dict[str, Case] = {}
        for entry in await self._store.entries(TOPIC, limit=_REMEMBERED):
            self._next_id = max(self._next_id, entry.number + 1)
            try:
                case = case_of(entry.body)
            except (ValueError, KeyError, TypeError):
                _log.warning("an entry about healing cannot be read", extra={"fields": {"n": entry.number}})
                continue
            number = case.id.rpartition("-")[2]
            if number.isdecimal():
                self._next_id = max(self._next_id, int(number) + 1)
            newest.setdefault(case.id, case)
        for case in newest.values():
            self._count(case)
        cases = sorted(newest.values(), key=lambda case: case.started_s)
        self._engine = Engine(self._runbooks(), tuple(cases))
        self._acted = self._may_act()

    async def reload(self) -> None:
        """Read the runbooks again, which another control plane has changed."""
        await self._load_runbooks()
        self._engine.set_runbooks(self._runbooks())

    async def _load_runbooks(self) -> None:
        kept: dict[str, Kept] = {}
        for document in await self._store.documents(KIND, limit=MAX_RUNBOOKS):
            try:
                kept[document.name] = Kept(of_plain(json.loads(document.body)), document.version)
            except (ValueError, KeyError, TypeError) as error:
                _log.warning(
                    "a runbook cannot be read and is left out",
                    extra={"fields": {"runbook": document.name, "error": str(error)}},
                )
        self._kept = kept

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
            await self._store.trim(TOPIC, keep=KEEP_ENTRIES, before_us=self._clock.now_us() - _KEEP_US)

    async def _takes_part(self) -> bool:
        """Whether this control plane acts; whoever begins to reads first what the one before has done."""
        acts = self._may_act()
        if acts and not self._acted:
            await self.load()
        self._acted = acts
        return acts

    async def look(self) -> None:
        """Look once and begin what follows."""
        seen = by_subject(await self._observe())
        steps = self._engine.look(seen, self._now(), first_id=self._next_id)
        self._next_id += len(steps)
        for step in steps:
            try:
                await self._take(step)
            except ControlError as error:
                # The others of this look are as much under way as this one.
                _log.warning(
                    "a change of a case could not be recorded",
                    extra={"fields": {"case": step.case.id, "error": str(error)}},
                )

    async def _take(self, step: Step) -> None:
        """Record a step, then do it. What could not be recorded is not begun; but it is taken back."""
        case = step.case
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
        done = await self._actuators.do(case)
        try:
            step = self._engine.done(
                case.id, ok=done.ok, outcome=done.text, undo=done.undo, now_s=self._now()
            )
        except KeyError:
            # The cases were read anew meanwhile: another control plane acted in between, and judges this one.
            _log.warning(
                "a case went on elsewhere", extra={"fields": {"case": case.id, "outcome": done.text}}
            )
            return
        await self._take(step)

    async def _take_back(self, case: Case) -> None:
        done = await self._actuators.undo(case)
        said = f"taken back: {done.text}" if done.ok else f"could not be taken back: {done.text}"
        await self._record(replace(case, outcome=f"{case.outcome}; {said}", changed_s=self._now()))

    async def _record(self, case: Case) -> None:
        self._count(case)
        body = json.dumps(case_plain(case), ensure_ascii=False, separators=(",", ":"))
        await self._store.commit([Append(TOPIC, body)], at_us=self._clock.now_us())

    def _count(self, case: Case) -> None:
        before = self._recent.get(case.id)
        if case.state in ENDED and (before is None or before.state not in ENDED):
            self._counts[case.runbook.action.value, case.state.value] += 1
        self._recent[case.id] = case
        while len(self._recent) > _REMEMBERED:
            del self._recent[next(iter(self._recent))]

    def _now(self) -> float:
        return self._clock.now_us() / MICROS

    # ---------------------------------------------------------------------------------------------- runbooks

    def _runbooks(self) -> tuple[Runbook, ...]:
        found = {runbook.name: runbook for runbook in BUILT_IN}
        found.update({name: kept.runbook for name, kept in self._kept.items()})
        return tuple(found[name] for name in sorted(found))

    def runbooks(self) -> list[Kept]:
        """Return all runbooks by name."""
        return [self._kept.get(runbook.name, Kept(runbook, 0)) for runbook in self._runbooks()]

    def runbook(self, name: str) -> Kept:
        """Return a runbook. Raise `NotFound`."""
        for kept in self.runbooks():
            if kept.runbook.name == name:
                return kept
        raise NotFound(f"there is no runbook {name[:64]!r}; `seawall heal runbooks` lists them")

    async def put_runbook(self, runbook: Runbook, *, etag: str = "", validate_only: bool = False) -> Kept:
        """Make or change a runbook. Raise `InvalidRequest` with every field that is wrong, `EtagMismatch`."""
        found = problems(runbook)
        if found:
            raise InvalidRequest(
                f"the runbook has {len(found)} mistakes; nothing was changed",
                tuple(FieldProblem(f"runbook.{field}", message) for field, message in found),
            )
        if runbook.name not in self._kept and len(self._kept) >= MAX_RUNBOOKS:
            raise PreconditionFailed(f"there are {MAX_RUNBOOKS} runbooks already; delete one first")
        expected = self._expected(runbook.name, etag)
        if validate_only:
            return Kept(runbook, expected or 0)
        body = json.dumps(plain(runbook), ensure_ascii=False)
        try:
            made = await self._store.commit(
                [Put(KIND, runbook.name, body, expected)], at_us=self._clock.now_us()
            )
        except DocumentConflict as error:
            raise EtagMismatch(str(error.expected), str(error.actual)) from None
        self._kept[runbook.name] = Kept(runbook, made.documents[0].version)
        self._engine.set_runbooks(self._runbooks())
        return self._kept[runbook.name]

    def _expected(self, name: str, etag: str) -> int | None:
        if not etag:
            return None
        actual = self._kept[name].version if name in self._kept else 0
        if etag != str(actual):
            raise EtagMismatch(etag, str(actual))
        return actual

    async def delete_runbook(self, name: str, *, etag: str = "") -> None:
        """Delete a runbook; a built-in one comes back as it was. Raise `NotFound`, `PreconditionFailed`."""
        self.runbook(name)
        if name not in self._kept:
            raise PreconditionFailed(f"{name} is built in; switch it off with mode off instead")
        expected = self._expected(name, etag)
        try:
            await self._store.commit([Delete(KIND, name, expected)], at_us=self._clock.now_us())
        except DocumentConflict as error:
            raise EtagMismatch(str(error.expected), str(error.actual)) from None
        self._kept.pop(name, None)
        self._engine.set_runbooks(self._runbooks())

    # ------------------------------------------------------------------------------------------------- cases

    async def cases(self, *, size: int = 0, token: str = "") -> CasePage:
        """Return changes of cases, newest first."""
        limit = paging.page_size(size, default=50, most=1000)
        before = int(paging.decode(token, ("healing",))[0]) if token else 0
        found = await self._store.entries(TOPIC, before=before, limit=limit + 1)
        page = found[:limit]
        more = paging.encode((page[-1].number,), ("healing",)) if len(found) > limit else ""
        return CasePage([case_of(entry.body) for entry in page], more)

    @property
    def open_cases(self) -> tuple[Case, ...]:
        """Cases that have not ended."""
        return self._engine.open_cases

    async def approve(self, case_id: str, *, actor: str) -> Case:
        """Let a proposal run. Raise `PreconditionFailed`."""
        self._check_acts()
        try:
            step = self._engine.approve(case_id, actor, self._now())
        except KeyError:
            raise self._no_proposal(case_id) from None
        await self._take(step)
        return step.case

    async def reject(self, case_id: str, *, actor: str, reason: str) -> Case:
        """End a proposal. Raise `PreconditionFailed`."""
        self._check_acts()
        try:
            step = self._engine.reject(case_id, actor, reason, self._now())
        except KeyError:
            raise self._no_proposal(case_id) from None
        await self._take(step)
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
        found = by_subject(await self._observe())
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
