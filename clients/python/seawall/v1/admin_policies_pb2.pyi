import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from seawall.v1 import admin_rollouts_pb2 as _admin_rollouts_pb2
from seawall.v1 import fleet_pb2 as _fleet_pb2
from seawall.v1 import options_pb2 as _options_pb2
from seawall.v1 import policy_pb2 as _policy_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RolloutState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLLOUT_STATE_UNSPECIFIED: _ClassVar[RolloutState]
    ROLLOUT_STATE_PENDING: _ClassVar[RolloutState]
    ROLLOUT_STATE_APPLIED: _ClassVar[RolloutState]
    ROLLOUT_STATE_REJECTED: _ClassVar[RolloutState]
    ROLLOUT_STATE_DISCONNECTED: _ClassVar[RolloutState]
    ROLLOUT_STATE_HELD: _ClassVar[RolloutState]
ROLLOUT_STATE_UNSPECIFIED: RolloutState
ROLLOUT_STATE_PENDING: RolloutState
ROLLOUT_STATE_APPLIED: RolloutState
ROLLOUT_STATE_REJECTED: RolloutState
ROLLOUT_STATE_DISCONNECTED: RolloutState
ROLLOUT_STATE_HELD: RolloutState

class Violation(_message.Message):
    __slots__ = ("field", "message", "code", "warning")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    WARNING_FIELD_NUMBER: _ClassVar[int]
    field: str
    message: str
    code: str
    warning: bool
    def __init__(self, field: _Optional[str] = ..., message: _Optional[str] = ..., code: _Optional[str] = ..., warning: _Optional[bool] = ...) -> None: ...

class Revision(_message.Message):
    __slots__ = ("name", "revision", "policy_set", "hash", "document", "author", "message", "create_time", "rollback_of", "base", "base_revision", "own_document")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ROLLBACK_OF_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    BASE_REVISION_FIELD_NUMBER: _ClassVar[int]
    OWN_DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    revision: int
    policy_set: str
    hash: str
    document: _policy_pb2.PolicyDocument
    author: str
    message: str
    create_time: _timestamp_pb2.Timestamp
    rollback_of: int
    base: str
    base_revision: int
    own_document: _policy_pb2.PolicyDocument
    def __init__(self, name: _Optional[str] = ..., revision: _Optional[int] = ..., policy_set: _Optional[str] = ..., hash: _Optional[str] = ..., document: _Optional[_Union[_policy_pb2.PolicyDocument, _Mapping]] = ..., author: _Optional[str] = ..., message: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., rollback_of: _Optional[int] = ..., base: _Optional[str] = ..., base_revision: _Optional[int] = ..., own_document: _Optional[_Union[_policy_pb2.PolicyDocument, _Mapping]] = ...) -> None: ...

class ValidatePolicyRequest(_message.Message):
    __slots__ = ("document", "policy_set")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    document: _policy_pb2.PolicyDocument
    policy_set: str
    def __init__(self, document: _Optional[_Union[_policy_pb2.PolicyDocument, _Mapping]] = ..., policy_set: _Optional[str] = ...) -> None: ...

class ValidatePolicyResponse(_message.Message):
    __slots__ = ("violations",)
    VIOLATIONS_FIELD_NUMBER: _ClassVar[int]
    violations: _containers.RepeatedCompositeFieldContainer[Violation]
    def __init__(self, violations: _Optional[_Iterable[_Union[Violation, _Mapping]]] = ...) -> None: ...

class ApplyPolicyRequest(_message.Message):
    __slots__ = ("document", "policy_set", "etag", "validate_only", "request_id", "author", "message", "rollout", "supersede", "allow_shrink")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    SUPERSEDE_FIELD_NUMBER: _ClassVar[int]
    ALLOW_SHRINK_FIELD_NUMBER: _ClassVar[int]
    document: _policy_pb2.PolicyDocument
    policy_set: str
    etag: str
    validate_only: bool
    request_id: str
    author: str
    message: str
    rollout: _admin_rollouts_pb2.RolloutStrategy
    supersede: bool
    allow_shrink: bool
    def __init__(self, document: _Optional[_Union[_policy_pb2.PolicyDocument, _Mapping]] = ..., policy_set: _Optional[str] = ..., etag: _Optional[str] = ..., validate_only: _Optional[bool] = ..., request_id: _Optional[str] = ..., author: _Optional[str] = ..., message: _Optional[str] = ..., rollout: _Optional[_Union[_admin_rollouts_pb2.RolloutStrategy, _Mapping]] = ..., supersede: _Optional[bool] = ..., allow_shrink: _Optional[bool] = ...) -> None: ...

class ApplyPolicyResponse(_message.Message):
    __slots__ = ("revision", "changed", "violations", "rollout", "targets", "followers")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    VIOLATIONS_FIELD_NUMBER: _ClassVar[int]
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    FOLLOWERS_FIELD_NUMBER: _ClassVar[int]
    revision: Revision
    changed: bool
    violations: _containers.RepeatedCompositeFieldContainer[Violation]
    rollout: _admin_rollouts_pb2.StagedRollout
    targets: _containers.RepeatedScalarFieldContainer[str]
    followers: _containers.RepeatedCompositeFieldContainer[PolicyFollower]
    def __init__(self, revision: _Optional[_Union[Revision, _Mapping]] = ..., changed: _Optional[bool] = ..., violations: _Optional[_Iterable[_Union[Violation, _Mapping]]] = ..., rollout: _Optional[_Union[_admin_rollouts_pb2.StagedRollout, _Mapping]] = ..., targets: _Optional[_Iterable[str]] = ..., followers: _Optional[_Iterable[_Union[PolicyFollower, _Mapping]]] = ...) -> None: ...

class PolicyFollower(_message.Message):
    __slots__ = ("revision", "rollout", "targets")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    revision: Revision
    rollout: _admin_rollouts_pb2.StagedRollout
    targets: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, revision: _Optional[_Union[Revision, _Mapping]] = ..., rollout: _Optional[_Union[_admin_rollouts_pb2.StagedRollout, _Mapping]] = ..., targets: _Optional[_Iterable[str]] = ...) -> None: ...

class DiffPolicyRequest(_message.Message):
    __slots__ = ("policy_set", "from_revision", "to_revision", "document")
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    FROM_REVISION_FIELD_NUMBER: _ClassVar[int]
    TO_REVISION_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    policy_set: str
    from_revision: int
    to_revision: int
    document: _policy_pb2.PolicyDocument
    def __init__(self, policy_set: _Optional[str] = ..., from_revision: _Optional[int] = ..., to_revision: _Optional[int] = ..., document: _Optional[_Union[_policy_pb2.PolicyDocument, _Mapping]] = ...) -> None: ...

class Change(_message.Message):
    __slots__ = ("field", "before", "after")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    field: str
    before: str
    after: str
    def __init__(self, field: _Optional[str] = ..., before: _Optional[str] = ..., after: _Optional[str] = ...) -> None: ...

class DiffPolicyResponse(_message.Message):
    __slots__ = ("changes", "from_revision")
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    FROM_REVISION_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[Change]
    from_revision: int
    def __init__(self, changes: _Optional[_Iterable[_Union[Change, _Mapping]]] = ..., from_revision: _Optional[int] = ...) -> None: ...

class GetRevisionRequest(_message.Message):
    __slots__ = ("policy_set", "revision")
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    policy_set: str
    revision: int
    def __init__(self, policy_set: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class GetRevisionResponse(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: Revision
    def __init__(self, revision: _Optional[_Union[Revision, _Mapping]] = ...) -> None: ...

class ListRevisionsRequest(_message.Message):
    __slots__ = ("policy_set", "page_size", "page_token")
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    policy_set: str
    page_size: int
    page_token: str
    def __init__(self, policy_set: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRevisionsResponse(_message.Message):
    __slots__ = ("revisions", "next_page_token")
    REVISIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    revisions: _containers.RepeatedCompositeFieldContainer[Revision]
    next_page_token: str
    def __init__(self, revisions: _Optional[_Iterable[_Union[Revision, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RollbackPolicyRequest(_message.Message):
    __slots__ = ("policy_set", "revision", "etag", "validate_only", "request_id", "author", "message")
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    policy_set: str
    revision: int
    etag: str
    validate_only: bool
    request_id: str
    author: str
    message: str
    def __init__(self, policy_set: _Optional[str] = ..., revision: _Optional[int] = ..., etag: _Optional[str] = ..., validate_only: _Optional[bool] = ..., request_id: _Optional[str] = ..., author: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class RollbackPolicyResponse(_message.Message):
    __slots__ = ("revision", "followers")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    FOLLOWERS_FIELD_NUMBER: _ClassVar[int]
    revision: Revision
    followers: _containers.RepeatedCompositeFieldContainer[PolicyFollower]
    def __init__(self, revision: _Optional[_Union[Revision, _Mapping]] = ..., followers: _Optional[_Iterable[_Union[PolicyFollower, _Mapping]]] = ...) -> None: ...

class DescribePolicyRequest(_message.Message):
    __slots__ = ("policy_set", "revision", "document")
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    policy_set: str
    revision: int
    document: _policy_pb2.PolicyDocument
    def __init__(self, policy_set: _Optional[str] = ..., revision: _Optional[int] = ..., document: _Optional[_Union[_policy_pb2.PolicyDocument, _Mapping]] = ...) -> None: ...

class DescribePolicyResponse(_message.Message):
    __slots__ = ("document", "layers", "settings", "extended_by", "behind")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    EXTENDED_BY_FIELD_NUMBER: _ClassVar[int]
    BEHIND_FIELD_NUMBER: _ClassVar[int]
    document: _policy_pb2.PolicyDocument
    layers: _containers.RepeatedCompositeFieldContainer[PolicyLayer]
    settings: _containers.RepeatedCompositeFieldContainer[PolicySetting]
    extended_by: _containers.RepeatedScalarFieldContainer[str]
    behind: bool
    def __init__(self, document: _Optional[_Union[_policy_pb2.PolicyDocument, _Mapping]] = ..., layers: _Optional[_Iterable[_Union[PolicyLayer, _Mapping]]] = ..., settings: _Optional[_Iterable[_Union[PolicySetting, _Mapping]]] = ..., extended_by: _Optional[_Iterable[str]] = ..., behind: _Optional[bool] = ...) -> None: ...

class PolicyLayer(_message.Message):
    __slots__ = ("policy_set", "revision")
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    policy_set: str
    revision: int
    def __init__(self, policy_set: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class PolicySetting(_message.Message):
    __slots__ = ("field", "value", "layer")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    field: str
    value: str
    layer: int
    def __init__(self, field: _Optional[str] = ..., value: _Optional[str] = ..., layer: _Optional[int] = ...) -> None: ...

class GetRolloutRequest(_message.Message):
    __slots__ = ("policy_set",)
    POLICY_SET_FIELD_NUMBER: _ClassVar[int]
    policy_set: str
    def __init__(self, policy_set: _Optional[str] = ...) -> None: ...

class ProxyRollout(_message.Message):
    __slots__ = ("proxy", "state", "applied_revision", "last_verdict", "reasons", "update_time")
    PROXY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    APPLIED_REVISION_FIELD_NUMBER: _ClassVar[int]
    LAST_VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    proxy: str
    state: RolloutState
    applied_revision: int
    last_verdict: _fleet_pb2.PolicyVerdict
    reasons: _containers.RepeatedScalarFieldContainer[str]
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, proxy: _Optional[str] = ..., state: _Optional[_Union[RolloutState, str]] = ..., applied_revision: _Optional[int] = ..., last_verdict: _Optional[_Union[_fleet_pb2.PolicyVerdict, str]] = ..., reasons: _Optional[_Iterable[str]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetRolloutResponse(_message.Message):
    __slots__ = ("revision", "hash", "proxies", "applied", "connected")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    PROXIES_FIELD_NUMBER: _ClassVar[int]
    APPLIED_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    revision: int
    hash: str
    proxies: _containers.RepeatedCompositeFieldContainer[ProxyRollout]
    applied: int
    connected: int
    def __init__(self, revision: _Optional[int] = ..., hash: _Optional[str] = ..., proxies: _Optional[_Iterable[_Union[ProxyRollout, _Mapping]]] = ..., applied: _Optional[int] = ..., connected: _Optional[int] = ...) -> None: ...
