"""Every RPC of the admin API as a value: method, request, type of the answer, deadline.

Both clients run these, so that a parameter is described and turned into a message in one place. Nothing here
touches a wire.
"""

from __future__ import annotations

import getpass
import os
import socket
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Generic, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from seawall.client.documents import DocumentSource, as_document
from seawall.v1 import admin_events_pb2 as events
from seawall.v1 import admin_fleet_pb2 as fleet
from seawall.v1 import admin_policies_pb2 as policies
from seawall.v1 import stats_pb2
from seawall.v1.admin_rollouts_pb2 import RolloutStrategy
from seawall.v1.event_pb2 import ErrorEvent

DEFAULT_TARGET: Final = "127.0.0.1:9090"
DEFAULT_TIMEOUT_S: Final = 10.0
TAIL_TIMEOUT_S: Final = 3600.0
"""How long one tail lasts when nothing else is said; a follower starts another."""

CHANNEL_OPTIONS: Final = (
    # A policy with descriptors may be larger than gRPC's 4 MiB.
    ("grpc.max_receive_message_length", 32 * 1024 * 1024),
    ("grpc.max_send_message_length", 32 * 1024 * 1024),
    # A control plane that went away without a word is noticed within half a minute of a tail.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.enable_retries", 0),
    # An admin call follows the target that it was given, not the proxy of the environment.
    ("grpc.enable_http_proxy", 0),
)

R = TypeVar("R", bound=Message)
Seconds = float | timedelta


@dataclass(frozen=True, slots=True)
class Call(Generic[R]):
    """One RPC, ready to be sent. `timeout_s` None means the client's own."""

    method: str
    request: Message
    response: type[R]
    timeout_s: float | None = None


def next_page(call: Call[R], answer: R) -> Call[R] | None:
    """Return the call for the page after an answer of a list; None when that was the last."""
    token: str = getattr(answer, "next_page_token", "")
    if not token:
        return None
    request = type(call.request)()
    request.CopyFrom(call.request)
    request.page_token = token  # type: ignore[attr-defined]
    return replace(call, request=request)


def serialize(message: Message) -> bytes:
    """Return a message's bytes."""
    return message.SerializeToString()


def default_author() -> str:
    """Return `user@host`, for the record of who did it."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid{os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def seconds(value: Seconds) -> float:
    """Return a length of time in seconds."""
    return value.total_seconds() if isinstance(value, timedelta) else float(value)


def duration(value: Seconds) -> Duration:
    """Return a length of time as a message."""
    message = Duration()
    message.FromNanoseconds(round(seconds(value) * 1e9))
    return message


# --------------------------------------------------------------------------------------------------- policies


def validate(document: DocumentSource, *, policy_set: str) -> Call[policies.ValidatePolicyResponse]:
    """Check a document with the compiler that the proxies use."""
    request = policies.ValidatePolicyRequest(document=as_document(document), policy_set=policy_set)
    return Call("/seawall.v1.PolicyService/ValidatePolicy", request, policies.ValidatePolicyResponse)


def apply(
    document: DocumentSource,
    *,
    policy_set: str,
    etag: str,
    validate_only: bool,
    request_id: str,
    author: str,
    message: str,
    rollout: RolloutStrategy | None,
    supersede: bool,
    allow_shrink: bool,
) -> Call[policies.ApplyPolicyResponse]:
    """Make a document the newest revision."""
    request = policies.ApplyPolicyRequest(
        document=as_document(document),
        policy_set=policy_set,
        etag=etag,
        validate_only=validate_only,
        request_id=request_id or str(uuid.uuid4()),
        author=author or default_author(),
        message=message,
        rollout=rollout,
        supersede=supersede,
        allow_shrink=allow_shrink,
    )
    return Call("/seawall.v1.PolicyService/ApplyPolicy", request, policies.ApplyPolicyResponse)


def diff(
    document: DocumentSource | None, *, policy_set: str, from_revision: int, to_revision: int
) -> Call[policies.DiffPolicyResponse]:
    """Compare a document, or `to_revision`, with `from_revision` (0: the newest)."""
    request = policies.DiffPolicyRequest(
        policy_set=policy_set, from_revision=from_revision, to_revision=to_revision
    )
    if document is not None:
        request.document.CopyFrom(as_document(document))
    return Call("/seawall.v1.PolicyService/DiffPolicy", request, policies.DiffPolicyResponse)


def get_revision(revision: int, *, policy_set: str) -> Call[policies.GetRevisionResponse]:
    """One revision; 0 is the newest."""
    request = policies.GetRevisionRequest(policy_set=policy_set, revision=revision)
    return Call("/seawall.v1.PolicyService/GetRevision", request, policies.GetRevisionResponse)


def list_revisions(
    page_size: int, page_token: str, *, policy_set: str
) -> Call[policies.ListRevisionsResponse]:
    """One page of revisions, newest first."""
    request = policies.ListRevisionsRequest(policy_set=policy_set, page_size=page_size, page_token=page_token)
    return Call("/seawall.v1.PolicyService/ListRevisions", request, policies.ListRevisionsResponse)


def rollback(
    revision: int,
    *,
    policy_set: str,
    etag: str,
    validate_only: bool,
    request_id: str,
    author: str,
    message: str,
) -> Call[policies.RollbackPolicyResponse]:
    """Make an older revision's content the newest revision; 0 is the one before the newest."""
    request = policies.RollbackPolicyRequest(
        policy_set=policy_set,
        revision=revision,
        etag=etag,
        validate_only=validate_only,
        request_id=request_id or str(uuid.uuid4()),
        author=author or default_author(),
        message=message,
    )
    return Call("/seawall.v1.PolicyService/RollbackPolicy", request, policies.RollbackPolicyResponse)


def describe(
    document: DocumentSource | None, *, policy_set: str, revision: int
) -> Call[policies.DescribePolicyResponse]:
    """PolicyService.DescribePolicy."""
    request = policies.DescribePolicyRequest(policy_set=policy_set, revision=revision)
    if document is not None:
        request.document.CopyFrom(as_document(document))
    return Call("/seawall.v1.PolicyService/DescribePolicy", request, policies.DescribePolicyResponse)


def get_rollout(*, policy_set: str) -> Call[policies.GetRolloutResponse]:
    """What every proxy made of the newest revision."""
    request = policies.GetRolloutRequest(policy_set=policy_set)
    return Call("/seawall.v1.PolicyService/GetRollout", request, policies.GetRolloutResponse)


# ----------------------------------------------------------------------------------------------------- events


def report(items: Iterable[ErrorEvent]) -> Call[events.ReportEventsResponse]:
    """Store events, each id once."""
    request = events.ReportEventsRequest(events=list(items))
    return Call("/seawall.v1.EventService/ReportEvents", request, events.ReportEventsResponse)


def get_event(event_id: str) -> Call[events.GetEventResponse]:
    """One event."""
    return Call(
        "/seawall.v1.EventService/GetEvent", events.GetEventRequest(id=event_id), events.GetEventResponse
    )


def list_events(
    filter_: str, page_size: int, page_token: str, *, order_by: str
) -> Call[events.ListEventsResponse]:
    """One page of events."""
    request = events.ListEventsRequest(
        filter=filter_, page_size=page_size, page_token=page_token, order_by=order_by
    )
    return Call("/seawall.v1.EventService/ListEvents", request, events.ListEventsResponse)


def update_event(event: ErrorEvent, update_mask: Sequence[str]) -> Call[events.UpdateEventResponse]:
    """Change fields of an event."""
    request = events.UpdateEventRequest(event=event, update_mask=FieldMask(paths=list(update_mask)))
    return Call("/seawall.v1.EventService/UpdateEvent", request, events.UpdateEventResponse)


def resolve_events(
    ids: Sequence[str], *, filter_: str, resolution: str, validate_only: bool
) -> Call[events.ResolveEventsResponse]:
    """Mark events as dealt with."""
    request = events.ResolveEventsRequest(
        ids=list(ids), filter=filter_, resolution=resolution, validate_only=validate_only
    )
    return Call("/seawall.v1.EventService/ResolveEvents", request, events.ResolveEventsResponse)


def event_stats() -> Call[events.GetEventStatsResponse]:
    """Counts."""
    return Call(
        "/seawall.v1.EventService/GetEventStats", events.GetEventStatsRequest(), events.GetEventStatsResponse
    )


def delete_resolved(older_than: Seconds, *, validate_only: bool) -> Call[events.DeleteResolvedEventsResponse]:
    """Delete resolved events older than an age."""
    request = events.DeleteResolvedEventsRequest(older_than=duration(older_than), validate_only=validate_only)
    return Call("/seawall.v1.EventService/DeleteResolvedEvents", request, events.DeleteResolvedEventsResponse)


def tail_events(filter_: str, backlog: int, *, timeout_s: float) -> Call[events.TailEventsResponse]:
    """Follow new events."""
    request = events.TailEventsRequest(filter=filter_, backlog=backlog)
    return Call("/seawall.v1.EventService/TailEvents", request, events.TailEventsResponse, timeout_s)


def export_events(
    filter_: str, format_: str, limit: int, *, timeout_s: float
) -> Call[events.ExportEventsResponse]:
    """A file of events, in parts."""
    if format_ not in {"ndjson", "csv", "json"}:
        raise ValueError(f"format {format_!r} is none of ndjson, csv and json")
    request = events.ExportEventsRequest(
        filter=filter_, format=f"EXPORT_FORMAT_{format_.upper()}", limit=limit
    )
    return Call("/seawall.v1.EventService/ExportEvents", request, events.ExportEventsResponse, timeout_s)


def entity_history(
    job_id: str, trace_id: str, page_size: int, page_token: str
) -> Call[events.GetEntityHistoryResponse]:
    """One page of what happened to a job or in a trace."""
    if bool(job_id) == bool(trace_id):
        raise ValueError("name a job_id or a trace_id")
    request = events.GetEntityHistoryRequest(page_size=page_size, page_token=page_token)
    if job_id:
        request.job_id = job_id
    else:
        request.trace_id = trace_id
    return Call("/seawall.v1.EventService/GetEntityHistory", request, events.GetEntityHistoryResponse)


def event_timeline(
    window: Seconds, step: Seconds | None, group_by: Sequence[str], route: str
) -> Call[events.GetEventTimelineResponse]:
    """Counts over time."""
    request = events.GetEventTimelineRequest(window=duration(window), group_by=list(group_by), route=route)
    if step is not None:
        request.step.CopyFrom(duration(step))
    return Call("/seawall.v1.EventService/GetEventTimeline", request, events.GetEventTimelineResponse)


# ------------------------------------------------------------------------------------------------- operations


def list_proxies(page_size: int, page_token: str) -> Call[fleet.ListProxiesResponse]:
    """One page of proxies."""
    request = fleet.ListProxiesRequest(page_size=page_size, page_token=page_token)
    return Call("/seawall.v1.OperationsService/ListProxies", request, fleet.ListProxiesResponse)


def get_proxy(node: str) -> Call[fleet.GetProxyResponse]:
    """One proxy."""
    return Call(
        "/seawall.v1.OperationsService/GetProxy", fleet.GetProxyRequest(node=node), fleet.GetProxyResponse
    )


def route_stats(proxy: str, window: Seconds, page_token: str = "") -> Call[fleet.ListRouteStatsResponse]:
    """One page of statistics of routes."""
    request = fleet.ListRouteStatsRequest(proxy=proxy, window=duration(window), page_token=page_token)
    return Call("/seawall.v1.OperationsService/ListRouteStats", request, fleet.ListRouteStatsResponse)


def cluster_stats(proxy: str, page_token: str = "") -> Call[fleet.ListClusterStatsResponse]:
    """One page of statistics of clusters."""
    request = fleet.ListClusterStatsRequest(proxy=proxy, page_token=page_token)
    return Call("/seawall.v1.OperationsService/ListClusterStats", request, fleet.ListClusterStatsResponse)


_PASSING: Final = {
    "disabled": stats_pb2.BREAKER_STATE_DISABLED,
    "metrics_only": stats_pb2.BREAKER_STATE_METRICS_ONLY,
}


def list_breakers(proxy: str, page_token: str = "") -> Call[fleet.ListBreakersResponse]:
    """One page of breakers."""
    request = fleet.ListBreakersRequest(proxy=proxy, page_token=page_token)
    return Call("/seawall.v1.OperationsService/ListBreakers", request, fleet.ListBreakersResponse)


def reset_breaker(breaker: str, proxy: str, reason: str, actor: str) -> Call[fleet.ResetBreakerResponse]:
    """Close a breaker."""
    request = fleet.ResetBreakerRequest(
        breaker=breaker, proxy=proxy, reason=reason, actor=actor or default_author()
    )
    return Call("/seawall.v1.OperationsService/ResetBreaker", request, fleet.ResetBreakerResponse)


def trip_breaker(
    breaker: str, proxy: str, duration_: Seconds, reason: str, actor: str
) -> Call[fleet.TripBreakerResponse]:
    """Hold a breaker open."""
    request = fleet.TripBreakerRequest(
        breaker=breaker,
        proxy=proxy,
        duration=duration(duration_),
        reason=reason,
        actor=actor or default_author(),
    )
    return Call("/seawall.v1.OperationsService/TripBreaker", request, fleet.TripBreakerResponse)


def hold_breaker(
    breaker: str, proxy: str, state: str, duration_: Seconds, reason: str, actor: str
) -> Call[fleet.HoldBreakerResponse]:
    """Let everything pass a breaker; raise ValueError for a state that is neither of the two."""
    if state not in _PASSING:
        raise ValueError(f"state must be 'disabled' or 'metrics_only', not {state!r}")
    request = fleet.HoldBreakerRequest(
        breaker=breaker,
        proxy=proxy,
        state=_PASSING[state],
        duration=duration(duration_),
        reason=reason,
        actor=actor or default_author(),
    )
    return Call("/seawall.v1.OperationsService/HoldBreaker", request, fleet.HoldBreakerResponse)


def system_health() -> Call[fleet.GetSystemHealthResponse]:
    """Health with reasons."""
    request = fleet.GetSystemHealthRequest()
    return Call("/seawall.v1.OperationsService/GetSystemHealth", request, fleet.GetSystemHealthResponse)
