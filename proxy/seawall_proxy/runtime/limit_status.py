"""What is shown of limits and rate limits: on the status page and as metrics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from seawall_policy.limit.options import CLASS_NAMES, KIND_NAMES
from seawall_proxy.telemetry import prometheus

if TYPE_CHECKING:
    from seawall_proxy.call.admission import Guards
    from seawall_proxy.call.routing import RouteState
    from seawall_proxy.telemetry.prometheus import Exposition


def guard_lines(guards: Guards | None) -> dict[str, object]:
    """Return the limits of a route for the status page; empty when there are none."""
    lines: dict[str, object] = {}
    if guards is None:
        return lines
    if guards.admission is not None:
        gate = guards.admission.gate
        lines["limit"] = {
            "adaptive": KIND_NAMES[gate.options.kind],
            "limit": gate.limit,
            "in_flight": gate.in_flight,
            "by_criticality": {name: gate.held_by(number) for number, name in enumerate(CLASS_NAMES)},
            "long_calls": gate.long_calls,
            "queue": gate.queue.length,
            "usual_ms": round(gate.usual_s * 1000.0, 3),
            "entered": gate.entered,
            "waited": gate.waited,
            "refused": gate.refused,
            "would_refuse": gate.would_refuse,
            "browned_out": gate.browned_out,
            "would_brown_out": gate.would_brown_out,
        }
        if gate.options.fair is not None:
            lines["fair_share"] = {"tenants": len(gate.tenants), "most_held": gate.tenants.most_held()}
    if guards.rate is not None:
        lines["rate_limit"] = {
            "keys": guards.rate.keys(),
            "refused": guards.rate.refused,
            "would_refuse": guards.rate.would_refuse,
        }
    return lines


def add_guards(page: Exposition, states: Iterable[RouteState]) -> None:
    """Add the gauges of limits and rate limits."""
    known = [(state.name, state.guards) for state in states if state.guards is not None]
    gates = [(name, guards.admission.gate) for name, guards in known if guards.admission is not None]
    prometheus.add_gates(
        page, ((name, gate.limit, gate.in_flight, gate.long_calls, gate.queue.length) for name, gate in gates)
    )
    prometheus.add_tenants(
        page, ((name, len(gate.tenants)) for name, gate in gates if gate.options.fair is not None)
    )
    prometheus.add_rate_limits(
        page, ((name, guards.rate.keys()) for name, guards in known if guards.rate is not None)
    )
