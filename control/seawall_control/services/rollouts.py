"""Rollouts: what keeps them going from their begin to their end, and what operators say to them.

Whenever the process ends, the next one finds out by the record how far each rollout came, and goes on from
there; what was counted is saved every few seconds. Of several control planes on one store the one that leads
advances rollouts, the others withhold what it withholds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from seawall_control.domain.errors import ChangedElsewhere, ControlError, EtagMismatch, NotFound
from seawall_control.domain.events import MICROS
from seawall_control.domain.fleet_share import Judged
from seawall_control.domain.revisions import Draft, policy_set_name
from seawall_control.domain.rollout import machine
from seawall_control.domain.rollout.codec import Saved
from seawall_control.domain.rollout.machine import Member, Rollout, State
from seawall_control.domain.rollout.meter import Meter
from seawall_control.services.edge import Clock
from seawall_control.services.events import EventService
from seawall_control.services.fleet import Fleet
from seawall_control.services.inheritance import Inheritance
from seawall_control.services.publications import Plan, Publication
from seawall_control.services.rollout_book import RolloutBook
from seawall_control.services.rollout_publishing import Publishing
from seawall_control.services.rollout_runs import MAX_FIELD, Run, Runs
from seawall_control.services.steady_clock import SteadyClock
from seawall_control.store.port import Store

TICK_S: Final = 0.5
SAVE_S: Final = 10.0
TRIES: Final = 5
"""How often something said to a rollout is said again because another control plane changed it meanwhile."""
PENDING_S: Final = 60.0
"""How long another control plane may take to store the revision of a rollout that it has announced."""

_log = logging.getLogger("seawall.control.rollouts")


class Rollouts:
    """The use cases of rollouts, and what keeps them going."""

    def __init__(
        self,
        store: Store,
        fleet: Fleet,
        events: EventService,
        clock: Clock,
        *,
        is_leader: Callable[[], bool] = lambda: True,
    ) -> None:
        self._store = store
        # A stage lasts as long as it is to last, whatever becomes of the wall clock.
        self._clock = clock = SteadyClock(clock)
        self._book = RolloutBook(store, clock)
        self._fleet = fleet
        self._is_leader = is_leader
        self._led = False
        self._runs = Runs(self._book, fleet, events, clock)
        self._publishing = Publishing(store, fleet, self._runs, Inheritance(store, clock), clock)
        self.watchers = self._runs.watchers
        self.ended = self._runs.ended

    # --------------------------------------------------------------------------------------------------- life

    async def load(self) -> None:
        """Go on with what was under way when the last process ended. Nothing must be pushed before.

        Where another control plane leads, it goes on there, and is only withheld here.
        """
        self._led = self._is_leader()
        if not self._led:
            await self.refresh()
            return
        async with self._runs.lock:
            for saved in await self._book.unfinished():
                await self._take_up(saved)

    async def _leads(self) -> bool:
        """Whether to advance rollouts here, taking them up first where another control plane did before."""
        leads = self._is_leader()
        if leads and not self._led:
            try:
                await self.load()
            except ControlError as error:
                self._led = False
                _log.warning("rollouts could not be taken up", extra={"fields": {"error": str(error)}})
                return False
            except BaseException:
                # Whatever it was, those that are left must be taken up the next time.
                self._led = False
                raise
        self._led = leads
        return leads

    async def refresh(self) -> None:
        """Take in what another control plane has written: begin, change or end what is withheld here.

        Of several rollouts of a set under way (one takes the place of another) the one that has begun counts.
        """
        async with self._runs.lock:
            await self._refresh()

    async def _refresh(self) -> None:
        found: dict[str, Saved] = {}
        for saved in await self._book.unfinished():
            before = found.get(saved.rollout.policy_set)
            if before is None or before.rollout.state is State.PENDING:
                found[saved.rollout.policy_set] = saved
        for policy_set in sorted({*found, *self._runs.all}):
            await self._refreshed(policy_set, found.get(policy_set))

    async def _refreshed(self, policy_set: str, saved: Saved | None) -> None:
        run = self._runs.all.get(policy_set)
        if saved is None:
            ended = None if run is None else await self._book.find(run.rollout)
            if ended is not None and ended.state.is_final:
                del self._runs.all[policy_set]
                self._fleet.pushes.unstage(policy_set)
                self.watchers.tell(ended)
            return
        rollout = saved.rollout
        if run is None or run.rollout.revision != rollout.revision:
            stable = await self._store.revision(policy_set, rollout.stable_revision)
            # What the control plane that leads has counted stays with it.
            run = Run(rollout, stable, Meter(), saved.before)
            self._runs.all[policy_set] = run
        elif self._book.is_own(rollout):
            return
        elif run.rollout.stage != rollout.stage:
            run.before = saved.before
            run.meter.next_stage()
        self._book.took(rollout)
        run.rollout = rollout
        self._fleet.pushes.stage(rollout, run.stable)
        self.watchers.tell(rollout)

    async def _take_up(self, saved: Saved) -> None:
        now_us = self._clock.now_us()
        rollout = machine.interrupted(saved.rollout, now_us)
        latest = await self._store.latest(rollout.policy_set)
        stable = await self._store.revision(rollout.policy_set, rollout.stable_revision)
        meter = Meter(dict(saved.canary), dict(saved.rest))
        run = Run(rollout, stable, meter, saved.before)
        here = self._runs.all.get(rollout.policy_set)
        if here is not None and (here.rollout.revision, here.rollout.stage) == (
            rollout.revision,
            rollout.stage,
        ):
            # The one that led may go on counting for this one: only what was counted here is ours.
            run.meter, run.runs = here.meter, here.runs
        is_young = abs(now_us - rollout.create_time_us) < PENDING_S * MICROS
        if rollout.state is State.PENDING and self._store.is_shared and is_young:
            # Another control plane may be about to store its revision: it is withheld, and looked at again.
            self._runs.all[rollout.policy_set] = run
            self._fleet.pushes.stage(rollout, stable)
            return
        if latest is None or latest.revision < rollout.revision:
            gone = machine.cancelled(rollout, "its revision was never stored", now_us)
            await self._book.keep(Saved(gone), "cancelled")
            return
        if latest.revision > rollout.revision or latest.hash != rollout.hash:
            # The process ended between the revision that ended the rollout and the note that says so.
            if latest.hash == rollout.stable_hash:
                reason = f"revision {latest.revision} brought the content of {rollout.stable_revision} back"
                ended = machine.undone(replace(rollout, state=State.RUNNING), now_us, reason=reason)
                ended = replace(ended, back_as=latest.revision)
            else:
                ended = machine.cancelled(rollout, f"revision {latest.revision} took its place", now_us)
            await self._book.keep(Saved(ended), ended.state)
            return
        if rollout.state is State.PENDING:
            run.rollout = machine.begun(rollout, latest.revision, self._runs.seen(run), now_us)
            await self._book.keep(run.saved(), "started")
        self._runs.all[rollout.policy_set] = run
        self._fleet.pushes.stage(run.rollout, stable)
        _log.info(
            "a rollout goes on", extra={"fields": {"rollout": rollout.name, "state": run.rollout.state}}
        )

    async def run(self) -> None:
        """Advance all rollouts until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            self._follow_clock()
            await self._settle()
            if not await self._leads():
                # The one that leads judges by what is counted here as well.
                for run in self._runs.all.values():
                    self._runs.measure(run)
                continue
            for policy_set in sorted({*self._runs.all, *self._fleet.pushes.policy_sets()}):
                try:
                    async with self._runs.lock:
                        await self._publishing.renumber(policy_set)
                        await self._tick(policy_set)
                except ControlError as error:
                    # The store is full or away: the rollout stays as it is, and is looked at again.
                    _log.warning(
                        "a rollout could not be advanced",
                        extra={"fields": {"set": policy_set, "error": str(error)}},
                    )
                except Exception:  # noqa: BLE001 - one rollout's trouble must not stop the others
                    _log.exception("a rollout could not be advanced", extra={"fields": {"set": policy_set}})

    def _follow_clock(self) -> None:
        by_us = self._clock.follow()
        for run in self._runs.all.values() if by_us else ():
            run.rollout = machine.moved(run.rollout, by_us)

    async def _settle(self) -> None:
        try:
            await self._publishing.settle()
        except ControlError as error:
            _log.warning("rollouts could not be settled", extra={"fields": {"error": str(error)}})

    async def _tick(self, policy_set: str) -> None:
        run = self._runs.all.get(policy_set)
        if run is None:
            return
        if run.rollout.state is State.PENDING:
            del self._runs.all[policy_set]
            await self._take_up(run.saved())
            return
        self._runs.measure(run)
        before = run.rollout
        after = machine.advance(before, self._runs.seen(run), self._clock.now_us())
        if after.state is State.ROLLED_BACK:
            await self._publishing.bring_back(run, after, actor="seawall")
            return
        now_s = self._clock.monotonic_s()
        if (after.state, after.stage) != (before.state, before.stage):
            what = after.state if after.state is not before.state else "next stage"
            await self._runs.changed(run, after, what)
        else:
            run.rollout = after
            if now_s - run.saved_s >= SAVE_S:
                run.saved_s = now_s
                await self._book.keep(run.saved())
        self.watchers.tell(run.rollout)

    # ------------------------------------------------------------------------------------------------ changes

    def stable(self, policy_set: str) -> int:
        """See `Publisher.stable`."""
        return self._publishing.stable(policy_set)

    async def publish(self, draft: Draft, plan: Plan, *, validate_only: bool) -> Publication:
        """See `Publisher.publish`."""
        return await self._publishing.publish(draft, plan, validate_only=validate_only)

    # -------------------------------------------------------------------------------------------------- verbs

    async def pause(self, policy_set: str, *, actor: str = "", reason: str = "") -> Rollout:
        """Hold the rollout of a set at its stage. Raise `NotFound` or `PreconditionFailed`."""
        return await self._verb(policy_set, "paused", machine.paused, actor, reason)

    async def resume(self, policy_set: str, *, actor: str = "", reason: str = "") -> Rollout:
        """Let it go on. Raise `NotFound` or `PreconditionFailed`."""
        return await self._verb(policy_set, "resumed", machine.resumed, actor, reason)

    async def promote(self, policy_set: str, *, actor: str = "", reason: str = "") -> Rollout:
        """Give its revision to everybody, whatever is proven. Raise `NotFound` or `PreconditionFailed`."""
        return await self._verb(policy_set, "promoted", machine.promoted, actor, reason)

    async def undo(self, policy_set: str, *, actor: str = "", reason: str = "") -> Rollout:
        """Take it back. Raise `NotFound` or `PreconditionFailed`."""
        return await self._verb(policy_set, "undone", machine.undone, actor, reason)

    async def _verb(
        self, policy_set: str, what: str, verb: Callable[..., Rollout], actor: str, reason: str
    ) -> Rollout:
        name = policy_set_name(policy_set)
        actor, reason = actor[:MAX_FIELD], reason[:MAX_FIELD]
        async with self._runs.lock:
            for tried in range(TRIES):
                run = self._runs.active(name)
                after = verb(run.rollout, self._clock.now_us(), actor=actor, reason=reason)
                try:
                    if after.state is State.ROLLED_BACK:
                        await self._publishing.bring_back(run, after, actor=actor or "operator")
                    else:
                        await self._runs.changed(run, after, what, actor=actor or "operator")
                except (ChangedElsewhere, EtagMismatch):
                    # It is said to the rollout as it is, not as it was known here: another control plane has
                    # written it, or has brought a revision in its place.
                    if tried == TRIES - 1:
                        raise
                    await self._refresh()
                else:
                    return run.rollout
        raise AssertionError("unreachable")

    # -------------------------------------------------------------------------------------------------- views

    @property
    def active(self) -> list[Rollout]:
        """Rollouts under way, by policy set."""
        return [self._runs.all[name].rollout for name in sorted(self._runs.all)]

    def judged(self) -> list[Judged]:
        """Return what calls through the proxies that are connected here came to in each rollout."""
        return self._runs.judged()

    def members(self, rollout: Rollout) -> list[tuple[Member, bool]]:
        """Return the connected proxies of the set by name, and whether each is to have the revision now."""
        return self._runs.members(rollout)

    async def get(self, policy_set: str, revision: int = 0) -> Rollout:
        """Return the rollout of a revision; 0 means the newest rollout of the set. Raise `NotFound`."""
        name = policy_set_name(policy_set)
        run = self._runs.all.get(name)
        if run is not None and revision in (0, run.rollout.revision):
            return run.rollout
        for rollout in await self._book.of_set(name):
            if revision in (0, rollout.revision):
                return rollout
        what = f"of revision {revision} " if revision else ""
        raise NotFound(f"there is no rollout {what}in policy set {name}; `seawall rollout list` shows them")

    async def of_set(self, policy_set: str = "") -> list[Rollout]:
        """Return the rollouts of a set, newest first."""
        name = policy_set_name(policy_set)
        run = self._runs.all.get(name)
        return [
            run.rollout if run is not None and run.rollout.revision == rollout.revision else rollout
            for rollout in await self._book.of_set(name)
        ]
