"""The stable form of `-o json` of healing; the rules are those of shapes.py.

A runbook has the form that `seawall heal set` reads: what is listed can be edited and set again.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct, Value

from seawall.cli.shapes import Shape, time, word
from seawall.v1 import admin_healing_pb2 as pb
from seawall_policy.durations import format_duration


def mode(number: int) -> str:
    """Return how far a runbook may go, as a word."""
    return word(pb.RunbookMode, number, "RUNBOOK_MODE_")


def spelled(length: Duration) -> str:
    """Return a length of time as files spell it, such as `1m30s`."""
    return format_duration(length.seconds * 1_000_000_000 + length.nanos)


def value_of(value: Value) -> Any:
    """Return a JSON value; whole numbers without a point, as people write them."""
    return _whole(json_format.MessageToDict(value))


def mapping_of(values: Struct) -> Shape:
    """Return a JSON object, as `value_of` has it."""
    found: Shape = _whole(json_format.MessageToDict(values))
    return found


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_whole(one) for one in value]
    return value


def runbook(item: pb.Runbook) -> Shape:
    """A runbook, in the form of its file."""
    return {
        "name": item.name,
        "description": item.description,
        "condition": item.condition,
        "threshold": _whole(item.threshold),
        "subject": item.subject,
        "lasting": spelled(item.lasting),
        "action": item.action,
        "parameters": mapping_of(item.parameters),
        "mode": mode(item.mode),
        "cooldown": spelled(item.cooldown),
        "max_per_hour": item.max_per_hour,
        "verify_after": spelled(item.verify_after),
        "approval_ttl": spelled(item.approval_ttl),
        "etag": item.etag,
        "built_in": item.built_in,
    }


def case(item: pb.HealingCase) -> Shape:
    """A case, at one moment."""
    return {
        "id": item.id,
        "runbook": item.runbook,
        "action": item.action,
        "subject": item.subject,
        "state": item.state,
        "start_time": time(item.start_time),
        "change_time": time(item.change_time),
        "evidence": item.evidence,
        "value": item.value,
        "plan": item.plan,
        "outcome": item.outcome,
        "actor": item.actor,
        "asked_by": item.asked_by,
    }


def observation(item: pb.HealingObservation) -> Shape:
    """A measure, and what runbooks think of it."""
    return {
        "condition": item.condition,
        "subject": item.subject,
        "value": item.value,
        "unit": item.unit,
        "text": item.text,
        "runbooks": [
            {"runbook": one.runbook, "holds": one.holds, "mode": mode(one.mode)} for one in item.verdicts
        ],
    }


def stats(item: pb.GetHealingStatsResponse) -> Shape:
    """How often what was done helped."""
    return {
        "counts": [{"action": one.action, "state": one.state, "cases": one.cases} for one in item.counts],
        "effectiveness": item.effectiveness if item.HasField("effectiveness") else None,
        "open": item.open,
    }


def vocabulary(item: pb.ListHealingActionsResponse) -> Shape:
    """What can be observed, and what can be done."""
    return {
        "conditions": [{"name": one.name, "unit": one.unit} for one in item.conditions],
        "actions": [
            {
                "name": one.name,
                "help": one.help,
                "can_undo": one.can_undo,
                "parameters": [
                    {
                        "name": parameter.name,
                        "help": parameter.help,
                        "default": value_of(parameter.default_value)
                        if parameter.HasField("default_value")
                        else None,
                    }
                    for parameter in one.parameters
                ],
            }
            for one in item.actions
        ],
    }
