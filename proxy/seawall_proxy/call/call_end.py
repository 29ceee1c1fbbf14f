"""The end of a call: what the client is told, what is counted, and what is recorded."""

from __future__ import annotations

from typing import Final

from seawall_policy import status
from seawall_policy.budget import RetryBudget
from seawall_policy.classify import DEFAULT_STRATEGIES, NO_RULE
from seawall_policy.classify_rules import Failure, phase_of
from seawall_policy.degradation import Degradation
from seawall_policy.retry import NO_PUSHBACK, REASON_NAMES
from seawall_proxy.call import local_reply
from seawall_proxy.call.access import MAX_TEXT_BYTES, AccessRecord
from seawall_proxy.call.call_response import ResponseSide
from seawall_proxy.call.call_state import fault_marker
from seawall_proxy.call.methods import OTHER
from seawall_proxy.call.mirror import Mirror
from seawall_proxy.call.ports import (
    OUTCOME_CANCELLED,
    OUTCOME_FAILED,
    OUTCOME_FALLBACK,
    OUTCOME_HEDGED,
    OUTCOME_NAMES,
    OUTCOME_OK,
    OUTCOME_REJECTED,
    OUTCOME_RETRIED,
    CallRecord,
    RouteRecord,
)
from seawall_proxy.call.response import find, pushback, response_head, status_details, status_message
from seawall_proxy.call.shadowing import leave_budget
from seawall_proxy.call.timers import NEVER
from seawall_proxy.http2.headers import Field, HeaderBlock
from seawall_proxy.telemetry.counters import MethodCounters

RECORDED_CODES: Final = (
    1 << status.UNKNOWN
    | 1 << status.DEADLINE_EXCEEDED
    | 1 << status.RESOURCE_EXHAUSTED
    | 1 << status.INTERNAL
    | 1 << status.UNAVAILABLE
    | 1 << status.DATA_LOSS
)
"""Final statuses that make an event. The others are answers of a healthy service (not found, denied, ...)."""


_LONGEST_HINT_S: Final = 86_400.0


class CallEnd(ResponseSide):
    """Sends the final status exactly once and accounts for it."""

    def _deliver(self, code: int, block: HeaderBlock, extra: tuple[Field, ...], trailers_only: bool) -> None:
        """Pass the server's final status on."""
        stream = self.stream
        given = extra
        outcome = OUTCOME_OK if code == status.OK else OUTCOME_FAILED
        if self.in_fallback and code == status.OK:
            outcome = OUTCOME_FALLBACK
        elif code == status.OK and self.attempts > 1:
            outcome = OUTCOME_HEDGED if self.hedged and self.failed_code == 0 else OUTCOME_RETRIED
        if self.attempts > 1 or self.in_fallback or self.faults != 0:
            extra = (*extra, *self._outcome_fields(outcome))
        if not stream.fits(block, extra):
            self.failed_code = code
            self._answer(status.RESOURCE_EXHAUSTED, local_reply.HEADERS_TOO_LARGE)
            return
        if trailers_only and not self.committed:
            self._send_only(block, extra)
        else:
            answer = self.answer
            if answer is not None and not self.committed:
                self.answer = None
                self._commit_held(answer)
                if self.finished:
                    return
            stream.send_trailers(block, extra)
        if self.keeper is not None:
            self.keep_answer(code, block, given, trailers_only)
        message = b""
        if code != status.OK:
            message = status_message(response_head(block), extra)
            self.failure_details = status_details(block, extra)
        self._finish(code, "", message, outcome)

    def keep_answer(
        self, code: int, block: HeaderBlock, extra: tuple[Field, ...], trailers_only: bool
    ) -> None:
        """Keep a final answer of a server for other calls."""

    def _answer(self, code: int, reason: str) -> None:
        """Send a status of ours."""
        rejected = self.attempts == 0
        outcome = OUTCOME_REJECTED if rejected else OUTCOME_FAILED
        retry_after = self._retry_after(reason)
        message = local_reply.REASONS.get(reason, "the call failed")
        if reason == local_reply.FAULT_INJECTED and self.fault_message != "":
            message = self.fault_message
        metadata: list[tuple[str, str]] = [("route", self.state.name), ("origin", "proxy")]
        if self.attempts > 0:
            metadata.append(("attempts", str(self.attempts)))
        if self.failed_code > 0:
            metadata.append(("last_status", status.name(self.failed_code)))
        fields = local_reply.failure_fields(
            code, reason, message, OUTCOME_NAMES[outcome].encode("ascii"), retry_after, tuple(metadata)
        )
        if self.attempts > 0:
            fields = (*fields, (b"seawall-attempts", str(self.attempts).encode("ascii")))
        if self.faults != 0:
            fields = (*fields, fault_marker(self.faults))
        stream = self.stream
        self._drop_held()
        if self.committed:
            stream.send_trailers(local_reply.NO_FIELDS, fields)
        else:
            self._send_only(local_reply.TRAILERS_ONLY, fields)
        self._finish(code, reason, status.percent_encode(message), outcome)

    def _retry_after(self, reason: str) -> float:
        """Return after how many seconds the caller may try again; -1 when that is not known."""
        if reason in local_reply.OF_LIMITS:
            return self.come_back_s
        if reason != local_reply.BREAKER_OPEN:
            return -1.0
        seconds = self.state.retry_after(self.head.path, self.context.now)
        # Held open by a person: nobody knows for how long.
        return -1.0 if seconds > _LONGEST_HINT_S else seconds

    def _answer_kept(self, block: HeaderBlock, reason: str) -> None:
        """Pass on the answer that a server gave to an earlier attempt; `reason` is why there was no other."""
        code = self.kept_code
        self.failed_code = code
        self.failed_reason = reason
        message = status_message(response_head(block), self.kept_extra)
        self.failure_details = status_details(block, self.kept_extra)
        extra = (*self.kept_extra, *self._outcome_fields(OUTCOME_FAILED))
        wait = self._retry_after(reason)
        if wait >= 0.0 and pushback(response_head(block), self.kept_extra) == NO_PUSHBACK:
            extra = (*extra, local_reply.pushback_field(wait))
        if not self.stream.fits(block, extra):
            self._answer(status.RESOURCE_EXHAUSTED, local_reply.HEADERS_TOO_LARGE)
            return
        self._drop_held()
        if self.kept_trailers_only:
            self._send_only(block, extra)
        else:
            # Its trailers are all that is left of it, so they become the whole response.
            self._send_only(local_reply.TRAILERS_ONLY, (*block.fields, *extra))
        self._finish(code, "", message, OUTCOME_FAILED)

    def _send_only(self, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        """Send a response that is nothing but a status."""
        change = self.state.response_headers
        if change is None:
            self.stream.send_headers(block, extra, True)
        else:
            changed = response_head(block).changed(block, change)
            self.stream.send_headers(changed, change.of_call(extra), True)

    def _finish(self, code: int, reason: str, message: bytes, outcome: int) -> None:
        self.finished = True
        context = self.context
        context.calls -= 1
        if self.tick >= 0:
            context.timers.cancel(self)
        if self.waits_for_slot and self.slots is not None:
            self.slots.give_up(self)
        if self.seat is not None:
            self._give_back(code, reason, outcome)
        if self.replay is not None:
            self._forget_replay()
        if not self.request_done:
            self.stream.stop_request()
        budget = self.state.budget
        if budget is not None and budget.counts_calls:
            self._leave_budget(budget)
        shadow = self.state.shadow
        if shadow is not None:
            leave_budget(self, shadow)
            shadow.call_ended()
        counters = self.state.counters
        counters.in_flight -= 1
        counters.by_code[code] += 1
        duration = context.now - self.started
        slot = self.head.slot
        if slot is None or slot.owner is not counters:
            slot = self._slot(code, reason, outcome)
        slot.by_code[code] += 1
        slot.latency.add_to(counters.latency.add(duration), duration)
        if self.mirrors is not None:
            self._let_mirrors_go(self.mirrors)
        if self.ticket is not None:
            self.ticket.close()
            self.ticket = None
        if self.state.degradation is not None:
            self._track(self.state.degradation, code, outcome)
        if outcome != OUTCOME_OK:
            self._count(outcome, reason)
        if self.trace is not None or (outcome != OUTCOME_OK and self._recorded(code, outcome)):
            self._report(code, reason, message, outcome, duration)
        if self.access is not None:
            self._log(self.access, code, reason, message, outcome, duration)

    def _leave_budget(self, budget: RetryBudget) -> None:
        budget.call_ended()
        self.retry_called_off()

    def retry_called_off(self) -> None:
        """Return what was paid for a retry that has not begun, if there is one."""
        budget = self.state.budget
        if self.paid and budget is not None:
            self.paid = False
            budget.give_back()

    def _give_back(self, code: int, reason: str, outcome: int) -> None:
        """Return the place under the route's limit."""

    def _slot(self, code: int, reason: str, outcome: int) -> MethodCounters:
        """Return the statistics of the method; remembered once it is one that is kept apart."""
        head = self.head
        counters = self.state.counters
        known = self.state.route.method != "" or head.path in self.table.methods
        answered = (
            reason == ""
            and code != status.UNIMPLEMENTED
            and outcome != OUTCOME_CANCELLED
            and not self.answered_static
        )
        slot = self.context.methods.find(counters, head.path, known, answered)
        if slot.method != OTHER:
            head.slot = slot
        return slot

    def _let_mirrors_go(self, mirrors: list[Mirror]) -> None:
        self.mirrors = None
        for mirror in mirrors:
            mirror.call_ended()

    def _log(
        self, access: AccessRecord, code: int, reason: str, message: bytes, outcome: int, duration: float
    ) -> None:
        sink = self.context.access
        if sink is None:
            return
        access.duration_s = duration
        if self.deadline != NEVER:
            access.deadline_s = self.deadline - self.started
        access.code = code
        access.reason = reason
        access.message = message[:MAX_TEXT_BYTES]
        access.outcome = outcome
        access.failed_code = self.failed_code
        access.failed_reason = self.failed_reason
        access.attempts = self.attempts
        access.faults = self.faults
        trace = self.trace
        access.trace_id = find(self.extra, b"traceparent")[3:35] if trace is None else trace.trace_id
        access.revision = self.table.snapshot.revision
        sink.call_ended(access)

    def _count(self, outcome: int, reason: str) -> None:
        counters = self.state.counters
        if outcome == OUTCOME_RETRIED:
            counters.recovered += 1
        elif outcome == OUTCOME_FALLBACK:
            counters.fall_back(self.fallback_kind)
        elif outcome == OUTCOME_CANCELLED:
            counters.cancelled += 1
        elif outcome == OUTCOME_REJECTED:
            counters.reject(reason)

    def _track(self, degradation: Degradation, code: int, outcome: int) -> None:
        """Follow whether the route lives on its fallbacks."""
        state = self.state
        now = self.context.now
        if outcome == OUTCOME_FALLBACK:
            step = self.fallback_index - 1
            if degradation.covered(step, self.fallback_kind, self.covered_code, self.covered_reason, now):
                self._tell_route(degradation, True)
        elif not degradation.active:
            return
        elif code == status.OK:
            if not self.answered_static and degradation.succeeded(self.started):
                self._tell_route(degradation, False)
                degradation.end()
        elif outcome != OUTCOME_CANCELLED and (RECORDED_CODES >> code) & 1:
            degradation.failed()
        state.counters.degraded_calls += 1

    def _tell_route(self, degradation: Degradation, degraded: bool) -> None:
        record = RouteRecord(self.state.name, degraded, self.context.now, degradation.since)
        record.calls = degradation.calls
        record.step = degradation.step
        record.kind = degradation.kind
        record.code = degradation.code
        record.reason = degradation.reason
        record.revision = self.table.snapshot.revision
        self.context.sink.route_changed(record)

    def _recorded(self, code: int, outcome: int) -> bool:
        if outcome in (OUTCOME_CANCELLED, OUTCOME_HEDGED):
            # Hedges are the order of the day: they are counted, and no error.
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
        record.not_retried = REASON_NAMES[self.not_retried] if code != status.OK else ""
        record.faults = self.faults
        record.job_id = self.head.job_id if self.head.job_id != b"" else find(self.extra, b"x-job-id")
        record.job_name = self.head.job_name if self.head.job_name != b"" else find(self.extra, b"x-job-name")
        record.revision = self.table.snapshot.revision
        if outcome != OUTCOME_OK:
            self._explain(record)
        trace = self.trace
        if trace is not None:
            record.trace_id = trace.trace_id
            self.context.tracer.finish(trace, record)
        else:
            record.trace_id = find(self.extra, b"traceparent")[3:35]
        if outcome != OUTCOME_OK and self._recorded(code, outcome):
            self.context.sink.call_ended(record)

    def _explain(self, record: CallRecord) -> None:
        """Add what kind of failure it was and how it was treated."""
        failure = self._failure(record)
        category, strategy, rule = self.state.policy.classifier.classify(failure)
        custom = self.context.strategies
        if custom is not None:
            own_category, own_strategy = custom.classify(failure, self.state.name, self.head.path)
            if own_category != 0 or own_strategy != 0:
                category = own_category if own_category != 0 else category
                strategy = own_strategy if own_strategy != 0 else DEFAULT_STRATEGIES[category]
                rule = NO_RULE
        record.category = category
        record.strategy = strategy
        record.rule = rule
        if failure.reason == "":
            record.error_reason = failure.error_reason()
            record.error_domain = failure.domain()
        scoped = self.state.scoped
        breaker = self.state.breaker if scoped is None else scoped.watching(self.head.path)
        if breaker is not None:
            record.breaker_state = breaker.state
        if self.fallback_kind == "cluster" and self.cluster is not None:
            record.fallback = "cluster/" + self.cluster.name
        else:
            record.fallback = self.fallback_kind

    def _failure(self, record: CallRecord) -> Failure:
        """Return the failure that the record is about: the final one, or the one that was covered."""
        answered = self.committed or (self.answer is not None and self.answer.held_size > 0)
        if record.code != status.OK:
            phase = phase_of(record.reason, answered)
            return Failure(record.code, record.reason, phase, record.message, self.failure_details)
        kept = self.kept_block
        if kept is None or self.kept_code != self.failed_code or self.failed_reason != "":
            return Failure(self.failed_code, self.failed_reason, phase_of(self.failed_reason, False))
        message = status_message(response_head(kept), self.kept_extra)
        details = status_details(kept, self.kept_extra)
        return Failure(self.failed_code, "", phase_of("", False), message, details)
