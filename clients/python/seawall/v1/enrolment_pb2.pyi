import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from seawall.v1 import options_pb2 as _options_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EnrolRequest(_message.Message):
    __slots__ = ("csr",)
    CSR_FIELD_NUMBER: _ClassVar[int]
    csr: str
    def __init__(self, csr: _Optional[str] = ...) -> None: ...

class EnrolResponse(_message.Message):
    __slots__ = ("certificate", "authority", "expire_time")
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    certificate: str
    authority: str
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, certificate: _Optional[str] = ..., authority: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RenewRequest(_message.Message):
    __slots__ = ("csr", "confirms")
    CSR_FIELD_NUMBER: _ClassVar[int]
    CONFIRMS_FIELD_NUMBER: _ClassVar[int]
    csr: str
    confirms: bool
    def __init__(self, csr: _Optional[str] = ..., confirms: _Optional[bool] = ...) -> None: ...

class RenewResponse(_message.Message):
    __slots__ = ("certificate", "authority", "expire_time")
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    certificate: str
    authority: str
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, certificate: _Optional[str] = ..., authority: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ConfirmCertificateRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ConfirmCertificateResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
