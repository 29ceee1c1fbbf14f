"""The root command: which commands there are, and how their errors become messages and exit codes.

Only names and summaries are held here. The module of a command is imported when the command is used, or when
its help is.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Final

import click

from seawall.cli import exits

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "up": ("up:up", "Start a control plane and a proxy, and keep them running."),
    "proxy": ("serve:proxy", "Run a proxy."),
    "control": ("serve:control", "Run a control plane."),
    "lint": ("lint:lint", "Check policy files, offline."),
    "explain": ("explain:explain", "Say what a call gets and why, or why a recorded one went as it did."),
    "simulate": ("simulate:simulate", "Try a policy on calls that were recorded."),
    "diff": ("policy:diff", "Compare a policy file with what is in effect."),
    "apply": ("policy:apply", "Make a policy file the newest revision and push it to the proxies."),
    "proposals": ("proposals:proposals", "Propose changes of policies, and approve those of others."),
    "rollout": ("rollout:rollout", "See how a revision arrives at the proxies; hold it, or take it back."),
    "get": ("get:get", "List policies, revisions, routes, breakers, proxies or events."),
    "describe": ("describe:describe", "Say everything about one policy set, route, breaker, proxy or event."),
    "stat": ("stat:stat", "Rates, success, latency, retries and breakers of routes."),
    "breaker": ("breaker:breaker", "List, reset or trip breakers."),
    "drain": ("drain:drain", "Take an endpoint or a proxy out of service for a time."),
    "fault": ("fault:fault", "Break calls on purpose for a time."),
    "operations": ("operations:operations", "See, and end, what is done to many proxies for a time."),
    "events": ("events:events", "List, show, resolve, count or follow error events."),
    "groups": ("groups:groups", "See, assign, mute, resolve and merge groups of events: one problem each."),
    "export": ("export:export", "Write events to a file."),
    "archive": ("archive:archive", "Move old resolved events to files; list, read and check those."),
    "alerts": ("alerts:alerts", "See what fires; set rules, channels and silences."),
    "analysis": (
        "analysis:analysis",
        "Rates, trends, what is unusual, what comes next, what could be changed.",
    ),
    "heal": ("heal:heal", "See and set runbooks, answer what they propose, diagnose."),
    "tokens": ("tokens:tokens", "Make, list and revoke API tokens."),
    "enrol": ("enrol:enrol", "Give proxies their identity, list and revoke it."),
    "authority": ("authority:authority", "Change the control plane's certificate authority."),
    "audit": ("audit:audit", "Read and verify the record of who changed what."),
    "keys": ("keys:keys", "See and change the keys of the store's secrets and of the audit's seal."),
    "backup": ("backup:backup", "Copy the control plane's store to a file, while it runs."),
    "restore": ("backup:restore", "Put a copy in the store's place."),
    "check": ("check:check", "Check that everything works together, with a hint where it does not."),
    "version": ("version:version", "Say what is installed and whether it runs compiled."),
}
"""In the order in which a newcomer needs them."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in our order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(import_module(f"seawall.cli.commands.{module}"), attribute)
        if not isinstance(command, click.Command):
            message = f"{module}:{attribute} is no command"
            raise TypeError(message)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest a name for a mistyped command."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            from difflib import get_close_matches

            close = get_close_matches(name, COMMANDS, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"No such command {name!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the summaries here, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


def wants_color(no_color: bool) -> bool | None:
    """Return False when colour is off, None to let the terminal decide."""
    if no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return True if os.environ.get("FORCE_COLOR") else None


def _print_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from seawall import __version__

    click.echo(f"seawall {__version__}")
    ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=exits.TEXT,
)
@click.option("--no-color", is_flag=True, help="No colours (also: NO_COLOR, TERM=dumb).")
@click.option("-q", "--quiet", is_flag=True, help="No messages on stderr but errors.")
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Print the version.",
)
@click.pass_context
def root(ctx: click.Context, no_color: bool, quiet: bool) -> None:
    """A gRPC resilience proxy with a control plane.

    Data goes to stdout, messages to stderr. Commands that show data take `-o json`, whose form is stable.
    Commands that talk to the control plane take `--control TARGET` (or SEAWALL_CONTROL; default
    127.0.0.1:9090).
    """
    ctx.color = wants_color(no_color)
    ctx.meta["seawall.quiet"] = quiet


def run(arguments: list[str]) -> int:
    """Run a command line and return the exit code; errors are printed on stderr."""
    stdout = sys.stdout
    try:
        result = root.main(arguments, prog_name="seawall", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return exits.USAGE
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("", err=True)
        return exits.INTERRUPTED
    except (BrokenPipeError, SystemExit) as error:
        # The reader of our output went away (`seawall events list | head`); click then wraps stdout and exits
        # with 1. What is buffered has nowhere to go.
        if isinstance(error, SystemExit) and sys.stdout is stdout:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.OK
    except UnicodeEncodeError as error:
        if error.encoding != "utf-8":  # what cannot be shown in this terminal is none of the caller's
            raise
        click.echo(f"Error: {error.object[:64]!r} is no UTF-8 text.", err=True)
        return exits.USAGE
    except Exception as error:
        from seawall.errors import (
            SeawallError,
        )  # imports nothing heavy; kept here so that `version` does without

        if not isinstance(error, SeawallError):
            raise
        return report(error)
    return result if isinstance(result, int) and not isinstance(result, bool) else exits.OK


def report(error: Exception) -> int:
    """Print an error of the library and return its exit code."""
    from seawall.errors import TimedOut, Unreachable

    first, _, rest = str(error).partition("\n")
    click.echo(
        f"{click.style('error:', fg='red', bold=True)} {first}" + (f"\n{rest}" if rest else ""), err=True
    )
    return exits.UNREACHABLE if isinstance(error, Unreachable | TimedOut) else exits.FAILED
