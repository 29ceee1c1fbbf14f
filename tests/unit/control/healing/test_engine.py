"""Runbooks act when they should, seldom enough, and are judged; compared with a reference that keeps
everything.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from seawall_control.domain.events import MICROS
from seawall_control.domain.healing.actions import Action
from seawall_control.domain.healing.conditions import Condition, Observation, by_subject
from seawall_control.domain.healing.engine import (
    ENDED,
    Case,
    Engine,
    Judge,
    Run,
    State,
    Step,
    Told,
    Undo,
)
from seawall_control.domain.healing.runbooks import BUILT_IN, Mode, Runbook, of_plain, plain, problems

BOOK = Runbook(
    name="b",
    condition=Condition.DISK,
    threshold=0.9,
    action=Action.CLEAN_DISK,
    lasting_s=20,
    mode=Mode.AUTO,
    cooldown_s=100,
    max_per_hour=2,
    verify_after_s=30,
)
UNDOABLE = replace(
    BOOK, name="u", condition=Condition.ERROR_RATE, action=Action.HOLD_BREAKER_OPEN, parameters={}
)


def seen(value: float, subject: str = "disk/a", condition: Condition = Condition.DISK) -> Observation:
    """Return what is seen at a look."""
    return Observation(condition, subject, value, f"it is {value}")


def look(engine: Engine, now: float, *observations: Observation) -> tuple[Step, ...]:
    """Look, with ids that are new."""
    return engine.look(by_subject(observations), int(now * MICROS), first_id=int(now) + 1)


def test_a_case_that_helps() -> None:
    """It begins when the condition has lasted, is judged later, and rests after."""
    engine = Engine((BOOK,))
    assert look(engine, 0, seen(0.95)) == ()
    assert look(engine, 10, seen(0.5)) == (), "a break starts the time anew"
    assert look(engine, 15, seen(0.95)) == ()
    assert look(engine, 34, seen(0.95)) == ()
    (step,) = look(engine, 35, seen(0.95))
    assert isinstance(step, Run)
    assert step.case.evidence == "it is 0.95"
    assert look(engine, 36, seen(0.95)) == (), "one case at a time"
    told = engine.done(step.case.id, ok=True, outcome="7 events deleted", undo="", now_us=40 * MICROS)
    assert told.case.state is State.VERIFYING
    assert look(engine, 69, seen(0.5)) == ()
    (end,) = look(engine, 70, seen(0.5))
    assert end.case.state is State.HELPED
    assert end.case.outcome == "7 events deleted; it is 0.5"
    for now in range(71, 170):
        assert look(engine, now, seen(0.95)) == ()
    (again,) = look(engine, 170, seen(0.95))
    assert isinstance(again, Run)


@pytest.mark.parametrize("hours", [24, -24])
def test_a_clock_that_is_set_brings_nothing_forward(hours: int) -> None:
    """What must last, the time to judge, the rest and the hour of the limit are as long as before."""
    engine, step_s, zero = Engine((BOOK,)), hours * 3600, 1_000_000

    def set_clock() -> None:
        nonlocal zero
        zero += step_s
        engine.moved(step_s * MICROS)

    assert look(engine, zero, seen(0.95)) == ()
    set_clock()
    assert look(engine, zero + 10, seen(0.95)) == (), "it has not lasted"
    (step,) = look(engine, zero + 20, seen(0.95))
    engine.done(step.case.id, ok=True, outcome="done", undo="", now_us=(zero + 20) * MICROS)
    set_clock()
    assert look(engine, zero + 49, seen(0.5)) == (), "it is not time to judge"
    (end,) = look(engine, zero + 50, seen(0.5))
    assert end.case.state is State.HELPED
    set_clock()
    assert look(engine, zero + 51, seen(0.95)) == ()
    assert look(engine, zero + 149, seen(0.95)) == (), "it rests"
    (again,) = look(engine, zero + 150, seen(0.95))
    engine.done(again.case.id, ok=False, outcome="failed", undo="", now_us=(zero + 151) * MICROS)
    set_clock()
    assert look(engine, zero + 152, seen(0.95)) == ()
    assert look(engine, zero + 300, seen(0.95)) == (), "twice an hour"


def test_what_did_not_help_is_taken_back() -> None:
    """Where the action can be and has left something to do it with."""
    for undo, kind in (("op-1", Undo), ("", Told)):
        engine = Engine((UNDOABLE,))
        one = seen(1.0, "route/a", Condition.ERROR_RATE)
        look(engine, 0, one)
        (step,) = look(engine, 20, one)
        engine.done(step.case.id, ok=True, outcome="held", undo=undo, now_us=20 * MICROS)
        (end,) = look(engine, 50, one)
        assert type(end) is kind
        assert end.case.state is State.NOT_HELPED


def test_unknown_is_neither_helped_nor_ill() -> None:
    """A subject that is gone ends its case as unclear, and does not last."""
    engine = Engine((BOOK,))
    look(engine, 0, seen(0.95))
    look(engine, 10)
    assert look(engine, 25, seen(0.95)) == ()
    (step,) = look(engine, 45, seen(0.95))
    engine.done(step.case.id, ok=True, outcome="", undo="", now_us=45 * MICROS)
    (end,) = look(engine, 75)
    assert end.case.state is State.UNCLEAR


def test_hourly_limit_counts_all_subjects() -> None:
    """A rule that misfires stops."""
    engine = Engine((replace(BOOK, lasting_s=0),))
    steps = look(engine, 0, *(seen(0.95, f"disk/{n}") for n in range(5)))
    assert len(steps) == 2
    assert look(engine, 3599, *(seen(0.95, f"disk/{n}") for n in range(5))) == ()
    assert look(engine, 3600, seen(0.95, "disk/4")) != ()


def test_approval() -> None:
    """A proposal waits, is approved, rejected or expires; nothing runs without."""
    book = replace(BOOK, mode=Mode.APPROVE, lasting_s=0, max_per_hour=9)
    engine = Engine((book,))
    steps = look(engine, 0, *(seen(0.95, s) for s in "abc"))
    assert [type(s) for s in steps] == [Told] * 3
    ids = [s.case.id for s in steps]
    run = engine.approve(ids[0], "ann", 5 * MICROS)
    assert (run.case.state, run.case.actor) == (State.RUNNING, "ann")
    with pytest.raises(KeyError):
        engine.approve(ids[0], "bob", 6 * MICROS)
    assert engine.reject(ids[1], "bob", "known", 6 * MICROS).case.state is State.REJECTED
    (end,) = [s for s in look(engine, 3600, seen(0.95, "c")) if s.case.subject == "c"]
    assert end.case.outcome == "nobody answered in time"
    assert end.case.state is State.EXPIRED


def test_a_proposal_ends_with_its_reason() -> None:
    """What went away by itself needs no answer."""
    engine = Engine((replace(BOOK, mode=Mode.APPROVE, lasting_s=0),))
    look(engine, 0, seen(0.95))
    assert look(engine, 5) == (), "unknown is no news"
    (end,) = look(engine, 6, seen(0.5))
    assert end.case.outcome == "it went away: it is 0.5"


def test_dry_run_and_off() -> None:
    """A dry run is told once and rests; off says nothing."""
    engine = Engine((replace(BOOK, mode=Mode.DRY_RUN, lasting_s=0), replace(BOOK, name="o", mode=Mode.OFF)))
    (told,) = look(engine, 0, seen(0.95))
    assert isinstance(told, Told)
    assert told.case.state is State.DRY_RUN
    assert look(engine, 50, seen(0.95)) == ()
    assert engine.open_cases == ()


def test_failed_action_rests() -> None:
    """What failed is not tried again at once."""
    engine = Engine((replace(BOOK, lasting_s=0),))
    (step,) = look(engine, 0, seen(0.95))
    assert (
        engine.done(step.case.id, ok=False, outcome="no", undo="", now_us=1 * MICROS).case.state
        is State.FAILED
    )
    assert look(engine, 50, seen(0.95)) == ()


def test_after_a_restart() -> None:
    """Open cases go on, a running one is judged, and what ended still rests and counts."""
    engine = Engine((replace(BOOK, lasting_s=0),))
    (step,) = look(engine, 0, seen(0.95))
    ended = replace(step.case, id="x", subject="disk/b", state=State.FAILED, changed_us=5 * MICROS)
    again = Engine((replace(BOOK, lasting_s=0),), (step.case, ended))
    assert [c.state for c in again.open_cases] == [State.VERIFYING]
    assert look(again, 20, seen(0.95, "disk/b"), seen(0.95, "disk/c")) == (), "two starts in this hour"
    (end, *_) = look(again, 30, seen(0.5))
    assert end.case.state is State.HELPED


def test_what_is_watched() -> None:
    """What runbooks are about that are not off, and what cases that are under way are judged by."""
    engine = Engine((BOOK, replace(UNDOABLE, mode=Mode.OFF)))
    assert engine.watched == {Condition.DISK: {"*"}}
    look(engine, 0, seen(0.95))
    look(engine, 20, seen(0.95))
    engine.set_runbooks((replace(BOOK, mode=Mode.OFF),))
    assert engine.watched == {Condition.DISK: {"disk/a"}}
    assert Engine((replace(BOOK, mode=Mode.OFF),)).watched == {}


@pytest.mark.parametrize("book", BUILT_IN, ids=lambda b: b.name)
def test_built_in_runbooks(book: Runbook) -> None:
    """They are sound, and survive being written and read."""
    assert problems(book) == ()
    assert of_plain(plain(book)) == book


def test_problems_are_all_named() -> None:
    """Every field that cannot be used is in the list."""
    bad = replace(
        BOOK,
        name="-",
        subject="",
        threshold=float("nan"),
        lasting_s=-1,
        cooldown_s=1,
        max_per_hour=0,
        verify_after_s=0,
        approval_ttl_s=0,
        parameters={"free_shar": 1},
    )
    assert [field for field, _ in problems(bad)] == [
        "name",
        "subject",
        "threshold",
        "lasting_s",
        "cooldown_s",
        "verify_after_s",
        "approval_ttl_s",
        "max_per_hour",
        "parameters",
    ]


class AgainstReference(RuleBasedStateMachine):
    """The limits hold whatever happens, judged from the record of steps alone."""

    def __init__(self) -> None:
        super().__init__()
        self.book = replace(
            BOOK,
            action=Action.HOLD_BREAKER_OPEN,
            lasting_s=3,
            cooldown_s=10,
            verify_after_s=4,
            max_per_hour=3,
        )
        self.engine = Engine((self.book,))
        self.now = 0
        self.held: dict[str, int] = {}
        """Since when the condition holds, by subject."""
        self.starts: list[int] = []
        self.ends: dict[str, int] = {}
        self.open: dict[str, Case] = {}
        self.id = 0

    @rule(ahead=st.integers(1, 5), values=st.dictionaries(st.sampled_from("ab"), st.booleans(), max_size=2))
    def looks(self, ahead: int, values: dict[str, bool]) -> None:
        self.now += ahead
        for subject in "ab":
            if not values.get(subject, False):
                self.held.pop(subject, None)
            else:
                self.held.setdefault(subject, self.now)
        seen_now = by_subject(seen(0.95 if bad else 0.1, s) for s, bad in values.items())
        steps = self.engine.look(seen_now, self.now * MICROS, first_id=self.id)
        self.id += len(steps)
        expected = {
            s: State.UNCLEAR if s not in values else State.NOT_HELPED if values[s] else State.HELPED
            for s, c in self.open.items()
            if c.state is State.VERIFYING and self.now * MICROS - c.changed_us >= 4 * MICROS
        }
        told = {s.case.subject: s.case.state for s in steps if not isinstance(s, Run)}
        assert told == expected
        for subject in told:
            del self.open[subject]
            self.ends[subject] = self.now
            if subject in self.held:
                self.held[subject] = self.now
        for step in steps:
            if isinstance(step, Run):
                subject = step.case.subject
                assert subject not in self.open
                assert self.now - self.held[subject] >= 3
                assert self.now - self.ends.get(subject, -99) >= 10
                self.starts.append(self.now)
                self.open[subject] = step.case
        assert sum(at > self.now - 3600 for at in self.starts) <= 3

    @rule(ok=st.booleans(), subject=st.sampled_from("ab"))
    def ends_one(self, ok: bool, subject: str) -> None:
        case = self.open.get(subject)
        if case is None or case.state is not State.RUNNING:
            return
        case = self.engine.done(case.id, ok=ok, outcome="", undo="", now_us=self.now * MICROS).case
        if ok:
            self.open[subject] = case
        else:
            assert case.state in ENDED
            del self.open[subject]
            self.ends[subject] = self.now
            self.held.pop(subject, None)

    @invariant()
    def knows_the_open_ones(self) -> None:
        assert {c.subject: c for c in self.engine.open_cases} == self.open


TestAgainstReference = AgainstReference.TestCase
TestAgainstReference.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_an_action_that_judges_itself() -> None:
    """It is asked at the time of verification, again when it does not answer, and its word counts, not the
    condition's.
    """
    book = replace(BOOK, name="t", condition=Condition.TUNABLE, action=Action.TUNE, lasting_s=0)
    for helped, kind in ((True, Told), (False, Undo)):
        engine = Engine((book,))
        one = seen(1.0, "route/a", Condition.TUNABLE)
        (step,) = look(engine, 0, one)
        assert isinstance(step, Run)
        noted = engine.noted(step.case.id, outcome="rolling out", undo="r1")
        assert (noted.state, noted.undo) == (State.RUNNING, "r1")
        engine.done(step.case.id, ok=True, outcome="in effect", undo="r2", now_us=10 * MICROS)
        assert look(engine, 39, seen(0.0, "route/a", Condition.TUNABLE)) == ()
        (asked,) = look(engine, 40)
        assert isinstance(asked, Judge)
        assert look(engine, 69) == (), "it has time to answer"
        (asked,) = look(engine, 70)
        assert isinstance(asked, Judge)
        end = engine.judged(asked.case.id, helped=helped, text="numbers", now_us=71 * MICROS)
        assert type(end) is kind
        assert end.case.outcome == "in effect; numbers"
        assert end.case.state is (State.HELPED if helped else State.NOT_HELPED)
        with pytest.raises(KeyError):
            engine.judged(asked.case.id, helped=helped, text="", now_us=72 * MICROS)


def test_what_was_noted_survives_a_restart() -> None:
    """A trial whose control plane ended is judged by the next one, which knows how to undo it."""
    book = replace(BOOK, condition=Condition.TUNABLE, action=Action.TUNE, lasting_s=0)
    engine = Engine((book,))
    (step,) = look(engine, 0, seen(1.0, "route/a", Condition.TUNABLE))
    noted = engine.noted(step.case.id, outcome="rolling out", undo="r1")
    again = Engine((book,), (noted,))
    (asked,) = look(again, 30)
    assert isinstance(asked, Judge)
    assert (asked.case.state, asked.case.undo) == (State.VERIFYING, "r1")
    with pytest.raises(KeyError):
        again.noted(noted.id, outcome="", undo="")
