from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class Unit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNIT_UNSPECIFIED: _ClassVar[Unit]
    UNIT_PERCENT: _ClassVar[Unit]
    UNIT_STATUS_CODE: _ClassVar[Unit]
    UNIT_SIZE: _ClassVar[Unit]
UNIT_UNSPECIFIED: Unit
UNIT_PERCENT: Unit
UNIT_STATUS_CODE: Unit
UNIT_SIZE: Unit
UNIT_FIELD_NUMBER: _ClassVar[int]
unit: _descriptor.FieldDescriptor
SCALAR_OK_FIELD_NUMBER: _ClassVar[int]
scalar_ok: _descriptor.FieldDescriptor
SHORTHAND_FIELD_NUMBER: _ClassVar[int]
shorthand: _descriptor.FieldDescriptor
