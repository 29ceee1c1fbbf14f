import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from seawall.v1 import event_pb2 as _event_pb2
from seawall.v1 import options_pb2 as _options_pb2
from seawall.v1 import policy_pb2 as _policy_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GroupState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GROUP_STATE_UNSPECIFIED: _ClassVar[GroupState]
    GROUP_STATE_NEW: _ClassVar[GroupState]
    GROUP_STATE_ONGOING: _ClassVar[GroupState]
    GROUP_STATE_ESCALATING: _ClassVar[GroupState]
    GROUP_STATE_REGRESSED: _ClassVar[GroupState]
    GROUP_STATE_ARCHIVED: _ClassVar[GroupState]
    GROUP_STATE_RESOLVED: _ClassVar[GroupState]
GROUP_STATE_UNSPECIFIED: GroupState
GROUP_STATE_NEW: GroupState
GROUP_STATE_ONGOING: GroupState
GROUP_STATE_ESCALATING: GroupState
GROUP_STATE_REGRESSED: GroupState
GROUP_STATE_ARCHIVED: GroupState
GROUP_STATE_RESOLVED: GroupState

class Archive(_message.Message):
    __slots__ = ("until_escalating", "until_time", "until_count")
    UNTIL_ESCALATING_FIELD_NUMBER: _ClassVar[int]
    UNTIL_TIME_FIELD_NUMBER: _ClassVar[int]
    UNTIL_COUNT_FIELD_NUMBER: _ClassVar[int]
    until_escalating: bool
    until_time: _timestamp_pb2.Timestamp
    until_count: int
    def __init__(self, until_escalating: _Optional[bool] = ..., until_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until_count: _Optional[int] = ...) -> None: ...

class GroupActivity(_message.Message):
    __slots__ = ("time", "actor", "what", "text")
    TIME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    actor: str
    what: str
    text: str
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., what: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class Group(_message.Message):
    __slots__ = ("id", "state", "state_time", "first_seen", "last_seen", "events", "counted", "severity", "kind", "route", "method", "code", "category", "component", "error_type", "reason", "message", "assignee", "archive", "resolved_revision", "hour_events", "hour_limit", "why", "activity", "etag")
    ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STATE_TIME_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEEN_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    COUNTED_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    ERROR_TYPE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ASSIGNEE_FIELD_NUMBER: _ClassVar[int]
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_REVISION_FIELD_NUMBER: _ClassVar[int]
    HOUR_EVENTS_FIELD_NUMBER: _ClassVar[int]
    HOUR_LIMIT_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    id: str
    state: GroupState
    state_time: _timestamp_pb2.Timestamp
    first_seen: _timestamp_pb2.Timestamp
    last_seen: _timestamp_pb2.Timestamp
    events: int
    counted: int
    severity: _event_pb2.Severity
    kind: _event_pb2.EventKind
    route: str
    method: str
    code: str
    category: _policy_pb2.Category
    component: str
    error_type: str
    reason: str
    message: str
    assignee: str
    archive: Archive
    resolved_revision: int
    hour_events: int
    hour_limit: int
    why: _struct_pb2.Struct
    activity: _containers.RepeatedCompositeFieldContainer[GroupActivity]
    etag: str
    def __init__(self, id: _Optional[str] = ..., state: _Optional[_Union[GroupState, str]] = ..., state_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., first_seen: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_seen: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., events: _Optional[int] = ..., counted: _Optional[int] = ..., severity: _Optional[_Union[_event_pb2.Severity, str]] = ..., kind: _Optional[_Union[_event_pb2.EventKind, str]] = ..., route: _Optional[str] = ..., method: _Optional[str] = ..., code: _Optional[str] = ..., category: _Optional[_Union[_policy_pb2.Category, str]] = ..., component: _Optional[str] = ..., error_type: _Optional[str] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., assignee: _Optional[str] = ..., archive: _Optional[_Union[Archive, _Mapping]] = ..., resolved_revision: _Optional[int] = ..., hour_events: _Optional[int] = ..., hour_limit: _Optional[int] = ..., why: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., activity: _Optional[_Iterable[_Union[GroupActivity, _Mapping]]] = ..., etag: _Optional[str] = ...) -> None: ...

class ListGroupsRequest(_message.Message):
    __slots__ = ("filter", "page_size", "page_token", "order_by")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    filter: str
    page_size: int
    page_token: str
    order_by: str
    def __init__(self, filter: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., order_by: _Optional[str] = ...) -> None: ...

class ListGroupsResponse(_message.Message):
    __slots__ = ("groups", "next_page_token")
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    groups: _containers.RepeatedCompositeFieldContainer[Group]
    next_page_token: str
    def __init__(self, groups: _Optional[_Iterable[_Union[Group, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetGroupRequest(_message.Message):
    __slots__ = ("id", "samples", "window")
    ID_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    id: str
    samples: int
    window: _duration_pb2.Duration
    def __init__(self, id: _Optional[str] = ..., samples: _Optional[int] = ..., window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class HourCount(_message.Message):
    __slots__ = ("start", "events", "escalating")
    START_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    ESCALATING_FIELD_NUMBER: _ClassVar[int]
    start: _timestamp_pb2.Timestamp
    events: int
    escalating: bool
    def __init__(self, start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., events: _Optional[int] = ..., escalating: _Optional[bool] = ...) -> None: ...

class GetGroupResponse(_message.Message):
    __slots__ = ("group", "samples", "hours", "fingerprints")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    HOURS_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINTS_FIELD_NUMBER: _ClassVar[int]
    group: Group
    samples: _containers.RepeatedCompositeFieldContainer[_event_pb2.ErrorEvent]
    hours: _containers.RepeatedCompositeFieldContainer[HourCount]
    fingerprints: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, group: _Optional[_Union[Group, _Mapping]] = ..., samples: _Optional[_Iterable[_Union[_event_pb2.ErrorEvent, _Mapping]]] = ..., hours: _Optional[_Iterable[_Union[HourCount, _Mapping]]] = ..., fingerprints: _Optional[_Iterable[str]] = ...) -> None: ...

class UpdateGroupRequest(_message.Message):
    __slots__ = ("group", "update_mask", "note", "actor", "request_id")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    group: Group
    update_mask: _field_mask_pb2.FieldMask
    note: str
    actor: str
    request_id: str
    def __init__(self, group: _Optional[_Union[Group, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., note: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class UpdateGroupResponse(_message.Message):
    __slots__ = ("group",)
    GROUP_FIELD_NUMBER: _ClassVar[int]
    group: Group
    def __init__(self, group: _Optional[_Union[Group, _Mapping]] = ...) -> None: ...

class ResolveGroupRequest(_message.Message):
    __slots__ = ("id", "resolution", "policy_revision", "etag", "actor", "request_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    RESOLUTION_FIELD_NUMBER: _ClassVar[int]
    POLICY_REVISION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    resolution: str
    policy_revision: int
    etag: str
    actor: str
    request_id: str
    def __init__(self, id: _Optional[str] = ..., resolution: _Optional[str] = ..., policy_revision: _Optional[int] = ..., etag: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ResolveGroupResponse(_message.Message):
    __slots__ = ("group", "resolved")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_FIELD_NUMBER: _ClassVar[int]
    group: Group
    resolved: int
    def __init__(self, group: _Optional[_Union[Group, _Mapping]] = ..., resolved: _Optional[int] = ...) -> None: ...

class ReopenGroupRequest(_message.Message):
    __slots__ = ("id", "note", "etag", "actor", "request_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    note: str
    etag: str
    actor: str
    request_id: str
    def __init__(self, id: _Optional[str] = ..., note: _Optional[str] = ..., etag: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ReopenGroupResponse(_message.Message):
    __slots__ = ("group",)
    GROUP_FIELD_NUMBER: _ClassVar[int]
    group: Group
    def __init__(self, group: _Optional[_Union[Group, _Mapping]] = ...) -> None: ...

class MergeGroupsRequest(_message.Message):
    __slots__ = ("id", "ids", "actor", "request_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    ids: _containers.RepeatedScalarFieldContainer[str]
    actor: str
    request_id: str
    def __init__(self, id: _Optional[str] = ..., ids: _Optional[_Iterable[str]] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class MergeGroupsResponse(_message.Message):
    __slots__ = ("group",)
    GROUP_FIELD_NUMBER: _ClassVar[int]
    group: Group
    def __init__(self, group: _Optional[_Union[Group, _Mapping]] = ...) -> None: ...

class SplitGroupRequest(_message.Message):
    __slots__ = ("id", "fingerprints", "actor", "request_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINTS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    fingerprints: _containers.RepeatedScalarFieldContainer[str]
    actor: str
    request_id: str
    def __init__(self, id: _Optional[str] = ..., fingerprints: _Optional[_Iterable[str]] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class SplitGroupResponse(_message.Message):
    __slots__ = ("group",)
    GROUP_FIELD_NUMBER: _ClassVar[int]
    group: Group
    def __init__(self, group: _Optional[_Union[Group, _Mapping]] = ...) -> None: ...

class GroupingRule(_message.Message):
    __slots__ = ("name", "filter", "by", "severity")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    name: str
    filter: str
    by: _containers.RepeatedScalarFieldContainer[str]
    severity: _event_pb2.Severity
    def __init__(self, name: _Optional[str] = ..., filter: _Optional[str] = ..., by: _Optional[_Iterable[str]] = ..., severity: _Optional[_Union[_event_pb2.Severity, str]] = ...) -> None: ...

class GetGroupingRulesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetGroupingRulesResponse(_message.Message):
    __slots__ = ("rules", "etag")
    RULES_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    rules: _containers.RepeatedCompositeFieldContainer[GroupingRule]
    etag: str
    def __init__(self, rules: _Optional[_Iterable[_Union[GroupingRule, _Mapping]]] = ..., etag: _Optional[str] = ...) -> None: ...

class SetGroupingRulesRequest(_message.Message):
    __slots__ = ("rules", "etag", "validate_only", "request_id", "allow_empty")
    RULES_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ALLOW_EMPTY_FIELD_NUMBER: _ClassVar[int]
    rules: _containers.RepeatedCompositeFieldContainer[GroupingRule]
    etag: str
    validate_only: bool
    request_id: str
    allow_empty: bool
    def __init__(self, rules: _Optional[_Iterable[_Union[GroupingRule, _Mapping]]] = ..., etag: _Optional[str] = ..., validate_only: _Optional[bool] = ..., request_id: _Optional[str] = ..., allow_empty: _Optional[bool] = ...) -> None: ...

class SetGroupingRulesResponse(_message.Message):
    __slots__ = ("etag",)
    ETAG_FIELD_NUMBER: _ClassVar[int]
    etag: str
    def __init__(self, etag: _Optional[str] = ...) -> None: ...
