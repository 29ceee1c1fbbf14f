import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from seawall.v1 import admin_events_pb2 as _admin_events_pb2
from seawall.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventArchive(_message.Message):
    __slots__ = ("name", "events", "first_time", "last_time", "size_bytes", "text_bytes", "sha256", "create_time", "actor", "reason", "removed", "path")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    FIRST_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_TIME_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    TEXT_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    name: str
    events: int
    first_time: _timestamp_pb2.Timestamp
    last_time: _timestamp_pb2.Timestamp
    size_bytes: int
    text_bytes: int
    sha256: str
    create_time: _timestamp_pb2.Timestamp
    actor: str
    reason: str
    removed: bool
    path: str
    def __init__(self, name: _Optional[str] = ..., events: _Optional[int] = ..., first_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., size_bytes: _Optional[int] = ..., text_bytes: _Optional[int] = ..., sha256: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., removed: _Optional[bool] = ..., path: _Optional[str] = ...) -> None: ...

class ArchiveEventsRequest(_message.Message):
    __slots__ = ("older_than", "validate_only", "actor", "reason", "request_id")
    OLDER_THAN_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    older_than: _duration_pb2.Duration
    validate_only: bool
    actor: str
    reason: str
    request_id: str
    def __init__(self, older_than: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., validate_only: _Optional[bool] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ArchiveEventsResponse(_message.Message):
    __slots__ = ("events", "store_bytes", "archives")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    STORE_BYTES_FIELD_NUMBER: _ClassVar[int]
    ARCHIVES_FIELD_NUMBER: _ClassVar[int]
    events: int
    store_bytes: int
    archives: _containers.RepeatedCompositeFieldContainer[EventArchive]
    def __init__(self, events: _Optional[int] = ..., store_bytes: _Optional[int] = ..., archives: _Optional[_Iterable[_Union[EventArchive, _Mapping]]] = ...) -> None: ...

class ListArchivesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListArchivesResponse(_message.Message):
    __slots__ = ("archives", "next_page_token", "total", "total_bytes")
    ARCHIVES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    archives: _containers.RepeatedCompositeFieldContainer[EventArchive]
    next_page_token: str
    total: int
    total_bytes: int
    def __init__(self, archives: _Optional[_Iterable[_Union[EventArchive, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total: _Optional[int] = ..., total_bytes: _Optional[int] = ...) -> None: ...

class GetArchiveRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetArchiveResponse(_message.Message):
    __slots__ = ("archive",)
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    archive: EventArchive
    def __init__(self, archive: _Optional[_Union[EventArchive, _Mapping]] = ...) -> None: ...

class ReadArchiveRequest(_message.Message):
    __slots__ = ("name", "filter", "format")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    name: str
    filter: str
    format: _admin_events_pb2.ExportFormat
    def __init__(self, name: _Optional[str] = ..., filter: _Optional[str] = ..., format: _Optional[_Union[_admin_events_pb2.ExportFormat, str]] = ...) -> None: ...

class ReadArchiveResponse(_message.Message):
    __slots__ = ("chunk", "events")
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    events: int
    def __init__(self, chunk: _Optional[bytes] = ..., events: _Optional[int] = ...) -> None: ...

class VerifyArchiveRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class VerifyArchiveResponse(_message.Message):
    __slots__ = ("archive", "fault")
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    archive: EventArchive
    fault: str
    def __init__(self, archive: _Optional[_Union[EventArchive, _Mapping]] = ..., fault: _Optional[str] = ...) -> None: ...

class RestoreArchiveRequest(_message.Message):
    __slots__ = ("name", "filter", "request_id", "validate_only")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    name: str
    filter: str
    request_id: str
    validate_only: bool
    def __init__(self, name: _Optional[str] = ..., filter: _Optional[str] = ..., request_id: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class RestoreArchiveResponse(_message.Message):
    __slots__ = ("archive", "matched", "restored")
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    MATCHED_FIELD_NUMBER: _ClassVar[int]
    RESTORED_FIELD_NUMBER: _ClassVar[int]
    archive: EventArchive
    matched: int
    restored: int
    def __init__(self, archive: _Optional[_Union[EventArchive, _Mapping]] = ..., matched: _Optional[int] = ..., restored: _Optional[int] = ...) -> None: ...

class DeleteArchiveRequest(_message.Message):
    __slots__ = ("name", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    request_id: str
    def __init__(self, name: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteArchiveResponse(_message.Message):
    __slots__ = ("archive",)
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    archive: EventArchive
    def __init__(self, archive: _Optional[_Union[EventArchive, _Mapping]] = ...) -> None: ...
