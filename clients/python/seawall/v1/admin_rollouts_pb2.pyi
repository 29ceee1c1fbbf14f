import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from seawall.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StagedRolloutState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STAGED_ROLLOUT_STATE_UNSPECIFIED: _ClassVar[StagedRolloutState]
    STAGED_ROLLOUT_STATE_PENDING: _ClassVar[StagedRolloutState]
    STAGED_ROLLOUT_STATE_RUNNING: _ClassVar[StagedRolloutState]
    STAGED_ROLLOUT_STATE_PAUSED: _ClassVar[StagedRolloutState]
    STAGED_ROLLOUT_STATE_PROMOTING: _ClassVar[StagedRolloutState]
    STAGED_ROLLOUT_STATE_SUCCEEDED: _ClassVar[StagedRolloutState]
    STAGED_ROLLOUT_STATE_ROLLED_BACK: _ClassVar[StagedRolloutState]
    STAGED_ROLLOUT_STATE_FAILED: _ClassVar[StagedRolloutState]
    STAGED_ROLLOUT_STATE_CANCELLED: _ClassVar[StagedRolloutState]

class RolloutVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLLOUT_VERDICT_UNSPECIFIED: _ClassVar[RolloutVerdict]
    ROLLOUT_VERDICT_CONTINUE: _ClassVar[RolloutVerdict]
    ROLLOUT_VERDICT_WAIT: _ClassVar[RolloutVerdict]
    ROLLOUT_VERDICT_ROLLBACK: _ClassVar[RolloutVerdict]
STAGED_ROLLOUT_STATE_UNSPECIFIED: StagedRolloutState
STAGED_ROLLOUT_STATE_PENDING: StagedRolloutState
STAGED_ROLLOUT_STATE_RUNNING: StagedRolloutState
STAGED_ROLLOUT_STATE_PAUSED: StagedRolloutState
STAGED_ROLLOUT_STATE_PROMOTING: StagedRolloutState
STAGED_ROLLOUT_STATE_SUCCEEDED: StagedRolloutState
STAGED_ROLLOUT_STATE_ROLLED_BACK: StagedRolloutState
STAGED_ROLLOUT_STATE_FAILED: StagedRolloutState
STAGED_ROLLOUT_STATE_CANCELLED: StagedRolloutState
ROLLOUT_VERDICT_UNSPECIFIED: RolloutVerdict
ROLLOUT_VERDICT_CONTINUE: RolloutVerdict
ROLLOUT_VERDICT_WAIT: RolloutVerdict
ROLLOUT_VERDICT_ROLLBACK: RolloutVerdict

class RolloutStrategy(_message.Message):
    __slots__ = ("stages", "guards", "patience")
    STAGES_FIELD_NUMBER: _ClassVar[int]
    GUARDS_FIELD_NUMBER: _ClassVar[int]
    PATIENCE_FIELD_NUMBER: _ClassVar[int]
    stages: _containers.RepeatedCompositeFieldContainer[RolloutStage]
    guards: RolloutGuards
    patience: _duration_pb2.Duration
    def __init__(self, stages: _Optional[_Iterable[_Union[RolloutStage, _Mapping]]] = ..., guards: _Optional[_Union[RolloutGuards, _Mapping]] = ..., patience: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RolloutStage(_message.Message):
    __slots__ = ("percent", "selector", "bake")
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    BAKE_FIELD_NUMBER: _ClassVar[int]
    percent: float
    selector: str
    bake: _duration_pb2.Duration
    def __init__(self, percent: _Optional[float] = ..., selector: _Optional[str] = ..., bake: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RolloutGuards(_message.Message):
    __slots__ = ("max_error_increase_percent", "max_rejected_increase_percent", "max_latency_ratio", "min_latency_increase", "max_nacks", "min_calls", "confidence_percent")
    MAX_ERROR_INCREASE_PERCENT_FIELD_NUMBER: _ClassVar[int]
    MAX_REJECTED_INCREASE_PERCENT_FIELD_NUMBER: _ClassVar[int]
    MAX_LATENCY_RATIO_FIELD_NUMBER: _ClassVar[int]
    MIN_LATENCY_INCREASE_FIELD_NUMBER: _ClassVar[int]
    MAX_NACKS_FIELD_NUMBER: _ClassVar[int]
    MIN_CALLS_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_PERCENT_FIELD_NUMBER: _ClassVar[int]
    max_error_increase_percent: float
    max_rejected_increase_percent: float
    max_latency_ratio: float
    min_latency_increase: _duration_pb2.Duration
    max_nacks: int
    min_calls: int
    confidence_percent: float
    def __init__(self, max_error_increase_percent: _Optional[float] = ..., max_rejected_increase_percent: _Optional[float] = ..., max_latency_ratio: _Optional[float] = ..., min_latency_increase: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_nacks: _Optional[int] = ..., min_calls: _Optional[int] = ..., confidence_percent: _Optional[float] = ...) -> None: ...

class RolloutFinding(_message.Message):
    __slots__ = ("guard", "verdict", "text", "route", "canary", "rest", "limit", "canary_calls", "rest_calls", "p_value")
    GUARD_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    CANARY_FIELD_NUMBER: _ClassVar[int]
    REST_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CANARY_CALLS_FIELD_NUMBER: _ClassVar[int]
    REST_CALLS_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    guard: str
    verdict: RolloutVerdict
    text: str
    route: str
    canary: float
    rest: float
    limit: float
    canary_calls: int
    rest_calls: int
    p_value: float
    def __init__(self, guard: _Optional[str] = ..., verdict: _Optional[_Union[RolloutVerdict, str]] = ..., text: _Optional[str] = ..., route: _Optional[str] = ..., canary: _Optional[float] = ..., rest: _Optional[float] = ..., limit: _Optional[float] = ..., canary_calls: _Optional[int] = ..., rest_calls: _Optional[int] = ..., p_value: _Optional[float] = ...) -> None: ...

class RolloutMember(_message.Message):
    __slots__ = ("proxy", "member", "applied", "reasons")
    PROXY_FIELD_NUMBER: _ClassVar[int]
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    APPLIED_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    proxy: str
    member: bool
    applied: bool
    reasons: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, proxy: _Optional[str] = ..., member: _Optional[bool] = ..., applied: _Optional[bool] = ..., reasons: _Optional[_Iterable[str]] = ...) -> None: ...

class StagedRollout(_message.Message):
    __slots__ = ("name", "policy_set", "revision", "hash", "stable_revision", "strategy", "state", "reason", "stage", "stage_time", "baked", "verdict", "findings", "back_as", "author", "message", "create_time", "end_time", "members")
    NAME_FIELD_NUMBER: _ClassVar[int]
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    STABLE_REVISION_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    STAGE_TIME_FIELD_NUMBER: _ClassVar[int]
    BAKED_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    BACK_AS_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    policy_set: str
    revision: int
    hash: str
    stable_revision: int
    strategy: RolloutStrategy
    state: StagedRolloutState
    reason: str
    stage: int
    stage_time: _timestamp_pb2.Timestamp
    baked: _duration_pb2.Duration
    verdict: RolloutVerdict
    findings: _containers.RepeatedCompositeFieldContainer[RolloutFinding]
    back_as: int
    author: str
    message: str
    create_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    members: _containers.RepeatedCompositeFieldContainer[RolloutMember]
    def __init__(self, name: _Optional[str] = ..., policy_set: _Optional[str] = ..., revision: _Optional[int] = ..., hash: _Optional[str] = ..., stable_revision: _Optional[int] = ..., strategy: _Optional[_Union[RolloutStrategy, _Mapping]] = ..., state: _Optional[_Union[StagedRolloutState, str]] = ..., reason: _Optional[str] = ..., stage: _Optional[int] = ..., stage_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., baked: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., verdict: _Optional[_Union[RolloutVerdict, str]] = ..., findings: _Optional[_Iterable[_Union[RolloutFinding, _Mapping]]] = ..., back_as: _Optional[int] = ..., author: _Optional[str] = ..., message: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., members: _Optional[_Iterable[_Union[RolloutMember, _Mapping]]] = ...) -> None: ...

class GetStagedRolloutRequest(_message.Message):
    __slots__ = ("policy_set", "revision")
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    policy_set: str
    revision: int
    def __init__(self, policy_set: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class GetStagedRolloutResponse(_message.Message):
    __slots__ = ("rollout",)
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    rollout: StagedRollout
    def __init__(self, rollout: _Optional[_Union[StagedRollout, _Mapping]] = ...) -> None: ...

class ListStagedRolloutsRequest(_message.Message):
    __slots__ = ("policy_set", "page_size", "page_token")
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    policy_set: str
    page_size: int
    page_token: str
    def __init__(self, policy_set: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListStagedRolloutsResponse(_message.Message):
    __slots__ = ("rollouts", "next_page_token")
    ROLLOUTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    rollouts: _containers.RepeatedCompositeFieldContainer[StagedRollout]
    next_page_token: str
    def __init__(self, rollouts: _Optional[_Iterable[_Union[StagedRollout, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WatchStagedRolloutRequest(_message.Message):
    __slots__ = ("policy_set",)
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    policy_set: str
    def __init__(self, policy_set: _Optional[str] = ...) -> None: ...

class WatchStagedRolloutResponse(_message.Message):
    __slots__ = ("rollout",)
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    rollout: StagedRollout
    def __init__(self, rollout: _Optional[_Union[StagedRollout, _Mapping]] = ...) -> None: ...

class PauseRolloutRequest(_message.Message):
    __slots__ = ("policy_set", "actor", "reason", "request_id")
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    policy_set: str
    actor: str
    reason: str
    request_id: str
    def __init__(self, policy_set: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class PauseRolloutResponse(_message.Message):
    __slots__ = ("rollout",)
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    rollout: StagedRollout
    def __init__(self, rollout: _Optional[_Union[StagedRollout, _Mapping]] = ...) -> None: ...

class ResumeRolloutRequest(_message.Message):
    __slots__ = ("policy_set", "actor", "reason", "request_id")
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    policy_set: str
    actor: str
    reason: str
    request_id: str
    def __init__(self, policy_set: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ResumeRolloutResponse(_message.Message):
    __slots__ = ("rollout",)
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    rollout: StagedRollout
    def __init__(self, rollout: _Optional[_Union[StagedRollout, _Mapping]] = ...) -> None: ...

class PromoteRolloutRequest(_message.Message):
    __slots__ = ("policy_set", "actor", "reason", "request_id")
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    policy_set: str
    actor: str
    reason: str
    request_id: str
    def __init__(self, policy_set: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class PromoteRolloutResponse(_message.Message):
    __slots__ = ("rollout",)
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    rollout: StagedRollout
    def __init__(self, rollout: _Optional[_Union[StagedRollout, _Mapping]] = ...) -> None: ...

class UndoRolloutRequest(_message.Message):
    __slots__ = ("policy_set", "actor", "reason", "request_id")
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    policy_set: str
    actor: str
    reason: str
    request_id: str
    def __init__(self, policy_set: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class UndoRolloutResponse(_message.Message):
    __slots__ = ("rollout",)
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    rollout: StagedRollout
    def __init__(self, rollout: _Optional[_Union[StagedRollout, _Mapping]] = ...) -> None: ...
