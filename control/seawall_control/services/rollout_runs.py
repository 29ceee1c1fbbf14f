"""Rollouts under way in this process: what is seen of each, and how a new state of one takes effect.

One lock is for all of them: a change of a policy set concerns every set that extends it, and their rollouts
must not move meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from seawall_control.domain.errors import NotFound
from seawall_control.domain.events import Severity
from seawall_control.domain.fleet import ProxyRecord
from seawall_control.domain.fleet_share import Judged
from seawall_control.domain.revisions import Revision
from seawall_control.domain.rollout.codec import Saved
from seawall_control.domain.rollout.guards import compare
from seawall_control.domain.rollout.machine import Member, Rollout, Seen, State
from seawall_control.domain.rollout.meter import Meter, add_route, bounded
from seawall_control.domain.rollout.strategy import is_member, threshold
from seawall_control.domain.statistics import LATENCY_BOUNDS_S, Counters
from seawall_control.services.edge import Clock, derived_id
from seawall_control.services.events import EventService
from seawall_control.services.fleet import Fleet
from seawall_control.services.rollout_book import RolloutBook
from seawall_control.services.rollout_watch import Watchers

BEFORE_S: Final = 600.0
"""How far back calls count that are compared with where nobody has the stable revision any more."""
MAX_FIELD: Final = 512

_log = logging.getLogger("seawall.control.rollouts")


@dataclass(slots=True)
class Run:
    """A rollout under way."""

    rollout: Rollout
    stable: Revision
    meter: Meter = field(default_factory=Meter)
    before: Mapping[str, Counters] = field(default_factory=dict)
    runs: dict[str, tuple[str, int]] = field(default_factory=dict)
    """The run of each proxy that is to have the revision, and how many there have been after the first."""
    saved_s: float = 0.0

    def saved(self) -> Saved:
        """Return it as it is stored."""
        return Saved(self.rollout, self.meter.canary, self.meter.rest, self.before)


class Runs:
    """All rollouts under way, by policy set."""

    def __init__(self, book: RolloutBook, fleet: Fleet, events: EventService, clock: Clock) -> None:
        self.book = book
        self.lock = asyncio.Lock()
        self.all: dict[str, Run] = {}
        self.watchers = Watchers()
        self.ended: dict[State, int] = dict.fromkeys((s for s in State if s.is_final), 0)
        """Rollouts that ended since the start, for metrics."""
        self._fleet = fleet
        self._events = events
        self._clock = clock

    def active(self, policy_set: str) -> Run:
        """Return the rollout of a set. Raise `NotFound` when none is under way."""
        run = self.all.get(policy_set)
        if run is None:
            raise NotFound(
                f"no rollout of policy set {policy_set} is under way; `seawall rollout list` shows those "
                "that were"
            )
        return run

    # ------------------------------------------------------------------------------------------------ looking

    def measure(self, run: Run) -> None:
        """Take in what proxies have said since the last look. Those of other control planes are counted
        there; how they start anew is on record.
        """
        now_s = self._clock.monotonic_s()
        for proxy in self._fleet.everywhere(run.rollout.policy_set):
            if run.rollout.wants(proxy.node, proxy.labels, proxy.applied_revision):
                boot_id, restarts = run.runs.get(proxy.node, (proxy.boot_id, 0))
                run.runs[proxy.node] = (proxy.boot_id, restarts + (proxy.boot_id != boot_id))
        here = self._fleet.of_set(run.rollout.policy_set)
        # Whoever comes back was counted elsewhere meanwhile.
        run.meter.forget(keep={proxy.node for proxy in here})
        for proxy in here:
            run.meter.sample(
                proxy.node,
                canary=_side(run, proxy),
                sample=self._fleet.stats.latest(proxy.node),
                now_s=now_s,
            )

    def seen(self, run: Run) -> Seen:
        """Return what is to be seen of the fleet."""
        rollout = run.rollout
        connected = self._fleet.everywhere(rollout.policy_set)
        # After a restart nobody is there yet; then the stages are made for those who will come back.
        there = connected or [p for p in self._fleet.known() if p.policy_set == rollout.policy_set]
        members = tuple(member for member, is_meant in self.members(rollout) if is_meant)
        canary, rest = dict(run.meter.canary), dict(run.meter.rest)
        for judged in self._fleet.beyond.judged(rollout.policy_set, rollout.revision, rollout.stage):
            for side, others in ((canary, judged.canary), (rest, judged.rest)):
                for route, counters in others.items():
                    add_route(side, route, counters)
        judgement = compare(rollout.strategy.guards, canary, rest or run.before, LATENCY_BOUNDS_S)
        return Seen(nodes={p.node: p.labels for p in there}, members=members, judgement=judgement)

    def judged(self) -> list[Judged]:
        """Return what calls through the proxies that are connected here came to, for the control plane that
        judges.
        """
        return [
            Judged(
                policy_set=name,
                revision=run.rollout.revision,
                stage=run.rollout.stage,
                canary=run.meter.canary,
                rest=run.meter.rest,
            )
            for name, run in self.all.items()
        ]

    def members(self, rollout: Rollout) -> list[tuple[Member, bool]]:
        """Return the connected proxies of the set by name, wherever they are connected, and whether each is
        to have the revision now.
        """
        run = self.all.get(rollout.policy_set)
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
            for proxy in sorted(self._fleet.everywhere(rollout.policy_set), key=lambda proxy: proxy.node)
        ]

    def first(self, rollout: Rollout) -> tuple[str, ...]:
        """Return the connected proxies that the first stage reaches."""
        proxies = self._fleet.everywhere(rollout.policy_set)
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

    # -------------------------------------------------------------------------------------------- new states

    async def changed(self, run: Run, after: Rollout, what: str, *, actor: str = "") -> None:
        """Make a new state durable, then let it take effect."""
        is_next = after.stage != run.rollout.stage
        before = bounded(run.meter.rest) if is_next and run.meter.rest else run.before
        counted = ({}, {}) if is_next else (run.meter.canary, run.meter.rest)
        await self.book.keep(Saved(after, *counted, before), what, actor=actor)
        run.rollout, run.before = after, before
        run.saved_s = self._clock.monotonic_s()
        if is_next:
            run.meter.next_stage()
        if after.state.is_final:
            await self._end(run)
        else:
            self._fleet.pushes.stage(after, run.stable)
        if after.state is State.PAUSED and not actor:
            await self.report(after, Severity.MEDIUM, "rollout_paused")
        elif after.state is State.FAILED:
            await self.report(after, Severity.HIGH, "rollout_failed")
        self.watchers.tell(after)

    async def _end(self, run: Run) -> None:
        rollout = run.rollout
        self.ended[rollout.state] += 1
        self.all.pop(rollout.policy_set, None)
        self._fleet.pushes.unstage(rollout.policy_set)
        _log.info(
            "a rollout has ended",
            extra={"fields": {"rollout": rollout.name, "state": rollout.state, "reason": rollout.reason}},
        )
        await self.book.forget_old(rollout.policy_set)

    async def report(self, rollout: Rollout, severity: Severity, kind: str) -> None:
        """Leave an event about a rollout."""
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

    async def report_renumbered(self, made: Revision, *, above: int, ended_at: int, content_of: int) -> None:
        """Leave an event about a restored store whose newest revision has a new number."""
        await self._events.report_own(
            component=f"policy/{made.policy_set}",
            error_type="policy_renumbered",
            message=f"Proxies have had revision {above} of policy set {made.policy_set}, and the store ends "
            f"at {ended_at}, as after a restore: revision {content_of} is in effect again as "
            f"{made.revision}. Apply the wanted policy if that is another one",
            severity=Severity.HIGH,
            event_id=derived_id("policy_renumbered", made.policy_set, str(made.revision), made.hash),
            policy_revision=made.revision,
        )


def _side(run: Run, proxy: ProxyRecord) -> bool | None:
    if proxy.applied_hash == run.rollout.hash:
        return True
    return False if proxy.applied_hash == run.stable.hash else None
