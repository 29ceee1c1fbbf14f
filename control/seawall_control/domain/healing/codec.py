"""Cases as text, as the journal keeps them. Version 1 had its times in seconds; it is read still."""

from __future__ import annotations

from seawall_control.domain.events import MICROS
from seawall_control.domain.healing.engine import Case, State
from seawall_control.domain.healing.runbooks import of_plain, plain
from seawall_control.domain.stored_json import Fields, text_of


def case_text(case: Case) -> str:
    """Return the text of a case."""
    return text_of(
        {
            "id": case.id,
            "runbook": plain(case.runbook),
            "subject": case.subject,
            "state": case.state.value,
            "started_us": case.started_us,
            "evidence": case.evidence,
            "value": case.value,
            "changed_us": case.changed_us,
            "outcome": case.outcome,
            "undo": case.undo,
            "actor": case.actor,
            "plan": case.plan,
        }
    )


def case_of(text: str) -> Case:
    """Return the case of a text. Raise ValueError for what is none."""
    data = Fields.parse(text)
    try:
        runbook = of_plain(data.object("runbook").data)
    except KeyError as error:
        raise ValueError(f"the runbook has no {error}") from error
    return Case(
        id=data.text("id"),
        runbook=runbook,
        subject=data.text("subject"),
        state=State(data.text("state")),
        started_us=_time(data, "started"),
        evidence=data.text("evidence"),
        value=data.number("value"),
        changed_us=_time(data, "changed"),
        outcome=data.text("outcome"),
        undo=data.text("undo"),
        actor=data.text("actor"),
        plan=data.text("plan") if "plan" in data.data else "",
    )


def _time(data: Fields, name: str) -> int:
    if f"{name}_us" in data.data:
        return data.integer(f"{name}_us")
    return round(data.number(f"{name}_s") * MICROS)
