import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from seawall.v1 import fleet_pb2 as _fleet_pb2
from seawall.v1 import options_pb2 as _options_pb2
from seawall.v1 import stats_pb2 as _stats_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Proxy(_message.Message):
    __slots__ = ("node", "labels", "version", "connected", "last_seen", "start_time", "policy_set", "applied_revision", "policy_source", "events_produced", "events_dropped", "connections", "endpoints", "admin_address", "drifted", "spool", "control_plane", "stale")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NODE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    APPLIED_REVISION_FIELD_NUMBER: _ClassVar[int]
    POLICY_SOURCE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_PRODUCED_FIELD_NUMBER: _ClassVar[int]
    EVENTS_DROPPED_FIELD_NUMBER: _ClassVar[int]
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    ADMIN_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    DRIFTED_FIELD_NUMBER: _ClassVar[int]
    SPOOL_FIELD_NUMBER: _ClassVar[int]
    CONTROL_PLANE_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    node: str
    labels: _containers.ScalarMap[str, str]
    version: str
    connected: bool
    last_seen: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    policy_set: str
    applied_revision: int
    policy_source: str
    events_produced: int
    events_dropped: int
    connections: int
    endpoints: _containers.RepeatedCompositeFieldContainer[_fleet_pb2.EndpointStatus]
    admin_address: str
    drifted: bool
    spool: _fleet_pb2.SpoolStatus
    control_plane: str
    stale: bool
    def __init__(self, node: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., version: _Optional[str] = ..., connected: _Optional[bool] = ..., last_seen: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., policy_set: _Optional[str] = ..., applied_revision: _Optional[int] = ..., policy_source: _Optional[str] = ..., events_produced: _Optional[int] = ..., events_dropped: _Optional[int] = ..., connections: _Optional[int] = ..., endpoints: _Optional[_Iterable[_Union[_fleet_pb2.EndpointStatus, _Mapping]]] = ..., admin_address: _Optional[str] = ..., drifted: _Optional[bool] = ..., spool: _Optional[_Union[_fleet_pb2.SpoolStatus, _Mapping]] = ..., control_plane: _Optional[str] = ..., stale: _Optional[bool] = ...) -> None: ...

class ListProxiesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListProxiesResponse(_message.Message):
    __slots__ = ("proxies", "next_page_token")
    PROXIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    proxies: _containers.RepeatedCompositeFieldContainer[Proxy]
    next_page_token: str
    def __init__(self, proxies: _Optional[_Iterable[_Union[Proxy, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetProxyRequest(_message.Message):
    __slots__ = ("node",)
    NODE_FIELD_NUMBER: _ClassVar[int]
    node: str
    def __init__(self, node: _Optional[str] = ...) -> None: ...

class GetProxyResponse(_message.Message):
    __slots__ = ("proxy",)
    PROXY_FIELD_NUMBER: _ClassVar[int]
    proxy: Proxy
    def __init__(self, proxy: _Optional[_Union[Proxy, _Mapping]] = ...) -> None: ...

class ListRouteStatsRequest(_message.Message):
    __slots__ = ("proxy", "window", "page_size", "page_token")
    PROXY_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    proxy: str
    window: _duration_pb2.Duration
    page_size: int
    page_token: str
    def __init__(self, proxy: _Optional[str] = ..., window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRouteStatsResponse(_message.Message):
    __slots__ = ("routes", "next_page_token")
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    routes: _containers.RepeatedCompositeFieldContainer[_stats_pb2.RouteStats]
    next_page_token: str
    def __init__(self, routes: _Optional[_Iterable[_Union[_stats_pb2.RouteStats, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListClusterStatsRequest(_message.Message):
    __slots__ = ("proxy", "page_size", "page_token")
    PROXY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    proxy: str
    page_size: int
    page_token: str
    def __init__(self, proxy: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListClusterStatsResponse(_message.Message):
    __slots__ = ("clusters", "next_page_token")
    CLUSTERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    clusters: _containers.RepeatedCompositeFieldContainer[_stats_pb2.ClusterStats]
    next_page_token: str
    def __init__(self, clusters: _Optional[_Iterable[_Union[_stats_pb2.ClusterStats, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListBreakersRequest(_message.Message):
    __slots__ = ("proxy", "page_size", "page_token")
    PROXY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    proxy: str
    page_size: int
    page_token: str
    def __init__(self, proxy: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListBreakersResponse(_message.Message):
    __slots__ = ("breakers", "next_page_token")
    BREAKERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    breakers: _containers.RepeatedCompositeFieldContainer[_stats_pb2.BreakerStatus]
    next_page_token: str
    def __init__(self, breakers: _Optional[_Iterable[_Union[_stats_pb2.BreakerStatus, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ResetBreakerRequest(_message.Message):
    __slots__ = ("breaker", "proxy", "reason", "actor", "request_id", "validate_only")
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    PROXY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    breaker: str
    proxy: str
    reason: str
    actor: str
    request_id: str
    validate_only: bool
    def __init__(self, breaker: _Optional[str] = ..., proxy: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class ResetBreakerResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[ProxyCommandResult]
    def __init__(self, results: _Optional[_Iterable[_Union[ProxyCommandResult, _Mapping]]] = ...) -> None: ...

class TripBreakerRequest(_message.Message):
    __slots__ = ("breaker", "proxy", "duration", "reason", "actor", "request_id", "validate_only")
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    PROXY_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    breaker: str
    proxy: str
    duration: _duration_pb2.Duration
    reason: str
    actor: str
    request_id: str
    validate_only: bool
    def __init__(self, breaker: _Optional[str] = ..., proxy: _Optional[str] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class TripBreakerResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[ProxyCommandResult]
    def __init__(self, results: _Optional[_Iterable[_Union[ProxyCommandResult, _Mapping]]] = ...) -> None: ...

class HoldBreakerRequest(_message.Message):
    __slots__ = ("breaker", "proxy", "state", "duration", "reason", "actor", "request_id", "validate_only")
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    PROXY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    breaker: str
    proxy: str
    state: _stats_pb2.BreakerState
    duration: _duration_pb2.Duration
    reason: str
    actor: str
    request_id: str
    validate_only: bool
    def __init__(self, breaker: _Optional[str] = ..., proxy: _Optional[str] = ..., state: _Optional[_Union[_stats_pb2.BreakerState, str]] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class HoldBreakerResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[ProxyCommandResult]
    def __init__(self, results: _Optional[_Iterable[_Union[ProxyCommandResult, _Mapping]]] = ...) -> None: ...

class ProxyCommandResult(_message.Message):
    __slots__ = ("proxy", "ok", "message")
    PROXY_FIELD_NUMBER: _ClassVar[int]
    OK_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    proxy: str
    ok: bool
    message: str
    def __init__(self, proxy: _Optional[str] = ..., ok: _Optional[bool] = ..., message: _Optional[str] = ...) -> None: ...

class GetSystemHealthRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetSystemHealthResponse(_message.Message):
    __slots__ = ("status", "components", "version", "uptime")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    COMPONENTS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    UPTIME_FIELD_NUMBER: _ClassVar[int]
    status: str
    components: _containers.RepeatedCompositeFieldContainer[ComponentHealth]
    version: str
    uptime: _duration_pb2.Duration
    def __init__(self, status: _Optional[str] = ..., components: _Optional[_Iterable[_Union[ComponentHealth, _Mapping]]] = ..., version: _Optional[str] = ..., uptime: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ComponentHealth(_message.Message):
    __slots__ = ("name", "status", "message")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    name: str
    status: str
    message: str
    def __init__(self, name: _Optional[str] = ..., status: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...
