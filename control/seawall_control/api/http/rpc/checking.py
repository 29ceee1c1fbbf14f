"""Looks for what is wrong in the JSON of a message before it is read, so that every mistake is told at once,
with its place and what belongs there.

The rules are those of proto3 JSON (https://protobuf.dev/programming-guides/json/). Nothing is passed over: an
unknown field is a mistake, since a misspelt condition or a switch that nobody reads does something else than
what was asked.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from seawall_control.domain.errors import FieldProblem

MAX_NESTING: Final = 100
_SHOWN: Final = 64
_WHOLE: Final = re.compile(r"-?\d{1,20}")
_INTEGERS: Final[Mapping[int, tuple[int, int]]] = {
    **dict.fromkeys(
        (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SFIXED32),
        (-(2**31), 2**31 - 1),
    ),
    **dict.fromkeys(
        (FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_SINT64, FieldDescriptor.TYPE_SFIXED64),
        (-(2**63), 2**63 - 1),
    ),
    **dict.fromkeys((FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_FIXED32), (0, 2**32 - 1)),
    **dict.fromkeys((FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_FIXED64), (0, 2**64 - 1)),
}
_OWN_FORMS: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = {
    "google.protobuf.Duration": (
        lambda value: isinstance(value, str) and bool(re.fullmatch(r"-?\d+(\.\d{1,9})?s", value)),
        'must be a length of time in seconds, such as "1.5s"',
    ),
    "google.protobuf.Timestamp": (
        lambda value: (
            isinstance(value, str) and bool(re.match(r"\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$", value))
        ),
        'must be a time as in RFC 3339, such as "2026-11-01T00:00:00Z"',
    ),
    "google.protobuf.FieldMask": (
        lambda value: isinstance(value, str),
        'must be names of fields, such as "severity,resolved"',
    ),
    "google.protobuf.Struct": (lambda value: isinstance(value, dict), "must be an object"),
    "google.protobuf.ListValue": (lambda value: isinstance(value, list), "must be a list"),
}
"""Messages that are no object of their fields in JSON; of others of `google.protobuf` the reader decides."""


def cut(text: str) -> str:
    """Return what is shown of a text that somebody else has written."""
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def field_of(descriptor: Descriptor, key: str) -> FieldDescriptor | None:
    """Return a field by the name that it has in the proto or in JSON."""
    found = descriptor.fields_by_name.get(key) or descriptor.fields_by_camelcase_name.get(key)
    return found or next((field for field in descriptor.fields if field.json_name == key), None)


def has_own_json(descriptor: Descriptor) -> bool:
    """Whether a message is no object of its fields in JSON: times, durations, masks, structs, Any."""
    return descriptor.full_name.startswith("google.protobuf.") and descriptor.name != "Empty"


def mistakes(value: object, descriptor: Descriptor, path: str = "") -> Iterable[FieldProblem]:
    """Return a problem for each part of a JSON value that the message cannot take, from the top down."""
    if has_own_json(descriptor):
        fits, wanted = _OWN_FORMS.get(descriptor.full_name, (lambda _: True, ""))
        if not fits(value):
            yield _misfit(path, wanted, value)
        return
    if not isinstance(value, dict):
        yield _misfit(path, f"must be an object with fields of {descriptor.name}", value)
        return
    if path.count(".") > MAX_NESTING:
        return
    for key, item in value.items():
        place = f"{path}.{cut(key)}" if path else cut(key)
        field = field_of(descriptor, key)
        if field is None:
            known = ", ".join(sorted(descriptor.fields_by_name)) or "none"
            yield FieldProblem(place, f"{descriptor.name} has no such field; it has {known}", "UNKNOWN_FIELD")
        elif item is not None:
            yield from _field_mistakes(item, field, place)


def _field_mistakes(value: object, field: FieldDescriptor, place: str) -> Iterable[FieldProblem]:
    message: Descriptor | None = field.message_type
    if message is not None and message.GetOptions().map_entry:
        if not isinstance(value, dict):
            yield _misfit(place, "must be an object", value)
            return
        inner = message.fields_by_name["value"]
        for name, entry in value.items():
            yield from _element_mistakes(entry, inner, f"{place}[{cut(name)!r}]")
    elif field.is_repeated:
        if not isinstance(value, list):
            yield _misfit(place, "must be a list", value)
            return
        for index, entry in enumerate(value):
            yield from _element_mistakes(entry, field, f"{place}[{index}]")
    else:
        yield from _element_mistakes(value, field, place)


def _element_mistakes(value: object, field: FieldDescriptor, place: str) -> Iterable[FieldProblem]:
    if field.message_type is not None:
        yield from mistakes(value, field.message_type, place)
    elif wanted := _unlike(value, field):
        yield _misfit(place, wanted, value)


def _unlike(value: object, field: FieldDescriptor) -> str:
    """Return what a plain field takes if the value is not like that, else nothing."""
    if field.enum_type is not None:
        names = field.enum_type.values_by_name
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return "" if is_number or value in names else f"must be one of {', '.join(names)}"
    if field.type == FieldDescriptor.TYPE_BOOL:
        return "" if isinstance(value, bool) else "must be true or false"
    if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
        return "" if isinstance(value, str) else "must be a string"
    if field.type in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT):
        return "" if _is_number(value) else "must be a number"
    low, high = _INTEGERS[field.type]
    number = _whole(value)
    return (
        "" if number is not None and low <= number <= high else f"must be a whole number from {low} to {high}"
    )


def _whole(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else None


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        # "NaN" and "Infinity" have a form in proto3 JSON; no field of ours means anything by them.
        return math.isfinite(float(value))
    except (ValueError, OverflowError):
        return False


def _misfit(path: str, wanted: str, value: object) -> FieldProblem:
    given = json.dumps(value, ensure_ascii=False) if isinstance(value, str | int | float | None) else ""
    shown = cut(given) if given else "a list" if isinstance(value, list) else "an object"
    return FieldProblem(path, f"{wanted}, not {shown}", "WRONG_TYPE")
