import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BreakerState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BREAKER_STATE_UNSPECIFIED: _ClassVar[BreakerState]
    BREAKER_STATE_CLOSED: _ClassVar[BreakerState]
    BREAKER_STATE_OPEN: _ClassVar[BreakerState]
    BREAKER_STATE_HALF_OPEN: _ClassVar[BreakerState]
    BREAKER_STATE_DISABLED: _ClassVar[BreakerState]
    BREAKER_STATE_FORCED_OPEN: _ClassVar[BreakerState]
    BREAKER_STATE_METRICS_ONLY: _ClassVar[BreakerState]
    BREAKER_STATE_RAMP: _ClassVar[BreakerState]
BREAKER_STATE_UNSPECIFIED: BreakerState
BREAKER_STATE_CLOSED: BreakerState
BREAKER_STATE_OPEN: BreakerState
BREAKER_STATE_HALF_OPEN: BreakerState
BREAKER_STATE_DISABLED: BreakerState
BREAKER_STATE_FORCED_OPEN: BreakerState
BREAKER_STATE_METRICS_ONLY: BreakerState
BREAKER_STATE_RAMP: BreakerState

class BreakerStatus(_message.Message):
    __slots__ = ("name", "route", "state", "since", "trigger", "window_calls", "window_failures", "window_slow", "rejected", "opened", "retry_after", "proxy")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    WINDOW_CALLS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FAILURES_FIELD_NUMBER: _ClassVar[int]
    WINDOW_SLOW_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    OPENED_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    PROXY_FIELD_NUMBER: _ClassVar[int]
    name: str
    route: str
    state: BreakerState
    since: _timestamp_pb2.Timestamp
    trigger: str
    window_calls: int
    window_failures: int
    window_slow: int
    rejected: int
    opened: int
    retry_after: _duration_pb2.Duration
    proxy: str
    def __init__(self, name: _Optional[str] = ..., route: _Optional[str] = ..., state: _Optional[_Union[BreakerState, str]] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., trigger: _Optional[str] = ..., window_calls: _Optional[int] = ..., window_failures: _Optional[int] = ..., window_slow: _Optional[int] = ..., rejected: _Optional[int] = ..., opened: _Optional[int] = ..., retry_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., proxy: _Optional[str] = ...) -> None: ...

class RouteCounters(_message.Message):
    __slots__ = ("route", "by_code", "retries", "budget_exhausted", "rejected", "fallbacks", "cancelled", "latency_buckets", "latency_sum_seconds", "in_flight", "recovered")
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    BY_CODE_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    BUDGET_EXHAUSTED_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    FALLBACKS_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    LATENCY_BUCKETS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_SUM_SECONDS_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    RECOVERED_FIELD_NUMBER: _ClassVar[int]
    route: str
    by_code: _containers.RepeatedScalarFieldContainer[int]
    retries: int
    budget_exhausted: int
    rejected: int
    fallbacks: int
    cancelled: int
    latency_buckets: _containers.RepeatedScalarFieldContainer[int]
    latency_sum_seconds: float
    in_flight: int
    recovered: int
    def __init__(self, route: _Optional[str] = ..., by_code: _Optional[_Iterable[int]] = ..., retries: _Optional[int] = ..., budget_exhausted: _Optional[int] = ..., rejected: _Optional[int] = ..., fallbacks: _Optional[int] = ..., cancelled: _Optional[int] = ..., latency_buckets: _Optional[_Iterable[int]] = ..., latency_sum_seconds: _Optional[float] = ..., in_flight: _Optional[int] = ..., recovered: _Optional[int] = ...) -> None: ...

class MethodCounters(_message.Message):
    __slots__ = ("route", "method", "by_code", "latency_buckets", "latency_sum_seconds")
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    BY_CODE_FIELD_NUMBER: _ClassVar[int]
    LATENCY_BUCKETS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_SUM_SECONDS_FIELD_NUMBER: _ClassVar[int]
    route: str
    method: str
    by_code: _containers.RepeatedScalarFieldContainer[int]
    latency_buckets: _containers.RepeatedScalarFieldContainer[int]
    latency_sum_seconds: float
    def __init__(self, route: _Optional[str] = ..., method: _Optional[str] = ..., by_code: _Optional[_Iterable[int]] = ..., latency_buckets: _Optional[_Iterable[int]] = ..., latency_sum_seconds: _Optional[float] = ...) -> None: ...

class RouteStats(_message.Message):
    __slots__ = ("route", "calls_per_second", "success_ratio", "p50_seconds", "p95_seconds", "p99_seconds", "retries_per_second", "fallbacks_per_second", "rejected_per_second", "breaker", "total", "window")
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    CALLS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_RATIO_FIELD_NUMBER: _ClassVar[int]
    P50_SECONDS_FIELD_NUMBER: _ClassVar[int]
    P95_SECONDS_FIELD_NUMBER: _ClassVar[int]
    P99_SECONDS_FIELD_NUMBER: _ClassVar[int]
    RETRIES_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    FALLBACKS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    REJECTED_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    route: str
    calls_per_second: float
    success_ratio: float
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float
    retries_per_second: float
    fallbacks_per_second: float
    rejected_per_second: float
    breaker: BreakerState
    total: RouteCounters
    window: _duration_pb2.Duration
    def __init__(self, route: _Optional[str] = ..., calls_per_second: _Optional[float] = ..., success_ratio: _Optional[float] = ..., p50_seconds: _Optional[float] = ..., p95_seconds: _Optional[float] = ..., p99_seconds: _Optional[float] = ..., retries_per_second: _Optional[float] = ..., fallbacks_per_second: _Optional[float] = ..., rejected_per_second: _Optional[float] = ..., breaker: _Optional[_Union[BreakerState, str]] = ..., total: _Optional[_Union[RouteCounters, _Mapping]] = ..., window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
