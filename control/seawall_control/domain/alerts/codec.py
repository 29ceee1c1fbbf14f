"""Rules, silences, channels, alerts and deliveries as JSON text, as they are stored.

Written by field name; a field that a newer version added is left alone by an older one, and one that is
missing has its default.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields
from enum import IntEnum, StrEnum
from typing import TypeAlias, TypeVar

from seawall_control.domain.alerts.channels import Channel, ChannelKind, SmtpSecurity
from seawall_control.domain.alerts.lifecycle import Alert, Phase
from seawall_control.domain.alerts.outbox import Delivery, DeliveryState
from seawall_control.domain.alerts.rules import BurnWindow, Filters, Rule, Trigger, TriggerKind
from seawall_control.domain.alerts.silences import Silence
from seawall_control.domain.alerts.subject import Subject
from seawall_control.domain.events import EventKind, Json, Severity

Storable: TypeAlias = Rule | Silence | Channel | Alert | Delivery
T = TypeVar("T", Rule, Silence, Channel, Alert, Delivery, Trigger, Filters, Subject, BurnWindow)

_WORDS: Mapping[str, type[StrEnum]] = {
    "Phase": Phase,
    "TriggerKind": TriggerKind,
    "ChannelKind": ChannelKind,
    "SmtpSecurity": SmtpSecurity,
    "DeliveryState": DeliveryState,
}
_NUMBERS: Mapping[str, type[IntEnum]] = {"Severity": Severity, "EventKind": EventKind}


def to_text(value: Storable) -> str:
    """Return a value as JSON text."""
    return json.dumps(asdict(value), ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def rule_of(text: str) -> Rule:
    """Read a rule."""
    return _built(Rule, json.loads(text))


def silence_of(text: str) -> Silence:
    """Read a silence."""
    return _built(Silence, json.loads(text))


def channel_of(text: str) -> Channel:
    """Read a channel."""
    return _built(Channel, json.loads(text))


def alert_of(text: str) -> Alert:
    """Read an alert."""
    return _built(Alert, json.loads(text))


def delivery_of(text: str) -> Delivery:
    """Read a delivery."""
    return _built(Delivery, json.loads(text))


def _built(kind: type[T], data: Json) -> T:
    if not isinstance(data, Mapping):
        raise TypeError(f"a {kind.__name__} is stored as an object, not as {type(data).__name__}")
    known: dict[str, object] = {}
    for field in fields(kind):
        if field.name in data:
            known[field.name] = _value(str(field.type), data[field.name])
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"a stored {kind.__name__} has no {field.name}")
    return kind(**known)  # type: ignore[arg-type] # each value was made for its field


def _value(declared: str, data: Json) -> object:
    """Return a value of the type that a field declares; only the shapes that these classes use are known."""
    declared = declared.removesuffix(" | None")
    if data is None:
        return None
    if declared in _WORDS and isinstance(data, str):
        return _WORDS[declared](data)
    if declared in _NUMBERS and isinstance(data, int):
        return _NUMBERS[declared](data)
    if declared == "Filters":
        return _built(Filters, data)
    if declared == "Subject":
        return _built(Subject, data)
    if isinstance(data, Sequence) and not isinstance(data, str):
        if declared == "tuple[Trigger, ...]":
            return tuple(_built(Trigger, item) for item in data)
        if declared == "tuple[BurnWindow, ...]":
            return tuple(_built(BurnWindow, item) for item in data)
        return tuple(data)
    if declared == "float" and isinstance(data, int):
        return float(data)
    return data
