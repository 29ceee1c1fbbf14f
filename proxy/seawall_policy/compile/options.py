"""The options of `seawall/v1/options.proto` on a field or message."""

from __future__ import annotations

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from seawall.v1 import options_pb2

# The generated stubs declare extensions as plain field descriptors, which the type of the extension mapping
# does not accept.


def unit_of(field: FieldDescriptor) -> int:
    """Return the unit of a field's number, a value of options_pb2.Unit."""
    unit: int = field.GetOptions().Extensions[options_pb2.unit]  # type: ignore[index]
    return unit


def is_scalar_ok(field: FieldDescriptor) -> bool:
    """Tell whether a list may be spelled as one bare value."""
    allowed: bool = field.GetOptions().Extensions[options_pb2.scalar_ok]  # type: ignore[index]
    return allowed


def shorthand_of(descriptor: Descriptor) -> str:
    """Return the field that a bare value stands for; empty when none may."""
    name: str = descriptor.GetOptions().Extensions[options_pb2.shorthand]  # type: ignore[index]
    return name
