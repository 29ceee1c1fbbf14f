"""Starts the control plane as a process: arguments, logging, signals, exit code."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import math
import os
import shlex
import signal
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import urlsplit

from seawall_control import access_options
from seawall_control.api.tls import TlsMistake
from seawall_control.domain.events import Severity
from seawall_control.domain.flood import FloodLimits
from seawall_control.domain.health import EventLimits
from seawall_control.domain.retention import Keeping
from seawall_control.event_loop import run_on_loop
from seawall_control.listening import ListenRefused
from seawall_control.logs import set_up
from seawall_control.server import (
    Addresses,
    AddressInUse,
    ControlSettings,
    Stop,
    StoreRefused,
    look_for_cycles_seldom,
    run_control,
)
from seawall_control.services.alerting.channels.addresses import Network, parse_networks
from seawall_control.services.authority import AuthorityUnusable

EXIT_USAGE: Final = 2
EXIT_NOW: Final = 130
NOTHING_TO_READ: Final = (
    "there is nothing to read again: files of certificates are followed all the time, options are read at "
    "the start"
)
_FLOOD: Final = FloodLimits()
_WELL: Final = EventLimits()

_log = logging.getLogger("seawall.control")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong, without all options before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"error: {message}\nTry --help for all options.\n")


def _at_least_0(text: str) -> float:
    """Return a finite number that is not negative. Raise ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 on")
    return value


def _count(text: str) -> int:
    """Return a whole number that is not negative. Raise ArgumentTypeError."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return int(text)


def _hook(text: str) -> tuple[str, str]:
    name, separator, command = text.partition("=")
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None
    if not separator or not name.replace("-", "").isalnum() or not words:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not NAME=COMMAND, such as restart='/usr/bin/systemctl restart shop'"
        )
    return name, command


def _severity_days(text: str) -> tuple[Severity, float]:
    """Return what `low=7` says."""
    name, _, days = text.partition("=")
    try:
        return Severity[name.upper()], _at_least_0(days)
    except (KeyError, argparse.ArgumentTypeError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not SEVERITY=DAYS with one of low, medium, high and critical"
        ) from None


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    found = _Parser(prog="seawall-control", description="Seawall's control plane.")
    found.add_argument(
        "--data-dir",
        type=Path,
        default=Path(os.environ.get("SEAWALL_DATA_DIR", ".seawall")),
        help="directory of the store",
    )
    found.add_argument(
        "--store",
        default=os.environ.get("SEAWALL_STORE_URL", ""),
        metavar="URL",
        help="postgresql://USER@HOST:5432/DATABASE instead of a file in the data directory; give it as "
        "SEAWALL_STORE_URL where it has a password, since arguments are seen by every user",
    )
    found.add_argument(
        "--grpc", default="127.0.0.1:9090", metavar="HOST:PORT", help="gRPC address; port 0 picks a free one"
    )
    found.add_argument("--http", default="127.0.0.1:9091", metavar="HOST:PORT", help="HTTP address")
    found.add_argument(
        "--http-allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        type=origin,
        help="let pages of this origin (https://host) use the HTTP API; may be given several times",
    )
    found.add_argument(
        "--retention-days",
        type=_at_least_0,
        default=30.0,
        help="delete resolved events older than this; 0 keeps them",
    )
    found.add_argument(
        "--hook",
        action="append",
        default=[],
        type=_hook,
        metavar="NAME=COMMAND",
        help="a command that runbooks may run under this name; repeatable",
    )
    access_options.add_options(found)
    found.add_argument(
        "--alert-allow-net",
        action="append",
        default=[],
        metavar="CIDR",
        type=network,
        help="let alert channels reach this network, such as 10.1.0.0/16, also without TLS; they reach the "
        "internet only otherwise; may be given several times",
    )
    found.add_argument(
        "--alert-ca-file",
        default="",
        metavar="FILE",
        type=authorities,
        help="certificates of the authorities that alert channels trust, instead of the system's",
    )
    found.add_argument(
        "--alert-apprise",
        action="store_true",
        help="turn on alert channels of the kind apprise, which may reach any network",
    )
    found.add_argument(
        "--retention",
        type=_severity_days,
        action="append",
        default=[],
        metavar="SEVERITY=DAYS",
        help="the same for events of one severity, such as low=7; may be repeated",
    )
    found.add_argument(
        "--retention-muted-days",
        type=_at_least_0,
        default=0.0,
        help="delete unresolved events of muted groups older than this; 0 keeps them",
    )
    found.add_argument(
        "--retention-archive",
        action="store_true",
        help="move resolved events whose days are over to archives, once a day, instead of deleting them",
    )
    found.add_argument(
        "--max-store-mb",
        type=_count,
        default=0,
        help="delete the oldest resolved events while the store is larger than this; 0: no bound",
    )
    found.add_argument(
        "--group-rate",
        type=_at_least_0,
        default=_FLOOD.rate,
        help="events a second that are stored of one group in the long run; others are counted; 0 stores all",
    )
    found.add_argument(
        "--group-burst", type=_count, default=_FLOOD.burst, help="events of a group that are stored at once"
    )
    found.add_argument(
        "--health-unresolved",
        type=_count,
        default=_WELL.unresolved,
        help="health is degraded while more events are unresolved; 0: however many",
    )
    found.add_argument(
        "--health-recent",
        type=_count,
        default=_WELL.recent_24h,
        help="health is degraded when more events came within 24 hours; 0: however many",
    )
    found.add_argument("--log", choices=("text", "json"), default="text", help="style of the log on stderr")
    found.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    return found


def origin(text: str) -> str:
    """Return the origin of a site as browsers spell it. Raise ArgumentTypeError."""
    found = urlsplit(text)
    if found.scheme not in ("http", "https") or not found.hostname or text.rstrip("/").count("/") != 2:
        raise argparse.ArgumentTypeError(f"{text!r} is no origin; write https://host or https://host:port")
    return f"{found.scheme}://{found.netloc.lower()}"


def network(text: str) -> Network:
    """Return a network. Raise ArgumentTypeError."""
    try:
        return parse_networks([text])[0]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no network; write an address and how many bits of it count, such as 10.1.0.0/16"
        ) from None


def authorities(text: str) -> str:
    """Return the name of a file with certificates of authorities. Raise ArgumentTypeError."""
    try:
        ssl.create_default_context(cafile=text)
    except OSError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} cannot be used ({error.strerror or error}); it must hold certificates in PEM"
        ) from None
    return text


def announce(style: str, addresses: Addresses) -> None:
    """Say on stderr that everything is served, and where."""
    scheme = "https" if addresses.secure else "http"
    if style == "json":
        said = {"event": "ready", "grpc": addresses.grpc, "http": addresses.http}
        if addresses.proxy_grpc:
            said["proxy_grpc"] = addresses.proxy_grpc
        line = json.dumps({**said, "tls": addresses.secure}, separators=(",", ":"))
    else:
        proxies = f", for proxies on {addresses.proxy_grpc}" if addresses.proxy_grpc else ""
        line = f"Control plane ready: gRPC on {addresses.grpc}{proxies}, HTTP on {scheme}://{addresses.http}"
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def install_signals(stop: Stop) -> None:
    """Stop gracefully on the first SIGTERM or SIGINT, at once on the second. SIGHUP and SIGUSR2, which mean
    something to proxies and to rotation of logs, end nothing.
    """

    def stopped(number: signal.Signals) -> None:
        if stop.is_set():
            # Threads of the store do not let go of a stuck disk; what was acknowledged is safe already.
            os._exit(EXIT_NOW)
        _log.info("stopping; a second signal stops at once")
        stop.reason = number.name
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stopped, number)
    for number in (signal.SIGHUP, signal.SIGUSR2):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, _log.info, NOTHING_TO_READ)


async def _run(settings: ControlSettings, style: str) -> int:
    stop = Stop()
    install_signals(stop)

    def ready(addresses: Addresses) -> None:
        look_for_cycles_seldom()
        announce(style, addresses)

    return await run_control(settings, ready=ready, stop=stop)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until a signal; return the exit code: 0 stopped, 2 cannot start, 3 the store failed, 4 a part
    of it ended.
    """
    options = parser().parse_args(arguments)
    if wrong := access_options.mistake(options):
        parser().error(wrong)
    set_up(options.log, options.log_level)
    settings = ControlSettings(
        data_dir=options.data_dir,
        store_url=options.store,
        grpc_address=options.grpc,
        http_address=options.http,
        http_origins=frozenset(options.http_allow_origin),
        hooks=dict(options.hook),
        alert_networks=tuple(options.alert_allow_net),
        alert_ca_file=options.alert_ca_file,
        alert_apprise=options.alert_apprise,
        keeping=Keeping(
            days=options.retention_days,
            severity_days=dict(options.retention),
            muted_days=options.retention_muted_days,
            archive=options.retention_archive,
            max_bytes=options.max_store_mb * 1024 * 1024,
        ),
        flood=FloodLimits(rate=options.group_rate, burst=max(1, options.group_burst)),
        event_limits=EventLimits(options.health_unresolved, options.health_recent),
        access=access_options.settings_of(options),
    )
    try:
        return run_on_loop(_run(settings, options.log))
    except (StoreRefused, AddressInUse, ListenRefused, TlsMistake, AuthorityUnusable) as error:
        _log.error("%s", error)
        return EXIT_USAGE
