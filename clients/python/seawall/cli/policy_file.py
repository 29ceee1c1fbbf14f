"""Reading policy files for commands: every mistake with file, line and column, or the document."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from seawall.cli import exits
from seawall.cli.options import say

if TYPE_CHECKING:
    from seawall.v1.policy_pb2 import PolicyDocument
    from seawall_proxy.config import LoadedDocument


class Unreadable(click.ClickException):
    """A file that cannot be read."""

    exit_code = exits.USAGE


def load(path: str) -> LoadedDocument:
    """Return the file with its mistakes; raise `Unreadable` when it cannot be read at all."""
    from seawall_proxy.config import load_file

    try:
        return load_file(path)
    except OSError as error:
        raise Unreadable(f"cannot read {path}: {error.strerror or error}") from error


def load_or_exit(ctx: click.Context, path: str) -> PolicyDocument:
    """Return the document; with mistakes, print them on stderr and exit 1. Warnings are printed and do not matter."""
    from seawall_proxy.config import render_violations

    loaded = load(path)
    if loaded.violations:
        say(render_violations(loaded))
    if loaded.document is None or any(not violation.warning for violation in loaded.violations):
        number = sum(not violation.warning for violation in loaded.violations)
        click.echo(f"{path} has {number} {'mistake' if number == 1 else 'mistakes'}; nothing was sent.", err=True)
        ctx.exit(exits.FAILED)
    return loaded.document
