"""What stands between failures and callers, in the text format of Prometheus: breakers, and healing."""

from __future__ import annotations

from collections.abc import Mapping

from seawall.v1 import stats_pb2
from seawall_control.api.metrics import Page
from seawall_control.domain.healing.engine import ENDED

_STATES = {
    number: name.removeprefix("BREAKER_STATE_").lower()
    for name, number in stats_pb2.BreakerState.items()
    if number != stats_pb2.BREAKER_STATE_UNSPECIFIED
}


def render(breakers: Mapping[int, int], ended: Mapping[tuple[str, str], int], open_cases: int) -> str:
    """Return the families: `breakers` by the number of their state, `ended` cases by action and state."""
    page = Page()
    page.add(
        "seawall_control_breakers",
        "gauge",
        "Breakers of connected proxies, by state.",
        [({"state": state}, float(breakers.get(number, 0))) for number, state in _STATES.items()],
    )
    page.one(
        "seawall_control_healing_cases_open",
        "gauge",
        "Cases of runbooks that have not ended; those that wait for an answer included.",
        open_cases,
    )
    page.add(
        "seawall_control_healing_cases_total",
        "counter",
        "Cases of runbooks that ended, by how; at the start those that are on record.",
        [
            ({"state": str(state)}, float(sum(n for (_, end), n in ended.items() if end == state)))
            for state in sorted(ENDED)
        ],
    )
    return page.text()
