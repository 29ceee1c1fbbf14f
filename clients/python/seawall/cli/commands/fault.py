"""`seawall fault`: break calls on purpose, for a time, at many proxies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from seawall.cli.commands.operations import Where, begin, target_options
from seawall.cli.options import control_option, output_option

if TYPE_CHECKING:
    from seawall.v1.policy_pb2 import Fault


@click.group()
def fault() -> None:
    """Break calls on purpose, to see what happens; it ends by itself."""


@fault.command()
@click.argument("route")
@click.option(
    "--abort", metavar="CODE:PERCENT", default="", help="End attempts with a status: `UNAVAILABLE:5%`."
)
@click.option("--delay", metavar="TIME:PERCENT", default="", help="Let attempts wait first: `200ms:10%`.")
@click.option(
    "--bandwidth", metavar="SIZE:PERCENT", default="", help="Bytes a second of responses: `64KiB:5%`."
)
@click.option(
    "--stream",
    metavar="KIND:PERCENT",
    default="",
    help="Break responses after their first message: `abort:5%`, `stall:5%` or `drop_trailers:5%`.",
)
@click.option(
    "--metadata", metavar="KEY=VALUE", multiple=True, help="Only calls that carry this; repeat it for more."
)
@target_options
@control_option
@output_option
@click.pass_context
def start(
    ctx: click.Context,
    /,
    route: str,
    where: Where,
    target: str,
    output: str,
    **broken: Any,
) -> None:
    """Break calls of ROUTE; `*` means every route.

    It takes the place of what the route's policy breaks, and that comes back afterwards. `seawall operations
    cancel` ends it at once.
    """
    from seawall.v1.admin_operations_pb2 import FaultAction, OperationAction

    fault_ = make_fault(**broken)
    action = OperationAction(fault=FaultAction(route="" if route == "*" else route, fault=fault_))
    code = begin(
        action,
        where,
        target=target,
        output=output,
    )
    ctx.exit(code)


def make_fault(*, abort: str, delay: str, bandwidth: str, stream: str, metadata: tuple[str, ...]) -> Fault:
    """Return the fault that the options mean; usage errors name the option."""
    from seawall.client.calls import duration
    from seawall.v1 import policy_pb2
    from seawall_policy.durations import parse_duration

    fault_ = policy_pb2.Fault()
    if abort:
        code, percent = _split("--abort", abort)
        fault_.abort.CopyFrom(policy_pb2.FaultAbort(code=code.upper(), percent=percent))
    if delay:
        text, percent = _split("--delay", delay)
        try:
            length = parse_duration(text) / 1e9
        except ValueError as error:
            raise click.UsageError(f"--delay: {text!r} {error}.") from error
        fault_.delay.CopyFrom(policy_pb2.FaultDelay(duration=duration(length), percent=percent))
    if bandwidth:
        text, percent = _split("--bandwidth", bandwidth)
        fault_.bandwidth.CopyFrom(policy_pb2.FaultBandwidth(per_second=_size(text), percent=percent))
    if stream:
        kind, percent = _split("--stream", stream)
        name = f"FAULT_STREAM_KIND_{kind.upper()}"
        if name not in policy_pb2.FaultStreamKind.keys():  # noqa: SIM118 - it is no dictionary
            raise click.UsageError(f"--stream: {kind!r} is none of abort, stall, drop_trailers.")
        fault_.stream.CopyFrom(policy_pb2.FaultStream(kind=name, percent=percent))
    for condition in metadata:
        name, equals, value = condition.partition("=")
        if not equals:
            raise click.UsageError(f"--metadata: {condition!r} is no KEY=VALUE.")
        fault_.metadata.append(policy_pb2.MetadataMatch(name=name, value=value))
    return fault_


def _split(option: str, text: str) -> tuple[str, float]:
    what, _, share = text.rpartition(":")
    if not what or not re.fullmatch(r"\d+(\.\d+)?%?", share.strip()):
        raise click.UsageError(f"{option}: {text!r} lacks its share, such as `:5%`.")
    return what.strip(), float(share.strip().removesuffix("%"))


def _size(text: str) -> int:
    from seawall_policy.sizes import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise click.UsageError(f"--bandwidth: {text!r} {error}.") from error
