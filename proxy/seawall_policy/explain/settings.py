"""What is said in a message, field by field, and who says it."""

from __future__ import annotations

from math import isinf
from typing import TYPE_CHECKING, Final, cast

from seawall_policy import status
from seawall_policy.compile.friendly import field_to_plain
from seawall_policy.durations import NANOS_PER_SECOND, format_duration
from seawall_policy.explain.explanation import Setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from google.protobuf.descriptor import FieldDescriptor
    from google.protobuf.message import Message

    from seawall_policy.compile.friendly import Plain

_ATOMIC: Final = frozenset({"google.protobuf.Duration", "google.protobuf.Value"})


def said(
    merged: Message, line: Sequence[tuple[str, Message]], descriptor: FieldDescriptor, prefix: str = ""
) -> list[Setting]:
    """Return what is set below one field of `merged`, each with the nearest message of `line` that sets it:
    names with messages, the nearest first.
    """
    if not _is_set(merged, descriptor):
        return []
    name = prefix + descriptor.name
    sources = [(who, message) for who, message in line if _is_set(message, descriptor)]
    inner = descriptor.message_type
    if descriptor.is_repeated or inner is None or inner.full_name in _ATOMIC:
        value = getattr(merged, descriptor.name)
        return [Setting(name, field_to_plain(descriptor, value), sources[0][0])]
    value = getattr(merged, descriptor.name)
    parts = [(who, getattr(message, descriptor.name)) for who, message in sources]
    found: list[Setting] = []
    for one in inner.fields:
        found.extend(said(value, parts, one, name + "."))
    return found or [Setting(name, {}, sources[0][0])]


def filled(told: list[Setting], defaults: Iterable[Setting], name: str) -> tuple[Setting, ...]:
    """Return what is said of a mechanism and, behind it, the numbers that nobody says. An empty message,
    which only says that the mechanism is on, gives way to them.
    """
    names = {setting.name for setting in told}
    whole = [*told, *(one for one in defaults if one.name not in names)]
    return tuple(one for one in whole if one.name != name or one.value != {} or len(whole) == 1)


def _is_set(message: Message, descriptor: FieldDescriptor) -> bool:
    if descriptor.is_repeated:
        return len(getattr(message, descriptor.name)) > 0
    if descriptor.has_presence:
        return message.HasField(descriptor.name)
    return bool(getattr(message, descriptor.name) != descriptor.default_value)


# how numbers are written


def codes(mask: int) -> Plain:
    """Return the names of a set of status codes."""
    return [status.NAMES[code] for code in range(status.MAX_CODE + 1) if mask >> code & 1]


def enum_name(field: object, value: int) -> str:
    """Return a value of an enumeration, that of `field`'s descriptor, as a policy says it."""
    return str(field_to_plain(cast("FieldDescriptor", field), value))


def time(seconds: float) -> str:
    """Return a time as a policy says it; `none` for infinity."""
    return "none" if isinf(seconds) else format_duration(round(seconds * NANOS_PER_SECOND))


def percent(number: float) -> str:
    """Return a percentage as a policy says it."""
    return f"{number:g}%"
