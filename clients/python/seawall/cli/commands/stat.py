"""`seawall stat`: what the callers of each route get."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

import click

from seawall.cli import render
from seawall.cli.options import DURATION, connect, control_option, emit, emit_line, output_option, say


@click.command()
@click.argument("routes", nargs=-1)
@click.option(
    "--window", type=DURATION, default="10s", show_default=True, help="How far back rates look, 1s to 10m."
)
@click.option("--proxy", metavar="NODE", default="", help="Only this proxy.")
@click.option("-w", "--watch", is_flag=True, help="Show again and again until Ctrl-C.")
@click.option(
    "--every", type=DURATION, default="1s", show_default=True, help="How often to show with --watch."
)
@control_option
@output_option
def stat(
    routes: tuple[str, ...], window: float, proxy: str, watch: bool, every: float, target: str, output: str
) -> None:
    """Show rates, success, latency, retries, hedges, fallbacks and breakers of ROUTES (default: all).

    SUCCESS is the share of calls whose caller got status OK, fallbacks included. RETRIES, HEDGES, FALLBACKS
    and REJECTED are per second. What was rejected why, and what limits did, is in `-o json` and in `seawall
    describe route`; outliers are in `seawall get clusters`.
    """
    with connect(target) as seawall:
        while True:
            data = _read(seawall, routes, window, proxy)
            if not watch:
                emit(output, data, partial(_table, data["routes"]))
                return
            _show(output, data, window)
            time.sleep(max(0.1, every))


def _read(seawall: Any, wanted: Sequence[str], window: float, proxy: str) -> dict[str, Any]:
    from seawall.cli import shapes
    from seawall.errors import NotFound

    stats = [shapes.route_stats(item) for item in seawall.operations.stats(window=window, proxy=proxy)]
    missing = [name for name in wanted if name not in {item["route"] for item in stats}]
    if missing:
        known = ", ".join(item["route"] for item in stats) or "none"
        raise NotFound(f"no statistics of route {missing[0]!r}", remedy=f"Known routes: {known}.")
    return {"routes": [item for item in stats if not wanted or item["route"] in wanted]}


def _show(output: str, data: dict[str, Any], window: float) -> None:
    if output != "table":
        emit_line(output, data, str)
        return
    terminal = sys.stdout.isatty()
    now = datetime.now().astimezone().strftime("%H:%M:%S")
    head = f"{now}  last {render.span(window)}" + ("   Ctrl-C ends" if terminal else "")
    if terminal:
        click.clear()
    click.echo(f"{head}\n{_table(data['routes'])}")


def _table(routes: list[dict[str, Any]]) -> str:
    if not any(item["route"] or item["total"]["calls"] for item in routes):
        say("No route has had a call yet, or no proxy is connected (`seawall get proxies`).")
        return ""
    numbers = ["RPS", "SUCCESS", "P50", "P95", "P99", "RETRIES", "HEDGES", "FALLBACKS", "REJECTED"]
    shown = [item for item in routes if item["route"] or item["total"]["calls"]]
    rows = [
        [
            item["route"] or "(no route)",
            render.rate(item["calls_per_second"]),
            _success(item),
            render.latency(item["p50_s"]),
            render.latency(item["p95_s"]),
            render.latency(item["p99_s"]),
            render.rate(item["retries_per_second"]),
            render.rate(item["hedges_per_second"]),
            render.rate(item["fallbacks_per_second"]),
            render.rate(item["rejected_per_second"]),
            render.breaker(item["breaker"]),
        ]
        for item in shown
    ]
    return render.table(["ROUTE", *numbers, "BREAKER"], rows, right=" ".join(numbers))


def _success(item: dict[str, Any]) -> render.Cell:
    if item["calls_per_second"] == 0:
        return render.Cell("-")
    ratio = item["success_ratio"]
    color = "green" if ratio >= 0.999 else "yellow" if ratio >= 0.95 else "red"
    return render.Cell(render.percent(ratio), color)
