"""What is being changed at the fleet, in Prometheus' text format: rollouts, and operations in effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seawall_control.api.metrics import Page
from seawall_control.domain.rollout.machine import Rollout, State


def render(active: Sequence[Rollout], ended: Mapping[State, int], operations: int) -> str:
    """Return the families."""
    page = Page()
    page.add(
        "seawall_control_rollouts_active",
        "gauge",
        "Rollouts by stages that are under way, by state.",
        [
            ({"state": str(state)}, float(sum(rollout.state is state for rollout in active)))
            for state in State
            if not state.is_final
        ],
    )
    page.add(
        "seawall_control_rollouts_ended_total",
        "counter",
        "Rollouts by stages that ended since the start, by how.",
        [({"state": str(state)}, float(ended.get(state, 0))) for state in State if state.is_final],
    )
    page.one(
        "seawall_control_operations_active",
        "gauge",
        "Operations on the fleet that are in effect.",
        operations,
    )
    return page.text()
