"""Reads the request message of an RPC from JSON or from a query.

Nothing is passed over: an unknown field is refused with its path and the names that there are, since a
misspelt condition or a switch that nobody reads does something else than what was asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from seawall_control.domain.errors import FieldProblem, InvalidRequest

MAX_NESTING: Final = 100
MAX_PROBLEMS: Final = 20
_SHOWN: Final = 64
_PLACE: Final = re.compile(r" at (?P<root>\w+)(?P<path>[.\[][^ ]*?)?\.+$")
"""The end of json_format's messages: where it was."""


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _field(descriptor: Descriptor, key: str) -> FieldDescriptor | None:
    found = descriptor.fields_by_name.get(key) or descriptor.fields_by_camelcase_name.get(key)
    return found or next((field for field in descriptor.fields if field.json_name == key), None)


def _has_own_json(descriptor: Descriptor) -> bool:
    """Whether a message is no object of its fields in JSON: times, durations, masks, structs, Any."""
    return descriptor.full_name.startswith("google.protobuf.") and descriptor.name != "Empty"


def _is_map(field: FieldDescriptor) -> bool:
    message: Descriptor | None = field.message_type
    return message is not None and bool(message.GetOptions().map_entry)


def unknown_fields(value: object, descriptor: Descriptor, path: str = "") -> Iterable[FieldProblem]:
    """Return a problem for each field of a JSON object that the message does not have."""
    if not isinstance(value, dict) or _has_own_json(descriptor) or path.count(".") > MAX_NESTING:
        return
    for key, item in value.items():
        place = f"{path}.{_cut(key)}" if path else _cut(key)
        field = _field(descriptor, key)
        if field is None:
            known = ", ".join(sorted(descriptor.fields_by_name)) or "none"
            yield FieldProblem(place, f"{descriptor.name} has no such field; it has {known}", "UNKNOWN_FIELD")
        elif field.message_type is None:
            continue
        elif _is_map(field):
            inner = field.message_type.fields_by_name["value"].message_type
            if inner is not None and isinstance(item, dict):
                for name, entry in item.items():
                    yield from unknown_fields(entry, inner, f"{place}[{_cut(name)!r}]")
        elif isinstance(item, list):
            for index, entry in enumerate(item):
                yield from unknown_fields(entry, field.message_type, f"{place}[{index}]")
        else:
            yield from unknown_fields(item, field.message_type, place)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        again = next(name for name in names if names.count(name) > 1)
        raise InvalidRequest(f"the body has the field {_cut(again)!r} twice in one object")
    return found


def _no_number(word: str) -> float:
    raise InvalidRequest(f"the body is not JSON: {word} is written as a string")


def parse_json(raw: bytes) -> dict[str, Any]:
    """Return the JSON object of a body; an empty body is an empty object. Raise `InvalidRequest`."""
    try:
        found = json.loads(raw or b"{}", object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the body is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise InvalidRequest("the body must be a JSON object")
    return found


def fill(message: Message, value: dict[str, Any]) -> None:
    """Fill a message from a JSON object. Raise `InvalidRequest` that names every unknown field, or the place
    of a value that does not fit.
    """
    problems: list[FieldProblem] = []
    descriptor: Any = message.DESCRIPTOR
    for problem in unknown_fields(value, descriptor):
        problems.append(problem)
        if len(problems) == MAX_PROBLEMS:
            break
    if problems:
        first = problems[0]
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise InvalidRequest(f"{first.field}: {first.message}{more}", tuple(problems))
    try:
        json_format.ParseDict(value, message, max_recursion_depth=MAX_NESTING)
    except (json_format.ParseError, ValueError, TypeError, RecursionError) as error:
        text = str(error)
        place = _PLACE.search(text)
        path = (place["path"] or "").lstrip(".") if place else ""
        found = (FieldProblem(path, text[: place.start()]),) if place and path else ()
        raise InvalidRequest(f"the request cannot be read: {text}", found) from None


def from_query(descriptor: Descriptor, pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return query parameters as the JSON object of a message: `a.b=1` is a field of a field, a repeated
    parameter a list. Raise `InvalidRequest` for unknown names and for fields that have no form in a query.
    """
    found: dict[str, Any] = {}
    for name, text in pairs:
        place, within = found, descriptor
        *outer, last = name.split(".")
        for part in outer:
            field = _field(within, part)
            inner = field.message_type if field is not None and not field.is_repeated else None
            if field is None or inner is None or _has_own_json(inner):
                raise InvalidRequest(
                    f"there is no parameter {_cut(name)!r} here", (FieldProblem(_cut(name), "unknown"),)
                )
            place, within = place.setdefault(field.name, {}), inner
        field = _field(within, last)
        if field is None:
            known = ", ".join(sorted(within.fields_by_name)) or "none"
            raise InvalidRequest(
                f"there is no parameter {_cut(name)!r} here; known are {known}",
                (FieldProblem(_cut(name), "unknown", "UNKNOWN_FIELD"),),
            )
        if field.message_type is not None and not _has_own_json(field.message_type):
            raise InvalidRequest(f"{_cut(name)} is a message: name its fields, or send the request with POST")
        value = _scalar(field, name, text)
        if field.is_repeated:
            place.setdefault(field.name, []).append(value)
        elif field.name in place:
            raise InvalidRequest(f"the parameter {_cut(name)!r} may be given once")
        else:
            place[field.name] = value
    return found


def _scalar(field: FieldDescriptor, name: str, text: str) -> object:
    if field.type != FieldDescriptor.TYPE_BOOL:
        return text
    if text not in {"true", "false"}:
        raise InvalidRequest(f"{_cut(name)} must be true or false")
    return text == "true"
