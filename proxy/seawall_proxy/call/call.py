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

from math import ceil
from typing import Final

from seawall_policy import retry, status
from seawall_policy.breaker import Breaker
from seawall_policy.limit.place import WAITING
from seawall_policy.retry import MAX_PUSHBACK_MS, NO_PUSHBACK, NO_RETRY, RetryClass
from seawall_proxy.call import local_reply
from seawall_proxy.call.attempt import NO_EXTRA, NO_PERMIT, Attempt
from seawall_proxy.call.call_admission import CallAdmission
from seawall_proxy.call.call_request import ROUNDING_S
from seawall_proxy.call.call_state import KIND_UNARY
from seawall_proxy.call.message_meter import TOO_LARGE
from seawall_proxy.call.ports import OUTCOME_CANCELLED, OUTCOME_FAILED, CallTrace
from seawall_proxy.call.response import pushback, response_head, rich_error
from seawall_proxy.call.shadowing import weigh
from seawall_proxy.call.timers import NEVER
from seawall_proxy.http2.errors import CANCEL
from seawall_proxy.http2.headers import Field, HeaderBlock
from seawall_proxy.http2.stream import Stream
from seawall_proxy.telemetry.counters import add_reason

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
        if state.shadow is not None:
            state.shadow.call_began(context.now)
        if context.now >= self.deadline:
            self._fail(status.DEADLINE_EXCEEDED, local_reply.DEADLINE_EXCEEDED)
            return
        latency = state.latency
        if latency is not None:
            if context.now >= latency.due:
                state.look(context.now)
            if self.deadline - context.now < latency.fast_s and self._is_refused_as_hopeless():
                return
            if state.hedges_all:
                self.hedger = state.hedger
            elif state.hedger is not None and len(self.table.methods) > 0:
                self._choose_hedger(state.hedger)
        guards = state.guards
        if guards is not None and guards.rate is not None and not self._may_come(guards.rate):
            return
        self.cluster = state.cluster(context.draw) if state.only_cluster is None else state.only_cluster
        slots = self.slots
        if slots is not None and slots.lingering and not slots.take(self, self.stream.connection):
            self.waits_for_slot = True
            self._rearm()
            return
        if guards is None or guards.admission is None:
            self._enter()
        else:
            self._admit(guards.admission)

    def _is_refused_as_hopeless(self) -> bool:
        """Count a call that has less time than the fastest ones have needed; refuse it where that is
        wanted.
        """
        state = self.state
        now = self.context.now
        gate = state.gate
        if gate is None:
            return False
        state.settle(now)
        state.counters.hopeless += 1
        before = gate.would_refuse
        if not gate.refuses(now):
            state.counters.would_be_hopeless += gate.would_refuse - before
            return False
        self._fail(status.DEADLINE_EXCEEDED, local_reply.DEADLINE_TOO_SHORT)
        return True

    def slot_free(self) -> None:
        self.waits_for_slot = False
        if self.finished:
            return
        guards = self.state.guards
        if guards is None or guards.admission is None:
            self._enter()
        else:
            self._admit(guards.admission)

    def _refused(self, reason: str) -> None:
        self._fail(status.RESOURCE_EXHAUSTED, reason)

    def _start_attempt(self) -> None:
        context = self.context
        now = context.now
        permit = NO_PERMIT
        scoped = self.state.scoped
        breaker = self.state.breaker if scoped is None else self._breaker()
        if self.in_fallback:
            breaker = None
            scoped = None
        if breaker is not None:
            permit = breaker.admit(now)
            if breaker.has_transitions():
                context.changed_breakers.append(self.state)
            if permit < 0:
                self._cannot_start(status.UNAVAILABLE, local_reply.BREAKER_OPEN)
                return
        cluster = self.cluster
        assert cluster is not None
        load = cluster.load
        if load.in_flight >= cluster.max_in_flight:
            load.make_room()
            if load.in_flight >= cluster.max_in_flight:
                self._refuse(breaker, permit, status.RESOURCE_EXHAUSTED, local_reply.CONCURRENCY_LIMITED)
                return
        endpoint = cluster.pick(self.tried) if cluster.hash_name == b"" else self._pick(cluster, self.tried)
        if endpoint is None and cluster.is_full():
            endpoint = self._make_room(cluster)
        if endpoint is None and cluster.is_full():
            self._refuse(breaker, permit, status.RESOURCE_EXHAUSTED, local_reply.CONCURRENCY_LIMITED)
            return
        if scoped is not None and endpoint is not None and scoped.per_endpoint:
            key = None if cluster.hash_name == b"" else self.head.value_of(cluster.hash_name, self.extra)
            endpoint = scoped.choose(cluster, endpoint, key, self.tried, now)
            breaker = scoped.chosen
            if breaker is not None and breaker.has_transitions():
                context.changed_breakers.append(self.state)
            if endpoint is None:
                self._cannot_start(status.UNAVAILABLE, local_reply.BREAKER_OPEN)
                return
            permit = scoped.permit
        if endpoint is None:
            # A wholly unreachable cluster is what the breaker is for, so it learns of this although nothing
            # was sent.
            if permit >= 0 and breaker is not None:
                breaker.record(permit, status.UNAVAILABLE, 0.0, now)
                if breaker.has_transitions():
                    context.changed_breakers.append(self.state)
            self._cannot_start(status.UNAVAILABLE, local_reply.NO_HEALTHY_BACKEND)
            return
        self._launch(cluster, endpoint, breaker, permit, now, False)

    def _refuse(self, breaker: Breaker | None, permit: int, code: int, reason: str) -> None:
        if permit >= 0 and breaker is not None:
            breaker.release(permit, self.context.now)
        self._cannot_start(code, reason)

    def _cannot_start(self, code: int, reason: str) -> None:
        """End a call that cannot be tried (again): what a server has said about it before goes first."""
        self.retry_called_off()
        if self.attempt is not None:
            # Another attempt goes on; what it comes to is the answer.
            self._rearm()
            return
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
        if self.others is None:
            self.attempt = None
            self.try_deadline = NEVER
        else:
            self._leave(attempt)
        self._teach_breaker(attempt, code, now)
        failed = code != status.OK and not self.committed
        if now >= self.deadline or (code == status.DEADLINE_EXCEEDED and now + ROUNDING_S >= self.deadline):
            self._count_waste(attempt, now)
        if self.hedged and not failed:
            self._end_hedging(attempt, code)
        if code != status.OK or self.records is not None or self.trace is not None:
            self._note(attempt, code, now)
        if attempt.seen == retry.SEEN:
            self.maybe_executed = True
        if attempt.held_block is not None:
            self.answer = attempt
        if failed:
            if code == status.DEADLINE_EXCEEDED and attempt.reason == "" and attempt.give_up_at != NEVER:
                # The server was told the try's time and has kept it before us.
                late = self.time_is_up(attempt)
                attempt.reason = late if late == local_reply.PER_TRY_TIMEOUT else ""
            if self.attempt is None:
                self._attempt_failed(attempt, code, block, extra, trailers_only)
            else:
                self._one_failed(attempt, code, block, extra, trailers_only)
            return
        if code == status.OK:
            self._learn(attempt, now)
        else:
            self.not_retried = retry.REASON_COMMITTED
        if block is not None:
            self._deliver(code, block, extra, trailers_only)
        else:
            self._answer(code, attempt.reason)

    def _count_waste(self, attempt: Attempt, now: float) -> None:
        """Count an attempt as wasted if the call's time is up and nothing of its answer has been of use; the
        messages of a stream have been. A client may give up a little before the deadline that we know.
        """
        if attempt.seen == retry.SEEN and (not self.committed or self._kind() == KIND_UNARY):
            self.state.counters.waste(now - attempt.started)

    def _teach_breaker(self, attempt: Attempt, code: int, now: float) -> None:
        shadow = self.state.shadow
        if shadow is not None and not self.in_fallback:
            if attempt.seen == retry.REFUSED:
                shadow.attempt_released(attempt.shadow_permit, now)
            else:
                shadow.attempt_ended(attempt.shadow_permit, code, now - attempt.started, now)
        breaker = attempt.breaker
        if breaker is None or attempt.permit < 0:
            return
        if attempt.seen == retry.REFUSED:
            breaker.release(attempt.permit, now)
        else:
            breaker.record(attempt.permit, code, now - attempt.started, now)
        if breaker.has_transitions():
            self.context.changed_breakers.append(self.state)

    def _learn(self, attempt: Attempt, now: float) -> None:
        """Take note of how long a good attempt has taken: until its first message, for streams may go on."""
        state = self.state
        latency = state.latency
        if latency is not None and not self.in_fallback:
            latency.add((now if attempt.first_at < 0.0 else attempt.first_at) - attempt.started)
        if state.throttle is not None:
            state.throttle.success()

    def _attempt_failed(
        self,
        attempt: Attempt,
        code: int,
        block: HeaderBlock | None,
        extra: tuple[Field, ...],
        trailers_only: bool,
    ) -> None:
        self._keep(attempt, code, block, extra, trailers_only)
        self.hedge_at = NEVER
        if self.retry_at != NEVER:
            # Decided while this attempt ran.
            if not self._calls_off(attempt, code, block, extra):
                self._drop_held()
                self._rearm()
                return
            self.retry_at = NEVER
        if not self.in_fallback and self._retry(attempt, code, block, extra):
            return
        if self.keeper is not None and block is not None:
            self.keep_answer(code, block, extra, trailers_only)
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
        decision = self._decision()
        state = self.state
        options = state.policy.retry
        asked = code
        if attempt.reason == local_reply.PER_TRY_TIMEOUT and not (options.codes >> code) & 1:
            # A try that was cut short is as transient as an endpoint that is away (the call's own deadline is
            # not).
            asked = status.UNAVAILABLE
        told = self._pushback(block, extra)
        if self.hedges is not None and self.hedges.stopped:
            # Said by whichever of its attempts, it is about the call.
            told = retry.PUSHBACK_STOP
        chosen = None
        if len(options.classes) > 0:
            chosen = self._class_of(code, attempt.reason, block, extra)
        self.retry_called_off()
        latency = state.latency
        need = 0.0 if latency is None else latency.typical_s
        wait = decision.decide(
            asked,
            told,
            attempt.seen,
            self.committed,
            self.replay is not None,
            self._idempotent(),
            self.deadline - now - need,
            now,
            context.draw(),
            chosen,
        )
        if state.shadow is not None:
            weigh(self, state.shadow, attempt, wait != NO_RETRY, code, told, self._idempotent())
        if wait == NO_RETRY and decision.reason == retry.REASON_OFF and self.attempt is None:
            wait = self._hedge_alone(attempt, code, told)
            if wait == NO_RETRY:
                return False
        elif wait == NO_RETRY:
            if decision.reason == retry.REASON_BUDGET:
                state.counters.budget_exhausted += 1
            if self.attempt is None and decision.reason != retry.REASON_OFF:
                self.not_retried = decision.reason
                add_reason(state.counters.not_retried, retry.REASON_NAMES[decision.reason])
            return False
        else:
            self.paid = state.budget is not None
            if self.hedges is not None and not decision.transparent:
                self.hedges.new_round()
            state.counters.retries += 1
        self.failed_code = code
        self.failed_reason = attempt.reason
        self.tried |= attempt.cluster.bit(attempt.endpoint)
        self._drop_held()
        for running in self._running():
            self.tried |= running.cluster.bit(running.endpoint)
        if wait > 0.0:
            self.retry_at = now + wait
            self._rearm()
        else:
            self._start_attempt()
        return True

    def _pushback(self, block: HeaderBlock | None, extra: tuple[Field, ...]) -> int:
        """Return the server's pushback in milliseconds: that of gRFC A6, or else what its RetryInfo says."""
        if block is None:
            return NO_PUSHBACK
        head = response_head(block)
        told = pushback(head, extra)
        if told == NO_PUSHBACK and self.state.policy.retry.retry_info:
            rich = rich_error(block, extra)
            if rich is not None and rich.retry_delay_s >= 0.0:
                return min(ceil(rich.retry_delay_s * 1000.0 - 1e-6), MAX_PUSHBACK_MS)
        return told

    def _class_of(
        self, code: int, reason: str, block: HeaderBlock | None, extra: tuple[Field, ...]
    ) -> RetryClass | None:
        """Return the class of a failure, if it has one."""
        policy = self.state.policy
        rich = None if block is None else rich_error(block, extra)
        told = "" if rich is None else rich.reason
        return policy.retry.class_of(code, reason, told, policy.classifier.category(code))

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
        running = self._running()
        self.attempt = None
        self.others = None
        for attempt in running:
            attempt.cancel()
            self._release(attempt)
        self.retry_at = NEVER
        self.hedge_at = NEVER
        self.try_deadline = NEVER

    def on_reset(self, stream: Stream, code: int, unprocessed: bool) -> None:
        """The client went away: so does the attempt."""
        if self.finished:
            return
        now = self.context.now
        timed_out = code == CANCEL and now >= self._client_gives_up()
        ended = status.DEADLINE_EXCEEDED if timed_out else status.CANCELLED
        waits = (
            self.waits_for_slot
            or self.ticket is not None
            or self.retry_at != NEVER
            or (self.seat is not None and self.seat.state == WAITING)
        )
        if waits and now - self.started >= _MEANT_AFTER_S:
            # It was we who kept it from an upstream.
            stream.reached_upstream = True
        running = self._running()
        self.attempt = None
        self.others = None
        lingers = timed_out or self.slots is None
        for attempt in running:
            # What an upstream worked on for a while was meant; what is taken back at once may be an attack.
            # So was a call that lived until its own deadline, however short that was.
            if attempt.seen == retry.SEEN and (timed_out or now - self.started >= _MEANT_AFTER_S):
                stream.reached_upstream = True
            slots = self.slots
            if not lingers and slots is not None and attempt.stream is not None:
                # However many attempts a call has, it had one place.
                lingers = True
                slots.linger(now)
            if timed_out:
                self._ran_out_of_time(attempt, ended, now)
            else:
                attempt.cancel()
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

    def _ran_out_of_time(self, attempt: Attempt, code: int, now: float) -> None:
        """Cancel an attempt whose call is over. A hedge that had hardly begun has done nothing wrong."""
        attempt.reason = local_reply.DEADLINE_EXCEEDED
        self._count_waste(attempt, now)
        latency = self.state.latency
        if attempt.hedge and latency is not None and now - attempt.started < latency.typical_s:
            attempt.cancel()
            self._release(attempt)
        else:
            attempt.run_out()
            self._teach_breaker(attempt, code, now)

    def fire(self, now: float) -> None:
        if self.finished:
            return
        if now >= self.deadline:
            self._call_is_late(now)
        elif now >= self.retry_at:
            self.retry_at = NEVER
            if self.awaits_request:
                self.request_overdue()
            elif self.replay is not None:
                self._start_attempt()
            else:
                # Another attempt has taken the whole request meanwhile.
                self._rearm()
        elif now >= self.commit_at:
            self.commit_at = NEVER
            front = self._front()
            if front is not None and front.held_block is not None:
                self._commit_held(front)
            if not self.finished:
                self._rearm()
        elif now >= self.try_deadline:
            self._try_is_late(now)
        elif now >= self.hedge_at:
            self._hedge_due(now)
        else:
            self._rearm()

    def _call_is_late(self, now: float) -> None:
        """End the call, whose time is up, with everything that runs for it."""
        self.retry_at = NEVER
        self.hedge_at = NEVER
        if self.others is not None:
            # The first of them speaks for all.
            running = self._running()
            self.others = None
            self.attempt = running[0]
            for attempt in running[1:]:
                self._ran_out_of_time(attempt, status.DEADLINE_EXCEEDED, now)
                self._note(attempt, status.DEADLINE_EXCEEDED, now)
        if self.attempt is None:
            self._fail(status.DEADLINE_EXCEEDED, local_reply.DEADLINE_EXCEEDED)
        else:
            self._cut_short(self.attempt, status.DEADLINE_EXCEEDED, local_reply.DEADLINE_EXCEEDED)

    def _try_is_late(self, now: float) -> None:
        """End an attempt whose own time is up; if there are several, the next one is looked at in a
        moment.
        """
        for attempt in self._running():
            if now >= attempt.give_up_at:
                self._cut_short(attempt, status.DEADLINE_EXCEEDED, local_reply.PER_TRY_TIMEOUT)
                return
        self.try_deadline = NEVER
        self._rearm()

    def _cut_short(self, attempt: Attempt, code: int, reason: str) -> None:
        """End an attempt that took too long."""
        attempt.run_out()
        attempt.reason = reason
        self.attempt_ended(attempt, code, None, NO_EXTRA, False)
