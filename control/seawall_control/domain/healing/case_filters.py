"""Filters over cases of healing: their fields, and what a tree means for one case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from seawall_control.domain import filters
from seawall_control.domain.filters import Field, Kind, Node
from seawall_control.domain.healing.engine import Case

FIELDS: Final[Mapping[str, Field]] = {
    **{
        name: Field(name, Kind.TEXT)
        for name in ("id", "runbook", "action", "subject", "state", "actor", "evidence", "outcome")
    },
    "start_time": Field("start_time", Kind.TIME),
    "change_time": Field("change_time", Kind.TIME),
}


def parse(text: str) -> Node:
    """Return the tree of a filter over cases; an empty one matches all. Raise `InvalidFilter`."""
    return filters.parse(text, FIELDS)


def matches(node: Node, case: Case) -> bool:
    """Tell whether a case satisfies a filter."""
    values: Mapping[str, str | int] = {
        "id": case.id,
        "runbook": case.runbook.name,
        "action": case.runbook.action.value,
        "subject": case.subject,
        "state": case.state.value,
        "actor": case.actor,
        "evidence": case.evidence,
        "outcome": case.outcome,
        "start_time": case.started_us,
        "change_time": case.changed_us,
    }
    return filters.holds(node, values.__getitem__)
