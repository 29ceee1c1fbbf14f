"""Reading policy files for commands: every mistake with file, line and column, or the document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def load(path: str, *, base: Callable[[str], PolicyDocument] | None = None) -> LintReport:
    """Return the file, checked and compiled; raise `Unreadable` when it cannot be read at all.

    `base` gives the whole document of a policy set, and is asked when the file extends one.
    """
    from seawall_proxy.config import lint_loaded, load_file

    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        raise Unreadable(f"cannot read {path}: {error.strerror or error}") from error
    loaded = load_file(path)
    extends = loaded.document.extends
    below = base(extends) if base is not None and extends else None
    return lint_loaded(loaded, wall_s=time(), base=below)


def whole_bases(paths: Sequence[str]) -> PolicyDocument | None:
    """Return what the files of `--base` come to, each extending the next; None without any. Raise
    `Unreadable`, and `click.UsageError` for one with mistakes in its form.
    """
    from seawall_policy.compile.layers import merged
    from seawall_proxy.config import load_file

    whole = None
    for path in reversed(paths):
        loaded = load_file(path)
        if loaded.findings:
            first = loaded.findings[0]
            raise click.UsageError(f"{path} cannot be used as a base: {first.violation.message}")
        whole = loaded.document if whole is None else merged(whole, loaded.document)
    return whole


def text(report: LintReport) -> str:
    """Return the findings for a person."""
    from seawall_proxy.config import render_violations

    return render_violations(report).rstrip()


def load_or_exit(
    ctx: click.Context,
    path: str,
    *,
    code: int = exits.FAILED,
    done: str = "nothing was sent",
    base: Callable[[str], PolicyDocument] | None = None,
) -> PolicyDocument:
    """Return the document; with mistakes, print them on stderr and exit. Warnings are printed and do not
    matter.
    """
    return report_or_exit(ctx, path, code=code, done=done, base=base).document


def report_or_exit(
    ctx: click.Context,
    path: str,
    *,
    code: int = exits.FAILED,
    done: str = "nothing was sent",
    base: Callable[[str], PolicyDocument] | None = None,
) -> LintReport:
    """Return the document as `load_or_exit` does, with the warnings that were printed."""
    report = load(path, base=base)
    if report.findings:
        click.echo(text(report), err=True)
    if not report.ok:
        number = len(report.errors)
        click.echo(f"{path} has {number} {'mistake' if number == 1 else 'mistakes'}; {done}.", err=True)
        ctx.exit(code)
    return report
