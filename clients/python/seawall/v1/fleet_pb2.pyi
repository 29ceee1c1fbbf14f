import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from seawall.v1 import event_pb2 as _event_pb2
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

class PolicyVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    POLICY_VERDICT_UNSPECIFIED: _ClassVar[PolicyVerdict]
    POLICY_VERDICT_ACK: _ClassVar[PolicyVerdict]
    POLICY_VERDICT_NACK: _ClassVar[PolicyVerdict]
POLICY_VERDICT_UNSPECIFIED: PolicyVerdict
POLICY_VERDICT_ACK: PolicyVerdict
POLICY_VERDICT_NACK: PolicyVerdict

class ConnectRequest(_message.Message):
    __slots__ = ("hello", "policy_result", "events", "stats", "command_result", "goodbye", "spool_position")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    POLICY_RESULT_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    STATS_FIELD_NUMBER: _ClassVar[int]
    COMMAND_RESULT_FIELD_NUMBER: _ClassVar[int]
    GOODBYE_FIELD_NUMBER: _ClassVar[int]
    SPOOL_POSITION_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    policy_result: PolicyResult
    events: EventBatch
    stats: StatsReport
    command_result: CommandResult
    goodbye: Goodbye
    spool_position: SpoolPosition
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., policy_result: _Optional[_Union[PolicyResult, _Mapping]] = ..., events: _Optional[_Union[EventBatch, _Mapping]] = ..., stats: _Optional[_Union[StatsReport, _Mapping]] = ..., command_result: _Optional[_Union[CommandResult, _Mapping]] = ..., goodbye: _Optional[_Union[Goodbye, _Mapping]] = ..., spool_position: _Optional[_Union[SpoolPosition, _Mapping]] = ...) -> None: ...

class ConnectResponse(_message.Message):
    __slots__ = ("welcome", "policy", "event_ack", "command")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    EVENT_ACK_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    policy: PolicyPush
    event_ack: EventAck
    command: Command
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., policy: _Optional[_Union[PolicyPush, _Mapping]] = ..., event_ack: _Optional[_Union[EventAck, _Mapping]] = ..., command: _Optional[_Union[Command, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("node", "labels", "boot_id", "version", "policy_set", "applied_revision", "applied_hash", "policy_source", "start_time", "schema_version", "admin_address", "says_goodbye")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NODE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    APPLIED_REVISION_FIELD_NUMBER: _ClassVar[int]
    APPLIED_HASH_FIELD_NUMBER: _ClassVar[int]
    POLICY_SOURCE_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    ADMIN_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SAYS_GOODBYE_FIELD_NUMBER: _ClassVar[int]
    node: str
    labels: _containers.ScalarMap[str, str]
    boot_id: str
    version: str
    policy_set: str
    applied_revision: int
    applied_hash: str
    policy_source: str
    start_time: _timestamp_pb2.Timestamp
    schema_version: int
    admin_address: str
    says_goodbye: bool
    def __init__(self, node: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., boot_id: _Optional[str] = ..., version: _Optional[str] = ..., policy_set: _Optional[str] = ..., applied_revision: _Optional[int] = ..., applied_hash: _Optional[str] = ..., policy_source: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., schema_version: _Optional[int] = ..., admin_address: _Optional[str] = ..., says_goodbye: _Optional[bool] = ...) -> None: ...

class Goodbye(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("version", "latest_revision", "stats_interval")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LATEST_REVISION_FIELD_NUMBER: _ClassVar[int]
    STATS_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    version: str
    latest_revision: int
    stats_interval: _duration_pb2.Duration
    def __init__(self, version: _Optional[str] = ..., latest_revision: _Optional[int] = ..., stats_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class PolicyPush(_message.Message):
    __slots__ = ("nonce", "revision", "hash", "document")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    nonce: int
    revision: int
    hash: str
    document: _policy_pb2.PolicyDocument
    def __init__(self, nonce: _Optional[int] = ..., revision: _Optional[int] = ..., hash: _Optional[str] = ..., document: _Optional[_Union[_policy_pb2.PolicyDocument, _Mapping]] = ...) -> None: ...

class PolicyResult(_message.Message):
    __slots__ = ("nonce", "revision", "verdict", "reasons", "applied_revision", "applied_hash", "apply_duration")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    APPLIED_REVISION_FIELD_NUMBER: _ClassVar[int]
    APPLIED_HASH_FIELD_NUMBER: _ClassVar[int]
    APPLY_DURATION_FIELD_NUMBER: _ClassVar[int]
    nonce: int
    revision: int
    verdict: PolicyVerdict
    reasons: _containers.RepeatedScalarFieldContainer[str]
    applied_revision: int
    applied_hash: str
    apply_duration: _duration_pb2.Duration
    def __init__(self, nonce: _Optional[int] = ..., revision: _Optional[int] = ..., verdict: _Optional[_Union[PolicyVerdict, str]] = ..., reasons: _Optional[_Iterable[str]] = ..., applied_revision: _Optional[int] = ..., applied_hash: _Optional[str] = ..., apply_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class EventBatch(_message.Message):
    __slots__ = ("spool_id", "events", "gaps", "oldest_seq")
    SPOOL_ID_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    GAPS_FIELD_NUMBER: _ClassVar[int]
    OLDEST_SEQ_FIELD_NUMBER: _ClassVar[int]
    spool_id: str
    events: _containers.RepeatedCompositeFieldContainer[SequencedEvent]
    gaps: _containers.RepeatedCompositeFieldContainer[EventGap]
    oldest_seq: int
    def __init__(self, spool_id: _Optional[str] = ..., events: _Optional[_Iterable[_Union[SequencedEvent, _Mapping]]] = ..., gaps: _Optional[_Iterable[_Union[EventGap, _Mapping]]] = ..., oldest_seq: _Optional[int] = ...) -> None: ...

class SpoolPosition(_message.Message):
    __slots__ = ("spool_id", "oldest_seq", "next_seq")
    SPOOL_ID_FIELD_NUMBER: _ClassVar[int]
    OLDEST_SEQ_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQ_FIELD_NUMBER: _ClassVar[int]
    spool_id: str
    oldest_seq: int
    next_seq: int
    def __init__(self, spool_id: _Optional[str] = ..., oldest_seq: _Optional[int] = ..., next_seq: _Optional[int] = ...) -> None: ...

class SequencedEvent(_message.Message):
    __slots__ = ("seq", "event")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    seq: int
    event: _event_pb2.ErrorEvent
    def __init__(self, seq: _Optional[int] = ..., event: _Optional[_Union[_event_pb2.ErrorEvent, _Mapping]] = ...) -> None: ...

class EventGap(_message.Message):
    __slots__ = ("from_seq", "to_seq", "reason")
    FROM_SEQ_FIELD_NUMBER: _ClassVar[int]
    TO_SEQ_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    from_seq: int
    to_seq: int
    reason: str
    def __init__(self, from_seq: _Optional[int] = ..., to_seq: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class EventAck(_message.Message):
    __slots__ = ("spool_id", "through_seq", "refusals", "send_from_seq")
    SPOOL_ID_FIELD_NUMBER: _ClassVar[int]
    THROUGH_SEQ_FIELD_NUMBER: _ClassVar[int]
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    SEND_FROM_SEQ_FIELD_NUMBER: _ClassVar[int]
    spool_id: str
    through_seq: int
    refusals: _containers.RepeatedCompositeFieldContainer[EventRefusal]
    send_from_seq: int
    def __init__(self, spool_id: _Optional[str] = ..., through_seq: _Optional[int] = ..., refusals: _Optional[_Iterable[_Union[EventRefusal, _Mapping]]] = ..., send_from_seq: _Optional[int] = ...) -> None: ...

class EventRefusal(_message.Message):
    __slots__ = ("seq", "reason")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    seq: int
    reason: str
    def __init__(self, seq: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class StatsReport(_message.Message):
    __slots__ = ("at", "routes", "breakers", "events_produced", "events_dropped", "connections", "endpoints", "clusters", "spool", "methods")
    AT_FIELD_NUMBER: _ClassVar[int]
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    BREAKERS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_PRODUCED_FIELD_NUMBER: _ClassVar[int]
    EVENTS_DROPPED_FIELD_NUMBER: _ClassVar[int]
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    CLUSTERS_FIELD_NUMBER: _ClassVar[int]
    SPOOL_FIELD_NUMBER: _ClassVar[int]
    METHODS_FIELD_NUMBER: _ClassVar[int]
    at: _timestamp_pb2.Timestamp
    routes: _containers.RepeatedCompositeFieldContainer[_stats_pb2.RouteCounters]
    breakers: _containers.RepeatedCompositeFieldContainer[_stats_pb2.BreakerStatus]
    events_produced: int
    events_dropped: int
    connections: int
    endpoints: _containers.RepeatedCompositeFieldContainer[EndpointStatus]
    clusters: _containers.RepeatedCompositeFieldContainer[_stats_pb2.ClusterCounters]
    spool: SpoolStatus
    methods: _containers.RepeatedCompositeFieldContainer[_stats_pb2.MethodCounters]
    def __init__(self, at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., routes: _Optional[_Iterable[_Union[_stats_pb2.RouteCounters, _Mapping]]] = ..., breakers: _Optional[_Iterable[_Union[_stats_pb2.BreakerStatus, _Mapping]]] = ..., events_produced: _Optional[int] = ..., events_dropped: _Optional[int] = ..., connections: _Optional[int] = ..., endpoints: _Optional[_Iterable[_Union[EndpointStatus, _Mapping]]] = ..., clusters: _Optional[_Iterable[_Union[_stats_pb2.ClusterCounters, _Mapping]]] = ..., spool: _Optional[_Union[SpoolStatus, _Mapping]] = ..., methods: _Optional[_Iterable[_Union[_stats_pb2.MethodCounters, _Mapping]]] = ...) -> None: ...

class SpoolStatus(_message.Message):
    __slots__ = ("depth", "bytes", "oldest_age", "dropped", "degraded", "problem", "max_bytes")
    class DroppedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    OLDEST_AGE_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    depth: int
    bytes: int
    oldest_age: _duration_pb2.Duration
    dropped: _containers.ScalarMap[str, int]
    degraded: bool
    problem: str
    max_bytes: int
    def __init__(self, depth: _Optional[int] = ..., bytes: _Optional[int] = ..., oldest_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., dropped: _Optional[_Mapping[str, int]] = ..., degraded: _Optional[bool] = ..., problem: _Optional[str] = ..., max_bytes: _Optional[int] = ...) -> None: ...

class EndpointStatus(_message.Message):
    __slots__ = ("cluster", "address", "state", "in_flight", "last_error", "health", "zone", "priority", "weight", "latency", "outlier", "outlier_reason")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    OUTLIER_FIELD_NUMBER: _ClassVar[int]
    OUTLIER_REASON_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    address: str
    state: str
    in_flight: int
    last_error: str
    health: str
    zone: str
    priority: int
    weight: int
    latency: _duration_pb2.Duration
    outlier: str
    outlier_reason: str
    def __init__(self, cluster: _Optional[str] = ..., address: _Optional[str] = ..., state: _Optional[str] = ..., in_flight: _Optional[int] = ..., last_error: _Optional[str] = ..., health: _Optional[str] = ..., zone: _Optional[str] = ..., priority: _Optional[int] = ..., weight: _Optional[int] = ..., latency: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., outlier: _Optional[str] = ..., outlier_reason: _Optional[str] = ...) -> None: ...

class Command(_message.Message):
    __slots__ = ("id", "reset_breaker", "trip_breaker", "hold_breaker", "start_fault", "stop_fault", "drain", "undrain")
    ID_FIELD_NUMBER: _ClassVar[int]
    RESET_BREAKER_FIELD_NUMBER: _ClassVar[int]
    TRIP_BREAKER_FIELD_NUMBER: _ClassVar[int]
    HOLD_BREAKER_FIELD_NUMBER: _ClassVar[int]
    START_FAULT_FIELD_NUMBER: _ClassVar[int]
    STOP_FAULT_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    UNDRAIN_FIELD_NUMBER: _ClassVar[int]
    id: str
    reset_breaker: ResetBreakerCommand
    trip_breaker: TripBreakerCommand
    hold_breaker: HoldBreakerCommand
    start_fault: StartFaultCommand
    stop_fault: StopFaultCommand
    drain: DrainCommand
    undrain: UndrainCommand
    def __init__(self, id: _Optional[str] = ..., reset_breaker: _Optional[_Union[ResetBreakerCommand, _Mapping]] = ..., trip_breaker: _Optional[_Union[TripBreakerCommand, _Mapping]] = ..., hold_breaker: _Optional[_Union[HoldBreakerCommand, _Mapping]] = ..., start_fault: _Optional[_Union[StartFaultCommand, _Mapping]] = ..., stop_fault: _Optional[_Union[StopFaultCommand, _Mapping]] = ..., drain: _Optional[_Union[DrainCommand, _Mapping]] = ..., undrain: _Optional[_Union[UndrainCommand, _Mapping]] = ...) -> None: ...

class ResetBreakerCommand(_message.Message):
    __slots__ = ("breaker", "reason", "actor")
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    breaker: str
    reason: str
    actor: str
    def __init__(self, breaker: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class TripBreakerCommand(_message.Message):
    __slots__ = ("breaker", "duration", "reason", "actor")
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    breaker: str
    duration: _duration_pb2.Duration
    reason: str
    actor: str
    def __init__(self, breaker: _Optional[str] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class HoldBreakerCommand(_message.Message):
    __slots__ = ("breaker", "state", "duration", "reason", "actor")
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    breaker: str
    state: _stats_pb2.BreakerState
    duration: _duration_pb2.Duration
    reason: str
    actor: str
    def __init__(self, breaker: _Optional[str] = ..., state: _Optional[_Union[_stats_pb2.BreakerState, str]] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class StartFaultCommand(_message.Message):
    __slots__ = ("route", "fault", "duration", "reason", "actor")
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    route: str
    fault: _policy_pb2.Fault
    duration: _duration_pb2.Duration
    reason: str
    actor: str
    def __init__(self, route: _Optional[str] = ..., fault: _Optional[_Union[_policy_pb2.Fault, _Mapping]] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class StopFaultCommand(_message.Message):
    __slots__ = ("route", "reason", "actor")
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    route: str
    reason: str
    actor: str
    def __init__(self, route: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class DrainCommand(_message.Message):
    __slots__ = ("cluster", "address", "duration", "reason", "actor")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    address: str
    duration: _duration_pb2.Duration
    reason: str
    actor: str
    def __init__(self, cluster: _Optional[str] = ..., address: _Optional[str] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class UndrainCommand(_message.Message):
    __slots__ = ("cluster", "address", "reason", "actor")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    address: str
    reason: str
    actor: str
    def __init__(self, cluster: _Optional[str] = ..., address: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class CommandResult(_message.Message):
    __slots__ = ("id", "ok", "message")
    ID_FIELD_NUMBER: _ClassVar[int]
    OK_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    id: str
    ok: bool
    message: str
    def __init__(self, id: _Optional[str] = ..., ok: _Optional[bool] = ..., message: _Optional[str] = ...) -> None: ...
