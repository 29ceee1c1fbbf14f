"""`seawall alerts`: what fires, what happened, what was sent; the groups below it set rules, channels and
silences.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from seawall.cli import render
from seawall.cli.alert_calls import author, pages, send
from seawall.cli.commands import alert_channels, alert_rules, alert_silences
from seawall.cli.options import WholeRange, connect, control_option, emit, emit_line, output_option, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seawall.v1 import admin_alerts_pb2 as pb

_PHASES = {"pending": ("…", "yellow"), "firing": ("!", "red"), "resolved": ("✓", "green")}
_STATES = {"pending": ("…", "yellow"), "sent": ("✓", "green"), "failed": ("×", "red")}

limit_option = click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Most to show."
)


@click.group()
def alerts() -> None:
    """See what fires; set rules, channels and silences.

    A rule says what is watched, an alert is one subject about which a rule's condition holds, and channels
    are where people are told. Rules are asked once a second.
    """


alerts.add_command(alert_rules.rules)
alerts.add_command(alert_channels.channels)
alerts.add_command(alert_channels.test)
alerts.add_command(alert_silences.silence)


def _state(words: dict[str, tuple[str, str]], word: str) -> render.Cell:
    mark, color = words.get(word, ("?", ""))
    return render.Cell(f"{mark} {word}", color or None)


@alerts.command("list")
@click.option("--all", "all_", is_flag=True, help="Also those that have resolved.")
@click.option("--rule", default="", metavar="NAME", help="Only those of this rule.")
@click.option("--filter", "filter_", default="", metavar="FILTER", help="As of events: `route = checkout`.")
@limit_option
@control_option
@output_option
def list_(all_: bool, rule: str, filter_: str, limit: int, target: str, output: str) -> None:
    """List alerts that are pending or fire, newest first."""
    from seawall.cli import alert_shapes
    from seawall.v1 import admin_alerts_pb2 as pb

    phases = [] if all_ else [pb.ALERT_PHASE_PENDING, pb.ALERT_PHASE_FIRING]

    def fetch(size: int, token: str) -> pb.ListAlertsResponse:
        request = pb.ListAlertsRequest(
            phases=phases, rule=rule, filter=filter_, page_size=size, page_token=token
        )
        return send(target, "ListAlerts", request, pb.ListAlertsResponse)

    found = pages(fetch, "alerts", limit)
    emit(output, {"alerts": [alert_shapes.alert(item) for item in found]}, lambda: _table(found))


def _table(found: Sequence[pb.Alert]) -> str:
    from seawall.cli import alert_shapes, shapes

    if not found:
        say("No alerts.")
        return ""
    now = datetime.now(UTC)
    rows: list[list[str | render.Cell]] = []
    for item in found:
        shape = alert_shapes.alert(item)
        note = item.quiet_by or (f"acknowledged by {item.acknowledged_by}" if item.acknowledged_by else "")
        note = note or ("flapping" if item.flapping else "")
        rows.append(
            [
                item.id,
                _state(_PHASES, shape["phase"]),
                render.severity(shape["severity"]),
                render.ago(shapes.moment(item.fire_time) or shapes.moment(item.start_time), now),
                item.rule,
                render.clip(item.summary, 70) + (f" [{note}]" if note else ""),
            ]
        )
    return render.table(["ALERT", "PHASE", "SEVERITY", "FOR", "RULE", "SUMMARY"], rows, right="FOR")


@alerts.command()
@click.argument("alert_id", metavar="ALERT")
@control_option
@output_option
def show(alert_id: str, target: str, output: str) -> None:
    """Say everything about ALERT."""
    from seawall.cli import alert_shapes
    from seawall.v1 import admin_alerts_pb2 as pb

    found = send(target, "GetAlert", pb.GetAlertRequest(id=alert_id), pb.GetAlertResponse).alert
    shape = alert_shapes.alert(found)
    emit(output, shape, lambda: _details(shape))


def _details(shape: dict[str, object]) -> str:
    subject = shape["subject"]
    pairs = [(name, value) for name, value in shape.items() if name != "subject"]
    pairs += list(subject.items()) if isinstance(subject, dict) else []
    shown = [
        (name.replace("_", " ").capitalize(), str(value))
        for name, value in pairs
        if value not in ("", None, 0)
    ]
    return render.fields(shown)


@alerts.command()
@click.argument("alert_id", metavar="ALERT")
@click.option("--reason", default="", help="What to tell the others.")
@control_option
@output_option
def ack(alert_id: str, reason: str, target: str, output: str) -> None:
    """Say that you look after ALERT: it is not told again until it resolves."""
    from seawall.cli import alert_shapes
    from seawall.v1 import admin_alerts_pb2 as pb

    request = pb.AcknowledgeAlertRequest(id=alert_id, actor=author(), reason=reason)
    found = send(target, "AcknowledgeAlert", request, pb.AcknowledgeAlertResponse).alert
    emit(output, alert_shapes.alert(found), lambda: "")
    say(f"Acknowledged by {found.acknowledged_by}.")


@alerts.command()
@click.option("--filter", "filter_", default="", metavar="FILTER", help="As of `alerts list`.")
@click.option("--current", is_flag=True, help="Begin with what is pending or fires now.")
@control_option
@output_option
def watch(filter_: str, current: bool, target: str, output: str) -> None:
    """Follow what happens to alerts, until Ctrl-C."""
    from seawall.cli import alert_shapes
    from seawall.v1 import admin_alerts_pb2 as pb

    request = pb.WatchAlertsRequest(filter=filter_, current=current)
    with connect(target) as seawall:
        answers = seawall.follow("/seawall.v1.AlertService/WatchAlerts", request, pb.WatchAlertsResponse)
        for item in answers:
            shape = alert_shapes.happening(item)
            emit_line(output, shape, lambda shape=shape: _line(shape))  # type: ignore[misc]


def _line(shape: dict[str, dict[str, str]]) -> str:
    alert = shape["alert"]
    at = datetime.now(UTC).strftime("%H:%M:%S")
    what = str(shape["what"])
    return f"{at}  {what:<12}  {alert['severity']:<8}  {alert['rule']}  {alert['summary']}"


@alerts.command()
@limit_option
@control_option
@output_option
def history(limit: int, target: str, output: str) -> None:
    """Show what happened, newest first: alerts, messages, and what people changed."""
    from seawall.cli import alert_shapes, shapes
    from seawall.v1 import admin_alerts_pb2 as pb

    def fetch(size: int, token: str) -> pb.ListAlertHistoryResponse:
        request = pb.ListAlertHistoryRequest(page_size=size, page_token=token)
        return send(target, "ListAlertHistory", request, pb.ListAlertHistoryResponse)

    found = pages(fetch, "entries", limit)
    now = datetime.now(UTC)
    rows: list[list[str | render.Cell]] = [
        [
            render.ago(shapes.moment(item.time), now),
            item.what,
            item.rule or "-",
            item.channel or "-",
            item.actor or "-",
            render.clip(item.text, 70),
        ]
        for item in found
    ]
    emit(
        output,
        {"entries": [alert_shapes.history(item) for item in found]},
        lambda: render.table(["AGO", "WHAT", "RULE", "CHANNEL", "BY", "TEXT"], rows, right="AGO"),
    )


@alerts.command()
@click.option("--failed", is_flag=True, help="Only those that were given up.")
@click.option("--waiting", is_flag=True, help="Only those that wait.")
@click.option("--channel", default="", metavar="NAME", help="Only to this channel.")
@click.option("--alert", "alert_id", default="", metavar="ALERT", help="Only about this alert.")
@limit_option
@control_option
@output_option
def deliveries(
    failed: bool, waiting: bool, channel: str, alert_id: str, limit: int, target: str, output: str
) -> None:
    """List messages and what became of them, newest first."""
    from seawall.cli import alert_shapes, shapes
    from seawall.v1 import admin_alerts_pb2 as pb

    states = [pb.DELIVERY_STATE_FAILED] if failed else []
    states += [pb.DELIVERY_STATE_PENDING] if waiting else []

    def fetch(size: int, token: str) -> pb.ListDeliveriesResponse:
        request = pb.ListDeliveriesRequest(
            states=states, channel=channel, alert_id=alert_id, page_size=size, page_token=token
        )
        return send(target, "ListDeliveries", request, pb.ListDeliveriesResponse)

    found = pages(fetch, "deliveries", limit)
    now = datetime.now(UTC)
    rows: list[list[str | render.Cell]] = [
        [
            item.id,
            _state(_STATES, alert_shapes.delivery(item)["state"]),
            render.ago(shapes.moment(item.create_time), now),
            item.channel,
            item.news,
            str(item.attempts),
            render.clip(item.error or item.summary, 70),
        ]
        for item in found
    ]
    emit(
        output,
        {"deliveries": [alert_shapes.delivery(item) for item in found]},
        lambda: _deliveries(rows),
    )


def _deliveries(rows: list[list[str | render.Cell]]) -> str:
    if not rows:
        say("No deliveries.")
        return ""
    head = ["DELIVERY", "STATE", "AGO", "CHANNEL", "NEWS", "TRIES", "TEXT"]
    return render.table(head, rows, right="AGO TRIES")


@alerts.command()
@click.argument("delivery_id", metavar="DELIVERY")
@control_option
@output_option
def retry(delivery_id: str, target: str, output: str) -> None:
    """Send DELIVERY, which was given up, once more."""
    from seawall.cli import alert_shapes
    from seawall.v1 import admin_alerts_pb2 as pb

    request = pb.RetryDeliveryRequest(id=delivery_id, actor=author())
    found = send(target, "RetryDelivery", request, pb.RetryDeliveryResponse).delivery
    emit(output, alert_shapes.delivery(found), lambda: "")
    say(f"It waits for channel {found.channel} now.")


@alerts.command()
@click.option("--error-rate", type=click.FloatRange(0, 1), help="Share of a route's calls that may fail.")
@click.option("--specific-error-count", type=WholeRange(1), help="How often one error may come.")
@click.option(
    "--recovery-failure-rate", type=click.FloatRange(0, 1), help="Share of retried calls that may fail."
)
@control_option
@output_option
def thresholds(
    error_rate: float | None,
    specific_error_count: int | None,
    recovery_failure_rate: float | None,
    target: str,
    output: str,
) -> None:
    """Show the thresholds of the built-in rules, or change those that are given."""
    from seawall.v1 import admin_alerts_pb2 as pb

    wanted = pb.Thresholds(
        error_rate=error_rate,
        specific_error_count=specific_error_count,
        recovery_failure_rate=recovery_failure_rate,
    )
    if wanted.ListFields():
        request = pb.UpdateThresholdsRequest(thresholds=wanted, actor=author())
        found = send(target, "UpdateThresholds", request, pb.UpdateThresholdsResponse).thresholds
    else:
        found = send(target, "GetThresholds", pb.GetThresholdsRequest(), pb.GetThresholdsResponse).thresholds
    shape = {
        "error_rate": found.error_rate,
        "specific_error_count": found.specific_error_count,
        "recovery_failure_rate": found.recovery_failure_rate,
    }
    emit(output, shape, lambda: render.fields([(name, f"{value:g}") for name, value in shape.items()]))
