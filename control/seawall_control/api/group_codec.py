"""Messages of groups to values of the domain and back."""

from __future__ import annotations

from google.protobuf.struct_pb2 import Struct

from seawall.v1 import admin_groups_pb2 as pb
from seawall.v1 import event_pb2, policy_pb2
from seawall_control.api import codec
from seawall_control.domain.errors import InvalidRequest
from seawall_control.domain.escalation import HOUR_US
from seawall_control.domain.groups import Archive, Group, Until


def archive_of(message: pb.Archive) -> tuple[Until, int]:
    """Decode how a group is to be muted. Raise `InvalidRequest` when it does not say."""
    which = message.WhichOneof("until")
    if which == "until_escalating":
        return (Until.ESCALATING if message.until_escalating else Until.FOREVER), 0
    if which == "until_time":
        return Until.TIME, codec.time_us(message.until_time)
    if which == "until_count":
        return Until.COUNT, message.until_count
    raise InvalidRequest("archive says until when: until_escalating, until_time or until_count")


def _archive_message(archive: Archive) -> pb.Archive:
    if archive.until is Until.TIME:
        return pb.Archive(until_time=codec.timestamp(archive.value))
    if archive.until is Until.COUNT:
        return pb.Archive(until_count=archive.value)
    return pb.Archive(until_escalating=archive.until is Until.ESCALATING)


def group_message(group: Group) -> pb.Group:
    """Encode a group."""
    why = Struct()
    why.update(group.parts)
    return pb.Group(
        id=group.id,
        state=codec.enum(pb.GroupState, group.state),
        state_time=codec.timestamp(group.since_us),
        first_seen=codec.timestamp(group.first_seen_us),
        last_seen=codec.timestamp(group.last_seen_us),
        events=group.events,
        counted=group.counted,
        severity=codec.enum(event_pb2.Severity, group.severity),
        kind=codec.enum(event_pb2.EventKind, group.kind),
        route=group.route,
        method=group.method,
        code=group.code,
        category=codec.enum(policy_pb2.Category, group.category),
        component=group.component,
        error_type=group.error_type,
        reason=group.reason,
        message=group.message,
        assignee=group.assignee,
        archive=None if group.archive is None else _archive_message(group.archive),
        resolved_revision=group.resolved_revision,
        hour_events=group.hour_events,
        hour_limit=group.limit,
        why=why,
        activity=[
            pb.GroupActivity(time=codec.timestamp(one.at_us), actor=one.actor, what=one.what, text=one.text)
            for one in group.activity
        ],
        etag=str(group.version),
    )


def hour_message(hour: int, events: int, *, escalating: bool) -> pb.HourCount:
    """Encode the events of an hour."""
    return pb.HourCount(start=codec.timestamp(hour * HOUR_US), events=events, escalating=escalating)
