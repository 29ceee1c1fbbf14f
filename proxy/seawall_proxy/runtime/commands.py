"""What the control plane can tell a proxy to do."""

from __future__ import annotations

from typing import Final

from seawall.v1 import fleet_pb2
from seawall_policy.breaker import Breaker
from seawall_proxy.runtime.worker import Worker

MAX_REASON: Final = 200
MAX_TRIP_S: Final = 86_400.0
MIN_TRIP_S: Final = 1.0


def run_command(worker: Worker, command: fleet_pb2.Command) -> tuple[bool, str]:
    """Do what a command says; return whether it was done, and why not."""
    kind = command.WhichOneof("action")
    if kind == "reset_breaker":
        return _reset(worker, command.reset_breaker.breaker)
    if kind == "trip_breaker":
        return _trip(worker, command.trip_breaker)
    return False, "this version of the proxy does not know the command; upgrade it"


def _reset(worker: Worker, name: str) -> tuple[bool, str]:
    breaker = _find(worker, name)
    if breaker is None:
        return False, _unknown(worker, name)
    breaker.reset(worker.tell_time())
    _settle(worker, name, breaker)
    return True, ""


def _trip(worker: Worker, command: fleet_pb2.TripBreakerCommand) -> tuple[bool, str]:
    breaker = _find(worker, command.breaker)
    if breaker is None:
        return False, _unknown(worker, command.breaker)
    seconds = command.duration.ToTimedelta().total_seconds()
    if not MIN_TRIP_S <= seconds <= MAX_TRIP_S:
        return False, f"a breaker is held open for {MIN_TRIP_S:g} s to {MAX_TRIP_S:g} s, not {seconds:g} s"
    said = command.reason[:MAX_REASON]
    breaker.trip(worker.tell_time(), seconds, f"manual: {said}" if said else "manual")
    _settle(worker, command.breaker, breaker)
    return True, ""


def _find(worker: Worker, name: str) -> Breaker | None:
    table = worker.context.table
    state = None if table is None else table.states.get(name)
    return None if state is None else state.breaker


def _unknown(worker: Worker, name: str) -> str:
    table = worker.context.table
    known = (
        []
        if table is None
        else sorted(key for key, state in table.states.items() if state.breaker is not None)
    )
    return f"no breaker {name!r} here; there are: {', '.join(known) or 'none'}"


def _settle(worker: Worker, name: str, breaker: Breaker) -> None:
    worker.report_breaker(name, breaker)
    worker.breaker_clock.rearm()
    worker.after_batch()
