"""What people hear of a case without asking for it: the states that an event tells of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from seawall_control.domain.events import Severity
from seawall_control.domain.healing.engine import Case, State

COMPONENT: Final = "healing/"
"""What the components of these events begin with; the name of the runbook follows."""
PROPOSED: Final = "healing_proposed"
FAILED: Final = "healing_failed"
NOT_HELPED: Final = "healing_not_helped"
FOR_PEOPLE: Final = (PROPOSED, FAILED, NOT_HELPED)
"""Types of the events that somebody has to look at."""


@dataclass(frozen=True, slots=True)
class News:
    """What an event says."""

    error_type: str
    severity: Severity
    message: str


_STATES: Final[Mapping[State, tuple[str, Severity, str]]] = {
    State.PROPOSED: (PROPOSED, Severity.MEDIUM, "waits for an answer"),
    State.HELPED: ("healing_helped", Severity.LOW, "helped"),
    State.NOT_HELPED: (NOT_HELPED, Severity.MEDIUM, "did not help"),
    State.UNCLEAR: ("healing_unclear", Severity.LOW, "ended, and nothing says whether it helped"),
    State.FAILED: (FAILED, Severity.HIGH, "failed"),
}
_ANSWERED: Final = frozenset({State.RUNNING, State.REJECTED, State.EXPIRED})


def news_of(case: Case) -> News | None:
    """Return what the state of a case is worth an event for; None for one that nobody needs to hear of."""
    found = _STATES.get(case.state)
    if found is None:
        return None
    error_type, severity, words = found
    said = f"it {case.plan}; {case.evidence}" if case.state is State.PROPOSED else case.outcome
    about = f"Case {case.id} of runbook {case.runbook.name} about {case.subject} {words}"
    return News(error_type, severity, f"{about}: {said}" if said else about)


def is_answer(case: Case) -> bool:
    """Whether somebody, or the end of its time, may have answered a proposal of the case."""
    return case.state in _ANSWERED and (case.state is not State.RUNNING or bool(case.actor))


def route_of(case: Case) -> str:
    """Return the route that a case is about, or empty."""
    kind, _, name = case.subject.partition("/")
    return name if kind == "route" else ""
