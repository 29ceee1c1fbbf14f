"""What the actions of operations mean to a proxy: checked, in words, and as commands."""

from __future__ import annotations

from typing import Final

from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration

from seawall.v1 import admin_operations_pb2 as pb
from seawall.v1 import fleet_pb2, policy_pb2, stats_pb2
from seawall_control.domain.errors import FieldProblem, InvalidRequest
from seawall_control.domain.operations import Operation
from seawall_policy.compile.faults import check_fault, read_fault
from seawall_policy.compile.report import Report
from seawall_policy.compile.scope import Scope

_HOLDS: Final = (
    stats_pb2.BREAKER_STATE_FORCED_OPEN,
    stats_pb2.BREAKER_STATE_DISABLED,
    stats_pb2.BREAKER_STATE_METRICS_ONLY,
)
_NO_END: Final = "2100-01-01T00:00:00Z"
"""Stands for the end that an operation gives; a fault is checked as a policy's is, and that needs one."""
MAX_NAME: Final = 512


def checked_action(action: pb.OperationAction) -> None:
    """Raise `InvalidRequest` for what no proxy can do."""
    kind = action.WhichOneof("kind")
    if kind is None:
        raise InvalidRequest("action must be hold_breaker, reset_breaker, fault or drain")
    if kind == "hold_breaker":
        _check_name("action.hold_breaker.breaker", action.hold_breaker.breaker)
        if action.hold_breaker.state not in _HOLDS:
            raise InvalidRequest(
                "action.hold_breaker.state must be BREAKER_STATE_FORCED_OPEN, BREAKER_STATE_DISABLED or "
                "BREAKER_STATE_METRICS_ONLY"
            )
    elif kind == "reset_breaker":
        _check_name("action.reset_breaker.breaker", action.reset_breaker.breaker)
    elif kind == "fault":
        _check_fault(action.fault.fault)
    elif bool(action.drain.cluster) != bool(action.drain.address):
        raise InvalidRequest(
            "action.drain names a cluster and an address, or neither, which means the proxy itself"
        )


def _check_name(field: str, name: str) -> None:
    if not 1 <= len(name) <= MAX_NAME:
        raise InvalidRequest(f"{field} must name a breaker; `seawall breaker list` shows them")


def _check_fault(fault: policy_pb2.Fault) -> None:
    policy = policy_pb2.Policy()
    policy.fault.CopyFrom(fault)
    policy.fault.until = _NO_END
    report = Report()
    scope = Scope(report, "action.fault")
    try:
        read_fault(scope, policy)
    except ValueError as error:
        raise InvalidRequest(f"action.fault.fault: {error}") from error
    check_fault(scope, policy, policy, None)
    mistakes = [v for v in report.violations() if not v.warning]
    if mistakes:
        raise InvalidRequest(
            "; ".join(f"{v.field}: {v.message}" for v in mistakes),
            tuple(FieldProblem(v.field, v.message, v.code) for v in mistakes),
        )


def title_of(action: pb.OperationAction) -> str:
    """Return an action in words."""
    kind = action.WhichOneof("kind")
    if kind == "hold_breaker":
        state = stats_pb2.BreakerState.Name(action.hold_breaker.state).removeprefix("BREAKER_STATE_")
        return f"breaker {action.hold_breaker.breaker} {state}"
    if kind == "reset_breaker":
        return f"breaker {action.reset_breaker.breaker} reset"
    if kind == "fault":
        names = [field.name for field, _ in action.fault.fault.ListFields() if field.message_type is not None]
        broken = ", ".join(name for name in names if name != "metadata")
        return f"fault {broken} on {f'route {action.fault.route}' if action.fault.route else 'every route'}"
    if action.drain.cluster:
        return f"drain {action.drain.address} of cluster {action.drain.cluster}"
    return "drain the proxy"


def action_of(operation: Operation) -> pb.OperationAction:
    """Return an operation's action."""
    return json_format.Parse(operation.action, pb.OperationAction(), ignore_unknown_fields=True)


def start_command(operation: Operation, now_us: int) -> fleet_pb2.Command:
    """Return what a proxy is told to do, for what is left of the time."""
    action = action_of(operation)
    left = Duration()
    left.FromMilliseconds(int(operation.length_left_s(now_us) * 1000))
    who = {"actor": operation.actor, "reason": operation.reason}
    kind = action.WhichOneof("kind")
    if kind == "reset_breaker":
        reset = fleet_pb2.ResetBreakerCommand(breaker=action.reset_breaker.breaker, **who)
        return fleet_pb2.Command(reset_breaker=reset)
    if kind == "fault":
        fault = fleet_pb2.StartFaultCommand(
            route=action.fault.route, fault=action.fault.fault, duration=left, **who
        )
        return fleet_pb2.Command(start_fault=fault)
    if kind == "drain":
        drain = fleet_pb2.DrainCommand(
            cluster=action.drain.cluster, address=action.drain.address, duration=left, **who
        )
        return fleet_pb2.Command(drain=drain)
    hold = action.hold_breaker
    if hold.state == stats_pb2.BREAKER_STATE_FORCED_OPEN:
        # The older of the two commands: proxies of an earlier version know it.
        trip = fleet_pb2.TripBreakerCommand(breaker=hold.breaker, duration=left, **who)
        return fleet_pb2.Command(trip_breaker=trip)
    held = fleet_pb2.HoldBreakerCommand(breaker=hold.breaker, state=hold.state, duration=left, **who)
    return fleet_pb2.Command(hold_breaker=held)


def stop_command(operation: Operation) -> fleet_pb2.Command:
    """Return what ends an operation at a proxy that does it."""
    action = action_of(operation)
    who = {"actor": operation.actor, "reason": f"cancelled: {operation.cancelled_by}"}
    kind = action.WhichOneof("kind")
    if kind == "fault":
        return fleet_pb2.Command(stop_fault=fleet_pb2.StopFaultCommand(route=action.fault.route, **who))
    if kind == "drain":
        undrain = fleet_pb2.UndrainCommand(cluster=action.drain.cluster, address=action.drain.address, **who)
        return fleet_pb2.Command(undrain=undrain)
    return fleet_pb2.Command(
        reset_breaker=fleet_pb2.ResetBreakerCommand(breaker=action.hold_breaker.breaker, **who)
    )
