"""What people hear of a case without asking."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall_control.domain.events import Severity
from seawall_control.domain.healing.actions import Action
from seawall_control.domain.healing.conditions import Condition
from seawall_control.domain.healing.engine import Case, State
from seawall_control.domain.healing.news import is_answer, news_of, route_of
from seawall_control.domain.healing.runbooks import Runbook

CASE = Case(
    id="heal-7",
    runbook=Runbook(
        name="hold", condition=Condition.ERROR_RATE, threshold=0.5, action=Action.HOLD_BREAKER_OPEN
    ),
    subject="route/pay",
    state=State.PROPOSED,
    started_us=1,
    evidence="60% of 50 calls failed",
    value=0.6,
    changed_us=1,
    outcome="held open",
    plan="would hold it open",
)


@pytest.mark.parametrize(
    ("state", "error_type", "severity", "words"),
    [
        (
            State.PROPOSED,
            "healing_proposed",
            Severity.MEDIUM,
            "waits for an answer: it would hold it open; 60% of 50 calls failed",
        ),
        (State.HELPED, "healing_helped", Severity.LOW, "helped: held open"),
        (State.NOT_HELPED, "healing_not_helped", Severity.MEDIUM, "did not help: held open"),
        (State.FAILED, "healing_failed", Severity.HIGH, "failed: held open"),
        (
            State.UNCLEAR,
            "healing_unclear",
            Severity.LOW,
            "ended, and nothing says whether it helped: held open",
        ),
    ],
)
def test_states_that_are_told(state: State, error_type: str, severity: Severity, words: str) -> None:
    """Which case, about what, and what is to be done or was."""
    found = news_of(replace(CASE, state=state))
    assert found is not None
    assert (found.error_type, found.severity) == (error_type, severity)
    assert found.message == f"Case heal-7 of runbook hold about route/pay {words}"


def test_states_that_nobody_needs_to_hear_of() -> None:
    """What is under way, what people did themselves, and what was only tried."""
    told = {state for state in State if news_of(replace(CASE, state=state)) is not None}
    assert set(State) - told == {
        State.RUNNING,
        State.VERIFYING,
        State.REJECTED,
        State.EXPIRED,
        State.DRY_RUN,
    }


def test_answers() -> None:
    """What runs because somebody said so is an answer; what runs by itself was never asked."""
    assert is_answer(replace(CASE, state=State.RUNNING, actor="ann"))
    assert not is_answer(replace(CASE, state=State.RUNNING))
    assert is_answer(replace(CASE, state=State.EXPIRED))
    assert is_answer(replace(CASE, state=State.REJECTED, actor="ann"))
    assert not is_answer(replace(CASE, state=State.HELPED, actor="ann"))


def test_routes() -> None:
    """Only what is about one has one."""
    assert route_of(CASE) == "pay"
    assert route_of(replace(CASE, subject="group/v1:a")) == ""
