"""A call's response: held back while another answer is still possible, then passed on as it comes.

A unary response is held until its trailers, any other until its first message; where the kind of the method
is not known, until a moment after its first bytes. From the moment the first byte has gone to the client the
call is *committed*.
"""

from __future__ import annotations

from seawall_policy import status
from seawall_proxy.call.attempt import NO_PERMIT, Attempt
from seawall_proxy.call.call_request import RequestSide
from seawall_proxy.call.call_state import KIND_STREAM, KIND_UNARY
from seawall_proxy.call.context import HOLD_AFTER_DATA_S, HOLD_AFTER_HEADERS_S, HOLD_BYTES
from seawall_proxy.call.response import response_head
from seawall_proxy.call.timers import NEVER
from seawall_proxy.http2.headers import Field, HeaderBlock
from seawall_proxy.http2.stream import Stream


class ResponseSide(RequestSide):
    """Takes the response from the attempt's stream and gives it to the client's."""

    def response_headers(self, attempt: Attempt, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        if self.committed or not self._may_change():
            self._commit(attempt, block, extra)
            return
        attempt.held_block = block
        attempt.held_extra = extra
        if not self.listed:
            self._list_held()

    def _may_change(self) -> bool:
        """Tell whether a failure that comes after response headers could still be answered otherwise."""
        state = self.state
        if self.in_fallback:
            return self.fallback_index < state.fallback_end
        return state.has_fallback or (
            (state.retries_codes or self.hedger is not None) and self.replay is not None
        )

    def response_data(self, attempt: Attempt, data: bytes) -> None:
        if attempt.first_at < 0.0:
            attempt.first_at = self.context.now
        if self.seat is not None and self.answered_at == 0.0:
            self.answered_at = self.context.now
            if not self.listed:
                self._list_held()
        if attempt.held_block is not None:
            held = attempt.held_data
            if held is None:
                attempt.held_data = [data]
            else:
                held.append(data)
            attempt.held_size += len(data)
            if attempt.held_size > HOLD_BYTES or self._kind() == KIND_STREAM or attempt.is_tight():
                self._commit_held(attempt)
            elif not self.listed:
                self._list_held()
            return
        if attempt.permit >= 0:
            self._answer_probe(attempt)
        if self.access is not None:
            self.access.answered(data, self.context.now)
        if self.keeper is not None:
            self.keeper.data(data)
        attempt.consume(self.stream.send_data(data, False))

    def _goes_on(self) -> None:
        """Learn that the call has an answer and has not ended with it."""

    def _list_held(self) -> None:
        """Be asked again at the end of this turn (`settle`); only while not `listed`."""
        self.listed = True
        self.context.held.append(self)

    def settle(self, now: float) -> None:
        self.listed = False
        if self.seat is not None and self.answered_at > 0.0:
            self._goes_on()
        attempt = self.attempt if self.others is None else self._front()
        if attempt is None or attempt.held_block is None or self.finished:
            return
        if self.request_done and self._kind() == KIND_UNARY:
            # Its trailers are the next thing that can come.
            return
        at = now + (HOLD_AFTER_HEADERS_S if attempt.held_size == 0 else HOLD_AFTER_DATA_S)
        if at < self.commit_at:
            # Only ever earlier: a steady stream of messages must not put its own first one off.
            self.commit_at = at
            self._rearm()

    def _front(self) -> Attempt | None:
        """Return the attempt whose response is furthest: one that has data before one that has headers
        only.
        """
        front = self.attempt
        if self.others is None or front is None:
            return front
        for other in self.others:
            if other.held_block is not None and (front.held_block is None or front.held_size == 0):
                front = other
        return front

    def stand_alone(self, winner: Attempt) -> None:
        """Take every attempt back but one."""

    def retry_called_off(self) -> None:
        """Learn that a retry that was decided is not needed any more."""

    def _commit(self, attempt: Attempt, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        if self.keeper is not None:
            self.keeper.begin(block, extra, self.extra, self.replay if self.request_done else None)
        change = self.state.response_headers
        if change is not None:
            block = response_head(block).changed(block, change)
            extra = change.of_call(extra)
        if not self.stream.fits(block, extra):
            self.headers_are_too_large()
            return
        self.committed = True
        self._forget_replay()
        if self.others is not None:
            self.stand_alone(attempt)
        # What was armed for one of these fires in vain, once and at the most: most calls end before.
        self.try_deadline = NEVER
        self.commit_at = NEVER
        self.retry_at = NEVER
        self.hedge_at = NEVER
        if self.paid:
            self.retry_called_off()
        self.stream.send_headers(block, extra, False)

    def _answer_probe(self, attempt: Attempt) -> None:
        """Count an attempt as answered by its first message where a breaker waits for that: streams may go on
        for days.
        """
        breaker = attempt.breaker
        if breaker is None or not breaker.first_answer_counts():
            return
        now = self.context.now
        breaker.record(attempt.permit, status.OK, now - attempt.started, now)
        attempt.permit = NO_PERMIT
        if breaker.has_transitions():
            self.context.changed_breakers.append(self.state)

    def _commit_held(self, attempt: Attempt) -> None:
        block = attempt.held_block
        assert block is not None
        attempt.held_block = None
        data = attempt.held_data
        attempt.held_data = None
        attempt.held_size = 0
        self._commit(attempt, block, attempt.held_extra)
        if self.finished or data is None:
            return
        sent = 0
        access = self.access
        keeper = self.keeper
        for piece in data:
            if keeper is not None:
                keeper.data(piece)
            if access is not None:
                access.answered(piece, self.context.now)
            sent += self.stream.send_data(piece, False)
        if not attempt.done:
            if sent > 0 and attempt.permit >= 0:
                self._answer_probe(attempt)
            attempt.consume(sent)

    def _drop_held(self) -> None:
        self.answer = None
        self.commit_at = NEVER

    def on_sent(self, stream: Stream, n: int) -> None:
        attempt = self.attempt
        if attempt is not None:
            attempt.consume(n)
