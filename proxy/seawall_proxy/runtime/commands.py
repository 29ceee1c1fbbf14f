"""What the control plane can tell a proxy to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from google.protobuf.duration_pb2 import Duration

from seawall.v1 import fleet_pb2, stats_pb2
from seawall_policy.breaker import DISABLED, FORCED_OPEN, METRICS_ONLY, Breaker
from seawall_proxy.call.routing import RouteState
from seawall_proxy.runtime.worker import Worker

MAX_REASON: Final = 200
MAX_ACTOR: Final = 100
MAX_HOLD_S: Final = 86_400.0
MIN_HOLD_S: Final = 1.0
MAX_LISTED: Final = 20
"""Most names that a refusal gives."""

Found = Sequence[tuple[RouteState, Breaker]]

_HELD: Final = {
    stats_pb2.BREAKER_STATE_FORCED_OPEN: FORCED_OPEN,
    stats_pb2.BREAKER_STATE_DISABLED: DISABLED,
    stats_pb2.BREAKER_STATE_METRICS_ONLY: METRICS_ONLY,
}


def run_command(worker: Worker, command: fleet_pb2.Command) -> tuple[bool, str]:
    """Do what a command says; return whether it was done, and why not."""
    kind = command.WhichOneof("action")
    if kind == "reset_breaker":
        return _reset(worker, command.reset_breaker)
    if kind == "trip_breaker":
        trip = command.trip_breaker
        return _hold(worker, trip.breaker, FORCED_OPEN, trip.duration, trip.actor, trip.reason)
    if kind == "hold_breaker":
        hold = command.hold_breaker
        state = _HELD.get(hold.state)
        if state is None:
            return False, "a breaker can be held in FORCED_OPEN, DISABLED or METRICS_ONLY"
        return _hold(worker, hold.breaker, state, hold.duration, hold.actor, hold.reason)
    return False, "this version of the proxy does not know the command; upgrade it"


def _reset(worker: Worker, command: fleet_pb2.ResetBreakerCommand) -> tuple[bool, str]:
    found = find_breakers(worker, command.breaker)
    words = [word for word in (command.actor[:MAX_ACTOR], command.reason[:MAX_REASON]) if word]
    now = worker.tell_time()
    for _, breaker in found:
        breaker.reset(now, ": ".join(["reset", *words]))
    return _settle(worker, command.breaker, found)


def _hold(
    worker: Worker, name: str, state: int, length: Duration, actor: str, reason: str
) -> tuple[bool, str]:
    found = find_breakers(worker, name)
    seconds = length.ToTimedelta().total_seconds()
    if not MIN_HOLD_S <= seconds <= MAX_HOLD_S:
        return False, f"a breaker is held for {MIN_HOLD_S:g} s to {MAX_HOLD_S:g} s, not {seconds:g} s"
    now = worker.tell_time()
    for _, breaker in found:
        breaker.hold(state, now, seconds, actor[:MAX_ACTOR], reason[:MAX_REASON])
    return _settle(worker, name, found)


def find_breakers(worker: Worker, name: str) -> Found:
    """Return the breakers that a name means: one, or all that a route has for its methods or endpoints."""
    table = worker.context.table
    if table is None:
        return []
    one = table.find_breaker(name)
    if one is not None:
        return [one]
    state = table.states.get(name)
    if state is None or state.scoped is None:
        return []
    if not state.scoped.per_endpoint:
        # Methods that nobody has called yet are among those that have none of their own.
        state.scoped.other()
    return [(state, breaker) for breaker in state.breakers()]


def _settle(worker: Worker, name: str, found: Found) -> tuple[bool, str]:
    if not found:
        return False, _unknown(worker, name)
    for state, breaker in found:
        worker.report_breaker(state.name, breaker)
    worker.breaker_clock.rearm()
    worker.after_batch()
    return True, ""


def _unknown(worker: Worker, name: str) -> str:
    table = worker.context.table
    known = (
        []
        if table is None
        else sorted(breaker.key for state in table.states.values() for breaker in state.breakers())
    )
    more = f" and {len(known) - MAX_LISTED} more" if len(known) > MAX_LISTED else ""
    return f"no breaker {name!r} here; there are: {', '.join(known[:MAX_LISTED]) or 'none'}{more}"
