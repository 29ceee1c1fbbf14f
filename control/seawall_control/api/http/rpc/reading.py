"""Reads the request message of an RPC from JSON or from a query; checking.py says what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from seawall_control.api.http.rpc.checking import MAX_NESTING, cut, field_of, has_own_json, mistakes
from seawall_control.domain.errors import FieldProblem, InvalidRequest

MAX_PROBLEMS: Final = 20
_PLACE: Final = re.compile(r" at (?P<root>\w+)(?P<path>[.\[][^ ]*?)?\.*$")
"""The end of json_format's messages: where it was."""
_OUTER: Final = re.compile(r"(?:Failed to parse \S+ field: )+")
"""Their beginning: the way there, which the place says better."""


def fill(message: Message, value: dict[str, Any]) -> None:
    """Fill a message from a JSON object. Raise `InvalidRequest` with every field that is unknown or does not
    fit, and its place.
    """
    problems: list[FieldProblem] = []
    descriptor: Any = message.DESCRIPTOR
    for problem in mistakes(value, descriptor):
        problems.append(problem)
        if len(problems) == MAX_PROBLEMS:
            break
    if problems:
        raise InvalidRequest.of(problems)
    try:
        json_format.ParseDict(value, message, max_recursion_depth=MAX_NESTING)
    except (json_format.ParseError, ValueError, TypeError, RecursionError) as error:
        text = str(error)
        place = _PLACE.search(text)
        path = (place["path"] or "").lstrip(".") if place else ""
        text = _OUTER.sub("", text[: place.start()] if place else text)
        found = (FieldProblem(path, text),) if path else ()
        where = f"{path}: " if path else ""
        raise InvalidRequest(f"the request cannot be read: {where}{text}", found) from None


def from_query(descriptor: Descriptor, pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return query parameters as the JSON object of a message: `a.b=1` is a field of a field, a repeated
    parameter a list. Raise `InvalidRequest` for unknown names and for fields that have no form in a query.
    """
    found: dict[str, Any] = {}
    for name, text in pairs:
        place, within = found, descriptor
        *outer, last = name.split(".")
        for part in outer:
            field = field_of(within, part)
            inner = field.message_type if field is not None and not field.is_repeated else None
            if field is None or inner is None or has_own_json(inner):
                raise InvalidRequest(
                    f"there is no parameter {cut(name)!r} here", (FieldProblem(cut(name), "unknown"),)
                )
            place, within = place.setdefault(field.name, {}), inner
        field = field_of(within, last)
        if field is None:
            known = ", ".join(sorted(within.fields_by_name)) or "none"
            raise InvalidRequest(
                f"there is no parameter {cut(name)!r} here; known are {known}",
                (FieldProblem(cut(name), "unknown", "UNKNOWN_FIELD"),),
            )
        if field.message_type is not None and not has_own_json(field.message_type):
            raise InvalidRequest(f"{cut(name)} is a message: name its fields, or send the request with POST")
        value = _scalar(field, name, text)
        if field.is_repeated:
            place.setdefault(field.name, []).append(value)
        elif field.name in place:
            raise InvalidRequest(f"the parameter {cut(name)!r} may be given once")
        else:
            place[field.name] = value
    return found


def _scalar(field: FieldDescriptor, name: str, text: str) -> object:
    if field.type != FieldDescriptor.TYPE_BOOL:
        return text
    if text not in {"true", "false"}:
        raise InvalidRequest(f"{cut(name)} must be true or false")
    return text == "true"
