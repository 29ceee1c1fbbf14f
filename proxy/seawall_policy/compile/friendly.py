"""A message as plain values in the words of a policy file: `50ms`, `50%`, `least_request`.

This is the inverse of what a policy file's reader does, without the file: the readers, the comparison of
revisions and everything that shows a policy use it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Final, cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Value

from seawall.v1 import options_pb2
from seawall_policy.compile.options import shorthand_of, unit_of
from seawall_policy.durations import NANOS_PER_SECOND, format_duration
from seawall_policy.sizes import format_size

Plain = dict[str, "Plain"] | list["Plain"] | str | int | float | bool | None
"""What YAML, TOML and JSON have in common."""

_LARGEST_WHOLE: Final = 2**53


def to_plain(message: Message) -> Plain:
    """Return a message as plain values; only what is set appears."""
    if isinstance(message, Duration):
        return _duration(message)
    if isinstance(message, Value):
        return _value(message)
    shorthand = shorthand_of(cast("Descriptor", message.DESCRIPTOR))
    fields = message.ListFields()
    if shorthand and [field.name for field, _ in fields] == [shorthand]:
        return field_to_plain(*fields[0])
    return {field.name: field_to_plain(field, value) for field, value in fields}


def field_to_plain(field: FieldDescriptor, value: object) -> Plain:
    """Return the value of a field as plain values."""
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        entries = cast("Mapping[str, object]", value)
        return {
            key: _single(field.message_type.fields_by_name["value"], item)
            for key, item in sorted(entries.items())
        }
    if field.is_repeated:
        return [_single(field, item) for item in cast("Iterable[object]", value)]
    return _single(field, value)


def _single(field: FieldDescriptor, value: object) -> Plain:
    if isinstance(value, Message):
        return to_plain(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if field.enum_type is not None and isinstance(value, int):
        return enum_word(field.enum_type, value)
    if isinstance(value, float):
        number = _number(value)
        return f"{number}%" if unit_of(field) == options_pb2.UNIT_PERCENT else number
    assert isinstance(value, str | int | bool)
    if isinstance(value, int) and unit_of(field) == options_pb2.UNIT_SIZE:
        return format_size(value)
    return value


def enum_word(enum: EnumDescriptor, number: int) -> str | int:
    """Return a choice as a file spells it; the bare number for a choice that this version does not know."""
    value = enum.values_by_number.get(number)
    if value is None:
        return number
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return value.name.removeprefix(prefix).lower()


def _duration(value: Duration) -> str:
    nanos = value.seconds * NANOS_PER_SECOND + value.nanos
    return format_duration(nanos) if nanos >= 0 else "-" + format_duration(-nanos)


def _value(value: Value) -> Plain:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return {key: _value(item) for key, item in sorted(value.struct_value.fields.items())}
    if kind == "list_value":
        return [_value(item) for item in value.list_value.values]
    if kind == "number_value":
        return _number(value.number_value)
    if kind == "string_value":
        return value.string_value
    return value.bool_value if kind == "bool_value" else None


def _number(value: float) -> int | float:
    """Return a whole number without its `.0`, as people write it."""
    whole = value.is_integer() and abs(value) <= _LARGEST_WHOLE and str(value) != "-0.0"
    return int(value) if whole else value
