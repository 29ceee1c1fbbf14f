"""A rollout: what it is, and what becomes of it.

A revision is stored as the newest of its set, but withheld: only proxies of the stages that have begun get
it, all others keep the one before (the stable one). When every stage has held, it is everybody's. When a
guard trips or a proxy refuses it, a new revision with the stable content takes its place, so the number in
effect at a proxy never goes down (xDS rule X18), and the refused content is not sent again.

Whoever has had the revision keeps it until the end, whatever becomes of his labels or of the fleet's size.
The functions are pure: they are told what is seen and the time, and return the rollout as it is then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from seawall_control.domain.errors import PreconditionFailed
from seawall_control.domain.events import MICROS
from seawall_control.domain.rollout.guards import Finding, Judgement, Verdict
from seawall_control.domain.rollout.strategy import Strategy, is_member, threshold

MAX_TEXT: Final = 512
MAX_RESTARTS: Final = 2
"""Restarts of one proxy during a rollout that are nobody's concern (it is upgraded, its host is rebooted);
with one more it is taken for a revision that proxies do not survive.
"""
PROMOTE_PATIENCE_S: Final = 300.0
"""How long the proxies may take to put the revision in effect when it is everybody's."""


class State(StrEnum):
    """Where a rollout stands."""

    PENDING = "pending"
    """Decided; the revision is not stored yet."""
    RUNNING = "running"
    PAUSED = "paused"
    """No next stage by itself; guards still watch."""
    PROMOTING = "promoting"
    """Everybody's; not yet in effect everywhere."""
    SUCCEEDED = "succeeded"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"
    """Everybody's, but not in effect everywhere."""
    CANCELLED = "cancelled"
    """Another revision took its place, or it never began."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens."""
        return self in (State.SUCCEEDED, State.ROLLED_BACK, State.FAILED, State.CANCELLED)

    @property
    def withholds(self) -> bool:
        """Whether a part of the fleet keeps the stable revision."""
        return self in (State.PENDING, State.RUNNING, State.PAUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """A rollout of a revision over the one before. Times are microseconds; 0: not yet."""

    policy_set: str
    revision: int
    hash: str
    stable_revision: int
    stable_hash: str
    strategy: Strategy
    actor: str = ""
    message: str = ""
    state: State = State.PENDING
    stage: int = -1
    """Number of the stage, from 0; -1 before the first."""
    thresholds: tuple[float, ...] = ()
    """Of the stages that have begun; see `strategy.threshold`."""
    stage_time_us: int = 0
    """When the stage began."""
    baked_us: int = 0
    """How long the stage has held, without the current stretch."""
    baking_since_us: int = 0
    """Begin of the current stretch; 0 while the clock stands."""
    forced: bool = False
    """Promoted by hand: refusals do not take it back."""
    verdict: Verdict = Verdict.WAIT
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    """Why it is in its state."""
    back_as: int = 0
    """The revision that brought the stable content back; 0 if none."""
    create_time_us: int = 0
    update_time_us: int = 0
    end_time_us: int = 0

    @property
    def name(self) -> str:
        """Resource name."""
        return f"policySets/{self.policy_set}/rollouts/{self.revision}"

    def baked_s(self, now_us: int) -> float:
        """Return for how long the stage has held, in seconds."""
        stretch = now_us - self.baking_since_us if self.baking_since_us else 0
        return (self.baked_us + max(0, stretch)) / MICROS

    def wants(self, node: str, labels: Mapping[str, str], applied_revision: int) -> bool:
        """Tell whether a proxy is to have the new revision now."""
        if not self.state.withholds:
            return True
        if self.state is State.PENDING:
            return False
        return applied_revision > self.stable_revision or is_member(
            self.strategy.stages, self.thresholds, self.policy_set, node, labels
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A proxy that is to have the revision."""

    node: str
    applied: bool
    refused: tuple[str, ...] = ()
    """Why it refused it; empty when it did not."""
    restarts: int = 0
    """How often its process has begun anew since it was to have the revision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is to be seen of the fleet."""

    nodes: Mapping[str, Mapping[str, str]]
    """Connected proxies of the set, and their labels."""
    members: tuple[Member, ...]
    """Connected ones that are to have the revision."""
    judgement: Judgement = field(default=Judgement(Verdict.WAIT, ()))


def begun(rollout: Rollout, revision: int, seen: Seen, now_us: int) -> Rollout:
    """Return the rollout once its revision is stored: the first stage begins."""
    return _next_stage(replace(rollout, revision=revision, state=State.RUNNING), seen, now_us)


def advance(rollout: Rollout, seen: Seen, now_us: int) -> Rollout:
    """Return the rollout after a look at the fleet. ROLLED_BACK: the stable content is to be brought back."""
    if rollout.state in (State.RUNNING, State.PAUSED):
        return _staged(rollout, seen, now_us)
    if rollout.state is State.PROMOTING:
        return _promoting(rollout, seen, now_us)
    return rollout


def moved(rollout: Rollout, by_us: int) -> Rollout:
    """Return the rollout after the wall clock was set by so much: what lasts, lasts as long as before."""
    stage_us, since_us = rollout.stage_time_us, rollout.baking_since_us
    return replace(
        rollout,
        stage_time_us=stage_us + by_us if stage_us else 0,
        baking_since_us=since_us + by_us if since_us else 0,
    )


def _staged(rollout: Rollout, seen: Seen, now_us: int) -> Rollout:
    if back := _harmed(rollout, seen, now_us):
        return back
    judgement = seen.judgement
    if judgement.verdict is Verdict.ROLLBACK:
        worst = next(found for found in judgement.findings if found.verdict is Verdict.ROLLBACK)
        return _ended(
            rollout,
            State.ROLLED_BACK,
            worst.text,
            now_us,
            verdict=Verdict.ROLLBACK,
            findings=judgement.findings,
        )
    if rollout.state is State.PAUSED:
        return replace(rollout, verdict=Verdict.WAIT, findings=judgement.findings)
    stage = rollout.strategy.stages[rollout.stage]
    missing = _missing(seen)
    if missing is not None:
        stopped = _clock_stopped(rollout, now_us)
        return _waiting(stopped, (missing, *judgement.findings), now_us)
    if not rollout.baking_since_us:
        rollout = replace(rollout, baking_since_us=now_us)
    left_s = stage.bake_s - rollout.baked_s(now_us)
    if left_s > 0:
        text = f"{rollout.baked_s(now_us):.0f} s of {stage.bake_s:g} s have passed"
        baking = Finding(guard="bake", verdict=Verdict.WAIT, text=text, limit=stage.bake_s)
        return replace(rollout, verdict=Verdict.WAIT, findings=(baking, *judgement.findings))
    if judgement.verdict is Verdict.WAIT:
        return _waiting(rollout, judgement.findings, now_us)
    rollout = replace(rollout, verdict=Verdict.CONTINUE, findings=judgement.findings)
    if rollout.stage + 1 < len(rollout.strategy.stages):
        return _next_stage(rollout, seen, now_us)
    return _promoted(rollout, "every stage has held", now_us)


def _harmed(rollout: Rollout, seen: Seen, now_us: int) -> Rollout | None:
    if rollout.forced:
        return None
    falling = [member for member in seen.members if member.restarts > MAX_RESTARTS]
    if falling:
        text = (
            f"{falling[0].node} has restarted {falling[0].restarts} times since it was to have the revision"
        )
        return _taken_back(rollout, "restarts", text, falling[0].restarts, MAX_RESTARTS, now_us)
    refusing = [member for member in seen.members if member.refused]
    allowed = rollout.strategy.guards.max_nacks
    if len(refusing) <= allowed:
        return None
    first = refusing[0]
    text = f"{len(refusing)} {'proxy' if len(refusing) == 1 else 'proxies'} refused the revision, "
    text += f"{allowed} may; {first.node}: {first.refused[0]}"
    return _taken_back(rollout, "nacks", text, len(refusing), allowed, now_us)


def _taken_back(rollout: Rollout, guard: str, text: str, count: int, allowed: int, now_us: int) -> Rollout:
    found = Finding(guard=guard, verdict=Verdict.ROLLBACK, text=text[:MAX_TEXT], canary=count, limit=allowed)
    return _ended(rollout, State.ROLLED_BACK, found.text, now_us, verdict=Verdict.ROLLBACK, findings=(found,))


def _missing(seen: Seen) -> Finding | None:
    """Return what keeps the clock from running: nobody is there, or not everybody has answered."""
    behind = [member.node for member in seen.members if not member.applied and not member.refused]
    if seen.members and not behind and any(member.applied for member in seen.members):
        return None
    if not seen.members:
        text = "no proxy of the stage is connected"
    elif behind:
        text = f"{len(behind)} of {len(seen.members)} proxies have not put it in effect yet: {behind[0]}"
    else:
        text = "every proxy of the stage refused it"
    return Finding(guard="proxies", verdict=Verdict.WAIT, text=text, canary=len(behind))


def _waiting(rollout: Rollout, findings: tuple[Finding, ...], now_us: int) -> Rollout:
    waiting = replace(rollout, verdict=Verdict.WAIT, findings=findings)
    stage = rollout.strategy.stages[rollout.stage]
    limit_s = stage.bake_s + rollout.strategy.patience_s
    if now_us - rollout.stage_time_us <= limit_s * MICROS:
        return waiting
    reason = f"stage {rollout.stage + 1} has lasted {limit_s:g} s and proves nothing yet: {findings[0].text}"
    return replace(_clock_stopped(waiting, now_us), state=State.PAUSED, reason=reason[:MAX_TEXT])


def _promoting(rollout: Rollout, seen: Seen, now_us: int) -> Rollout:
    if back := _harmed(rollout, seen, now_us):
        return back
    behind = [member for member in seen.members if not member.applied]
    if not behind:
        text = (
            f"in effect at {len(seen.members)} connected {'proxy' if len(seen.members) == 1 else 'proxies'}"
        )
        return _ended(rollout, State.SUCCEEDED, text, now_us, verdict=Verdict.CONTINUE)
    text = (
        f"{len(behind)} of {len(seen.members)} connected proxies do not have it in effect: {behind[0].node}"
    )
    if behind[0].refused:
        text += f" refused it: {behind[0].refused[0]}"
    found = Finding(guard="proxies", verdict=Verdict.WAIT, text=text[:MAX_TEXT], canary=len(behind))
    if now_us - rollout.stage_time_us > PROMOTE_PATIENCE_S * MICROS:
        return _ended(rollout, State.FAILED, found.text, now_us, verdict=Verdict.WAIT, findings=(found,))
    return replace(rollout, verdict=Verdict.WAIT, findings=(found,))


def _next_stage(rollout: Rollout, seen: Seen, now_us: int) -> Rollout:
    number = rollout.stage + 1
    stage = rollout.strategy.stages[number]
    return replace(
        rollout,
        stage=number,
        thresholds=(*rollout.thresholds, threshold(stage, rollout.policy_set, seen.nodes)),
        stage_time_us=now_us,
        baked_us=0,
        baking_since_us=0,
        reason=f"stage {number + 1} of {len(rollout.strategy.stages)}: {stage.described()}",
    )


def _promoted(rollout: Rollout, reason: str, now_us: int) -> Rollout:
    return replace(
        rollout, state=State.PROMOTING, reason=reason[:MAX_TEXT], stage_time_us=now_us, baking_since_us=0
    )


def _ended(
    rollout: Rollout,
    state: State,
    reason: str,
    now_us: int,
    *,
    verdict: Verdict,
    findings: tuple[Finding, ...] | None = None,
) -> Rollout:
    return replace(
        rollout,
        state=state,
        reason=reason[:MAX_TEXT],
        verdict=verdict,
        findings=rollout.findings if findings is None else findings,
        baking_since_us=0,
        end_time_us=now_us,
    )


def _clock_stopped(rollout: Rollout, now_us: int) -> Rollout:
    return replace(rollout, baked_us=int(rollout.baked_s(now_us) * MICROS), baking_since_us=0)


# ------------------------------------------------------------------------------------------------------ verbs


def _by(actor: str, reason: str) -> str:
    who = f"by {actor}" if actor else "by an operator"
    return (f"{who}: {reason}" if reason else who)[:MAX_TEXT]


def _check_active(rollout: Rollout, verb: str, states: tuple[State, ...]) -> None:
    if rollout.state not in states:
        allowed = " or ".join(states)
        raise PreconditionFailed(
            f"the rollout of revision {rollout.revision} of policy set {rollout.policy_set} is "
            f"{rollout.state}; "
            f"only one that is {allowed} can be {verb}"
        )


def paused(rollout: Rollout, now_us: int, *, actor: str = "", reason: str = "") -> Rollout:
    """Return the rollout on hold. Raise `PreconditionFailed`."""
    _check_active(rollout, "paused", (State.RUNNING,))
    return replace(_clock_stopped(rollout, now_us), state=State.PAUSED, reason=f"paused {_by(actor, reason)}")


def resumed(rollout: Rollout, now_us: int, *, actor: str = "", reason: str = "") -> Rollout:
    """Return the rollout going on; its stage gets its patience anew. Raise `PreconditionFailed`."""
    _check_active(rollout, "resumed", (State.PAUSED,))
    return replace(rollout, state=State.RUNNING, stage_time_us=now_us, reason=f"resumed {_by(actor, reason)}")


def promoted(rollout: Rollout, now_us: int, *, actor: str = "", reason: str = "") -> Rollout:
    """Return the rollout with its revision for everybody at once. Raise `PreconditionFailed`."""
    _check_active(rollout, "promoted", (State.RUNNING, State.PAUSED))
    return replace(_promoted(rollout, f"promoted {_by(actor, reason)}", now_us), forced=True)


def undone(rollout: Rollout, now_us: int, *, actor: str = "", reason: str = "") -> Rollout:
    """Return the rollout taken back by hand. Raise `PreconditionFailed`."""
    _check_active(rollout, "undone", (State.RUNNING, State.PAUSED, State.PROMOTING))
    text = f"taken back {_by(actor, reason)}"
    found = Finding(guard="operator", verdict=Verdict.ROLLBACK, text=text)
    findings = (found, *rollout.findings)
    return _ended(rollout, State.ROLLED_BACK, text, now_us, verdict=Verdict.ROLLBACK, findings=findings)


def cancelled(rollout: Rollout, reason: str, now_us: int) -> Rollout:
    """Return the rollout given up because something else took its place."""
    return _ended(rollout, State.CANCELLED, reason, now_us, verdict=Verdict.WAIT)


def interrupted(rollout: Rollout, now_us: int) -> Rollout:
    """Return the rollout after a restart: what nobody watched does not count as having held. Nor does a stage
    that began while the clock was ahead begin later than now.
    """
    rollout = replace(rollout, stage_time_us=min(rollout.stage_time_us, now_us))
    if not rollout.baking_since_us:
        return rollout
    held = max(0, rollout.update_time_us - rollout.baking_since_us)
    return replace(rollout, baked_us=rollout.baked_us + held, baking_since_us=0)
