"""Reading policy files for commands: every mistake with file, line and column, or the document."""

from __future__ import annotations

from pathlib import Path
from time import time
from typing import TYPE_CHECKING

import click

from seawall.cli import exits

if TYPE_CHECKING:
    from seawall.v1.policy_pb2 import PolicyDocument
    from seawall_proxy.config import LintReport


class Unreadable(click.ClickException):
    """A file that cannot be read."""

    exit_code = exits.USAGE


def load(path: str) -> LintReport:
    """Return the file, checked and compiled; raise `Unreadable` when it cannot be read at all."""
    from seawall_proxy.config import lint_file

    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        raise Unreadable(f"cannot read {path}: {error.strerror or error}") from error
    return lint_file(path, wall_s=time())


def text(report: LintReport) -> str:
    """Return the findings for a person."""
    from seawall_proxy.config import render_violations

    return render_violations(report).rstrip()


def load_or_exit(
    ctx: click.Context, path: str, *, code: int = exits.FAILED, done: str = "nothing was sent"
) -> PolicyDocument:
    """Return the document; with mistakes, print them on stderr and exit. Warnings are printed and do not
    matter.
    """
    return report_or_exit(ctx, path, code=code, done=done).document


def report_or_exit(
    ctx: click.Context, path: str, *, code: int = exits.FAILED, done: str = "nothing was sent"
) -> LintReport:
    """Return the document as `load_or_exit` does, with the warnings that were printed."""
    report = load(path)
    if report.findings:
        click.echo(text(report), err=True)
    if not report.ok:
        number = len(report.errors)
        click.echo(f"{path} has {number} {'mistake' if number == 1 else 'mistakes'}; {done}.", err=True)
        ctx.exit(code)
    return report
