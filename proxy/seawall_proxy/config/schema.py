"""What the reader needs to know about a message: its keys, and how friendly they may be spelled.

All of it comes from the descriptors and the options in `seawall/v1/options.proto`, so a new setting in the
.proto file is understood here without a new line.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from seawall_policy.compile.options import shorthand_of

VALUE: Final = "google.protobuf.Value"

LATER: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "ControlTls": {"crl_file": "a control plane refuses what it has revoked by itself"},
    }
)
"""Settings that have a fixed name and no meaning yet, with what to do meanwhile."""


class MessageSpec:
    """The keys of one message type."""

    def __init__(self, descriptor: Descriptor) -> None:
        self.descriptor: Descriptor = descriptor
        self.name: str = descriptor.name
        self.fields: dict[str, FieldDescriptor] = {}
        """By every spelling: `max_in_flight` and, as in the JSON mapping, `maxInFlight`."""
        for field in descriptor.fields:
            self.fields[field.name] = field
            self.fields[field.json_name] = field
        self.keys: tuple[str, ...] = tuple(field.name for field in descriptor.fields)
        self.shorthand: str = shorthand_of(descriptor)
        """The field that a bare value stands for; empty when none may."""
        self.later: Mapping[str, str] = LATER.get(descriptor.name, {})


@lru_cache(maxsize=128)
def spec_of(descriptor: Descriptor) -> MessageSpec:
    """Return the keys of a message type."""
    return MessageSpec(descriptor)


def is_map(field: FieldDescriptor) -> bool:
    """Tell whether a field is a map."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def value_field(field: FieldDescriptor) -> FieldDescriptor:
    """Return the field that holds the values of a map."""
    assert field.message_type is not None
    return field.message_type.fields_by_name["value"]


def place_of_key(key: str, spec: MessageSpec) -> str:
    """Return the child of a message that has `key`: a setting that stands one level too high gets a hint."""
    for field in spec.descriptor.fields:
        kind = field.message_type
        if kind is None or is_map(field) or field.is_repeated or not kind.full_name.startswith("seawall."):
            continue
        if key in spec_of(kind).keys:
            return field.name
    return ""
