"""Breakers in full, for a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from seawall.cli import render, shapes
from seawall.v1 import stats_pb2


def describe_breakers(items: Sequence[stats_pb2.BreakerStatus]) -> str:
    """Return everything about these breakers, one after the other."""
    now = datetime.now(UTC)
    return "\n\n".join(_one(item, now) for item in items)


def _one(item: stats_pb2.BreakerStatus, now: datetime) -> str:
    shape = shapes.breaker(item)
    since = render.ago(shapes.moment(item.since), now)
    wait = shape["retry_after_s"]
    probes = shape["probes"]
    revision = f"revision {shape['policy_revision']}" if shape["policy_revision"] else "from the proxy's file"
    head = render.fields(
        [
            ("Breaker", item.name),
            ("Proxy", item.proxy or "-"),
            ("State", render.breaker(shape["state"])),
            ("For", since),
            ("Trigger", item.trigger),
            ("Held", _held(item, now)),
            ("Window", _window(shape)),
            ("In a row", f"{item.consecutive} failures" if item.consecutive else ""),
            ("In flight", str(item.in_flight)),
            ("Probes", _probes(probes) if shape["state"] == "half_open" else ""),
            ("Lets in", f"{item.ramp_share:g} %" if item.ramp_share else ""),
            (
                "Probes next",
                f"in {render.span(wait)}" if wait is not None and item.HasField("next_probe") else "",
            ),
            ("Come back in", render.span(wait) if wait is not None else ""),
            ("Opened", f"{render.count(item.opened)} times, {render.count(item.rejected)} attempts rejected"),
            ("Would reject", render.count(item.would_reject) if item.would_reject else ""),
            ("Policy", f"{item.policy}, {revision}, mode {item.mode}" if item.policy else ""),
        ]
    )
    if not item.history:
        return f"{head}\nNo transitions since the proxy started."
    rows: list[list[str | render.Cell]] = [
        [
            f"{render.ago(shapes.moment(change.at), now)} ago",
            render.breaker(shapes.breaker_state(getattr(change, "from"))),
            render.breaker(shapes.breaker_state(change.to)),
            change.trigger,
            f"{change.failures}/{change.calls}",
            str(change.slow),
        ]
        for change in reversed(item.history)
    ]
    headers = ["WHEN", "FROM", "TO", "TRIGGER", "FAILED", "SLOW"]
    return f"{head}\n{render.table(headers, rows, right='FAILED SLOW')}"


def _held(item: stats_pb2.BreakerStatus, now: datetime) -> str:
    if not item.HasField("hold"):
        return ""
    words = [f"by {item.hold.actor}" if item.hold.actor else "by hand"]
    if item.hold.HasField("until"):
        until = shapes.moment(item.hold.until)
        left = (until - now).total_seconds() if until is not None else 0.0
        words.append(f"for {render.span(max(left, 0.0))} more")
    if item.hold.reason:
        words.append(f"because of: {item.hold.reason}")
    return ", ".join(words)


def _window(shape: dict[str, Any]) -> str:
    calls = shape["window_calls"]
    text = f"{shape['window_failures']} failed and {shape['window_slow']} slow of {calls}"
    if shape["failure_rate"] is None:
        return f"{text}; too few to trip on a share"
    slow = "" if shape["slow_rate"] is None else f", {shape['slow_rate']:.1f} % slow"
    return f"{text}: {shape['failure_rate']:.1f} % failed{slow}"


def _probes(probes: dict[str, int]) -> str:
    return f"{probes['in_flight']} in flight, {probes['passed']} passed, {probes['not_passed']} not"
