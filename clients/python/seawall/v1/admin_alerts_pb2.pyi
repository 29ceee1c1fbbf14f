import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from seawall.v1 import event_pb2 as _event_pb2
from seawall.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AlertTriggerKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALERT_TRIGGER_KIND_UNSPECIFIED: _ClassVar[AlertTriggerKind]
    ALERT_TRIGGER_KIND_ERROR_RATE: _ClassVar[AlertTriggerKind]
    ALERT_TRIGGER_KIND_BURN_RATE: _ClassVar[AlertTriggerKind]
    ALERT_TRIGGER_KIND_EVENT_COUNT: _ClassVar[AlertTriggerKind]
    ALERT_TRIGGER_KIND_RECOVERY_FAILURE_RATE: _ClassVar[AlertTriggerKind]
    ALERT_TRIGGER_KIND_EVENT: _ClassVar[AlertTriggerKind]
    ALERT_TRIGGER_KIND_BREAKER: _ClassVar[AlertTriggerKind]
    ALERT_TRIGGER_KIND_GROUP: _ClassVar[AlertTriggerKind]
    ALERT_TRIGGER_KIND_ABSENCE: _ClassVar[AlertTriggerKind]
    ALERT_TRIGGER_KIND_DISK: _ClassVar[AlertTriggerKind]
    ALERT_TRIGGER_KIND_QUEUE: _ClassVar[AlertTriggerKind]
    ALERT_TRIGGER_KIND_STORE: _ClassVar[AlertTriggerKind]

class AlertPhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALERT_PHASE_UNSPECIFIED: _ClassVar[AlertPhase]
    ALERT_PHASE_PENDING: _ClassVar[AlertPhase]
    ALERT_PHASE_FIRING: _ClassVar[AlertPhase]
    ALERT_PHASE_RESOLVED: _ClassVar[AlertPhase]

class DeliveryState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DELIVERY_STATE_UNSPECIFIED: _ClassVar[DeliveryState]
    DELIVERY_STATE_PENDING: _ClassVar[DeliveryState]
    DELIVERY_STATE_SENT: _ClassVar[DeliveryState]
    DELIVERY_STATE_FAILED: _ClassVar[DeliveryState]

class SmtpSecurity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SMTP_SECURITY_UNSPECIFIED: _ClassVar[SmtpSecurity]
    SMTP_SECURITY_STARTTLS: _ClassVar[SmtpSecurity]
    SMTP_SECURITY_TLS: _ClassVar[SmtpSecurity]
    SMTP_SECURITY_NONE: _ClassVar[SmtpSecurity]
ALERT_TRIGGER_KIND_UNSPECIFIED: AlertTriggerKind
ALERT_TRIGGER_KIND_ERROR_RATE: AlertTriggerKind
ALERT_TRIGGER_KIND_BURN_RATE: AlertTriggerKind
ALERT_TRIGGER_KIND_EVENT_COUNT: AlertTriggerKind
ALERT_TRIGGER_KIND_RECOVERY_FAILURE_RATE: AlertTriggerKind
ALERT_TRIGGER_KIND_EVENT: AlertTriggerKind
ALERT_TRIGGER_KIND_BREAKER: AlertTriggerKind
ALERT_TRIGGER_KIND_GROUP: AlertTriggerKind
ALERT_TRIGGER_KIND_ABSENCE: AlertTriggerKind
ALERT_TRIGGER_KIND_DISK: AlertTriggerKind
ALERT_TRIGGER_KIND_QUEUE: AlertTriggerKind
ALERT_TRIGGER_KIND_STORE: AlertTriggerKind
ALERT_PHASE_UNSPECIFIED: AlertPhase
ALERT_PHASE_PENDING: AlertPhase
ALERT_PHASE_FIRING: AlertPhase
ALERT_PHASE_RESOLVED: AlertPhase
DELIVERY_STATE_UNSPECIFIED: DeliveryState
DELIVERY_STATE_PENDING: DeliveryState
DELIVERY_STATE_SENT: DeliveryState
DELIVERY_STATE_FAILED: DeliveryState
SMTP_SECURITY_UNSPECIFIED: SmtpSecurity
SMTP_SECURITY_STARTTLS: SmtpSecurity
SMTP_SECURITY_TLS: SmtpSecurity
SMTP_SECURITY_NONE: SmtpSecurity

class BurnWindow(_message.Message):
    __slots__ = ("factor", "long", "short")
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    LONG_FIELD_NUMBER: _ClassVar[int]
    SHORT_FIELD_NUMBER: _ClassVar[int]
    factor: float
    long: _duration_pb2.Duration
    short: _duration_pb2.Duration
    def __init__(self, factor: _Optional[float] = ..., long: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., short: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class AlertTrigger(_message.Message):
    __slots__ = ("kind", "threshold", "window", "min_calls", "severity", "of", "objective", "windows")
    KIND_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    MIN_CALLS_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    OF_FIELD_NUMBER: _ClassVar[int]
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    kind: AlertTriggerKind
    threshold: float
    window: _duration_pb2.Duration
    min_calls: int
    severity: _event_pb2.Severity
    of: _containers.RepeatedScalarFieldContainer[str]
    objective: float
    windows: _containers.RepeatedCompositeFieldContainer[BurnWindow]
    def __init__(self, kind: _Optional[_Union[AlertTriggerKind, str]] = ..., threshold: _Optional[float] = ..., window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., min_calls: _Optional[int] = ..., severity: _Optional[_Union[_event_pb2.Severity, str]] = ..., of: _Optional[_Iterable[str]] = ..., objective: _Optional[float] = ..., windows: _Optional[_Iterable[_Union[BurnWindow, _Mapping]]] = ...) -> None: ...

class AlertFilters(_message.Message):
    __slots__ = ("all", "any", "none")
    ALL_FIELD_NUMBER: _ClassVar[int]
    ANY_FIELD_NUMBER: _ClassVar[int]
    NONE_FIELD_NUMBER: _ClassVar[int]
    all: _containers.RepeatedScalarFieldContainer[str]
    any: _containers.RepeatedScalarFieldContainer[str]
    none: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, all: _Optional[_Iterable[str]] = ..., any: _Optional[_Iterable[str]] = ..., none: _Optional[_Iterable[str]] = ...) -> None: ...

class AlertRule(_message.Message):
    __slots__ = ("name", "title", "disabled", "severity", "when", "filters", "hold", "keep_firing", "channels", "interval", "repeat", "max_per_hour", "skip_resolved", "inhibited_by", "builtin", "changed", "etag", "update_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    DISABLED_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    WHEN_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    KEEP_FIRING_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    REPEAT_FIELD_NUMBER: _ClassVar[int]
    MAX_PER_HOUR_FIELD_NUMBER: _ClassVar[int]
    SKIP_RESOLVED_FIELD_NUMBER: _ClassVar[int]
    INHIBITED_BY_FIELD_NUMBER: _ClassVar[int]
    BUILTIN_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    title: str
    disabled: bool
    severity: _event_pb2.Severity
    when: _containers.RepeatedCompositeFieldContainer[AlertTrigger]
    filters: AlertFilters
    hold: _duration_pb2.Duration
    keep_firing: _duration_pb2.Duration
    channels: _containers.RepeatedScalarFieldContainer[str]
    interval: _duration_pb2.Duration
    repeat: _duration_pb2.Duration
    max_per_hour: int
    skip_resolved: bool
    inhibited_by: _containers.RepeatedScalarFieldContainer[str]
    builtin: bool
    changed: bool
    etag: str
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., title: _Optional[str] = ..., disabled: _Optional[bool] = ..., severity: _Optional[_Union[_event_pb2.Severity, str]] = ..., when: _Optional[_Iterable[_Union[AlertTrigger, _Mapping]]] = ..., filters: _Optional[_Union[AlertFilters, _Mapping]] = ..., hold: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., keep_firing: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., channels: _Optional[_Iterable[str]] = ..., interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., repeat: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_per_hour: _Optional[int] = ..., skip_resolved: _Optional[bool] = ..., inhibited_by: _Optional[_Iterable[str]] = ..., builtin: _Optional[bool] = ..., changed: _Optional[bool] = ..., etag: _Optional[str] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AlertSubject(_message.Message):
    __slots__ = ("key", "component", "route", "method", "code", "endpoint", "error_type", "fingerprint", "proxy", "breaker", "event_id")
    KEY_FIELD_NUMBER: _ClassVar[int]
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    ERROR_TYPE_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    PROXY_FIELD_NUMBER: _ClassVar[int]
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    key: str
    component: str
    route: str
    method: str
    code: str
    endpoint: str
    error_type: str
    fingerprint: str
    proxy: str
    breaker: str
    event_id: str
    def __init__(self, key: _Optional[str] = ..., component: _Optional[str] = ..., route: _Optional[str] = ..., method: _Optional[str] = ..., code: _Optional[str] = ..., endpoint: _Optional[str] = ..., error_type: _Optional[str] = ..., fingerprint: _Optional[str] = ..., proxy: _Optional[str] = ..., breaker: _Optional[str] = ..., event_id: _Optional[str] = ...) -> None: ...

class Alert(_message.Message):
    __slots__ = ("id", "rule", "subject", "severity", "phase", "summary", "value", "threshold", "start_time", "fire_time", "resolve_time", "flapping", "notify_time", "notifications", "quiet_by", "acknowledged_by", "acknowledge_time", "acknowledge_reason")
    ID_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    FIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    RESOLVE_TIME_FIELD_NUMBER: _ClassVar[int]
    FLAPPING_FIELD_NUMBER: _ClassVar[int]
    NOTIFY_TIME_FIELD_NUMBER: _ClassVar[int]
    NOTIFICATIONS_FIELD_NUMBER: _ClassVar[int]
    QUIET_BY_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_BY_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGE_TIME_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGE_REASON_FIELD_NUMBER: _ClassVar[int]
    id: str
    rule: str
    subject: AlertSubject
    severity: _event_pb2.Severity
    phase: AlertPhase
    summary: str
    value: float
    threshold: float
    start_time: _timestamp_pb2.Timestamp
    fire_time: _timestamp_pb2.Timestamp
    resolve_time: _timestamp_pb2.Timestamp
    flapping: bool
    notify_time: _timestamp_pb2.Timestamp
    notifications: int
    quiet_by: str
    acknowledged_by: str
    acknowledge_time: _timestamp_pb2.Timestamp
    acknowledge_reason: str
    def __init__(self, id: _Optional[str] = ..., rule: _Optional[str] = ..., subject: _Optional[_Union[AlertSubject, _Mapping]] = ..., severity: _Optional[_Union[_event_pb2.Severity, str]] = ..., phase: _Optional[_Union[AlertPhase, str]] = ..., summary: _Optional[str] = ..., value: _Optional[float] = ..., threshold: _Optional[float] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., fire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., resolve_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., flapping: _Optional[bool] = ..., notify_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., notifications: _Optional[int] = ..., quiet_by: _Optional[str] = ..., acknowledged_by: _Optional[str] = ..., acknowledge_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., acknowledge_reason: _Optional[str] = ...) -> None: ...

class Silence(_message.Message):
    __slots__ = ("id", "rules", "filter", "start_time", "end_time", "author", "reason", "active")
    ID_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    id: str
    rules: _containers.RepeatedScalarFieldContainer[str]
    filter: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    author: str
    reason: str
    active: bool
    def __init__(self, id: _Optional[str] = ..., rules: _Optional[_Iterable[str]] = ..., filter: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., author: _Optional[str] = ..., reason: _Optional[str] = ..., active: _Optional[bool] = ...) -> None: ...

class EmailSettings(_message.Message):
    __slots__ = ("host", "port", "security", "user", "password", "to")
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    SECURITY_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    host: str
    port: int
    security: SmtpSecurity
    user: str
    password: str
    to: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, host: _Optional[str] = ..., port: _Optional[int] = ..., security: _Optional[_Union[SmtpSecurity, str]] = ..., user: _Optional[str] = ..., password: _Optional[str] = ..., to: _Optional[_Iterable[str]] = ..., **kwargs) -> None: ...

class SlackSettings(_message.Message):
    __slots__ = ("url",)
    URL_FIELD_NUMBER: _ClassVar[int]
    url: str
    def __init__(self, url: _Optional[str] = ...) -> None: ...

class WebhookSettings(_message.Message):
    __slots__ = ("url", "secret", "previous_secret")
    URL_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_SECRET_FIELD_NUMBER: _ClassVar[int]
    url: str
    secret: str
    previous_secret: str
    def __init__(self, url: _Optional[str] = ..., secret: _Optional[str] = ..., previous_secret: _Optional[str] = ...) -> None: ...

class FileSettings(_message.Message):
    __slots__ = ("name", "max_bytes", "keep")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    KEEP_FIELD_NUMBER: _ClassVar[int]
    name: str
    max_bytes: int
    keep: int
    def __init__(self, name: _Optional[str] = ..., max_bytes: _Optional[int] = ..., keep: _Optional[int] = ...) -> None: ...

class LogSettings(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AppriseSettings(_message.Message):
    __slots__ = ("url",)
    URL_FIELD_NUMBER: _ClassVar[int]
    url: str
    def __init__(self, url: _Optional[str] = ...) -> None: ...

class Channel(_message.Message):
    __slots__ = ("name", "disabled", "min_severity", "digest", "immediate_from", "max_per_minute", "timeout", "email", "slack", "webhook", "file", "log", "apprise", "etag", "update_time", "resting", "unusable")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DISABLED_FIELD_NUMBER: _ClassVar[int]
    MIN_SEVERITY_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    IMMEDIATE_FROM_FIELD_NUMBER: _ClassVar[int]
    MAX_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    SLACK_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    APPRISE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    RESTING_FIELD_NUMBER: _ClassVar[int]
    UNUSABLE_FIELD_NUMBER: _ClassVar[int]
    name: str
    disabled: bool
    min_severity: _event_pb2.Severity
    digest: _duration_pb2.Duration
    immediate_from: _event_pb2.Severity
    max_per_minute: int
    timeout: _duration_pb2.Duration
    email: EmailSettings
    slack: SlackSettings
    webhook: WebhookSettings
    file: FileSettings
    log: LogSettings
    apprise: AppriseSettings
    etag: str
    update_time: _timestamp_pb2.Timestamp
    resting: bool
    unusable: str
    def __init__(self, name: _Optional[str] = ..., disabled: _Optional[bool] = ..., min_severity: _Optional[_Union[_event_pb2.Severity, str]] = ..., digest: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., immediate_from: _Optional[_Union[_event_pb2.Severity, str]] = ..., max_per_minute: _Optional[int] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., email: _Optional[_Union[EmailSettings, _Mapping]] = ..., slack: _Optional[_Union[SlackSettings, _Mapping]] = ..., webhook: _Optional[_Union[WebhookSettings, _Mapping]] = ..., file: _Optional[_Union[FileSettings, _Mapping]] = ..., log: _Optional[_Union[LogSettings, _Mapping]] = ..., apprise: _Optional[_Union[AppriseSettings, _Mapping]] = ..., etag: _Optional[str] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., resting: _Optional[bool] = ..., unusable: _Optional[str] = ...) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("id", "channel", "alert_id", "rule", "severity", "news", "state", "attempts", "error", "message_id", "create_time", "next_time", "end_time", "summary")
    ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    NEWS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    NEXT_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    id: str
    channel: str
    alert_id: str
    rule: str
    severity: _event_pb2.Severity
    news: str
    state: DeliveryState
    attempts: int
    error: str
    message_id: str
    create_time: _timestamp_pb2.Timestamp
    next_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    summary: str
    def __init__(self, id: _Optional[str] = ..., channel: _Optional[str] = ..., alert_id: _Optional[str] = ..., rule: _Optional[str] = ..., severity: _Optional[_Union[_event_pb2.Severity, str]] = ..., news: _Optional[str] = ..., state: _Optional[_Union[DeliveryState, str]] = ..., attempts: _Optional[int] = ..., error: _Optional[str] = ..., message_id: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., next_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., summary: _Optional[str] = ...) -> None: ...

class AlertHistoryEntry(_message.Message):
    __slots__ = ("number", "time", "what", "alert_id", "rule", "channel", "actor", "text")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    number: int
    time: _timestamp_pb2.Timestamp
    what: str
    alert_id: str
    rule: str
    channel: str
    actor: str
    text: str
    def __init__(self, number: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., what: _Optional[str] = ..., alert_id: _Optional[str] = ..., rule: _Optional[str] = ..., channel: _Optional[str] = ..., actor: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class ListAlertRulesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAlertRulesResponse(_message.Message):
    __slots__ = ("rules", "next_page_token")
    RULES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    rules: _containers.RepeatedCompositeFieldContainer[AlertRule]
    next_page_token: str
    def __init__(self, rules: _Optional[_Iterable[_Union[AlertRule, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetAlertRuleRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetAlertRuleResponse(_message.Message):
    __slots__ = ("rule",)
    RULE_FIELD_NUMBER: _ClassVar[int]
    rule: AlertRule
    def __init__(self, rule: _Optional[_Union[AlertRule, _Mapping]] = ...) -> None: ...

class CreateAlertRuleRequest(_message.Message):
    __slots__ = ("rule", "validate_only", "actor", "request_id")
    RULE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    rule: AlertRule
    validate_only: bool
    actor: str
    request_id: str
    def __init__(self, rule: _Optional[_Union[AlertRule, _Mapping]] = ..., validate_only: _Optional[bool] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateAlertRuleResponse(_message.Message):
    __slots__ = ("rule",)
    RULE_FIELD_NUMBER: _ClassVar[int]
    rule: AlertRule
    def __init__(self, rule: _Optional[_Union[AlertRule, _Mapping]] = ...) -> None: ...

class UpdateAlertRuleRequest(_message.Message):
    __slots__ = ("rule", "update_mask", "validate_only", "actor", "request_id")
    RULE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    rule: AlertRule
    update_mask: _field_mask_pb2.FieldMask
    validate_only: bool
    actor: str
    request_id: str
    def __init__(self, rule: _Optional[_Union[AlertRule, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., validate_only: _Optional[bool] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class UpdateAlertRuleResponse(_message.Message):
    __slots__ = ("rule",)
    RULE_FIELD_NUMBER: _ClassVar[int]
    rule: AlertRule
    def __init__(self, rule: _Optional[_Union[AlertRule, _Mapping]] = ...) -> None: ...

class DeleteAlertRuleRequest(_message.Message):
    __slots__ = ("name", "etag", "actor", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    actor: str
    request_id: str
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteAlertRuleResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListAlertsRequest(_message.Message):
    __slots__ = ("phases", "filter", "rule", "page_size", "page_token")
    PHASES_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    phases: _containers.RepeatedScalarFieldContainer[AlertPhase]
    filter: str
    rule: str
    page_size: int
    page_token: str
    def __init__(self, phases: _Optional[_Iterable[_Union[AlertPhase, str]]] = ..., filter: _Optional[str] = ..., rule: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAlertsResponse(_message.Message):
    __slots__ = ("alerts", "next_page_token")
    ALERTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    alerts: _containers.RepeatedCompositeFieldContainer[Alert]
    next_page_token: str
    def __init__(self, alerts: _Optional[_Iterable[_Union[Alert, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetAlertRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetAlertResponse(_message.Message):
    __slots__ = ("alert",)
    ALERT_FIELD_NUMBER: _ClassVar[int]
    alert: Alert
    def __init__(self, alert: _Optional[_Union[Alert, _Mapping]] = ...) -> None: ...

class AcknowledgeAlertRequest(_message.Message):
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

class AcknowledgeAlertResponse(_message.Message):
    __slots__ = ("alert",)
    ALERT_FIELD_NUMBER: _ClassVar[int]
    alert: Alert
    def __init__(self, alert: _Optional[_Union[Alert, _Mapping]] = ...) -> None: ...

class ListAlertHistoryRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAlertHistoryResponse(_message.Message):
    __slots__ = ("entries", "next_page_token")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[AlertHistoryEntry]
    next_page_token: str
    def __init__(self, entries: _Optional[_Iterable[_Union[AlertHistoryEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WatchAlertsRequest(_message.Message):
    __slots__ = ("filter", "current")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    filter: str
    current: bool
    def __init__(self, filter: _Optional[str] = ..., current: _Optional[bool] = ...) -> None: ...

class WatchAlertsResponse(_message.Message):
    __slots__ = ("what", "alert", "skipped")
    WHAT_FIELD_NUMBER: _ClassVar[int]
    ALERT_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    what: str
    alert: Alert
    skipped: int
    def __init__(self, what: _Optional[str] = ..., alert: _Optional[_Union[Alert, _Mapping]] = ..., skipped: _Optional[int] = ...) -> None: ...

class ListSilencesRequest(_message.Message):
    __slots__ = ("include_ended", "page_size", "page_token")
    INCLUDE_ENDED_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    include_ended: bool
    page_size: int
    page_token: str
    def __init__(self, include_ended: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSilencesResponse(_message.Message):
    __slots__ = ("silences", "next_page_token")
    SILENCES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    silences: _containers.RepeatedCompositeFieldContainer[Silence]
    next_page_token: str
    def __init__(self, silences: _Optional[_Iterable[_Union[Silence, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CreateSilenceRequest(_message.Message):
    __slots__ = ("silence", "validate_only", "request_id")
    SILENCE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    silence: Silence
    validate_only: bool
    request_id: str
    def __init__(self, silence: _Optional[_Union[Silence, _Mapping]] = ..., validate_only: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateSilenceResponse(_message.Message):
    __slots__ = ("silence",)
    SILENCE_FIELD_NUMBER: _ClassVar[int]
    silence: Silence
    def __init__(self, silence: _Optional[_Union[Silence, _Mapping]] = ...) -> None: ...

class ExpireSilenceRequest(_message.Message):
    __slots__ = ("id", "actor", "request_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    actor: str
    request_id: str
    def __init__(self, id: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ExpireSilenceResponse(_message.Message):
    __slots__ = ("silence",)
    SILENCE_FIELD_NUMBER: _ClassVar[int]
    silence: Silence
    def __init__(self, silence: _Optional[_Union[Silence, _Mapping]] = ...) -> None: ...

class ListChannelsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListChannelsResponse(_message.Message):
    __slots__ = ("channels", "next_page_token")
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    channels: _containers.RepeatedCompositeFieldContainer[Channel]
    next_page_token: str
    def __init__(self, channels: _Optional[_Iterable[_Union[Channel, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetChannelRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetChannelResponse(_message.Message):
    __slots__ = ("channel",)
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    channel: Channel
    def __init__(self, channel: _Optional[_Union[Channel, _Mapping]] = ...) -> None: ...

class CreateChannelRequest(_message.Message):
    __slots__ = ("channel", "validate_only", "actor", "request_id")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    channel: Channel
    validate_only: bool
    actor: str
    request_id: str
    def __init__(self, channel: _Optional[_Union[Channel, _Mapping]] = ..., validate_only: _Optional[bool] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateChannelResponse(_message.Message):
    __slots__ = ("channel",)
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    channel: Channel
    def __init__(self, channel: _Optional[_Union[Channel, _Mapping]] = ...) -> None: ...

class UpdateChannelRequest(_message.Message):
    __slots__ = ("channel", "update_mask", "validate_only", "actor", "request_id")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    channel: Channel
    update_mask: _field_mask_pb2.FieldMask
    validate_only: bool
    actor: str
    request_id: str
    def __init__(self, channel: _Optional[_Union[Channel, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., validate_only: _Optional[bool] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class UpdateChannelResponse(_message.Message):
    __slots__ = ("channel",)
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    channel: Channel
    def __init__(self, channel: _Optional[_Union[Channel, _Mapping]] = ...) -> None: ...

class DeleteChannelRequest(_message.Message):
    __slots__ = ("name", "etag", "actor", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    actor: str
    request_id: str
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteChannelResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TestChannelRequest(_message.Message):
    __slots__ = ("name", "actor", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    actor: str
    request_id: str
    def __init__(self, name: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class TestChannelResponse(_message.Message):
    __slots__ = ("ok", "error", "took")
    OK_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    TOOK_FIELD_NUMBER: _ClassVar[int]
    ok: bool
    error: str
    took: _duration_pb2.Duration
    def __init__(self, ok: _Optional[bool] = ..., error: _Optional[str] = ..., took: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ListDeliveriesRequest(_message.Message):
    __slots__ = ("states", "channel", "alert_id", "page_size", "page_token")
    STATES_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    states: _containers.RepeatedScalarFieldContainer[DeliveryState]
    channel: str
    alert_id: str
    page_size: int
    page_token: str
    def __init__(self, states: _Optional[_Iterable[_Union[DeliveryState, str]]] = ..., channel: _Optional[str] = ..., alert_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDeliveriesResponse(_message.Message):
    __slots__ = ("deliveries", "next_page_token")
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    deliveries: _containers.RepeatedCompositeFieldContainer[Delivery]
    next_page_token: str
    def __init__(self, deliveries: _Optional[_Iterable[_Union[Delivery, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RetryDeliveryRequest(_message.Message):
    __slots__ = ("id", "actor", "request_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    actor: str
    request_id: str
    def __init__(self, id: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class RetryDeliveryResponse(_message.Message):
    __slots__ = ("delivery",)
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    delivery: Delivery
    def __init__(self, delivery: _Optional[_Union[Delivery, _Mapping]] = ...) -> None: ...

class Thresholds(_message.Message):
    __slots__ = ("error_rate", "specific_error_count", "recovery_failure_rate")
    ERROR_RATE_FIELD_NUMBER: _ClassVar[int]
    SPECIFIC_ERROR_COUNT_FIELD_NUMBER: _ClassVar[int]
    RECOVERY_FAILURE_RATE_FIELD_NUMBER: _ClassVar[int]
    error_rate: float
    specific_error_count: int
    recovery_failure_rate: float
    def __init__(self, error_rate: _Optional[float] = ..., specific_error_count: _Optional[int] = ..., recovery_failure_rate: _Optional[float] = ...) -> None: ...

class GetThresholdsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetThresholdsResponse(_message.Message):
    __slots__ = ("thresholds",)
    THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    thresholds: Thresholds
    def __init__(self, thresholds: _Optional[_Union[Thresholds, _Mapping]] = ...) -> None: ...

class UpdateThresholdsRequest(_message.Message):
    __slots__ = ("thresholds", "validate_only", "actor", "request_id")
    THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    thresholds: Thresholds
    validate_only: bool
    actor: str
    request_id: str
    def __init__(self, thresholds: _Optional[_Union[Thresholds, _Mapping]] = ..., validate_only: _Optional[bool] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class UpdateThresholdsResponse(_message.Message):
    __slots__ = ("thresholds",)
    THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    thresholds: Thresholds
    def __init__(self, thresholds: _Optional[_Union[Thresholds, _Mapping]] = ...) -> None: ...
