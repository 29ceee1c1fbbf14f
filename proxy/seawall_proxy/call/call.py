"""One call from its request to its final status.

A call listens to the client's stream, runs one attempt after another, and decides on final statuses only. The parts of a
response that arrive before its final status is known are held back as long as another answer is still possible: a unary
response until its trailers, any other until its first message. From the moment that the first byte of a response has gone
to the client the call is *committed*: what comes after is passed on as it comes.

The way of a failed attempt: transparent retry, retry, fallback, failure to the client; `_attempt_failed` is that order.
Rules that hold throughout: the request is sent again only from the replay buffer and only while that is complete; nothing
is sent upstream after the deadline; a permit of the breaker is returned exactly once; the client hears exactly one status.
"""

from __future__ import annotations

from typing import Final

from seawall_policy import retry, status
from seawall_policy.deadline import format_grpc_timeout
from seawall_policy.model import FallbackStep
from seawall_policy.retry import NO_PUSHBACK, NO_RETRY, RetryDecision
from seawall_proxy.call import local_reply
from seawall_proxy.call.attempt import NO_EXTRA, Attempt, AttemptOwner
from seawall_proxy.call.context import HOLD_AFTER_DATA_S, HOLD_AFTER_HEADERS_S, HOLD_BYTES, REPLAY_CALL_BYTES, REPLAY_WORKER_BYTES, Context
from seawall_proxy.call.ports import (
    OUTCOME_CANCELLED,
    OUTCOME_FAILED,
    OUTCOME_FALLBACK,
    OUTCOME_NAMES,
    OUTCOME_OK,
    OUTCOME_REJECTED,
    OUTCOME_RETRIED,
    AttemptRecord,
    CallRecord,
    CallTrace,
)
from seawall_proxy.call.request import RequestHead
from seawall_proxy.call.response import find, pushback, response_head, status_message
from seawall_proxy.call.routing import RouteState, RoutingTable
from seawall_proxy.call.timers import NEVER
from seawall_proxy.call.upstream_port import UpstreamCluster
from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.headers import Field, HeaderBlock
from seawall_proxy.http2.stream import Stream

_NO_PERMIT: Final = -1
_KIND_UNKNOWN: Final = 0
_KIND_UNARY: Final = 1
_KIND_STREAM: Final = 2

RECORDED_CODES: Final = (
    1 << status.UNKNOWN
    | 1 << status.DEADLINE_EXCEEDED
    | 1 << status.RESOURCE_EXHAUSTED
    | 1 << status.INTERNAL
    | 1 << status.UNAVAILABLE
    | 1 << status.DATA_LOSS
)
"""Final statuses that make an event. The others are answers of a healthy service (not found, denied, ...)."""


class Call(AttemptOwner):
    """One RPC. Made by the acceptor; keeps itself alive through its stream, its timer and its attempt."""

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
        self.tick = -1
        self.context: Context = context
        self.stream: Stream = stream
        self.table: RoutingTable = table
        """The policy that was in force when the call began; it decides until the end."""
        self.state: RouteState = state
        self.head: RequestHead = head
        self.extra: tuple[Field, ...] = extra
        """The request's per-call fields, without those that each attempt makes anew."""
        self.started: float = context.now
        self.client_deadline: float = deadline
        self.deadline: float = min(deadline, context.now + state.policy.timeout_s)
        self.trace: CallTrace | None = None
        self.cluster: UpstreamCluster | None = None
        self.attempt: Attempt | None = None
        self.attempts: int = 0
        self.tried: int = 0
        self.decision: RetryDecision | None = None
        self.records: list[AttemptRecord] | None = None
        self.retry_at: float = NEVER
        self.try_deadline: float = NEVER
        self.commit_at: float = NEVER
        self.request_done: bool = False
        self.replay: list[bytes] | None = []
        """The request so far; None once it can no longer be repeated."""
        self.replay_size: int = 0
        self.credited: int = 0
        """Request bytes for which the client has its credit back."""
        self.committed: bool = False
        self.finished: bool = False
        self.listed: bool = False
        self.held_block: HeaderBlock | None = None
        self.held_extra: tuple[Field, ...] = NO_EXTRA
        self.held_data: list[bytes] = []
        self.held_size: int = 0
        self.fallback_index: int = 0
        self.in_fallback: bool = False
        self.failed_code: int = 0
        self.failed_reason: str = ""

    # birth

    def begin(self, end_stream: bool, traced: CallTrace | None) -> None:
        """Start the first attempt; `end_stream` tells that the request has no body at all."""
        self.trace = traced
        self.request_done = end_stream
        state = self.state
        counters = state.counters
        counters.started += 1
        counters.in_flight += 1
        context = self.context
        context.calls += 1
        if state.budget is not None:
            state.budget.deposit(context.now)
        if context.now >= self.deadline:
            self._fail(status.DEADLINE_EXCEEDED, local_reply.DEADLINE_EXCEEDED)
            return
        self.cluster = state.cluster(context.draw)
        self._start_attempt()

    def _start_attempt(self) -> None:
        context = self.context
        now = context.now
        permit = _NO_PERMIT
        breaker = self.state.breaker
        if breaker is not None and not self.in_fallback:
            permit = breaker.admit(now)
            if breaker.has_transitions():
                context.changed_breakers.append(self.state)
            if permit < 0:
                self._fail(status.UNAVAILABLE, local_reply.BREAKER_OPEN)
                return
        cluster = self.cluster
        assert cluster is not None
        if cluster.in_flight >= cluster.max_in_flight:
            self._refuse(permit, status.RESOURCE_EXHAUSTED, local_reply.CONCURRENCY_LIMITED)
            return
        endpoint = cluster.pick(self.tried)
        if endpoint is None:
            # A wholly unreachable cluster is what the breaker is for, so it learns of this although nothing was sent.
            if permit >= 0 and breaker is not None:
                breaker.record(permit, status.UNAVAILABLE, 0.0, now)
                if breaker.has_transitions():
                    context.changed_breakers.append(self.state)
            self._fail(status.UNAVAILABLE, local_reply.NO_HEALTHY_BACKEND)
            return
        self.attempts += 1
        attempt = Attempt(self, cluster, endpoint, permit, self.attempts, now)
        self.attempt = attempt
        if self.trace is not None:
            attempt.span_id = context.tracer.new_span_id()
        self.try_deadline = now + self.state.policy.per_try_timeout_s
        self._rearm()
        endpoint.seek(attempt)

    def _refuse(self, permit: int, code: int, reason: str) -> None:
        breaker = self.state.breaker
        if permit >= 0 and breaker is not None:
            breaker.release(permit, self.context.now)
        self._fail(code, reason)

    # the request

    def attempt_connected(self, attempt: Attempt, connection: Connection) -> None:
        cluster = attempt.cluster
        chunks = self.replay
        empty = chunks is None or len(chunks) == 0
        self.stream.reached_upstream = True
        stream = connection.open_stream(
            attempt,
            self.head.upstream_block(cluster.authority),
            self._upstream_extra(attempt),
            self.request_done and empty,
        )
        attempt.stream = stream
        if chunks is not None and not empty:
            last = len(chunks) - 1
            for index in range(len(chunks)):
                sent = stream.send_data(chunks[index], self.request_done and index == last)
                if sent > 0:
                    self.request_sent(attempt, sent)

    def _upstream_extra(self, attempt: Attempt) -> tuple[Field, ...]:
        trace = self.trace
        if self.deadline == NEVER and attempt.number == 1 and trace is None:
            return self.extra
        fields = list(self.extra)
        if self.deadline != NEVER:
            fields.append((b"grpc-timeout", format_grpc_timeout(self.deadline - self.context.now)))
        repeats = self.attempts - 1 - (0 if self.decision is None else self.decision.transparent_retries)
        if repeats > 0:
            fields = _with_attempts(fields, repeats)
        if trace is not None:
            fields.append((b"traceparent", b"00-" + trace.trace_id + b"-" + attempt.span_id + b"-01"))
            if trace.trace_state != b"":
                fields.append((b"tracestate", trace.trace_state))
        return tuple(fields)

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        if self.finished:
            return
        if end_stream:
            self.request_done = True
        size = len(data)
        if self.replay is not None and size > 0:
            self._remember(data, size)
        attempt = self.attempt
        if attempt is not None:
            upstream = attempt.stream
            if upstream is not None:
                sent = upstream.send_data(data, end_stream)
                if sent > 0:
                    self.request_sent(attempt, sent)

    def on_trailers(self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        # gRPC clients send no trailers; their end is what counts.
        self.on_data(stream, b"", True)

    def _remember(self, data: bytes, size: int) -> None:
        context = self.context
        replay = self.replay
        attempt = self.attempt
        assert replay is not None
        over = self.replay_size + size > REPLAY_CALL_BYTES or context.replay_bytes + size > REPLAY_WORKER_BYTES
        if over and attempt is not None and attempt.stream is not None:
            # What was kept is with the attempt; from here on the call cannot be repeated.
            self._forget_replay()
            return
        replay.append(data)
        self.replay_size += size
        context.replay_bytes += size

    def _forget_replay(self) -> None:
        self.context.replay_bytes -= self.replay_size
        self.replay_size = 0
        self.replay = None

    def request_sent(self, attempt: Attempt, n: int) -> None:
        attempt.sent += n
        due = attempt.sent - self.credited
        if due > 0:
            self.credited += due
            if not self.request_done:
                self.stream.consume(due)

    # the response

    def response_headers(self, attempt: Attempt, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        if self.committed or not self._may_change():
            self._commit(block, extra)
            return
        self.held_block = block
        self.held_extra = extra
        self._list_held()

    def _may_change(self) -> bool:
        """Tell whether a failure that comes after response headers could still be answered otherwise."""
        state = self.state
        if self.in_fallback:
            return self.fallback_index < len(state.policy.fallback)
        return state.has_fallback or (state.retries_codes and self.replay is not None)

    def response_data(self, attempt: Attempt, data: bytes) -> None:
        if self.held_block is not None:
            self.held_data.append(data)
            self.held_size += len(data)
            if self.held_size > HOLD_BYTES or self._kind() == _KIND_STREAM:
                self._commit_held()
            else:
                self._list_held()
            return
        attempt.consume(self.stream.send_data(data, False))

    def _kind(self) -> int:
        """Tell from the method's descriptor, if there is one, whether it answers with one message."""
        methods = self.table.methods
        if len(methods) == 0:
            return _KIND_UNKNOWN
        info = methods.get(self.head.path)
        if info is None:
            return _KIND_UNKNOWN
        return _KIND_STREAM if info.server_streaming else _KIND_UNARY

    def _list_held(self) -> None:
        if not self.listed:
            self.listed = True
            self.context.held.append(self)

    def settle(self, now: float) -> None:
        self.listed = False
        if self.held_block is None or self.finished:
            return
        if self._kind() == _KIND_UNARY:
            # Its trailers are the next thing that can come.
            return
        self.commit_at = now + (HOLD_AFTER_HEADERS_S if self.held_size == 0 else HOLD_AFTER_DATA_S)
        self._rearm()

    def _commit(self, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        self.committed = True
        self._forget_replay()
        if self.try_deadline != NEVER or self.commit_at != NEVER:
            self.try_deadline = NEVER
            self.commit_at = NEVER
            self._rearm()
        self.stream.send_headers(block, extra, False)

    def _commit_held(self) -> None:
        block = self.held_block
        assert block is not None
        self.held_block = None
        data = self.held_data
        self.held_data = []
        self._commit(block, self.held_extra)
        sent = 0
        for piece in data:
            sent += self.stream.send_data(piece, False)
        attempt = self.attempt
        if attempt is not None:
            attempt.consume(sent)

    def _drop_held(self) -> None:
        self.held_block = None
        self.held_extra = NO_EXTRA
        if self.held_size > 0:
            self.held_data = []
            self.held_size = 0
        self.commit_at = NEVER

    def on_sent(self, stream: Stream, n: int) -> None:
        attempt = self.attempt
        if attempt is not None:
            attempt.consume(n)

    # the end of an attempt

    def attempt_ended(
        self, attempt: Attempt, code: int, block: HeaderBlock | None, extra: tuple[Field, ...], trailers_only: bool
    ) -> None:
        now = self.context.now
        self.attempt = None
        self.try_deadline = NEVER
        self._teach_breaker(attempt, code, now)
        if code != status.OK or self.records is not None or self.trace is not None:
            self._note(attempt, code, now)
        if code != status.OK and not self.committed:
            self._attempt_failed(attempt, code, block, extra, trailers_only)
            return
        if block is not None:
            self._deliver(code, block, extra, trailers_only)
        else:
            self._answer(code, attempt.reason)

    def _teach_breaker(self, attempt: Attempt, code: int, now: float) -> None:
        breaker = self.state.breaker
        if breaker is None or attempt.permit < 0:
            return
        if attempt.seen == retry.REFUSED:
            breaker.release(attempt.permit, now)
        else:
            breaker.record(attempt.permit, code, now - attempt.started, now)
        if breaker.has_transitions():
            self.context.changed_breakers.append(self.state)

    def _note(self, attempt: Attempt, code: int, now: float) -> None:
        record = AttemptRecord(attempt.number, attempt.started, attempt.span_id)
        record.endpoint = attempt.endpoint.address
        record.code = code
        record.reason = attempt.reason
        record.duration_s = now - attempt.started
        records = self.records
        if records is None:
            self.records = [record]
        else:
            records.append(record)

    def _attempt_failed(
        self, attempt: Attempt, code: int, block: HeaderBlock | None, extra: tuple[Field, ...], trailers_only: bool
    ) -> None:
        if not self.in_fallback and self._retry(attempt, code, block, extra):
            return
        if self._fall_back(code, attempt.reason):
            return
        if block is None:
            self._answer(code, attempt.reason)
        else:
            self._deliver(code, block, extra, trailers_only)

    def _retry(self, attempt: Attempt, code: int, block: HeaderBlock | None, extra: tuple[Field, ...]) -> bool:
        context = self.context
        now = context.now
        decision = self.decision
        state = self.state
        if decision is None:
            decision = RetryDecision(state.policy.retry, state.budget)
            self.decision = decision
        asked = code
        if attempt.reason == local_reply.PER_TRY_TIMEOUT and not (state.policy.retry.codes >> code) & 1:
            # A try that was cut short is as transient as an endpoint that is away (the call's own deadline is not).
            asked = status.UNAVAILABLE
        told = NO_PUSHBACK if block is None else pushback(response_head(block), extra)
        wait = decision.decide(
            asked, told, attempt.seen, self.committed, self.replay is not None, self._idempotent(), self.deadline - now, now, context.draw()
        )
        if wait == NO_RETRY:
            if decision.reason == retry.REASON_BUDGET:
                state.counters.budget_exhausted += 1
            return False
        state.counters.retries += 1
        self.failed_code = code
        self.failed_reason = attempt.reason
        self.tried |= 1 << attempt.endpoint.index
        self._drop_held()
        if wait > 0.0:
            self.retry_at = now + wait
            self._rearm()
        else:
            self._start_attempt()
        return True

    def _idempotent(self) -> bool:
        if self.state.route.idempotent:
            return True
        info = self.table.methods.get(self.head.path)
        return info is not None and info.idempotent

    # fallback

    def _fall_back(self, code: int, reason: str) -> bool:
        """Serve the next fallback that answers this failure, if there is one."""
        if not self.state.has_fallback or self.committed:
            return False
        steps = self.state.policy.fallback
        while self.fallback_index < len(steps):
            step = steps[self.fallback_index]
            self.fallback_index += 1
            if step.applies(code, reason) and self._serve(step, code, reason):
                return True
        return False

    def _serve(self, step: FallbackStep, code: int, reason: str) -> bool:
        now = self.context.now
        static = step.static
        if static is not None:
            payload = static.payloads.get(self.head.path)
            if payload is None or now >= self.client_deadline:
                return False
            self._remember_failure(code, reason)
            self._answer_static(payload)
            return True
        if self.replay is None or now >= self.deadline:
            return False
        self._remember_failure(code, reason)
        self._drop_held()
        self.cluster = self.state.fallback_clusters[step.cluster]
        self.in_fallback = True
        self.tried = 0
        self._start_attempt()
        return True

    def _remember_failure(self, code: int, reason: str) -> None:
        if not self.in_fallback:
            self.failed_code = code
            self.failed_reason = reason

    def _answer_static(self, payload: bytes) -> None:
        stream = self.stream
        self._drop_held()
        stream.send_headers(local_reply.HEADERS_ONLY, NO_EXTRA, False)
        stream.send_data(payload, False)
        stream.send_trailers(local_reply.STATUS_OK, self._outcome_fields(OUTCOME_FALLBACK))
        self._finish(status.OK, "", b"", OUTCOME_FALLBACK)

    # the end of the call

    def _deliver(self, code: int, block: HeaderBlock, extra: tuple[Field, ...], trailers_only: bool) -> None:
        """Pass the server's final status on."""
        stream = self.stream
        outcome = OUTCOME_OK if code == status.OK else OUTCOME_FAILED
        if self.in_fallback and code == status.OK:
            outcome = OUTCOME_FALLBACK
        elif code == status.OK and self.attempts > 1:
            outcome = OUTCOME_RETRIED
        if self.attempts > 1 or self.in_fallback:
            extra = extra + self._outcome_fields(outcome)
        if trailers_only and not self.committed:
            stream.send_headers(block, extra, True)
        else:
            if self.held_block is not None:
                self._commit_held()
            stream.send_trailers(block, extra)
        message = b"" if code == status.OK else status_message(response_head(block), extra)
        self._finish(code, "", message, outcome)

    def _outcome_fields(self, outcome: int) -> tuple[Field, ...]:
        fields: list[Field] = [
            (b"seawall-outcome", OUTCOME_NAMES[outcome].encode("ascii")),
            (b"seawall-attempts", str(self.attempts).encode("ascii")),
        ]
        if self.failed_reason != "":
            fields.append((b"seawall-reason", self.failed_reason.encode("ascii")))
        return tuple(fields)

    def _fail(self, code: int, reason: str) -> None:
        """End the call with a status of ours, unless a fallback answers it."""
        if not self._fall_back(code, reason):
            self._answer(code, reason)

    def _answer(self, code: int, reason: str) -> None:
        """Send a status of ours."""
        rejected = self.attempts == 0
        outcome = OUTCOME_REJECTED if rejected else OUTCOME_FAILED
        retry_after = -1.0
        breaker = self.state.breaker
        if reason == local_reply.BREAKER_OPEN and breaker is not None:
            retry_after = breaker.retry_after(self.context.now)
        message = local_reply.REASONS.get(reason, "the call failed")
        metadata: list[tuple[str, str]] = [("route", self.state.name), ("origin", "proxy")]
        if self.attempts > 0:
            metadata.append(("attempts", str(self.attempts)))
        if self.failed_code > 0:
            metadata.append(("last_status", status.name(self.failed_code)))
        fields = local_reply.failure_fields(
            code, reason, message, OUTCOME_NAMES[outcome].encode("ascii"), retry_after, tuple(metadata)
        )
        if self.attempts > 0:
            fields = fields + ((b"seawall-attempts", str(self.attempts).encode("ascii")),)
        stream = self.stream
        self._drop_held()
        if self.committed:
            stream.send_trailers(local_reply.NO_FIELDS, fields)
        else:
            stream.send_headers(local_reply.TRAILERS_ONLY, fields, True)
        self._finish(code, reason, message.encode("ascii"), outcome)

    def on_reset(self, stream: Stream, code: int, unprocessed: bool) -> None:
        """The client went away: so does the attempt."""
        if self.finished:
            return
        attempt = self.attempt
        if attempt is not None:
            self.attempt = None
            attempt.cancel()
            breaker = self.state.breaker
            if breaker is not None and attempt.permit >= 0:
                breaker.release(attempt.permit, self.context.now)
            if self.trace is not None:
                self._note(attempt, status.CANCELLED, self.context.now)
        self._finish(status.CANCELLED, "", b"", OUTCOME_CANCELLED)

    def _finish(self, code: int, reason: str, message: bytes, outcome: int) -> None:
        self.finished = True
        context = self.context
        context.calls -= 1
        if self.tick >= 0:
            context.timers.cancel(self)
        if self.replay is not None:
            self._forget_replay()
        counters = self.state.counters
        counters.in_flight -= 1
        counters.by_code[code] += 1
        duration = context.now - self.started
        counters.latency.add(duration)
        if outcome != OUTCOME_OK:
            self._count(outcome, reason)
        if self.trace is not None or (outcome != OUTCOME_OK and self._recorded(code, outcome)):
            self._report(code, reason, message, outcome, duration)

    def _count(self, outcome: int, reason: str) -> None:
        counters = self.state.counters
        if outcome == OUTCOME_RETRIED:
            counters.recovered += 1
        elif outcome == OUTCOME_FALLBACK:
            counters.fallbacks += 1
        elif outcome == OUTCOME_CANCELLED:
            counters.cancelled += 1
        elif outcome == OUTCOME_REJECTED:
            counters.rejected += 1
            counters.rejected_by[reason] = counters.rejected_by.get(reason, 0) + 1

    def _recorded(self, code: int, outcome: int) -> bool:
        if outcome == OUTCOME_CANCELLED:
            return False
        return outcome != OUTCOME_FAILED or (RECORDED_CODES >> code) & 1 == 1

    def _report(self, code: int, reason: str, message: bytes, outcome: int, duration: float) -> None:
        record = CallRecord(self.state.name, self.head.path, self.started)
        record.duration_s = duration
        record.code = code
        record.reason = reason
        record.message = message
        record.outcome = outcome
        if self.records is not None:
            record.attempts = self.records
        record.failed_code = self.failed_code
        record.failed_reason = self.failed_reason
        record.job_id = self.head.job_id if self.head.job_id != b"" else find(self.extra, b"x-job-id")
        record.job_name = self.head.job_name if self.head.job_name != b"" else find(self.extra, b"x-job-name")
        record.revision = self.table.snapshot.revision
        record.category = self.state.policy.classifier.category(self.failed_code if code == status.OK else code)
        trace = self.trace
        if trace is not None:
            record.trace_id = trace.trace_id
            self.context.tracer.finish(trace, record)
        else:
            record.trace_id = find(self.extra, b"traceparent")[3:35]
        if outcome != OUTCOME_OK and self._recorded(code, outcome):
            self.context.sink.call_ended(record)

    # time

    def _rearm(self) -> None:
        at = min(self.deadline, self.retry_at)
        if self.commit_at < at:
            at = self.commit_at
        if self.try_deadline < at:
            at = self.try_deadline
        self.context.timers.arm(self, at)

    def fire(self, now: float) -> None:
        if self.finished:
            return
        if now >= self.deadline:
            self._cut_short(status.DEADLINE_EXCEEDED, local_reply.DEADLINE_EXCEEDED)
        elif now >= self.retry_at:
            self.retry_at = NEVER
            self._start_attempt()
        elif now >= self.commit_at:
            self.commit_at = NEVER
            if self.held_block is not None:
                self._commit_held()
            self._rearm()
        elif now >= self.try_deadline:
            self._cut_short(status.DEADLINE_EXCEEDED, local_reply.PER_TRY_TIMEOUT)
        else:
            self._rearm()

    def _cut_short(self, code: int, reason: str) -> None:
        """End the attempt that took too long; without one, the call itself."""
        self.retry_at = NEVER
        attempt = self.attempt
        if attempt is None:
            self._fail(code, reason)
            return
        attempt.cancel()
        attempt.reason = reason
        self.attempt_ended(attempt, code, None, NO_EXTRA, False)


def _with_attempts(fields: list[Field], repeats: int) -> list[Field]:
    """Count our repeats in `grpc-previous-rpc-attempts`, on top of the client's own."""
    told = 0
    rest: list[Field] = []
    for field in fields:
        if field[0] == b"grpc-previous-rpc-attempts":
            told = int(field[1])
        else:
            rest.append(field)
    rest.append((b"grpc-previous-rpc-attempts", str(told + repeats).encode("ascii")))
    return rest
