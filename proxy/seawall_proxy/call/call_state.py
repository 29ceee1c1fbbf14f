"""What one call remembers.

The rooms above it, each a class of its own, add what is done with it:

`CallState` < `RequestSide` (the request and its repetition) < `ResponseSide` (holding back and committing) <
`CallEnd` (what the client is told, and what is recorded) < `CallFallback` (answers in place of a failure) <
`CallKeyed` (idempotency keys and their journal) < `Several` (attempts beside each other: hedges) <
`CallAdmission` (limits before the first attempt) < `Call` (attempts, retries, time).
"""

from __future__ import annotations

from typing import Final

from seawall_policy.deadline import give_up_at
from seawall_policy.fault import names_of
from seawall_policy.hedge import Hedger, HedgeRun
from seawall_policy.journal import Waiter
from seawall_policy.retry import REASON_NONE, RetryDecision
from seawall_proxy.call.access import AccessRecord
from seawall_proxy.call.admission import Admission, Seat
from seawall_proxy.call.attempt import NO_EXTRA, Attempt, AttemptOwner
from seawall_proxy.call.context import Context
from seawall_proxy.call.kept import AnswerKeeper
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


def fault_marker(mask: int) -> Field:
    """Return the trailer that says which injected faults a call has met."""
    return b"seawall-fault", names_of(mask).encode("ascii")


class CallState(AttemptOwner):
    """The numbers and references of one call."""

    # What a plain call leaves as it is stands here and not in __init__: interpreted, such a default costs
    # nothing until it is changed (and an instance with more than 30 names of its own loses its compact form).
    trace: CallTrace | None = None
    cluster: UpstreamCluster | None = None
    attempt: Attempt | None = None
    """The attempt that runs, the latest of them when there are several."""
    others: list[Attempt] | None = None
    """The attempts that run beside it, oldest first; None when there are none."""
    answer: Attempt | None = None
    """The attempt that has ended and whose response is still held back."""
    attempts: int = 0
    tried: int = 0
    decision: RetryDecision | None = None
    records: list[AttemptRecord] | None = None
    retry_at: float = NEVER
    try_deadline: float = NEVER
    commit_at: float = NEVER
    hedge_at: float = NEVER
    hedger: Hedger | None = None
    """The route's, when this call may be hedged."""
    hedges: HedgeRun | None = None
    hedged: bool = False
    """A hedge was sent."""
    hedge_waits: bool = False
    """A hedge was due before the request was complete."""
    not_retried: int = REASON_NONE
    """Why the last failure was not followed by another attempt."""
    paid: bool = False
    """A retry was decided and paid for, and its attempt has not begun."""
    request_done: bool = False
    replay_size: int = 0
    credited: int = 0
    """Request bytes for which the client has its credit back."""
    committed: bool = False
    finished: bool = False
    listed: bool = False
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
    """When the request was complete, or the journal let the call go on; 0.0 when it was from the start, or is
    not yet.
    """
    come_back_s: float = -1.0
    """What a call is told that a limit refuses."""
    peer: str = ""
    """The client's address, where a rate limit may ask for it."""
    kept_code: int = 0
    kept_block: HeaderBlock | None = None
    """The last answer of a server that was not passed on, for the case that no other one comes."""
    kept_extra: tuple[Field, ...] = NO_EXTRA
    kept_trailers_only: bool = False
    sent_head: RequestHead | None = None
    """The request as a fallback's method gets it; None where it goes out as it came."""
    fallback_kind: str = ""
    covered_code: int = 0
    """The failure that the last fallback was asked about."""
    covered_reason: str = ""
    shadow_fallback_asked: bool = False
    """The fallbacks in shadow were asked what they would have done; that happens once for a call."""
    keeper: AnswerKeeper | None = None
    """Gathers the answer for other calls; None where nothing is kept."""
    ticket: Waiter | None = None
    """The call's place in the route's journal."""
    journal_key: bytes = b""
    awaits_request: bool = False
    """Nothing is done until the request is complete."""
    has_waited: bool = False
    """A fallback has waited for the rest of the request: none does so twice."""
    pending_code: int = -1
    """The failure whose fallback needs the whole request; -1 when there is none."""
    pending_reason: str = ""
    has_honoured_key: bool = False
    """The server knows the call by its idempotency key."""
    failure_details: bytes = b""
    """grpc-status-details-bin of the failure that the client was given."""
    shadow_decision: RetryDecision | None = None
    shadow_paid: bool = False
    """A retry that the shadow policy would have made is at work in its budget's eyes."""
    shadow_left: bool = False
    """The shadow policy has decided otherwise; what comes now would not have come."""
    faults: int = 0
    """Mask of the injected faults that the call has met."""
    fault_message: str = ""
    """What an injected abort says instead of its reason's meaning."""

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
        margin = state.margin_s
        if margin > 0.0:
            deadline = give_up_at(deadline, now, margin)
        self.deadline: float = min(deadline, limit)
        self.replay: list[bytes] | None = []
        """The request so far; None once it can no longer be repeated."""

    def _kind(self) -> int:
        """Tell from the method's descriptor, if there is one, whether it answers with one message."""
        methods = self.table.methods
        if len(methods) == 0:
            return KIND_UNKNOWN
        info = methods.get(self.head.path)
        if info is None:
            return KIND_UNKNOWN
        return KIND_STREAM if info.server_streaming else KIND_UNARY

    def is_timed(self) -> bool:
        methods = self.table.methods
        if len(methods) == 0:
            return True
        info = methods.get(self.head.path)
        return info is None or not (info.server_streaming or info.client_streaming)

    def _rearm(self) -> None:
        # Comparisons, not min(): interpreted, its three calls cost as much as arming the timer.
        at = self.deadline
        if self.retry_at < at:  # noqa: PLR1730
            at = self.retry_at
        if self.commit_at < at:  # noqa: PLR1730
            at = self.commit_at
        if self.try_deadline < at:  # noqa: PLR1730
            at = self.try_deadline
        if self.hedge_at < at:  # noqa: PLR1730
            at = self.hedge_at
        self.context.timers.arm(self, at)

    def _idempotent(self) -> bool:
        """Tell whether the call's own servers may carry it out twice."""
        return self.has_honoured_key or self._is_declared_idempotent()

    def _is_declared_idempotent(self) -> bool:
        """Tell whether the route or the method's descriptor says that it may be carried out twice."""
        if self.state.route.idempotent:
            return True
        info = self.table.methods.get(self.head.path)
        return info is not None and info.idempotent

    def _choose_hedger(self, hedger: Hedger) -> None:
        """Hedge the call if it may run twice."""
        if not hedger.options.only_idempotent or self._idempotent():
            self.hedger = hedger

    def held_bytes(self) -> int:
        total = self.replay_size + self.head.block.size
        for name, value in self.extra:
            total += len(name) + len(value)
        attempt = self.attempt
        if attempt is not None:
            total += attempt.held_size
            if attempt.stream is not None and self.replay is None:
                total += attempt.stream.queued_bytes
        if self.others is not None:
            for other in self.others:
                total += other.held_size
        if self.keeper is not None:
            total += self.keeper.size
        return total

    def _outcome_fields(self, outcome: int) -> tuple[Field, ...]:
        fields: list[Field] = [
            (b"seawall-outcome", OUTCOME_NAMES[outcome].encode("ascii")),
            (b"seawall-attempts", str(self.attempts).encode("ascii")),
        ]
        if self.failed_reason != "":
            fields.append((b"seawall-reason", self.failed_reason.encode("ascii")))
        if self.faults != 0:
            fields.append(fault_marker(self.faults))
        return tuple(fields)
