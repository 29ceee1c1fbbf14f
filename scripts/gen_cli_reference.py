"""Writes docs/reference/cli.md from the help of the commands; --check only tells whether it is fresh (exit 1
when not).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "cli.md"

for folder in ("clients/python", "control", "proxy"):
    sys.path.insert(0, str(ROOT / folder))

HEAD = """\
# Command line

Generated from the commands' own help by `scripts/gen_cli_reference.py`; do not edit.

Rules that hold for every command:

- Data goes to stdout, messages to stderr. `-q` leaves out messages that are no errors.
- `-o json` and `-o yaml` have a stable form: keys are added, never renamed or removed. Times are RFC 3339 in
  UTC, lengths of time are seconds with `_s` in the name. What can be set again (rules, runbooks) has the form
  of its file.
- Commands that talk to the control plane take `--control TARGET`, or `SEAWALL_CONTROL`; the default is
  `127.0.0.1:9090`.
- Colours follow the terminal; `NO_COLOR`, `TERM=dumb` and `--no-color` turn them off. A state is never told
  by colour alone.
- Nothing asks a question unless stdin is a terminal.
- Lengths of time are spelled `500ms`, `10s`, `1m30s`; a bare number is seconds.
- Shells complete commands and options after `eval "$(_SEAWALL_COMPLETE=bash_source seawall)"`, or with
  `zsh_source` or `fish_source`; put it where the shell starts.

| exit code | meaning |
|---|---|
| 0 | success |
| 1 | no success: mistakes, a difference (`diff`), a proxy that refused, a failed check |
| 2 | wrong usage, or a file that cannot be read (`diff`: any error) |
| 3 | the control plane cannot be reached, or did not answer in time |
| 130 | ended by Ctrl-C |

"""


def commands(context: click.Context, prefix: str = "") -> Iterator[tuple[str, click.Command, click.Context]]:
    """Yield every command with its full name, groups before their members."""
    group = context.command
    if not isinstance(group, click.Group):
        return
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            continue
        inner = click.Context(
            command, info_name=name, parent=context, max_content_width=100, terminal_width=100
        )
        full = f"{prefix}{name}"
        yield full, command, inner
        yield from commands(inner, f"{full} ")


def page() -> str:
    """Return the page."""
    from seawall.cli.root import root

    names = ["-h", "--help"]
    context = click.Context(
        root, info_name="seawall", max_content_width=100, terminal_width=100, help_option_names=names
    )
    found = list(commands(context))
    parts = [HEAD, "## Commands\n\n| command | does |\n|---|---|\n"]
    parts += [
        f"| [`seawall {name}`](#seawall-{name.replace(' ', '-')}) | {c.get_short_help_str(200)} |\n"
        for name, c, _ in found
    ]
    for name, command, inner in found:
        parts.append(f"\n## seawall {name}\n\n```\n{command.get_help(inner).rstrip()}\n```\n")
    return "".join(parts)


def main() -> int:
    """Write the page, or check it."""
    text = page()
    if "--check" in sys.argv[1:]:
        if PAGE.is_file() and PAGE.read_text("utf-8") == text:
            return 0
        print(
            f"{PAGE.relative_to(ROOT)} is not fresh; run: python scripts/gen_cli_reference.py",
            file=sys.stderr,
        )
        return 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
