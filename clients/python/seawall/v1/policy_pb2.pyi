import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from seawall.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Balance(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BALANCE_UNSPECIFIED: _ClassVar[Balance]
    BALANCE_ROUND_ROBIN: _ClassVar[Balance]
    BALANCE_LEAST_REQUEST: _ClassVar[Balance]

class BackoffKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BACKOFF_KIND_UNSPECIFIED: _ClassVar[BackoffKind]
    BACKOFF_KIND_CONSTANT: _ClassVar[BackoffKind]
    BACKOFF_KIND_LINEAR: _ClassVar[BackoffKind]
    BACKOFF_KIND_EXPONENTIAL: _ClassVar[BackoffKind]
    BACKOFF_KIND_FIBONACCI: _ClassVar[BackoffKind]
    BACKOFF_KIND_DECORRELATED: _ClassVar[BackoffKind]

class WindowKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WINDOW_KIND_UNSPECIFIED: _ClassVar[WindowKind]
    WINDOW_KIND_COUNT: _ClassVar[WindowKind]
    WINDOW_KIND_TIME: _ClassVar[WindowKind]

class BreakerMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BREAKER_MODE_UNSPECIFIED: _ClassVar[BreakerMode]
    BREAKER_MODE_ENFORCE: _ClassVar[BreakerMode]
    BREAKER_MODE_SHADOW: _ClassVar[BreakerMode]
    BREAKER_MODE_OFF: _ClassVar[BreakerMode]

class Category(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CATEGORY_UNSPECIFIED: _ClassVar[Category]
    CATEGORY_TRANSIENT: _ClassVar[Category]
    CATEGORY_RESOURCE: _ClassVar[Category]
    CATEGORY_VALIDATION: _ClassVar[Category]
    CATEGORY_PERMANENT: _ClassVar[Category]
    CATEGORY_UNKNOWN: _ClassVar[Category]

class Strategy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STRATEGY_UNSPECIFIED: _ClassVar[Strategy]
    STRATEGY_RETRY: _ClassVar[Strategy]
    STRATEGY_QUEUE: _ClassVar[Strategy]
    STRATEGY_FAIL_FAST: _ClassVar[Strategy]
    STRATEGY_DEAD_LETTER: _ClassVar[Strategy]
BALANCE_UNSPECIFIED: Balance
BALANCE_ROUND_ROBIN: Balance
BALANCE_LEAST_REQUEST: Balance
BACKOFF_KIND_UNSPECIFIED: BackoffKind
BACKOFF_KIND_CONSTANT: BackoffKind
BACKOFF_KIND_LINEAR: BackoffKind
BACKOFF_KIND_EXPONENTIAL: BackoffKind
BACKOFF_KIND_FIBONACCI: BackoffKind
BACKOFF_KIND_DECORRELATED: BackoffKind
WINDOW_KIND_UNSPECIFIED: WindowKind
WINDOW_KIND_COUNT: WindowKind
WINDOW_KIND_TIME: WindowKind
BREAKER_MODE_UNSPECIFIED: BreakerMode
BREAKER_MODE_ENFORCE: BreakerMode
BREAKER_MODE_SHADOW: BreakerMode
BREAKER_MODE_OFF: BreakerMode
CATEGORY_UNSPECIFIED: Category
CATEGORY_TRANSIENT: Category
CATEGORY_RESOURCE: Category
CATEGORY_VALIDATION: Category
CATEGORY_PERMANENT: Category
CATEGORY_UNKNOWN: Category
STRATEGY_UNSPECIFIED: Strategy
STRATEGY_RETRY: Strategy
STRATEGY_QUEUE: Strategy
STRATEGY_FAIL_FAST: Strategy
STRATEGY_DEAD_LETTER: Strategy

class PolicyDocument(_message.Message):
    __slots__ = ("version", "listeners", "clusters", "policies", "routes", "control", "admin", "descriptor_files", "descriptor_set")
    class PoliciesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Policy
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Policy, _Mapping]] = ...) -> None: ...
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LISTENERS_FIELD_NUMBER: _ClassVar[int]
    CLUSTERS_FIELD_NUMBER: _ClassVar[int]
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    ADMIN_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTOR_FILES_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTOR_SET_FIELD_NUMBER: _ClassVar[int]
    version: str
    listeners: _containers.RepeatedCompositeFieldContainer[Listener]
    clusters: _containers.RepeatedCompositeFieldContainer[Cluster]
    policies: _containers.MessageMap[str, Policy]
    routes: _containers.RepeatedCompositeFieldContainer[Route]
    control: ControlLink
    admin: Admin
    descriptor_files: _containers.RepeatedScalarFieldContainer[str]
    descriptor_set: bytes
    def __init__(self, version: _Optional[str] = ..., listeners: _Optional[_Iterable[_Union[Listener, _Mapping]]] = ..., clusters: _Optional[_Iterable[_Union[Cluster, _Mapping]]] = ..., policies: _Optional[_Mapping[str, Policy]] = ..., routes: _Optional[_Iterable[_Union[Route, _Mapping]]] = ..., control: _Optional[_Union[ControlLink, _Mapping]] = ..., admin: _Optional[_Union[Admin, _Mapping]] = ..., descriptor_files: _Optional[_Iterable[str]] = ..., descriptor_set: _Optional[bytes] = ...) -> None: ...

class Listener(_message.Message):
    __slots__ = ("name", "address")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    name: str
    address: str
    def __init__(self, name: _Optional[str] = ..., address: _Optional[str] = ...) -> None: ...

class Admin(_message.Message):
    __slots__ = ("address",)
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    address: str
    def __init__(self, address: _Optional[str] = ...) -> None: ...

class Cluster(_message.Message):
    __slots__ = ("name", "endpoints", "balance", "max_in_flight", "connect_timeout", "authority")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    MAX_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    CONNECT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    name: str
    endpoints: _containers.RepeatedCompositeFieldContainer[Endpoint]
    balance: Balance
    max_in_flight: int
    connect_timeout: _duration_pb2.Duration
    authority: str
    def __init__(self, name: _Optional[str] = ..., endpoints: _Optional[_Iterable[_Union[Endpoint, _Mapping]]] = ..., balance: _Optional[_Union[Balance, str]] = ..., max_in_flight: _Optional[int] = ..., connect_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., authority: _Optional[str] = ...) -> None: ...

class Endpoint(_message.Message):
    __slots__ = ("address",)
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    address: str
    def __init__(self, address: _Optional[str] = ...) -> None: ...

class Policy(_message.Message):
    __slots__ = ("extends", "timeout", "per_try_timeout", "retry", "breaker", "fallback", "classify")
    EXTENDS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    PER_TRY_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_FIELD_NUMBER: _ClassVar[int]
    CLASSIFY_FIELD_NUMBER: _ClassVar[int]
    extends: str
    timeout: _duration_pb2.Duration
    per_try_timeout: _duration_pb2.Duration
    retry: Retry
    breaker: Breaker
    fallback: _containers.RepeatedCompositeFieldContainer[Fallback]
    classify: _containers.RepeatedCompositeFieldContainer[Classify]
    def __init__(self, extends: _Optional[str] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., per_try_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., retry: _Optional[_Union[Retry, _Mapping]] = ..., breaker: _Optional[_Union[Breaker, _Mapping]] = ..., fallback: _Optional[_Iterable[_Union[Fallback, _Mapping]]] = ..., classify: _Optional[_Iterable[_Union[Classify, _Mapping]]] = ...) -> None: ...

class Retry(_message.Message):
    __slots__ = ("max_attempts", "codes", "backoff", "budget", "only_idempotent")
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    CODES_FIELD_NUMBER: _ClassVar[int]
    BACKOFF_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    ONLY_IDEMPOTENT_FIELD_NUMBER: _ClassVar[int]
    max_attempts: int
    codes: _containers.RepeatedScalarFieldContainer[str]
    backoff: Backoff
    budget: Budget
    only_idempotent: bool
    def __init__(self, max_attempts: _Optional[int] = ..., codes: _Optional[_Iterable[str]] = ..., backoff: _Optional[_Union[Backoff, _Mapping]] = ..., budget: _Optional[_Union[Budget, _Mapping]] = ..., only_idempotent: _Optional[bool] = ...) -> None: ...

class Backoff(_message.Message):
    __slots__ = ("kind", "initial", "multiplier", "max", "jitter")
    KIND_FIELD_NUMBER: _ClassVar[int]
    INITIAL_FIELD_NUMBER: _ClassVar[int]
    MULTIPLIER_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    JITTER_FIELD_NUMBER: _ClassVar[int]
    kind: BackoffKind
    initial: _duration_pb2.Duration
    multiplier: float
    max: _duration_pb2.Duration
    jitter: float
    def __init__(self, kind: _Optional[_Union[BackoffKind, str]] = ..., initial: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., multiplier: _Optional[float] = ..., max: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., jitter: _Optional[float] = ...) -> None: ...

class Budget(_message.Message):
    __slots__ = ("percent", "min_per_second", "interval")
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    MIN_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    percent: float
    min_per_second: float
    interval: _duration_pb2.Duration
    def __init__(self, percent: _Optional[float] = ..., min_per_second: _Optional[float] = ..., interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Breaker(_message.Message):
    __slots__ = ("window", "min_calls", "failure_rate", "consecutive", "slow_call", "open_for", "open_multiplier", "open_for_max", "half_open_calls", "success_threshold", "failure_codes", "mode", "half_open_timeout")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    MIN_CALLS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_RATE_FIELD_NUMBER: _ClassVar[int]
    CONSECUTIVE_FIELD_NUMBER: _ClassVar[int]
    SLOW_CALL_FIELD_NUMBER: _ClassVar[int]
    OPEN_FOR_FIELD_NUMBER: _ClassVar[int]
    OPEN_MULTIPLIER_FIELD_NUMBER: _ClassVar[int]
    OPEN_FOR_MAX_FIELD_NUMBER: _ClassVar[int]
    HALF_OPEN_CALLS_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    FAILURE_CODES_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    HALF_OPEN_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    window: Window
    min_calls: int
    failure_rate: float
    consecutive: int
    slow_call: SlowCall
    open_for: _duration_pb2.Duration
    open_multiplier: float
    open_for_max: _duration_pb2.Duration
    half_open_calls: int
    success_threshold: int
    failure_codes: _containers.RepeatedScalarFieldContainer[str]
    mode: BreakerMode
    half_open_timeout: _duration_pb2.Duration
    def __init__(self, window: _Optional[_Union[Window, _Mapping]] = ..., min_calls: _Optional[int] = ..., failure_rate: _Optional[float] = ..., consecutive: _Optional[int] = ..., slow_call: _Optional[_Union[SlowCall, _Mapping]] = ..., open_for: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., open_multiplier: _Optional[float] = ..., open_for_max: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., half_open_calls: _Optional[int] = ..., success_threshold: _Optional[int] = ..., failure_codes: _Optional[_Iterable[str]] = ..., mode: _Optional[_Union[BreakerMode, str]] = ..., half_open_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Window(_message.Message):
    __slots__ = ("kind", "size", "duration")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    kind: WindowKind
    size: int
    duration: _duration_pb2.Duration
    def __init__(self, kind: _Optional[_Union[WindowKind, str]] = ..., size: _Optional[int] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class SlowCall(_message.Message):
    __slots__ = ("duration", "rate")
    DURATION_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    duration: _duration_pb2.Duration
    rate: float
    def __init__(self, duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., rate: _Optional[float] = ...) -> None: ...

class Fallback(_message.Message):
    __slots__ = ("when", "cluster", "static")
    WHEN_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    STATIC_FIELD_NUMBER: _ClassVar[int]
    when: _containers.RepeatedScalarFieldContainer[str]
    cluster: str
    static: StaticResponse
    def __init__(self, when: _Optional[_Iterable[str]] = ..., cluster: _Optional[str] = ..., static: _Optional[_Union[StaticResponse, _Mapping]] = ...) -> None: ...

class StaticResponse(_message.Message):
    __slots__ = ("json",)
    JSON_FIELD_NUMBER: _ClassVar[int]
    json: _struct_pb2.Value
    def __init__(self, json: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...

class Classify(_message.Message):
    __slots__ = ("code", "category", "strategy")
    CODE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    code: str
    category: Category
    strategy: Strategy
    def __init__(self, code: _Optional[str] = ..., category: _Optional[_Union[Category, str]] = ..., strategy: _Optional[_Union[Strategy, str]] = ...) -> None: ...

class Route(_message.Message):
    __slots__ = ("name", "match", "cluster", "backends", "policy", "idempotent")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MATCH_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    BACKENDS_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    match: RouteMatch
    cluster: str
    backends: _containers.RepeatedCompositeFieldContainer[Backend]
    policy: str
    idempotent: bool
    def __init__(self, name: _Optional[str] = ..., match: _Optional[_Union[RouteMatch, _Mapping]] = ..., cluster: _Optional[str] = ..., backends: _Optional[_Iterable[_Union[Backend, _Mapping]]] = ..., policy: _Optional[str] = ..., idempotent: _Optional[bool] = ...) -> None: ...

class RouteMatch(_message.Message):
    __slots__ = ("service", "method", "metadata")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    service: str
    method: str
    metadata: _containers.RepeatedCompositeFieldContainer[MetadataMatch]
    def __init__(self, service: _Optional[str] = ..., method: _Optional[str] = ..., metadata: _Optional[_Iterable[_Union[MetadataMatch, _Mapping]]] = ...) -> None: ...

class MetadataMatch(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class Backend(_message.Message):
    __slots__ = ("cluster", "weight")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    weight: int
    def __init__(self, cluster: _Optional[str] = ..., weight: _Optional[int] = ...) -> None: ...

class ControlLink(_message.Message):
    __slots__ = ("target", "node", "labels", "policy_set")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TARGET_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    target: str
    node: str
    labels: _containers.ScalarMap[str, str]
    policy_set: str
    def __init__(self, target: _Optional[str] = ..., node: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., policy_set: _Optional[str] = ...) -> None: ...
