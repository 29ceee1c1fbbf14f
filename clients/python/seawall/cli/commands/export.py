"""`seawall export`: events as a file."""

from __future__ import annotations

import sys
from typing import IO

import click

from seawall.cli import render
from seawall.cli.commands.events import FILTER_HELP
from seawall.cli.options import WholeRange, connect, control_option, say


@click.group()
def export() -> None:
    """Write what the control plane has stored to a file."""


@export.command()
@click.option("--filter", "filter_", default="", help=FILTER_HELP)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["ndjson", "csv", "json"]),
    default="ndjson",
    show_default=True,
    help="A JSON object a line, CSV with a line of names, or one JSON array.",
)
@click.option("--limit", type=WholeRange(0), default=0, help="At most so many events; 0 means all.")
@click.option(
    "--out", "file", type=click.File("wb", lazy=True), default="-", help="File to write; default is stdout."
)
@control_option
def events(filter_: str, format_: str, limit: int, file: IO[bytes], target: str) -> None:
    """Write events, newest first.

    Cells of CSV that a spreadsheet would run begin with an apostrophe.
    """
    total = 0
    with connect(target) as seawall:
        for part in seawall.events.export(filter_, format=format_, limit=limit):
            file.write(part.chunk)
            total += part.events
    file.flush()
    sys.stdout.flush()
    say(f"{render.count(total)} events written.")
