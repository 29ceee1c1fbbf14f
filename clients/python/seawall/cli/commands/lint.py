"""`seawall lint`: every mistake in policy files, without a control plane."""

from __future__ import annotations

import json

import click

from seawall.cli import exits
from seawall.cli.options import say


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="Form.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning"]),
    default="error",
    show_default=True,
    help="What makes the exit code 1.",
)
@click.option(
    "--base",
    "bases",
    multiple=True,
    metavar="FILE",
    type=click.Path(),
    help="What the files extend, as a file; once more for what that one extends.",
)
@click.pass_context
def lint(
    ctx: click.Context, files: tuple[str, ...], output: str, fail_on: str, bases: tuple[str, ...]
) -> None:
    """Check policy files with the compiler that the proxies use; report every mistake with file, line and
    column.

    A file that extends a policy set is checked together with --base.

    `-o github` prints workflow commands, which GitHub shows beside the lines of a change.

    Exit code: 0 no mistakes, 1 mistakes (with --fail-on warning also warnings), 2 a file that cannot be read.
    """
    from seawall.cli import policy_file
    from seawall_proxy.config import render_violations

    code = exits.OK
    everything: list[object] = []
    read = mistakes = warnings = 0
    base = policy_file.whole_bases(bases)
    for path in files:
        try:
            report = policy_file.load(path, base=None if base is None else lambda _: base)
        except policy_file.Unreadable as error:
            error.show()
            code = exits.USAGE
            continue
        read += 1
        mistakes += len(report.errors)
        warnings += len(report.warnings)
        if output == "json":
            everything.append(json.loads(render_violations(report, "json")))
        else:
            click.echo(render_violations(report, "github" if output == "github" else "text"), nl=False)
    if output == "json":
        data = {"files": everything, "errors": mistakes, "warnings": warnings}
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
    say(f"{_many(read, 'file')} checked: {_many(mistakes, 'mistake')}, {_many(warnings, 'warning')}")
    if code == exits.OK and (mistakes or (warnings and fail_on == "warning")):
        code = exits.FAILED
    ctx.exit(code)


def _many(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
