"""What one call remembers.

The rooms above it, each a class of its own, add what is done with it:

`CallState` < `RequestSide` (the request and its repetition) < `ResponseSide` (holding back and committing) <
`CallEnd` (what the client is told, and what is recorded) < `Call` (attempts, retries, fallbacks, time).
"""

from __future__ import annotations

from typing import Final

from seawall_policy.retry import RetryDecision
from seawall_proxy.call.access import AccessRecord
from seawall_proxy.call.admission import Admission, Seat
from seawall_proxy.call.attempt import NO_EXTRA, Attempt, AttemptOwner
from seawall_proxy.call.context import Context
from seawall_proxy.call.message_meter import MessageMeter
from seawall_proxy.call.mirror import Mirror
from seawall_proxy.call.ports import OUTCOME_NAMES, AttemptRecord, CallTrace
from seawall_proxy.call.request import RequestHead
from seawall_proxy.call.routing import RouteState, RoutingTable
from seawall_proxy.call.slots import Slots
from seawall_proxy.call.timers import NEVER
from seawall_proxy.call.upstream_port import UpstreamCluster
from seawall_proxy.http2.headers import Field, HeaderBlock
from seawall_proxy.http2.stream import Stream

KIND_UNKNOWN: Final = 0
KIND_UNARY: Final = 1
KIND_STREAM: Final = 2


class CallState(AttemptOwner):
    """The numbers and references of one call."""

    # What a plain call leaves as it is stands here and not in __init__: interpreted, such a default costs
    # nothing until it is changed (and an instance with more than 30 names of its own loses its compact form).
    trace: CallTrace | None = None
    cluster: UpstreamCluster | None = None
    attempt: Attempt | None = None
    attempts: int = 0
    tried: int = 0
    decision: RetryDecision | None = None
    records: list[AttemptRecord] | None = None
    retry_at: float = NEVER
    try_deadline: float = NEVER
    commit_at: float = NEVER
    request_done: bool = False
    replay_size: int = 0
    credited: int = 0
    """Request bytes for which the client has its credit back."""
    committed: bool = False
    finished: bool = False
    listed: bool = False
    held_block: HeaderBlock | None = None
    held_extra: tuple[Field, ...] = NO_EXTRA
    held_size: int = 0
    fallback_index: int = 0
    maybe_executed: bool = False
    """Some server may have carried the call out, or begun to."""
    in_fallback: bool = False
    answered_static: bool = False
    meter: MessageMeter | None = None
    """Follows the request's messages where the listener limits their size."""
    slots: Slots | None = None
    """The slots of the client's connection."""
    waits_for_slot: bool = False
    failed_code: int = 0
    failed_reason: str = ""
    access: AccessRecord | None = None
    mirrors: list[Mirror] | None = None
    """Copies that still take the request; None when there are none."""
    seat: Seat | None = None
    """Its place under the route's limit, held or waited for."""
    admission: Admission | None = None
    """Where the seat goes back to; a newer policy may have another one."""
    answered_at: float = 0.0
    """When the first bytes of an answer came; only kept by calls that have or had a seat."""
    asked_at: float = 0.0
    """When the request was complete; 0.0 when it was from the start, or is not yet."""
    come_back_s: float = -1.0
    """What a call is told that a limit refuses."""
    peer: str = ""
    """The client's address, where a rate limit may ask for it."""
    kept_code: int = 0
    kept_block: HeaderBlock | None = None
    """The last answer of a server that was not passed on, for the case that no other one comes."""
    kept_extra: tuple[Field, ...] = NO_EXTRA
    kept_trailers_only: bool = False

    def __init__(
        self,
        context: Context,
        stream: Stream,
        table: RoutingTable,
        state: RouteState,
        head: RequestHead,
        extra: tuple[Field, ...],
        deadline: float,
    ) -> None:
        now = context.now
        limit = now + state.policy.timeout_s
        self.tick = -1
        self.context: Context = context
        self.stream: Stream = stream
        self.table: RoutingTable = table
        """The policy that was in force when the call began; it decides until the end."""
        self.state: RouteState = state
        self.head: RequestHead = head
        self.extra: tuple[Field, ...] = extra
        """The request's per-call fields, without those that each attempt makes anew."""
        self.started: float = now
        self.client_deadline: float = deadline
        self.deadline: float = min(deadline, limit)
        self.replay: list[bytes] | None = []
        """The request so far; None once it can no longer be repeated."""
        self.held_data: list[bytes] = []

    def _kind(self) -> int:
        """Tell from the method's descriptor, if there is one, whether it answers with one message."""
        methods = self.table.methods
        if len(methods) == 0:
            return KIND_UNKNOWN
        info = methods.get(self.head.path)
        if info is None:
            return KIND_UNKNOWN
        return KIND_STREAM if info.server_streaming else KIND_UNARY

    def _rearm(self) -> None:
        # Comparisons, not min(): interpreted, its three calls cost as much as arming the timer.
        at = self.deadline
        if self.retry_at < at:  # noqa: PLR1730
            at = self.retry_at
        if self.commit_at < at:  # noqa: PLR1730
            at = self.commit_at
        if self.try_deadline < at:  # noqa: PLR1730
            at = self.try_deadline
        self.context.timers.arm(self, at)

    def _idempotent(self) -> bool:
        if self.state.route.idempotent:
            return True
        info = self.table.methods.get(self.head.path)
        return info is not None and info.idempotent

    def held_bytes(self) -> int:
        total = self.replay_size + self.held_size + self.head.block.size
        for name, value in self.extra:
            total += len(name) + len(value)
        attempt = self.attempt
        if attempt is not None and attempt.stream is not None and self.replay is None:
            total += attempt.stream.queued_bytes
        return total

    def _outcome_fields(self, outcome: int) -> tuple[Field, ...]:
        fields: list[Field] = [
            (b"seawall-outcome", OUTCOME_NAMES[outcome].encode("ascii")),
            (b"seawall-attempts", str(self.attempts).encode("ascii")),
        ]
        if self.failed_reason != "":
            fields.append((b"seawall-reason", self.failed_reason.encode("ascii")))
        return tuple(fields)
