"""`seawall analysis`: what the record says as a whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from seawall.cli import exits, render
from seawall.cli.commands.analysis_recovery import recovery
from seawall.cli.options import (
    DURATION,
    connect,
    control_option,
    emit,
    output_option,
    policy_set_option,
    say,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.message import Message

    from seawall.v1.admin_analysis_pb2 import Exhaustion, Recommendation

    R = TypeVar("R", bound=Message)

_BARS: Final = " ▁▂▃▄▅▆▇█"


@click.group()
def analysis() -> None:
    """See rates and trends, what is unusual, what comes next and what could be changed."""


def _send(target: str, method: str, request: Message, response: type[R]) -> R:
    with connect(target, timeout_s=30.0) as seawall:
        return seawall.call(f"/seawall.v1.AnalysisService/{method}", request, response)


def _duration(seconds: float | None) -> Duration | None:
    from google.protobuf.duration_pb2 import Duration

    if seconds is None:
        return None
    found = Duration()
    found.FromNanoseconds(int(seconds * 1e9))
    return found


def sparkline(values: Sequence[float], most: int = 60) -> str:
    """Return a line of bars, at most so many; neighbours are added up."""
    if not values:
        return ""
    step = -(-len(values) // most)
    merged = [sum(values[at : at + step]) for at in range(0, len(values), step)]
    top = max(merged) or 1
    return "".join(_BARS[round(value / top * (len(_BARS) - 1))] for value in merged)


def _window_option(command: Any) -> Any:
    return click.option(
        "--window", type=DURATION, default=None, help="How far back, such as `1h` (the default) or `24h`."
    )(command)


@analysis.command()
@_window_option
@control_option
@output_option
def show(window: float | None, target: str, output: str) -> None:
    """Say everything about a window of time on one page."""
    from seawall.cli import analysis_shapes
    from seawall.v1 import admin_analysis_pb2 as pb

    request = pb.GetAnalysisRequest(window=_duration(window))
    found = _send(target, "GetAnalysis", request, pb.GetAnalysisResponse)

    def page() -> str:
        parts = [
            (
                f"{found.total_events} events ({found.events_per_minute:.1f} a minute), "
                f"{found.events_before} in the window before"
            ),
        ]
        if found.total_events:
            parts.append(sparkline([float(point.events) for point in found.trend]))
        rates = [
            f"{name} {getattr(found, field):.1%}"
            for name, field in (
                ("errors of calls in 10 min", "error_rate"),
                ("saved by trying again in 10 min", "recovery_rate"),
                ("resolved", "resolution_rate"),
            )
            if found.HasField(field)
        ]
        if found.HasField("mean_time_to_resolve"):
            took_s = found.mean_time_to_resolve.ToNanoseconds() / 1e9
            rates.append(f"resolved after {render.span(took_s)} on average")
        if rates:
            parts.append(" · ".join(rates))
        for title, shares in (
            ("CATEGORY", found.by_category),
            ("CODE", found.by_code),
            ("COMPONENT", found.top_components),
            ("ROUTE", found.top_routes),
        ):
            if shares:
                rows: list[list[str | render.Cell]] = [
                    [s.name or "-", str(s.events), f"{s.share:.0%}"] for s in shares[:10]
                ]
                parts.append(render.table([title, "EVENTS", "SHARE"], rows, right="EVENTS SHARE"))
        if found.anomalies:
            unusual: list[list[str | render.Cell]] = [
                [
                    a.kind,
                    a.subject or "all",
                    render.severity(analysis_shapes.severity(a.severity)),
                    a.text,
                ]
                for a in found.anomalies
            ]
            parts.append(render.table(["UNUSUAL", "SUBJECT", "SEVERITY", "WHAT"], unusual))
        if found.open_breakers:
            breakers: list[list[str | render.Cell]] = [
                [b.name, b.proxy, b.state] for b in found.open_breakers
            ]
            parts.append(render.table(["BREAKER", "PROXY", "STATE"], breakers))
        if found.recommendations:
            parts.append(_recommended(found.recommendations))
        return "\n\n".join(parts)

    emit(output, analysis_shapes.analysis(found), page)


@analysis.command()
@_window_option
@click.option(
    "--by", default="", help="Field: component, route, method, code, category, severity, kind or outcome."
)
@click.option("--route", default="", help="Only this route.")
@control_option
@output_option
def trend(window: float | None, by: str, route: str, target: str, output: str) -> None:
    """Draw counts over time, told apart by a field."""
    from seawall.cli import analysis_shapes
    from seawall.v1 import admin_analysis_pb2 as pb

    request = pb.GetTrendRequest(window=_duration(window), by=by, route=route)
    found = _send(target, "GetTrend", request, pb.GetTrendResponse)
    rows: list[list[str | render.Cell]] = [
        [
            line.name or ("all" if not by else "-"),
            str(sum(line.events)),
            sparkline([float(e) for e in line.events]),
        ]
        for line in found.series
    ]
    emit(
        output,
        analysis_shapes.trend(found),
        lambda: (
            render.table([by.upper() or "EVENTS OF", "EVENTS", "OVER TIME"], rows, right="EVENTS")
            if rows
            else ""
        ),
    )
    if not rows:
        say("No events in this window.")


@analysis.command()
@_window_option
@click.option("--route", default="", help="Only this route.")
@click.option("--ahead", type=click.IntRange(1, 100), default=10, show_default=True, help="Buckets ahead.")
@control_option
@output_option
def forecast(window: float | None, route: str, ahead: int, target: str, output: str) -> None:
    """Say how many events are to be expected, and when disk, memory, spools or budgets are used up."""
    from seawall.cli import analysis_shapes
    from seawall.v1 import admin_analysis_pb2 as pb

    request = pb.GetForecastRequest(window=_duration(window), route=route, ahead=ahead)
    found = _send(target, "GetForecast", request, pb.GetForecastResponse)

    def page() -> str:
        rows: list[list[str | render.Cell]] = [
            [
                p.start.ToDatetime(tzinfo=UTC).strftime("%Y-%m-%d %H:%M"),
                f"{p.events:.1f}",
                f"{p.low:.1f}",
                f"{p.high:.1f}",
            ]
            for p in found.points
        ]
        parts = [render.table(["FROM (UTC)", "EVENTS", "LOW", "HIGH"], rows, right="EVENTS LOW HIGH")]
        filling: list[list[str | render.Cell]] = [
            [one.resource, f"{one.used:.1%}", _when(one)] for one in found.exhaustions
        ]
        if filling:
            parts.append(render.table(["RESOURCE", "USED", "IF IT GOES ON LIKE THIS"], filling, right="USED"))
        return "\n\n".join(parts)

    emit(output, analysis_shapes.forecast(found), page)


def _when(one: Exhaustion) -> str:
    if not one.HasField("at"):
        return "not growing steadily"
    at = one.at.ToDatetime(tzinfo=UTC)
    if at - datetime.now(UTC) > timedelta(days=365):
        return "not used up within a year"
    return f"used up at {at:%Y-%m-%d %H:%M} UTC"


def _recommended(found: Sequence[Recommendation]) -> str:
    """Return a paragraph for each: a row would be wider than any terminal."""
    return "\n\n".join(
        f"{r.route}: {r.title}\n"
        + render.fields(
            [
                ("Why", r.evidence),
                ("Cost", r.cost),
                ("Apply", f"seawall analysis apply {r.id}" if r.policy_name else "only you can"),
            ],
            indent=2,
        )
        for r in found
    )


@analysis.command()
@_window_option
@policy_set_option
@control_option
@output_option
def recommend(window: float | None, policy_set: str, target: str, output: str) -> None:
    """List what could be changed in the policies, with the evidence."""
    from seawall.cli import analysis_shapes
    from seawall.v1 import admin_analysis_pb2 as pb

    request = pb.ListRecommendationsRequest(policy_set=policy_set, window=_duration(window))
    found = whole(
        target, "/seawall.v1.AnalysisService/ListRecommendations", request, pb.ListRecommendationsResponse
    ).recommendations
    emit(
        output,
        {"recommendations": [analysis_shapes.recommendation(r) for r in found]},
        lambda: _recommended(found) if found else "",
    )
    if not found:
        say("Nothing stands out.")


@analysis.command()
@click.argument("recommendation", metavar="ID")
@click.option("-y", "--yes", is_flag=True, help="Make the change; without it the change is only shown.")
@_window_option
@policy_set_option
@control_option
@output_option
@click.pass_context
def apply(
    ctx: click.Context,
    recommendation: str,
    yes: bool,
    window: float | None,
    policy_set: str,
    target: str,
    output: str,
) -> None:
    """Show what recommendation ID changes, and with --yes make it a revision."""
    from seawall.cli import analysis_shapes
    from seawall.client.calls import default_author
    from seawall.v1 import admin_analysis_pb2 as pb

    request = pb.ApplyRecommendationRequest(
        id=recommendation,
        policy_set=policy_set,
        window=_duration(window),
        validate_only=not yes,
        author=default_author(),
    )
    found = _send(target, "ApplyRecommendation", request, pb.ApplyRecommendationResponse)
    rows: list[list[str | render.Cell]] = [[c.field, c.before or "-", c.after or "-"] for c in found.changes]
    emit(output, analysis_shapes.applied(found), lambda: render.table(["FIELD", "BEFORE", "AFTER"], rows))
    if found.HasField("revision"):
        say(f"In effect as revision {found.revision.revision}; `seawall rollout undo` takes it back.")
    else:
        say("Nothing was changed; --yes makes it a revision.")
    ctx.exit(exits.OK)


@analysis.command()
@click.argument("values", nargs=-1, metavar="[NAME=NUMBER]...")
@control_option
@output_option
def settings(values: tuple[str, ...], target: str, output: str) -> None:
    """Show the numbers that decide what is unusual, or change some: `error_rate=0.2`."""
    from seawall.cli import analysis_shapes
    from seawall.v1 import admin_analysis_pb2 as pb

    wanted = pb.AnalysisSettings()
    for text in values:
        name, _, number = text.partition("=")
        if name not in pb.AnalysisSettings.DESCRIPTOR.fields_by_name:
            known = ", ".join(f.name for f in pb.AnalysisSettings.DESCRIPTOR.fields)
            raise click.BadParameter(f"{name!r} is none of {known}")
        try:
            setattr(wanted, name, float(number))
        except ValueError:
            raise click.BadParameter(f"{text!r}: {number!r} is no number") from None
    if values:
        change = pb.UpdateAnalysisSettingsRequest(settings=wanted)
        found = _send(target, "UpdateAnalysisSettings", change, pb.UpdateAnalysisSettingsResponse).settings
    else:
        ask = pb.GetAnalysisSettingsRequest()
        found = _send(target, "GetAnalysisSettings", ask, pb.GetAnalysisSettingsResponse).settings
    rows: list[list[str | render.Cell]] = [[f.name, f"{value:g}"] for f, value in found.ListFields()]
    emit(
        output,
        analysis_shapes.settings(found),
        lambda: render.table(["SETTING", "VALUE"], rows, right="VALUE"),
    )


analysis.add_command(recovery)
