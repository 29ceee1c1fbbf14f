"""The end of a call: what the client is told, what is counted, and what is recorded."""

from __future__ import annotations

from typing import Final

from seawall_policy import status
from seawall_policy.retry import NO_PUSHBACK
from seawall_proxy.call import local_reply
from seawall_proxy.call.access import MAX_TEXT_BYTES, AccessRecord
from seawall_proxy.call.attempt import NO_EXTRA
from seawall_proxy.call.call_response import ResponseSide
from seawall_proxy.call.methods import OTHER
from seawall_proxy.call.mirror import Mirror
from seawall_proxy.call.ports import (
    OUTCOME_CANCELLED,
    OUTCOME_FAILED,
    OUTCOME_FALLBACK,
    OUTCOME_NAMES,
    OUTCOME_OK,
    OUTCOME_REJECTED,
    OUTCOME_RETRIED,
    CallRecord,
)
from seawall_proxy.call.response import find, pushback, response_head, status_message
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
        outcome = OUTCOME_OK if code == status.OK else OUTCOME_FAILED
        if self.in_fallback and code == status.OK:
            outcome = OUTCOME_FALLBACK
        elif code == status.OK and self.attempts > 1:
            outcome = OUTCOME_RETRIED
        if self.attempts > 1 or self.in_fallback:
            extra = (*extra, *self._outcome_fields(outcome))
        if not stream.fits(block, extra):
            self.failed_code = code
            self._answer(status.RESOURCE_EXHAUSTED, local_reply.HEADERS_TOO_LARGE)
            return
        if trailers_only and not self.committed:
            self._send_only(block, extra)
        else:
            if self.held_block is not None:
                self._commit_held()
                if self.finished:
                    return
            stream.send_trailers(block, extra)
        message = b"" if code == status.OK else status_message(response_head(block), extra)
        self._finish(code, "", message, outcome)

    def _answer(self, code: int, reason: str) -> None:
        """Send a status of ours."""
        rejected = self.attempts == 0
        outcome = OUTCOME_REJECTED if rejected else OUTCOME_FAILED
        retry_after = self._retry_after(reason)
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
            fields = (*fields, (b"seawall-attempts", str(self.attempts).encode("ascii")))
        stream = self.stream
        self._drop_held()
        if self.committed:
            stream.send_trailers(local_reply.NO_FIELDS, fields)
        else:
            self._send_only(local_reply.TRAILERS_ONLY, fields)
        self._finish(code, reason, message.encode("ascii"), outcome)

    def _retry_after(self, reason: str) -> float:
        """Return after how many seconds the caller may try again; -1 when that is not known."""
        if reason in local_reply.OF_LIMITS:
            return self.come_back_s
        breaker = self.state.breaker
        if reason != local_reply.BREAKER_OPEN or breaker is None:
            return -1.0
        seconds = breaker.retry_after(self.context.now)
        # Held open by a person: nobody knows for how long.
        return -1.0 if seconds > _LONGEST_HINT_S else seconds

    def _answer_kept(self, block: HeaderBlock, reason: str) -> None:
        """Pass on the answer that a server gave to an earlier attempt; `reason` is why there was no other."""
        code = self.kept_code
        self.failed_code = code
        self.failed_reason = reason
        message = status_message(response_head(block), self.kept_extra)
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

    def _answer_static(self, payload: bytes) -> None:
        stream = self.stream
        self._drop_held()
        self.answered_static = True
        change = self.state.response_headers
        if change is None:
            stream.send_headers(local_reply.HEADERS_ONLY, NO_EXTRA, False)
        else:
            block = local_reply.HEADERS_ONLY
            stream.send_headers(response_head(block).changed(block, change), change.of_call(NO_EXTRA), False)
        if self.access is not None:
            self.access.answered(payload, self.context.now)
        stream.send_data(payload, False)
        stream.send_trailers(local_reply.STATUS_OK, self._outcome_fields(OUTCOME_FALLBACK))
        self._finish(status.OK, "", b"", OUTCOME_FALLBACK)

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
        if outcome != OUTCOME_OK:
            self._count(outcome, reason)
        if self.trace is not None or (outcome != OUTCOME_OK and self._recorded(code, outcome)):
            self._report(code, reason, message, outcome, duration)
        if self.access is not None:
            self._log(self.access, code, reason, message, outcome, duration)

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
        trace = self.trace
        access.trace_id = find(self.extra, b"traceparent")[3:35] if trace is None else trace.trace_id
        access.revision = self.table.snapshot.revision
        sink.call_ended(access)

    def _count(self, outcome: int, reason: str) -> None:
        counters = self.state.counters
        if outcome == OUTCOME_RETRIED:
            counters.recovered += 1
        elif outcome == OUTCOME_FALLBACK:
            counters.fall_back("cluster" if self.in_fallback and not self.answered_static else "static")
        elif outcome == OUTCOME_CANCELLED:
            counters.cancelled += 1
        elif outcome == OUTCOME_REJECTED:
            counters.reject(reason)

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
        record.category = self.state.policy.classifier.category(
            self.failed_code if code == status.OK else code
        )
        trace = self.trace
        if trace is not None:
            record.trace_id = trace.trace_id
            self.context.tracer.finish(trace, record)
        else:
            record.trace_id = find(self.extra, b"traceparent")[3:35]
        if outcome != OUTCOME_OK and self._recorded(code, outcome):
            self.context.sink.call_ended(record)
