"""`seawall backup` and `seawall restore`: copies of the control plane's store. They work on files of this
machine, not through the control plane.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from seawall.cli import exits
from seawall.cli.options import DEFAULT_DATA_DIR, emit, output_option, say
from seawall.cli.progress import Progress

if TYPE_CHECKING:
    from seawall_control.store.sqlite.copies import CopyReport

_data_dir = click.option(
    "--data-dir",
    metavar="DIR",
    default=DEFAULT_DATA_DIR,
    show_default=True,
    envvar="SEAWALL_DATA_DIR",
    show_envvar=True,
    help="Data directory of the control plane.",
)
_verify = click.option(
    "--verify",
    type=click.Choice(["quick", "full"]),
    default="quick",
    show_default=True,
    help="How the copy is checked: every page of it, or every row in every index as well, which takes ten "
    "times as long and more.",
)


def _refuse_database(ctx: click.Context, what: str) -> None:
    if os.environ.get("SEAWALL_STORE_URL"):
        say(
            f"SEAWALL_STORE_URL names a PostgreSQL database: {what} with the database's own tools (pg_dump, "
            "pg_restore), or unset the variable for a store in a file."
        )
        ctx.exit(exits.USAGE)


def _sentence(error: Exception) -> str:
    """Return what an error says, with one full stop at its end."""
    return f"{str(error).rstrip('.')}."


def _data(report: CopyReport, where: Path, verify: str) -> dict[str, object]:
    return {
        "path": str(where),
        "bytes": report.size_bytes,
        "schema": report.schema,
        "revisions": report.revisions,
        "events": report.events,
        "documents": report.documents,
        "verified": verify,
    }


def _line(report: CopyReport, verify: str) -> str:
    checked = "every row and index checked" if verify == "full" else "every page checked"
    return (
        f"{report.revisions} revisions, {report.events} events, {report.documents} documents, "
        f"{report.size_bytes / 1e6:.1f} MB, schema {report.schema}; {checked}"
    )


@click.command()
@click.argument("target", metavar="FILE", type=click.Path())
@_data_dir
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@_verify
@output_option
@click.pass_context
def backup(
    ctx: click.Context,
    target: str,
    data_dir: str,
    overwrite: bool,
    verify: Literal["quick", "full"],
    output: str,
) -> None:
    """Copy the control plane's store to FILE, also while it runs.

    The copy is a consistent snapshot. Every page of it is read and checked before it gets its name, so a
    FILE that is there is a good one. What takes longer than a second says on standard error how far it is.

    Exit code: 0 the copy is there, 1 it is not.
    """
    from seawall_control.domain.errors import StoreRefused
    from seawall_control.store.sqlite.copies import back_up

    _refuse_database(ctx, "copy it")
    try:
        with Progress() as progress:
            report = back_up(
                Path(data_dir), Path(target), overwrite=overwrite, check=verify, say=progress.say
            )
    except StoreRefused as error:
        say(_sentence(error))
        ctx.exit(exits.FAILED)
    emit(output, _data(report, report.path, verify), lambda: f"{report.path}: {_line(report, verify)}")


@click.command()
@click.argument("source", metavar="FILE", type=click.Path())
@_data_dir
@_verify
@output_option
@click.pass_context
def restore(
    ctx: click.Context, source: str, data_dir: str, verify: Literal["quick", "full"], output: str
) -> None:
    """Put a copy from `seawall backup` in the place of the control plane's store, which must not run.

    The copy is checked before it takes the store's place. The store from before is kept beside it, as
    control.db.before-restore-TIME.

    Exit code: 0 restored, 1 nothing was changed.
    """
    from seawall_control.domain.errors import StoreRefused
    from seawall_control.store.sqlite import copies
    from seawall_control.store.sqlite.opening import FILE_NAME

    _refuse_database(ctx, "restore it")
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    try:
        with Progress() as progress:
            report, before = copies.restore(
                Path(source), Path(data_dir), stamp=stamp, check=verify, say=progress.say
            )
    except StoreRefused as error:
        say(_sentence(error))
        ctx.exit(exits.FAILED)
    place = Path(data_dir) / FILE_NAME
    data = {**_data(report, place, verify), "before": str(before) if before else ""}
    kept = f"\nThe store from before is {before}." if before else ""
    emit(output, data, lambda: f"{place}: {_line(report, verify)}{kept}")
