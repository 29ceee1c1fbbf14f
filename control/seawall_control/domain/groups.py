"""Groups of error events that are one problem, and the states that such a problem goes through.

    NEW         for its first seven days
    ONGOING     known, and neither of the others
    ESCALATING  this hour has more events than its past lets expect (escalation.py); until two quiet hours
    REGRESSED   came back after it was resolved; for seven days
    ARCHIVED    muted by an operator: until it escalates, until a time, until so many more events, or for ever
    RESOLVED    dealt with, as of a time or of a policy revision

The functions here are told the time and return the group after new events, or after time alone, with the
changes that others should hear of; what operators do is in group_changes.py. Words and rules after Sentry's
issue states (requirements J5, 4.11); quiet hours instead of days end an escalation, so that the next one is
noticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final

from seawall_control.domain.escalation import HOUR_US, WEEK_HOURS, History, hour_limit
from seawall_control.domain.events import Category, Event, EventKind, Json, Severity
from seawall_control.domain.values import quickly_made

WEEK_US: Final = WEEK_HOURS * HOUR_US
MAX_GROUPS: Final = 10_000
"""Groups that are kept; events of further fingerprints are counted together in `OVERFLOW`."""
OVERFLOW: Final = "overflow"
MAX_ACTIVITY: Final = 50
"""Remembered changes and notes of a group; the oldest go first."""
MAX_MEMBERS: Final = 100
"""Fingerprints that may be merged into one group."""


class GroupState(IntEnum):
    """Where a problem stands. Numbers are those of `seawall.v1.GroupState`."""

    NEW = 1
    ONGOING = 2
    ESCALATING = 3
    REGRESSED = 4
    ARCHIVED = 5
    RESOLVED = 6


class Until(IntEnum):
    """What ends an archived state."""

    ESCALATING = 1
    TIME = 2
    COUNT = 3
    FOREVER = 4


class Became(IntEnum):
    """What others should hear of."""

    NEW = 1
    ESCALATING = 2
    REGRESSED = 3
    UNMUTED = 4
    """The condition under which it was archived is met."""


@dataclass(frozen=True, slots=True)
class Archive:
    """How a group is muted."""

    until: Until
    value: int = 0
    """Microseconds since the epoch for `TIME`, the group's number of events for `COUNT`, else 0."""


@dataclass(frozen=True, slots=True)
class Activity:
    """Something that was done to a group, or said about it."""

    at_us: int
    actor: str
    """Empty for the control plane itself."""
    what: str
    """`new`, `ongoing`, `escalating`, `regressed`, `unmuted`, `archived`, `resolved`, `reopened`, `assigned`,
    `merged`, `split` or `note`.
    """
    text: str = ""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A problem. Text fields are those of its newest event."""

    id: str
    """The fingerprint of its first event."""
    state: GroupState
    since_us: int
    """Since when it has been in this state."""
    first_seen_us: int
    last_seen_us: int
    events: int
    """All events, exactly."""
    counted: int = 0
    """Those among them that a flood left unstored."""
    severity: Severity
    """The highest of its events since it was last resolved."""
    kind: EventKind = EventKind.UNSPECIFIED
    route: str = ""
    method: str = ""
    code: str = ""
    category: Category = Category.UNSPECIFIED
    component: str = ""
    error_type: str = ""
    reason: str = ""
    message: str = ""
    assignee: str = ""
    due_us: int = 0
    """When its state changes by time alone; 0: never."""
    hour: int = 0
    """The newest hour (since the epoch) in which it had events, by the time of their arrival."""
    hour_events: int = 0
    limit_hour: int = 0
    """The hour that `limit` is for."""
    limit: int = 0
    """Events of that hour above which it escalates; 0: cannot be told."""
    version: int = 1
    """Grows by one with each change by an operator."""
    archive: Archive | None = None
    resolved_revision: int = 0
    """It was resolved as of this policy revision; 0: as of `since_us`."""
    parts: Mapping[str, Json] = field(default_factory=dict)
    """Why its events are one group (grouping.py)."""
    activity: tuple[Activity, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A change of state that others should hear of."""

    became: Became
    group: Group
    events: int = 0
    """Of this hour, for an escalation."""
    limit: int = 0


@dataclass(slots=True)
class Arrival:
    """What came for one group with one batch."""

    events: list[Event] = field(default_factory=list)
    stored: int = 0
    evicted: int = 0
    """Events that were stored before and gave their place to newer ones."""
    hours: dict[int, int] = field(default_factory=dict)
    """Events by hour since the epoch, by their own time."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A group after an arrival."""

    group: Group
    changes: tuple[Change, ...] = ()
    flagged: bool = False
    """This hour is above its limit, and no measure for the next ones."""


def noted(group: Group, at_us: int, actor: str, what: str, text: str = "") -> Group:
    """Return the group with one more entry of activity."""
    return replace(group, activity=(*group.activity, Activity(at_us, actor, what, text))[-MAX_ACTIVITY:])


def become(group: Group, state: GroupState, at_us: int, *, due_us: int = 0) -> Group:
    """Return the group in another state, without what belonged to the one before."""
    return replace(group, state=state, since_us=at_us, due_us=due_us, archive=None, resolved_revision=0)


def needs_history(group: Group | None, at_us: int) -> bool:
    """Tell whether `taken` has to be given the hours of the last week."""
    return group is not None and group.limit_hour != at_us // HOUR_US


def taken(
    group: Group | None,
    group_id: str,
    arrival: Arrival,
    *,
    at_us: int,
    history: History,
    parts: Mapping[str, Json] | None = None,
) -> Taken:
    """Return the group after an arrival; None stands for a group that does not exist yet.

    `history` are its hours so far, needed when `needs_history` says so; `parts` say why it is a group, for a
    new one.
    """
    events = arrival.events
    newest = oldest = events[0]
    severity = newest.severity
    # One loop without calls: this runs for every event.
    for event in events:
        if event.timestamp_us > newest.timestamp_us:
            newest = event
        elif event.timestamp_us < oldest.timestamp_us:
            oldest = event
        severity = max(severity, event.severity)
    first_us = oldest.timestamp_us
    counted = len(events) - arrival.stored + arrival.evicted
    changes: list[Change] = []
    became_new = group is None
    if group is None:
        group = Group(
            id=group_id,
            state=GroupState.NEW,
            since_us=at_us,
            first_seen_us=first_us,
            last_seen_us=newest.timestamp_us,
            events=0,
            severity=severity,
            due_us=at_us + WEEK_US,
            parts=parts or {},
            activity=(Activity(at_us, "", "new"),),
        )
    first_us = min(group.first_seen_us, first_us)
    hour = at_us // HOUR_US
    this_hour = arrival.hours.get(hour, 0)
    limit = group.limit
    if group.limit_hour != hour:
        limit = hour_limit(history, first_seen_us=first_us, hour=hour)
    told: Event | Group = newest if newest.timestamp_us >= group.last_seen_us else group
    # Made in one go, since this runs for every group of every batch; `replace` takes twice as long.
    group = Group(
        id=group.id,
        state=group.state,
        since_us=group.since_us,
        first_seen_us=first_us,
        last_seen_us=max(group.last_seen_us, newest.timestamp_us),
        events=group.events + len(events),
        counted=group.counted + counted,
        severity=max(group.severity, severity),
        kind=told.kind,
        route=told.route,
        method=told.method,
        code=told.code,
        category=told.category,
        component=told.component,
        error_type=told.error_type,
        reason=told.reason,
        message=told.message,
        assignee=group.assignee,
        due_us=group.due_us,
        hour=hour,
        hour_events=this_hour + (group.hour_events if group.hour == hour else 0),
        limit_hour=hour,
        limit=limit,
        version=group.version,
        archive=group.archive,
        resolved_revision=group.resolved_revision,
        parts=group.parts,
        activity=group.activity,
    )
    if became_new:
        changes.append(Change(Became.NEW, group))
    flagged = 0 < group.limit < group.hour_events
    group = _after(group, events, severity, at_us=at_us, flagged=flagged, changes=changes)
    return Taken(group, tuple(changes), flagged)


def _after(
    group: Group,
    events: Sequence[Event],
    severity: Severity,
    *,
    at_us: int,
    flagged: bool,
    changes: list[Change],
) -> Group:
    """Return the group in the state that new events bring it to."""
    if group.state is GroupState.RESOLVED:
        if not _came_back(group, events):
            return group
        group = noted(
            become(group, GroupState.REGRESSED, at_us, due_us=at_us + WEEK_US), at_us, "", "regressed"
        )
        group = replace(group, severity=severity)
        changes.append(Change(Became.REGRESSED, group))
        return group
    archive = group.archive
    if group.state is GroupState.ARCHIVED and archive is not None:
        if archive.until is Until.COUNT and group.events >= archive.value:
            return _unmuted(group, at_us, changes)
        if archive.until is not Until.ESCALATING:
            return group
    if flagged:
        # Two quiet hours end it: the one after this is the first.
        due_us = (at_us // HOUR_US + 3) * HOUR_US
        if group.state is GroupState.ESCALATING:
            return replace(group, due_us=due_us)
        group = noted(become(group, GroupState.ESCALATING, at_us, due_us=due_us), at_us, "", "escalating")
        changes.append(Change(Became.ESCALATING, group, group.hour_events, group.limit))
    return group


def _came_back(group: Group, events: Iterable[Event]) -> bool:
    """Tell whether an event is of after the resolution. One that a proxy held back for a while, or that an
    older policy decided, is not.
    """
    if group.resolved_revision:
        return any(
            event.policy_revision >= group.resolved_revision
            or (not event.policy_revision and event.timestamp_us > group.since_us)
            for event in events
        )
    return any(event.timestamp_us > group.since_us for event in events)


def _unmuted(group: Group, at_us: int, changes: list[Change]) -> Group:
    group = noted(become(group, GroupState.ONGOING, at_us), at_us, "", "unmuted")
    changes.append(Change(Became.UNMUTED, group))
    return group


def aged(group: Group, *, at_us: int) -> tuple[Group, tuple[Change, ...]]:
    """Return the group in the state that time alone brings it to."""
    if not group.due_us or group.due_us > at_us:
        return group, ()
    changes: list[Change] = []
    if group.state is GroupState.ARCHIVED:
        return _unmuted(group, at_us, changes), tuple(changes)
    return noted(become(group, GroupState.ONGOING, at_us), at_us, "", "ongoing"), ()
