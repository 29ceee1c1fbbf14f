"""`seawall events`: the record of what failed, what was saved, and what breakers did."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from seawall.cli import exits, render
from seawall.cli.options import DURATION, connect, control_option, emit, emit_line, output_option, say

if TYPE_CHECKING:
    from seawall.client.sync import Seawall
    from seawall.v1.event_pb2 import ErrorEvent

FILTER_HELP = "AIP-160 filter, such as 'severity = HIGH AND resolved = false AND route = checkout'."
RECONNECT_S = 2.0


@click.group()
def events() -> None:
    """List, show, resolve, count or follow error events.

    Filters are AIP-160 over severity, component, error_type, message, job_id, job_name, resolved, timestamp,
    kind, route, method, code, category, endpoint, outcome, reason, trace_id, fingerprint and proxy: `severity
    = HIGH AND resolved = false`,
    `kind = BREAKER_OPENED OR route = checkout`, `timestamp > "2026-11-01T00:00:00Z"`, `message : refused`.
    """


@events.command("list")
@click.option("--filter", "filter_", default="", help=FILTER_HELP)
@click.option(
    "--severity", type=click.Choice(["low", "medium", "high", "critical"]), help="Only this severity."
)
@click.option("--route", default="", help="Only this route.")
@click.option("--job", "job_id", default="", help="Only this job id.")
@click.option("--unresolved", is_flag=True, help="Only what nobody has dealt with.")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Most events to show."
)
@click.option("--oldest-first", is_flag=True, help="Oldest first instead of newest first.")
@control_option
@output_option
def list_(
    filter_: str,
    severity: str | None,
    route: str,
    job_id: str,
    unresolved: bool,
    limit: int,
    oldest_first: bool,
    target: str,
    output: str,
) -> None:
    """List events, newest first."""
    full = build_filter(filter_, severity=severity or "", route=route, job_id=job_id, unresolved=unresolved)
    show_events(full, limit, oldest_first, target, output)


def build_filter(
    text: str, *, severity: str = "", route: str = "", job_id: str = "", unresolved: bool = False
) -> str:
    """Return one filter for a text and the short options, all of which must hold."""
    parts = [f"({text})"] if text else []
    if severity:
        parts.append(f"severity = {severity.upper()}")
    if route:
        parts.append(f"route = {quote(route)}")
    if job_id:
        parts.append(f"job_id = {quote(job_id)}")
    if unresolved:
        parts.append("resolved = false")
    return text if parts == [f"({text})"] else " AND ".join(parts)


def quote(value: str) -> str:
    """Return a value as an AIP-160 string."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def show_events(filter_: str, limit: int, oldest_first: bool, target: str, output: str) -> None:
    """Print events (`events list` and `get events`)."""
    from seawall.cli import shapes

    with connect(target) as seawall:
        items = list(seawall.events.list(filter_, limit=limit + 1, oldest_first=oldest_first))
    more, items = len(items) > limit, items[:limit]
    emit(output, {"events": [shapes.event(item) for item in items]}, lambda: table(items))
    if not items:
        say("No events match." if filter_ else "No events yet.")
    elif more:
        say(f"There are more; --limit {limit * 4} or a --filter shows others.")


def table(items: Sequence[ErrorEvent]) -> str:
    """Return events as a table."""
    if not items:
        return ""
    headers = ["TIME", "SEVERITY", "KIND", "COMPONENT", "CODE", "MESSAGE", "ID"]
    return render.table(headers, [_row(item) for item in items])


def _row(item: ErrorEvent) -> list[str | render.Cell]:
    from seawall.cli import shapes

    shape = shapes.event(item)
    mark = "✓ " if item.resolved else ""
    return [
        (shape["timestamp"] or "-")[:19].replace("T", " "),
        render.severity(shape["severity"]),
        shape["kind"] or "-",
        render.clip(item.component or item.route, 28) or "-",
        item.code or render.clip(item.error_type, 24) or "-",
        render.clip(mark + item.message, 60 if sys.stdout.isatty() else 120),
        item.id,
    ]


def line(item: ErrorEvent) -> str:
    """Return an event as one line."""
    from seawall.cli import shapes

    shape = shapes.event(item)
    at = (shape["timestamp"] or "-")[11:23]
    severity = render.severity(shape["severity"])
    label = click.style(f"{severity.text:<8}", fg=severity.fg, bold=severity.bold or None)
    place = render.visible(item.component or item.route or "-")
    code = f" {render.visible(item.code)}" if item.code else ""
    return f"{at}  {label}  {shape['kind'] or '-':<19}  {place}{code}: {render.clip(item.message, 120)}"


@events.command()
@click.argument("event_id", metavar="ID")
@control_option
@output_option
def show(event_id: str, target: str, output: str) -> None:
    """Show everything about event ID."""
    show_event(event_id, target, output)


def show_event(event_id: str, target: str, output: str) -> None:
    """Print one event (`events show` and `describe event`)."""
    from seawall.cli import shapes

    with connect(target) as seawall:
        item = seawall.events.get(event_id)
    shape = shapes.event(item)
    emit(output, shape, lambda: _details(shape))


def _details(shape: dict[str, Any]) -> str:
    import json

    state = f"yes, {shape['resolved_at']}: {shape['resolution'] or '-'}" if shape["resolved"] else "no"
    head = render.fields(
        [
            ("Event", shape["id"]),
            ("Time", shape["timestamp"] or "-"),
            ("Severity", render.severity(shape["severity"])),
            ("Kind", shape["kind"]),
            ("Component", shape["component"]),
            ("Type", shape["error_type"]),
            ("Message", shape["message"]),
            ("Route", shape["route"]),
            ("Method", shape["method"]),
            ("Code", shape["code"]),
            ("Category", shape["category"]),
            ("Outcome", shape["outcome"]),
            ("Reason", shape["reason"]),
            ("Endpoint", shape["endpoint"]),
            ("Latency", render.latency(shape["latency_s"]) if shape["latency_s"] else ""),
            ("Proxy", shape["proxy"]),
            ("Revision", str(shape["policy_revision"] or "")),
            ("Trace", shape["trace_id"]),
            ("Fingerprint", shape["fingerprint"]),
            ("Job", " ".join(filter(None, [shape["job_id"], shape["job_name"]]))),
            ("Resolved", state),
        ]
    )
    parts = [head]
    if shape["attempts"]:
        rows = [
            [
                str(one["number"]),
                one["endpoint"] or "-",
                one["code"],
                render.latency(one["latency_s"]),
                one["reason"] or "-",
            ]
            for one in shape["attempts"]
        ]
        parts.append(
            render.table(["ATTEMPT", "ENDPOINT", "CODE", "LATENCY", "REASON"], rows, right="ATTEMPT LATENCY")
        )
    if shape["details"]:
        parts.append("Details:\n" + json.dumps(shape["details"], indent=2, ensure_ascii=False))
    if shape["stack_trace"]:
        parts.append("Stack trace:\n" + shape["stack_trace"].rstrip())
    return "\n\n".join(parts)


@events.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--filter", "filter_", default="", help="Instead of IDs: every unresolved event that matches.")
@click.option("-m", "--resolution", default="", help="What was done about it; kept in the record.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before resolving by filter.")
@control_option
@output_option
@click.pass_context
def resolve(
    ctx: click.Context,
    ids: tuple[str, ...],
    filter_: str,
    resolution: str,
    dry_run: bool,
    yes: bool,
    target: str,
    output: str,
) -> None:
    """Mark events as dealt with, by ID or by filter.

    Exit code: 1 when an ID names no event.
    """
    if bool(ids) == bool(filter_):
        raise click.UsageError("Name events by ID, or all that match with --filter.")
    from seawall.client.calls import default_author

    who = default_author()
    text = f"{who}: {resolution}" if resolution else who
    with connect(target) as seawall:
        if filter_ and not dry_run and not yes:
            _confirm(seawall, filter_)
        number = seawall.events.resolve(ids, filter=filter_, resolution=text, validate_only=dry_run)
        unknown = _unknown(seawall, ids) if number < len(set(ids)) else []
    emit(output, {"resolved": number, "dry_run": dry_run}, lambda: "")
    verb = "would be resolved" if dry_run else "resolved"
    if output == "table":
        click.echo(f"{render.count(number)} {'event' if number == 1 else 'events'} {verb}")
    if unknown:
        say(f"There is no event {', '.join(unknown)}.")
        ctx.exit(exits.FAILED)


def _unknown(seawall: Seawall, ids: Sequence[str]) -> list[str]:
    """Return the IDs that name no event; one that was resolved before is no mistake."""
    from seawall.errors import NotFound

    unknown = []
    for event_id in dict.fromkeys(ids):
        try:
            seawall.events.get(event_id)
        except NotFound:
            unknown.append(event_id)
    return unknown


def _confirm(seawall: Seawall, filter_: str) -> None:
    """Ask, when somebody is there to answer; refuse when not."""
    number = seawall.events.resolve(filter=filter_, validate_only=True)
    if not number:
        return
    if not sys.stdin.isatty():
        many = "1 event" if number == 1 else f"{render.count(number)} events"
        raise click.UsageError(f"This resolves {many}; say --yes to do it without being asked.")
    click.confirm(
        f"Resolve {'1 event' if number == 1 else f'{render.count(number)} events'}?", abort=True, err=True
    )


@events.command()
@click.option("--job", default="", help="Job or task id, by the metadata `x-job-id`.")
@click.option("--trace", default="", help="Trace id, in hexadecimal.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most so many."
)
@control_option
@output_option
def history(job: str, trace: str, limit: int, target: str, output: str) -> None:
    """Say what happened to one job or in one trace, oldest first."""
    from seawall.cli import shapes
    from seawall.v1 import admin_events_pb2 as pb

    if bool(job) == bool(trace):
        raise click.UsageError("Say --job or --trace.")
    request = pb.GetEntityHistoryRequest(page_size=limit)
    if job:
        request.job_id = job
    else:
        request.trace_id = trace
    with connect(target) as seawall:
        answer = seawall.call(
            "/seawall.v1.EventService/GetEntityHistory", request, pb.GetEntityHistoryResponse
        )
    by_outcome = {name.lower(): int(number) for name, number in sorted(answer.by_outcome.items())}
    shape = {"events": [shapes.event(one) for one in answer.events], "by_outcome": by_outcome}

    def text() -> str:
        if not answer.events:
            say("Nothing is recorded about it.")
            return ""
        counts = ", ".join(f"{number} {name}" for name, number in by_outcome.items())
        return "\n".join([*(line(one) for one in answer.events), counts]).rstrip()

    emit(output, shape, text)
    if answer.next_page_token:
        say("There is more; raise --limit.")


@events.command()
@control_option
@output_option
def stats(target: str, output: str) -> None:
    """Count events: all, unresolved, by severity, in the last 24 hours."""
    from seawall.cli import shapes

    with connect(target) as seawall:
        shape = shapes.event_stats(seawall.events.stats())

    def text() -> str:
        rows: list[list[str | render.Cell]] = [
            [
                render.severity(name),
                render.count(shape["by_severity"][name]),
                render.count(shape["unresolved_by_severity"][name]),
            ]
            for name in ("critical", "high", "medium", "low")
        ]
        total, unresolved = render.count(shape["total"]), render.count(shape["unresolved"])
        rows.append([render.Cell("all", bold=True), total, unresolved])
        counts = render.table(["SEVERITY", "EVENTS", "UNRESOLVED"], rows, right="EVENTS UNRESOLVED")
        return f"{counts}\n\n{render.count(shape['recent_24h'])} in the last 24 hours"

    emit(output, shape, text)


@events.command()
@click.option("--filter", "filter_", default="", help=FILTER_HELP)
@click.option(
    "--backlog",
    type=click.IntRange(0, 1000),
    default=10,
    show_default=True,
    help="Begin with so many of the newest ones.",
)
@click.option("--max", "most", type=click.IntRange(1), help="End after this many events.")
@click.option("--for", "duration", type=DURATION, help="End after this long.")
@control_option
@output_option
@click.pass_context
def tail(
    ctx: click.Context,
    filter_: str,
    backlog: int,
    most: int | None,
    duration: float | None,
    target: str,
    output: str,
) -> None:
    """Follow new events until Ctrl-C.

    A control plane that goes away is waited for.
    """
    ends = None if duration is None else time.monotonic() + duration
    follower = _Follower(filter_, backlog, most, output)
    with connect(target) as seawall:
        while not follower.follow(seawall, None if ends is None else ends - time.monotonic()):
            if ends is not None and time.monotonic() >= ends:
                break
    ctx.exit(exits.OK)


class _Follower:
    """Prints a tail, again and again; knows what it has shown, so that a new connection repeats nothing."""

    def __init__(self, filter_: str, backlog: int, most: int | None, output: str) -> None:
        self.filter = filter_
        self.backlog = backlog
        self.most = most
        self.output = output
        self.shown = 0
        self.seen: dict[str, None] = {}
        self.connected = False

    def follow(self, seawall: Seawall, left_s: float | None) -> bool:
        """Follow one stream to its end; return whether that is the end of all."""
        from seawall.client.calls import TAIL_TIMEOUT_S
        from seawall.errors import Unreachable

        limit_s = TAIL_TIMEOUT_S if left_s is None else max(0.05, min(left_s, TAIL_TIMEOUT_S))
        try:
            for answer in seawall.events.tail(self.filter, backlog=self.backlog, timeout_s=limit_s):
                self.connected = True
                if answer.skipped:
                    say(f"({answer.skipped} events left out: they came faster than they could be shown)")
                if answer.HasField("event") and self._print(answer.event):
                    return True
        except Unreachable:
            if not self.connected:
                raise
            self.backlog = 1000  # what came while we were away, as far as it goes
            say(f"The control plane is away; trying again in {RECONNECT_S:.0f} s.")
            time.sleep(RECONNECT_S)
        return False

    def _print(self, item: ErrorEvent) -> bool:
        """Show an event unless it was shown; return whether that was the last one wanted."""
        from seawall.cli import shapes

        if item.id in self.seen:
            return False
        self.seen[item.id] = None
        if len(self.seen) > 4096:
            del self.seen[next(iter(self.seen))]
        emit_line(self.output, shapes.event(item), lambda: line(item))
        sys.stdout.flush()
        self.shown += 1
        return self.most is not None and self.shown >= self.most
