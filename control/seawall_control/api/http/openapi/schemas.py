"""Messages as JSON Schema, in the proto3 JSON mapping (https://protobuf.dev/programming-guides/json/)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Final, TypeAlias

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

Schema: TypeAlias = dict[str, Any]

_F: Final = FieldDescriptor
_INT32: Final = {"type": "integer", "format": "int32"}
_UINT32: Final = {"type": "integer", "format": "int64", "minimum": 0}
# JavaScript's numbers are exact up to 2^53 only, so these are text.
_INT64: Final = {"type": "string", "format": "int64"}
_UINT64: Final = {"type": "string", "format": "uint64"}
_SCALARS: Final[Mapping[int, Schema]] = {
    _F.TYPE_BOOL: {"type": "boolean"},
    _F.TYPE_STRING: {"type": "string"},
    _F.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    _F.TYPE_FLOAT: {"type": "number", "format": "float"},
    _F.TYPE_DOUBLE: {"type": "number", "format": "double"},
    _F.TYPE_INT32: _INT32,
    _F.TYPE_SINT32: _INT32,
    _F.TYPE_SFIXED32: _INT32,
    _F.TYPE_UINT32: _UINT32,
    _F.TYPE_FIXED32: _UINT32,
    _F.TYPE_INT64: _INT64,
    _F.TYPE_SINT64: _INT64,
    _F.TYPE_SFIXED64: _INT64,
    _F.TYPE_UINT64: _UINT64,
    _F.TYPE_FIXED64: _UINT64,
}
_WELL_KNOWN: Final[Mapping[str, Schema]] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?\d+(\.\d{1,9})?s$", "examples": ["1.5s"]},
    "google.protobuf.FieldMask": {"type": "string", "examples": ["resolved,resolution"]},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Value": {},
    "google.protobuf.ListValue": {"type": "array", "items": {}},
    "google.protobuf.Empty": {"type": "object"},
    "google.protobuf.Any": {"type": "object", "properties": {"@type": {"type": "string"}}},
}


@cache
def comments() -> Mapping[str, str]:
    """Return what the .proto files say, by full name."""
    text = (resources.files("seawall.v1") / "comments.json").read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text)
    return found


def said(full_name: str) -> Schema:
    """Return the description of something; nothing where nothing is said."""
    text = comments().get(full_name)
    return {"description": text} if text else {}


class Schemas:
    """Collects the schemas that are referred to, by the full names of their messages."""

    def __init__(self) -> None:
        self.found: dict[str, Schema] = {}

    def of(self, message: Descriptor) -> Schema:
        """Return the schema of a message, or a reference to it."""
        known = _WELL_KNOWN.get(message.full_name)
        if known is not None:
            return dict(known)
        if message.full_name not in self.found:
            # First the place, then what is in it: messages may contain themselves.
            schema: Schema = {"type": "object", **said(message.full_name)}
            self.found[message.full_name] = schema
            schema["properties"] = {field.name: self.of_field(field) for field in message.fields}
        return {"$ref": f"#/components/schemas/{message.full_name}"}

    def of_field(self, field: FieldDescriptor) -> Schema:
        """Return the schema of a field, with what is said about it."""
        about = said(field.full_name)
        message: Descriptor | None = field.message_type
        if message is not None and message.GetOptions().map_entry:
            value = self._one(message.fields_by_name["value"])
            return {"type": "object", "additionalProperties": value, **about}
        if field.is_repeated:
            return {"type": "array", "items": self._one(field), **about}
        return {**self._one(field), **about}

    def _one(self, field: FieldDescriptor) -> Schema:
        message: Descriptor | None = field.message_type
        if message is not None:
            return self.of(message)
        kind: EnumDescriptor | None = field.enum_type
        return dict(_SCALARS[field.type]) if kind is None else self._enum(kind)

    def _enum(self, kind: EnumDescriptor) -> Schema:
        if kind.full_name not in self.found:
            values = [value.name for value in kind.values]
            lines = [
                f"`{v.name}`: {comments()[f'{kind.full_name}.{v.name}']}"
                for v in kind.values
                if f"{kind.full_name}.{v.name}" in comments()
            ]
            text = "\n\n".join([*filter(None, [comments().get(kind.full_name, "")]), *lines])
            self.found[kind.full_name] = {"type": "string", "enum": values, "description": text}
        return {"$ref": f"#/components/schemas/{kind.full_name}"}


def is_plain(field: FieldDescriptor) -> bool:
    """Whether a field has a form in a query."""
    message: Descriptor | None = field.message_type
    return message is None or message.full_name in (
        "google.protobuf.Timestamp",
        "google.protobuf.Duration",
        "google.protobuf.FieldMask",
    )
