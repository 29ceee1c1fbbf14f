"""Calls that are known again: keys that are made or found, and the journal that knows them.

A call of a unary method that comes with a key waits until its request is complete, so that the journal can
tell whether it is the same request. Then it is carried out, or waits for the one that is being carried out,
or gets the answer that was given before. Everything that cannot be known again passes by the journal, and is
counted with the reason.

The journal is inside the fallbacks and outside retries and breaker: it keeps what the route's own servers
said, and a kept failure is covered by a fallback like a fresh one.
"""

from __future__ import annotations

from typing import Final

from seawall_policy import journal as rules
from seawall_policy import last_good, status
from seawall_policy.journal import IdempotencyOptions, Journal, Waiter
from seawall_policy.kept_answer import KeptAnswer, content
from seawall_proxy.call import local_reply
from seawall_proxy.call.attempt import NO_EXTRA
from seawall_proxy.call.call_fallback import HOLD_REQUEST_S, CallFallback
from seawall_proxy.call.call_state import KIND_STREAM, KIND_UNARY
from seawall_proxy.call.kept import AnswerKeeper, keeps_good, values_of
from seawall_proxy.call.ports import OUTCOME_FAILED, OUTCOME_OK
from seawall_proxy.call.response import response_head, status_message
from seawall_proxy.http2.headers import Field, HeaderBlock

STREAMING: Final = "streaming"
UNKNOWN_KIND: Final = "unknown_kind"
KEY_TOO_LONG: Final = "key_too_long"
REQUEST_TOO_LARGE: Final = "request_too_large"
FULL: Final = "full"
NOT_KEPT: Final = "not_kept"

SKIPS: Final[dict[str, str]] = {
    STREAMING: "the method streams",
    UNKNOWN_KIND: "no descriptor says that the method is unary, and its request was not complete in 50 ms",
    KEY_TOO_LONG: "the key is longer than 256 bytes",
    REQUEST_TOO_LARGE: "the request is larger than 1 MiB",
    FULL: "`max_entries` keys are at work",
    NOT_KEPT: "the answer was no single message of at most 1 MiB, or larger than the journal",
}
"""Why a call with a key passed by the journal, or left nothing there."""


class Ticket(Waiter):
    """A call's place in the journal, as the one at work or as one that waits; left exactly once."""

    def __init__(self, call: CallKeyed, journal: Journal, key: bytes, owner: bool) -> None:
        self.call: CallKeyed = call
        self.journal: Journal = journal
        self.key: bytes = key
        self.owner: bool = owner
        self.left: bool = False

    def answered(self, answer: KeptAnswer) -> None:
        self.left = True
        self.call.journal_answered(answer)

    def take_over(self) -> None:
        self.owner = True
        self.call.journal_turn()

    def settle(self, answer: KeptAnswer, now: float) -> bool:
        """Hand in the answer; return whether it was kept."""
        self.left = True
        return self.journal.settle(self.key, answer, now)

    def close(self) -> None:
        if self.left:
            return
        self.left = True
        if self.owner:
            self.journal.abandon(self.key)
        else:
            self.journal.leave(self.key, self)


class CallKeyed(CallFallback):
    """Takes a call past the journal, and its answer into it."""

    def _enter(self) -> None:
        """Begin the first attempt, or wait in the journal until there is no need for one."""
        if self.state.keeps_answers and self._stopped_by_journal():
            return
        self._start_attempt()

    def _stopped_by_journal(self) -> bool:
        state = self.state
        good = state.good_options
        if good is not None and self._kind() != KIND_STREAM and keeps_good(good, self.head, self.extra):
            self.keeper = AnswerKeeper(last_good.MAX_BODY_BYTES, good, self.head)
        keys = state.policy.idempotency
        if keys is None:
            return False
        key = self.head.value_of(keys.key, self.extra)
        if key is None:
            if not keys.generate:
                return False
            self.extra = (*self.extra, (keys.key, rules.make_key(self.context.draw)))
            self._has_key(keys)
            return False
        if key == b"":
            return False
        self._has_key(keys)
        journal = state.journal
        return journal is not None and self._comes_to(journal, keys, key)

    def _has_key(self, keys: IdempotencyOptions) -> None:
        if keys.server_honours:
            self.has_honoured_key = True
            if self.state.hedger is not None:
                self._choose_hedger(self.state.hedger)

    def _comes_to(self, journal: Journal, keys: IdempotencyOptions, key: bytes) -> bool:
        """Wait for the whole request; return False for what the journal cannot take."""
        kind = self._kind()
        info = self.table.methods.get(self.head.path)
        if kind == KIND_STREAM or (info is not None and info.client_streaming):
            return self._passes_by(STREAMING)
        if len(key) > rules.MAX_KEY_BYTES:
            return self._passes_by(KEY_TOO_LONG)
        if self.replay_size > rules.MAX_REQUEST_BYTES:
            return self._passes_by(REQUEST_TOO_LARGE)
        scope = journal.options.scope
        self.journal_key = journal.options.key(self.head.path, key, values_of(scope, self.head, self.extra))
        if self.request_done:
            return self._ask(journal)
        self._await_request()
        if kind != KIND_UNARY:
            self.retry_at = self.context.now + HOLD_REQUEST_S
        self._rearm()
        return True

    def _passes_by(self, reason: str) -> bool:
        self.state.counters.journal.skip(reason)
        return False

    def _request_came(self, whole: bool) -> None:
        journal = self.state.journal
        if whole and journal is not None:
            if self._ask(journal):
                return
        else:
            too_large = self.replay_size > rules.MAX_REQUEST_BYTES
            self._passes_by(REQUEST_TOO_LARGE if too_large else UNKNOWN_KIND)
        self._start_attempt()

    def _ask(self, journal: Journal) -> bool:
        """Ask what is known of the call; return False when it is to be carried out now."""
        now = self.context.now
        key = self.journal_key
        replay = self.replay
        counters = self.state.counters.journal
        verdict = journal.ask(key, content([] if replay is None else replay), now)
        if verdict == rules.ANSWERED:
            self.journal_answered(journal.answer(key))
            return True
        if verdict == rules.REUSED:
            counters.reused += 1
            self._answer(status.INVALID_ARGUMENT, local_reply.IDEMPOTENCY_KEY_REUSED)
            return True
        if verdict == rules.FULL:
            return self._passes_by(FULL)
        ticket = Ticket(self, journal, key, verdict == rules.OWNED)
        self.ticket = ticket
        good = None if self.keeper is None else self.keeper.good
        self.keeper = AnswerKeeper(rules.MAX_BODY_BYTES, good, self.head)
        if verdict == rules.OWNED:
            return False
        counters.waited += 1
        journal.wait(key, ticket)
        self._rearm()
        return True

    def journal_turn(self) -> None:
        """Be carried out after all. Not at once: the one before is just ending, and there may be many."""
        now = self.context.now
        self.retry_at = now
        # Until now there was nothing that an endpoint could have begun with.
        self.asked_at = now
        self._rearm()

    def journal_answered(self, answer: KeptAnswer) -> None:
        """Give the client what another call was answered."""
        self.state.counters.journal.replayed += 1
        self.maybe_executed = True
        code = answer.code
        if code != status.OK and self._fall_back(code, ""):
            return
        outcome = OUTCOME_OK if code == status.OK else OUTCOME_FAILED
        fields = (*answer.trailers, *self._outcome_fields(outcome), (b"seawall-replayed", b"true"))
        self.answered_static = True
        stream = self.stream
        no_fields = local_reply.NO_FIELDS
        if answer.trailers_only:
            change = self.state.response_headers
            if change is not None:
                fields = (*change.of_stable(fields), *change.of_call(NO_EXTRA))
            if not stream.fits(no_fields, fields):
                self._answer(status.RESOURCE_EXHAUSTED, local_reply.HEADERS_TOO_LARGE)
                return
            stream.send_headers(no_fields, fields, True)
        else:
            head = self._changed_head(answer.head)
            if not stream.fits(no_fields, head) or not stream.fits(no_fields, fields):
                self._answer(status.RESOURCE_EXHAUSTED, local_reply.HEADERS_TOO_LARGE)
                return
            stream.send_headers(no_fields, head, False)
            if self.access is not None:
                self.access.answered(answer.body, self.context.now)
            stream.send_data(answer.body, False)
            stream.send_trailers(no_fields, fields)
        message = b"" if code == status.OK else status_message(response_head(no_fields), answer.trailers)
        self._finish(code, "", message, outcome)

    def keep_answer(
        self, code: int, block: HeaderBlock, extra: tuple[Field, ...], trailers_only: bool
    ) -> None:
        ticket = self.ticket
        keeper = self.keeper
        if self.in_fallback or keeper is None:
            return
        answer: KeptAnswer | None = None
        trailers = (*block.fields, *extra)
        if code != status.OK or trailers_only:
            # The trailers are all that counts of a failure, so they become the whole response.
            if not trailers_only:
                trailers = (*local_reply.TRAILERS_ONLY.fields, *trailers)
            answer = KeptAnswer(code, NO_EXTRA, b"", trailers, True)
        else:
            body = keeper.body()
            if body is not None:
                answer = KeptAnswer(code, keeper.fields, body, trailers)
                if keeper.good is not None and len(body) <= last_good.MAX_BODY_BYTES:
                    self._keep_good(answer)
        if ticket is None or (rules.TRANSIENT >> code) & 1:
            return
        if answer is None or not self._settle(ticket, answer):
            self.state.counters.journal.skip(NOT_KEPT)

    def _settle(self, ticket: Waiter, answer: KeptAnswer) -> bool:
        """Hand the answer in, once; return whether the journal has it."""
        assert isinstance(ticket, Ticket)
        if ticket.left:
            return True
        stored = ticket.settle(answer, self.context.now)
        if stored:
            self.state.counters.journal.stored += 1
        return stored
