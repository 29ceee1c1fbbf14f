"""What operators do to groups of events: each function is told the time and who did it, and returns the group
after the change, with its version one higher.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from seawall_control.domain.errors import InvalidRequest, PreconditionFailed
from seawall_control.domain.groups import MAX_ACTIVITY, Archive, Group, GroupState, Until, become, noted


def resolved(group: Group, *, at_us: int, actor: str, revision: int = 0, text: str = "") -> Group:
    """Return the group resolved as of now, or as of a policy revision."""
    after = replace(become(group, GroupState.RESOLVED, at_us), resolved_revision=revision)
    what = f"as of policy revision {revision}" if revision else ""
    said = ": ".join(part for part in (what, text) if part)
    return noted(replace(after, version=group.version + 1), at_us, actor, "resolved", said)


def reopened(group: Group, *, at_us: int, actor: str, text: str = "") -> Group:
    """Return a resolved or archived group as an ongoing one. Raise `PreconditionFailed` for another."""
    if group.state not in (GroupState.RESOLVED, GroupState.ARCHIVED):
        raise PreconditionFailed(f"group {group.id} is {group.state.name}; nothing is to be reopened")
    after = replace(become(group, GroupState.ONGOING, at_us), version=group.version + 1)
    return noted(after, at_us, actor, "reopened", text)


def archived(group: Group, until: Until, value: int, *, at_us: int, actor: str, text: str = "") -> Group:
    """Return the group muted. `value` is a time in microseconds for `TIME`, a number of further events for
    `COUNT`. Raise `InvalidRequest` for a value that makes no sense.
    """
    said = f"until {until.name.lower()}" if until is not Until.FOREVER else "for ever"
    if until is Until.TIME:
        if value <= at_us:
            raise InvalidRequest("archive.until_time must lie ahead")
        archive = Archive(until, value)
    elif until is Until.COUNT:
        if not 1 <= value <= 2**53:
            raise InvalidRequest("archive.until_count must be 1 or more")
        said = f"until {value} more events"
        archive = Archive(until, group.events + value)
    else:
        archive = Archive(until)
    after = become(group, GroupState.ARCHIVED, at_us, due_us=value if until is Until.TIME else 0)
    after = replace(after, archive=archive, version=group.version + 1)
    return noted(after, at_us, actor, "archived", f"{said}: {text}" if text else said)


def assigned(group: Group, assignee: str, *, at_us: int, actor: str) -> Group:
    """Return the group in somebody's hands; empty takes it out of all hands."""
    after = replace(group, assignee=assignee, version=group.version + 1)
    return noted(after, at_us, actor, "assigned", assignee)


def remarked(group: Group, text: str, *, at_us: int, actor: str) -> Group:
    """Return the group with a note."""
    return noted(replace(group, version=group.version + 1), at_us, actor, "note", text)


def merged(into: Group, others: Sequence[Group], *, at_us: int, actor: str) -> Group:
    """Return a group that has taken others in."""
    everything = (into, *others)
    newest = max(everything, key=lambda group: group.last_seen_us)
    activity = sorted((a for group in everything for a in group.activity), key=lambda a: a.at_us)
    after = replace(
        into,
        first_seen_us=min(group.first_seen_us for group in everything),
        last_seen_us=newest.last_seen_us,
        events=sum(group.events for group in everything),
        counted=sum(group.counted for group in everything),
        severity=max(group.severity for group in everything),
        kind=newest.kind,
        route=newest.route,
        method=newest.method,
        code=newest.code,
        category=newest.category,
        component=newest.component,
        error_type=newest.error_type,
        reason=newest.reason,
        message=newest.message,
        hour=0,
        hour_events=0,
        limit_hour=0,
        limit=0,
        version=into.version + 1,
        activity=tuple(activity)[-MAX_ACTIVITY:],
    )
    return noted(after, at_us, actor, "merged", ", ".join(group.id for group in others)[:1024])


def split(group: Group, named: str, *, at_us: int, actor: str) -> Group:
    """Return a group of which fingerprints were taken out; its numbers stay those of its past."""
    return noted(replace(group, version=group.version + 1), at_us, actor, "split", named)
