"""`seawall operations`: what is done to many proxies for a time, by whom, why, and what each of them said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from seawall.cli import exits, render
from seawall.cli.options import DURATION, connect, control_option, emit, output_option, say

if TYPE_CHECKING:
    from seawall.cli.shapes import Shape
    from seawall.client import Seawall
    from seawall.v1.admin_operations_pb2 import FleetOperation, OperationAction

F = TypeVar("F", bound=Callable[..., Any])

MOST_LOOKED_AT: Final = 20
"""Operations that are asked for one by one."""
_COLORS: Final = {"active": "green", "cancelled": "yellow"}


def shape(item: FleetOperation) -> Shape:
    """An operation as plain data."""
    from google.protobuf import json_format

    from seawall.cli.shapes import time, word
    from seawall.v1.admin_operations_pb2 import OperationState

    return {
        "id": item.id,
        "title": item.title,
        "action": json_format.MessageToDict(item.action, preserving_proto_field_name=True),
        "proxy": item.proxy,
        "selector": item.selector,
        "actor": item.actor,
        "reason": item.reason,
        "state": word(OperationState, item.state, "OPERATION_STATE_"),
        "create_time": time(item.create_time),
        "end_time": time(item.end_time),
        "done": item.done,
        "failed": item.failed,
        "pending": item.pending,
        "cancelled_by": item.cancelled_by,
        "acks": [
            {
                "proxy": ack.proxy,
                "ok": ack.ok,
                "message": ack.message,
                "undone": ack.undone,
                "time": time(ack.time),
            }
            for ack in item.acks
        ],
    }


@dataclass(frozen=True, slots=True)
class Where:
    """For whom an operation is, for how long, and why."""

    proxy: str = ""
    selector: str = ""
    duration: float = 0.0
    reason: str = ""
    dry_run: bool = False


def target_options(command: F) -> F:
    """Add the options that every operation has; the command gets them as `where`."""

    @wraps(command)
    def with_where(*args: Any, **values: Any) -> Any:
        where = Where(**{field: values.pop(field) for field in Where.__slots__})
        return command(*args, where=where, **values)

    options = (
        click.option("--proxy", metavar="NODE", default="", help="Only on this proxy."),
        click.option(
            "--selector",
            metavar="LABELS",
            default="",
            help="Only on proxies with these labels: `zone=a,!old`.",
        ),
        click.option("--for", "duration", type=DURATION, required=True, help="How long, 1s to 24h."),
        click.option("--reason", required=True, help="Why; others will ask."),
        click.option("--dry-run", is_flag=True, help="Only name the proxies that it would be for."),
    )
    decorated: Any = with_where
    for option in reversed(options):
        decorated = option(decorated)
    found: F = decorated
    return found


def begin(action: OperationAction, where: Where, *, target: str, output: str) -> int:
    """Begin an operation, print what each proxy said, and return the exit code."""
    with connect(target) as seawall:
        item = seawall.fleet_operations.start(
            action,
            duration=where.duration,
            reason=where.reason,
            proxy=where.proxy,
            selector=where.selector,
            validate_only=where.dry_run,
        )
    data = shape(item)
    if where.dry_run:
        names = ", ".join(ack["proxy"] for ack in data["acks"])
        say(f"Would {data['title']} at: {names or 'nobody who is connected'}")
        emit(output, data, lambda: "")
        return exits.OK
    emit(output, data, lambda: acks_table(data))
    length = render.span(where.duration)
    say(f"Operation {data['id']}, for {length}; `seawall operations cancel {data['id']}` ends it.")
    if not data["acks"]:
        say("No proxy that it is for is connected; it is done when one comes.")
    return exits.FAILED if data["failed"] or data["pending"] else exits.OK


def acks_table(data: Shape) -> str:
    """Return what each proxy said."""
    rows: list[list[str | render.Cell]] = []
    for ack in data["acks"]:
        cell = render.Cell("✓ done", "green") if ack["ok"] else render.Cell("× failed", "red")
        if ack["undone"]:
            cell = render.Cell("· ended", "yellow")
        rows.append([ack["proxy"], cell, ack["message"]])
    return render.table(["PROXY", "RESULT", "MESSAGE"], rows) if rows else ""


def done_at(seawall: Seawall, node: str, *, breaker: str = "") -> list[Shape]:
    """Return the operations in effect that proxy `node` does, newest first, at most `MOST_LOOKED_AT`.

    An empty `node` is any proxy; with `breaker` only those that hold it.
    """
    begun = [
        item
        for item in seawall.fleet_operations.list(active_only=True, limit=200)
        if item.done and (not node or item.proxy in {"", node})
        if not breaker or item.action.hold_breaker.breaker == breaker
    ]
    # Lists do not have what each proxy said.
    found = [shape(seawall.fleet_operations.get(item.id)) for item in begun[:MOST_LOOKED_AT]]
    return [item for item in found if any(_does(ack, node) for ack in item["acks"])]


def _does(ack: Shape, node: str) -> bool:
    return bool(ack["ok"]) and not ack["undone"] and (not node or ack["proxy"] == node)


def brief_table(items: list[Shape]) -> str:
    """Return what is done to a proxy, until when, by whom and why."""
    now = datetime.now(UTC)
    rows: list[list[str | render.Cell]] = [
        [item["title"], _left(item, now), item["actor"], render.clip(item["reason"], 50), item["id"]]
        for item in items
    ]
    return render.table(["OPERATION", "LEFT", "ACTOR", "REASON", "ID"], rows, right="LEFT")


def _left(item: Shape, now: datetime) -> str:
    left = (datetime.fromisoformat(item["end_time"]) - now).total_seconds()
    return render.span(left) if item["state"] == "active" and left > 0 else "-"


@click.group()
def operations() -> None:
    """See, and end, what is done to many proxies for a time.

    They are begun by `seawall fault`, `seawall drain`, and `seawall breaker` with --everywhere. Each is done
    at the proxies that are connected, and at those that connect before it ends.
    """


@operations.command("list")
@click.option("--active", is_flag=True, help="Only those in effect.")
@click.option(
    "--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="Most operations to show."
)
@control_option
@output_option
def list_(active: bool, limit: int, target: str, output: str) -> None:
    """List operations, newest first."""
    with connect(target) as seawall:
        items = [shape(i) for i in seawall.fleet_operations.list(active_only=active, limit=limit)]
    emit(output, {"operations": items}, lambda: _table(items) if items else "")
    if not items:
        say("No operation is in effect." if active else "There has been no operation.")


def _table(items: list[Shape]) -> str:
    now = datetime.now(UTC)
    rows: list[list[str | render.Cell]] = [
        [
            item["id"],
            item["title"],
            item["proxy"] or item["selector"] or "all",
            render.Cell(item["state"], _COLORS.get(item["state"])),
            _left(item, now),
            f"{item['done']}/{item['failed']}/{item['pending']}",
            item["actor"],
            render.clip(item["reason"], 50),
        ]
        for item in items
    ]
    headers = ["ID", "WHAT", "WHERE", "STATE", "LEFT", "DONE/FAILED/PENDING", "ACTOR", "REASON"]
    return render.table(headers, rows, right="LEFT DONE/FAILED/PENDING")


@operations.command()
@click.argument("operation_id", metavar="ID")
@control_option
@output_option
def show(operation_id: str, target: str, output: str) -> None:
    """Show operation ID, and what each proxy said."""
    with connect(target) as seawall:
        data = shape(seawall.fleet_operations.get(operation_id))

    def text() -> str:
        fields = render.fields(
            [
                ("Operation", data["id"]),
                ("What", data["title"]),
                ("Where", data["proxy"] or data["selector"] or "all proxies"),
                ("State", render.Cell(data["state"], _COLORS.get(data["state"]))),
                ("From", data["create_time"] or ""),
                ("Until", data["end_time"] or ""),
                ("By", data["actor"]),
                ("Reason", data["reason"]),
                ("Ended by", data["cancelled_by"]),
            ]
        )
        return f"{fields}\n\n{acks_table(data) or 'No proxy has answered yet.'}"

    emit(output, data, text)


@operations.command()
@click.argument("operation_id", metavar="ID")
@click.option("--reason", default="", help="Why; kept in the record.")
@control_option
@output_option
def cancel(operation_id: str, reason: str, target: str, output: str) -> None:
    """End operation ID before its time, also at proxies that come back later."""
    with connect(target) as seawall:
        data = shape(seawall.fleet_operations.cancel(operation_id, reason=reason))
    emit(output, data, lambda: acks_table(data))
    say(f"Ended: {data['title']}")
