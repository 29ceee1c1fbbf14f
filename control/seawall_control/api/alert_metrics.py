"""How alerts are told, in Prometheus' text format; those that fire are in metrics.py."""

from __future__ import annotations

from seawall_control.api.metrics import Page
from seawall_control.services.alerting.parts import AlertNumbers


def render(numbers: AlertNumbers) -> str:
    """Return the families."""
    page = Page()
    for name, kind, text, value in (
        ("alerts_fired_total", "counter", "Alerts that began to fire since the start.", numbers.fired),
        ("alert_deliveries_pending", "gauge", "Deliveries that wait for their channels.", numbers.pending),
        ("alert_messages_sent_total", "counter", "Messages that channels took.", numbers.sent),
        ("alert_messages_failed_total", "counter", "Attempts that failed.", numbers.failures),
        ("alert_deliveries_failed_total", "counter", "Deliveries that were given up.", numbers.given_up),
        (
            "alert_channels_resting",
            "gauge",
            "Channels of which too many messages in a row have failed.",
            numbers.resting,
        ),
        (
            "alert_events_missed_total",
            "counter",
            "Events that no rule has seen since there were too many at once.",
            numbers.missed,
        ),
        (
            "alert_subjects_left_out_total",
            "counter",
            "Times that a subject got no alert since its rule had too many.",
            numbers.overflow,
        ),
    ):
        page.one(f"seawall_control_{name}", kind, text, value)
    return page.text()
