"""A policy as a person writes it: the reverse of reading a policy file, driven by the same options in the contract.

Durations become `50ms` and `1m30s`, percentages `20%`, enum values lower-case words, a message of which only its shorthand field is set that
field's value, and a list of one that may be spelled bare its element. What is read back from the result is the same message.
"""

from __future__ import annotations

import base64
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import ListValue, Struct, Value

from seawall.v1 import options_pb2
from seawall_policy.durations import format_duration

def friendly(message: Message) -> Any:
    """Return plain data for a message: what is not set is left out."""
    if isinstance(message, Duration):
        return format_duration(message.ToNanoseconds())
    if isinstance(message, Struct | Value | ListValue):
        return json_format.MessageToDict(message)
    result: dict[str, Any] = {}
    for field, value in message.ListFields():
        result[field.name] = _field(field, value)
    options = message.DESCRIPTOR.GetOptions()
    if options.HasExtension(options_pb2.shorthand):
        only = options.Extensions[options_pb2.shorthand]
        if list(result) == [only]:
            return result[only]
    return result


def _field(field: FieldDescriptor, value: Any) -> Any:
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        entry = kind.fields_by_name["value"]
        return {str(key): _one(entry, value[key]) for key in sorted(value)}
    if field.is_repeated:
        items = [_one(field, item) for item in value]
        options = field.GetOptions()
        bare = options.HasExtension(options_pb2.scalar_ok) and options.Extensions[options_pb2.scalar_ok]
        return items[0] if bare and len(items) == 1 else items
    return _one(field, value)


def _one(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None:
        return friendly(value)
    if field.enum_type is not None:
        return _word(field, value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if field.GetOptions().HasExtension(options_pb2.unit):
        if field.GetOptions().Extensions[options_pb2.unit] == options_pb2.UNIT_PERCENT:
            return f"{value:g}%"
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _word(field: FieldDescriptor, value: int) -> str | int:
    known = field.enum_type.values_by_number.get(value)
    if known is None:
        return value
    zero: str = field.enum_type.values_by_number[0].name
    name: str = known.name
    return name.removeprefix(zero.removesuffix("UNSPECIFIED")).lower()
