"""`seawall check`: does everything work together? In order, each check with a mark and, where it fails, a
hint.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from seawall.cli import exits
from seawall.cli.connecting import wants_tls
from seawall.cli.options import DEFAULT_CONTROL, DURATION, connect, control_option, emit

if TYPE_CHECKING:
    from seawall.client.sync import Seawall

Mark = Literal["ok", "warning", "failed"]

_MARKS: Final = {"ok": ("✓", "green"), "warning": ("‼", "yellow"), "failed": ("×", "red")}
SPOOL_LATE_S: Final = 60.0
LOOK_AGAIN_S: Final = 0.2
"""How soon whoever waits for a start looks again."""


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one check."""

    name: str
    mark: Mark
    message: str
    hint: str = ""
    absent: bool = False
    """Whether nobody listens there."""


@click.command()
@click.option(
    "--quick", is_flag=True, help="Only whether proxy and control plane are healthy; for health checks."
)
@click.option(
    "--admin", metavar="ADDR", default="127.0.0.1:8081", show_default=True, help="Proxy's admin HTTP."
)
@click.option(
    "--http",
    metavar="ADDR",
    default="127.0.0.1:9091",
    show_default=True,
    help="Control plane's HTTP; https://ADDR, or the options of TLS below, where it serves TLS.",
)
@click.option(
    "--wait",
    "wait_s",
    type=DURATION,
    default=0.0,
    metavar="DURATION",
    help="Wait so long for proxy and control plane to be healthy, such as 30s after a start.",
)
@click.option(
    "--present",
    is_flag=True,
    help="Leave out a proxy or a control plane that does not listen, but not both: for a container that may "
    "run either.",
)
@click.option("--no-proxy", is_flag=True, help="There is no proxy on this machine.")
@click.option("--no-control", is_flag=True, help="There is no control plane: a stand-alone proxy.")
@click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Form."
)
@control_option
@click.pass_context
def check(
    ctx: click.Context,
    quick: bool,
    admin: str,
    http: str,
    wait_s: float,
    present: bool,
    no_proxy: bool,
    no_control: bool,
    output: str,
    target: str,
) -> None:
    """Check the proxy here, the control plane, the fleet and this installation; ✓ fine, ‼ look at it, ×
    broken.

    Exit code: 0 when nothing is broken, 1 when something is.
    """
    results: list[Result] = []

    def run(items: Iterator[Result]) -> None:
        for result in items:
            results.append(result)
            if output == "text":
                click.echo(_line(result))

    def health() -> Iterator[Result]:
        if not no_proxy:
            yield from _proxy(_url(admin, secure=False))
        if not no_control:
            yield from _control_http(_url(http, secure=wants_tls()))

    def looked() -> Iterator[Result]:
        yield from _of_those_present(list(health())) if present else health()

    ends = time.monotonic() + wait_s
    while time.monotonic() < ends and any(one.mark == "failed" for one in looked()):
        time.sleep(LOOK_AGAIN_S)
    run(looked())
    if not quick:
        if not no_control:
            run(_fleet(target))
        run(_installation())
    failed = any(result.mark == "failed" for result in results)
    if output == "json":
        shapes = [
            {"name": one.name, "status": one.mark, "message": one.message, "hint": one.hint}
            for one in results
        ]
        emit("json", {"ok": not failed, "checks": shapes}, str)
    ctx.exit(exits.FAILED if failed else exits.OK)


def _of_those_present(results: list[Result]) -> list[Result]:
    """Return the results of those who listen; all of them when nobody does."""
    return [result for result in results if not result.absent] or results


def _line(result: Result) -> str:
    mark, color = _MARKS[result.mark]
    text = f"{click.style(mark, fg=color)} {result.name}: {result.message}"
    return f"{text}\n    hint: {result.hint}" if result.hint else text


def _url(address: str, *, secure: bool) -> str:
    """Return the address with its scheme."""
    if address.startswith(("http://", "https://")):
        return address.rstrip("/")
    return f"https://{address}" if secure else f"http://{address}"


def _http(
    name: str, address: str, path: str, hint: str, judge: Callable[[int, dict[str, Any]], Result]
) -> Result:
    from seawall.cli.http import get, parse_object

    try:
        status, body = get(address, path)
    except (OSError, ValueError) as error:
        refused = isinstance(error, ConnectionRefusedError)
        return Result(name, "failed", f"no answer from {address}{path} ({error})", hint, absent=refused)
    return judge(status, parse_object(body))


def _proxy(admin: str) -> Iterator[Result]:
    def ready(status: int, body: dict[str, Any]) -> Result:
        if status == 200:
            return Result("proxy", "ok", f"takes calls ({admin}/ready)")
        why = body.get("reason") or body.get("status") or f"HTTP {status}"
        return Result("proxy", "failed", f"runs but takes no calls: {why}", f"See {admin}/status.")

    yield _http(
        "proxy", admin, "/ready", "Start it: seawall up --config FILE; or name its address: --admin.", ready
    )


def _control_http(http: str) -> Iterator[Result]:
    def health(status: int, body: dict[str, Any]) -> Result:
        state = str(body.get("status", f"HTTP {status}"))
        mark: Mark = "ok" if state == "healthy" else "warning" if state == "degraded" else "failed"
        hint = "" if mark == "ok" else f"See {http}/status and `seawall events stats`."
        return Result("control plane", mark, f"{state}{_reasons(body)}", hint)

    yield _http(
        "control plane",
        http,
        "/health",
        "Start it: seawall up --config FILE; or name it: --http, and --ca-file where it serves TLS.",
        health,
    )


def _reasons(body: dict[str, Any]) -> str:
    """Return why a control plane is not healthy, from its health answer."""
    parts = body.get("components", [])
    if isinstance(parts, dict):
        parts = [{"name": name, **part} for name, part in parts.items() if isinstance(part, dict)]
    bad = [
        f"{part.get('name')}: {part.get('message')}"
        for part in parts
        if isinstance(part, dict) and part.get("status") not in {None, "healthy"}
    ]
    return f" ({'; '.join(bad)})" if bad else ""


def _fleet(target: str) -> Iterator[Result]:
    from seawall.errors import SeawallError

    try:
        with connect(target, timeout_s=3.0) as seawall:
            yield from _proxies(seawall)
            yield from _rollout(seawall)
    except SeawallError as error:
        flag = "" if target == DEFAULT_CONTROL else f" (--control {target})"
        yield Result("control API", "failed", error.message.splitlines()[0] + flag, error.remedy)


def _proxies(seawall: Seawall) -> Iterator[Result]:
    proxies = list(seawall.operations.proxies())
    connected = [proxy for proxy in proxies if proxy.connected]
    away = [proxy.node for proxy in proxies if not proxy.connected]
    if not connected:
        hint = "Start one: seawall proxy --config FILE --control TARGET."
        yield Result("connected proxies", "failed", f"none of {len(proxies)} known ones is connected", hint)
    elif away:
        yield Result(
            "connected proxies",
            "warning",
            f"{len(connected)} of {len(proxies)}; away: {', '.join(sorted(away)[:5])}",
            "A proxy that is away serves from its last good revision.",
        )
    else:
        yield Result("connected proxies", "ok", f"{len(connected)}")
    bad = [
        f"{proxy.node}: {one.cluster} {one.address} ({one.last_error or 'no reason given'})"
        for proxy in connected
        for one in proxy.endpoints
        if one.state == "backoff"
    ]
    total = sum(len(proxy.endpoints) for proxy in connected)
    if bad:
        yield Result(
            "endpoints",
            "warning",
            f"{len(bad)} of {total} cannot be reached: {'; '.join(bad[:5])}",
            "Is the service running there? Calls go to the others, or to the fallback.",
        )
    elif connected:
        yield Result("endpoints", "ok", f"none of {total} in backoff")
    dropped = sum(proxy.events_dropped for proxy in connected)
    if dropped:
        hint = "Events came faster than they could be kept; their number is exact, their content is lost."
        yield Result("events", "warning", f"{dropped} dropped since the proxies started", hint)
    late = [p for p in connected if p.spool.oldest_age.ToTimedelta().total_seconds() >= SPOOL_LATE_S]
    if late:
        names = ", ".join(sorted(proxy.node for proxy in late)[:5])
        message = (
            f"{sum(proxy.spool.depth for proxy in late)} events wait on disk for a minute or more: {names}"
        )
        hint = "The control plane does not keep up, or its store is full: `seawall check` above, and its log."
        yield Result("spool", "warning", message, hint)


def _rollout(seawall: Seawall) -> Iterator[Result]:
    from seawall.v1.admin_policies_pb2 import ROLLOUT_STATE_REJECTED

    rollout = seawall.policies.rollout()
    if not rollout.revision:
        yield Result("policy", "warning", "no revision has been applied", "seawall apply FILE")
        return
    refused = [item.proxy for item in rollout.proxies if item.state == ROLLOUT_STATE_REJECTED]
    if refused:
        message = f"revision {rollout.revision} is refused by {', '.join(refused[:5])}"
        yield Result(
            "policy", "failed", message, "seawall rollout status says why; seawall rollout undo goes back."
        )
    elif rollout.applied < rollout.connected:
        where = f"{rollout.applied} of {rollout.connected} connected proxies"
        message = f"revision {rollout.revision} is in effect at {where}"
        yield Result("policy", "warning", message, "seawall rollout status")
    else:
        yield Result("policy", "ok", f"revision {rollout.revision} is in effect everywhere")


def _installation() -> Iterator[Result]:
    from seawall import __version__
    from seawall_policy._native import build_info

    info = build_info()
    if info.state == "stale":
        yield Result("installation", "warning", f"seawall {__version__}, {info}", "make build")
    elif info.compiled:
        yield Result("installation", "ok", f"seawall {__version__}, {info}")
    else:
        hint = (
            ""
            if info.forced
            else "With a C compiler, installing again (or make build) compiles the hot modules."
        )
        yield Result("installation", "warning", f"seawall {__version__}, {info}", hint)
