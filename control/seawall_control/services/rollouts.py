"""Rollouts: how a revision gets from its author to every proxy, with stages for proof where they are wanted.

All changes of policies come through here, one at a time for each set, so that nothing gets in between a
rollout and its end. The rollout's document is written before its revision, and the way back before the
document says so: whenever the process ends, the next one finds out how far it came, and goes on from there.
What was counted is saved every few seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from seawall_control.domain.errors import ControlError, NotFound, PreconditionFailed
from seawall_control.domain.events import Severity
from seawall_control.domain.fleet import ProxyRecord
from seawall_control.domain.revisions import Applied, Draft, Revision, next_revision, policy_set_name
from seawall_control.domain.rollout import machine
from seawall_control.domain.rollout.codec import Saved
from seawall_control.domain.rollout.guards import compare
from seawall_control.domain.rollout.machine import Member, Rollout, Seen, State
from seawall_control.domain.rollout.meter import Meter, bounded
from seawall_control.domain.rollout.strategy import checked_strategy, is_member, threshold
from seawall_control.domain.statistics import LATENCY_BOUNDS_S, Counters
from seawall_control.services.edge import Clock, derived_id
from seawall_control.services.events import EventService
from seawall_control.services.fleet import Fleet
from seawall_control.services.policies import Plan, Publication
from seawall_control.services.rollout_book import RolloutBook
from seawall_control.services.rollout_watch import Watchers
from seawall_control.store.port import Store

TICK_S: Final = 0.5
SAVE_S: Final = 10.0
BEFORE_S: Final = 600.0
MAX_FIELD: Final = 512

_log = logging.getLogger("seawall.control.rollouts")


@dataclass(slots=True)
class _Run:
    """A rollout under way."""

    rollout: Rollout
    stable: Revision
    meter: Meter = field(default_factory=Meter)
    before: Mapping[str, Counters] = field(default_factory=dict)
    runs: dict[str, tuple[str, int]] = field(default_factory=dict)
    """The run of each proxy that is to have the revision, and how many there have been after the first."""
    saved_s: float = 0.0

    def saved(self) -> Saved:
        return Saved(self.rollout, self.meter.canary, self.meter.rest, self.before)


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
        self._book = RolloutBook(store, clock)
        self._fleet = fleet
        self._events = events
        self._clock = clock
        self._is_leader = is_leader
        self._led = False
        self._runs: dict[str, _Run] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self.watchers = Watchers()
        self.ended: dict[State, int] = dict.fromkeys((s for s in State if s.is_final), 0)
        """Rollouts that ended since the start, for metrics."""

    # --------------------------------------------------------------------------------------------------- life

    async def load(self) -> None:
        """Go on with what was under way when the last process ended. Nothing must be pushed before.

        Where another control plane leads, it goes on there, and is only withheld here.
        """
        self._led = self._is_leader()
        if not self._led:
            await self.refresh()
            return
        for saved in await self._book.unfinished():
            async with self._lock(saved.rollout.policy_set):
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
        found: dict[str, Saved] = {}
        for saved in await self._book.unfinished():
            before = found.get(saved.rollout.policy_set)
            if before is None or before.rollout.state is State.PENDING:
                found[saved.rollout.policy_set] = saved
        for policy_set in sorted({*found, *self._runs}):
            async with self._lock(policy_set):
                await self._refreshed(policy_set, found.get(policy_set))

    async def _refreshed(self, policy_set: str, saved: Saved | None) -> None:
        run = self._runs.get(policy_set)
        if saved is None:
            ended = None if run is None else await self._book.find(run.rollout)
            if ended is not None and ended.state.is_final:
                del self._runs[policy_set]
                self._fleet.unstage(policy_set)
                self.watchers.tell(ended)
            return
        rollout = saved.rollout
        if run is None or run.rollout.revision != rollout.revision:
            stable = await self._store.revision(policy_set, rollout.stable_revision)
            run = _Run(rollout, stable, Meter(dict(saved.canary), dict(saved.rest)), saved.before)
            self._runs[policy_set] = run
        elif self._book.is_own(rollout):
            return
        self._book.took(rollout)
        run.rollout = rollout
        self._fleet.stage(rollout, run.stable)
        self.watchers.tell(rollout)

    async def _take_up(self, saved: Saved) -> None:
        rollout = machine.interrupted(saved.rollout)
        now_us = self._clock.now_us()
        latest = await self._store.latest(rollout.policy_set)
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
        stable = await self._store.revision(rollout.policy_set, rollout.stable_revision)
        meter = Meter(dict(saved.canary), dict(saved.rest))
        run = _Run(rollout, stable, meter, saved.before)
        if rollout.state is State.PENDING:
            run.rollout = machine.begun(rollout, latest.revision, self._seen(run), now_us)
            await self._book.keep(run.saved(), "started")
        self._runs[rollout.policy_set] = run
        self._fleet.stage(run.rollout, stable)
        _log.info(
            "a rollout goes on", extra={"fields": {"rollout": rollout.name, "state": run.rollout.state}}
        )

    async def run(self) -> None:
        """Advance all rollouts until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            if not await self._leads():
                continue
            for policy_set in sorted({*self._runs, *self._fleet.policy_sets()}):
                try:
                    async with self._lock(policy_set):
                        await self._renumber(policy_set)
                        await self._tick(policy_set)
                except ControlError as error:
                    # The store is full or away: the rollout stays as it is, and is looked at again.
                    _log.warning(
                        "a rollout could not be advanced",
                        extra={"fields": {"set": policy_set, "error": str(error)}},
                    )
                except Exception:  # noqa: BLE001 - one rollout's trouble must not stop the others
                    _log.exception("a rollout could not be advanced", extra={"fields": {"set": policy_set}})

    @asynccontextmanager
    async def _lock(self, policy_set: str) -> AsyncIterator[None]:
        lock = self._locks.setdefault(policy_set, asyncio.Lock())
        async with lock:
            yield

    # ------------------------------------------------------------------------------------------------ looking

    async def _tick(self, policy_set: str) -> None:
        run = self._runs.get(policy_set)
        if run is None:
            return
        self._measure(run)
        before = run.rollout
        after = machine.advance(before, self._seen(run), self._clock.now_us())
        if after.state is State.ROLLED_BACK:
            await self._bring_back(run, after, actor="seawall")
            return
        now_s = self._clock.monotonic_s()
        if (after.state, after.stage) != (before.state, before.stage):
            await self._changed(run, after, after.state if after.state is not before.state else "next stage")
        else:
            run.rollout = after
            if now_s - run.saved_s >= SAVE_S:
                run.saved_s = now_s
                await self._book.keep(run.saved())
        self.watchers.tell(run.rollout)

    def _measure(self, run: _Run) -> None:
        now_s = self._clock.monotonic_s()
        for proxy in self._fleet.of_set(run.rollout.policy_set):
            if run.rollout.wants(proxy.node, proxy.labels, proxy.applied_revision):
                boot_id, restarts = run.runs.get(proxy.node, (proxy.boot_id, 0))
                run.runs[proxy.node] = (proxy.boot_id, restarts + (proxy.boot_id != boot_id))
            run.meter.sample(
                proxy.node,
                canary=_side(run, proxy),
                sample=self._fleet.stats.latest(proxy.node),
                now_s=now_s,
            )

    def _seen(self, run: _Run) -> Seen:
        rollout = run.rollout
        connected = self._fleet.of_set(rollout.policy_set)
        # After a restart nobody is there yet; then the stages are made for those who will come back.
        there = connected or [p for p in self._fleet.known() if p.policy_set == rollout.policy_set]
        members = tuple(member for member, is_meant in self.members(rollout) if is_meant)
        rest = run.meter.rest or run.before
        judgement = compare(rollout.strategy.guards, run.meter.canary, rest, LATENCY_BOUNDS_S)
        return Seen(nodes={p.node: p.labels for p in there}, members=members, judgement=judgement)

    async def _changed(self, run: _Run, after: Rollout, what: str, *, actor: str = "") -> None:
        """Make a new state durable, then let it take effect."""
        if after.stage != run.rollout.stage:
            if run.meter.rest:
                run.before = bounded(run.meter.rest)
            run.meter.next_stage()
        run.rollout = after
        run.saved_s = self._clock.monotonic_s()
        await self._book.keep(run.saved(), what, actor=actor)
        if after.state.is_final:
            await self._end(run)
        else:
            self._fleet.stage(after, run.stable)
        if after.state is State.PAUSED and not actor:
            await self._report(after, Severity.MEDIUM, "rollout_paused")
        elif after.state is State.FAILED:
            await self._report(after, Severity.HIGH, "rollout_failed")
        self.watchers.tell(after)

    async def _bring_back(self, run: _Run, after: Rollout, *, actor: str) -> None:
        """Make the stable content the newest revision, then say that the rollout is over."""
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
            above=self._fleet.highest(after.policy_set),
        )
        applied = await self._store.apply(draft)
        after = replace(after, back_as=applied.revision.revision)
        self._fleet.published(applied.revision)
        await self._changed(run, after, State.ROLLED_BACK, actor=actor)
        if actor == "seawall":
            await self._report(after, Severity.HIGH, "rollout_rolled_back")

    async def _end(self, run: _Run) -> None:
        rollout = run.rollout
        self.ended[rollout.state] += 1
        self._runs.pop(rollout.policy_set, None)
        self._fleet.unstage(rollout.policy_set)
        _log.info(
            "a rollout has ended",
            extra={"fields": {"rollout": rollout.name, "state": rollout.state, "reason": rollout.reason}},
        )
        await self._book.forget_old(rollout.policy_set)

    async def _report(self, rollout: Rollout, severity: Severity, kind: str) -> None:
        await self._events.report_own(
            component=f"policy/{rollout.policy_set}",
            error_type=kind,
            message=f"Rollout of revision {rollout.revision}: {rollout.state}: {rollout.reason}"[:MAX_FIELD],
            severity=severity,
            event_id=derived_id(kind, rollout.name, str(rollout.stage_time_us)),
            policy_revision=rollout.revision,
            details={
                "policy_set": rollout.policy_set,
                "revision": rollout.revision,
                "stable_revision": rollout.stable_revision,
                "stage": rollout.stage + 1,
                "findings": [found.text for found in rollout.findings[:5]],
            },
        )

    # ------------------------------------------------------------------------------------------------ changes

    def stable(self, policy_set: str) -> int:
        """See `Publisher.stable`."""
        run = self._runs.get(policy_set)
        return run.stable.revision if run is not None else 0

    async def publish(self, draft: Draft, plan: Plan, *, validate_only: bool) -> Publication:
        """See `Publisher.publish`."""
        strategy = checked_strategy(plan.strategy) if plan.strategy is not None else None
        async with self._lock(draft.policy_set):
            draft = replace(draft, above=self._fleet.highest(draft.policy_set))
            if draft.request_id and not validate_only:
                before = await self._store.answered(draft.request_id)
                if before is not None:
                    # The store knows whether it is the same request, and gives the same answer. Where nobody
                    # was told what became of the first one, it was not handed out either.
                    applied = await self._store.apply(draft)
                    newest = await self._store.latest(draft.policy_set)
                    if strategy is None and newest is not None:
                        self._fleet.published(newest)
                    return Publication(applied=applied)
            if not validate_only:
                await self._renumber(draft.policy_set)
            latest = await self._store.latest(draft.policy_set)
            would_be = next_revision(latest, draft)
            run = self._runs.get(draft.policy_set)
            self._check_free(run, plan, is_way_back=run is not None and draft.hash == run.stable.hash)
            if strategy is None or latest is None or not would_be.changed:
                if strategy is not None and latest is None:
                    raise PreconditionFailed(
                        f"policy set {draft.policy_set} has no revision yet, so there is nothing to go back "
                        "to; apply the first one without stages"
                    )
                return await self._publish_at_once(draft, would_be, run, validate_only=validate_only)
            stable = run.stable if run is not None else latest
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
            if validate_only:
                return Publication(applied=would_be, rollout=rollout, targets=self._first(rollout))
            return await self._publish_staged(replace(draft, etag=latest.hash), rollout, stable, run)

    async def _renumber(self, policy_set: str) -> None:
        """Give the newest revision a number above all that proxies have had. They have had higher ones when
        the store is a copy from an earlier day: its content is what counts, and its numbers go on from there.
        A rollout that is under way in the copy is over: nobody knows how it went on.
        """
        above = self._fleet.highest(policy_set)
        newest = await self._fleet.newest(policy_set)
        if newest is None or newest.revision >= above:
            return
        latest = await self._store.latest(policy_set)
        if latest is None or latest.revision >= above:
            return
        run = self._runs.get(policy_set)
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
        published = await self._publish_at_once(draft, next_revision(latest, draft), run, validate_only=False)
        made = published.applied.revision
        _log.warning(
            "a restored store's newest revision has a new number",
            extra={"fields": {"set": policy_set, "was": base.revision, "revision": made.revision}},
        )
        await self._events.report_own(
            component=f"policy/{policy_set}",
            error_type="policy_renumbered",
            message=f"Proxies have had revision {above} of policy set {policy_set}, and the store ends at "
            f"{latest.revision}, as after a restore: revision {base.revision} is in effect again as "
            f"{made.revision}. Apply the wanted policy if that is another one",
            severity=Severity.HIGH,
            event_id=derived_id("policy_renumbered", policy_set, str(made.revision), made.hash),
            policy_revision=made.revision,
        )

    def _check_free(self, run: _Run | None, plan: Plan, *, is_way_back: bool) -> None:
        if run is None or plan.supersede or is_way_back or not run.rollout.state.withholds:
            return
        raise PreconditionFailed(
            f"revision {run.rollout.revision} of policy set {run.rollout.policy_set} is being rolled out "
            f"({run.rollout.state}, {run.rollout.reason}); promote or undo it first "
            "(`seawall rollout promote`, `seawall rollout undo`), or supersede it"
        )

    async def _publish_at_once(
        self, draft: Draft, would_be: Applied, run: _Run | None, *, validate_only: bool
    ) -> Publication:
        targets = tuple(sorted(proxy.node for proxy in self._fleet.of_set(draft.policy_set)))
        if validate_only:
            return Publication(applied=would_be, targets=targets)
        applied = await self._store.apply(draft)
        if run is not None and applied.changed:
            now_us = self._clock.now_us()
            if applied.revision.hash == run.stable.hash:
                after = machine.undone(run.rollout, now_us, actor=draft.author, reason=draft.message)
                after = replace(after, back_as=applied.revision.revision)
            else:
                reason = f"revision {applied.revision.revision} took its place"
                after = machine.cancelled(run.rollout, reason, now_us)
            await self._changed(run, after, after.state, actor=draft.author or "operator")
        self._fleet.published(applied.revision)
        return Publication(applied=applied, targets=targets)

    async def _publish_staged(
        self, draft: Draft, rollout: Rollout, stable: Revision, superseded: _Run | None
    ) -> Publication:
        run = _Run(rollout, stable)
        nodes = [proxy.node for proxy in self._fleet.of_set(rollout.policy_set)]
        run.before = bounded(self._fleet.stats.lately(nodes, window_s=BEFORE_S))
        await self._book.keep(run.saved(), "created", actor=rollout.actor)
        # From here on the stable revision is all that anybody new is given.
        self._fleet.stage(superseded.rollout if superseded else rollout, stable)
        try:
            applied = await self._store.apply(draft)
        except ControlError as error:
            if superseded is None:
                self._fleet.unstage(rollout.policy_set)
            gone = machine.cancelled(
                rollout, f"its revision could not be stored: {error}", rollout.create_time_us
            )
            await self._book.keep(Saved(gone), "cancelled")
            raise
        now_us = self._clock.now_us()
        if superseded is not None:
            reason = f"revision {applied.revision.revision} took its place"
            await self._book.keep(Saved(machine.cancelled(superseded.rollout, reason, now_us)), "cancelled")
            self.ended[State.CANCELLED] += 1
        run.rollout = machine.begun(rollout, applied.revision.revision, self._seen(run), now_us)
        await self._book.keep(run.saved(), "started", actor=rollout.actor)
        self._runs[rollout.policy_set] = run
        self._fleet.stage(run.rollout, stable)
        self._fleet.published(applied.revision)
        self.watchers.tell(run.rollout)
        return Publication(applied=applied, rollout=run.rollout, targets=self._first(run.rollout))

    def _first(self, rollout: Rollout) -> tuple[str, ...]:
        """Return the connected proxies that the first stage reaches."""
        proxies = self._fleet.of_set(rollout.policy_set)
        stage = rollout.strategy.stages[0]
        until = threshold(stage, rollout.policy_set, {p.node: p.labels for p in proxies})
        return tuple(
            sorted(
                p.node
                for p in proxies
                if p.applied_revision > rollout.stable_revision
                or is_member((stage,), (until,), rollout.policy_set, p.node, p.labels)
            )
        )

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
        async with self._lock(name):
            run = self._active(name)
            after = verb(run.rollout, self._clock.now_us(), actor=actor, reason=reason)
            if after.state is State.ROLLED_BACK:
                await self._bring_back(run, after, actor=actor or "operator")
            else:
                await self._changed(run, after, what, actor=actor or "operator")
            return run.rollout

    def _active(self, policy_set: str) -> _Run:
        run = self._runs.get(policy_set)
        if run is None:
            raise NotFound(
                f"no rollout of policy set {policy_set} is under way; `seawall rollout list` shows those "
                "that were"
            )
        return run

    # -------------------------------------------------------------------------------------------------- views

    @property
    def active(self) -> list[Rollout]:
        """Rollouts under way, by policy set."""
        return [self._runs[name].rollout for name in sorted(self._runs)]

    def members(self, rollout: Rollout) -> list[tuple[Member, bool]]:
        """Return the connected proxies of the set by name, and whether each is to have the revision now."""
        run = self._runs.get(rollout.policy_set)
        runs = {} if run is None else run.runs
        return [
            (
                Member(
                    node=proxy.node,
                    applied=proxy.applied_hash == rollout.hash,
                    refused=(proxy.reasons or ("it gave no reason",))
                    if rollout.hash in proxy.refused
                    else (),
                    restarts=runs.get(proxy.node, ("", 0))[1],
                ),
                rollout.wants(proxy.node, proxy.labels, proxy.applied_revision),
            )
            for proxy in sorted(self._fleet.of_set(rollout.policy_set), key=lambda proxy: proxy.node)
        ]

    async def get(self, policy_set: str, revision: int = 0) -> Rollout:
        """Return the rollout of a revision; 0 means the newest rollout of the set. Raise `NotFound`."""
        name = policy_set_name(policy_set)
        run = self._runs.get(name)
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
        run = self._runs.get(name)
        return [
            run.rollout if run is not None and run.rollout.revision == rollout.revision else rollout
            for rollout in await self._book.of_set(name)
        ]


def _side(run: _Run, proxy: ProxyRecord) -> bool | None:
    if proxy.applied_hash == run.rollout.hash:
        return True
    return False if proxy.applied_hash == run.stable.hash else None
