"""Several attempts of a call at the same time: how hedges are sent, and what becomes of those that lose.

The attempt that was sent last is `attempt`, those that run beside it are `others`; nearly every call has one
attempt only and never comes here. Rules that hold throughout: a hedge never takes a place that a call needs
(it starts only where there is room, gives its place up when a call comes, and is no probe of a breaker), it
goes to an endpoint that the call has not tried, and it is paid for; the response of the first attempt that
has something to pass on is the one that is passed on, and the other attempts are taken back at that moment;
every attempt gives its permit back once. A hedge is sent when the request is complete, so attempts that run
side by side are all fed from the replay buffer.

`seawall_policy.hedge` has the table that says what the end of one attempt means for the others.
"""

from __future__ import annotations

from typing import Final

from seawall_policy import retry, status
from seawall_policy.breaker import ENFORCE, FORCED_OPEN, HALF_OPEN, OPEN, RAMP, Breaker
from seawall_policy.hedge import (
    FATAL,
    NEXT,
    REFUSED_BREAKER,
    REFUSED_BUDGET,
    REFUSED_BUFFER,
    REFUSED_DEADLINE,
    REFUSED_ENDPOINT,
    REFUSED_FULL,
    REFUSED_THROTTLED,
    Hedger,
    HedgeRun,
)
from seawall_policy.retry import RetryDecision
from seawall_proxy.call import local_reply
from seawall_proxy.call.attempt import NO_PERMIT, Attempt
from seawall_proxy.call.call_keyed import CallKeyed
from seawall_proxy.call.faults import inject
from seawall_proxy.call.ports import AttemptRecord
from seawall_proxy.call.timers import NEVER
from seawall_proxy.call.upstream_port import UpstreamCluster, UpstreamEndpoint
from seawall_proxy.http2.headers import Field, HeaderBlock

_SENT: Final = ""
_NOT_FOR_HEDGES: Final = 1 << OPEN | 1 << HALF_OPEN | 1 << FORCED_OPEN | 1 << RAMP


class Several(CallKeyed):
    """Attempts beside each other."""

    # what `Call` adds

    def _retry(
        self, attempt: Attempt, code: int, block: HeaderBlock | None, extra: tuple[Field, ...]
    ) -> bool:
        """Decide on another attempt by the rules of retries; tell whether there is one."""
        return False

    def _attempt_failed(
        self,
        attempt: Attempt,
        code: int,
        block: HeaderBlock | None,
        extra: tuple[Field, ...],
        trailers_only: bool,
    ) -> None:
        """Go on after the failure of the only attempt."""

    def _pushback(self, block: HeaderBlock | None, extra: tuple[Field, ...]) -> int:
        """Return when the server wants to be asked again."""
        return retry.NO_PUSHBACK

    # who runs

    def _launch(
        self,
        cluster: UpstreamCluster,
        endpoint: UpstreamEndpoint,
        breaker: Breaker | None,
        permit: int,
        now: float,
        hedge: bool,
    ) -> None:
        """Begin an attempt."""
        state = self.state
        self.attempts += 1
        attempt = Attempt(self, cluster, endpoint, permit, self.attempts, now)
        attempt.breaker = breaker
        if state.shadow is not None and not self.in_fallback:
            attempt.shadow_permit = state.shadow.attempt_began(now)
        if self.paid and not hedge:
            self.paid = False
            attempt.paid_from = state.budget
        if self.attempt is not None:
            self._step_aside(self.attempt)
        self.attempt = attempt
        if self.trace is not None:
            attempt.span_id = self.context.tracer.new_span_id()
        if self.access is not None:
            self.access.endpoint = endpoint.address
        each = state.policy.per_try_timeout_s
        if each != NEVER:
            attempt.give_up_at = now + each
            self.try_deadline = min(self.try_deadline, attempt.give_up_at)
        hedger = self.hedger
        if hedger is not None and self.in_fallback:
            # One attempt, as its documentation says.
            self.hedger = None
        elif hedger is not None:
            if hedge:
                attempt.hedge = True
                attempt.be_spare()
            hedges = self.hedges
            self.hedge_at = now + hedger.delay_s if hedges is None else hedges.next_at(now, hedger.delay_s)
        self._rearm()
        if state.mirrors is not None and self.attempts == 1 and not self.in_fallback:
            self._copy(state.mirrors)
        if state.faults is not None and inject(self, attempt):
            return
        endpoint.seek(attempt)

    def _step_aside(self, running: Attempt) -> None:
        if self.others is None:
            self.others = [running]
        else:
            self.others.append(running)

    def _leave(self, attempt: Attempt) -> None:
        """Let go of an attempt that has ended or is being taken back."""
        others = self.others
        if others is None:
            self.attempt = None
            self.try_deadline = NEVER
            return
        if self.attempt is attempt:
            self.attempt = others.pop()
        else:
            others.remove(attempt)
        only = self.attempt
        assert only is not None
        at = only.give_up_at
        for other in others:
            at = min(at, other.give_up_at)
        self.try_deadline = at
        if len(others) == 0:
            self.others = None
            only.be_needed()

    def _running(self) -> list[Attempt]:
        """Return the attempts that run, oldest first."""
        if self.attempt is None:
            return []
        return [self.attempt] if self.others is None else [*self.others, self.attempt]

    def stand_alone(self, winner: Attempt) -> None:
        now = self.context.now
        running = self._running()
        self.others = None
        self.attempt = winner
        winner.be_needed()
        for attempt in running:
            if attempt is not winner:
                self._overtake(attempt, now)

    def _end_hedging(self, ended: Attempt, code: int) -> None:
        """Take back what still runs, since one attempt has given the answer."""
        if code == status.OK and ended.hedge:
            self.state.counters.hedges_won += 1
        if self.access is not None:
            self.access.endpoint = ended.endpoint.address
        if self.attempt is None:
            return
        now = self.context.now
        running = self._running()
        self.others = None
        self.attempt = None
        self.try_deadline = NEVER
        for attempt in running:
            self._overtake(attempt, now)

    def _overtake(self, attempt: Attempt, now: float) -> None:
        attempt.overtaken = True
        self._take_back(attempt, status.CANCELLED, local_reply.OVERTAKEN, now)

    def _take_back(self, attempt: Attempt, code: int, reason: str, now: float) -> None:
        """Cancel an attempt that is nobody's fault."""
        if attempt.seen == retry.SEEN:
            self.maybe_executed = True
        attempt.cancel()
        attempt.reason = reason
        self._release(attempt)
        self._note(attempt, code, now)

    def _breaker(self) -> Breaker | None:
        """Return the breaker that watches the call, None where endpoints have theirs or nobody watches."""
        scoped = self.state.scoped
        if scoped is None:
            return self.state.breaker
        head = self.head
        return scoped.of_method(head.path, head.slot, self.state.route.method != "", self.table.methods)

    def _release(self, attempt: Attempt) -> None:
        if self.state.shadow is not None:
            self.state.shadow.attempt_released(attempt.shadow_permit, self.context.now)
        breaker = attempt.breaker
        if breaker is not None and attempt.permit >= 0:
            breaker.release(attempt.permit, self.context.now)

    def _note(self, attempt: Attempt, code: int, now: float) -> None:
        record = AttemptRecord(attempt.number, attempt.started, attempt.span_id)
        record.endpoint = attempt.endpoint.address
        record.code = code
        record.reason = attempt.reason
        record.duration_s = now - attempt.started
        record.hedge = attempt.hedge
        records = self.records
        if records is None:
            self.records = [record]
        else:
            records.append(record)

    def attempt_must_go(self, attempt: Attempt) -> None:
        if self.finished or self.others is None:
            return
        self._leave(attempt)
        self._take_back(attempt, status.CANCELLED, local_reply.CONCURRENCY_LIMITED, self.context.now)
        self.state.counters.refuse_hedge(REFUSED_FULL)
        self._rearm()

    def attempt_does_not_fit(self, attempt: Attempt) -> None:
        if self.others is None:
            self.headers_are_too_large()
            return
        # The others have been taken.
        self._leave(attempt)
        now = self.context.now
        self._take_back(attempt, status.RESOURCE_EXHAUSTED, local_reply.HEADERS_TOO_LARGE, now)
        self._rearm()

    # hedges

    def request_complete(self) -> None:
        self.hedge_waits = False
        hedger = self.hedger
        if hedger is not None and self.attempt is not None and not self.committed:
            self.hedge_at = self.context.now + hedger.delay_s
            self._rearm()

    def _run(self, hedger: Hedger) -> HedgeRun:
        run = self.hedges
        if run is None:
            options = self.state.policy.retry
            also = 0
            if options.max_attempts > 1 and (not options.only_idempotent or self._idempotent()):
                also = options.codes
            run = HedgeRun(hedger.options, also)
            self.hedges = run
        return run

    def _hedge_due(self, now: float) -> None:
        """Send a hedge beside the attempt that has taken so long."""
        self.hedge_at = NEVER
        hedger = self.hedger
        if hedger is not None and self.attempt is not None and not self.committed:
            if self.request_done:
                self._hedge(hedger, now)
            else:
                # It is the client that takes long.
                self.hedge_waits = True
        if not self.finished:
            self._rearm()

    def _hedge(self, hedger: Hedger, now: float) -> bool:
        """Send a hedge if everything allows it; tell whether one was sent."""
        run = self._run(hedger)
        decision = self._decision()
        if decision.attempts >= self.state.most_attempts or not run.has_room():
            return False
        refused = self._send_hedge(hedger, run, decision, now)
        if refused == _SENT:
            return True
        self.state.counters.refuse_hedge(refused)
        return False

    def _send_hedge(self, hedger: Hedger, run: HedgeRun, decision: RetryDecision, now: float) -> str:
        """Return why no hedge was sent; empty when one was."""
        state = self.state
        cluster = self.cluster
        assert cluster is not None
        if self.replay is None:
            return REFUSED_BUFFER
        latency = state.latency
        least = 0.0 if latency is None else latency.typical_s
        if self.deadline - now <= least:
            return REFUSED_DEADLINE
        if cluster.load.in_flight >= cluster.max_in_flight:
            return REFUSED_FULL
        guards = state.guards
        if guards is not None and guards.is_full:
            # It needs no place of its own, but takes the same service.
            return REFUSED_FULL
        if decision.throttle is not None and not decision.throttle.allows():
            return REFUSED_THROTTLED
        breaker = self._breaker()
        if breaker is not None and _is_probing(breaker):
            return REFUSED_BREAKER
        tried = self.tried
        for running in self._running():
            tried |= cluster.bit(running.endpoint)
        endpoint = self._pick(cluster, tried)
        if endpoint is None or tried & cluster.bit(endpoint) != 0 or not endpoint.has_room():
            return REFUSED_ENDPOINT
        if state.scoped is not None and state.scoped.per_endpoint:
            breaker = state.scoped.of_endpoint(endpoint.address)
            if _is_probing(breaker):
                return REFUSED_BREAKER
        state.settle(now)
        if not hedger.pay(now):
            return REFUSED_BUDGET
        run.sent_one()
        if not hedger.sends:
            state.counters.hedges_shadow += 1
            self.hedge_at = run.next_at(now, hedger.delay_s)
            return _SENT
        permit = NO_PERMIT
        if breaker is not None:
            permit = breaker.admit(now)
            if breaker.has_transitions():
                self.context.changed_breakers.append(state)
            if permit < 0:
                return REFUSED_BREAKER
        self.tried = tried
        self.hedged = True
        decision.attempts += 1
        state.counters.hedges += 1
        self._launch(cluster, endpoint, breaker, permit, now, True)
        return _SENT

    def _pick(self, cluster: UpstreamCluster, tried: int) -> UpstreamEndpoint | None:
        if cluster.hash_name == b"":
            return cluster.pick(tried)
        key = self.head.value_of(cluster.hash_name, self.extra)
        return cluster.pick(tried) if key is None else cluster.pick_for(key, tried)

    def _make_room(self, cluster: UpstreamCluster) -> UpstreamEndpoint | None:
        """Take hedges back until an endpoint may have one more attempt, all of which had enough."""
        spares = cluster.load.spares
        while spares:
            cluster.load.make_room()
            endpoint = self._pick(cluster, self.tried)
            if endpoint is not None:
                return endpoint
        return None

    def _decision(self) -> RetryDecision:
        decision = self.decision
        if decision is None:
            state = self.state
            decision = RetryDecision(state.policy.retry, state.budget, state.throttle)
            self.decision = decision
        return decision

    def _keep(
        self,
        attempt: Attempt,
        code: int,
        block: HeaderBlock | None,
        extra: tuple[Field, ...],
        trailers_only: bool,
    ) -> None:
        """Remember the answer of a server, for the case that no other one comes."""
        if block is not None:
            self.kept_code = code
            self.kept_block = block
            self.kept_extra = extra
            self.kept_trailers_only = trailers_only

    def _one_failed(
        self,
        attempt: Attempt,
        code: int,
        block: HeaderBlock | None,
        extra: tuple[Field, ...],
        trailers_only: bool,
    ) -> None:
        """Go on after the failure of one attempt while others run."""
        now = self.context.now
        self._keep(attempt, code, block, extra, trailers_only)
        hedger = self.hedger
        asked = status.UNAVAILABLE if attempt.reason == local_reply.PER_TRY_TIMEOUT else code
        told = self._pushback(block, extra)
        verdict = NEXT
        if attempt.seen == retry.SEEN and hedger is not None:
            verdict = self._run(hedger).failed(asked, told)
        if verdict == FATAL:
            for running in self._running():
                self._take_back(running, status.CANCELLED, "", now)
            self.others = None
            self.attempt = None
            self.try_deadline = NEVER
            self.hedge_at = NEVER
            self.retry_at = NEVER
            self._attempt_failed(attempt, code, block, extra, trailers_only)
            return
        if told == retry.PUSHBACK_STOP:
            self.retry_at = NEVER
        self.answer = None
        self.failed_code = code
        self.failed_reason = attempt.reason
        self.tried |= attempt.cluster.bit(attempt.endpoint)
        if attempt.seen == retry.SEEN and verdict == NEXT and hedger is not None and hedger.sends:
            if told >= 0:
                self.hedge_at = now + told / 1000.0
                self._rearm()
                return
            self._count_failure()
            if self._hedge(hedger, now):
                self._decision().counted = False
                return
        if self.retry_at == NEVER and self._retry(attempt, code, block, extra):
            return
        if not self.finished:
            self._rearm()

    def _calls_off(
        self, attempt: Attempt, code: int, block: HeaderBlock | None, extra: tuple[Field, ...]
    ) -> bool:
        """Tell whether the end of the last attempt that ran takes back the retry that was decided before it:
        it is an answer, or asks for no further attempt.
        """
        hedger = self.hedger
        if hedger is None or attempt.seen != retry.SEEN:
            return False
        asked = status.UNAVAILABLE if attempt.reason == local_reply.PER_TRY_TIMEOUT else code
        run = self._run(hedger)
        return run.failed(asked, self._pushback(block, extra)) == FATAL or run.stopped

    def _count_failure(self) -> None:
        """Tell the throttle of a failure that is not fatal, once."""
        decision = self._decision()
        if decision.throttle is not None:
            decision.throttle.failure()
            decision.counted = True

    def _hedge_alone(self, attempt: Attempt, code: int, told: int) -> float:
        """Decide on the next attempt of a route that hedges and does not retry, when none runs any more;
        return after how many seconds it is sent, -1 when there is none.
        """
        hedger = self.hedger
        if hedger is None or not hedger.sends or self.replay is None:
            return retry.NO_RETRY
        now = self.context.now
        asked = status.UNAVAILABLE if attempt.reason == local_reply.PER_TRY_TIMEOUT else code
        run = self._run(hedger)
        decision = self._decision()
        if run.failed(asked, told) != NEXT or decision.attempts >= self.state.most_attempts:
            return retry.NO_RETRY
        self._count_failure()
        decision.counted = False
        wait = told / 1000.0 if told >= 0 else 0.0
        latency = self.state.latency
        least = 0.0 if latency is None else latency.typical_s
        refused = _SENT
        if wait + least >= self.deadline - now:
            refused = REFUSED_DEADLINE
        elif decision.throttle is not None and not decision.throttle.allows():
            refused = REFUSED_THROTTLED
        else:
            self.state.settle(now)
            if not hedger.pay(now):
                refused = REFUSED_BUDGET
        if refused != _SENT:
            self.state.counters.refuse_hedge(refused)
            return retry.NO_RETRY
        run.sent_one()
        decision.attempts += 1
        self.state.counters.hedges += 1
        return wait


def _is_probing(breaker: Breaker) -> bool:
    """Tell whether what the breaker lets through belongs to calls."""
    return breaker.options.mode == ENFORCE and (_NOT_FOR_HEDGES >> breaker.state) & 1 == 1
