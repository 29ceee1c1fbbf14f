import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from seawall.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RunbookMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUNBOOK_MODE_UNSPECIFIED: _ClassVar[RunbookMode]
    RUNBOOK_MODE_OFF: _ClassVar[RunbookMode]
    RUNBOOK_MODE_DRY_RUN: _ClassVar[RunbookMode]
    RUNBOOK_MODE_APPROVE: _ClassVar[RunbookMode]
    RUNBOOK_MODE_AUTO: _ClassVar[RunbookMode]
RUNBOOK_MODE_UNSPECIFIED: RunbookMode
RUNBOOK_MODE_OFF: RunbookMode
RUNBOOK_MODE_DRY_RUN: RunbookMode
RUNBOOK_MODE_APPROVE: RunbookMode
RUNBOOK_MODE_AUTO: RunbookMode

class Runbook(_message.Message):
    __slots__ = ("name", "condition", "threshold", "action", "parameters", "subject", "lasting", "mode", "cooldown", "max_per_hour", "verify_after", "approval_ttl", "description", "etag", "built_in")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    LASTING_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    COOLDOWN_FIELD_NUMBER: _ClassVar[int]
    MAX_PER_HOUR_FIELD_NUMBER: _ClassVar[int]
    VERIFY_AFTER_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_TTL_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    BUILT_IN_FIELD_NUMBER: _ClassVar[int]
    name: str
    condition: str
    threshold: float
    action: str
    parameters: _struct_pb2.Struct
    subject: str
    lasting: _duration_pb2.Duration
    mode: RunbookMode
    cooldown: _duration_pb2.Duration
    max_per_hour: int
    verify_after: _duration_pb2.Duration
    approval_ttl: _duration_pb2.Duration
    description: str
    etag: str
    built_in: bool
    def __init__(self, name: _Optional[str] = ..., condition: _Optional[str] = ..., threshold: _Optional[float] = ..., action: _Optional[str] = ..., parameters: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., subject: _Optional[str] = ..., lasting: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., mode: _Optional[_Union[RunbookMode, str]] = ..., cooldown: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_per_hour: _Optional[int] = ..., verify_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., approval_ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., description: _Optional[str] = ..., etag: _Optional[str] = ..., built_in: _Optional[bool] = ...) -> None: ...

class HealingCase(_message.Message):
    __slots__ = ("id", "runbook", "action", "subject", "state", "start_time", "change_time", "evidence", "value", "outcome", "actor", "plan", "asked_by")
    ID_FIELD_NUMBER: _ClassVar[int]
    RUNBOOK_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    CHANGE_TIME_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    ASKED_BY_FIELD_NUMBER: _ClassVar[int]
    id: str
    runbook: str
    action: str
    subject: str
    state: str
    start_time: _timestamp_pb2.Timestamp
    change_time: _timestamp_pb2.Timestamp
    evidence: str
    value: float
    outcome: str
    actor: str
    plan: str
    asked_by: str
    def __init__(self, id: _Optional[str] = ..., runbook: _Optional[str] = ..., action: _Optional[str] = ..., subject: _Optional[str] = ..., state: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., change_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., evidence: _Optional[str] = ..., value: _Optional[float] = ..., outcome: _Optional[str] = ..., actor: _Optional[str] = ..., plan: _Optional[str] = ..., asked_by: _Optional[str] = ...) -> None: ...

class ListRunbooksRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRunbooksResponse(_message.Message):
    __slots__ = ("runbooks", "next_page_token")
    RUNBOOKS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    runbooks: _containers.RepeatedCompositeFieldContainer[Runbook]
    next_page_token: str
    def __init__(self, runbooks: _Optional[_Iterable[_Union[Runbook, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetRunbookRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetRunbookResponse(_message.Message):
    __slots__ = ("runbook",)
    RUNBOOK_FIELD_NUMBER: _ClassVar[int]
    runbook: Runbook
    def __init__(self, runbook: _Optional[_Union[Runbook, _Mapping]] = ...) -> None: ...

class SetRunbookRequest(_message.Message):
    __slots__ = ("runbook", "validate_only", "request_id")
    RUNBOOK_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    runbook: Runbook
    validate_only: bool
    request_id: str
    def __init__(self, runbook: _Optional[_Union[Runbook, _Mapping]] = ..., validate_only: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class SetRunbookResponse(_message.Message):
    __slots__ = ("runbook",)
    RUNBOOK_FIELD_NUMBER: _ClassVar[int]
    runbook: Runbook
    def __init__(self, runbook: _Optional[_Union[Runbook, _Mapping]] = ...) -> None: ...

class DeleteRunbookRequest(_message.Message):
    __slots__ = ("name", "etag", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    request_id: str
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteRunbookResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListHealingActionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class HealingCondition(_message.Message):
    __slots__ = ("name", "unit")
    NAME_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    name: str
    unit: str
    def __init__(self, name: _Optional[str] = ..., unit: _Optional[str] = ...) -> None: ...

class HealingParameter(_message.Message):
    __slots__ = ("name", "help", "default_value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    HELP_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    help: str
    default_value: _struct_pb2.Value
    def __init__(self, name: _Optional[str] = ..., help: _Optional[str] = ..., default_value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...

class HealingAction(_message.Message):
    __slots__ = ("name", "help", "parameters", "can_undo")
    NAME_FIELD_NUMBER: _ClassVar[int]
    HELP_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    CAN_UNDO_FIELD_NUMBER: _ClassVar[int]
    name: str
    help: str
    parameters: _containers.RepeatedCompositeFieldContainer[HealingParameter]
    can_undo: bool
    def __init__(self, name: _Optional[str] = ..., help: _Optional[str] = ..., parameters: _Optional[_Iterable[_Union[HealingParameter, _Mapping]]] = ..., can_undo: _Optional[bool] = ...) -> None: ...

class ListHealingActionsResponse(_message.Message):
    __slots__ = ("conditions", "actions", "next_page_token")
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    conditions: _containers.RepeatedCompositeFieldContainer[HealingCondition]
    actions: _containers.RepeatedCompositeFieldContainer[HealingAction]
    next_page_token: str
    def __init__(self, conditions: _Optional[_Iterable[_Union[HealingCondition, _Mapping]]] = ..., actions: _Optional[_Iterable[_Union[HealingAction, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListHealingCasesRequest(_message.Message):
    __slots__ = ("open", "page_size", "page_token", "filter")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    open: bool
    page_size: int
    page_token: str
    filter: str
    def __init__(self, open: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., filter: _Optional[str] = ...) -> None: ...

class ListHealingCasesResponse(_message.Message):
    __slots__ = ("cases", "next_page_token")
    CASES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    cases: _containers.RepeatedCompositeFieldContainer[HealingCase]
    next_page_token: str
    def __init__(self, cases: _Optional[_Iterable[_Union[HealingCase, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ApproveHealingCaseRequest(_message.Message):
    __slots__ = ("id", "actor", "request_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    actor: str
    request_id: str
    def __init__(self, id: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ApproveHealingCaseResponse(_message.Message):
    __slots__ = ("case",)
    CASE_FIELD_NUMBER: _ClassVar[int]
    case: HealingCase
    def __init__(self, case: _Optional[_Union[HealingCase, _Mapping]] = ...) -> None: ...

class RejectHealingCaseRequest(_message.Message):
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

class RejectHealingCaseResponse(_message.Message):
    __slots__ = ("case",)
    CASE_FIELD_NUMBER: _ClassVar[int]
    case: HealingCase
    def __init__(self, case: _Optional[_Union[HealingCase, _Mapping]] = ...) -> None: ...

class RunRunbookRequest(_message.Message):
    __slots__ = ("name", "subject", "validate_only", "actor", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    subject: str
    validate_only: bool
    actor: str
    request_id: str
    def __init__(self, name: _Optional[str] = ..., subject: _Optional[str] = ..., validate_only: _Optional[bool] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class RunRunbookResponse(_message.Message):
    __slots__ = ("case",)
    CASE_FIELD_NUMBER: _ClassVar[int]
    case: HealingCase
    def __init__(self, case: _Optional[_Union[HealingCase, _Mapping]] = ...) -> None: ...

class DiagnoseRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class HealingVerdict(_message.Message):
    __slots__ = ("runbook", "holds", "mode")
    RUNBOOK_FIELD_NUMBER: _ClassVar[int]
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    runbook: str
    holds: bool
    mode: RunbookMode
    def __init__(self, runbook: _Optional[str] = ..., holds: _Optional[bool] = ..., mode: _Optional[_Union[RunbookMode, str]] = ...) -> None: ...

class HealingObservation(_message.Message):
    __slots__ = ("condition", "subject", "value", "unit", "text", "verdicts")
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    condition: str
    subject: str
    value: float
    unit: str
    text: str
    verdicts: _containers.RepeatedCompositeFieldContainer[HealingVerdict]
    def __init__(self, condition: _Optional[str] = ..., subject: _Optional[str] = ..., value: _Optional[float] = ..., unit: _Optional[str] = ..., text: _Optional[str] = ..., verdicts: _Optional[_Iterable[_Union[HealingVerdict, _Mapping]]] = ...) -> None: ...

class DiagnoseResponse(_message.Message):
    __slots__ = ("observations",)
    OBSERVATIONS_FIELD_NUMBER: _ClassVar[int]
    observations: _containers.RepeatedCompositeFieldContainer[HealingObservation]
    def __init__(self, observations: _Optional[_Iterable[_Union[HealingObservation, _Mapping]]] = ...) -> None: ...

class GetHealingStatsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class HealingCount(_message.Message):
    __slots__ = ("action", "state", "cases")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CASES_FIELD_NUMBER: _ClassVar[int]
    action: str
    state: str
    cases: int
    def __init__(self, action: _Optional[str] = ..., state: _Optional[str] = ..., cases: _Optional[int] = ...) -> None: ...

class GetHealingStatsResponse(_message.Message):
    __slots__ = ("counts", "effectiveness", "open")
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVENESS_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    counts: _containers.RepeatedCompositeFieldContainer[HealingCount]
    effectiveness: float
    open: int
    def __init__(self, counts: _Optional[_Iterable[_Union[HealingCount, _Mapping]]] = ..., effectiveness: _Optional[float] = ..., open: _Optional[int] = ...) -> None: ...
