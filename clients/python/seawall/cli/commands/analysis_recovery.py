"""`seawall analysis recovery`: what recovered by what."""

from __future__ import annotations

import csv
import io
import sys
from typing import IO, TYPE_CHECKING

import click

from seawall.cli import render
from seawall.cli.options import DURATION, connect, control_option, emit, output_option, say

if TYPE_CHECKING:
    from seawall.cli.shapes import Shape


def _span(seconds: float | None) -> str:
    return "-" if seconds is None else render.latency(seconds) if seconds < 1 else render.span(seconds)


def _text(report: Shape) -> str:
    total = report["total"]
    troubled = sum(total[name] for name in ("failed", "rejected", "by_retry", "by_fallback"))
    share = (
        ""
        if total["recovered_share"] is None
        else f", {render.percent(total['recovered_share'])} came out of it"
    )
    parts = [f"{report['start']} to {report['end']}: {render.count(troubled)} calls in trouble{share}"]
    parts.append(
        render.table(
            ["RECOVERED BY", "OF", "RECOVERED", "NOT OVER", "MEDIAN", "LONGEST"],
            [
                [
                    one["mechanism"],
                    render.count(one["troubled"]),
                    render.count(one["recovered"]),
                    str(one["open"]) if one["open"] else "-",
                    _span(one["median_s"]),
                    _span(one["longest_s"]),
                ]
                for one in report["mechanisms"]
            ],
            right="OF RECOVERED MEDIAN LONGEST",
        )
    )
    if report["routes"]:
        parts.append(
            render.table(
                ["ROUTE", "FAILED", "REFUSED", "BY RETRY", "BY FALLBACK", "CAME OUT"],
                [
                    [
                        one["route"] or "-",
                        render.count(one["failed"]),
                        render.count(one["rejected"]),
                        render.count(one["by_retry"]),
                        render.count(one["by_fallback"]),
                        "-" if one["recovered_share"] is None else render.percent(one["recovered_share"]),
                    ]
                    for one in report["routes"][:20]
                ],
            )
        )
    if report["healing"]:
        parts.append(
            render.table(
                ["HEALING", "ENDED", "CASES"],
                [[one["action"], one["state"], str(one["cases"])] for one in report["healing"]],
                right="CASES",
            )
        )
    lately = report["lately"]
    parts.append(
        f"Last ten minutes: {lately['retries']} retries saved {lately['recovered']} calls, "
        f"{lately['hedges']} hedges won {lately['hedges_won']}, {lately['fallbacks']} fallbacks; "
        f"{lately['failed']} calls failed."
    )
    return "\n\n".join(parts)


def as_csv(report: Shape) -> str:
    """Return a report as one table: a line for each mechanism and for each route."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(
        ["start", "end", "what", "name", "troubled", "recovered", "open", "median_s", "longest_s"]
    )
    when = [report["start"], report["end"]]
    for one in report["mechanisms"]:
        numbers = [one[key] for key in ("troubled", "recovered", "open", "median_s", "longest_s")]
        writer.writerow([*when, "mechanism", one["mechanism"], *("" if n is None else n for n in numbers)])
    for one in report["routes"]:
        saved = one["by_retry"] + one["by_fallback"]
        # A name that a spreadsheet would run begins with an apostrophe, as in exports of events.
        name = f"'{one['route']}" if one["route"].startswith(("=", "+", "-", "@")) else one["route"]
        writer.writerow([*when, "route", name, saved + one["failed"] + one["rejected"], saved, "", "", ""])
    return text.getvalue()


@click.command()
@click.option(
    "--window", type=DURATION, default=None, help="How far back, such as `1h` (the default) or `24h`."
)
@click.option("--route", default="", help="Only this route.")
@click.option("--csv", "as_table", is_flag=True, help="Write CSV: a line for each mechanism and each route.")
@click.option(
    "--out",
    "file",
    type=click.File("w", encoding="utf-8", lazy=True),
    help="File for the CSV; default is stdout.",
)
@control_option
@output_option
def recovery(
    window: float | None, route: str, as_table: bool, file: IO[str] | None, target: str, output: str
) -> None:
    """Say what failed, what it recovered by (retries, fallbacks, breakers, healing), and how long it took."""
    from google.protobuf.duration_pb2 import Duration

    from seawall.cli import analysis_shapes
    from seawall.v1 import admin_analysis_pb2 as pb

    request = pb.GetRecoveryReportRequest(route=route)
    if window is not None:
        request.window.CopyFrom(Duration())
        request.window.FromNanoseconds(int(window * 1e9))
    with connect(target, timeout_s=30.0) as seawall:
        found = seawall.call(
            "/seawall.v1.AnalysisService/GetRecoveryReport", request, pb.GetRecoveryReportResponse
        )
    report = analysis_shapes.recovery(found)
    if as_table or file is not None:
        (file or sys.stdout).write(as_csv(report))
        return
    emit(output, report, lambda: _text(report))
    if not found.whole:
        say("There were more begins and ends than are looked at; the oldest are left out.")
