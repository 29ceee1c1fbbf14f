"""Options that several commands share, and what they lead to: a client, a way to show data, messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from seawall.cli.connecting import credential_options, credentials

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from seawall.client.sync import Seawall

    R = TypeVar("R", bound=Message)

DEFAULT_CONTROL: Final = "127.0.0.1:9090"
DEFAULT_DATA_DIR: Final = ".seawall"

F = TypeVar("F", bound=Callable[..., Any])


class DurationType(click.ParamType[float]):
    """A length of time spelled as in a policy file: `500ms`, `10s`, `1m30s`; a bare number is seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, int | float):
            return float(value)
        from seawall_policy.durations import parse_duration

        text = str(value).strip()
        if text.replace(".", "", 1).isdecimal():
            return float(text)
        try:
            return parse_duration(text) / 1e9
        except ValueError as error:
            self.fail(f"{text!r} {error}.", param, ctx)


DURATION: Final = DurationType()


class WholeRange(click.IntRange):
    """Whole numbers from `min` on that fit into the 63 bits of the contract's fields."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        found = super().convert(value, param, ctx)
        if found >= 2**63:
            self.fail(f"{value} is too large.", param, ctx)
        return found


def control_option(command: F) -> F:
    """Add --control, and the options of `credential_options`."""
    command = credential_options(command)
    return click.option(
        "--control",
        "target",
        metavar="TARGET",
        envvar="SEAWALL_CONTROL",
        default=DEFAULT_CONTROL,
        show_default=True,
        show_envvar=True,
        help="gRPC address of the control plane.",
    )(command)


def output_option(command: F) -> F:
    """Add -o with table, json and yaml."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json", "yaml"]),
        default="table",
        show_default=True,
        help="Form of the data on stdout.",
    )(command)


def message_option(command: F) -> F:
    """Add -m for the message of a revision."""
    return click.option("-m", "--message", default="", help="Why; kept with the revision.")(command)


def wait_option(command: F) -> F:
    """Add --wait for the proxies' answers to a revision."""
    return click.option(
        "--wait",
        type=DURATION,
        default="10s",
        show_default=True,
        help="How long to wait for the proxies; 0 to not wait.",
    )(command)


def drain_options(command: F) -> F:
    """Add --drain-grace and --drain-limit, the times that a proxy takes to stop."""
    command = click.option(
        "--drain-limit",
        metavar="TIME",
        type=DURATION,
        default="30s",
        show_default=True,
        help="Most time that calls in flight get before they are cut off when the proxy stops.",
    )(command)
    return click.option(
        "--drain-grace",
        metavar="TIME",
        type=DURATION,
        default="5s",
        show_default=True,
        help="Time between the two GOAWAYs of a drain: calls that are on their way still get in.",
    )(command)


def policy_set_option(command: F) -> F:
    """Add --policy-set."""
    return click.option(
        "--policy-set",
        metavar="NAME",
        default="",
        help="Policy set to look at; default is the set `default`.",
    )(command)


def connect(target: str, *, timeout_s: float = 10.0) -> Seawall:
    """Return a client for the control plane at `target`."""
    from seawall.client.sync import Seawall

    return Seawall(target, timeout_s=timeout_s, credentials=credentials())


def whole(target: str, method: str, request: Message, response: type[R]) -> R:
    """Send an RPC that lists (`/seawall.v1.Service/Method`) and return its pages as one."""
    found = response()
    with connect(target, timeout_s=30.0) as seawall:
        for page in seawall.pages(method, request, response):
            found.MergeFrom(page)
    return found


def emit(output: str, data: object, table: Callable[[], str]) -> None:
    """Print data on stdout: as JSON or YAML, or what `table` makes of it."""
    if output == "json":
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
    elif output == "yaml":
        click.echo(to_yaml(data), nl=False)
    else:
        text = table()
        if text:
            click.echo(text)


def emit_line(output: str, data: object, line: Callable[[], str]) -> None:
    """Print one item of a stream: a line of JSON, a YAML document, or what `line` makes of it."""
    if output == "json":
        click.echo(json.dumps(data, ensure_ascii=False))
    elif output == "yaml":
        click.echo("---\n" + to_yaml(data), nl=False)
    else:
        click.echo(line())


def to_yaml(data: object) -> str:
    """Return block-style YAML in the order of the data."""
    import yaml

    text: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110, default_flow_style=False)
    return text


def say(message: str) -> None:
    """Print a message on stderr, unless --quiet."""
    context = click.get_current_context(silent=True)
    if context is None or not context.meta.get("seawall.quiet"):
        click.echo(message, err=True)
