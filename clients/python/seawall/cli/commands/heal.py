"""`seawall heal`: runbooks, what they did, what they wait for, and a look at everything."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from seawall.cli import render
from seawall.cli.options import connect, control_option, emit, output_option, say

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from seawall.v1.admin_healing_pb2 import HealingCase

    R = TypeVar("R", bound=Message)

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


def _send(target: str, method: str, request: Message, response: type[R]) -> R:
    with connect(target, timeout_s=150.0) as seawall:
        return seawall.call(f"/seawall.v1.HealingService/{method}", request, response)


def _plain(message: Message) -> Any:
    from google.protobuf import json_format

    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def _mode(number: int) -> str:
    from seawall.v1 import admin_healing_pb2 as pb

    return pb.RunbookMode.Name(pb.RunbookMode.ValueType(number)).removeprefix("RUNBOOK_MODE_").lower()


def _ago(case: HealingCase) -> str:
    return render.ago(case.change_time.ToDatetime(tzinfo=UTC), datetime.now(UTC))


@heal.command()
@control_option
@output_option
def runbooks(target: str, output: str) -> None:
    """List the runbooks, the built-in ones included."""
    from seawall.v1 import admin_healing_pb2 as pb

    found = _send(target, "ListRunbooks", pb.ListRunbooksRequest(), pb.ListRunbooksResponse).runbooks
    rows: list[list[str | render.Cell]] = [
        [
            r.name,
            _mode(r.mode),
            f"{r.condition} >= {r.threshold:g}",
            r.subject,
            render.span(r.lasting.ToTimedelta().total_seconds()),
            r.action,
            "built in" if r.built_in else f"version {r.etag}",
        ]
        for r in found
    ]
    emit(
        output,
        {"runbooks": [_plain(r) for r in found]},
        lambda: render.table(["RUNBOOK", "MODE", "WHEN", "SUBJECT", "FOR", "DOES", "FROM"], rows),
    )


@heal.command("set")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--dry-run", is_flag=True, help="Check only.")
@control_option
@output_option
def set_(file: Any, dry_run: bool, target: str, output: str) -> None:
    """Make or replace a runbook from FILE (YAML or JSON; `-` is stdin).

    The keys are those of `seawall heal runbooks -o yaml`; times are like `90s` there. With the etag that it
    shows, a change of somebody else in between is noticed.
    """
    import yaml
    from google.protobuf import json_format

    from seawall.v1 import admin_healing_pb2 as pb

    try:
        value = yaml.safe_load(file)
        if not isinstance(value, dict):
            raise click.ClickException(f"{file.name}: a runbook is a mapping, such as `name: ...`")
        mode = value.get("mode")
        if isinstance(mode, str) and not mode.startswith("RUNBOOK_MODE_"):
            value["mode"] = f"RUNBOOK_MODE_{mode.upper()}"
        runbook = json_format.ParseDict(value, pb.Runbook())
    except (yaml.YAMLError, json_format.ParseError) as error:
        raise click.ClickException(f"{file.name}: {error}") from error
    request = pb.SetRunbookRequest(runbook=runbook, validate_only=dry_run)
    kept = _send(target, "SetRunbook", request, pb.SetRunbookResponse).runbook
    emit(output, _plain(kept), lambda: "")
    say(
        f"{kept.name} is fine; nothing was changed."
        if dry_run
        else f"{kept.name} is in force, mode {_mode(kept.mode)}."
    )


@heal.command()
@click.argument("name")
@control_option
def delete(name: str, target: str) -> None:
    """Delete runbook NAME; a built-in one comes back as it was."""
    from seawall.v1 import admin_healing_pb2 as pb

    _send(target, "DeleteRunbook", pb.DeleteRunbookRequest(name=name), pb.DeleteRunbookResponse)
    say(f"{name} is deleted.")


@heal.command()
@click.option("--open", "open_", is_flag=True, help="Only what has not ended.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Most to show.")
@control_option
@output_option
def cases(open_: bool, limit: int, target: str, output: str) -> None:
    """List what runbooks did, newest first; every state of a case is a line."""
    from seawall.v1 import admin_healing_pb2 as pb

    request = pb.ListHealingCasesRequest(open=open_, page_size=limit)
    found = _send(target, "ListHealingCases", request, pb.ListHealingCasesResponse).cases
    rows: list[list[str | render.Cell]] = [
        [
            c.id,
            _ago(c),
            c.runbook,
            c.subject,
            render.Cell(c.state, _COLOURS.get(c.state, "")) if c.state in _COLOURS else c.state,
            c.outcome or c.evidence,
        ]
        for c in found
    ]
    emit(
        output,
        {"cases": [_plain(c) for c in found]},
        lambda: render.table(["CASE", "AGO", "RUNBOOK", "SUBJECT", "STATE", "WHAT"], rows) if rows else "",
    )
    if not found:
        say("No open case." if open_ else "No runbook has acted yet.")


@heal.command()
@click.argument("case_id", metavar="CASE")
@control_option
def approve(case_id: str, target: str) -> None:
    """Let the proposed CASE run."""
    from seawall.client.calls import default_author
    from seawall.v1 import admin_healing_pb2 as pb

    request = pb.ApproveHealingCaseRequest(id=case_id, actor=default_author())
    case = _send(target, "ApproveHealingCase", request, pb.ApproveHealingCaseResponse).case
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
    case = _send(target, "RejectHealingCase", request, pb.RejectHealingCaseResponse).case
    say(f"{case.id} is rejected.")


@heal.command()
@control_option
@output_option
def diagnose(target: str, output: str) -> None:
    """Look at everything now, and say which runbooks would care; nothing is done."""
    from seawall.v1 import admin_healing_pb2 as pb

    found = _send(target, "Diagnose", pb.DiagnoseRequest(), pb.DiagnoseResponse).observations
    rows: list[list[str | render.Cell]] = []
    for one in found:
        holds = [f"{v.runbook} ({_mode(v.mode)})" for v in one.verdicts if v.holds]
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
        {"observations": [_plain(one) for one in found]},
        lambda: render.table(["CONDITION", "SUBJECT", "MEASURE", "RUNBOOKS THAT HOLD", "EVIDENCE"], rows),
    )


@heal.command()
@control_option
@output_option
def stats(target: str, output: str) -> None:
    """Say how often what was done helped."""
    from seawall.v1 import admin_healing_pb2 as pb

    found = _send(target, "GetHealingStats", pb.GetHealingStatsRequest(), pb.GetHealingStatsResponse)
    rows: list[list[str | render.Cell]] = [[c.action, c.state, str(c.cases)] for c in found.counts]
    emit(
        output,
        _plain(found),
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
    from seawall.v1 import admin_healing_pb2 as pb

    found = _send(target, "ListHealingActions", pb.ListHealingActionsRequest(), pb.ListHealingActionsResponse)

    def table() -> str:
        seen = render.table(["CONDITION", "MEASURE"], [[c.name, c.unit] for c in found.conditions])
        rows: list[list[str | render.Cell]] = []
        for action in found.actions:
            rows.append([action.name, "yes" if action.can_undo else "no", action.help])
            for p in action.parameters:
                default = f" (default {_plain(p.default_value)})" if p.HasField("default_value") else ""
                rows.append([f"  {p.name}", "", p.help + default])
        return f"{seen}\n\n{render.table(['ACTION', 'CAN BE TAKEN BACK', 'WHAT'], rows)}"

    emit(output, _plain(found), table)
