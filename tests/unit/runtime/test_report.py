"""What the proxy reports to the control plane, in the words of the contract."""

from __future__ import annotations

from seawall.v1 import stats_pb2
from seawall_proxy.runtime.report import route_message
from seawall_proxy.telemetry.counters import RouteCounters


def test_every_number_of_a_route_is_reported() -> None:
    """No field of the contract stays empty for a route on which everything has happened."""
    counters = RouteCounters("r")
    counters.in_flight = 2
    counters.finish(0, 0.01)
    counters.retries = counters.budget_exhausted = counters.recovered = counters.cancelled = 1
    counters.hedges = 3
    counters.hedges_won = 2
    counters.hopeless = 4
    counters.reject("BREAKER_OPEN")
    counters.fall_back("static")
    counters.refuse_hedge("budget")
    counters.waited(0.25)
    counters.waste(0.5)
    counters.would_limit("LIMITED")
    counters.would_limit("RATE_LIMITED")
    counters.would_fall_back["static"] = 3
    counters.would_be_hopeless = 4
    counters.hedges_shadow = 5
    counters.faults.would[1] = 6
    counters.shadow.would[0] = 7
    for criticality in (0, 3, 3):
        counters.limit("LIMITED", criticality)
    counters.limit("RATE_LIMITED", 3)
    message = route_message(counters, 8)
    filled = {field.name for field, _ in message.ListFields()}
    assert filled == {field.name for field in stats_pb2.RouteCounters.DESCRIPTOR.fields}
    assert dict(message.limited) == {"LIMITED": 3, "RATE_LIMITED": 1}
    assert dict(message.limited_by_criticality) == {"critical_plus": 1, "sheddable": 3}
    assert (dict(message.rejected_by), message.rejected) == ({"BREAKER_OPEN": 1}, 1)
    assert dict(message.would) == {
        "limit/refuse": 1,
        "rate_limit/refuse": 1,
        "fallback/static": 3,
        "deadline/refuse": 4,
        "hedge/send": 5,
        "fault/delay": 6,
        "shadow_policy/open": 7,
        "breaker/reject": 8,
    }
    assert (message.queued, message.queue_wait_seconds) == (1, 0.25)
