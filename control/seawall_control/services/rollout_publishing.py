"""Making revisions, and handing them to the proxies: everybody at once, or by stages.

All changes of policies come through here, one at a time. What extends a changed set changes with it, in one
transaction, and is rolled out in the same way, each set by itself and judged by its own proxies.

A rollout's document is written before its revision, so that a process that ends in between, or a store that
does not say what became of a write, never gives an unproven revision to everybody.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Final

from seawall_control.domain.errors import (
    BaseMoved,
    ChangedElsewhere,
    ControlError,
    EtagMismatch,
    PreconditionFailed,
    StoreUnavailable,
)
from seawall_control.domain.events import Severity
from seawall_control.domain.revisions import Applied, Draft, Revision, next_revision
from seawall_control.domain.rollout import machine
from seawall_control.domain.rollout.codec import Saved
from seawall_control.domain.rollout.machine import Rollout, State
from seawall_control.domain.rollout.meter import bounded
from seawall_control.domain.rollout.strategy import Strategy, checked_strategy
from seawall_control.domain.scopes import check_sets
from seawall_control.services.edge import Clock, derived_id
from seawall_control.services.fleet import Fleet
from seawall_control.services.inheritance import Inheritance
from seawall_control.services.publications import TRIES, Plan, Publication
from seawall_control.services.rollout_runs import BEFORE_S, MAX_FIELD, Run, Runs
from seawall_control.store.port import Store

_NEVER: Final = "never"
"""An etag that no revision has."""

_log = logging.getLogger("seawall.control.rollouts")


@dataclass(slots=True)
class _Step:
    """One set of a change."""

    draft: Draft
    would_be: Applied
    run: Run | None
    """The rollout that is under way."""
    staged: Run | None = None
    """The one that is to begin."""


@dataclass(frozen=True, slots=True)
class _Unknown:
    """A change by stages of which the store has not said whether it was made."""

    draft: Draft
    runs: tuple[Run, ...]


class Publishing:
    """Implements `Publisher`."""

    def __init__(
        self, store: Store, fleet: Fleet, runs: Runs, inheritance: Inheritance, clock: Clock
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._runs = runs
        self._inheritance = inheritance
        self._clock = clock
        self._unknown: list[_Unknown] = []

    def stable(self, policy_set: str) -> int:
        """See `Publisher.stable`."""
        run = self._runs.all.get(policy_set)
        return run.stable.revision if run is not None else 0

    async def publish(self, draft: Draft, plan: Plan, *, validate_only: bool) -> Publication:
        """See `Publisher.publish`."""
        strategy = checked_strategy(plan.strategy) if plan.strategy is not None else None
        async with self._runs.lock:
            draft = replace(draft, above=self._fleet.pushes.highest(draft.policy_set))
            if draft.request_id and not validate_only:
                before = await self._store.answered(draft.request_id)
                if before is not None:
                    return await self._again(draft, staged=strategy is not None)
            if not validate_only:
                await self.renumber(draft.policy_set)
            drafts = await self._with_followers(draft)
            check_sets(plan.only, [one.policy_set for one in drafts])
            steps = [
                # Where nobody follows a set that others extend, nothing is there to prove it.
                await self._step(one, plan, strategy if len(drafts) == 1 or self._has_proxies(one) else None)
                for one in drafts
            ]
            if validate_only:
                return self._publication(steps, [step.would_be for step in steps])
            return await self._publish(steps)

    async def _with_followers(self, draft: Draft) -> tuple[Draft, ...]:
        return (draft, *(await self._inheritance.followers(draft, above=self._fleet.pushes.highest)))

    async def _again(self, draft: Draft, *, staged: bool) -> Publication:
        """Answer a request that was answered before."""
        # The store knows whether it is the same request, and gives the same answer. Where nobody was told
        # what became of the first one, it was not handed out either.
        applied = await self._store.apply(draft)
        if not staged:
            for name in (draft.policy_set, *(await self._inheritance.following(draft.policy_set))):
                newest = await self._store.latest(name)
                if newest is not None:
                    self._fleet.pushes.published(newest)
        return Publication(applied=applied)

    async def _step(self, draft: Draft, plan: Plan, strategy: Strategy | None) -> _Step:
        latest = await self._store.latest(draft.policy_set)
        would_be = next_revision(latest, draft)
        run = self._runs.all.get(draft.policy_set)
        step = _Step(draft, would_be, run)
        is_follower = bool(draft.after)
        if is_follower and not would_be.changed:
            return step
        self._check_free(run, plan, is_way_back=run is not None and draft.hash == run.stable.hash)
        if strategy is None or not would_be.changed or (latest and latest.hash == draft.hash):
            return step
        if latest is None:
            raise PreconditionFailed(
                f"policy set {draft.policy_set} has no revision yet, so there is nothing to go back "
                "to; apply the first one without stages"
            )
        stable = run.stable if run is not None else latest
        if is_follower and draft.hash == stable.hash:
            return step  # what it extends goes back, so it does too
        rollout = Rollout(
            policy_set=draft.policy_set,
            revision=would_be.revision.revision,
            hash=draft.hash,
            stable_revision=stable.revision,
            stable_hash=stable.hash,
            strategy=strategy,
            actor=draft.author[:MAX_FIELD],
            message=draft.message[:MAX_FIELD],
            create_time_us=self._clock.now_us(),
        )
        step.draft = replace(
            draft,
            etag=latest.hash,
            request_id=draft.request_id
            or ("" if is_follower else derived_id("rollout", rollout.name, str(rollout.create_time_us))),
        )
        step.staged = Run(rollout, stable)
        return step

    def _has_proxies(self, draft: Draft) -> bool:
        return any(proxy.policy_set == draft.policy_set for proxy in self._fleet.known())

    def _check_free(self, run: Run | None, plan: Plan, *, is_way_back: bool) -> None:
        if run is None or plan.supersede or is_way_back or not run.rollout.state.withholds:
            return
        raise PreconditionFailed(
            f"revision {run.rollout.revision} of policy set {run.rollout.policy_set} is being rolled out "
            f"({run.rollout.state}, {run.rollout.reason}); promote or undo it first "
            "(`seawall rollout promote`, `seawall rollout undo`), or supersede it"
        )

    def _publication(self, steps: list[_Step], applied: list[Applied]) -> Publication:
        found = []
        for step, made in zip(steps, applied, strict=True):
            name = step.draft.policy_set
            if step.staged is not None:
                rollout = step.staged.rollout
                found.append(Publication(applied=made, rollout=rollout, targets=self._runs.first(rollout)))
            else:
                targets = tuple(sorted(proxy.node for proxy in self._fleet.everywhere(name)))
                found.append(Publication(applied=made, targets=targets))
        followers = tuple(one for one in found[1:] if one.applied.changed)
        return replace(found[0], followers=followers)

    async def _publish(self, steps: list[_Step]) -> Publication:
        staged = [step for step in steps if step.staged is not None]
        for step in staged:
            await self._announce(step)
        try:
            applied = list(await self._store.apply_all([step.draft for step in steps]))
        except ControlError as error:
            await self._withdraw(staged, error)
            raise
        for step, made in zip(steps, applied, strict=True):
            await (self._begin(step, made) if step.staged is not None else self._at_once(step, made))
        return self._publication(steps, applied)

    # ---------------------------------------------------------------------------------------------- at once

    async def _at_once(self, step: _Step, applied: Applied) -> None:
        run, draft = step.run, step.draft
        if run is not None and applied.changed:
            now_us = self._clock.now_us()
            if applied.revision.hash == run.stable.hash:
                after = machine.undone(run.rollout, now_us, actor=draft.author, reason=draft.message)
                after = replace(after, back_as=applied.revision.revision)
            else:
                reason = f"revision {applied.revision.revision} took its place"
                after = machine.cancelled(run.rollout, reason, now_us)
            await self._runs.changed(run, after, after.state, actor=draft.author or "operator")
        self._fleet.pushes.published(applied.revision)

    # -------------------------------------------------------------------------------------------- by stages

    async def _announce(self, step: _Step) -> None:
        run = step.staged
        assert run is not None
        rollout = run.rollout
        run.before = bounded(self._fleet.view.lately(BEFORE_S))
        await self._runs.book.keep(run.saved(), "created", actor=rollout.actor)
        # From here on the stable revision is all that anybody new is given.
        self._fleet.pushes.stage(step.run.rollout if step.run else rollout, run.stable)

    async def _withdraw(self, staged: list[_Step], error: ControlError) -> None:
        """Give up rollouts whose revision was not stored; whether it was may not be known yet."""
        runs = tuple(step.staged for step in staged if step.staged is not None)
        if runs and isinstance(error, StoreUnavailable) and not isinstance(error, BaseMoved):
            self._unknown.append(_Unknown(staged[0].draft, runs))
            return
        for step in staged:
            await self._cancel(step.staged, f"its revision could not be stored: {error}")

    async def _cancel(self, run: Run | None, reason: str) -> None:
        assert run is not None
        name = run.rollout.policy_set
        if name not in self._runs.all:
            self._fleet.pushes.unstage(name)
        gone = machine.cancelled(run.rollout, reason, run.rollout.create_time_us)
        await self._runs.book.keep(Saved(gone), "cancelled")

    async def _begin(self, step: _Step, applied: Applied) -> None:
        run, superseded = step.staged, step.run
        assert run is not None
        now_us = self._clock.now_us()
        if superseded is not None:
            reason = f"revision {applied.revision.revision} took its place"
            await self._runs.book.keep(
                Saved(machine.cancelled(superseded.rollout, reason, now_us)), "cancelled"
            )
            self._runs.ended[State.CANCELLED] += 1
        await self._started(run, applied.revision)

    async def _started(self, run: Run, revision: Revision) -> None:
        run.rollout = machine.begun(
            run.rollout, revision.revision, self._runs.seen(run), self._clock.now_us()
        )
        try:
            await self._runs.book.keep(run.saved(), "started", actor=run.rollout.actor)
        except ChangedElsewhere:
            # It has waited for so long that the control plane that leads began it.
            run.rollout = await self._runs.book.find(run.rollout) or run.rollout
        self._runs.all[run.rollout.policy_set] = run
        self._fleet.pushes.stage(run.rollout, run.stable)
        self._fleet.pushes.published(revision)
        self._runs.watchers.tell(run.rollout)

    async def settle(self) -> None:
        """Find out what became of changes by stages whose fate the store did not say; again until it does.
        Until then they are withheld.
        """
        for unknown in list(self._unknown):
            async with self._runs.lock:
                try:
                    await self._settle(unknown)
                except StoreUnavailable as error:
                    _log.info(
                        "whether a revision was stored is not known yet",
                        extra={"fields": {"set": unknown.draft.policy_set, "error": str(error)}},
                    )
                    continue
                self._unknown.remove(unknown)

    async def _settle(self, unknown: _Unknown) -> None:
        try:
            # Waits for what may still be under way, and gives the first answer if there was one; it cannot
            # make a revision.
            await self._store.apply(replace(unknown.draft, etag=_NEVER, after=0))
        except EtagMismatch:
            for run in unknown.runs:
                await self._cancel(run, "its revision was never stored")
            return
        for run in unknown.runs:
            rollout = await self._runs.book.find(run.rollout) or run.rollout
            if rollout.state is not State.PENDING:
                continue  # the control plane that leads has looked after it
            newest = await self._store.revision(rollout.policy_set, 0)
            if (newest.revision, newest.hash) == (rollout.revision, rollout.hash):
                await self._started(run, newest)
            else:
                await self._cancel(run, f"revision {newest.revision} took its place")

    # ------------------------------------------------------------------------------------------------ back

    async def bring_back(self, run: Run, after: Rollout, *, actor: str) -> None:
        """Make the stable content the newest revision, then say that the rollout is over. Call it with the
        lock.
        """
        draft = Draft(
            policy_set=after.policy_set,
            hash=run.stable.hash,
            document=run.stable.document,
            author=actor,
            message=f"Back to revision {run.stable.revision}: {after.reason}",
            create_time_us=self._clock.now_us(),
            rollback_of=run.stable.revision,
            etag=after.hash,
            request_id=derived_id("rollout-back", after.name, str(after.create_time_us)),
            above=self._fleet.pushes.highest(after.policy_set),
        )
        steps, applied = await self._stored_back(draft, run.stable)
        after = replace(after, back_as=applied[0].revision.revision)
        self._fleet.pushes.published(applied[0].revision)
        await self._runs.changed(run, after, State.ROLLED_BACK, actor=actor)
        if actor == "seawall":
            await self._runs.report(after, Severity.HIGH, "rollout_rolled_back")
        for step, made in zip(steps[1:], applied[1:], strict=True):
            await self._at_once(step, made)

    async def renumber(self, policy_set: str) -> None:
        """Give the newest revision a number above all that proxies have had; call it with the lock. They have
        had higher ones when the store is a copy from an earlier day: its content is what counts, and its
        numbers go on from there. A rollout that is under way in the copy is over: nobody knows how it went
        on.
        """
        above = self._fleet.pushes.highest(policy_set)
        newest = await self._fleet.pushes.newest(policy_set)
        if newest is None or newest.revision >= above:
            return
        latest = await self._store.latest(policy_set)
        if latest is None or latest.revision >= above:
            return
        run = self._runs.all.get(policy_set)
        base = run.stable if run is not None else latest
        draft = Draft(
            policy_set=policy_set,
            hash=base.hash,
            document=base.document,
            author="seawall",
            message=f"Revision {base.revision} again: proxies have had revision {above}, "
            "which this store does not know",
            create_time_us=self._clock.now_us(),
            rollback_of=base.revision,
            etag=latest.hash,
            above=above,
        )
        steps, applied = await self._stored_back(draft, base)
        for step, one in zip(steps, applied, strict=True):
            await self._at_once(step, one)
        made = applied[0].revision
        _log.warning(
            "a restored store's newest revision has a new number",
            extra={"fields": {"set": policy_set, "was": base.revision, "revision": made.revision}},
        )
        await self._runs.report_renumbered(
            made, above=above, ended_at=latest.revision, content_of=base.revision
        )

    async def _stored_back(self, draft: Draft, content: Revision) -> tuple[list[_Step], list[Applied]]:
        for tried in range(TRIES):
            kept = await self._inheritance.way_back(content)
            draft = replace(draft, base=kept.base, base_revision=kept.base_revision, own=kept.own)
            try:
                drafts = await self._with_followers(draft)
                steps = [await self._step(one, Plan(supersede=True), None) for one in drafts]
                return steps, list(await self._store.apply_all(drafts))
            except BaseMoved:
                if tried == TRIES - 1:
                    raise
        raise AssertionError("unreachable")
