"""Tuning: a recommendation is tried by stages with guards, and kept only if it does what it promised.

What it takes to undo it is written down before the policy is changed, so that a control plane that ends in
between does not leave a change behind that nobody judges. An undo never takes back what somebody else has
applied since.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from seawall_control.domain.analysis.promises import MIN_CALLS, PROMISES, Share, judged, measured
from seawall_control.domain.analysis.recommend import Recommendation
from seawall_control.domain.errors import ControlError, NotKnownYet, PreconditionFailed
from seawall_control.domain.events import MICROS, Json
from seawall_control.domain.healing.engine import Case
from seawall_control.domain.revisions import Revision
from seawall_control.domain.rollout.machine import State
from seawall_control.domain.rollout.strategy import Guards, Stage, Strategy
from seawall_control.domain.statistics import Counters
from seawall_control.domain.stored_json import Fields, text_of
from seawall_control.services.analysis.facts import changed_document
from seawall_control.services.analysis.recommending import CALLS_S, Tunable, message_of
from seawall_control.services.edge import derived_id
from seawall_control.services.healing.actions.base import (
    ACTOR,
    Done,
    Handler,
    Note,
    NothingToDo,
    Verdict,
    number,
    subject_of,
    text,
)
from seawall_control.services.inheritance import document_of, own_document_of
from seawall_control.services.publications import Plan
from seawall_policy.durations import parse_duration

LOOK_S: Final = 1.0
ANY_LATENCY: Final = 1000.0
PATIENCE_S: Final = 3600.0
"""How long beyond its bake time a rollout may take; then it is taken back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What was tried, and what it takes to judge and to undo it."""

    policy_set: str
    stable: int
    """Revision that is gone back to."""
    made: int
    """Revision that the change is; 0 while that is not known."""
    kind: str
    before: Share
    request: str = ""
    """Id that the change is asked for with; empty: that of the version before, which goes by the case."""

    @property
    def text(self) -> str:
        """What is kept with the case."""
        return text_of(
            {
                "policy_set": self.policy_set,
                "stable": self.stable,
                "made": self.made,
                "kind": self.kind,
                "before": [self.before.count, self.before.calls],
                "request": self.request,
            }
        )

    @classmethod
    def of(cls, kept: str) -> Trial:
        """Return what was kept. Raise ValueError for what is none."""
        data = Fields.parse(kept)
        count, calls = data.integers("before")
        return cls(
            policy_set=data.text("policy_set"),
            stable=data.integer("stable"),
            made=data.integer("made"),
            kind=data.text("kind"),
            before=Share(count, calls),
            request=data.text("request") if "request" in data.data else "",
        )


class Tune(Handler):
    """Tries a recommendation."""

    async def _chosen(self, case: Case) -> Tunable:
        """Return the recommendation for the route that is about most calls and within the bounds."""
        route = subject_of(case, "route")
        allowed = {kind.strip() for kind in text(case, "kinds").split(",")}
        unknown = sorted(allowed - PROMISES.keys())
        if unknown:
            raise PreconditionFailed(
                f"kinds: {unknown[0]!r} cannot be tuned; known are {', '.join(sorted(PROMISES))}"
            )
        found = [
            one
            for one in await self._reach.recommender.tunable(policy_set=text(case, "policy_set"))
            if one.recommendation.route == route and one.recommendation.kind in allowed
        ]
        beyond = [said for one in found if (said := _beyond(case, one.recommendation))]
        found = [one for one in found if not _beyond(case, one.recommendation)]
        if not found:
            raise NothingToDo(
                beyond[0] if beyond else f"no recommendation for route {route} that may be tried holds now"
            )
        return max(found, key=lambda one: one.share.value)

    async def preview(self, case: Case) -> str:
        """See `Handler.preview`."""
        one = await self._chosen(case)
        what = PROMISES[one.recommendation.kind].text
        share, bake_s = number(case, "first_share"), number(case, "bake_s")
        return (
            f"would try on {share:.0%} of the proxies for {bake_s:g} s, then on all: "
            f"{one.recommendation.title} (now {one.share} calls {what}; "
            f"{one.recommendation.evidence}). Cost: {one.recommendation.cost}"
        )

    async def basis(self, case: Case) -> str:
        """See `Handler.basis`."""
        route = subject_of(case, "route")
        seen = self._reach.recommender.calls().get(route, Counters()).calls
        if seen < MIN_CALLS:
            raise NotKnownYet(
                f"{seen} calls of route {route} are known, as after a start of the control plane, and it "
                f"takes {MIN_CALLS} to tell what would help; try again"
            )
        newest = await self._reach.policies.revision(policy_set=text(case, "policy_set"))
        return _basis(newest, (await self._chosen(case)).recommendation)

    async def do_noting(self, case: Case, note: Note) -> Done:
        """See `Handler.do_noting`."""
        policy_set = text(case, "policy_set")
        # Read before it is chosen: whoever applies another one in between is noticed by its etag.
        newest = await self._reach.policies.revision(policy_set=policy_set)
        one = await self._chosen(case)
        if case.basis and case.basis != _basis(newest, one.recommendation):
            raise PreconditionFailed(
                f"it was approved on another state: now it would be {one.recommendation.title!r} on revision "
                f"{newest.revision} of {newest.author or 'nobody known'}; nothing was changed"
            )
        trial = Trial(
            policy_set=policy_set,
            stable=newest.revision,
            made=0,
            kind=one.recommendation.kind,
            before=one.share,
            request=_request_id(case),
        )
        await note(f"trying: {one.recommendation.title}", trial.text)
        bake_s = number(case, "bake_s")
        made = await self._reach.policies.apply(
            changed_document(document_of(newest), own_document_of(newest), one.recommendation),
            policy_set=policy_set,
            etag=newest.hash,
            request_id=trial.request,
            author=ACTOR,
            message=f"{case.id}{_by(case)}: {message_of(one.recommendation)}"[:500],
            # Where policies take two, Seawall proposes and a person has approved.
            approved=bool(case.actor),
            plan=Plan(strategy=_strategy(trial.kind, number(case, "first_share"), bake_s)),
        )
        trial = replace(trial, made=made.publication.applied.revision.revision)
        said = f"{one.recommendation.title}, as revision {trial.made}"
        # What was noted before is enough to find the revision again.
        with suppress(ControlError):
            await note(f"rolling out: {said}", trial.text)
        state, why = await self._rolled_out(trial, bake_s + PATIENCE_S)
        if state is State.SUCCEEDED:
            return Done(ok=True, text=f"{said}, is in effect everywhere", undo=trial.text)
        if state is State.FAILED:
            back = await self._back(trial, f"{case.id}: it is not in effect everywhere")
            why = f"{why}; {back.text}"
        return Done(ok=False, text=f"{said}: {state}: {why}")

    async def _rolled_out(self, trial: Trial, patience_s: float) -> tuple[State, str]:
        """Wait for the end of a rollout; one that does not come to an end is taken back."""
        waited_s = 0.0
        while True:
            # A store that is away for a moment ends no trial, and a rollout may end while it is asked for.
            with suppress(ControlError):
                rollout = await self._reach.rollouts.get(trial.policy_set, trial.made)
                if rollout.state.is_final:
                    return rollout.state, rollout.reason
                if waited_s >= patience_s:
                    reason = f"no end within {patience_s:g} s"
                    await self._reach.rollouts.undo(trial.policy_set, actor=ACTOR, reason=reason)
            await asyncio.sleep(LOOK_S)
            waited_s += LOOK_S

    async def judge(self, case: Case) -> Verdict | None:
        """See `Handler.judge`."""
        if not case.undo:
            return Verdict(helped=False, text="it ended before anything was changed")
        trial = await self._known(case)
        if not trial.made:
            return Verdict(helped=False, text="it ended before anything was changed")
        rollout = await self._reach.rollouts.get(trial.policy_set, trial.made)
        if not rollout.state.is_final:
            patience_s = number(case, "bake_s") + PATIENCE_S
            if self._reach.clock.now_us() - rollout.create_time_us >= patience_s * MICROS:
                # Who waited for its end is gone.
                await self._reach.rollouts.undo(
                    trial.policy_set, actor=ACTOR, reason=f"no end within {patience_s:g} s"
                )
            return None
        if rollout.state is not State.SUCCEEDED:
            return Verdict(helped=False, text=f"the rollout is {rollout.state}: {rollout.reason}")
        window_s = min(CALLS_S, case.runbook.verify_after_s)
        if self._reach.clock.now_us() - rollout.end_time_us < window_s * MICROS:
            # Calls of before would be among those of after: the process ended meanwhile.
            return None
        calls = self._reach.recommender.calls(window_s=window_s)
        after = measured(trial.kind, calls.get(subject_of(case, "route"), Counters()))
        found = judged(trial.kind, trial.before, after, least=number(case, "least_gain"))
        return Verdict(found.kept, found.text)

    async def _known(self, case: Case) -> Trial:
        """Return the trial with the revision that it made, where it ended before that was written down."""
        trial = Trial.of(case.undo)
        if trial.made:
            return trial
        # Not by the case, whose times are moved along when the clock is set.
        found = await self._reach.store.answered(trial.request or _request_id(case))
        return trial if found is None else replace(trial, made=found.revision.revision)

    async def undo(self, case: Case) -> Done:
        """See `Handler.undo`."""
        trial = await self._known(case)
        return await self._back(trial, f"{case.id}: it did not do as promised")

    async def _back(self, trial: Trial, message: str) -> Done:
        newest = await self._reach.policies.revision(policy_set=trial.policy_set)
        if not trial.made or newest.revision < trial.made:
            return Done(ok=True, text="nothing had been changed")
        if newest.revision > trial.made:
            by = newest.author or "nobody known"
            is_back = newest.rollback_of == trial.stable
            return Done(
                ok=is_back,
                text=f"revision {newest.revision} of {by} has taken its place"
                + ("" if is_back else "; look whether the change is in it"),
            )
        back = await self._reach.policies.rollback(
            policy_set=trial.policy_set,
            revision=trial.stable,
            etag=newest.hash,
            author=ACTOR,
            message=message,
        )
        number_ = back.applied.revision.revision
        return Done(ok=True, text=f"back to the content of revision {trial.stable} as revision {number_}")


def _request_id(case: Case) -> str:
    """Return the same for the same case: what is asked for twice is done once."""
    return derived_id("tune", *case.identity)


def _basis(newest: Revision, one: Recommendation) -> str:
    return f"{newest.hash}/{one.id}"


def _by(case: Case) -> str:
    asked = f", asked for by {case.asked_by}" if case.asked_by else ""
    return asked + (f", approved by {case.actor}" if case.actor else "")


def _strategy(kind: str, first_share: float, bake_s: float) -> Strategy:
    """Return how a recommendation is rolled out. Where longer calls are what it costs, they are not held
    against it; failures and refusals always are.
    """
    guards = Guards(max_latency_ratio=ANY_LATENCY) if PROMISES[kind].takes_longer else Guards()
    return Strategy(stages=(Stage(share=first_share, bake_s=bake_s),), guards=guards)


def _beyond(case: Case, one: Recommendation) -> str:
    """Return which bound a recommendation would pass; empty when it is within them."""
    patch: Mapping[str, Json] = one.patch
    timeout = patch.get("timeout")
    if isinstance(timeout, str) and parse_duration(timeout) / 1e9 > number(case, "max_timeout_s"):
        return f"{one.title}: that is beyond max_timeout_s, {number(case, 'max_timeout_s'):g} s"
    limit = patch.get("limit")
    width = limit.get("max_in_flight") if isinstance(limit, Mapping) else None
    if isinstance(width, int) and width > number(case, "max_in_flight"):
        return f"{one.title}: that is beyond max_in_flight, {number(case, 'max_in_flight'):g}"
    return ""
