"""`seawall up`: everything on one machine with one command."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from seawall.cli import exits
from seawall.cli.environment import FromEnvironment
from seawall.cli.options import DEFAULT_DATA_DIR, drain_options, say

if TYPE_CHECKING:
    from seawall.cli.supervisor import Child
    from seawall.v1.policy_pb2 import PolicyDocument

READY_WITHIN_S: Final = 30.0
STOP_SLACK_S: Final = 30.0
"""What the proxy needs beside its drain to stop."""
NODE: Final = "local"
NO_HANDOVER: Final = (
    "SIGUSR2 does nothing here: a proxy that hands over ends, and would be missed. To upgrade without losing "
    "calls run `seawall proxy` by itself and send it the signal."
)
_COLORS: Final = {"control": "cyan", "proxy": "magenta", "": "white"}

NO_CONFIG: Final = """\
`seawall up` needs a policy file that says where to listen and where to send:

  seawall up --config examples/policy.yaml

The smallest one:

  version: v1
  listeners: [{name: main, address: 127.0.0.1:8080}]
  clusters:  [{name: shop, endpoints: ["127.0.0.1:50051"]}]
  routes:    [{name: all, cluster: shop}]"""


@dataclass(frozen=True, slots=True)
class Setup:
    """Where everything is."""

    config: str
    data_dir: str
    grpc: str
    http: str
    listen: str
    admin: str
    node: str
    log_format: str
    workers: str
    drain_grace_s: float
    drain_limit_s: float
    alert_networks: tuple[str, ...] = ()


@click.command(cls=FromEnvironment)
@click.option(
    "--config", metavar="FILE", type=click.Path(), help="Policy file: where to listen, first revision."
)
@click.option(
    "--data-dir",
    metavar="DIR",
    default=DEFAULT_DATA_DIR,
    show_default=True,
    envvar="SEAWALL_DATA_DIR",
    show_envvar=True,
    help="Where revisions, events and the last good policy are kept.",
)
@click.option(
    "--grpc", metavar="ADDR", default="127.0.0.1:9090", show_default=True, help="Control plane, gRPC."
)
@click.option(
    "--http", metavar="ADDR", default="127.0.0.1:9091", show_default=True, help="Control plane, HTTP."
)
@click.option(
    "--listen", metavar="ADDR", default="", help="Where the proxy listens; default is what FILE says."
)
@click.option("--admin", metavar="ADDR", default="", help="Proxy's admin HTTP; default is what FILE says.")
@click.option("--node", metavar="NAME", default=NODE, show_default=True, help="Name of the proxy.")
@click.option(
    "--workers",
    metavar="N",
    default="",
    help="Worker processes of the proxy, or `auto`; default as FILE says.",
)
@drain_options
@click.option(
    "--alert-allow-net",
    "alert_networks",
    metavar="CIDR",
    multiple=True,
    help="Let alert channels reach this network, such as 127.0.0.0/8, also without TLS; repeatable.",
)
@click.option(
    "--log",
    "log_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of the log.",
)
@click.pass_context
def up(  # noqa: PLR0913, PLR0917 - one for each option
    ctx: click.Context,
    config: str | None,
    data_dir: str,
    grpc: str,
    http: str,
    listen: str,
    admin: str,
    node: str,
    workers: str,
    drain_grace: float,
    drain_limit: float,
    alert_networks: tuple[str, ...],
    log_format: str,
) -> None:
    """Start a control plane and a proxy, and keep them running until Ctrl-C.

    The first start makes FILE revision 1. After that the control plane's newest revision counts, whatever
    FILE says;
    `seawall apply FILE` makes it the newest. A part that dies is started again. Ctrl-C and SIGTERM drain the
    proxy first and stop the control plane last; SIGHUP goes to the proxy, SIGUSR2 does nothing.

    Alerts are lines of the log from the start. `seawall alerts channels apply FILE` tells people in other
    ways, which are kept in the data directory.

    Who needs more, such as TLS, PostgreSQL or how long events are kept, starts the two by themselves: see
    `seawall control --help` and `seawall proxy --help`.
    """
    if config is None:
        click.echo(NO_CONFIG, err=True)
        ctx.exit(exits.USAGE)
    from seawall.cli import policy_file
    from seawall_policy.names import NODE_RULE, is_node_name
    from seawall_policy.suggest import quoted

    if not is_node_name(node):
        raise click.BadParameter(f"{quoted(node)} is no node name: {NODE_RULE}", param_hint="--node")
    document = policy_file.load_or_exit(ctx, config, done="nothing was started")
    setup = Setup(
        config=config,
        data_dir=data_dir,
        grpc=grpc,
        http=http,
        listen=listen,
        admin=admin or document.admin.address or "127.0.0.1:8081",
        node=node,
        log_format=log_format,
        workers=workers,
        drain_grace_s=drain_grace,
        drain_limit_s=drain_limit,
        alert_networks=alert_networks,
    )
    ctx.exit(asyncio.run(_run(setup, document)))


def log(name: str, line: str) -> None:
    """Print a line of a child, or of ours, on stderr."""
    label = click.style(f"{name or 'seawall':<7}", fg=_COLORS.get(name), bold=not name or None)
    say(f"{label} │ {line}")


def control_argv(setup: Setup) -> list[str]:
    """Return the command line of the control plane."""
    return [
        *(sys.executable, "-m", "seawall_control"),
        *(
            "--data-dir",
            setup.data_dir,
            "--grpc",
            setup.grpc,
            "--http",
            setup.http,
            "--log",
            setup.log_format,
        ),
        *(word for network in setup.alert_networks for word in ("--alert-allow-net", network)),
    ]


def proxy_argv(setup: Setup) -> list[str]:
    """Return the command line of the proxy."""
    return [
        *(sys.executable, "-m", "seawall_proxy"),
        *("--config", setup.config, "--admin", setup.admin, "--control", setup.grpc, "--node", setup.node),
        *("--data-dir", setup.data_dir, "--log", setup.log_format),
        *("--drain-grace", str(setup.drain_grace_s), "--drain-limit", str(setup.drain_limit_s)),
        *(("--workers", setup.workers) if setup.workers else ()),
        *(("--listen", setup.listen) if setup.listen else ()),
    ]


async def _run(setup: Setup, document: PolicyDocument) -> int:
    from seawall.cli.http import answers
    from seawall.cli.supervisor import Child, StartFailed

    control = Child(
        "control", control_argv(setup), lambda: answers(setup.http, "/health", accept=(200, 503)), log
    )
    proxy = Child(
        "proxy",
        proxy_argv(setup),
        lambda: answers(setup.admin, "/ready"),
        log,
        stop_s=setup.drain_limit_s + STOP_SLACK_S,
    )
    stopping = asyncio.Event()
    _on_signals(stopping, proxy)
    try:
        if await _unless(stopping, _start(setup, document, control, proxy)):
            _banner(setup, document)
            await _unless(stopping, _keep(control, proxy))
    except StartFailed as error:
        click.echo(f"{click.style('error:', fg='red', bold=True)} {error}", err=True)
        return exits.FAILED
    finally:
        if stopping.is_set():
            say("")
            log("", "stopping: the proxy drains first")
        codes = [await child.stop() for child in (proxy, control)]
    return exits.OK if codes == [0, 0] else exits.FAILED


def _on_signals(stopping: asyncio.Event, proxy: Child) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop_or_hurry, stopping, proxy, number)
    loop.add_signal_handler(signal.SIGHUP, proxy.signal, signal.SIGHUP)
    loop.add_signal_handler(signal.SIGUSR2, log, "", NO_HANDOVER)


def _stop_or_hurry(stopping: asyncio.Event, proxy: Child, number: signal.Signals) -> None:
    """Begin to stop; a second signal is passed on, and the proxy drops what it still drains."""
    if stopping.is_set():
        proxy.signal(number)
    stopping.set()


async def _unless(stopping: asyncio.Event, work: Coroutine[None, None, None]) -> bool:
    """Do `work` until it ends (True), or cancel it when `stopping` is set (False); its errors are raised."""
    task = asyncio.create_task(work)
    waiter = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiter.cancel()
    if task.done():
        task.result()
        return True
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return False


def refuse_taken(setup: Setup, document: PolicyDocument) -> None:
    """Raise `StartFailed` when somebody else listens where a part would: its answers would pass for ours, and
    the first policy would go to a control plane that is not ours.
    """
    from seawall.cli.supervisor import StartFailed

    listens = [setup.listen] if setup.listen else [item.address for item in document.listeners]
    wanted = [(setup.grpc, "--grpc"), (setup.http, "--http"), (setup.admin, "--admin")]
    wanted += [(address, "--listen or in the file") for address in listens]
    for address, option in wanted:
        if _is_taken(address):
            raise StartFailed(
                f"{address} is in use, perhaps by another `seawall up`; stop that, or choose another with "
                f"{option}"
            )


def _is_taken(address: str) -> bool:
    """Tell whether an address cannot be bound because somebody has it; the part itself tells
    other mistakes.
    """
    from seawall.cli.http import split_address

    try:
        host, port = split_address(address)
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, ValueError):
        return False
    for family, kind, protocol, _, place in found if port else ():
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(place)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
    return False


async def _start(setup: Setup, document: PolicyDocument, control: Child, proxy: Child) -> None:
    refuse_taken(setup, document)
    await control.start(ready_within_s=READY_WITHIN_S)
    await _first_revision(setup, document)
    await proxy.start(ready_within_s=READY_WITHIN_S)


async def _first_revision(setup: Setup, document: PolicyDocument) -> None:
    """Make the file revision 1 of an empty set; else say when it differs from what is in effect."""
    from seawall.cli.supervisor import StartFailed
    from seawall.client.aio import AsyncSeawall
    from seawall.errors import NotFound, SeawallError

    try:
        async with AsyncSeawall(setup.grpc) as seawall:
            try:
                newest = await seawall.policies.revision()
            except NotFound:
                answer = await seawall.policies.apply(document, message=f"first policy, from {setup.config}")
                log("", f"{setup.config} is revision {answer.revision.revision}")
                return
            changes = (await seawall.policies.diff(document)).changes
    except SeawallError as error:
        raise StartFailed(f"the control plane does not take {setup.config}: {error}") from error
    if changes:
        many = "1 change" if len(changes) == 1 else f"{len(changes)} changes"
        log("", f"revision {newest.revision} stays in effect; {setup.config} differs from it ({many}):")
        log("", f"  seawall diff {setup.config}{_flag(setup)}   shows how")
        log("", f"  seawall apply {setup.config}{_flag(setup)}  makes it the newest")


def _flag(setup: Setup) -> str:
    return "" if setup.grpc == "127.0.0.1:9090" else f" --control {setup.grpc}"


async def _keep(*children: Child) -> None:
    """Keep the children alive; the first that cannot be kept ends this."""
    from seawall.cli.supervisor import StartFailed

    try:
        async with asyncio.TaskGroup() as group:
            for child in children:
                group.create_task(child.keep(), name=f"keep {child.name}")
    except* StartFailed as failures:
        raise failures.exceptions[0] from None


def _check_flags(setup: Setup) -> str:
    """Return what `seawall check` has to be told to look at this proxy and this control plane."""
    admin = "" if setup.admin == "127.0.0.1:8081" else f" --admin {setup.admin}"
    http = "" if setup.http == "127.0.0.1:9091" else f" --http {setup.http}"
    return f"{_flag(setup)}{admin}{http}"


def _banner(setup: Setup, document: PolicyDocument) -> None:
    listens = setup.listen or ", ".join(item.address for item in document.listeners) or "127.0.0.1:8080"
    flag = _flag(setup)
    title = click.style("Seawall is up", fg="green", bold=True)
    say(
        f"""
  {title}
    calls go to        {listens}
    proxy admin        http://{setup.admin}/status   (/health /ready /metrics)
    control plane      {setup.grpc} (gRPC)   http://{setup.http}/status   (/health /metrics)
    data               {setup.data_dir}

  Try  seawall stat -w{flag}
       seawall events tail{flag}
       seawall apply {setup.config}{flag}
       seawall check{_check_flags(setup)}
       seawall alerts list{flag}
  Ctrl-C stops.
"""
    )
