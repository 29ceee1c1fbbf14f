"""`seawall groups`: events that are one problem, and what is done about it."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from seawall.cli import render
from seawall.cli.options import DURATION, WholeRange, connect, control_option, emit, output_option, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

    from seawall.v1.admin_groups_pb2 import GetGroupResponse, Group

    R = TypeVar("R", bound=Message)

_COLOURS: Final = {"escalating": "red", "regressed": "red", "new": "yellow", "resolved": "green"}
_ORDERS: Final = {"last-seen": "last_seen desc", "count": "events desc", "first-seen": "first_seen desc"}


@click.group()
def groups() -> None:
    """See, assign, mute, resolve and merge groups of events.

    Events of one cause are one group, with a state: new, ongoing, escalating, regressed, archived (muted) or
    resolved. Its number of events is exact, also when a flood left most of them unstored.
    """


def _send(target: str, method: str, request: Message, response: type[R]) -> R:
    with connect(target) as seawall:
        return seawall.call(f"/seawall.v1.GroupService/{method}", request, response)


@groups.command("list")
@click.option(
    "--filter", "filter_", default="", help="AIP-160 filter, such as 'state = NEW AND severity >= HIGH'."
)
@click.option("--all", "everything", is_flag=True, help="Resolved and muted ones too.")
@click.option(
    "--order", type=click.Choice(list(_ORDERS)), default="last-seen", show_default=True, help="First is what?"
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
@control_option
@output_option
def list_(filter_: str, everything: bool, order: str, limit: int, target: str, output: str) -> None:
    """List groups: those that are open, unless a filter or --all says otherwise."""
    from seawall.cli import group_shapes
    from seawall.v1 import admin_groups_pb2 as pb

    wanted = filter_ if filter_ or everything else "state < ARCHIVED"
    request = pb.ListGroupsRequest(filter=wanted, page_size=limit, order_by=_ORDERS[order])
    answer = _send(target, "ListGroups", request, pb.ListGroupsResponse)
    emit(
        output, {"groups": [group_shapes.group(one) for one in answer.groups]}, lambda: _table(answer.groups)
    )
    if answer.next_page_token:
        say("There are more; narrow them down with --filter, or raise --limit.")


def _table(items: Any) -> str:
    from seawall.cli import group_shapes, shapes

    if not items:
        say("No groups.")
        return ""
    now = datetime.now(UTC)
    rows: list[list[str | render.Cell]] = []
    for item in items:
        shape = group_shapes.group(item)
        rows.append(
            [
                render.Cell(shape["state"], fg=_COLOURS.get(shape["state"])),
                render.severity(shape["severity"]),
                render.count(item.events),
                f"{render.ago(shapes.moment(item.last_seen), now)} ago",
                shape["component"] or shape["route"] or "-",
                render.clip(f"{shape['error_type']}: {shape['message']}", 60),
                shape["assignee"] or "-",
                shape["id"],
            ]
        )
    return render.table(
        ["STATE", "SEVERITY", "EVENTS", "LAST", "COMPONENT", "WHAT", "WHO", "ID"], rows, right="EVENTS"
    )


@groups.command()
@click.argument("group_id", metavar="ID")
@click.option(
    "--window", type=DURATION, default="24h", show_default=True, help="How far back hours are shown."
)
@control_option
@output_option
def describe(group_id: str, window: float, target: str, output: str) -> None:
    """Say everything about group ID: why it is one, what was done, its hours and newest events."""
    from google.protobuf.duration_pb2 import Duration

    from seawall.cli import group_shapes, shapes
    from seawall.v1 import admin_groups_pb2 as pb

    request = pb.GetGroupRequest(id=group_id, window=Duration(seconds=int(window)))
    answer = _send(target, "GetGroup", request, pb.GetGroupResponse)
    shape: dict[str, Any] = {
        "group": group_shapes.group(answer.group),
        "samples": [shapes.event(one) for one in answer.samples],
        "hours": [group_shapes.hour(one) for one in answer.hours],
        "fingerprints": list(answer.fingerprints),
    }
    emit(output, shape, lambda: _described(answer, shape["group"]))


def _described(answer: GetGroupResponse, shape: dict[str, Any]) -> str:
    from seawall.cli import group_shapes
    from seawall.cli.commands.events import line

    stored = f"{render.count(shape['events'])}, {render.count(shape['counted'])} of them counted only"
    limit = f" (escalates above {render.count(shape['hour_limit'])})" if shape["hour_limit"] else ""
    muted = shape["muted_until"]
    parts = [
        render.fields(
            [
                ("Group", shape["id"]),
                ("State", f"{shape['state']}, since {shape['state_time']}"),
                ("Muted until", "" if muted is None else str(muted)),
                ("Severity", render.severity(shape["severity"])),
                ("Assignee", shape["assignee"]),
                ("Component", shape["component"]),
                ("Method", shape["method"]),
                ("Type", shape["error_type"]),
                ("Message", shape["message"]),
                ("Events", stored if shape["counted"] else render.count(shape["events"])),
                ("This hour", f"{render.count(shape['hour_events'])}{limit}"),
                ("First seen", shape["first_seen"] or "-"),
                ("Last seen", shape["last_seen"] or "-"),
                ("Why one group", ", ".join(f"{key} {value}" for key, value in shape["why"].items())),
            ]
        )
    ]
    if len(answer.fingerprints) > 1:
        parts.append("Fingerprints:\n" + "\n".join(f"  {one}" for one in answer.fingerprints))
    if answer.hours:
        hours: list[list[str | render.Cell]] = [
            [one["start"], render.count(one["events"]), "escalating" if one["escalating"] else ""]
            for one in map(group_shapes.hour, answer.hours)
        ]
        parts.append(render.table(["HOUR", "EVENTS", ""], hours, right="EVENTS"))
    done: list[list[str | render.Cell]] = [
        [one["time"], one["what"], one["actor"] or "-", render.clip(one["text"], 80)]
        for one in shape["activity"]
    ]
    parts.append(render.table(["TIME", "WHAT", "WHO", "SAID"], done))
    if answer.samples:
        parts.append("Newest events:\n" + "\n".join(line(one) for one in answer.samples))
    return "\n\n".join(parts)


def _told(group: Group, output: str) -> None:
    from seawall.cli import group_shapes

    shape = group_shapes.group(group)
    emit(output, shape, lambda: f"{group.id} is {stands(shape)}")


def stands(shape: Mapping[str, Any]) -> str:
    """Return where a group stands and whose it is, in words."""
    muted = shape["muted_until"]
    if muted is None:
        found = str(shape["state"])
    elif muted == "forever":
        found = "muted for ever"
    elif muted == "escalating":
        found = "muted until it escalates"
    elif isinstance(muted, int):
        found = f"muted for {render.count(muted)} more events"
    else:
        found = f"muted until {muted}"
    return f"{found}, assigned to {shape['assignee']}" if shape["assignee"] else found


@groups.command()
@click.argument("group_id", metavar="ID")
@click.option("-m", "--resolution", default="", help="What was done about it; kept in the record.")
@click.option(
    "--in-revision",
    type=WholeRange(1),
    help="Only events that this policy revision or a later one decided bring it back.",
)
@control_option
@output_option
def resolve(group_id: str, resolution: str, in_revision: int | None, target: str, output: str) -> None:
    """Say that a problem is dealt with. Its stored events are resolved too; a newer event brings it back."""
    from seawall.client.calls import default_author
    from seawall.v1 import admin_groups_pb2 as pb

    request = pb.ResolveGroupRequest(
        id=group_id, resolution=resolution, policy_revision=in_revision or 0, actor=default_author()
    )
    answer = _send(target, "ResolveGroup", request, pb.ResolveGroupResponse)
    _told(answer.group, output)
    say(f"{render.count(answer.resolved)} stored events were unresolved and are resolved now.")


@groups.command()
@click.argument("group_id", metavar="ID")
@click.option("-m", "--note", default="", help="Why.")
@control_option
@output_option
def reopen(group_id: str, note: str, target: str, output: str) -> None:
    """Take a resolution or a muting back."""
    from seawall.client.calls import default_author
    from seawall.v1 import admin_groups_pb2 as pb

    request = pb.ReopenGroupRequest(id=group_id, note=note, actor=default_author())
    _told(_send(target, "ReopenGroup", request, pb.ReopenGroupResponse).group, output)


@groups.command()
@click.argument("group_id", metavar="ID")
@click.option("--for", "duration", type=DURATION, help="For so long.")
@click.option("--count", type=WholeRange(1), help="Until so many more events have come.")
@click.option("--forever", is_flag=True, help="For ever.")
@click.option("-m", "--note", default="", help="Why.")
@control_option
@output_option
def mute(
    group_id: str,
    duration: float | None,
    count: int | None,
    forever: bool,
    note: str,
    target: str,
    output: str,
) -> None:
    """Mute a group: until it escalates, unless an option says until when. It goes on counting."""
    from google.protobuf.field_mask_pb2 import FieldMask
    from google.protobuf.timestamp_pb2 import Timestamp

    from seawall.client.calls import default_author
    from seawall.v1 import admin_groups_pb2 as pb

    if sum((duration is not None, count is not None, forever)) > 1:
        raise click.UsageError("Say one of --for, --count and --forever.")
    if duration is not None:
        archive = pb.Archive(until_time=Timestamp(seconds=int(time.time() + duration)))
    elif count is not None:
        archive = pb.Archive(until_count=count)
    else:
        archive = pb.Archive(until_escalating=not forever)
    request = pb.UpdateGroupRequest(
        group=pb.Group(id=group_id, archive=archive),
        update_mask=FieldMask(paths=["archive"]),
        note=note,
        actor=default_author(),
    )
    _told(_send(target, "UpdateGroup", request, pb.UpdateGroupResponse).group, output)


@groups.command()
@click.argument("group_id", metavar="ID")
@click.argument("assignee", metavar="WHO", default="")
@control_option
@output_option
def assign(group_id: str, assignee: str, target: str, output: str) -> None:
    """Put a group into the hands of WHO; without WHO, into nobody's."""
    from google.protobuf.field_mask_pb2 import FieldMask

    from seawall.client.calls import default_author
    from seawall.v1 import admin_groups_pb2 as pb

    request = pb.UpdateGroupRequest(
        group=pb.Group(id=group_id, assignee=assignee),
        update_mask=FieldMask(paths=["assignee"]),
        actor=default_author(),
    )
    _told(_send(target, "UpdateGroup", request, pb.UpdateGroupResponse).group, output)


@groups.command()
@click.argument("group_id", metavar="ID")
@click.argument("text", metavar="TEXT")
@control_option
@output_option
def note(group_id: str, text: str, target: str, output: str) -> None:
    """Add a note to a group."""
    from seawall.client.calls import default_author
    from seawall.v1 import admin_groups_pb2 as pb

    request = pb.UpdateGroupRequest(group=pb.Group(id=group_id), note=text, actor=default_author())
    _told(_send(target, "UpdateGroup", request, pb.UpdateGroupResponse).group, output)


@groups.command()
@click.argument("group_id", metavar="ID")
@click.argument("others", metavar="OTHER...", nargs=-1, required=True)
@control_option
@output_option
def merge(group_id: str, others: tuple[str, ...], target: str, output: str) -> None:
    """Make OTHER groups part of group ID, also for events to come."""
    from seawall.client.calls import default_author
    from seawall.v1 import admin_groups_pb2 as pb

    request = pb.MergeGroupsRequest(id=group_id, ids=others, actor=default_author())
    _told(_send(target, "MergeGroups", request, pb.MergeGroupsResponse).group, output)


@groups.command()
@click.argument("group_id", metavar="ID")
@click.argument("fingerprints", metavar="FINGERPRINT...", nargs=-1, required=True)
@control_option
@output_option
def split(group_id: str, fingerprints: tuple[str, ...], target: str, output: str) -> None:
    """Take FINGERPRINTs that were merged out of group ID; their next events make groups of their own."""
    from seawall.client.calls import default_author
    from seawall.v1 import admin_groups_pb2 as pb

    request = pb.SplitGroupRequest(id=group_id, fingerprints=fingerprints, actor=default_author())
    _told(_send(target, "SplitGroup", request, pb.SplitGroupResponse).group, output)


def _severity(number: int) -> str:
    """Return a rule's severity as a word; empty where it has none."""
    from seawall.cli.shapes import word
    from seawall.v1 import event_pb2

    return word(event_pb2.Severity, number, "SEVERITY_") if number else ""


def _confirm_clear(target: str) -> None:
    """Ask, when somebody is there to answer; refuse when not."""
    from seawall.v1 import admin_groups_pb2 as pb

    found = _send(target, "GetGroupingRules", pb.GetGroupingRulesRequest(), pb.GetGroupingRulesResponse)
    many = "1 rule" if len(found.rules) == 1 else f"{len(found.rules)} rules"
    if not sys.stdin.isatty():
        raise click.UsageError(f"This takes {many} away; say --yes to do it without being asked.")
    click.confirm(f"Take {many} away?", abort=True, err=True)


@groups.command()
@click.argument("file", required=False, type=click.File("r", encoding="utf-8"))
@click.option("--dry-run", is_flag=True, help="Check FILE only.")
@click.option("--clear", is_flag=True, help="Take all rules away; for an empty FILE, or without one.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before taking all rules away.")
@control_option
@output_option
def rules(file: Any, dry_run: bool, clear: bool, yes: bool, target: str, output: str) -> None:
    """Show the grouping rules, or put those of FILE (YAML or JSON) in force, in place of all that there are.

    FILE is a list of {name, filter, by, severity}. The first rule that matches an event groups it by the
    values of the fields in `by`, and gives it the severity, if there is one; `by: [fingerprint]` leaves its
    group alone. All other events stay as they are.
    """
    from seawall.cli.data_file import read_data
    from seawall.cli.plain import Mistake, to_message
    from seawall.v1 import admin_groups_pb2 as pb

    if file is not None or clear:
        value = (read_data(file) if file is not None else []) or []
        if not isinstance(value, list):
            raise click.ClickException(f"{file.name}: rules are a list, such as `- name: ...`")
        if clear and value:
            raise click.UsageError(f"{file.name} has rules; leave out --clear to put them in force.")
        try:
            request = to_message({"rules": value}, pb.SetGroupingRulesRequest)
        except Mistake as error:
            raise click.ClickException(f"{file.name}: {error}") from error
        request.validate_only, request.allow_empty = dry_run, clear
        if clear and not (dry_run or yes):
            _confirm_clear(target)
        _send(target, "SetGroupingRules", request, pb.SetGroupingRulesResponse)
        say(f"{len(request.rules)} rules are {'fine' if dry_run else 'in force for events from now on'}.")
        if dry_run:
            return
    found = _send(target, "GetGroupingRules", pb.GetGroupingRulesRequest(), pb.GetGroupingRulesResponse)
    shape = [
        {"name": one.name, "filter": one.filter, "by": list(one.by), "severity": _severity(one.severity)}
        for one in found.rules
    ]
    rows: list[list[str | render.Cell]] = [
        [one.name, one.filter, ", ".join(one.by) or "one group", _severity(one.severity).upper() or "-"]
        for one in found.rules
    ]
    if not rows and output == "table":
        say("No rules: events are grouped by their fingerprints.")
    emit(
        output,
        {"rules": shape},
        lambda: render.table(["RULE", "EVENTS", "BY", "SEVERITY"], rows) if rows else "",
    )
