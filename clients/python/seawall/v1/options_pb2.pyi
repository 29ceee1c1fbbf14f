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

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLE_UNSPECIFIED: _ClassVar[Role]
    ROLE_VIEWER: _ClassVar[Role]
    ROLE_OPERATOR: _ClassVar[Role]
    ROLE_ADMIN: _ClassVar[Role]
    ROLE_PROXY: _ClassVar[Role]
    ROLE_REPORTER: _ClassVar[Role]
    ROLE_ENROLLEE: _ClassVar[Role]
    ROLE_EDITOR: _ClassVar[Role]
UNIT_UNSPECIFIED: Unit
UNIT_PERCENT: Unit
UNIT_STATUS_CODE: Unit
UNIT_SIZE: Unit
ROLE_UNSPECIFIED: Role
ROLE_VIEWER: Role
ROLE_OPERATOR: Role
ROLE_ADMIN: Role
ROLE_PROXY: Role
ROLE_REPORTER: Role
ROLE_ENROLLEE: Role
ROLE_EDITOR: Role
UNIT_FIELD_NUMBER: _ClassVar[int]
unit: _descriptor.FieldDescriptor
SCALAR_OK_FIELD_NUMBER: _ClassVar[int]
scalar_ok: _descriptor.FieldDescriptor
SHORTHAND_FIELD_NUMBER: _ClassVar[int]
shorthand: _descriptor.FieldDescriptor
ROLE_FIELD_NUMBER: _ClassVar[int]
role: _descriptor.FieldDescriptor
