"""`seawall proxy` and `seawall control`: one part each, in this process."""

from __future__ import annotations

from pathlib import Path

import click

from seawall.cli.control_options import handed_on_options
from seawall.cli.environment import FromEnvironment
from seawall.cli.options import DEFAULT_DATA_DIR, drain_options

_data_dir = click.option(
    "--data-dir",
    metavar="DIR",
    default=DEFAULT_DATA_DIR,
    show_default=True,
    envvar="SEAWALL_DATA_DIR",
    show_envvar=True,
    help="Where it keeps what must outlive it.",
)
_log = click.option(
    "--log",
    "log_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of the log.",
)


@click.command(cls=FromEnvironment)
@click.option("--config", metavar="FILE", type=click.Path(), required=True, help="Policy file.")
@click.option("--listen", metavar="ADDR", help="Where to listen; default is what FILE says.")
@click.option("--admin", metavar="ADDR", help="Admin HTTP; default is what FILE says, else 127.0.0.1:8081.")
@click.option(
    "--control",
    "target",
    metavar="TARGET",
    help="Control plane to follow; default is what FILE says, empty makes the proxy stand-alone.",
)
@click.option("--node", metavar="NAME", help="This proxy's name in the fleet; default the host name.")
@click.option(
    "--workers",
    metavar="N",
    help="Worker processes, or `auto` for one on each core; default is what FILE says, else 1.",
)
@drain_options
@_data_dir
@_log
@click.pass_context
def proxy(  # noqa: PLR0913, PLR0917 - one for each option
    ctx: click.Context,
    config: str,
    listen: str | None,
    admin: str | None,
    target: str | None,
    node: str | None,
    workers: str | None,
    drain_grace: float,
    drain_limit: float,
    data_dir: str,
    log_format: str,
) -> None:
    """Run a proxy, stand-alone from FILE or under a control plane.

    Under a control plane FILE says where to listen and is the policy until the control plane has sent one;
    after that the last good revision on disk is, even when the control plane is away. SIGTERM drains; SIGHUP
    reads FILE again; SIGUSR2 starts a new process that takes over without a failed call.
    """
    from seawall_proxy.runtime.main import run
    from seawall_proxy.runtime.settings import ProxySettings

    settings = ProxySettings(
        config_path=Path(config),
        admin_address=admin,
        control_target=target,
        node=node,
        data_dir=Path(data_dir),
        listen=listen,
        log_format=log_format,
        workers=workers,
        drain_grace_s=drain_grace,
        drain_limit_s=drain_limit,
    )
    ctx.exit(run(settings))


@click.command(cls=FromEnvironment)
@click.option(
    "--grpc", metavar="ADDR", default="127.0.0.1:9090", show_default=True, help="Where to serve gRPC."
)
@click.option(
    "--http", metavar="ADDR", default="127.0.0.1:9091", show_default=True, help="Where to serve HTTP."
)
@click.option(
    "--http-allow-origin",
    "origins",
    metavar="ORIGIN",
    multiple=True,
    help="Let pages of this origin (https://host) use the HTTP API; may be given several times.",
)
@click.option(
    "--store",
    metavar="URL",
    default="",
    envvar="SEAWALL_STORE_URL",
    show_envvar=True,
    help="postgresql://USER@HOST:5432/DATABASE instead of a file in the data directory. Where it has a "
    "password, use the variable: every user of the machine sees arguments.",
)
@click.option(
    "--retention-days",
    metavar="DAYS",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    # The second is what an older system calls the age of its records (docs/reference/environment.md).
    envvar=["SEAWALL_CONTROL_RETENTION_DAYS", "CONTAINER_CLEANUP_LOG_FILES_DAYS"],
    help="Delete resolved events older than this; 0 keeps them.",
)
@handed_on_options
@click.option(
    "--alert-allow-net",
    "networks",
    metavar="CIDR",
    multiple=True,
    help="Let alert channels reach this network, such as 10.1.0.0/16, also without TLS; otherwise they reach "
    "the internet only. May be given several times.",
)
@click.option(
    "--alert-ca-file",
    "ca_file",
    metavar="FILE",
    default="",
    help="Certificates of the authorities that alert channels trust, instead of the system's.",
)
@click.option(
    "--alert-apprise",
    "apprise",
    is_flag=True,
    help="Turn on alert channels of the kind apprise, which may reach any network.",
)
@_data_dir
@_log
@click.option(
    "--hook",
    "hooks",
    multiple=True,
    metavar="NAME=COMMAND",
    help="A command that runbooks may run under this name; repeatable.",
)
@click.pass_context
def control(  # noqa: PLR0913, PLR0917 - one for each option
    ctx: click.Context,
    grpc: str,
    http: str,
    origins: tuple[str, ...],
    store: str,
    hooks: tuple[str, ...],
    retention_days: float,
    handed_on: dict[str, list[str]],
    networks: tuple[str, ...],
    ca_file: str,
    apprise: bool,
    data_dir: str,
    log_format: str,
) -> None:
    """Run a control plane, with its store in a file or in a PostgreSQL database.

    Without a token only the user that runs it may call it, on the same machine; `seawall tokens create` makes
    tokens for everybody else.
    """
    from seawall_control.logs import quiet_core

    quiet_core()
    from seawall_control.main import main

    arguments = ["--data-dir", data_dir, "--grpc", grpc, "--http", http, "--log", log_format]
    arguments += ["--store", store]
    arguments += [f"--retention-days={retention_days}"]
    arguments += [f"--http-allow-origin={origin}" for origin in origins]
    arguments += [f"--hook={hook}" for hook in hooks]
    for flag, values in handed_on.items():
        arguments += [f"{flag}={value}" if value else flag for value in values]
    arguments += [f"--alert-allow-net={network}" for network in networks]
    arguments += [f"--alert-ca-file={ca_file}"] if ca_file else []
    arguments += ["--alert-apprise"] if apprise else []
    ctx.exit(main(arguments))
