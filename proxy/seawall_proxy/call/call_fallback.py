"""Answers in place of a failure: another cluster, another method, a fixed message, the last good one, none.

The steps of a policy are asked in their order, each at most once for a call: one that answers the failure and
has something to answer with is served, and one that fails hands its own failure to those behind it.
"""

from __future__ import annotations

from typing import Final

from seawall_policy import status
from seawall_policy.kept_answer import KeptAnswer
from seawall_policy.last_good import GoodAnswer, LastGoodOptions
from seawall_policy.model import ENFORCE, SHADOW, FallbackStep
from seawall_proxy.call import kept, local_reply
from seawall_proxy.call.attempt import NO_EXTRA
from seawall_proxy.call.call_end import CallEnd
from seawall_proxy.call.call_state import KIND_STREAM
from seawall_proxy.call.context import REPLAY_CALL_BYTES
from seawall_proxy.call.ports import OUTCOME_FALLBACK
from seawall_proxy.call.response import response_head
from seawall_proxy.call.timers import NEVER
from seawall_proxy.http2.headers import Field
from seawall_proxy.telemetry.counters import add_reason

HOLD_REQUEST_S: Final = 0.05
"""How long the rest of a request of unknown kind is waited for: a stream's client may wait for an answer
before it says more.
"""
EMPTY_MESSAGE: Final = b"\x00\x00\x00\x00\x00"


class CallFallback(CallEnd):
    """Serves the fallbacks of the route's policy."""

    def _start_attempt(self) -> None:
        """Send the call to its cluster."""

    def _fall_back(self, code: int, reason: str) -> bool:
        """Serve the next fallback that answers this failure, if there is one."""
        state = self.state
        if self.committed:
            return False
        if state.has_shadow_fallback and not self.shadow_fallback_asked:
            self.shadow_fallback_asked = True
            self._ask_shadows(code, reason)
        steps = state.policy.fallback
        while self.fallback_index < state.fallback_end:
            step = steps[self.fallback_index]
            self.fallback_index += 1
            if step.mode == ENFORCE and step.applies(code, reason) and self._serve(step, code, reason):
                return True
        return False

    def _ask_shadows(self, code: int, reason: str) -> None:
        """Count what the first fallback in shadow would have answered the call's failure with."""
        for step in self.state.policy.fallback:
            if step.mode == SHADOW and step.applies(code, reason) and self._could_serve(step):
                add_reason(self.state.counters.would_fall_back, step.kind())
                return

    def _could_serve(self, step: FallbackStep) -> bool:
        now = self.context.now
        if step.cluster != "" or step.method != b"":
            return self._could_send(step, now)
        if now >= self.client_deadline:
            return False
        good = step.last_good
        if good is not None:
            # Whoever fails before the request is complete would have waited for it: that is left out.
            return (not good.by_request or self.request_done) and self._find_good(good, now) is not None
        return step.static is None or self.head.path in step.static.payloads

    def _could_send(self, step: FallbackStep, now: float) -> bool:
        """Tell whether another server may be asked."""
        if self.replay is None or now >= self.deadline or not self._may_repeat():
            return False
        return step.method == b"" or self.head.path not in step.unfit

    def _serve(self, step: FallbackStep, code: int, reason: str) -> bool:
        now = self.context.now
        if step.cluster == "" and step.method == b"":
            if now >= self.client_deadline:
                return False
            return self._serve_here(step, code, reason, now)
        if not self._could_send(step, now):
            return False
        self._covers(step, code, reason)
        self._drop_held()
        state = self.state
        self.cluster = (
            state.fallback_clusters[step.cluster] if step.cluster != "" else state.cluster(self.context.draw)
        )
        self.sent_head = None if step.method == b"" else self.head.renamed(step.method)
        self.in_fallback = True
        self.awaits_request = False
        self.tried = 0
        self._start_attempt()
        return True

    def _serve_here(self, step: FallbackStep, code: int, reason: str, now: float) -> bool:
        """Answer without a server."""
        static = step.static
        if static is not None:
            payload = static.payloads.get(self.head.path)
            if payload is None:
                return False
            self._covers(step, code, reason)
            self._answer_here(payload, NO_EXTRA, NO_EXTRA)
        elif step.empty:
            self._covers(step, code, reason)
            self._answer_here(b"" if self._kind() == KIND_STREAM else EMPTY_MESSAGE, NO_EXTRA, NO_EXTRA)
        elif step.last_good is not None:
            return self._serve_last_good(step, step.last_good, code, reason, now)
        return True

    def _serve_last_good(
        self, step: FallbackStep, good: LastGoodOptions, code: int, reason: str, now: float
    ) -> bool:
        if self.state.last_good is None or not kept.keeps_good(good, self.head, self.extra):
            return False
        if good.by_request and not self.request_done and self._waits_for_request(code, reason):
            return True
        found = self._find_good(good, now)
        if found is None:
            return False
        self._covers(step, code, reason)
        age = b"stale;age=%d" % int(now - found.at)
        self._answer_here(found.answer.body, found.answer.head, ((b"seawall-degraded", age),))
        return True

    def _find_good(self, good: LastGoodOptions, now: float) -> GoodAnswer | None:
        """Return the last good answer that this call may have."""
        store = self.state.last_good
        if store is None or not kept.keeps_good(good, self.head, self.extra):
            return None
        key = kept.good_key(good, self.head, self.extra, self.replay if self.request_done else None)
        if key == b"":
            return None
        found = store.find(key, now, good.max_age_s)
        if found is None or not kept.reads(self.head, self.extra, found.answer.head, found.answer.body):
            return None
        return found

    def _waits_for_request(self, code: int, reason: str) -> bool:
        """Put the step off until the request is complete, if that is to be expected: what fails at once fails
        before the message is here.
        """
        info = self.table.methods.get(self.head.path)
        if self.has_waited or self.replay is None or (info is not None and info.client_streaming):
            return False
        self.fallback_index -= 1
        self.pending_code = code
        self.pending_reason = reason
        self._await_request()
        self.has_waited = True
        if info is None:
            self.retry_at = self.context.now + HOLD_REQUEST_S
        self._rearm()
        return True

    def _await_request(self) -> None:
        """Do nothing until the request is complete. The client needs credit for what it has said while the
        call waited for something else, or it would never be.
        """
        self.awaits_request = True
        due = self.replay_size - self.credited
        if due > 0:
            self.credited += due
            self.stream.consume(due)

    def request_grew(self, size: int) -> bool:
        fits = self.replay_size <= REPLAY_CALL_BYTES
        done = self.request_done and fits
        if not done and fits:
            self.credited += size
            self.stream.consume(size)
            return True
        self.retry_at = NEVER
        if self.pending_code < 0:
            self.awaits_request = False
            self._request_came(done)
        else:
            self._resume()
        return True

    def request_overdue(self) -> None:
        """Wait no longer for the rest of a request: its method may be one that streams."""
        if self.pending_code < 0:
            self.awaits_request = False
            self._request_came(False)
        else:
            self._resume()

    def _request_came(self, whole: bool) -> None:
        """Begin the call that has waited for its request."""

    def _resume(self) -> None:
        """Go on with the fallbacks of the failure that was put off; without any, tell it."""
        code = self.pending_code
        reason = self.pending_reason
        self.pending_code = -1
        self.awaits_request = False
        if self._fall_back(code, reason):
            return
        block = self.kept_block
        if block is None:
            self._answer(code, reason)
        elif reason == "":
            self._deliver(self.kept_code, block, self.kept_extra, self.kept_trailers_only)
        else:
            self._answer_kept(block, reason)

    def _may_repeat(self) -> bool:
        """Tell whether another server may be given the call: none has seen it, or twice is fine. The
        idempotency key does not say so: the servers that know it are those of the route.
        """
        if not self.maybe_executed or not self.state.policy.retry.only_idempotent:
            return True
        return self._is_declared_idempotent()

    def _covers(self, step: FallbackStep, code: int, reason: str) -> None:
        """Remember what the call is degraded by, and that its own servers have no answer."""
        self.fallback_kind = step.kind()
        self.covered_code = code
        self.covered_reason = reason
        if not self.in_fallback:
            self.failed_code = code
            self.failed_reason = reason
        self.keeper = None
        if self.ticket is not None:
            self.ticket.close()
            self.ticket = None

    def _fail(self, code: int, reason: str) -> None:
        """End the call with a status of ours, unless a fallback answers it."""
        if not self._fall_back(code, reason):
            self._answer(code, reason)

    def _answer_here(self, payload: bytes, head: tuple[Field, ...], told: tuple[Field, ...]) -> None:
        """Answer with OK and one message, none when `payload` is empty. `head` is what a server once said of
        the message, empty for one of ours; `told` goes into the trailers.
        """
        stream = self.stream
        self._drop_held()
        self.answered_static = True
        if len(head) > 0:
            stream.send_headers(local_reply.NO_FIELDS, self._changed_head(head), False)
        elif self.state.response_headers is None:
            stream.send_headers(local_reply.HEADERS_ONLY, NO_EXTRA, False)
        else:
            change = self.state.response_headers
            block = local_reply.HEADERS_ONLY
            stream.send_headers(response_head(block).changed(block, change), change.of_call(NO_EXTRA), False)
        if len(payload) > 0:
            if self.access is not None:
                self.access.answered(payload, self.context.now)
            stream.send_data(payload, False)
        stream.send_trailers(local_reply.STATUS_OK, (*self._outcome_fields(OUTCOME_FALLBACK), *told))
        self._finish(status.OK, "", b"", OUTCOME_FALLBACK)

    def _changed_head(self, fields: tuple[Field, ...]) -> tuple[Field, ...]:
        """Return kept initial metadata as the route sends it: as fields of this call, which no table
        remembers.
        """
        change = self.state.response_headers
        if change is None:
            return fields
        return (*change.of_stable(fields), *change.of_call(NO_EXTRA))

    def _keep_good(self, answer: KeptAnswer) -> None:
        """Keep a good response to serve it while the route fails."""
        keeper = self.keeper
        store = self.state.last_good
        if keeper is None or store is None or keeper.good_key == b"":
            return
        store.keep(
            keeper.good_key,
            KeptAnswer(status.OK, kept.plain_head(answer.head), answer.body, ()),
            self.context.now,
        )
