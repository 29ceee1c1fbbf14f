"""One call from its request to its final status.

A call listens to the client's stream, runs one attempt after another, and decides on final statuses only. The
parts of a response that arrive before its final status is known are held back as long as another answer is
still possible: a unary response until its trailers, any other until its first message. From the moment that
the first byte of a response has gone to the client the call is *committed*: what comes after is passed on as
it comes.

The way of a failed attempt: transparent retry, retry, fallback, failure to the client; `_attempt_failed` is
that order. Rules that hold throughout: the request is sent again only from the replay buffer and only while
that is complete; nothing is sent upstream after the deadline; a permit of the breaker is returned exactly
once; the client hears exactly one status.
"""

from __future__ import annotations

from typing import Final

from seawall_policy import retry, status
from seawall_policy.limit.place import WAITING
from seawall_policy.model import FallbackStep
from seawall_policy.retry import NO_PUSHBACK, NO_RETRY, RetryDecision
from seawall_proxy.call import local_reply
from seawall_proxy.call.attempt import NO_EXTRA, NO_PERMIT, Attempt
from seawall_proxy.call.call_admission import CallAdmission
from seawall_proxy.call.message_meter import TOO_LARGE
from seawall_proxy.call.ports import OUTCOME_CANCELLED, OUTCOME_FAILED, AttemptRecord, CallTrace
from seawall_proxy.call.response import pushback, response_head
from seawall_proxy.call.timers import NEVER
from seawall_proxy.call.upstream_port import UpstreamCluster, UpstreamEndpoint
from seawall_proxy.http2.errors import CANCEL
from seawall_proxy.http2.headers import Field, HeaderBlock
from seawall_proxy.http2.stream import Stream

_MEANT_AFTER_S: Final = 0.05
"""A call cancelled later than this is not counted as rapid reset (CVE-2023-44487) once it was sent on."""
_DEADLINE_SLACK_S: Final = 0.02


class Call(CallAdmission):
    """One RPC. Made by the acceptor; keeps itself alive through its stream, its timer and its attempt."""

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
        guards = state.guards
        if guards is not None and not self._may_come(guards):
            return
        self.cluster = state.cluster(context.draw)
        slots = self.slots
        if slots is not None and slots.lingering and not slots.take(self, self.stream.connection):
            self.waits_for_slot = True
            self._rearm()
            return
        if guards is None:
            self._start_attempt()
        else:
            self._enter(guards)

    def slot_free(self) -> None:
        self.waits_for_slot = False
        if not self.finished:
            guards = self.state.guards
            if guards is None:
                self._start_attempt()
            else:
                self._enter(guards)

    def _begin_work(self) -> None:
        self._start_attempt()

    def _refused(self, reason: str) -> None:
        self._fail(status.RESOURCE_EXHAUSTED, reason)

    def _start_attempt(self) -> None:
        context = self.context
        now = context.now
        permit = NO_PERMIT
        breaker = self.state.breaker
        if breaker is not None and not self.in_fallback:
            permit = breaker.admit(now)
            if breaker.has_transitions():
                context.changed_breakers.append(self.state)
            if permit < 0:
                self._cannot_start(status.UNAVAILABLE, local_reply.BREAKER_OPEN)
                return
        cluster = self.cluster
        assert cluster is not None
        if cluster.load.in_flight >= cluster.max_in_flight:
            self._refuse(permit, status.RESOURCE_EXHAUSTED, local_reply.CONCURRENCY_LIMITED)
            return
        endpoint = cluster.pick(self.tried) if cluster.hash_name == b"" else self._pick_hashed(cluster)
        if endpoint is None:
            # A wholly unreachable cluster is what the breaker is for, so it learns of this although nothing
            # was sent.
            if permit >= 0 and breaker is not None:
                breaker.record(permit, status.UNAVAILABLE, 0.0, now)
                if breaker.has_transitions():
                    context.changed_breakers.append(self.state)
            self._cannot_start(status.UNAVAILABLE, local_reply.NO_HEALTHY_BACKEND)
            return
        self.attempts += 1
        attempt = Attempt(self, cluster, endpoint, permit, self.attempts, now)
        self.attempt = attempt
        if self.trace is not None:
            attempt.span_id = context.tracer.new_span_id()
        if self.access is not None:
            self.access.endpoint = endpoint.address
        self.try_deadline = now + self.state.policy.per_try_timeout_s
        self._rearm()
        if self.state.mirrors is not None and self.attempts == 1 and not self.in_fallback:
            self._copy(self.state.mirrors)
        endpoint.seek(attempt)

    def _pick_hashed(self, cluster: UpstreamCluster) -> UpstreamEndpoint | None:
        key = self.head.value_of(cluster.hash_name, self.extra)
        return cluster.pick(self.tried) if key is None else cluster.pick_for(key, self.tried)

    def _refuse(self, permit: int, code: int, reason: str) -> None:
        breaker = self.state.breaker
        if permit >= 0 and breaker is not None:
            breaker.release(permit, self.context.now)
        self._cannot_start(code, reason)

    def _cannot_start(self, code: int, reason: str) -> None:
        """End a call that cannot be tried (again): what a server has said about it before goes first."""
        if self._fall_back(code, reason):
            return
        kept = self.kept_block
        if kept is None:
            self._answer(code, reason)
        else:
            self._answer_kept(kept, reason)

    def attempt_ended(
        self,
        attempt: Attempt,
        code: int,
        block: HeaderBlock | None,
        extra: tuple[Field, ...],
        trailers_only: bool,
    ) -> None:
        now = self.context.now
        self.attempt = None
        self.try_deadline = NEVER
        self._teach_breaker(attempt, code, now)
        if code != status.OK or self.records is not None or self.trace is not None:
            self._note(attempt, code, now)
        if attempt.seen == retry.SEEN:
            self.maybe_executed = True
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
        self,
        attempt: Attempt,
        code: int,
        block: HeaderBlock | None,
        extra: tuple[Field, ...],
        trailers_only: bool,
    ) -> None:
        if block is not None:
            self.kept_code = code
            self.kept_block = block
            self.kept_extra = extra
            self.kept_trailers_only = trailers_only
        if not self.in_fallback and self._retry(attempt, code, block, extra):
            return
        if self._fall_back(code, attempt.reason):
            return
        if block is None:
            self._answer(code, attempt.reason)
        else:
            self._deliver(code, block, extra, trailers_only)

    def _retry(
        self, attempt: Attempt, code: int, block: HeaderBlock | None, extra: tuple[Field, ...]
    ) -> bool:
        context = self.context
        now = context.now
        decision = self.decision
        state = self.state
        if decision is None:
            decision = RetryDecision(state.policy.retry, state.budget)
            self.decision = decision
        asked = code
        if attempt.reason == local_reply.PER_TRY_TIMEOUT and not (state.policy.retry.codes >> code) & 1:
            # A try that was cut short is as transient as an endpoint that is away (the call's own deadline is
            # not).
            asked = status.UNAVAILABLE
        told = NO_PUSHBACK if block is None else pushback(response_head(block), extra)
        wait = decision.decide(
            asked,
            told,
            attempt.seen,
            self.committed,
            self.replay is not None,
            self._idempotent(),
            self.deadline - now,
            now,
            context.draw(),
        )
        if wait == NO_RETRY:
            if decision.reason == retry.REASON_BUDGET:
                state.counters.budget_exhausted += 1
            return False
        state.counters.retries += 1
        self.failed_code = code
        self.failed_reason = attempt.reason
        self.tried |= attempt.cluster.bit(attempt.endpoint)
        self._drop_held()
        if wait > 0.0:
            self.retry_at = now + wait
            self._rearm()
        else:
            self._start_attempt()
        return True

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
        if self.replay is None or now >= self.deadline or not self._may_repeat():
            return False
        self._remember_failure(code, reason)
        self._drop_held()
        self.cluster = self.state.fallback_clusters[step.cluster]
        self.in_fallback = True
        self.tried = 0
        self._start_attempt()
        return True

    def _may_repeat(self) -> bool:
        """Tell whether another server may be given the call: none has seen it, or twice is fine."""
        return not self.maybe_executed or not self.state.policy.retry.only_idempotent or self._idempotent()

    def _remember_failure(self, code: int, reason: str) -> None:
        if not self.in_fallback:
            self.failed_code = code
            self.failed_reason = reason

    def _fail(self, code: int, reason: str) -> None:
        """End the call with a status of ours, unless a fallback answers it."""
        if not self._fall_back(code, reason):
            self._answer(code, reason)

    def buffers_are_full(self) -> None:
        self._abandon_attempt()
        self._fail(status.RESOURCE_EXHAUSTED, local_reply.MEMORY_LIMITED)

    def request_is_wrong(self, verdict: int) -> None:
        self._abandon_attempt()
        if verdict == TOO_LARGE:
            self._answer(status.RESOURCE_EXHAUSTED, local_reply.MESSAGE_TOO_LARGE)
        else:
            self._answer(status.INTERNAL, local_reply.INVALID_REQUEST)

    def headers_are_too_large(self) -> None:
        self._abandon_attempt()
        self._answer(status.RESOURCE_EXHAUSTED, local_reply.HEADERS_TOO_LARGE)

    def _abandon_attempt(self) -> None:
        """Take back what runs or waits, for a reason that is neither the endpoint's nor the breaker's."""
        attempt = self.attempt
        if attempt is not None:
            self.attempt = None
            attempt.cancel()
            self._release(attempt)
        self.retry_at = NEVER

    def on_reset(self, stream: Stream, code: int, unprocessed: bool) -> None:
        """The client went away: so does the attempt."""
        if self.finished:
            return
        now = self.context.now
        timed_out = code == CANCEL and now >= self._client_gives_up()
        ended = status.DEADLINE_EXCEEDED if timed_out else status.CANCELLED
        attempt = self.attempt
        waits = self.waits_for_slot or (self.seat is not None and self.seat.state == WAITING)
        if waits and now - self.started >= _MEANT_AFTER_S:
            # It was we who kept it from an upstream.
            stream.reached_upstream = True
        if attempt is not None:
            # What an upstream worked on for a while was meant; what is taken back at once may be an attack.
            # So was a call that lived until its own deadline, however short that was.
            if attempt.seen == retry.SEEN and (timed_out or now - self.started >= _MEANT_AFTER_S):
                stream.reached_upstream = True
            self.attempt = None
            slots = self.slots
            if slots is not None and attempt.stream is not None and not timed_out:
                slots.linger(now)
            attempt.cancel()
            if timed_out:
                attempt.endpoint.failures += 1
                attempt.reason = local_reply.DEADLINE_EXCEEDED
                self._teach_breaker(attempt, ended, now)
            else:
                self._release(attempt)
            if timed_out or self.trace is not None:
                self._note(attempt, ended, now)
        if timed_out:
            self._finish(ended, local_reply.DEADLINE_EXCEEDED, b"", OUTCOME_FAILED)
        else:
            self._finish(ended, "", b"", OUTCOME_CANCELLED)

    def _client_gives_up(self) -> float:
        """Return the time from which a cancellation by the client means that its deadline has passed.

        Client and proxy count the same deadline, and whoever is first ends the call; a server that hangs must
        be noticed either way. Clients round the grpc-timeout that they send up by as much as one percent
        (C-core).
        """
        deadline = self.client_deadline
        if deadline == NEVER:
            return NEVER
        total = deadline - self.started
        return deadline - min(_DEADLINE_SLACK_S, 0.1 * total) - 0.01 * total

    def _release(self, attempt: Attempt) -> None:
        breaker = self.state.breaker
        if breaker is not None and attempt.permit >= 0:
            breaker.release(attempt.permit, self.context.now)

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
        attempt.endpoint.failures += 1
        attempt.reason = reason
        self.attempt_ended(attempt, code, None, NO_EXTRA, False)
