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
    __slots__ = ("name", "route", "state", "since", "trigger", "window_calls", "window_failures", "window_slow", "rejected", "opened", "retry_after", "proxy", "failure_rate", "slow_rate", "consecutive", "in_flight", "probes_in_flight", "probes_passed", "probes_not_passed", "next_probe", "ramp_share", "would_reject", "hold", "policy", "policy_revision", "mode", "history")
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
    FAILURE_RATE_FIELD_NUMBER: _ClassVar[int]
    SLOW_RATE_FIELD_NUMBER: _ClassVar[int]
    CONSECUTIVE_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    PROBES_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    PROBES_PASSED_FIELD_NUMBER: _ClassVar[int]
    PROBES_NOT_PASSED_FIELD_NUMBER: _ClassVar[int]
    NEXT_PROBE_FIELD_NUMBER: _ClassVar[int]
    RAMP_SHARE_FIELD_NUMBER: _ClassVar[int]
    WOULD_REJECT_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    POLICY_REVISION_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
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
    failure_rate: float
    slow_rate: float
    consecutive: int
    in_flight: int
    probes_in_flight: int
    probes_passed: int
    probes_not_passed: int
    next_probe: _timestamp_pb2.Timestamp
    ramp_share: float
    would_reject: int
    hold: BreakerHold
    policy: str
    policy_revision: int
    mode: str
    history: _containers.RepeatedCompositeFieldContainer[BreakerTransition]
    def __init__(self, name: _Optional[str] = ..., route: _Optional[str] = ..., state: _Optional[_Union[BreakerState, str]] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., trigger: _Optional[str] = ..., window_calls: _Optional[int] = ..., window_failures: _Optional[int] = ..., window_slow: _Optional[int] = ..., rejected: _Optional[int] = ..., opened: _Optional[int] = ..., retry_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., proxy: _Optional[str] = ..., failure_rate: _Optional[float] = ..., slow_rate: _Optional[float] = ..., consecutive: _Optional[int] = ..., in_flight: _Optional[int] = ..., probes_in_flight: _Optional[int] = ..., probes_passed: _Optional[int] = ..., probes_not_passed: _Optional[int] = ..., next_probe: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ramp_share: _Optional[float] = ..., would_reject: _Optional[int] = ..., hold: _Optional[_Union[BreakerHold, _Mapping]] = ..., policy: _Optional[str] = ..., policy_revision: _Optional[int] = ..., mode: _Optional[str] = ..., history: _Optional[_Iterable[_Union[BreakerTransition, _Mapping]]] = ...) -> None: ...

class BreakerHold(_message.Message):
    __slots__ = ("actor", "reason", "until")
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    actor: str
    reason: str
    until: _timestamp_pb2.Timestamp
    def __init__(self, actor: _Optional[str] = ..., reason: _Optional[str] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class BreakerTransition(_message.Message):
    __slots__ = ("at", "to", "trigger", "calls", "failures", "slow")
    AT_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    SLOW_FIELD_NUMBER: _ClassVar[int]
    at: _timestamp_pb2.Timestamp
    to: BreakerState
    trigger: str
    calls: int
    failures: int
    slow: int
    def __init__(self, at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., to: _Optional[_Union[BreakerState, str]] = ..., trigger: _Optional[str] = ..., calls: _Optional[int] = ..., failures: _Optional[int] = ..., slow: _Optional[int] = ..., **kwargs) -> None: ...

class RouteCounters(_message.Message):
    __slots__ = ("route", "by_code", "retries", "budget_exhausted", "rejected", "fallbacks", "cancelled", "latency_buckets", "latency_sum_seconds", "in_flight", "recovered", "rejected_by", "limited", "limited_by_criticality", "queued", "queue_wait_seconds", "hedges", "hedges_won", "hedges_refused", "hopeless", "wasted_attempts", "wasted_seconds", "would")
    class RejectedByEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class LimitedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class LimitedByCriticalityEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class HedgesRefusedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class WouldEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
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
    REJECTED_BY_FIELD_NUMBER: _ClassVar[int]
    LIMITED_FIELD_NUMBER: _ClassVar[int]
    LIMITED_BY_CRITICALITY_FIELD_NUMBER: _ClassVar[int]
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    QUEUE_WAIT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    HEDGES_FIELD_NUMBER: _ClassVar[int]
    HEDGES_WON_FIELD_NUMBER: _ClassVar[int]
    HEDGES_REFUSED_FIELD_NUMBER: _ClassVar[int]
    HOPELESS_FIELD_NUMBER: _ClassVar[int]
    WASTED_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    WASTED_SECONDS_FIELD_NUMBER: _ClassVar[int]
    WOULD_FIELD_NUMBER: _ClassVar[int]
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
    rejected_by: _containers.ScalarMap[str, int]
    limited: _containers.ScalarMap[str, int]
    limited_by_criticality: _containers.ScalarMap[str, int]
    queued: int
    queue_wait_seconds: float
    hedges: int
    hedges_won: int
    hedges_refused: _containers.ScalarMap[str, int]
    hopeless: int
    wasted_attempts: int
    wasted_seconds: float
    would: _containers.ScalarMap[str, int]
    def __init__(self, route: _Optional[str] = ..., by_code: _Optional[_Iterable[int]] = ..., retries: _Optional[int] = ..., budget_exhausted: _Optional[int] = ..., rejected: _Optional[int] = ..., fallbacks: _Optional[int] = ..., cancelled: _Optional[int] = ..., latency_buckets: _Optional[_Iterable[int]] = ..., latency_sum_seconds: _Optional[float] = ..., in_flight: _Optional[int] = ..., recovered: _Optional[int] = ..., rejected_by: _Optional[_Mapping[str, int]] = ..., limited: _Optional[_Mapping[str, int]] = ..., limited_by_criticality: _Optional[_Mapping[str, int]] = ..., queued: _Optional[int] = ..., queue_wait_seconds: _Optional[float] = ..., hedges: _Optional[int] = ..., hedges_won: _Optional[int] = ..., hedges_refused: _Optional[_Mapping[str, int]] = ..., hopeless: _Optional[int] = ..., wasted_attempts: _Optional[int] = ..., wasted_seconds: _Optional[float] = ..., would: _Optional[_Mapping[str, int]] = ...) -> None: ...

class ClusterCounters(_message.Message):
    __slots__ = ("cluster", "ejections", "spared", "ejected", "endpoints", "panics")
    class EjectionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class SparedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    EJECTIONS_FIELD_NUMBER: _ClassVar[int]
    SPARED_FIELD_NUMBER: _ClassVar[int]
    EJECTED_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    PANICS_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    ejections: _containers.ScalarMap[str, int]
    spared: _containers.ScalarMap[str, int]
    ejected: int
    endpoints: int
    panics: int
    def __init__(self, cluster: _Optional[str] = ..., ejections: _Optional[_Mapping[str, int]] = ..., spared: _Optional[_Mapping[str, int]] = ..., ejected: _Optional[int] = ..., endpoints: _Optional[int] = ..., panics: _Optional[int] = ...) -> None: ...

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
    __slots__ = ("route", "calls_per_second", "success_ratio", "p50_seconds", "p95_seconds", "p99_seconds", "retries_per_second", "fallbacks_per_second", "rejected_per_second", "breaker", "total", "window", "hedges_per_second", "limited_per_second", "hopeless_per_second", "wasted_seconds_per_second")
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
    HEDGES_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    LIMITED_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    HOPELESS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    WASTED_SECONDS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
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
    hedges_per_second: float
    limited_per_second: float
    hopeless_per_second: float
    wasted_seconds_per_second: float
    def __init__(self, route: _Optional[str] = ..., calls_per_second: _Optional[float] = ..., success_ratio: _Optional[float] = ..., p50_seconds: _Optional[float] = ..., p95_seconds: _Optional[float] = ..., p99_seconds: _Optional[float] = ..., retries_per_second: _Optional[float] = ..., fallbacks_per_second: _Optional[float] = ..., rejected_per_second: _Optional[float] = ..., breaker: _Optional[_Union[BreakerState, str]] = ..., total: _Optional[_Union[RouteCounters, _Mapping]] = ..., window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., hedges_per_second: _Optional[float] = ..., limited_per_second: _Optional[float] = ..., hopeless_per_second: _Optional[float] = ..., wasted_seconds_per_second: _Optional[float] = ...) -> None: ...

class ClusterStats(_message.Message):
    __slots__ = ("cluster", "proxies", "total")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    PROXIES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    proxies: int
    total: ClusterCounters
    def __init__(self, cluster: _Optional[str] = ..., proxies: _Optional[int] = ..., total: _Optional[_Union[ClusterCounters, _Mapping]] = ...) -> None: ...
