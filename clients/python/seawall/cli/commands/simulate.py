"""`seawall simulate`: what another policy would have done with calls that were recorded."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from seawall.cli import exits, render
from seawall.cli.options import connect, control_option, emit, output_option, say

if TYPE_CHECKING:
    from seawall.cli.recorded import Recording
    from seawall_policy.model import Snapshot
    from seawall_policy.whatif import RouteResult, Simulation

MOST_EVENTS: Final = 100_000
SHOWN_TRANSITIONS: Final = 20

_COUNTS: Final = (
    ("calls", "CALLS"),
    ("recorded_ok", "OK-BEFORE"),
    ("ok", "OK"),
    ("saved", "SAVED"),
    ("lost", "LOST"),
    ("rejected_good", "REJECTED-GOOD"),
    ("rejected_bad", "REJECTED-BAD"),
    ("fallbacks", "FALLBACKS"),
    ("added_attempts", "ADDED-ATTEMPTS"),
    ("budget_refused", "BUDGET-REFUSED"),
)
_PARTS: Final = (
    ("rejected_good", "REJECTED-GOOD"),
    ("rejected_bad", "REJECTED-BAD"),
    ("saved", "SAVED"),
    ("lost", "LOST"),
    ("added_attempts", "ADDED"),
)


@click.command()
@click.option(
    "--config", "candidate", metavar="FILE", type=click.Path(), required=True, help="The policy to try."
)
@click.option(
    "--against",
    metavar="FILE",
    type=click.Path(),
    help="Another policy to run beside it, such as the one in force.",
)
@click.option(
    "--access-log",
    "access_log",
    metavar="FILE",
    type=click.Path(),
    help="Recorded calls: an access log in JSON.",
)
@click.option(
    "--events",
    "events_file",
    metavar="FILE",
    type=click.Path(),
    help="Recorded calls: events in JSON, instead of those of the control plane.",
)
@click.option("--filter", "filter_", default="", help="Which events of the control plane; an AIP-160 filter.")
@click.option(
    "--limit",
    type=click.IntRange(1, MOST_EVENTS),
    default=10_000,
    show_default=True,
    help="Most events of the control plane.",
)
@control_option
@output_option
@click.pass_context
def simulate(
    ctx: click.Context,
    candidate: str,
    against: str | None,
    access_log: str | None,
    events_file: str | None,
    filter_: str,
    limit: int,
    target: str,
    output: str,
) -> None:
    """Run the policy in FILE over recorded calls: what it would have rejected, saved and added.

    The mechanisms decide again about the times and outcomes of an access log (all calls) or of events (each
    attempt, but only the calls that were not plain). Nothing is sent anywhere. A second table says what each
    mechanism would have rejected, saved, lost and added, and which of them the record says too little about.

    SAVED failed in the record and would have been OK; LOST was OK and would have failed; REJECTED-GOOD was OK
    and would have been refused; REJECTED-BAD failed anyway, and its attempts would have been spared.

    Exit code: 1 when a file has mistakes or there is nothing to run over.
    """
    if access_log is not None and events_file is not None:
        raise click.UsageError("Name --access-log or --events, not both.")
    snapshot = _snapshot(ctx, candidate)
    other = None if against is None else _snapshot(ctx, against)
    recording = _recording(access_log, events_file, filter_, limit, target)
    if not recording.calls:
        say("There is no recorded call to run over.")
        ctx.exit(exits.FAILED)
    from seawall_policy.whatif import simulate as run

    complete = not recording.from_events
    found = run(snapshot, recording.calls, complete=complete)
    before = None if other is None else run(other, recording.calls, complete=complete)
    data = {
        "calls": len(recording.calls),
        "from": _moment(min(call.at for call in recording.calls)),
        "until": _moment(max(call.at for call in recording.calls)),
        "source": "events" if recording.from_events else "access_log",
        "candidate": shape(found),
        "against": None if before is None else shape(before),
        "caveats": recording.caveats,
    }
    emit(output, data, lambda: _text(data))


def _snapshot(ctx: click.Context, path: str) -> Snapshot:
    from seawall.cli import policy_file

    snapshot = policy_file.report_or_exit(ctx, path, done="nothing was simulated").snapshot
    assert snapshot is not None
    return snapshot


def _recording(
    access_log: str | None, events_file: str | None, filter_: str, limit: int, target: str
) -> Recording:
    from seawall.cli import recorded, shapes

    if access_log is not None:
        return recorded.from_access_log(_read(access_log).splitlines())
    if events_file is not None:
        try:
            return recorded.from_events(recorded.events_of(_read(events_file)))
        except ValueError as error:
            raise click.UsageError(f"{events_file} {error}.") from error
    with connect(target) as seawall:
        return recorded.from_events(shapes.event(item) for item in seawall.events.list(filter_, limit=limit))


def _read(path: str) -> str:
    from seawall.cli.policy_file import Unreadable

    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise Unreadable(f"cannot read {path}: {error.strerror or error}") from error


def _moment(seconds: float) -> str:
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def shape(found: Simulation) -> dict[str, Any]:
    """Return a simulation in the stable form of `-o json`."""
    return {
        "routes": [_route(found.routes[name]) for name in found.routes],
        "unmatched": found.unmatched,
        "left_out": found.left_out,
    }


def _route(result: RouteResult) -> dict[str, Any]:
    return {
        "route": result.route,
        "policy": result.policy,
        "calls": result.calls,
        "recorded_ok": result.recorded_ok,
        "ok": result.ok,
        "saved": result.saved,
        "lost": result.lost,
        "rejected_good": result.rejected_good,
        "rejected_bad": result.rejected_bad,
        "fallbacks": result.fallbacks,
        "recorded_attempts": result.recorded_attempts,
        "attempts": result.attempts,
        "added_attempts": result.attempts - result.recorded_attempts,
        "estimated_attempts": result.estimated,
        "budget_refused": result.budget_refused,
        "cut_short": result.cut_short,
        "waited": result.waited,
        "mechanisms": [
            {
                "mechanism": part.name,
                "judged": part.judged,
                "rejected_good": part.rejected_good,
                "rejected_bad": part.rejected_bad,
                "saved": part.saved,
                "lost": part.lost,
                "added_attempts": part.added,
                "note": part.note,
            }
            for part in result.mechanisms.values()
        ],
        "breaker_transitions": [
            {"time": _moment(at), "from": before, "to": after, "trigger": trigger}
            for at, before, after, trigger in result.transitions
        ],
    }


def _text(data: dict[str, Any]) -> str:
    source = "events" if data["source"] == "events" else "the access log"
    parts = [f"{data['calls']} calls of {source}, {data['from']} to {data['until']}"]
    for title in ("candidate", "against"):
        found = data[title]
        if found is None:
            continue
        rows = [
            [one["route"], one["policy"], *(f"{one[key]}" for key, _ in _COUNTS)] for one in found["routes"]
        ]
        headers = ["ROUTE", "POLICY", *(name for _, name in _COUNTS)]
        parts.append(f"{title.capitalize()}:\n" + render.table(headers, rows, right=" ".join(headers[2:])))
        if found["unmatched"]:
            parts.append(f"{found['unmatched']} calls match no route of it.")
        if found["left_out"]:
            parts.append(
                f"{found['left_out']} refused calls are left out: of their routes the record has no "
                "attempt, so how one would have fared is not known."
            )
        parts.extend(_mechanisms_text(one) for one in found["routes"] if one["mechanisms"])
        for one in found["routes"]:
            changes = one["breaker_transitions"]
            lines = [
                f"  {change['time']} {change['from']} → {change['to']} ({change['trigger']})"
                for change in changes[:SHOWN_TRANSITIONS]
            ]
            if len(changes) > SHOWN_TRANSITIONS:
                lines.append(f"  and {len(changes) - SHOWN_TRANSITIONS} more")
            if lines:
                parts.append(f"Breaker of {one['route']}:\n" + "\n".join(lines))
    parts.append("Bear in mind:\n" + "\n".join(f"- {line}" for line in data["caveats"]))
    return "\n\n".join(parts)


def _mechanisms_text(route: dict[str, Any]) -> str:
    """Return what each mechanism of a route does; those that cannot be judged say why."""
    rows = []
    for part in route["mechanisms"]:
        numbers = [f"{part[key]}" if part["judged"] else "?" for key, _ in _PARTS]
        note = part["note"] if part["judged"] else f"not judged: {part['note']}"
        rows.append([part["mechanism"], *numbers, note])
    headers = ["MECHANISM", *(name for _, name in _PARTS), "NOTE"]
    title = f"Mechanisms of {route['route']} (policy {route['policy']}):"
    return f"{title}\n" + render.table(headers, rows, right=" ".join(headers[1:-1]))
