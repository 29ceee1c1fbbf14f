import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from seawall.v1 import policy_pb2 as _policy_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Severity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEVERITY_UNSPECIFIED: _ClassVar[Severity]
    SEVERITY_LOW: _ClassVar[Severity]
    SEVERITY_MEDIUM: _ClassVar[Severity]
    SEVERITY_HIGH: _ClassVar[Severity]
    SEVERITY_CRITICAL: _ClassVar[Severity]

class EventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_KIND_UNSPECIFIED: _ClassVar[EventKind]
    EVENT_KIND_CALL_FAILED: _ClassVar[EventKind]
    EVENT_KIND_CALL_RECOVERED: _ClassVar[EventKind]
    EVENT_KIND_CALL_REJECTED: _ClassVar[EventKind]
    EVENT_KIND_CALL_DEGRADED: _ClassVar[EventKind]
    EVENT_KIND_BREAKER_OPENED: _ClassVar[EventKind]
    EVENT_KIND_BREAKER_HALF_OPENED: _ClassVar[EventKind]
    EVENT_KIND_BREAKER_CLOSED: _ClassVar[EventKind]
    EVENT_KIND_POLICY_REJECTED: _ClassVar[EventKind]
    EVENT_KIND_APPLICATION: _ClassVar[EventKind]
    EVENT_KIND_SYSTEM: _ClassVar[EventKind]
    EVENT_KIND_ENDPOINT_EJECTED: _ClassVar[EventKind]
    EVENT_KIND_ENDPOINT_RETURNED: _ClassVar[EventKind]
    EVENT_KIND_ROUTE_DEGRADED: _ClassVar[EventKind]
    EVENT_KIND_ROUTE_RECOVERED: _ClassVar[EventKind]

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_OK: _ClassVar[Outcome]
    OUTCOME_RETRIED: _ClassVar[Outcome]
    OUTCOME_FALLBACK: _ClassVar[Outcome]
    OUTCOME_REJECTED: _ClassVar[Outcome]
    OUTCOME_FAILED: _ClassVar[Outcome]
    OUTCOME_CANCELLED: _ClassVar[Outcome]
    OUTCOME_HEDGED: _ClassVar[Outcome]
SEVERITY_UNSPECIFIED: Severity
SEVERITY_LOW: Severity
SEVERITY_MEDIUM: Severity
SEVERITY_HIGH: Severity
SEVERITY_CRITICAL: Severity
EVENT_KIND_UNSPECIFIED: EventKind
EVENT_KIND_CALL_FAILED: EventKind
EVENT_KIND_CALL_RECOVERED: EventKind
EVENT_KIND_CALL_REJECTED: EventKind
EVENT_KIND_CALL_DEGRADED: EventKind
EVENT_KIND_BREAKER_OPENED: EventKind
EVENT_KIND_BREAKER_HALF_OPENED: EventKind
EVENT_KIND_BREAKER_CLOSED: EventKind
EVENT_KIND_POLICY_REJECTED: EventKind
EVENT_KIND_APPLICATION: EventKind
EVENT_KIND_SYSTEM: EventKind
EVENT_KIND_ENDPOINT_EJECTED: EventKind
EVENT_KIND_ENDPOINT_RETURNED: EventKind
EVENT_KIND_ROUTE_DEGRADED: EventKind
EVENT_KIND_ROUTE_RECOVERED: EventKind
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_OK: Outcome
OUTCOME_RETRIED: Outcome
OUTCOME_FALLBACK: Outcome
OUTCOME_REJECTED: Outcome
OUTCOME_FAILED: Outcome
OUTCOME_CANCELLED: Outcome
OUTCOME_HEDGED: Outcome

class Attempt(_message.Message):
    __slots__ = ("number", "endpoint", "code", "latency", "reason")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    number: int
    endpoint: str
    code: str
    latency: _duration_pb2.Duration
    reason: str
    def __init__(self, number: _Optional[int] = ..., endpoint: _Optional[str] = ..., code: _Optional[str] = ..., latency: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class ErrorEvent(_message.Message):
    __slots__ = ("id", "timestamp", "severity", "component", "error_type", "message", "details", "job_id", "job_name", "stack_trace", "resolved", "resolved_at", "kind", "route", "method", "code", "category", "attempts", "endpoint", "latency", "outcome", "reason", "trace_id", "fingerprint", "policy_revision", "proxy", "resolution", "not_retried")
    ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    ERROR_TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    JOB_NAME_FIELD_NUMBER: _ClassVar[int]
    STACK_TRACE_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_AT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    POLICY_REVISION_FIELD_NUMBER: _ClassVar[int]
    PROXY_FIELD_NUMBER: _ClassVar[int]
    RESOLUTION_FIELD_NUMBER: _ClassVar[int]
    NOT_RETRIED_FIELD_NUMBER: _ClassVar[int]
    id: str
    timestamp: _timestamp_pb2.Timestamp
    severity: Severity
    component: str
    error_type: str
    message: str
    details: _struct_pb2.Struct
    job_id: str
    job_name: str
    stack_trace: str
    resolved: bool
    resolved_at: _timestamp_pb2.Timestamp
    kind: EventKind
    route: str
    method: str
    code: str
    category: _policy_pb2.Category
    attempts: _containers.RepeatedCompositeFieldContainer[Attempt]
    endpoint: str
    latency: _duration_pb2.Duration
    outcome: Outcome
    reason: str
    trace_id: str
    fingerprint: str
    policy_revision: int
    proxy: str
    resolution: str
    not_retried: str
    def __init__(self, id: _Optional[str] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., severity: _Optional[_Union[Severity, str]] = ..., component: _Optional[str] = ..., error_type: _Optional[str] = ..., message: _Optional[str] = ..., details: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., job_id: _Optional[str] = ..., job_name: _Optional[str] = ..., stack_trace: _Optional[str] = ..., resolved: _Optional[bool] = ..., resolved_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., kind: _Optional[_Union[EventKind, str]] = ..., route: _Optional[str] = ..., method: _Optional[str] = ..., code: _Optional[str] = ..., category: _Optional[_Union[_policy_pb2.Category, str]] = ..., attempts: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ..., endpoint: _Optional[str] = ..., latency: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., reason: _Optional[str] = ..., trace_id: _Optional[str] = ..., fingerprint: _Optional[str] = ..., policy_revision: _Optional[int] = ..., proxy: _Optional[str] = ..., resolution: _Optional[str] = ..., not_retried: _Optional[str] = ...) -> None: ...
