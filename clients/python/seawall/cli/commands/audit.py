"""`seawall audit`: read and verify the record of who changed what."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seawall.cli import exits, render
from seawall.cli.options import WholeRange, connect, control_option, emit, output_option, say

if TYPE_CHECKING:
    from seawall.v1.admin_access_pb2 import AuditEntry, VerifyAuditResponse


@click.group()
def audit() -> None:
    """Read and verify the record of who changed what.

    Every call that changes something leaves an entry with its outcome, and so do calls that were refused.
    Entries are chained: one that was changed or taken out later breaks the chain.
    """


@audit.command("list")
@click.option("--actor", metavar="NAME", default="", help="Only what this caller did.")
@click.option("--method", metavar="METHOD", default="", help="Only this method, such as ApplyPolicy.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Entries.")
@control_option
@output_option
def list_(actor: str, method: str, limit: int, target: str, output: str) -> None:
    """List entries, newest first."""
    from seawall.cli import access_shapes

    with connect(target) as seawall:
        items = list(seawall.access.audit(actor=actor, method=method, limit=limit))
    emit(output, {"entries": [access_shapes.audit_entry(item) for item in items]}, lambda: table(items))


def table(items: Sequence[AuditEntry]) -> str:
    """Return entries as a table."""
    from seawall.cli import access_shapes

    if not items:
        say("No entries.")
        return ""
    rows: list[list[str | render.Cell]] = []
    for item in items:
        shape = access_shapes.audit_entry(item)
        about = " ".join(f"{key}={value}" for key, value in {**shape["resource"], **shape["result"]}.items())
        outcome = item.outcome
        rows.append(
            [
                str(item.number),
                shape["time"] or "-",
                item.actor or "unknown",
                item.address or "-",
                item.method.rpartition("/")[2] or "-",
                render.Cell(outcome, fg="green" if outcome == "OK" else "red"),
                render.clip(about, 60) or "-",
            ]
        )
    return render.table(["NO", "TIME", "ACTOR", "FROM", "METHOD", "OUTCOME", "ABOUT"], rows, right="NO")


@audit.command()
@click.option("--after", type=WholeRange(0), default=0, metavar="NUMBER", help="Only entries after this.")
@control_option
def export(after: int, target: str) -> None:
    """Write the journal to stdout as it is chained, one JSON object a line, the oldest entry first.

    Kept elsewhere, it is what nobody who can write to the store can change; `verify --file` walks it.
    """
    with connect(target) as seawall:
        for item in seawall.access.export_audit(after=after):
            line = {"number": item.number, "time_us": item.time_us, "body": item.body, "chain": item.chain}
            click.echo(json.dumps(line, ensure_ascii=False, separators=(",", ":")))


@audit.command()
@click.option(
    "--file",
    "exported",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Walk this export instead of the control plane's journal.",
)
@click.option(
    "--store-keys",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --file: the keys of the store, for the seals.",
)
@control_option
@output_option
@click.pass_context
def verify(
    ctx: click.Context, exported: Path | None, store_keys: Path | None, target: str, output: str
) -> None:
    """See that every entry follows from the one before it and has its seal; exit code 1 when one does not.

    The control plane also looks for the newest entry that it has written down outside of the store. The last
    link covers the whole journal: kept elsewhere, it shows later whether the end was cut off.
    """
    from seawall.cli import access_shapes

    if exported is not None:
        from seawall.cli.exported_audit import walk

        found = walk(exported, store_keys)
    else:
        with connect(target) as seawall:
            found = seawall.access.verify_audit()
    emit(output, access_shapes.verified(found), lambda: verdict(found))
    ctx.exit(exits.OK if found.intact else exits.FAILED)


def verdict(found: VerifyAuditResponse) -> str:
    """Return what the walk found, for people."""
    if not found.intact:
        problem = found.problem[:1].upper() + found.problem[1:]
        return f"{problem}. Entries up to {found.last} follow from each other."
    if not found.entries:
        return "The journal is empty."
    span = f"{found.entries} entries, {found.first} to {found.last}"
    return f"{span}, follow from each other; {found.sealed} are sealed. Last link: {found.head}"
