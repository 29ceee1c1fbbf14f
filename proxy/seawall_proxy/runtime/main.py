"""The entry of the proxy process: arguments, logging, event loop."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import secrets
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Final, TypeVar

from seawall_policy._native import build_info
from seawall_proxy.runtime.heap import keep_heap
from seawall_proxy.runtime.inherited import Inherited
from seawall_proxy.runtime.server import EXIT_FAILED, ProxyServer, StartFailed
from seawall_proxy.runtime.settings import DEFAULT_DATA_DIR, ProxySettings

log = logging.getLogger("seawall.proxy")

T = TypeVar("T")

_LOG_LINE: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure_logging(log_format: str) -> None:
    """Send log lines to standard error, one line each, as text or JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if log_format == "json" else logging.Formatter(_LOG_LINE))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)


def run(settings: ProxySettings) -> int:
    """Run a proxy until it is told to stop; return the exit code."""
    configure_logging(settings.log_format)
    build = build_info()
    if not build.compiled or build.stale:
        log.warning("the data path runs %s", build)
    seed = secrets.randbits(64)
    log.info("starting, pid %d, seed %d", os.getpid(), seed)
    try:
        return _run_loop(settings, seed)
    except StartFailed as failure:
        sys.stderr.write(f"{failure}\n")
        return EXIT_FAILED


def _run_loop(settings: ProxySettings, seed: int) -> int:
    async def serve() -> int:
        inherited = Inherited.take(os.environ)
        return await ProxyServer(settings, asyncio.get_running_loop(), seed, inherited).run()

    return run_on_loop(serve())


def run_on_loop(work: Coroutine[None, None, T]) -> T:
    """Run something on the fastest event loop that there is."""
    keep_heap()
    try:
        import uvloop  # noqa: PLC0415 - absent on platforms that it does not support
    except ImportError:
        log.warning("uvloop is not installed, using asyncio's own event loop (slower)")
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def parse_arguments(arguments: list[str]) -> ProxySettings:
    """Return the settings that a command line stands for; ends the process on a usage error."""
    parser = argparse.ArgumentParser(prog="python -m seawall_proxy", description="Run a Seawall proxy.")
    parser.add_argument(
        "--config", required=True, metavar="FILE", help="policy file: listeners, clusters, policies, routes"
    )
    parser.add_argument("--admin", metavar="HOST:PORT", help="address of /health, /ready, /metrics, /status")
    parser.add_argument("--control", metavar="HOST:PORT", help="control plane to follow; empty for none")
    parser.add_argument("--node", help="this proxy's name in the fleet")
    parser.add_argument("--listen", metavar="HOST:PORT", help="replaces the address of the first listener")
    parser.add_argument(
        "--data-dir", metavar="DIR", help="where the last good policy and the event spool are kept"
    )
    parser.add_argument("--log", choices=("text", "json"), default="text", help="format of log lines")
    parser.add_argument(
        "--drain-grace", type=float, default=5.0, metavar="S", help="seconds between the two GOAWAYs"
    )
    parser.add_argument(
        "--drain-limit", type=float, default=30.0, metavar="S", help="most seconds that open calls get"
    )
    parser.add_argument(
        "--workers", metavar="N", help="worker processes, or `auto`; default is what FILE says, else 1"
    )
    given = parser.parse_args(arguments)
    return ProxySettings(
        config_path=Path(given.config),
        admin_address=given.admin,
        control_target=given.control,
        node=given.node,
        listen=given.listen,
        data_dir=Path(given.data_dir or os.environ.get("SEAWALL_DATA_DIR", DEFAULT_DATA_DIR)),
        log_format=given.log,
        drain_grace_s=given.drain_grace,
        drain_limit_s=given.drain_limit,
        workers=given.workers,
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the proxy as a program."""
    return run(parse_arguments(sys.argv[1:] if arguments is None else arguments))
