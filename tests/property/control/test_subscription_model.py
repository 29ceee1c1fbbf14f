"""The subscription machine against a hostile proxy: hypothesis publishes, answers, stays silent, reconnects
and restarts.
"""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from seawall_control.domain.subscription import (
    ANSWER_LIMIT_S,
    Accepted,
    Answered,
    Output,
    Overdue,
    Published,
    Push,
    Refused,
    Subscription,
)

HASHES = st.sampled_from(["a", "b", "c"])


class Stream(RuleBasedStateMachine):
    """A naive proxy and control plane around the machine, with the rules as invariants."""

    @initialize()
    def begin(self) -> None:
        self.now = 0.0
        self.revision = 0
        self.target: tuple[int, str] | None = None
        self.published: set[tuple[int, str]] = set()
        self.proxy: tuple[int, str] = (0, "")
        self.refused_by_run: set[str] = set()
        self.refusals_of_run: list[str] = []
        self.machine = Subscription()
        self.waiting: Push | None = None
        self.nonces: list[int] = []

    def take(self, outputs: tuple[Output, ...]) -> None:
        for output in outputs:
            if isinstance(output, Push):
                assert self.target == (output.revision, output.hash), "only the newest is ever sent"
                in_effect = (self.machine.applied_revision, self.machine.applied_hash)
                assert (output.revision, output.hash) != in_effect, "what is in effect is not sent (X5)"
                assert output.hash not in self.refused_by_run, "what was refused is not sent again (X5)"
                assert output.nonce == len(self.nonces) + 1, "nonces count pushes of the stream (X1)"
                self.nonces.append(output.nonce)
                self.waiting = output

    @rule(content=HASHES)
    def publish(self, content: str) -> None:
        if self.target is not None and self.target[1] == content:
            return
        self.revision += 1
        self.target = (self.revision, content)
        self.published.add(self.target)
        self.take(self.machine.handle(Published(*self.target), now=self.now))

    @rule()
    def accept(self) -> None:
        if self.waiting is None:
            return
        push, self.waiting = self.waiting, None
        self.proxy = (push.revision, push.hash)
        outputs = self.machine.handle(
            Answered(push.nonce, accepted=True, applied_revision=push.revision, applied_hash=push.hash),
            now=self.now,
        )
        assert outputs[0] == Accepted(push.revision, push.hash)
        self.take(outputs[1:])

    @rule()
    def refuse(self) -> None:
        if self.waiting is None:
            return
        push, self.waiting = self.waiting, None
        assert push.hash not in self.refused_by_run
        self.refused_by_run.add(push.hash)
        outputs = self.machine.handle(
            Answered(push.nonce, accepted=False, applied_revision=self.proxy[0], applied_hash=self.proxy[1]),
            now=self.now,
        )
        assert isinstance(outputs[0], Refused) and outputs[0].hash == push.hash
        self.take(outputs[1:])

    @rule(nonce=st.integers(0, 9), accepted=st.booleans())
    def stray(self, nonce: int, accepted: bool) -> None:
        if self.waiting is not None and nonce == self.waiting.nonce:
            return
        before = (self.machine.applied_hash, self.machine.refused, self.machine.is_pending)
        self.machine.handle(
            Answered(nonce, accepted=accepted, applied_revision=99, applied_hash="z"), now=self.now
        )
        assert before == (self.machine.applied_hash, self.machine.refused, self.machine.is_pending), "(X4)"

    @rule(passed=st.floats(0, 2 * ANSWER_LIMIT_S))
    def wait(self, passed: float) -> None:
        self.now += passed
        self.take(self.machine.handle(Overdue(), now=self.now))

    @rule(restarted=st.booleans())
    def reconnect(self, restarted: bool) -> None:
        if restarted:
            self.refused_by_run.clear()
        kept = () if restarted else self.machine.refused
        self.machine = Subscription(applied_revision=self.proxy[0], applied_hash=self.proxy[1], refused=kept)
        self.waiting = None
        self.nonces = []
        if self.target is not None:
            self.take(self.machine.handle(Published(*self.target), now=self.now))

    @invariant()
    def proxy_has_what_was_published(self) -> None:
        if hasattr(self, "proxy"):
            assert self.proxy == (0, "") or self.proxy in self.published
            assert self.machine.applied_hash == self.proxy[1]

    @invariant()
    def converges(self) -> None:
        """Unless something waits for an answer, the proxy has the newest content, or has refused it."""
        if hasattr(self, "target") and self.target is not None and not self.machine.is_pending:
            assert self.target[1] in (self.proxy[1], *self.refused_by_run)


Stream.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestStream = pytest.mark.slow(Stream.TestCase)
