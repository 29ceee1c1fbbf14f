"""Messages as files: keys are field names, lengths of time are spelled `5m`, and the values of enumerations
are lower-case words. What `to_plain` writes, `to_message` reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from seawall_policy.durations import format_duration, parse_duration

M = TypeVar("M", bound=Message)
_DURATION = "google.protobuf.Duration"
_ANYTHING = ("google.protobuf.Struct", "google.protobuf.Value")


class Mistake(ValueError):
    """A value that does not fit; the text names its place."""


def _prefix(enum: EnumDescriptor) -> str:
    first: str = enum.values_by_number[0].name
    return first.removesuffix("UNSPECIFIED")


def to_plain(message: Message) -> dict[str, Any]:
    """Return a message as a mapping; unset fields are left out."""
    found: dict[str, Any] = {}
    for field, value in message.ListFields():
        if field.is_repeated:
            found[field.name] = [_plain(field, item) for item in value]
        else:
            found[field.name] = _plain(field, value)
    return found


def _plain(field: FieldDescriptor, value: Any) -> Any:
    if field.enum_type is not None:
        named = field.enum_type.values_by_number.get(value)
        return named.name.removeprefix(_prefix(field.enum_type)).lower() if named else value
    if field.message_type is None:
        return value
    if field.message_type.full_name == _DURATION:
        return format_duration(value.seconds * 1_000_000_000 + value.nanos)
    if field.message_type.full_name.startswith("google.protobuf."):
        return json_format.MessageToDict(value)
    return to_plain(value)


def to_message(value: object, kind: type[M]) -> M:
    """Return the message of a mapping. Raise `Mistake`."""
    try:
        return json_format.ParseDict(_json(value, kind().DESCRIPTOR, ""), kind())
    except json_format.ParseError as error:
        raise Mistake(str(error)) from error


def _json(value: object, descriptor: Any, place: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Mistake(
            f"{place or 'the file'}: a mapping is expected, such as `{descriptor.fields[0].name}: ...`"
        )
    found: dict[str, Any] = {}
    for key, item in value.items():
        where = f"{place}.{key}" if place else str(key)
        field = descriptor.fields_by_name.get(str(key))
        if field is None:
            close = get_close_matches(str(key), descriptor.fields_by_name, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise Mistake(f"{where}: there is no such field{hint}")
        if field.is_repeated:
            items = item if isinstance(item, list) else [item]
            found[field.name] = [_item(field, one, f"{where}[{index}]") for index, one in enumerate(items)]
        else:
            found[field.name] = _item(field, item, where)
    return found


def _item(field: FieldDescriptor, value: object, place: str) -> Any:
    if field.enum_type is not None and isinstance(value, str):
        prefix = _prefix(field.enum_type)
        name = value.upper().removeprefix(prefix)
        if f"{prefix}{name}" not in field.enum_type.values_by_name:
            words = [known.name.removeprefix(prefix).lower() for known in field.enum_type.values[1:]]
            raise Mistake(f"{place}: {value!r} is none of {', '.join(words)}")
        return f"{prefix}{name}"
    if field.message_type is None:
        return value
    if field.message_type.full_name == _DURATION:
        return _duration(value, place)
    if field.message_type.full_name in _ANYTHING:
        return value
    if field.message_type.full_name.startswith("google.protobuf."):
        return str(value)
    return _json(value, field.message_type, place)


def _duration(value: object, place: str) -> str:
    text = str(value)
    if text.replace(".", "", 1).isdecimal():
        text += "s"
    try:
        nanos = parse_duration(text)
    except ValueError as error:
        raise Mistake(f"{place}: {text!r} {error}") from error
    return f"{nanos // 1_000_000_000}.{nanos % 1_000_000_000:09d}s"
