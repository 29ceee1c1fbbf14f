import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from seawall.v1 import admin_healing_pb2 as _admin_healing_pb2
from seawall.v1 import admin_policies_pb2 as _admin_policies_pb2
from seawall.v1 import event_pb2 as _event_pb2
from seawall.v1 import options_pb2 as _options_pb2
from seawall.v1 import policy_pb2 as _policy_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetAnalysisRequest(_message.Message):
    __slots__ = ("window",)
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    window: _duration_pb2.Duration
    def __init__(self, window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Share(_message.Message):
    __slots__ = ("name", "events", "share")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    name: str
    events: int
    share: float
    def __init__(self, name: _Optional[str] = ..., events: _Optional[int] = ..., share: _Optional[float] = ...) -> None: ...

class TrendPoint(_message.Message):
    __slots__ = ("start", "events")
    START_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    start: _timestamp_pb2.Timestamp
    events: int
    def __init__(self, start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., events: _Optional[int] = ...) -> None: ...

class Anomaly(_message.Message):
    __slots__ = ("kind", "subject", "severity", "value", "threshold", "text", "at")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    kind: str
    subject: str
    severity: _event_pb2.Severity
    value: float
    threshold: float
    text: str
    at: _timestamp_pb2.Timestamp
    def __init__(self, kind: _Optional[str] = ..., subject: _Optional[str] = ..., severity: _Optional[_Union[_event_pb2.Severity, str]] = ..., value: _Optional[float] = ..., threshold: _Optional[float] = ..., text: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class OpenBreaker(_message.Message):
    __slots__ = ("name", "proxy", "state")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROXY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    name: str
    proxy: str
    state: str
    def __init__(self, name: _Optional[str] = ..., proxy: _Optional[str] = ..., state: _Optional[str] = ...) -> None: ...

class GetAnalysisResponse(_message.Message):
    __slots__ = ("start", "end", "total_events", "events_per_minute", "events_before", "by_category", "by_severity", "by_code", "top_routes", "top_methods", "trend", "bucket", "anomalies", "recommendations", "open_breakers", "resolution_rate", "recovery_rate", "error_rate", "top_components", "mean_time_to_resolve")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    TOTAL_EVENTS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_BEFORE_FIELD_NUMBER: _ClassVar[int]
    BY_CATEGORY_FIELD_NUMBER: _ClassVar[int]
    BY_SEVERITY_FIELD_NUMBER: _ClassVar[int]
    BY_CODE_FIELD_NUMBER: _ClassVar[int]
    TOP_ROUTES_FIELD_NUMBER: _ClassVar[int]
    TOP_METHODS_FIELD_NUMBER: _ClassVar[int]
    TREND_FIELD_NUMBER: _ClassVar[int]
    BUCKET_FIELD_NUMBER: _ClassVar[int]
    ANOMALIES_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDATIONS_FIELD_NUMBER: _ClassVar[int]
    OPEN_BREAKERS_FIELD_NUMBER: _ClassVar[int]
    RESOLUTION_RATE_FIELD_NUMBER: _ClassVar[int]
    RECOVERY_RATE_FIELD_NUMBER: _ClassVar[int]
    ERROR_RATE_FIELD_NUMBER: _ClassVar[int]
    TOP_COMPONENTS_FIELD_NUMBER: _ClassVar[int]
    MEAN_TIME_TO_RESOLVE_FIELD_NUMBER: _ClassVar[int]
    start: _timestamp_pb2.Timestamp
    end: _timestamp_pb2.Timestamp
    total_events: int
    events_per_minute: float
    events_before: int
    by_category: _containers.RepeatedCompositeFieldContainer[Share]
    by_severity: _containers.RepeatedCompositeFieldContainer[Share]
    by_code: _containers.RepeatedCompositeFieldContainer[Share]
    top_routes: _containers.RepeatedCompositeFieldContainer[Share]
    top_methods: _containers.RepeatedCompositeFieldContainer[Share]
    trend: _containers.RepeatedCompositeFieldContainer[TrendPoint]
    bucket: _duration_pb2.Duration
    anomalies: _containers.RepeatedCompositeFieldContainer[Anomaly]
    recommendations: _containers.RepeatedCompositeFieldContainer[Recommendation]
    open_breakers: _containers.RepeatedCompositeFieldContainer[OpenBreaker]
    resolution_rate: float
    recovery_rate: float
    error_rate: float
    top_components: _containers.RepeatedCompositeFieldContainer[Share]
    mean_time_to_resolve: _duration_pb2.Duration
    def __init__(self, start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., total_events: _Optional[int] = ..., events_per_minute: _Optional[float] = ..., events_before: _Optional[int] = ..., by_category: _Optional[_Iterable[_Union[Share, _Mapping]]] = ..., by_severity: _Optional[_Iterable[_Union[Share, _Mapping]]] = ..., by_code: _Optional[_Iterable[_Union[Share, _Mapping]]] = ..., top_routes: _Optional[_Iterable[_Union[Share, _Mapping]]] = ..., top_methods: _Optional[_Iterable[_Union[Share, _Mapping]]] = ..., trend: _Optional[_Iterable[_Union[TrendPoint, _Mapping]]] = ..., bucket: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., anomalies: _Optional[_Iterable[_Union[Anomaly, _Mapping]]] = ..., recommendations: _Optional[_Iterable[_Union[Recommendation, _Mapping]]] = ..., open_breakers: _Optional[_Iterable[_Union[OpenBreaker, _Mapping]]] = ..., resolution_rate: _Optional[float] = ..., recovery_rate: _Optional[float] = ..., error_rate: _Optional[float] = ..., top_components: _Optional[_Iterable[_Union[Share, _Mapping]]] = ..., mean_time_to_resolve: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class GetTrendRequest(_message.Message):
    __slots__ = ("window", "by", "route")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    window: _duration_pb2.Duration
    by: str
    route: str
    def __init__(self, window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., by: _Optional[str] = ..., route: _Optional[str] = ...) -> None: ...

class TrendSeries(_message.Message):
    __slots__ = ("name", "events")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    events: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, name: _Optional[str] = ..., events: _Optional[_Iterable[int]] = ...) -> None: ...

class GetTrendResponse(_message.Message):
    __slots__ = ("start", "bucket", "series")
    START_FIELD_NUMBER: _ClassVar[int]
    BUCKET_FIELD_NUMBER: _ClassVar[int]
    SERIES_FIELD_NUMBER: _ClassVar[int]
    start: _timestamp_pb2.Timestamp
    bucket: _duration_pb2.Duration
    series: _containers.RepeatedCompositeFieldContainer[TrendSeries]
    def __init__(self, start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., bucket: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., series: _Optional[_Iterable[_Union[TrendSeries, _Mapping]]] = ...) -> None: ...

class GetForecastRequest(_message.Message):
    __slots__ = ("route", "window", "ahead")
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    AHEAD_FIELD_NUMBER: _ClassVar[int]
    route: str
    window: _duration_pb2.Duration
    ahead: int
    def __init__(self, route: _Optional[str] = ..., window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., ahead: _Optional[int] = ...) -> None: ...

class ForecastPoint(_message.Message):
    __slots__ = ("start", "events", "low", "high")
    START_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    start: _timestamp_pb2.Timestamp
    events: float
    low: float
    high: float
    def __init__(self, start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., events: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ...) -> None: ...

class Exhaustion(_message.Message):
    __slots__ = ("resource", "used", "at")
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    resource: str
    used: float
    at: _timestamp_pb2.Timestamp
    def __init__(self, resource: _Optional[str] = ..., used: _Optional[float] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetForecastResponse(_message.Message):
    __slots__ = ("model", "points", "bucket", "exhaustions")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    BUCKET_FIELD_NUMBER: _ClassVar[int]
    EXHAUSTIONS_FIELD_NUMBER: _ClassVar[int]
    model: str
    points: _containers.RepeatedCompositeFieldContainer[ForecastPoint]
    bucket: _duration_pb2.Duration
    exhaustions: _containers.RepeatedCompositeFieldContainer[Exhaustion]
    def __init__(self, model: _Optional[str] = ..., points: _Optional[_Iterable[_Union[ForecastPoint, _Mapping]]] = ..., bucket: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., exhaustions: _Optional[_Iterable[_Union[Exhaustion, _Mapping]]] = ...) -> None: ...

class GetRecoveryReportRequest(_message.Message):
    __slots__ = ("window", "route")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    window: _duration_pb2.Duration
    route: str
    def __init__(self, window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., route: _Optional[str] = ...) -> None: ...

class RecoveryOfRoute(_message.Message):
    __slots__ = ("route", "failed", "rejected", "by_retry", "by_fallback", "recovered_share")
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    BY_RETRY_FIELD_NUMBER: _ClassVar[int]
    BY_FALLBACK_FIELD_NUMBER: _ClassVar[int]
    RECOVERED_SHARE_FIELD_NUMBER: _ClassVar[int]
    route: str
    failed: int
    rejected: int
    by_retry: int
    by_fallback: int
    recovered_share: float
    def __init__(self, route: _Optional[str] = ..., failed: _Optional[int] = ..., rejected: _Optional[int] = ..., by_retry: _Optional[int] = ..., by_fallback: _Optional[int] = ..., recovered_share: _Optional[float] = ...) -> None: ...

class RecoveredBy(_message.Message):
    __slots__ = ("mechanism", "troubled", "recovered", "open", "median", "longest")
    MECHANISM_FIELD_NUMBER: _ClassVar[int]
    TROUBLED_FIELD_NUMBER: _ClassVar[int]
    RECOVERED_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_FIELD_NUMBER: _ClassVar[int]
    LONGEST_FIELD_NUMBER: _ClassVar[int]
    mechanism: str
    troubled: int
    recovered: int
    open: int
    median: _duration_pb2.Duration
    longest: _duration_pb2.Duration
    def __init__(self, mechanism: _Optional[str] = ..., troubled: _Optional[int] = ..., recovered: _Optional[int] = ..., open: _Optional[int] = ..., median: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., longest: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RecoveryLately(_message.Message):
    __slots__ = ("retries", "recovered", "hedges", "hedges_won", "fallbacks", "failed", "success_rate")
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    RECOVERED_FIELD_NUMBER: _ClassVar[int]
    HEDGES_FIELD_NUMBER: _ClassVar[int]
    HEDGES_WON_FIELD_NUMBER: _ClassVar[int]
    FALLBACKS_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_RATE_FIELD_NUMBER: _ClassVar[int]
    retries: int
    recovered: int
    hedges: int
    hedges_won: int
    fallbacks: int
    failed: int
    success_rate: float
    def __init__(self, retries: _Optional[int] = ..., recovered: _Optional[int] = ..., hedges: _Optional[int] = ..., hedges_won: _Optional[int] = ..., fallbacks: _Optional[int] = ..., failed: _Optional[int] = ..., success_rate: _Optional[float] = ...) -> None: ...

class GetRecoveryReportResponse(_message.Message):
    __slots__ = ("start", "end", "total", "routes", "mechanisms", "healing", "lately", "whole")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    MECHANISMS_FIELD_NUMBER: _ClassVar[int]
    HEALING_FIELD_NUMBER: _ClassVar[int]
    LATELY_FIELD_NUMBER: _ClassVar[int]
    WHOLE_FIELD_NUMBER: _ClassVar[int]
    start: _timestamp_pb2.Timestamp
    end: _timestamp_pb2.Timestamp
    total: RecoveryOfRoute
    routes: _containers.RepeatedCompositeFieldContainer[RecoveryOfRoute]
    mechanisms: _containers.RepeatedCompositeFieldContainer[RecoveredBy]
    healing: _containers.RepeatedCompositeFieldContainer[_admin_healing_pb2.HealingCount]
    lately: RecoveryLately
    whole: bool
    def __init__(self, start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., total: _Optional[_Union[RecoveryOfRoute, _Mapping]] = ..., routes: _Optional[_Iterable[_Union[RecoveryOfRoute, _Mapping]]] = ..., mechanisms: _Optional[_Iterable[_Union[RecoveredBy, _Mapping]]] = ..., healing: _Optional[_Iterable[_Union[_admin_healing_pb2.HealingCount, _Mapping]]] = ..., lately: _Optional[_Union[RecoveryLately, _Mapping]] = ..., whole: _Optional[bool] = ...) -> None: ...

class Recommendation(_message.Message):
    __slots__ = ("id", "kind", "route", "title", "evidence", "cost", "policy", "policy_name", "policy_set")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    POLICY_NAME_FIELD_NUMBER: _ClassVar[int]
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    id: str
    kind: str
    route: str
    title: str
    evidence: str
    cost: str
    policy: _policy_pb2.Policy
    policy_name: str
    policy_set: str
    def __init__(self, id: _Optional[str] = ..., kind: _Optional[str] = ..., route: _Optional[str] = ..., title: _Optional[str] = ..., evidence: _Optional[str] = ..., cost: _Optional[str] = ..., policy: _Optional[_Union[_policy_pb2.Policy, _Mapping]] = ..., policy_name: _Optional[str] = ..., policy_set: _Optional[str] = ...) -> None: ...

class ListRecommendationsRequest(_message.Message):
    __slots__ = ("policy_set", "window", "page_size", "page_token")
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    policy_set: str
    window: _duration_pb2.Duration
    page_size: int
    page_token: str
    def __init__(self, policy_set: _Optional[str] = ..., window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRecommendationsResponse(_message.Message):
    __slots__ = ("recommendations", "next_page_token")
    RECOMMENDATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    recommendations: _containers.RepeatedCompositeFieldContainer[Recommendation]
    next_page_token: str
    def __init__(self, recommendations: _Optional[_Iterable[_Union[Recommendation, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ApplyRecommendationRequest(_message.Message):
    __slots__ = ("id", "policy_set", "window", "validate_only", "author", "request_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    policy_set: str
    window: _duration_pb2.Duration
    validate_only: bool
    author: str
    request_id: str
    def __init__(self, id: _Optional[str] = ..., policy_set: _Optional[str] = ..., window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., validate_only: _Optional[bool] = ..., author: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ApplyRecommendationResponse(_message.Message):
    __slots__ = ("changes", "revision")
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[_admin_policies_pb2.Change]
    revision: _admin_policies_pb2.Revision
    def __init__(self, changes: _Optional[_Iterable[_Union[_admin_policies_pb2.Change, _Mapping]]] = ..., revision: _Optional[_Union[_admin_policies_pb2.Revision, _Mapping]] = ...) -> None: ...

class AnalysisSettings(_message.Message):
    __slots__ = ("error_rate", "specific_error_count", "recovery_failure_rate", "critical_count", "spike_deviations", "burst_factor", "burst_events", "period_correlation", "change_factor", "min_calls")
    ERROR_RATE_FIELD_NUMBER: _ClassVar[int]
    SPECIFIC_ERROR_COUNT_FIELD_NUMBER: _ClassVar[int]
    RECOVERY_FAILURE_RATE_FIELD_NUMBER: _ClassVar[int]
    CRITICAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    SPIKE_DEVIATIONS_FIELD_NUMBER: _ClassVar[int]
    BURST_FACTOR_FIELD_NUMBER: _ClassVar[int]
    BURST_EVENTS_FIELD_NUMBER: _ClassVar[int]
    PERIOD_CORRELATION_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FACTOR_FIELD_NUMBER: _ClassVar[int]
    MIN_CALLS_FIELD_NUMBER: _ClassVar[int]
    error_rate: float
    specific_error_count: float
    recovery_failure_rate: float
    critical_count: float
    spike_deviations: float
    burst_factor: float
    burst_events: float
    period_correlation: float
    change_factor: float
    min_calls: float
    def __init__(self, error_rate: _Optional[float] = ..., specific_error_count: _Optional[float] = ..., recovery_failure_rate: _Optional[float] = ..., critical_count: _Optional[float] = ..., spike_deviations: _Optional[float] = ..., burst_factor: _Optional[float] = ..., burst_events: _Optional[float] = ..., period_correlation: _Optional[float] = ..., change_factor: _Optional[float] = ..., min_calls: _Optional[float] = ...) -> None: ...

class GetAnalysisSettingsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetAnalysisSettingsResponse(_message.Message):
    __slots__ = ("settings",)
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    settings: AnalysisSettings
    def __init__(self, settings: _Optional[_Union[AnalysisSettings, _Mapping]] = ...) -> None: ...

class UpdateAnalysisSettingsRequest(_message.Message):
    __slots__ = ("settings", "request_id", "validate_only")
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    settings: AnalysisSettings
    request_id: str
    validate_only: bool
    def __init__(self, settings: _Optional[_Union[AnalysisSettings, _Mapping]] = ..., request_id: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class UpdateAnalysisSettingsResponse(_message.Message):
    __slots__ = ("settings",)
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    settings: AnalysisSettings
    def __init__(self, settings: _Optional[_Union[AnalysisSettings, _Mapping]] = ...) -> None: ...
