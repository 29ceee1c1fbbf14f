"""The stable form of `-o json` for groups of events; rules as in shapes.py."""

from __future__ import annotations

from google.protobuf import json_format

from seawall.cli.shapes import Shape, time, word
from seawall.v1 import admin_groups_pb2 as pb
from seawall.v1 import event_pb2, policy_pb2


def state(item: pb.Group) -> str:
    """Return where a group stands."""
    return word(pb.GroupState, item.state, "GROUP_STATE_")


def muted_until(item: pb.Group) -> str | int | None:
    """Return `escalating`, `forever`, a time, or a number of events; None when it is not muted."""
    if not item.HasField("archive"):
        return None
    which = item.archive.WhichOneof("until")
    if which == "until_time":
        return time(item.archive.until_time)
    if which == "until_count":
        return int(item.archive.until_count)
    return "escalating" if item.archive.until_escalating else "forever"


def group(item: pb.Group) -> Shape:
    """A group."""
    return {
        "id": item.id,
        "state": state(item),
        "state_time": time(item.state_time),
        "first_seen": time(item.first_seen),
        "last_seen": time(item.last_seen),
        "events": item.events,
        "counted": item.counted,
        "severity": word(event_pb2.Severity, item.severity, "SEVERITY_"),
        "kind": word(event_pb2.EventKind, item.kind, "EVENT_KIND_"),
        "route": item.route,
        "method": item.method,
        "code": item.code,
        "category": word(policy_pb2.Category, item.category, "CATEGORY_"),
        "component": item.component,
        "error_type": item.error_type,
        "reason": item.reason,
        "message": item.message,
        "assignee": item.assignee,
        "muted_until": muted_until(item),
        "resolved_revision": item.resolved_revision or None,
        "hour_events": item.hour_events,
        "hour_limit": item.hour_limit or None,
        "why": json_format.MessageToDict(item.why),
        "activity": [
            {"time": time(one.time), "actor": one.actor, "what": one.what, "text": one.text}
            for one in item.activity
        ],
        "etag": item.etag,
    }


def hour(item: pb.HourCount) -> Shape:
    """Events of an hour."""
    return {"start": time(item.start), "events": item.events, "escalating": item.escalating}
