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

class AccessLogFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACCESS_LOG_FORMAT_UNSPECIFIED: _ClassVar[AccessLogFormat]
    ACCESS_LOG_FORMAT_JSON: _ClassVar[AccessLogFormat]

class AccessLogOnly(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACCESS_LOG_ONLY_UNSPECIFIED: _ClassVar[AccessLogOnly]
    ACCESS_LOG_ONLY_ALL: _ClassVar[AccessLogOnly]
    ACCESS_LOG_ONLY_FAILURES: _ClassVar[AccessLogOnly]

class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODE_UNSPECIFIED: _ClassVar[Mode]
    MODE_ENFORCE: _ClassVar[Mode]
    MODE_SHADOW: _ClassVar[Mode]
    MODE_OFF: _ClassVar[Mode]

class HealthCheckKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HEALTH_CHECK_KIND_UNSPECIFIED: _ClassVar[HealthCheckKind]
    HEALTH_CHECK_KIND_GRPC: _ClassVar[HealthCheckKind]
    HEALTH_CHECK_KIND_TCP: _ClassVar[HealthCheckKind]

class Balance(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BALANCE_UNSPECIFIED: _ClassVar[Balance]
    BALANCE_ROUND_ROBIN: _ClassVar[Balance]
    BALANCE_LEAST_REQUEST: _ClassVar[Balance]
    BALANCE_RANDOM: _ClassVar[Balance]
    BALANCE_PEAK_EWMA: _ClassVar[Balance]
    BALANCE_RING_HASH: _ClassVar[Balance]

class LimitKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIMIT_KIND_UNSPECIFIED: _ClassVar[LimitKind]
    LIMIT_KIND_NONE: _ClassVar[LimitKind]
    LIMIT_KIND_GRADIENT: _ClassVar[LimitKind]
    LIMIT_KIND_VEGAS: _ClassVar[LimitKind]
    LIMIT_KIND_GRADIENT2: _ClassVar[LimitKind]
    LIMIT_KIND_AIMD: _ClassVar[LimitKind]
    LIMIT_KIND_KNEE: _ClassVar[LimitKind]

class Criticality(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CRITICALITY_UNSPECIFIED: _ClassVar[Criticality]
    CRITICALITY_CRITICAL_PLUS: _ClassVar[Criticality]
    CRITICALITY_CRITICAL: _ClassVar[Criticality]
    CRITICALITY_SHEDDABLE_PLUS: _ClassVar[Criticality]
    CRITICALITY_SHEDDABLE: _ClassVar[Criticality]

class FaultStreamKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAULT_STREAM_KIND_UNSPECIFIED: _ClassVar[FaultStreamKind]
    FAULT_STREAM_KIND_ABORT: _ClassVar[FaultStreamKind]
    FAULT_STREAM_KIND_STALL: _ClassVar[FaultStreamKind]
    FAULT_STREAM_KIND_DROP_TRAILERS: _ClassVar[FaultStreamKind]

class RetryPreset(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RETRY_PRESET_UNSPECIFIED: _ClassVar[RetryPreset]
    RETRY_PRESET_QUICK: _ClassVar[RetryPreset]
    RETRY_PRESET_CLASSIC: _ClassVar[RetryPreset]
    RETRY_PRESET_PATIENT: _ClassVar[RetryPreset]
    RETRY_PRESET_NETWORK: _ClassVar[RetryPreset]
    RETRY_PRESET_DATABASE: _ClassVar[RetryPreset]
    RETRY_PRESET_RESOURCE: _ClassVar[RetryPreset]

class JitterKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JITTER_KIND_UNSPECIFIED: _ClassVar[JitterKind]
    JITTER_KIND_SPREAD: _ClassVar[JitterKind]
    JITTER_KIND_NONE: _ClassVar[JitterKind]
    JITTER_KIND_FULL: _ClassVar[JitterKind]
    JITTER_KIND_EQUAL: _ClassVar[JitterKind]

class BackoffKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BACKOFF_KIND_UNSPECIFIED: _ClassVar[BackoffKind]
    BACKOFF_KIND_CONSTANT: _ClassVar[BackoffKind]
    BACKOFF_KIND_LINEAR: _ClassVar[BackoffKind]
    BACKOFF_KIND_EXPONENTIAL: _ClassVar[BackoffKind]
    BACKOFF_KIND_FIBONACCI: _ClassVar[BackoffKind]
    BACKOFF_KIND_DECORRELATED: _ClassVar[BackoffKind]

class BudgetKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BUDGET_KIND_UNSPECIFIED: _ClassVar[BudgetKind]
    BUDGET_KIND_RATE: _ClassVar[BudgetKind]
    BUDGET_KIND_CONCURRENCY: _ClassVar[BudgetKind]

class BreakerScope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BREAKER_SCOPE_UNSPECIFIED: _ClassVar[BreakerScope]
    BREAKER_SCOPE_ROUTE: _ClassVar[BreakerScope]
    BREAKER_SCOPE_METHOD: _ClassVar[BreakerScope]
    BREAKER_SCOPE_ENDPOINT: _ClassVar[BreakerScope]

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
    BREAKER_MODE_METRICS_ONLY: _ClassVar[BreakerMode]

class Phase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PHASE_UNSPECIFIED: _ClassVar[Phase]
    PHASE_CONNECT: _ClassVar[Phase]
    PHASE_HEADERS: _ClassVar[Phase]
    PHASE_MID_STREAM: _ClassVar[Phase]
    PHASE_LOCAL: _ClassVar[Phase]

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
ACCESS_LOG_FORMAT_UNSPECIFIED: AccessLogFormat
ACCESS_LOG_FORMAT_JSON: AccessLogFormat
ACCESS_LOG_ONLY_UNSPECIFIED: AccessLogOnly
ACCESS_LOG_ONLY_ALL: AccessLogOnly
ACCESS_LOG_ONLY_FAILURES: AccessLogOnly
MODE_UNSPECIFIED: Mode
MODE_ENFORCE: Mode
MODE_SHADOW: Mode
MODE_OFF: Mode
HEALTH_CHECK_KIND_UNSPECIFIED: HealthCheckKind
HEALTH_CHECK_KIND_GRPC: HealthCheckKind
HEALTH_CHECK_KIND_TCP: HealthCheckKind
BALANCE_UNSPECIFIED: Balance
BALANCE_ROUND_ROBIN: Balance
BALANCE_LEAST_REQUEST: Balance
BALANCE_RANDOM: Balance
BALANCE_PEAK_EWMA: Balance
BALANCE_RING_HASH: Balance
LIMIT_KIND_UNSPECIFIED: LimitKind
LIMIT_KIND_NONE: LimitKind
LIMIT_KIND_GRADIENT: LimitKind
LIMIT_KIND_VEGAS: LimitKind
LIMIT_KIND_GRADIENT2: LimitKind
LIMIT_KIND_AIMD: LimitKind
LIMIT_KIND_KNEE: LimitKind
CRITICALITY_UNSPECIFIED: Criticality
CRITICALITY_CRITICAL_PLUS: Criticality
CRITICALITY_CRITICAL: Criticality
CRITICALITY_SHEDDABLE_PLUS: Criticality
CRITICALITY_SHEDDABLE: Criticality
FAULT_STREAM_KIND_UNSPECIFIED: FaultStreamKind
FAULT_STREAM_KIND_ABORT: FaultStreamKind
FAULT_STREAM_KIND_STALL: FaultStreamKind
FAULT_STREAM_KIND_DROP_TRAILERS: FaultStreamKind
RETRY_PRESET_UNSPECIFIED: RetryPreset
RETRY_PRESET_QUICK: RetryPreset
RETRY_PRESET_CLASSIC: RetryPreset
RETRY_PRESET_PATIENT: RetryPreset
RETRY_PRESET_NETWORK: RetryPreset
RETRY_PRESET_DATABASE: RetryPreset
RETRY_PRESET_RESOURCE: RetryPreset
JITTER_KIND_UNSPECIFIED: JitterKind
JITTER_KIND_SPREAD: JitterKind
JITTER_KIND_NONE: JitterKind
JITTER_KIND_FULL: JitterKind
JITTER_KIND_EQUAL: JitterKind
BACKOFF_KIND_UNSPECIFIED: BackoffKind
BACKOFF_KIND_CONSTANT: BackoffKind
BACKOFF_KIND_LINEAR: BackoffKind
BACKOFF_KIND_EXPONENTIAL: BackoffKind
BACKOFF_KIND_FIBONACCI: BackoffKind
BACKOFF_KIND_DECORRELATED: BackoffKind
BUDGET_KIND_UNSPECIFIED: BudgetKind
BUDGET_KIND_RATE: BudgetKind
BUDGET_KIND_CONCURRENCY: BudgetKind
BREAKER_SCOPE_UNSPECIFIED: BreakerScope
BREAKER_SCOPE_ROUTE: BreakerScope
BREAKER_SCOPE_METHOD: BreakerScope
BREAKER_SCOPE_ENDPOINT: BreakerScope
WINDOW_KIND_UNSPECIFIED: WindowKind
WINDOW_KIND_COUNT: WindowKind
WINDOW_KIND_TIME: WindowKind
BREAKER_MODE_UNSPECIFIED: BreakerMode
BREAKER_MODE_ENFORCE: BreakerMode
BREAKER_MODE_SHADOW: BreakerMode
BREAKER_MODE_OFF: BreakerMode
BREAKER_MODE_METRICS_ONLY: BreakerMode
PHASE_UNSPECIFIED: Phase
PHASE_CONNECT: Phase
PHASE_HEADERS: Phase
PHASE_MID_STREAM: Phase
PHASE_LOCAL: Phase
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
    __slots__ = ("version", "listeners", "clusters", "policies", "routes", "control", "admin", "descriptor_files", "descriptor_set", "access_log", "workers", "overload", "serve", "zone", "extends")
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
    ACCESS_LOG_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    OVERLOAD_FIELD_NUMBER: _ClassVar[int]
    SERVE_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    EXTENDS_FIELD_NUMBER: _ClassVar[int]
    version: str
    listeners: _containers.RepeatedCompositeFieldContainer[Listener]
    clusters: _containers.RepeatedCompositeFieldContainer[Cluster]
    policies: _containers.MessageMap[str, Policy]
    routes: _containers.RepeatedCompositeFieldContainer[Route]
    control: ControlLink
    admin: Admin
    descriptor_files: _containers.RepeatedScalarFieldContainer[str]
    descriptor_set: bytes
    access_log: AccessLog
    workers: str
    overload: Overload
    serve: Serve
    zone: str
    extends: str
    def __init__(self, version: _Optional[str] = ..., listeners: _Optional[_Iterable[_Union[Listener, _Mapping]]] = ..., clusters: _Optional[_Iterable[_Union[Cluster, _Mapping]]] = ..., policies: _Optional[_Mapping[str, Policy]] = ..., routes: _Optional[_Iterable[_Union[Route, _Mapping]]] = ..., control: _Optional[_Union[ControlLink, _Mapping]] = ..., admin: _Optional[_Union[Admin, _Mapping]] = ..., descriptor_files: _Optional[_Iterable[str]] = ..., descriptor_set: _Optional[bytes] = ..., access_log: _Optional[_Union[AccessLog, _Mapping]] = ..., workers: _Optional[str] = ..., overload: _Optional[_Union[Overload, _Mapping]] = ..., serve: _Optional[_Union[Serve, _Mapping]] = ..., zone: _Optional[str] = ..., extends: _Optional[str] = ...) -> None: ...

class AccessLog(_message.Message):
    __slots__ = ("path", "format", "sample", "only", "fields")
    PATH_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    ONLY_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    path: str
    format: AccessLogFormat
    sample: float
    only: AccessLogOnly
    fields: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, path: _Optional[str] = ..., format: _Optional[_Union[AccessLogFormat, str]] = ..., sample: _Optional[float] = ..., only: _Optional[_Union[AccessLogOnly, str]] = ..., fields: _Optional[_Iterable[str]] = ...) -> None: ...

class Serve(_message.Message):
    __slots__ = ("health", "reflection")
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    REFLECTION_FIELD_NUMBER: _ClassVar[int]
    health: bool
    reflection: bool
    def __init__(self, health: _Optional[bool] = ..., reflection: _Optional[bool] = ...) -> None: ...

class Listener(_message.Message):
    __slots__ = ("name", "address", "tls", "proxy_protocol", "limits", "connection", "socket_mode")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TLS_FIELD_NUMBER: _ClassVar[int]
    PROXY_PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_FIELD_NUMBER: _ClassVar[int]
    SOCKET_MODE_FIELD_NUMBER: _ClassVar[int]
    name: str
    address: str
    tls: ListenerTls
    proxy_protocol: ProxyProtocol
    limits: ListenerLimits
    connection: ListenerConnection
    socket_mode: str
    def __init__(self, name: _Optional[str] = ..., address: _Optional[str] = ..., tls: _Optional[_Union[ListenerTls, _Mapping]] = ..., proxy_protocol: _Optional[_Union[ProxyProtocol, _Mapping]] = ..., limits: _Optional[_Union[ListenerLimits, _Mapping]] = ..., connection: _Optional[_Union[ListenerConnection, _Mapping]] = ..., socket_mode: _Optional[str] = ...) -> None: ...

class ListenerLimits(_message.Message):
    __slots__ = ("max_connections", "max_connections_per_address", "max_streams", "memory", "max_request_message", "header_list", "header_count", "header_block", "continuation_frames", "preface_timeout", "settings_timeout", "settings_ack_timeout", "header_block_timeout", "frame_timeout", "flush_timeout", "response_timeout", "stream_window", "connection_window", "max_frame", "write_buffer", "resets", "premature_age", "refused_streams", "glitches", "control_frames", "queued_replies", "queued_frames", "empty_frames", "priority_frames", "window_updates", "settings_entries", "pings", "stream_errors")
    MAX_CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_CONNECTIONS_PER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    MAX_STREAMS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    MAX_REQUEST_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    HEADER_LIST_FIELD_NUMBER: _ClassVar[int]
    HEADER_COUNT_FIELD_NUMBER: _ClassVar[int]
    HEADER_BLOCK_FIELD_NUMBER: _ClassVar[int]
    CONTINUATION_FRAMES_FIELD_NUMBER: _ClassVar[int]
    PREFACE_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_ACK_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    HEADER_BLOCK_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    FRAME_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    FLUSH_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    STREAM_WINDOW_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_WINDOW_FIELD_NUMBER: _ClassVar[int]
    MAX_FRAME_FIELD_NUMBER: _ClassVar[int]
    WRITE_BUFFER_FIELD_NUMBER: _ClassVar[int]
    RESETS_FIELD_NUMBER: _ClassVar[int]
    PREMATURE_AGE_FIELD_NUMBER: _ClassVar[int]
    REFUSED_STREAMS_FIELD_NUMBER: _ClassVar[int]
    GLITCHES_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FRAMES_FIELD_NUMBER: _ClassVar[int]
    QUEUED_REPLIES_FIELD_NUMBER: _ClassVar[int]
    QUEUED_FRAMES_FIELD_NUMBER: _ClassVar[int]
    EMPTY_FRAMES_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FRAMES_FIELD_NUMBER: _ClassVar[int]
    WINDOW_UPDATES_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_ENTRIES_FIELD_NUMBER: _ClassVar[int]
    PINGS_FIELD_NUMBER: _ClassVar[int]
    STREAM_ERRORS_FIELD_NUMBER: _ClassVar[int]
    max_connections: int
    max_connections_per_address: int
    max_streams: int
    memory: int
    max_request_message: int
    header_list: int
    header_count: int
    header_block: int
    continuation_frames: int
    preface_timeout: _duration_pb2.Duration
    settings_timeout: _duration_pb2.Duration
    settings_ack_timeout: _duration_pb2.Duration
    header_block_timeout: _duration_pb2.Duration
    frame_timeout: _duration_pb2.Duration
    flush_timeout: _duration_pb2.Duration
    response_timeout: _duration_pb2.Duration
    stream_window: int
    connection_window: int
    max_frame: int
    write_buffer: int
    resets: Allowance
    premature_age: _duration_pb2.Duration
    refused_streams: Allowance
    glitches: Allowance
    control_frames: Allowance
    queued_replies: int
    queued_frames: int
    empty_frames: int
    priority_frames: int
    window_updates: int
    settings_entries: int
    pings: PingPolicy
    stream_errors: Allowance
    def __init__(self, max_connections: _Optional[int] = ..., max_connections_per_address: _Optional[int] = ..., max_streams: _Optional[int] = ..., memory: _Optional[int] = ..., max_request_message: _Optional[int] = ..., header_list: _Optional[int] = ..., header_count: _Optional[int] = ..., header_block: _Optional[int] = ..., continuation_frames: _Optional[int] = ..., preface_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., settings_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., settings_ack_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., header_block_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., frame_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., flush_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., response_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., stream_window: _Optional[int] = ..., connection_window: _Optional[int] = ..., max_frame: _Optional[int] = ..., write_buffer: _Optional[int] = ..., resets: _Optional[_Union[Allowance, _Mapping]] = ..., premature_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., refused_streams: _Optional[_Union[Allowance, _Mapping]] = ..., glitches: _Optional[_Union[Allowance, _Mapping]] = ..., control_frames: _Optional[_Union[Allowance, _Mapping]] = ..., queued_replies: _Optional[int] = ..., queued_frames: _Optional[int] = ..., empty_frames: _Optional[int] = ..., priority_frames: _Optional[int] = ..., window_updates: _Optional[int] = ..., settings_entries: _Optional[int] = ..., pings: _Optional[_Union[PingPolicy, _Mapping]] = ..., stream_errors: _Optional[_Union[Allowance, _Mapping]] = ...) -> None: ...

class Allowance(_message.Message):
    __slots__ = ("burst", "per_second")
    BURST_FIELD_NUMBER: _ClassVar[int]
    PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    burst: int
    per_second: float
    def __init__(self, burst: _Optional[int] = ..., per_second: _Optional[float] = ...) -> None: ...

class PingPolicy(_message.Message):
    __slots__ = ("min_interval", "min_interval_with_calls", "strikes")
    MIN_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    MIN_INTERVAL_WITH_CALLS_FIELD_NUMBER: _ClassVar[int]
    STRIKES_FIELD_NUMBER: _ClassVar[int]
    min_interval: _duration_pb2.Duration
    min_interval_with_calls: _duration_pb2.Duration
    strikes: int
    def __init__(self, min_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., min_interval_with_calls: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., strikes: _Optional[int] = ...) -> None: ...

class ListenerTls(_message.Message):
    __slots__ = ("cert_file", "key_file", "client_ca_file", "certificates", "handshake_timeout")
    CERT_FILE_FIELD_NUMBER: _ClassVar[int]
    KEY_FILE_FIELD_NUMBER: _ClassVar[int]
    CLIENT_CA_FILE_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATES_FIELD_NUMBER: _ClassVar[int]
    HANDSHAKE_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    cert_file: str
    key_file: str
    client_ca_file: str
    certificates: _containers.RepeatedCompositeFieldContainer[ListenerCertificate]
    handshake_timeout: _duration_pb2.Duration
    def __init__(self, cert_file: _Optional[str] = ..., key_file: _Optional[str] = ..., client_ca_file: _Optional[str] = ..., certificates: _Optional[_Iterable[_Union[ListenerCertificate, _Mapping]]] = ..., handshake_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ListenerCertificate(_message.Message):
    __slots__ = ("cert_file", "key_file", "server_names")
    CERT_FILE_FIELD_NUMBER: _ClassVar[int]
    KEY_FILE_FIELD_NUMBER: _ClassVar[int]
    SERVER_NAMES_FIELD_NUMBER: _ClassVar[int]
    cert_file: str
    key_file: str
    server_names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cert_file: _Optional[str] = ..., key_file: _Optional[str] = ..., server_names: _Optional[_Iterable[str]] = ...) -> None: ...

class ProxyProtocol(_message.Message):
    __slots__ = ("enabled", "trusted", "timeout")
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    TRUSTED_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    enabled: bool
    trusted: _containers.RepeatedScalarFieldContainer[str]
    timeout: _duration_pb2.Duration
    def __init__(self, enabled: _Optional[bool] = ..., trusted: _Optional[_Iterable[str]] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ListenerConnection(_message.Message):
    __slots__ = ("max_age", "max_age_jitter", "max_age_grace", "idle_timeout", "max_requests")
    MAX_AGE_FIELD_NUMBER: _ClassVar[int]
    MAX_AGE_JITTER_FIELD_NUMBER: _ClassVar[int]
    MAX_AGE_GRACE_FIELD_NUMBER: _ClassVar[int]
    IDLE_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    MAX_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    max_age: _duration_pb2.Duration
    max_age_jitter: float
    max_age_grace: _duration_pb2.Duration
    idle_timeout: _duration_pb2.Duration
    max_requests: int
    def __init__(self, max_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_age_jitter: _Optional[float] = ..., max_age_grace: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., idle_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_requests: _Optional[int] = ...) -> None: ...

class Overload(_message.Message):
    __slots__ = ("memory_limit", "memory_shed", "memory_refuse", "event_loop_lag", "descriptors")
    MEMORY_LIMIT_FIELD_NUMBER: _ClassVar[int]
    MEMORY_SHED_FIELD_NUMBER: _ClassVar[int]
    MEMORY_REFUSE_FIELD_NUMBER: _ClassVar[int]
    EVENT_LOOP_LAG_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTORS_FIELD_NUMBER: _ClassVar[int]
    memory_limit: str
    memory_shed: float
    memory_refuse: float
    event_loop_lag: _duration_pb2.Duration
    descriptors: float
    def __init__(self, memory_limit: _Optional[str] = ..., memory_shed: _Optional[float] = ..., memory_refuse: _Optional[float] = ..., event_loop_lag: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., descriptors: _Optional[float] = ...) -> None: ...

class Admin(_message.Message):
    __slots__ = ("address", "max_methods", "token_file", "tls")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    MAX_METHODS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FILE_FIELD_NUMBER: _ClassVar[int]
    TLS_FIELD_NUMBER: _ClassVar[int]
    address: str
    max_methods: int
    token_file: str
    tls: AdminTls
    def __init__(self, address: _Optional[str] = ..., max_methods: _Optional[int] = ..., token_file: _Optional[str] = ..., tls: _Optional[_Union[AdminTls, _Mapping]] = ...) -> None: ...

class AdminTls(_message.Message):
    __slots__ = ("cert_file", "key_file", "client_ca_file")
    CERT_FILE_FIELD_NUMBER: _ClassVar[int]
    KEY_FILE_FIELD_NUMBER: _ClassVar[int]
    CLIENT_CA_FILE_FIELD_NUMBER: _ClassVar[int]
    cert_file: str
    key_file: str
    client_ca_file: str
    def __init__(self, cert_file: _Optional[str] = ..., key_file: _Optional[str] = ..., client_ca_file: _Optional[str] = ...) -> None: ...

class Cluster(_message.Message):
    __slots__ = ("name", "endpoints", "balance", "max_in_flight", "connect_timeout", "authority", "tls", "target", "health_check", "slow_start", "panic_threshold", "hash", "dns", "connection", "outlier", "max_in_flight_per_endpoint")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    MAX_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    CONNECT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    TLS_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    HEALTH_CHECK_FIELD_NUMBER: _ClassVar[int]
    SLOW_START_FIELD_NUMBER: _ClassVar[int]
    PANIC_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    DNS_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_FIELD_NUMBER: _ClassVar[int]
    OUTLIER_FIELD_NUMBER: _ClassVar[int]
    MAX_IN_FLIGHT_PER_ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    name: str
    endpoints: _containers.RepeatedCompositeFieldContainer[Endpoint]
    balance: Balance
    max_in_flight: int
    connect_timeout: _duration_pb2.Duration
    authority: str
    tls: ClusterTls
    target: str
    health_check: HealthCheck
    slow_start: SlowStart
    panic_threshold: float
    hash: Hash
    dns: Dns
    connection: ClusterConnection
    outlier: Outlier
    max_in_flight_per_endpoint: int
    def __init__(self, name: _Optional[str] = ..., endpoints: _Optional[_Iterable[_Union[Endpoint, _Mapping]]] = ..., balance: _Optional[_Union[Balance, str]] = ..., max_in_flight: _Optional[int] = ..., connect_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., authority: _Optional[str] = ..., tls: _Optional[_Union[ClusterTls, _Mapping]] = ..., target: _Optional[str] = ..., health_check: _Optional[_Union[HealthCheck, _Mapping]] = ..., slow_start: _Optional[_Union[SlowStart, _Mapping]] = ..., panic_threshold: _Optional[float] = ..., hash: _Optional[_Union[Hash, _Mapping]] = ..., dns: _Optional[_Union[Dns, _Mapping]] = ..., connection: _Optional[_Union[ClusterConnection, _Mapping]] = ..., outlier: _Optional[_Union[Outlier, _Mapping]] = ..., max_in_flight_per_endpoint: _Optional[int] = ...) -> None: ...

class Outlier(_message.Message):
    __slots__ = ("interval", "consecutive", "consecutive_local", "success_rate", "failure_percentage", "latency", "ejection", "max_ejection", "jitter", "max_ejected", "failure_codes", "mode", "health_check_returns", "failure_share")
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    CONSECUTIVE_FIELD_NUMBER: _ClassVar[int]
    CONSECUTIVE_LOCAL_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_RATE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_PERCENTAGE_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    EJECTION_FIELD_NUMBER: _ClassVar[int]
    MAX_EJECTION_FIELD_NUMBER: _ClassVar[int]
    JITTER_FIELD_NUMBER: _ClassVar[int]
    MAX_EJECTED_FIELD_NUMBER: _ClassVar[int]
    FAILURE_CODES_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    HEALTH_CHECK_RETURNS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_SHARE_FIELD_NUMBER: _ClassVar[int]
    interval: _duration_pb2.Duration
    consecutive: int
    consecutive_local: int
    success_rate: SuccessRateOutlier
    failure_percentage: FailureOutlier
    latency: LatencyOutlier
    ejection: _duration_pb2.Duration
    max_ejection: _duration_pb2.Duration
    jitter: float
    max_ejected: float
    failure_codes: _containers.RepeatedScalarFieldContainer[str]
    mode: Mode
    health_check_returns: bool
    failure_share: FailureShareOutlier
    def __init__(self, interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., consecutive: _Optional[int] = ..., consecutive_local: _Optional[int] = ..., success_rate: _Optional[_Union[SuccessRateOutlier, _Mapping]] = ..., failure_percentage: _Optional[_Union[FailureOutlier, _Mapping]] = ..., latency: _Optional[_Union[LatencyOutlier, _Mapping]] = ..., ejection: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_ejection: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., jitter: _Optional[float] = ..., max_ejected: _Optional[float] = ..., failure_codes: _Optional[_Iterable[str]] = ..., mode: _Optional[_Union[Mode, str]] = ..., health_check_returns: _Optional[bool] = ..., failure_share: _Optional[_Union[FailureShareOutlier, _Mapping]] = ...) -> None: ...

class SuccessRateOutlier(_message.Message):
    __slots__ = ("stdev_factor", "min_endpoints", "min_calls", "enforcement")
    STDEV_FACTOR_FIELD_NUMBER: _ClassVar[int]
    MIN_ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    MIN_CALLS_FIELD_NUMBER: _ClassVar[int]
    ENFORCEMENT_FIELD_NUMBER: _ClassVar[int]
    stdev_factor: float
    min_endpoints: int
    min_calls: int
    enforcement: float
    def __init__(self, stdev_factor: _Optional[float] = ..., min_endpoints: _Optional[int] = ..., min_calls: _Optional[int] = ..., enforcement: _Optional[float] = ...) -> None: ...

class FailureOutlier(_message.Message):
    __slots__ = ("threshold", "min_endpoints", "min_calls", "enforcement")
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    MIN_ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    MIN_CALLS_FIELD_NUMBER: _ClassVar[int]
    ENFORCEMENT_FIELD_NUMBER: _ClassVar[int]
    threshold: float
    min_endpoints: int
    min_calls: int
    enforcement: float
    def __init__(self, threshold: _Optional[float] = ..., min_endpoints: _Optional[int] = ..., min_calls: _Optional[int] = ..., enforcement: _Optional[float] = ...) -> None: ...

class FailureShareOutlier(_message.Message):
    __slots__ = ("share", "min_calls", "enforcement")
    SHARE_FIELD_NUMBER: _ClassVar[int]
    MIN_CALLS_FIELD_NUMBER: _ClassVar[int]
    ENFORCEMENT_FIELD_NUMBER: _ClassVar[int]
    share: float
    min_calls: int
    enforcement: float
    def __init__(self, share: _Optional[float] = ..., min_calls: _Optional[int] = ..., enforcement: _Optional[float] = ...) -> None: ...

class LatencyOutlier(_message.Message):
    __slots__ = ("mad_factor", "share", "min_ratio", "min_excess", "silence", "min_calls", "mode")
    MAD_FACTOR_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    MIN_RATIO_FIELD_NUMBER: _ClassVar[int]
    MIN_EXCESS_FIELD_NUMBER: _ClassVar[int]
    SILENCE_FIELD_NUMBER: _ClassVar[int]
    MIN_CALLS_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    mad_factor: float
    share: float
    min_ratio: float
    min_excess: _duration_pb2.Duration
    silence: _duration_pb2.Duration
    min_calls: int
    mode: Mode
    def __init__(self, mad_factor: _Optional[float] = ..., share: _Optional[float] = ..., min_ratio: _Optional[float] = ..., min_excess: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., silence: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., min_calls: _Optional[int] = ..., mode: _Optional[_Union[Mode, str]] = ...) -> None: ...

class Hash(_message.Message):
    __slots__ = ("metadata", "min_ring", "max_ring")
    METADATA_FIELD_NUMBER: _ClassVar[int]
    MIN_RING_FIELD_NUMBER: _ClassVar[int]
    MAX_RING_FIELD_NUMBER: _ClassVar[int]
    metadata: str
    min_ring: int
    max_ring: int
    def __init__(self, metadata: _Optional[str] = ..., min_ring: _Optional[int] = ..., max_ring: _Optional[int] = ...) -> None: ...

class Dns(_message.Message):
    __slots__ = ("interval", "min_interval", "timeout")
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    MIN_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    interval: _duration_pb2.Duration
    min_interval: _duration_pb2.Duration
    timeout: _duration_pb2.Duration
    def __init__(self, interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., min_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class HealthCheck(_message.Message):
    __slots__ = ("kind", "interval", "timeout", "unhealthy_after", "healthy_after", "service", "jitter", "no_traffic_interval", "watch")
    KIND_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    UNHEALTHY_AFTER_FIELD_NUMBER: _ClassVar[int]
    HEALTHY_AFTER_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    JITTER_FIELD_NUMBER: _ClassVar[int]
    NO_TRAFFIC_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    WATCH_FIELD_NUMBER: _ClassVar[int]
    kind: HealthCheckKind
    interval: _duration_pb2.Duration
    timeout: _duration_pb2.Duration
    unhealthy_after: int
    healthy_after: int
    service: str
    jitter: float
    no_traffic_interval: _duration_pb2.Duration
    watch: bool
    def __init__(self, kind: _Optional[_Union[HealthCheckKind, str]] = ..., interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., unhealthy_after: _Optional[int] = ..., healthy_after: _Optional[int] = ..., service: _Optional[str] = ..., jitter: _Optional[float] = ..., no_traffic_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., watch: _Optional[bool] = ...) -> None: ...

class SlowStart(_message.Message):
    __slots__ = ("window", "aggression", "min_weight")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    AGGRESSION_FIELD_NUMBER: _ClassVar[int]
    MIN_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    window: _duration_pb2.Duration
    aggression: float
    min_weight: float
    def __init__(self, window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., aggression: _Optional[float] = ..., min_weight: _Optional[float] = ...) -> None: ...

class ClusterTls(_message.Message):
    __slots__ = ("ca_file", "cert_file", "key_file", "server_name", "insecure_skip_verify")
    CA_FILE_FIELD_NUMBER: _ClassVar[int]
    CERT_FILE_FIELD_NUMBER: _ClassVar[int]
    KEY_FILE_FIELD_NUMBER: _ClassVar[int]
    SERVER_NAME_FIELD_NUMBER: _ClassVar[int]
    INSECURE_SKIP_VERIFY_FIELD_NUMBER: _ClassVar[int]
    ca_file: str
    cert_file: str
    key_file: str
    server_name: str
    insecure_skip_verify: bool
    def __init__(self, ca_file: _Optional[str] = ..., cert_file: _Optional[str] = ..., key_file: _Optional[str] = ..., server_name: _Optional[str] = ..., insecure_skip_verify: _Optional[bool] = ...) -> None: ...

class ClusterConnection(_message.Message):
    __slots__ = ("keepalive_interval", "keepalive_timeout", "idle_timeout", "max_connections", "max_age")
    KEEPALIVE_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    KEEPALIVE_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    IDLE_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    MAX_CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_AGE_FIELD_NUMBER: _ClassVar[int]
    keepalive_interval: _duration_pb2.Duration
    keepalive_timeout: _duration_pb2.Duration
    idle_timeout: _duration_pb2.Duration
    max_connections: int
    max_age: _duration_pb2.Duration
    def __init__(self, keepalive_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., keepalive_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., idle_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_connections: _Optional[int] = ..., max_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Endpoint(_message.Message):
    __slots__ = ("address", "weight", "zone", "priority")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    address: str
    weight: int
    zone: str
    priority: int
    def __init__(self, address: _Optional[str] = ..., weight: _Optional[int] = ..., zone: _Optional[str] = ..., priority: _Optional[int] = ...) -> None: ...

class Policy(_message.Message):
    __slots__ = ("extends", "timeout", "per_try_timeout", "retry", "breaker", "fallback", "classify", "deadline", "hedge", "limit", "rate_limit", "fault", "idempotency", "recovered_after")
    EXTENDS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    PER_TRY_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_FIELD_NUMBER: _ClassVar[int]
    CLASSIFY_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_FIELD_NUMBER: _ClassVar[int]
    HEDGE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    RATE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_FIELD_NUMBER: _ClassVar[int]
    RECOVERED_AFTER_FIELD_NUMBER: _ClassVar[int]
    extends: str
    timeout: _duration_pb2.Duration
    per_try_timeout: _duration_pb2.Duration
    retry: Retry
    breaker: Breaker
    fallback: _containers.RepeatedCompositeFieldContainer[Fallback]
    classify: _containers.RepeatedCompositeFieldContainer[Classify]
    deadline: Deadline
    hedge: Hedge
    limit: Limit
    rate_limit: RateLimit
    fault: Fault
    idempotency: Idempotency
    recovered_after: int
    def __init__(self, extends: _Optional[str] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., per_try_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., retry: _Optional[_Union[Retry, _Mapping]] = ..., breaker: _Optional[_Union[Breaker, _Mapping]] = ..., fallback: _Optional[_Iterable[_Union[Fallback, _Mapping]]] = ..., classify: _Optional[_Iterable[_Union[Classify, _Mapping]]] = ..., deadline: _Optional[_Union[Deadline, _Mapping]] = ..., hedge: _Optional[_Union[Hedge, _Mapping]] = ..., limit: _Optional[_Union[Limit, _Mapping]] = ..., rate_limit: _Optional[_Union[RateLimit, _Mapping]] = ..., fault: _Optional[_Union[Fault, _Mapping]] = ..., idempotency: _Optional[_Union[Idempotency, _Mapping]] = ..., recovered_after: _Optional[int] = ...) -> None: ...

class Deadline(_message.Message):
    __slots__ = ("margin", "hopeless", "max_refused")
    MARGIN_FIELD_NUMBER: _ClassVar[int]
    HOPELESS_FIELD_NUMBER: _ClassVar[int]
    MAX_REFUSED_FIELD_NUMBER: _ClassVar[int]
    margin: _duration_pb2.Duration
    hopeless: Mode
    max_refused: float
    def __init__(self, margin: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., hopeless: _Optional[_Union[Mode, str]] = ..., max_refused: _Optional[float] = ...) -> None: ...

class Hedge(_message.Message):
    __slots__ = ("delay", "percentile", "min_delay", "max_attempts", "budget", "non_fatal_codes", "only_idempotent", "mode")
    DELAY_FIELD_NUMBER: _ClassVar[int]
    PERCENTILE_FIELD_NUMBER: _ClassVar[int]
    MIN_DELAY_FIELD_NUMBER: _ClassVar[int]
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    NON_FATAL_CODES_FIELD_NUMBER: _ClassVar[int]
    ONLY_IDEMPOTENT_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    delay: _duration_pb2.Duration
    percentile: float
    min_delay: _duration_pb2.Duration
    max_attempts: int
    budget: float
    non_fatal_codes: _containers.RepeatedScalarFieldContainer[str]
    only_idempotent: bool
    mode: Mode
    def __init__(self, delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., percentile: _Optional[float] = ..., min_delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_attempts: _Optional[int] = ..., budget: _Optional[float] = ..., non_fatal_codes: _Optional[_Iterable[str]] = ..., only_idempotent: _Optional[bool] = ..., mode: _Optional[_Union[Mode, str]] = ...) -> None: ...

class Limit(_message.Message):
    __slots__ = ("adaptive", "max_in_flight", "min_in_flight", "initial", "queue", "queue_timeout", "criticality_header", "criticality", "shares", "mode", "fair_share", "brownout")
    ADAPTIVE_FIELD_NUMBER: _ClassVar[int]
    MAX_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    MIN_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    INITIAL_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    QUEUE_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    CRITICALITY_HEADER_FIELD_NUMBER: _ClassVar[int]
    CRITICALITY_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    FAIR_SHARE_FIELD_NUMBER: _ClassVar[int]
    BROWNOUT_FIELD_NUMBER: _ClassVar[int]
    adaptive: LimitKind
    max_in_flight: int
    min_in_flight: int
    initial: int
    queue: int
    queue_timeout: _duration_pb2.Duration
    criticality_header: str
    criticality: Criticality
    shares: _containers.RepeatedCompositeFieldContainer[CriticalityShare]
    mode: Mode
    fair_share: FairShare
    brownout: float
    def __init__(self, adaptive: _Optional[_Union[LimitKind, str]] = ..., max_in_flight: _Optional[int] = ..., min_in_flight: _Optional[int] = ..., initial: _Optional[int] = ..., queue: _Optional[int] = ..., queue_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., criticality_header: _Optional[str] = ..., criticality: _Optional[_Union[Criticality, str]] = ..., shares: _Optional[_Iterable[_Union[CriticalityShare, _Mapping]]] = ..., mode: _Optional[_Union[Mode, str]] = ..., fair_share: _Optional[_Union[FairShare, _Mapping]] = ..., brownout: _Optional[float] = ...) -> None: ...

class FairShare(_message.Message):
    __slots__ = ("key", "max_tenants")
    KEY_FIELD_NUMBER: _ClassVar[int]
    MAX_TENANTS_FIELD_NUMBER: _ClassVar[int]
    key: _containers.RepeatedScalarFieldContainer[str]
    max_tenants: int
    def __init__(self, key: _Optional[_Iterable[str]] = ..., max_tenants: _Optional[int] = ...) -> None: ...

class CriticalityShare(_message.Message):
    __slots__ = ("criticality", "share")
    CRITICALITY_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    criticality: Criticality
    share: float
    def __init__(self, criticality: _Optional[_Union[Criticality, str]] = ..., share: _Optional[float] = ...) -> None: ...

class RateLimit(_message.Message):
    __slots__ = ("per_second", "burst", "key", "max_keys", "mode")
    PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    BURST_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    MAX_KEYS_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    per_second: float
    burst: int
    key: _containers.RepeatedScalarFieldContainer[str]
    max_keys: int
    mode: Mode
    def __init__(self, per_second: _Optional[float] = ..., burst: _Optional[int] = ..., key: _Optional[_Iterable[str]] = ..., max_keys: _Optional[int] = ..., mode: _Optional[_Union[Mode, str]] = ...) -> None: ...

class Fault(_message.Message):
    __slots__ = ("abort", "delay", "bandwidth", "stream", "metadata", "until", "max_active", "mode")
    ABORT_FIELD_NUMBER: _ClassVar[int]
    DELAY_FIELD_NUMBER: _ClassVar[int]
    BANDWIDTH_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    MAX_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    abort: FaultAbort
    delay: FaultDelay
    bandwidth: FaultBandwidth
    stream: FaultStream
    metadata: _containers.RepeatedCompositeFieldContainer[MetadataMatch]
    until: str
    max_active: int
    mode: Mode
    def __init__(self, abort: _Optional[_Union[FaultAbort, _Mapping]] = ..., delay: _Optional[_Union[FaultDelay, _Mapping]] = ..., bandwidth: _Optional[_Union[FaultBandwidth, _Mapping]] = ..., stream: _Optional[_Union[FaultStream, _Mapping]] = ..., metadata: _Optional[_Iterable[_Union[MetadataMatch, _Mapping]]] = ..., until: _Optional[str] = ..., max_active: _Optional[int] = ..., mode: _Optional[_Union[Mode, str]] = ...) -> None: ...

class FaultAbort(_message.Message):
    __slots__ = ("code", "percent", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: str
    percent: float
    message: str
    def __init__(self, code: _Optional[str] = ..., percent: _Optional[float] = ..., message: _Optional[str] = ...) -> None: ...

class FaultDelay(_message.Message):
    __slots__ = ("duration", "percent")
    DURATION_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    duration: _duration_pb2.Duration
    percent: float
    def __init__(self, duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., percent: _Optional[float] = ...) -> None: ...

class FaultBandwidth(_message.Message):
    __slots__ = ("per_second", "percent")
    PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    per_second: int
    percent: float
    def __init__(self, per_second: _Optional[int] = ..., percent: _Optional[float] = ...) -> None: ...

class FaultStream(_message.Message):
    __slots__ = ("kind", "after_messages", "code", "percent")
    KIND_FIELD_NUMBER: _ClassVar[int]
    AFTER_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    kind: FaultStreamKind
    after_messages: int
    code: str
    percent: float
    def __init__(self, kind: _Optional[_Union[FaultStreamKind, str]] = ..., after_messages: _Optional[int] = ..., code: _Optional[str] = ..., percent: _Optional[float] = ...) -> None: ...

class Idempotency(_message.Message):
    __slots__ = ("key", "generate", "server_honours", "journal")
    KEY_FIELD_NUMBER: _ClassVar[int]
    GENERATE_FIELD_NUMBER: _ClassVar[int]
    SERVER_HONOURS_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_FIELD_NUMBER: _ClassVar[int]
    key: str
    generate: bool
    server_honours: bool
    journal: Journal
    def __init__(self, key: _Optional[str] = ..., generate: _Optional[bool] = ..., server_honours: _Optional[bool] = ..., journal: _Optional[_Union[Journal, _Mapping]] = ...) -> None: ...

class Journal(_message.Message):
    __slots__ = ("ttl", "max_entries", "memory", "scope")
    TTL_FIELD_NUMBER: _ClassVar[int]
    MAX_ENTRIES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    ttl: _duration_pb2.Duration
    max_entries: int
    memory: int
    scope: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_entries: _Optional[int] = ..., memory: _Optional[int] = ..., scope: _Optional[_Iterable[str]] = ...) -> None: ...

class Retry(_message.Message):
    __slots__ = ("max_attempts", "codes", "backoff", "budget", "only_idempotent", "throttle", "classes", "preset", "retry_info")
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    CODES_FIELD_NUMBER: _ClassVar[int]
    BACKOFF_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    ONLY_IDEMPOTENT_FIELD_NUMBER: _ClassVar[int]
    THROTTLE_FIELD_NUMBER: _ClassVar[int]
    CLASSES_FIELD_NUMBER: _ClassVar[int]
    PRESET_FIELD_NUMBER: _ClassVar[int]
    RETRY_INFO_FIELD_NUMBER: _ClassVar[int]
    max_attempts: int
    codes: _containers.RepeatedScalarFieldContainer[str]
    backoff: Backoff
    budget: Budget
    only_idempotent: bool
    throttle: RetryThrottle
    classes: _containers.RepeatedCompositeFieldContainer[RetryClass]
    preset: RetryPreset
    retry_info: bool
    def __init__(self, max_attempts: _Optional[int] = ..., codes: _Optional[_Iterable[str]] = ..., backoff: _Optional[_Union[Backoff, _Mapping]] = ..., budget: _Optional[_Union[Budget, _Mapping]] = ..., only_idempotent: _Optional[bool] = ..., throttle: _Optional[_Union[RetryThrottle, _Mapping]] = ..., classes: _Optional[_Iterable[_Union[RetryClass, _Mapping]]] = ..., preset: _Optional[_Union[RetryPreset, str]] = ..., retry_info: _Optional[bool] = ...) -> None: ...

class RetryThrottle(_message.Message):
    __slots__ = ("max_tokens", "token_ratio")
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_RATIO_FIELD_NUMBER: _ClassVar[int]
    max_tokens: float
    token_ratio: float
    def __init__(self, max_tokens: _Optional[float] = ..., token_ratio: _Optional[float] = ...) -> None: ...

class RetryClass(_message.Message):
    __slots__ = ("name", "codes", "reasons", "category", "max_attempts", "backoff")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CODES_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    BACKOFF_FIELD_NUMBER: _ClassVar[int]
    name: str
    codes: _containers.RepeatedScalarFieldContainer[str]
    reasons: _containers.RepeatedScalarFieldContainer[str]
    category: Category
    max_attempts: int
    backoff: Backoff
    def __init__(self, name: _Optional[str] = ..., codes: _Optional[_Iterable[str]] = ..., reasons: _Optional[_Iterable[str]] = ..., category: _Optional[_Union[Category, str]] = ..., max_attempts: _Optional[int] = ..., backoff: _Optional[_Union[Backoff, _Mapping]] = ...) -> None: ...

class Backoff(_message.Message):
    __slots__ = ("kind", "initial", "multiplier", "max", "jitter", "jitter_kind")
    KIND_FIELD_NUMBER: _ClassVar[int]
    INITIAL_FIELD_NUMBER: _ClassVar[int]
    MULTIPLIER_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    JITTER_FIELD_NUMBER: _ClassVar[int]
    JITTER_KIND_FIELD_NUMBER: _ClassVar[int]
    kind: BackoffKind
    initial: _duration_pb2.Duration
    multiplier: float
    max: _duration_pb2.Duration
    jitter: float
    jitter_kind: JitterKind
    def __init__(self, kind: _Optional[_Union[BackoffKind, str]] = ..., initial: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., multiplier: _Optional[float] = ..., max: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., jitter: _Optional[float] = ..., jitter_kind: _Optional[_Union[JitterKind, str]] = ...) -> None: ...

class Budget(_message.Message):
    __slots__ = ("percent", "min_per_second", "interval", "kind", "min_concurrent")
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    MIN_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MIN_CONCURRENT_FIELD_NUMBER: _ClassVar[int]
    percent: float
    min_per_second: float
    interval: _duration_pb2.Duration
    kind: BudgetKind
    min_concurrent: int
    def __init__(self, percent: _Optional[float] = ..., min_per_second: _Optional[float] = ..., interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., kind: _Optional[_Union[BudgetKind, str]] = ..., min_concurrent: _Optional[int] = ...) -> None: ...

class Breaker(_message.Message):
    __slots__ = ("window", "min_calls", "failure_rate", "consecutive", "slow_call", "open_for", "open_multiplier", "open_for_max", "half_open_calls", "success_threshold", "failure_codes", "mode", "half_open_timeout", "open_jitter", "per", "ramp")
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
    OPEN_JITTER_FIELD_NUMBER: _ClassVar[int]
    PER_FIELD_NUMBER: _ClassVar[int]
    RAMP_FIELD_NUMBER: _ClassVar[int]
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
    open_jitter: float
    per: BreakerScope
    ramp: BreakerRamp
    def __init__(self, window: _Optional[_Union[Window, _Mapping]] = ..., min_calls: _Optional[int] = ..., failure_rate: _Optional[float] = ..., consecutive: _Optional[int] = ..., slow_call: _Optional[_Union[SlowCall, _Mapping]] = ..., open_for: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., open_multiplier: _Optional[float] = ..., open_for_max: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., half_open_calls: _Optional[int] = ..., success_threshold: _Optional[int] = ..., failure_codes: _Optional[_Iterable[str]] = ..., mode: _Optional[_Union[BreakerMode, str]] = ..., half_open_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., open_jitter: _Optional[float] = ..., per: _Optional[_Union[BreakerScope, str]] = ..., ramp: _Optional[_Union[BreakerRamp, _Mapping]] = ...) -> None: ...

class BreakerRamp(_message.Message):
    __slots__ = ("duration",)
    DURATION_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    duration: _duration_pb2.Duration
    def __init__(self, duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., **kwargs) -> None: ...

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
    __slots__ = ("when", "cluster", "static", "last_good", "empty", "method", "mode")
    WHEN_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    STATIC_FIELD_NUMBER: _ClassVar[int]
    LAST_GOOD_FIELD_NUMBER: _ClassVar[int]
    EMPTY_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    when: _containers.RepeatedScalarFieldContainer[str]
    cluster: str
    static: StaticResponse
    last_good: LastGood
    empty: bool
    method: str
    mode: Mode
    def __init__(self, when: _Optional[_Iterable[str]] = ..., cluster: _Optional[str] = ..., static: _Optional[_Union[StaticResponse, _Mapping]] = ..., last_good: _Optional[_Union[LastGood, _Mapping]] = ..., empty: _Optional[bool] = ..., method: _Optional[str] = ..., mode: _Optional[_Union[Mode, str]] = ...) -> None: ...

class LastGood(_message.Message):
    __slots__ = ("max_age", "key", "max_entries", "memory", "shared")
    MAX_AGE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    MAX_ENTRIES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    SHARED_FIELD_NUMBER: _ClassVar[int]
    max_age: _duration_pb2.Duration
    key: _containers.RepeatedScalarFieldContainer[str]
    max_entries: int
    memory: int
    shared: bool
    def __init__(self, max_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., key: _Optional[_Iterable[str]] = ..., max_entries: _Optional[int] = ..., memory: _Optional[int] = ..., shared: _Optional[bool] = ...) -> None: ...

class StaticResponse(_message.Message):
    __slots__ = ("json",)
    JSON_FIELD_NUMBER: _ClassVar[int]
    json: _struct_pb2.Value
    def __init__(self, json: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...

class Classify(_message.Message):
    __slots__ = ("code", "category", "strategy", "reason", "domain", "message", "phase")
    CODE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    code: str
    category: Category
    strategy: Strategy
    reason: str
    domain: str
    message: str
    phase: Phase
    def __init__(self, code: _Optional[str] = ..., category: _Optional[_Union[Category, str]] = ..., strategy: _Optional[_Union[Strategy, str]] = ..., reason: _Optional[str] = ..., domain: _Optional[str] = ..., message: _Optional[str] = ..., phase: _Optional[_Union[Phase, str]] = ...) -> None: ...

class Route(_message.Message):
    __slots__ = ("name", "match", "cluster", "backends", "policy", "idempotent", "headers", "mirror", "shadow_policy", "optional")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MATCH_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    BACKENDS_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENT_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    MIRROR_FIELD_NUMBER: _ClassVar[int]
    SHADOW_POLICY_FIELD_NUMBER: _ClassVar[int]
    OPTIONAL_FIELD_NUMBER: _ClassVar[int]
    name: str
    match: RouteMatch
    cluster: str
    backends: _containers.RepeatedCompositeFieldContainer[Backend]
    policy: str
    idempotent: bool
    headers: RouteHeaders
    mirror: _containers.RepeatedCompositeFieldContainer[Mirror]
    shadow_policy: str
    optional: bool
    def __init__(self, name: _Optional[str] = ..., match: _Optional[_Union[RouteMatch, _Mapping]] = ..., cluster: _Optional[str] = ..., backends: _Optional[_Iterable[_Union[Backend, _Mapping]]] = ..., policy: _Optional[str] = ..., idempotent: _Optional[bool] = ..., headers: _Optional[_Union[RouteHeaders, _Mapping]] = ..., mirror: _Optional[_Iterable[_Union[Mirror, _Mapping]]] = ..., shadow_policy: _Optional[str] = ..., optional: _Optional[bool] = ...) -> None: ...

class RouteHeaders(_message.Message):
    __slots__ = ("request", "response")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    request: HeaderChange
    response: HeaderChange
    def __init__(self, request: _Optional[_Union[HeaderChange, _Mapping]] = ..., response: _Optional[_Union[HeaderChange, _Mapping]] = ...) -> None: ...

class HeaderChange(_message.Message):
    __slots__ = ("set", "add", "remove")
    class SetEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class AddEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SET_FIELD_NUMBER: _ClassVar[int]
    ADD_FIELD_NUMBER: _ClassVar[int]
    REMOVE_FIELD_NUMBER: _ClassVar[int]
    set: _containers.ScalarMap[str, str]
    add: _containers.ScalarMap[str, str]
    remove: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, set: _Optional[_Mapping[str, str]] = ..., add: _Optional[_Mapping[str, str]] = ..., remove: _Optional[_Iterable[str]] = ...) -> None: ...

class Mirror(_message.Message):
    __slots__ = ("cluster", "percent")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    percent: float
    def __init__(self, cluster: _Optional[str] = ..., percent: _Optional[float] = ...) -> None: ...

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
    __slots__ = ("target", "node", "labels", "policy_set", "enrol_token_file", "enrol_target", "identity_dir", "token_file", "tls")
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
    ENROL_TOKEN_FILE_FIELD_NUMBER: _ClassVar[int]
    ENROL_TARGET_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_DIR_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FILE_FIELD_NUMBER: _ClassVar[int]
    TLS_FIELD_NUMBER: _ClassVar[int]
    target: str
    node: str
    labels: _containers.ScalarMap[str, str]
    policy_set: str
    enrol_token_file: str
    enrol_target: str
    identity_dir: str
    token_file: str
    tls: ControlTls
    def __init__(self, target: _Optional[str] = ..., node: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., policy_set: _Optional[str] = ..., enrol_token_file: _Optional[str] = ..., enrol_target: _Optional[str] = ..., identity_dir: _Optional[str] = ..., token_file: _Optional[str] = ..., tls: _Optional[_Union[ControlTls, _Mapping]] = ...) -> None: ...

class ControlTls(_message.Message):
    __slots__ = ("ca_file", "cert_file", "key_file", "server_name")
    CA_FILE_FIELD_NUMBER: _ClassVar[int]
    CERT_FILE_FIELD_NUMBER: _ClassVar[int]
    KEY_FILE_FIELD_NUMBER: _ClassVar[int]
    SERVER_NAME_FIELD_NUMBER: _ClassVar[int]
    ca_file: str
    cert_file: str
    key_file: str
    server_name: str
    def __init__(self, ca_file: _Optional[str] = ..., cert_file: _Optional[str] = ..., key_file: _Optional[str] = ..., server_name: _Optional[str] = ...) -> None: ...
