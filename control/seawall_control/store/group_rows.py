"""Turns groups into rows and back, and writes them, the same for every database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from seawall_control.domain.events import Category, EventKind, Severity
from seawall_control.domain.groups import Activity, Archive, Group, GroupState, Until
from seawall_control.store.statements import marks

GROUP_COLUMNS: Final = (
    "id", "state", "since_us", "first_seen_us", "last_seen_us", "events", "counted", "severity", "kind",
    "route", "method", "code", "category", "component", "error_type", "reason", "message", "assignee",
    "due_us", "hour", "hour_events", "limit_hour", "hour_limit", "version", "more",
)  # fmt: skip
GROUP_SELECT: Final = ", ".join(GROUP_COLUMNS)
PUT_GROUP: Final = (
    f"INSERT INTO event_groups ({GROUP_SELECT}) VALUES ({marks(len(GROUP_COLUMNS))}) "
    "ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in GROUP_COLUMNS[1:])
)
PUT_HOUR: Final = (
    "INSERT INTO group_hours (group_id, hour, events, flagged) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (group_id, hour) DO UPDATE SET events = group_hours.events + excluded.events, "
    "flagged = CASE WHEN excluded.flagged = 1 THEN 1 ELSE group_hours.flagged END"
)
# Made once: `json.dumps` makes an encoder for every call that asks for more than the defaults.
_json: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
# A look into a dictionary takes a fifth of the time of a call of the enumeration.
_STATES: Final = {int(one): one for one in GroupState}
_SEVERITIES: Final = {int(one): one for one in Severity}
_KINDS: Final = {int(one): one for one in EventKind}
_CATEGORIES: Final = {int(one): one for one in Category}


def more_of(group: Group) -> str:
    """Return the value of the last column: what operators do and what is rarely asked for, as JSON."""
    more: dict[str, object] = {"activity": [[a.at_us, a.actor, a.what, a.text] for a in group.activity]}
    if group.parts:
        more["parts"] = group.parts
    if group.archive is not None:
        more["archive"] = [int(group.archive.until), group.archive.value]
    if group.resolved_revision:
        more["resolved_revision"] = group.resolved_revision
    return _json(more)


def says_the_same(group: Group, other: Group) -> bool:
    """Tell whether two states of a group have the same last column, at the price of a few comparisons."""
    return (
        group.activity is other.activity
        and group.parts is other.parts
        and group.archive is other.archive
        and group.resolved_revision == other.resolved_revision
    )


def group_row(group: Group, more: str | None = None) -> tuple[Any, ...]:
    """Return the values of `GROUP_COLUMNS`; `more` is the last one, if it is known."""
    return (
        group.id,
        int(group.state),
        group.since_us,
        group.first_seen_us,
        group.last_seen_us,
        group.events,
        group.counted,
        int(group.severity),
        int(group.kind),
        group.route,
        group.method,
        group.code,
        int(group.category),
        group.component,
        group.error_type,
        group.reason,
        group.message,
        group.assignee,
        group.due_us,
        group.hour,
        group.hour_events,
        group.limit_hour,
        group.limit,
        group.version,
        more_of(group) if more is None else more,
    )


def group_of(row: Sequence[Any]) -> Group:
    """Return the group of a row of `GROUP_COLUMNS`."""
    value = dict(zip(GROUP_COLUMNS, row, strict=True))
    more = json.loads(value.pop("more"))
    archive = more.get("archive")
    return Group(
        state=_STATES[value.pop("state")],
        severity=_SEVERITIES[value.pop("severity")],
        kind=_KINDS[value.pop("kind")],
        category=_CATEGORIES[value.pop("category")],
        limit=value.pop("hour_limit"),
        archive=None if archive is None else Archive(Until(archive[0]), archive[1]),
        resolved_revision=more.get("resolved_revision", 0),
        parts=more.get("parts", {}),
        activity=tuple(Activity(*one) for one in more["activity"]),
        **value,
    )
