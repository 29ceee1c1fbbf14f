"""`seawall heal`: the runbooks themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from seawall.cli import render
from seawall.cli.heal_calls import send
from seawall.cli.options import control_option, emit, output_option, say, whole

if TYPE_CHECKING:
    from seawall.v1 import admin_healing_pb2 as pb

MODES: Final = ("off", "dry_run", "approve", "auto")
_COLOURS: Final = {"auto": "green", "approve": "yellow"}


def _from(runbook: pb.Runbook) -> str:
    return "built in" if runbook.built_in else f"version {runbook.etag}"


def _get(target: str, name: str) -> pb.Runbook:
    from seawall.v1 import admin_healing_pb2 as pb

    return send(target, "GetRunbook", pb.GetRunbookRequest(name=name), pb.GetRunbookResponse).runbook


def _set(target: str, runbook: pb.Runbook, *, dry_run: bool = False) -> pb.Runbook:
    from seawall.v1 import admin_healing_pb2 as pb

    request = pb.SetRunbookRequest(runbook=runbook, validate_only=dry_run)
    return send(target, "SetRunbook", request, pb.SetRunbookResponse).runbook


@click.command()
@control_option
@output_option
def runbooks(target: str, output: str) -> None:
    """List the runbooks, the built-in ones included."""
    from seawall.cli import heal_shapes
    from seawall.v1 import admin_healing_pb2 as pb

    found = whole(
        target, "/seawall.v1.HealingService/ListRunbooks", pb.ListRunbooksRequest(), pb.ListRunbooksResponse
    ).runbooks
    rows: list[list[str | render.Cell]] = [
        [
            r.name,
            render.Cell(heal_shapes.mode(r.mode), _COLOURS.get(heal_shapes.mode(r.mode))),
            f"{r.condition} >= {r.threshold:g}",
            r.subject,
            heal_shapes.spelled(r.lasting),
            r.action,
            _from(r),
        ]
        for r in found
    ]
    emit(
        output,
        {"runbooks": [heal_shapes.runbook(r) for r in found]},
        lambda: render.table(["RUNBOOK", "MODE", "WHEN", "SUBJECT", "FOR", "DOES", "FROM"], rows),
    )


@click.command()
@click.argument("name")
@control_option
@output_option
def show(name: str, target: str, output: str) -> None:
    """Show runbook NAME; with `-o yaml` in the form that `set` reads."""
    from seawall.cli import heal_shapes

    found = _get(target, name)
    shape = heal_shapes.runbook(found)

    def text() -> str:
        parameters = ", ".join(f"{key}={value}" for key, value in shape["parameters"].items())
        return render.fields(
            [
                ("Runbook", f"{found.name} ({_from(found)})"),
                ("What", found.description),
                ("Mode", shape["mode"]),
                ("When", f"{found.condition} >= {found.threshold:g} for {shape['lasting']}"),
                ("Subjects", found.subject),
                ("Does", found.action + (f" ({parameters})" if parameters else "")),
                ("Judged after", shape["verify_after"]),
                ("Rest after a case", shape["cooldown"]),
                ("Most an hour", str(found.max_per_hour)),
                ("Proposal waits", shape["approval_ttl"]),
            ]
        )

    emit(output, shape, text)


@click.command("set")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--dry-run", is_flag=True, help="Check only.")
@control_option
@output_option
def set_(file: Any, dry_run: bool, target: str, output: str) -> None:
    """Make or replace a runbook from FILE (YAML or JSON; `-` is stdin).

    The form is that of `seawall heal show NAME -o yaml`. With the etag that it shows, a change of somebody
    else in between is noticed.
    """
    from seawall.cli import heal_shapes, plain
    from seawall.cli.data_file import read_data
    from seawall.v1 import admin_healing_pb2 as pb

    try:
        value = read_data(file)
        if not isinstance(value, dict):
            raise click.ClickException(f"{file.name}: a runbook is a mapping, such as `name: ...`")
        runbook = plain.to_message(value, pb.Runbook)
    except plain.Mistake as error:
        raise click.ClickException(f"{file.name}: {error}") from error
    kept = _set(target, runbook, dry_run=dry_run)
    emit(output, heal_shapes.runbook(kept), lambda: "")
    say(
        f"{kept.name} is fine; nothing was changed."
        if dry_run
        else f"{kept.name} is in force, mode {heal_shapes.mode(kept.mode)}."
    )


@click.command()
@click.argument("name")
@click.argument("wanted", metavar="MODE", type=click.Choice(MODES))
@control_option
def mode(name: str, wanted: str, target: str) -> None:
    """Say how far runbook NAME may go: off, dry_run, approve or auto."""
    from seawall.cli import heal_shapes
    from seawall.v1 import admin_healing_pb2 as pb

    runbook = _get(target, name)
    before = heal_shapes.mode(runbook.mode)
    runbook.mode = getattr(pb, f"RUNBOOK_MODE_{wanted.upper()}")
    _set(target, runbook)
    say(f"{name} is {wanted} now; it was {before}.")


@click.command()
@click.argument("name")
@control_option
def delete(name: str, target: str) -> None:
    """Delete runbook NAME; a built-in one comes back as it was."""
    from seawall.v1 import admin_healing_pb2 as pb

    send(target, "DeleteRunbook", pb.DeleteRunbookRequest(name=name), pb.DeleteRunbookResponse)
    say(f"{name} is deleted.")


def _run(target: str, name: str, subject: str, *, validate_only: bool) -> pb.HealingCase:
    from seawall.client.calls import default_author
    from seawall.v1 import admin_healing_pb2 as pb

    request = pb.RunRunbookRequest(
        name=name, subject=subject, validate_only=validate_only, actor=default_author()
    )
    return send(target, "RunRunbook", request, pb.RunRunbookResponse).case


_SUBJECT: Final = click.option(
    "--subject",
    default="",
    help="What it is about, such as `route/checkout`; may be left out where just one thing is measured.",
)


@click.command("try")
@click.argument("name")
@_SUBJECT
@control_option
@output_option
def try_(name: str, subject: str, target: str, output: str) -> None:
    """Say what runbook NAME would do now; nothing is done."""
    from seawall.cli import heal_shapes

    case = _run(target, name, subject, validate_only=True)
    emit(
        output,
        heal_shapes.case(case),
        lambda: render.fields(
            [("Subject", case.subject), ("Measured", case.evidence), (case.action, case.plan)]
        ),
    )


@click.command("run")
@click.argument("name")
@_SUBJECT
@control_option
@output_option
def run(name: str, subject: str, target: str, output: str) -> None:
    """Do now what runbook NAME does, whatever its mode and threshold; it is judged as always.

    What changes a policy only proposes where policies take two people, and somebody else approves it.
    """
    from seawall.cli import heal_shapes

    case = _run(target, name, subject, validate_only=False)
    emit(output, heal_shapes.case(case), lambda: "")
    if case.state == "proposed":
        say(f"{case.id} waits for somebody else: `seawall heal approve {case.id}`. {case.plan}")
    else:
        say(f"{case.id} runs: {case.action} for {case.subject}. See `seawall heal cases`.")


COMMANDS: Final = (runbooks, show, set_, mode, delete, try_, run)
