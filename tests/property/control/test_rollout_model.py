"""A rollout against a fleet that does what it likes: hypothesis connects, relabels, refuses and does harm,
operators interfere, the control plane forgets its stretch of time.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from seawall_control.domain.errors import PreconditionFailed
from seawall_control.domain.events import MICROS
from seawall_control.domain.rollout import machine
from seawall_control.domain.rollout.codec import Saved, decoded, encoded
from seawall_control.domain.rollout.guards import Finding, Judgement, Verdict
from seawall_control.domain.rollout.machine import Member, Rollout, Seen, State
from seawall_control.domain.rollout.strategy import Guards, Stage, Strategy
from seawall_control.domain.selectors import parse_selector

NODES = [f"node-{number}" for number in range(6)]
STABLE, NEW, BACK = 4, 5, 6

shares = st.lists(st.sampled_from([0.1, 0.3, 0.5, 0.9]), min_size=1, max_size=3, unique=True).map(sorted)


class Fleet(RuleBasedStateMachine):
    """What every proxy has in effect, and the rules as invariants."""

    @initialize(shares=shares, by_label=st.booleans(), nacks=st.integers(0, 1))
    def begin(self, shares: list[float], by_label: bool, nacks: int) -> None:
        stages = tuple(Stage(share=share, bake_s=30) for share in shares)
        if by_label:
            stages = (Stage(selector=parse_selector("tier=canary"), bake_s=30), *stages)
        self.now = MICROS
        self.labels = {node: {"tier": "canary" if node == "node-0" else "web"} for node in NODES}
        self.connected = set(NODES)
        self.has = dict.fromkeys(NODES, STABLE)
        self.refuses: set[str] = set()
        self.refused: set[str] = set()
        self.harm = Verdict.CONTINUE
        self.watched_us = 0
        self.promoted = False
        plan = Strategy(stages=stages, guards=Guards(max_nacks=nacks), patience_s=600)
        made = Rollout(
            policy_set="default",
            revision=NEW,
            hash="new",
            stable_revision=STABLE,
            stable_hash="old",
            strategy=plan,
        )
        assert not any(made.wants(node, self.labels[node], STABLE) for node in NODES)
        self.rollout = machine.begun(made, NEW, self.seen(made), self.now)

    def wanted(self, rollout: Rollout, node: str) -> int:
        if rollout.state is State.ROLLED_BACK:
            return BACK
        return NEW if rollout.wants(node, self.labels[node], self.has[node]) else STABLE

    def seen(self, rollout: Rollout) -> Seen:
        found = (Finding(guard="error_rate", verdict=self.harm, text="harm"),)
        members = tuple(
            Member(
                node=node,
                applied=self.has[node] == NEW,
                refused=("cannot",) if node in self.refused else (),
            )
            for node in sorted(self.connected)
            if rollout.wants(node, self.labels[node], self.has[node])
        )
        return Seen(
            nodes={node: self.labels[node] for node in self.connected},
            members=members,
            judgement=Judgement(self.harm, found),
        )

    @rule(seconds=st.integers(1, 120))
    def look(self, seconds: int) -> None:
        self.now += seconds * MICROS
        before = self.rollout
        self.rollout = machine.advance(before, self.seen(before), self.now)
        if before.state.is_final:
            assert self.rollout == before, "what has ended stays as it is"
        if self.rollout.stage > before.stage:
            assert before.state is State.RUNNING
            assert self.harm is Verdict.CONTINUE, "nothing goes on while it does harm, or nothing is proven"
            assert before.baked_s(self.now) >= 30 or self.rollout.verdict is Verdict.CONTINUE
        if self.harm is Verdict.ROLLBACK and before.state in (State.RUNNING, State.PAUSED):
            assert self.rollout.state is State.ROLLED_BACK, "harm is never looked at twice"
            assert self.rollout.findings and self.rollout.reason

    @rule(node=st.sampled_from(NODES))
    def deliver(self, node: str) -> None:
        """A proxy gets what it is to have, and takes it or refuses it."""
        if node not in self.connected:
            return
        wanted = self.wanted(self.rollout, node)
        assert wanted >= self.has[node], "the number in effect never goes down (X18)"
        if wanted == NEW and node in self.refuses:
            self.refused.add(node)
        elif not (wanted == NEW and node in self.refused):
            self.has[node] = wanted

    @rule(node=st.sampled_from(NODES))
    def come_or_go(self, node: str) -> None:
        self.connected ^= {node}

    @rule(node=st.sampled_from(NODES), tier=st.sampled_from(["canary", "web"]))
    def relabel(self, node: str, tier: str) -> None:
        self.labels[node] = {"tier": tier}

    @rule(node=st.sampled_from(NODES))
    def will_refuse(self, node: str) -> None:
        if self.has[node] == STABLE:
            self.refuses.add(node)

    @rule(verdict=st.sampled_from(list(Verdict)))
    def calls_go(self, verdict: Verdict) -> None:
        self.harm = verdict

    @rule(verb=st.sampled_from([machine.paused, machine.resumed, machine.undone]))
    def operate(self, verb: object) -> None:
        try:
            self.rollout = verb(self.rollout, self.now, actor="ann")  # type: ignore[operator]
        except PreconditionFailed:
            return

    @precondition(lambda self: self.rollout.stage >= 1)
    @rule()
    def promote(self) -> None:
        try:
            self.rollout = machine.promoted(self.rollout, self.now)
        except PreconditionFailed:
            return
        self.promoted = True

    @rule()
    def restart(self) -> None:
        """The control plane dies and comes back with what it had written."""
        kept = replace(self.rollout, update_time_us=self.now)
        again = machine.interrupted(decoded(encoded(Saved(kept))).rollout, self.now)
        assert again.baked_s(self.now) <= kept.baked_s(self.now) + 1e-6
        self.rollout = again

    @invariant()
    def nobody_is_let_in_too_early(self) -> None:
        """Whoever has the new revision belonged to a stage that had begun, or everybody was to have it."""
        if not hasattr(self, "rollout"):
            return
        rollout = self.rollout
        assert len(rollout.thresholds) == rollout.stage + 1
        if rollout.state is State.ROLLED_BACK or not rollout.state.withholds:
            return
        for node in NODES:
            if self.has[node] == NEW:
                assert rollout.wants(node, self.labels[node], NEW), "who has it keeps it"

    @invariant()
    def an_end_has_a_time_and_a_reason(self) -> None:
        if hasattr(self, "rollout"):
            assert self.rollout.state.is_final == bool(self.rollout.end_time_us)
            assert self.rollout.reason
            if self.rollout.state is State.SUCCEEDED:
                assert self.rollout.verdict is Verdict.CONTINUE or self.promoted


Fleet.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestFleet = pytest.mark.slow(Fleet.TestCase)
