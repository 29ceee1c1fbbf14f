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
            "basis": case.basis,
            "asked_by": case.asked_by,
            "asked_person": case.asked_person,
            "begun_us": case.begun_us or case.started_us,
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
        plan=_later(data, "plan"),
        basis=_later(data, "basis"),
        asked_by=_later(data, "asked_by"),
        asked_person=_later(data, "asked_person"),
        begun_us=data.integer("begun_us") if "begun_us" in data.data else _time(data, "started"),
    )


def _later(data: Fields, name: str) -> str:
    """Return a text that older entries do not have."""
    return data.text(name) if name in data.data else ""


def _time(data: Fields, name: str) -> int:
    if f"{name}_us" in data.data:
        return data.integer(f"{name}_us")
    return round(data.number(f"{name}_s") * MICROS)
