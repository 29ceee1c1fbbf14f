"""`seawall breaker`: look at breakers, close one, hold one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from seawall.cli import exits, render
from seawall.cli.commands import operations
from seawall.cli.options import DURATION, F, connect, control_option, emit, output_option, say

if TYPE_CHECKING:
    from seawall.v1.admin_fleet_pb2 import ProxyCommandResult

_held_for = click.option(
    "--for", "duration", type=DURATION, default="5m", show_default=True, help="How long, 1s to 24h."
)
_reason = click.option("--reason", default="", help="Why; kept in the record.")
_proxy = click.option("--proxy", metavar="NODE", default="", help="Only on this proxy.")


def _why_and_where(command: F) -> F:
    return _reason(_proxy(command))


@click.group()
def breaker() -> None:
    """List, reset, trip or hold breakers.

    CLOSED lets calls through, OPEN rejects them (or answers with the fallback), HALF_OPEN lets a few through
    to see, RAMP a growing share. A breaker has the name of its route; where methods or endpoints have their
    own it is ROUTE/package.Service/Method or ROUTE@ADDRESS, and ROUTE means all of them. Each proxy has its
    own.
    """


def _lasting(command: F) -> F:
    """Add the options that make a hold an operation on the fleet."""
    everywhere = click.option(
        "--everywhere", is_flag=True, help="Also on proxies that connect before it ends: an operation."
    )
    selector = click.option(
        "--selector",
        metavar="LABELS",
        default="",
        help="The same, only on proxies with these labels: `zone=a,!old`.",
    )
    return everywhere(selector(command))


def _operate(
    name: str,
    state: str,
    *,
    proxy: str,
    selector: str,
    duration: float,
    reason: str,
    target: str,
    output: str,
) -> int:
    from seawall.v1.admin_operations_pb2 import HoldBreakerAction, OperationAction

    hold = HoldBreakerAction(breaker=name, state=f"BREAKER_STATE_{state}")
    return operations.begin(
        OperationAction(hold_breaker=hold),
        operations.Where(proxy, selector, duration, reason),
        target=target,
        output=output,
    )


@breaker.command("list")
@click.option("--proxy", metavar="NODE", default="", help="Only this proxy.")
@control_option
@output_option
def list_(proxy: str, target: str, output: str) -> None:
    """List the breakers of all proxies."""
    show_breakers(proxy, target, output)


def show_breakers(proxy: str, target: str, output: str) -> None:
    """Print the breakers (`breaker list` and `get breakers`)."""
    from seawall.cli import shapes

    with connect(target) as seawall:
        items = seawall.operations.breakers(proxy=proxy)
    emit(output, {"breakers": [shapes.breaker(item) for item in items]}, lambda: table(items))


def table(items: Sequence[Any]) -> str:
    """Return breakers as a table."""
    from seawall.cli import shapes

    if not items:
        say("No breakers: no proxy is connected, or no route's policy has one.")
        return ""
    now = datetime.now(UTC)
    rows: list[list[str | render.Cell]] = []
    for item in items:
        shape = shapes.breaker(item)
        wait = shape["retry_after_s"]
        rows.append(
            [
                item.name,
                item.proxy or "-",
                render.breaker(shape["state"]),
                render.ago(shapes.moment(item.since), now),
                item.trigger or "-",
                f"{item.window_failures}/{item.window_calls}",
                str(item.window_slow),
                render.count(item.rejected),
                render.count(item.opened),
                "-" if wait is None else render.span(wait),
            ]
        )
    headers = [
        "BREAKER",
        "PROXY",
        "STATE",
        "FOR",
        "TRIGGER",
        "FAILED",
        "SLOW",
        "REJECTED",
        "OPENED",
        "PROBES-IN",
    ]
    return render.table(headers, rows, right="FOR FAILED SLOW REJECTED OPENED PROBES-IN")


@breaker.command()
@click.argument("name")
@_why_and_where
@control_option
@output_option
@click.pass_context
def reset(ctx: click.Context, name: str, reason: str, proxy: str, target: str, output: str) -> None:
    """Close breaker NAME and forget what it has seen; also ends what holds it.

    An operation (--everywhere) goes on for proxies that connect later: `seawall operations cancel` ends it.
    """
    with connect(target) as seawall:
        results = seawall.operations.reset_breaker(name, proxy=proxy, reason=reason)
        holds = operations.done_at(seawall, proxy, breaker=name)
    code = _report("reset", name, results, output)
    for hold in holds if code == exits.OK else ():
        say(
            f"Operation {hold['id']} still holds it at proxies that connect before it ends; "
            f"`seawall operations cancel {hold['id']}` ends it."
        )
    ctx.exit(code)


@breaker.command()
@click.argument("name")
@_held_for
@_why_and_where
@_lasting
@control_option
@output_option
@click.pass_context
def trip(
    ctx: click.Context,
    name: str,
    duration: float,
    reason: str,
    proxy: str,
    everywhere: bool,
    selector: str,
    target: str,
    output: str,
) -> None:
    """Hold breaker NAME open for a while.

    It then probes, and closes by itself when the probes succeed.
    """
    if everywhere or selector:
        code = _operate(
            name,
            "FORCED_OPEN",
            proxy=proxy,
            selector=selector,
            duration=duration,
            reason=reason,
            target=target,
            output=output,
        )
        ctx.exit(code)
    with connect(target) as seawall:
        results = seawall.operations.trip_breaker(name, proxy=proxy, duration=duration, reason=reason)
    code = _report("tripped", name, results, output)
    if code == exits.OK:
        say(f"It probes again in {render.span(duration)}; sooner with `seawall breaker reset {name}`.")
    ctx.exit(code)


@breaker.command("hold-closed")
@click.argument("name")
@_held_for
@_why_and_where
@_lasting
@control_option
@output_option
@click.pass_context
def hold_closed(
    ctx: click.Context,
    name: str,
    duration: float,
    reason: str,
    proxy: str,
    everywhere: bool,
    selector: str,
    target: str,
    output: str,
) -> None:
    """Let every call pass breaker NAME unwatched for a while (DISABLED).

    It then watches again, and begins with nothing.
    """
    if everywhere or selector:
        code = _operate(
            name,
            "DISABLED",
            proxy=proxy,
            selector=selector,
            duration=duration,
            reason=reason,
            target=target,
            output=output,
        )
        ctx.exit(code)
    with connect(target) as seawall:
        results = seawall.operations.hold_breaker(
            name, "disabled", proxy=proxy, duration=duration, reason=reason
        )
    ctx.exit(_held("held closed", name, duration, results, output))


@breaker.command()
@click.argument("name")
@_held_for
@_why_and_where
@_lasting
@control_option
@output_option
@click.pass_context
def observe(
    ctx: click.Context,
    name: str,
    duration: float,
    reason: str,
    proxy: str,
    everywhere: bool,
    selector: str,
    target: str,
    output: str,
) -> None:
    """Let every call pass breaker NAME for a while, and count (METRICS_ONLY).

    What it would have rejected is counted.
    """
    if everywhere or selector:
        code = _operate(
            name,
            "METRICS_ONLY",
            proxy=proxy,
            selector=selector,
            duration=duration,
            reason=reason,
            target=target,
            output=output,
        )
        ctx.exit(code)
    with connect(target) as seawall:
        results = seawall.operations.hold_breaker(
            name, "metrics_only", proxy=proxy, duration=duration, reason=reason
        )
    ctx.exit(_held("observing", name, duration, results, output))


def _held(verb: str, name: str, duration: float, results: Sequence[ProxyCommandResult], output: str) -> int:
    code = _report(verb, name, results, output)
    if code == exits.OK:
        say(f"It decides again in {render.span(duration)}; sooner with `seawall breaker reset {name}`.")
    return code


def _report(verb: str, name: str, results: Sequence[ProxyCommandResult], output: str) -> int:
    """Print what every proxy said; fail unless every one did it, and one did."""
    from seawall.cli import shapes

    def table_() -> str:
        rows: list[list[str | render.Cell]] = [
            [
                item.proxy,
                render.Cell(f"✓ {verb}", "green") if item.ok else render.Cell("× failed", "red"),
                item.message,
            ]
            for item in results
        ]
        return render.table(["PROXY", "RESULT", "MESSAGE"], rows) if rows else ""

    emit(output, {"breaker": name, "results": [shapes.command_result(item) for item in results]}, table_)
    if not results:
        say(f"No connected proxy has a breaker {name!r}; see `seawall breaker list`.")
        return exits.FAILED
    return exits.OK if all(item.ok for item in results) else exits.FAILED
