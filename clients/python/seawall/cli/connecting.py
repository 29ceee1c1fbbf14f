"""The options with which a command proves who runs it and knows whom it talks to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from seawall.client.credentials import Credentials

F = TypeVar("F", bound=Callable[..., Any])

_META: Final = "seawall.credentials"


def _keep(ctx: click.Context, param: click.Parameter, value: object) -> None:
    """Hold an option for `credentials`, so that commands need not hand it on."""
    if value and param.name is not None:
        ctx.meta.setdefault(_META, {})[param.name] = value


def credential_options(command: F) -> F:
    """Add --token-file, --token, --tls, --ca-file, --cert and --key."""
    for option in reversed(
        [
            click.option(
                "--token-file",
                metavar="FILE",
                envvar="SEAWALL_TOKEN_FILE",
                show_envvar=True,
                help="File with the API token.",
                expose_value=False,
                callback=_keep,
            ),
            click.option(
                "--token",
                metavar="TOKEN",
                envvar="SEAWALL_TOKEN",
                show_envvar=True,
                help="The API token itself; others on this machine see it among the processes' arguments.",
                expose_value=False,
                callback=_keep,
            ),
            click.option(
                "--tls",
                is_flag=True,
                envvar="SEAWALL_TLS",
                show_envvar=True,
                help="Speak TLS with the control plane; the files below mean it too.",
                expose_value=False,
                callback=_keep,
            ),
            click.option(
                "--ca-file",
                metavar="FILE",
                envvar="SEAWALL_CA_FILE",
                show_envvar=True,
                help="Authority of the control plane's certificate; default is the system's.",
                expose_value=False,
                callback=_keep,
            ),
            click.option(
                "--cert",
                "cert_file",
                metavar="FILE",
                envvar="SEAWALL_CERT_FILE",
                show_envvar=True,
                help="Own certificate, where the control plane asks for one.",
                expose_value=False,
                callback=_keep,
            ),
            click.option(
                "--key",
                "key_file",
                metavar="FILE",
                envvar="SEAWALL_KEY_FILE",
                show_envvar=True,
                help="Its private key.",
                expose_value=False,
                callback=_keep,
            ),
        ]
    ):
        command = option(command)
    return command


def wants_tls() -> bool:
    """Tell whether the options of the running command mean TLS, without importing gRPC."""
    context = click.get_current_context(silent=True)
    given: dict[str, Any] = {} if context is None else context.meta.get(_META, {})
    return not given.keys().isdisjoint({"tls", "ca_file", "cert_file", "key_file"})


def credentials() -> Credentials:
    """Return what the options of the running command say; without them what the environment says."""
    from seawall.client.credentials import Credentials, read_token

    context = click.get_current_context(silent=True)
    given: dict[str, Any] = {} if context is None else context.meta.get(_META, {})
    if not given:
        return Credentials.from_environment()
    token = given.get("token", "") or (read_token(given["token_file"]) if "token_file" in given else "")
    return Credentials(
        token=token,
        tls=bool(given.get("tls")),
        ca_file=given.get("ca_file", ""),
        cert_file=given.get("cert_file", ""),
        key_file=given.get("key_file", ""),
    )
