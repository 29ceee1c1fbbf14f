import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from seawall.v1 import options_pb2 as _options_pb2
from seawall.v1 import policy_pb2 as _policy_pb2
from seawall.v1 import stats_pb2 as _stats_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OperationState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OPERATION_STATE_UNSPECIFIED: _ClassVar[OperationState]
    OPERATION_STATE_ACTIVE: _ClassVar[OperationState]
    OPERATION_STATE_ENDED: _ClassVar[OperationState]
    OPERATION_STATE_CANCELLED: _ClassVar[OperationState]
OPERATION_STATE_UNSPECIFIED: OperationState
OPERATION_STATE_ACTIVE: OperationState
OPERATION_STATE_ENDED: OperationState
OPERATION_STATE_CANCELLED: OperationState

class OperationAction(_message.Message):
    __slots__ = ("hold_breaker", "reset_breaker", "fault", "drain")
    HOLD_BREAKER_FIELD_NUMBER: _ClassVar[int]
    RESET_BREAKER_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    hold_breaker: HoldBreakerAction
    reset_breaker: ResetBreakerAction
    fault: FaultAction
    drain: DrainAction
    def __init__(self, hold_breaker: _Optional[_Union[HoldBreakerAction, _Mapping]] = ..., reset_breaker: _Optional[_Union[ResetBreakerAction, _Mapping]] = ..., fault: _Optional[_Union[FaultAction, _Mapping]] = ..., drain: _Optional[_Union[DrainAction, _Mapping]] = ...) -> None: ...

class HoldBreakerAction(_message.Message):
    __slots__ = ("breaker", "state")
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    breaker: str
    state: _stats_pb2.BreakerState
    def __init__(self, breaker: _Optional[str] = ..., state: _Optional[_Union[_stats_pb2.BreakerState, str]] = ...) -> None: ...

class ResetBreakerAction(_message.Message):
    __slots__ = ("breaker",)
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    breaker: str
    def __init__(self, breaker: _Optional[str] = ...) -> None: ...

class FaultAction(_message.Message):
    __slots__ = ("route", "fault")
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    route: str
    fault: _policy_pb2.Fault
    def __init__(self, route: _Optional[str] = ..., fault: _Optional[_Union[_policy_pb2.Fault, _Mapping]] = ...) -> None: ...

class DrainAction(_message.Message):
    __slots__ = ("cluster", "address")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    address: str
    def __init__(self, cluster: _Optional[str] = ..., address: _Optional[str] = ...) -> None: ...

class OperationAck(_message.Message):
    __slots__ = ("proxy", "ok", "message", "time", "undone")
    PROXY_FIELD_NUMBER: _ClassVar[int]
    OK_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    UNDONE_FIELD_NUMBER: _ClassVar[int]
    proxy: str
    ok: bool
    message: str
    time: _timestamp_pb2.Timestamp
    undone: bool
    def __init__(self, proxy: _Optional[str] = ..., ok: _Optional[bool] = ..., message: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., undone: _Optional[bool] = ...) -> None: ...

class FleetOperation(_message.Message):
    __slots__ = ("id", "action", "title", "proxy", "selector", "actor", "reason", "state", "create_time", "end_time", "acks", "done", "failed", "pending", "cancelled_by")
    ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    PROXY_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    ACKS_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_BY_FIELD_NUMBER: _ClassVar[int]
    id: str
    action: OperationAction
    title: str
    proxy: str
    selector: str
    actor: str
    reason: str
    state: OperationState
    create_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    acks: _containers.RepeatedCompositeFieldContainer[OperationAck]
    done: int
    failed: int
    pending: int
    cancelled_by: str
    def __init__(self, id: _Optional[str] = ..., action: _Optional[_Union[OperationAction, _Mapping]] = ..., title: _Optional[str] = ..., proxy: _Optional[str] = ..., selector: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., state: _Optional[_Union[OperationState, str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., acks: _Optional[_Iterable[_Union[OperationAck, _Mapping]]] = ..., done: _Optional[int] = ..., failed: _Optional[int] = ..., pending: _Optional[int] = ..., cancelled_by: _Optional[str] = ...) -> None: ...

class StartOperationRequest(_message.Message):
    __slots__ = ("action", "proxy", "selector", "duration", "actor", "reason", "validate_only", "request_id")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    PROXY_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    action: OperationAction
    proxy: str
    selector: str
    duration: _duration_pb2.Duration
    actor: str
    reason: str
    validate_only: bool
    request_id: str
    def __init__(self, action: _Optional[_Union[OperationAction, _Mapping]] = ..., proxy: _Optional[str] = ..., selector: _Optional[str] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., validate_only: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class StartOperationResponse(_message.Message):
    __slots__ = ("operation",)
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    operation: FleetOperation
    def __init__(self, operation: _Optional[_Union[FleetOperation, _Mapping]] = ...) -> None: ...

class CancelOperationRequest(_message.Message):
    __slots__ = ("id", "actor", "reason", "request_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    actor: str
    reason: str
    request_id: str
    def __init__(self, id: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class CancelOperationResponse(_message.Message):
    __slots__ = ("operation",)
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    operation: FleetOperation
    def __init__(self, operation: _Optional[_Union[FleetOperation, _Mapping]] = ...) -> None: ...

class GetOperationRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetOperationResponse(_message.Message):
    __slots__ = ("operation",)
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    operation: FleetOperation
    def __init__(self, operation: _Optional[_Union[FleetOperation, _Mapping]] = ...) -> None: ...

class ListOperationsRequest(_message.Message):
    __slots__ = ("active_only", "page_size", "page_token")
    ACTIVE_ONLY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    active_only: bool
    page_size: int
    page_token: str
    def __init__(self, active_only: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListOperationsResponse(_message.Message):
    __slots__ = ("operations", "next_page_token")
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    operations: _containers.RepeatedCompositeFieldContainer[FleetOperation]
    next_page_token: str
    def __init__(self, operations: _Optional[_Iterable[_Union[FleetOperation, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
