"""`seawall drain`: take an endpoint or a proxy out of service for a time."""

from __future__ import annotations

import click

from seawall.cli.commands.operations import Where, begin, target_options
from seawall.cli.options import control_option, output_option


@click.group()
def drain() -> None:
    """Take an endpoint or a proxy out of service for a time; what is under way finishes.

    `seawall operations cancel` puts it back before its time.
    """


@drain.command()
@click.argument("cluster")
@click.argument("address")
@target_options
@control_option
@output_option
@click.pass_context
def endpoint(
    ctx: click.Context,
    cluster: str,
    address: str,
    where: Where,
    target: str,
    output: str,
) -> None:
    """Send no calls to ADDRESS of CLUSTER.

    Even when it is the last one: then calls fail with UNAVAILABLE.
    """
    from seawall.v1.admin_operations_pb2 import DrainAction, OperationAction

    code = begin(
        OperationAction(drain=DrainAction(cluster=cluster, address=address)),
        where,
        target=target,
        output=output,
    )
    ctx.exit(code)


@drain.command("proxy")
@target_options
@control_option
@output_option
@click.pass_context
def proxy_(
    ctx: click.Context,
    where: Where,
    target: str,
    output: str,
) -> None:
    """Have proxies say that they do not serve, and tell their connections to go elsewhere.

    Health checks hear NOT_SERVING and /ready answers 503; calls that come nevertheless are served.
    """
    from seawall.v1.admin_operations_pb2 import DrainAction, OperationAction

    if not where.proxy and not where.selector:
        raise click.UsageError("Name a proxy with --proxy, or some with --selector: not the whole fleet.")
    code = begin(
        OperationAction(drain=DrainAction()),
        where,
        target=target,
        output=output,
    )
    ctx.exit(code)
