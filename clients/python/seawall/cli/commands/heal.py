"""`seawall heal`: runbooks, what they did, what they wait for, and a look at everything."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from seawall.cli import render
from seawall.cli.commands.heal_runbooks import COMMANDS
from seawall.cli.heal_calls import send
from seawall.cli.options import control_option, emit, output_option, say, whole

if TYPE_CHECKING:
    from seawall.v1.admin_healing_pb2 import HealingCase

_COLOURS: Final = {
    "helped": "green",
    "not_helped": "red",
    "failed": "red",
    "proposed": "yellow",
    "running": "yellow",
    "verifying": "yellow",
}


@click.group()
def heal() -> None:
    """See and set runbooks, answer what they propose, and diagnose.

    A runbook does something when a condition has lasted: hold a breaker open, take a policy back, clean the
    disk, run a hook. Its mode says how far it may go: off, dry_run (says what it would do), approve (asks),
    auto. After an action it looks whether that helped, and takes it back where it did not and it can be.
    """


def _ago(case: HealingCase) -> str:
    return render.ago(case.change_time.ToDatetime(tzinfo=UTC), datetime.now(UTC))


@heal.command()
@click.option("--open", "open_", is_flag=True, help="Only what has not ended.")
@click.option(
    "--filter",
    "filter_",
    default="",
    help='Only these, such as `id = "heal-12"` or `runbook = "disk-nearly-full" AND state = "failed"`.',
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Most to show.")
@control_option
@output_option
def cases(open_: bool, filter_: str, limit: int, target: str, output: str) -> None:
    """List what runbooks did, newest first; every state of a case is a line."""
    from seawall.cli import heal_shapes
    from seawall.v1 import admin_healing_pb2 as pb

    request = pb.ListHealingCasesRequest(open=open_, page_size=limit, filter=filter_)
    found = send(target, "ListHealingCases", request, pb.ListHealingCasesResponse).cases
    rows: list[list[str | render.Cell]] = [
        [
            c.id,
            _ago(c),
            c.runbook,
            c.subject,
            render.Cell(c.state, _COLOURS.get(c.state, "")) if c.state in _COLOURS else c.state,
            c.outcome or c.plan or c.evidence,
        ]
        for c in found
    ]
    emit(
        output,
        {"cases": [heal_shapes.case(c) for c in found]},
        lambda: render.table(["CASE", "AGO", "RUNBOOK", "SUBJECT", "STATE", "WHAT"], rows) if rows else "",
    )
    if not found:
        say("No open case." if open_ else "No such case." if filter_ else "No runbook has acted yet.")


@heal.command()
@click.argument("case_id", metavar="CASE")
@control_option
def approve(case_id: str, target: str) -> None:
    """Let the proposed CASE run."""
    from seawall.client.calls import default_author
    from seawall.v1 import admin_healing_pb2 as pb

    request = pb.ApproveHealingCaseRequest(id=case_id, actor=default_author())
    case = send(target, "ApproveHealingCase", request, pb.ApproveHealingCaseResponse).case
    say(f"{case.id} runs: {case.action} for {case.subject}. See `seawall heal cases`.")


@heal.command()
@click.argument("case_id", metavar="CASE")
@click.option("--reason", default="", help="Why; kept in the record.")
@control_option
def reject(case_id: str, reason: str, target: str) -> None:
    """End the proposed CASE without doing anything."""
    from seawall.client.calls import default_author
    from seawall.v1 import admin_healing_pb2 as pb

    request = pb.RejectHealingCaseRequest(id=case_id, actor=default_author(), reason=reason)
    case = send(target, "RejectHealingCase", request, pb.RejectHealingCaseResponse).case
    say(f"{case.id} is rejected.")


@heal.command()
@control_option
@output_option
def diagnose(target: str, output: str) -> None:
    """Look at everything now, and say which runbooks would care; nothing is done."""
    from seawall.cli import heal_shapes
    from seawall.v1 import admin_healing_pb2 as pb

    found = send(target, "Diagnose", pb.DiagnoseRequest(), pb.DiagnoseResponse).observations
    rows: list[list[str | render.Cell]] = []
    for one in found:
        holds = [f"{v.runbook} ({heal_shapes.mode(v.mode)})" for v in one.verdicts if v.holds]
        rows.append(
            [
                one.condition,
                one.subject,
                f"{one.value:.3g}",
                render.Cell(", ".join(holds), "red") if holds else "-",
                one.text,
            ]
        )
    emit(
        output,
        {"observations": [heal_shapes.observation(one) for one in found]},
        lambda: render.table(["CONDITION", "SUBJECT", "MEASURE", "RUNBOOKS THAT HOLD", "EVIDENCE"], rows),
    )


@heal.command()
@control_option
@output_option
def stats(target: str, output: str) -> None:
    """Say how often what was done helped."""
    from seawall.cli import heal_shapes
    from seawall.v1 import admin_healing_pb2 as pb

    found = send(target, "GetHealingStats", pb.GetHealingStatsRequest(), pb.GetHealingStatsResponse)
    rows: list[list[str | render.Cell]] = [[c.action, c.state, str(c.cases)] for c in found.counts]
    emit(
        output,
        heal_shapes.stats(found),
        lambda: render.table(["ACTION", "ENDED", "CASES"], rows, right="CASES") if rows else "",
    )
    if found.HasField("effectiveness"):
        say(f"Of what was judged {found.effectiveness:.0%} helped; {found.open} open.")
    else:
        say(f"Nothing was judged yet; {found.open} open.")


@heal.command()
@control_option
@output_option
def actions(target: str, output: str) -> None:
    """List what can be observed, and what can be done with which parameters."""
    from seawall.cli import heal_shapes
    from seawall.v1 import admin_healing_pb2 as pb

    found = whole(
        target,
        "/seawall.v1.HealingService/ListHealingActions",
        pb.ListHealingActionsRequest(),
        pb.ListHealingActionsResponse,
    )

    def table() -> str:
        seen = render.table(["CONDITION", "MEASURE"], [[c.name, c.unit] for c in found.conditions])
        rows: list[list[str | render.Cell]] = []
        for action in found.actions:
            rows.append([action.name, "yes" if action.can_undo else "no", action.help])
            for p in action.parameters:
                default = (
                    f" (default {json.dumps(heal_shapes.value_of(p.default_value))})"
                    if p.HasField("default_value")
                    else ""
                )
                rows.append([f"  {p.name}", "", p.help + default])
        return f"{seen}\n\n{render.table(['ACTION', 'CAN BE TAKEN BACK', 'WHAT'], rows)}"

    emit(output, heal_shapes.vocabulary(found), table)


for command in COMMANDS:
    heal.add_command(command)
