"""Whether a call may begin: the rate limit, then a place under the route's limit.

A place is taken when the call is ready for its first attempt and is given back once: when the call has its
first answer and is known not to be unary, or may not be, or else when it ends. What it teaches is the time
from when the endpoint could begin (it had a place, and its request was complete) to the answer, and only
where that time says how the service is: one attempt, no fallback, no stream.
"""

from __future__ import annotations

from typing import Final

from seawall_policy import status
from seawall_policy.call_key import CallKey
from seawall_policy.limit.gate import NO_PLACE, QUEUED, SHEDDING_S
from seawall_policy.limit.options import CLASS_BY_NAME, LimitOptions
from seawall_policy.limit.place import IGNORED, LOST, SUCCESS, WAITING
from seawall_policy.rate import RateLimiter
from seawall_proxy.call import local_reply
from seawall_proxy.call.admission import Admission, Seat
from seawall_proxy.call.call_hedge import Several
from seawall_proxy.call.call_state import KIND_STREAM, KIND_UNARY
from seawall_proxy.call.ports import OUTCOME_OK

_SPREAD: Final = 0.5
"""Those who are sent away together come back over so much longer than the time that they are told."""
_AT_ONCE_S: Final = 0.005
"""A call that ends so soon after its first answer was answered with one message."""
_OVERLOADS: Final = 1 << status.DEADLINE_EXCEEDED | 1 << status.RESOURCE_EXHAUSTED | 1 << status.UNAVAILABLE


class CallAdmission(Several):
    """Asks the guards of the route."""

    def _may_come(self, rate: RateLimiter) -> bool:
        """Ask the rate limit; a call that may not come has been answered."""
        before = rate.would_refuse
        parts = rate.options.parts
        wait = rate.take(b"" if len(parts.parts) == 0 else self._key_of(parts), self.context.now)
        if rate.would_refuse != before:
            self.state.counters.would_limit(local_reply.RATE_LIMITED)
        if wait == 0.0:
            return True
        self.come_back_s = wait
        self.state.counters.limit(local_reply.RATE_LIMITED, self._criticality(None))
        self._refused(local_reply.RATE_LIMITED)
        return False

    def _key_of(self, key: CallKey) -> bytes:
        """Return what the call is counted under."""
        parts: list[bytes] = []
        for name in key.names:
            value = self.head.value_of(name, self.extra)
            parts.append(b"" if value is None else value)
        if key.by_peer:
            # Without the port: a client has many connections.
            parts.append(self.peer.rpartition(":")[0].encode("utf-8", "replace"))
        if key.by_method:
            parts.append(self.head.path)
        return parts[0] if len(parts) == 1 else b"\x00".join(parts)

    def _criticality(self, options: LimitOptions | None) -> int:
        if options is None:
            options = self.state.policy.limit
        if options is None:
            return 1
        if options.header != b"":
            value = self.head.value_of(options.header, self.extra)
            if value is not None:
                return CLASS_BY_NAME.get(value, options.criticality)
        return options.criticality

    def _admit(self, admission: Admission) -> None:
        """Take a place and begin, or wait for one, or end."""
        gate = admission.gate
        # The route's own, for the limit may be shared with routes whose calls matter more or less.
        state = self.state
        options = state.limit
        if options is None:
            options = gate.options
        criticality = options.criticality if options.header == b"" else self._criticality(options)
        before = gate.would_refuse
        context = self.context
        if state.optional and self._is_browned_out(admission, options, criticality):
            return
        seat = Seat(self, criticality, self.deadline)
        if options.fair is not None:
            seat.tenant = gate.tenants.of(self._key_of(options.fair))
        verdict = gate.enter(seat, context.now)
        if verdict == NO_PLACE:
            self._turned_away(admission, local_reply.LIMITED, criticality)
            return
        if verdict == QUEUED:
            admission.wait(context.now, context.timers)
        if gate.would_refuse != before:
            self.state.counters.would_limit(local_reply.LIMITED)
        self.seat = seat
        self.admission = admission
        if seat.state != WAITING:
            if not self.finished:
                self._enter()
            return
        if self.tick < 0:
            self._rearm()

    def _is_browned_out(self, admission: Admission, options: LimitOptions, criticality: int) -> bool:
        """Refuse an optional call unless there is room to spare."""
        gate = admission.gate
        before = gate.would_brown_out
        if gate.sheds_optional(options.brownout, self.context.now):
            self._turned_away(admission, local_reply.BROWNOUT, criticality)
            return True
        if gate.would_brown_out != before:
            self.state.counters.would_limit(local_reply.BROWNOUT)
        return False

    def place_given(self) -> None:
        seat = self.seat
        if seat is None or self.finished or self.attempt is not None or self.in_fallback:
            return
        self.state.counters.waited(seat.waited_s)
        if not self.stream.connection.closed:
            # Of a connection that has just gone, every call is about to be told so.
            self._enter()

    def place_refused(self, in_vain: bool) -> None:
        seat = self.seat
        admission = self.admission
        if seat is None or admission is None or self.finished:
            return
        self.seat = None
        self.state.counters.waited(self.context.now - seat.since)
        reason = local_reply.QUEUE_TIMEOUT if in_vain else local_reply.LIMITED
        self._turned_away(admission, reason, seat.criticality)

    def _turned_away(self, admission: Admission, reason: str, criticality: int) -> None:
        wait = admission.gate.retry_after()
        if reason == local_reply.BROWNOUT and wait < SHEDDING_S:
            # Nobody may be waiting, and it is not let in before it has been calm for so long.
            wait = SHEDDING_S
        self.come_back_s = wait * (1.0 + _SPREAD * self.context.draw())
        self.state.counters.limit(reason, criticality)
        self._refused(reason)

    def _goes_on(self) -> None:
        seat = self.seat
        admission = self.admission
        # A unary call will end with the rest of its answer; a stream may last for days.
        if seat is not None and admission is not None and not self.finished and self._kind() != KIND_UNARY:
            admission.answered(seat, self.context.now)

    def _give_back(self, code: int, reason: str, outcome: int) -> None:
        """Return the place, with what the call has taught."""
        seat = self.seat
        admission = self.admission
        if seat is None or admission is None:
            return
        self.seat = None
        now = self.context.now
        taught = IGNORED
        time_s = -1.0
        if self.attempts > 0 and not self.in_fallback and self.request_done:
            began = max(seat.since, self.asked_at)
            answered = self.answered_at if self.answered_at > 0.0 else now
            time_s = answered - began
            if outcome == OUTCOME_OK:
                if now - answered <= _AT_ONCE_S and self._kind() != KIND_STREAM:
                    taught = SUCCESS
            elif (_OVERLOADS >> code) & 1 == 1 and self.answered_at == 0.0:
                late = code == status.DEADLINE_EXCEEDED and reason != local_reply.UPSTREAM_RESET
                if reason == "" or late:
                    taught = LOST
        gate = admission.gate
        gate.leave(seat, now, taught, time_s)
        if gate.queue.length > 0 or admission.tick >= 0:
            # Whoever waits for the place begins.
            admission.settle(now)

    def _refused(self, reason: str) -> None:
        """End a call that a limit has refused, with RESOURCE_EXHAUSTED or a fallback."""
