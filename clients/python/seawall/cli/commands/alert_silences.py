"""`seawall alerts silence`: keeping quiet for a while."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from seawall.cli import render
from seawall.cli.alert_calls import author, send
from seawall.cli.options import DURATION, control_option, emit, output_option, say


@click.group()
def silence() -> None:
    """Keep quiet about some alerts until a fixed time; they fire and are shown all the same."""


@silence.command("list")
@click.option("--all", "all_", is_flag=True, help="Also those that are over.")
@control_option
@output_option
def list_(all_: bool, target: str, output: str) -> None:
    """List silences, newest first."""
    from seawall.cli import alert_shapes, shapes
    from seawall.v1 import admin_alerts_pb2 as pb

    request = pb.ListSilencesRequest(include_ended=all_)
    found: list[pb.Silence] = []
    while True:
        page = send(target, "ListSilences", request, pb.ListSilencesResponse)
        found += page.silences
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    now = datetime.now(UTC)
    rows: list[list[str | render.Cell]] = []
    for item in found:
        end = shapes.moment(item.end_time)
        left = (end - now).total_seconds() if end else 0.0
        rows.append(
            [
                item.id,
                "in force" if item.active else "over" if left <= 0 else "not yet",
                render.span(left) if left > 0 else "-",
                ", ".join(item.rules) or "all",
                item.filter or "-",
                item.author,
                render.clip(item.reason, 50),
            ]
        )
    emit(
        output,
        {"silences": [alert_shapes.silence(item) for item in found]},
        lambda: render.table(
            ["SILENCE", "STATE", "LEFT", "RULES", "FILTER", "BY", "REASON"], rows, right="LEFT"
        ),
    )


@silence.command()
@click.option(
    "--rule", "rules", multiple=True, metavar="NAME", help="Rule, where `*` stands for anything; repeatable."
)
@click.option("--filter", "filter_", default="", metavar="FILTER", help="As of `alerts list`.")
@click.option("--for", "duration", type=DURATION, required=True, help="How long.")
@click.option("--reason", required=True, help="Why; whoever wonders reads it.")
@control_option
@output_option
def add(rules: tuple[str, ...], filter_: str, duration: float, reason: str, target: str, output: str) -> None:
    """Keep quiet from now on, for a while; without --rule and --filter about everything."""
    from seawall.cli import alert_shapes
    from seawall.v1 import admin_alerts_pb2 as pb

    wanted = pb.Silence(rules=rules, filter=filter_, author=author(), reason=reason)
    wanted.end_time.FromMicroseconds(int((datetime.now(UTC).timestamp() + duration) * 1_000_000))
    made = send(
        target, "CreateSilence", pb.CreateSilenceRequest(silence=wanted), pb.CreateSilenceResponse
    ).silence
    emit(output, alert_shapes.silence(made), lambda: "")
    about = "Quiet" if rules or filter_ else "Quiet about everything"
    say(f"{about} for {render.span(duration)}; sooner over with `seawall alerts silence expire {made.id}`.")


@silence.command()
@click.argument("silence_id", metavar="SILENCE")
@control_option
def expire(silence_id: str, target: str) -> None:
    """End SILENCE now; what still fires is told."""
    from seawall.v1 import admin_alerts_pb2 as pb

    request = pb.ExpireSilenceRequest(id=silence_id, actor=author())
    send(target, "ExpireSilence", request, pb.ExpireSilenceResponse)
    say("It is over.")
