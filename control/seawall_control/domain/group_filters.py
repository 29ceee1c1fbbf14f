"""Filters over groups: their fields, and what a tree means for one group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from seawall_control.domain import filters
from seawall_control.domain.filters import Field, Kind, Node
from seawall_control.domain.groups import Group, GroupState
from seawall_control.domain.names import CATEGORIES, KINDS, SEVERITIES

FIELDS: Final[Mapping[str, Field]] = {
    **{
        name: Field(name, Kind.TEXT)
        for name in (
            "id", "component", "error_type", "message", "route", "method", "code", "reason", "assignee",
        )
    },
    "state": Field("state", Kind.NUMBER, {state.name: int(state) for state in GroupState}),
    "severity": Field("severity", Kind.NUMBER, SEVERITIES),
    "kind": Field("kind", Kind.NUMBER, KINDS),
    "category": Field("category", Kind.NUMBER, CATEGORIES),
    "events": Field("events", Kind.NUMBER),
    "first_seen": Field("first_seen", Kind.TIME),
    "last_seen": Field("last_seen", Kind.TIME),
    "since": Field("since", Kind.TIME),
}  # fmt: skip


def parse(text: str) -> Node:
    """Return the tree of a filter over groups; an empty one matches all. Raise `InvalidFilter`."""
    return filters.parse(text, FIELDS)


def matches(node: Node, group: Group) -> bool:
    """Tell whether a group satisfies a filter."""

    def value_of(name: str) -> str | int:
        found = getattr(group, f"{name}_us" if FIELDS[name].kind is Kind.TIME else name)
        return found if isinstance(found, str) else int(found)

    return filters.holds(node, value_of)
