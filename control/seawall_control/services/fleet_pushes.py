"""Gives proxies the policies that they are to have, and takes what they say to them.

What is published in a burst is one push. A proxy that refused a content is not offered it again until
somebody asks for that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from seawall_control.domain.fleet import (
    ProxyRecord,
    RolloutRow,
    Standing,
    Verdict,
    bounded_reasons,
    standing,
)
from seawall_control.domain.revisions import Revision, policy_set_name
from seawall_control.domain.rollout.machine import Rollout
from seawall_control.domain.subscription import (
    Accepted,
    Answered,
    Output,
    Overdue,
    Published,
    Push,
    Refused,
    Stray,
    Unanswered,
)
from seawall_control.services.edge import Clock
from seawall_control.services.fleet_events import FleetEvents
from seawall_control.services.fleet_roster import Roster
from seawall_control.services.policy_targets import PolicyTargets
from seawall_control.services.session import Session
from seawall_control.store.port import PolicyStore

QUIET_S: Final = 0.015
"""A push goes out when nothing more has been published for so long: a burst of changes is one push, and a
single one is under way at once.
"""
MAX_QUIET_S: Final = 0.1
"""And at the latest so long after the first of a burst."""
PRUNE_S: Final = 60.0
"""How often what is kept of policy sets that no proxy follows any more is dropped."""
MAX_AHEAD: Final = 1_000_000
"""A proxy that says it has a revision further ahead of the newest one is not believed."""

_log = logging.getLogger("seawall.control.fleet")


@dataclass(slots=True)
class Numbers:
    """Counted since the start, for metrics."""

    pushes: int = 0
    accepted: int = 0
    refused: int = 0
    unanswered: int = 0
    stray: int = 0


class Pushes:
    """The policies of the proxies that are connected here."""

    def __init__(self, store: PolicyStore, roster: Roster, told: FleetEvents, clock: Clock) -> None:
        self._store = store
        self._roster = roster
        self._told = told
        self._clock = clock
        self._targets = PolicyTargets(store)
        self._due: dict[str, tuple[asyncio.TimerHandle, float]] = {}
        """When what was published in a set is pushed, and since when it waits."""
        self._prune_at = 0.0
        self.numbers = Numbers()

    async def load(self) -> None:
        """Read what the sets of all known proxies have."""
        for policy_set in {proxy.policy_set for proxy in self._roster.known()}:
            await self._targets.follow(policy_set)

    @property
    def is_staging(self) -> bool:
        """Whether a rollout is under way."""
        return self._targets.is_staging

    async def newest(self, policy_set: str) -> Revision | None:
        """Return the newest revision of a set."""
        return await self._targets.newest(policy_set)

    async def look_for(self, policy_set: str, revision: int) -> None:
        """Know the newest revision of a set. When a proxy has a higher one, another control plane may have
        made it a moment ago.
        """
        newest = await self._targets.follow(policy_set)
        if newest is None or revision <= newest.revision:
            return
        stored = await self._store.latest(policy_set)
        if stored is not None and stored.revision > newest.revision:
            self.published(stored)
        # What is kept of sets that nobody follows may have been dropped meanwhile.
        await self._targets.follow(policy_set)

    def highest(self, policy_set: str) -> int:
        """Return the highest revision of a set that any known proxy has had, or that is stored: what numbers
        go on from, also after the store was restored from an older copy.
        """
        newest = self._targets.kept(policy_set)
        stored = newest.revision if newest is not None else 0
        had = (p.applied_revision for p in self._roster.known() if p.policy_set == policy_set)
        return max([stored, *(number for number in had if number <= stored + MAX_AHEAD)])

    def policy_sets(self) -> frozenset[str]:
        """Return the sets that proxies follow here."""
        return self._targets.sets

    def published(self, revision: Revision) -> None:
        """Take a revision that was applied and push it soon; several close to each other become one push. The
        newest one may be applied again: that asks those once more who refused its content.
        """
        known = self._targets.kept(revision.policy_set)
        if known is not None and known.revision > revision.revision:
            return
        asked_again = self._forget_refusals(revision)
        if known is not None and known.revision == revision.revision and not asked_again:
            return
        self._targets.offer(revision, revision.policy_set)
        self._push_soon(revision.policy_set)

    def stage(self, rollout: Rollout, stable: Revision) -> None:
        """Give the newest revision of a set only to those whom the rollout names, and the stable one to all
        others; takes the place of what was said before.
        """
        self._targets.stage(rollout, stable)
        self._push_soon(rollout.policy_set)

    def unstage(self, policy_set: str) -> None:
        """Give everybody the newest revision again."""
        if self._targets.unstage(policy_set):
            self._push_soon(policy_set)

    def _push_soon(self, policy_set: str) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        handle, since = self._due.get(policy_set, (None, now))
        if handle is not None:
            handle.cancel()
        at = min(now + QUIET_S, since + MAX_QUIET_S)
        self._due[policy_set] = (loop.call_at(at, self._push_all, policy_set), since)

    def _forget_refusals(self, revision: Revision) -> bool:
        """Let the content be offered to those who refused it; return whether there are any."""
        refusing = [
            record
            for record in self._roster.known()
            if record.policy_set == revision.policy_set and revision.hash in record.refused
        ]
        for record in refusing:
            kept = tuple(content for content in record.refused if content != revision.hash)
            asked_again = replace(record, refused=kept)
            session = self._roster.sessions.get(record.node)
            if session is not None:
                session.record = asked_again
                session.subscription.forget_refusal(revision.hash)
            self._roster.remember(asked_again)
        return bool(refusing)

    def _push_all(self, policy_set: str) -> None:
        self._due.pop(policy_set, None)
        for session in list(self._roster.sessions.values()):
            if session.record.policy_set == policy_set:
                self.offer(session)

    def offer(self, session: Session) -> None:
        """Push what a proxy is to have, unless it has it, was asked already, or has refused it."""
        wanted = self.wanted(session.record)
        if wanted is not None and wanted.revision < session.record.applied_revision <= self.highest(
            session.record.policy_set
        ):
            # A restored store: what it has gets a number above the proxy's first.
            return
        if wanted is not None:
            self._do(
                session,
                session.subscription.handle(
                    Published(wanted.revision, wanted.hash), now=self._clock.monotonic_s()
                ),
            )

    def wanted(self, proxy: ProxyRecord) -> Revision | None:
        """See `PolicyTargets.wanted`."""
        return self._targets.wanted(proxy)

    def answered(self, session: Session, answer: Answered) -> None:
        """Take a proxy's answer to a push."""
        # What was published meanwhile and waits for a quiet moment is what the next push is to be.
        self.offer(session)
        self._do(session, session.subscription.handle(answer, now=self._clock.monotonic_s()))

    def _do(self, session: Session, outputs: Sequence[Output]) -> None:
        for output in outputs:
            match output:
                case Push():
                    body = self._targets.body(session.record.policy_set, output.revision)
                    if body is None:
                        # It is nobody's any more: a newer one is about to be offered.
                        session.subscription.withdraw(output.nonce)
                    else:
                        self.numbers.pushes += 1
                        session.send_push(output, body)
                case Accepted():
                    self.numbers.accepted += 1
                    self._note_answer(session, Verdict.ACK, ())
                    _log.info(
                        "policy accepted",
                        extra={"fields": {"node": session.node, "revision": output.revision}},
                    )
                case Refused():
                    self.numbers.refused += 1
                    self._note_answer(session, Verdict.NACK, bounded_reasons(output.reasons))
                    self._told.refused(session.record, output)
                case Unanswered():
                    self.numbers.unanswered += 1
                    _log.warning(
                        "a push was not answered",
                        extra={"fields": {"node": session.node, "revision": output.push.revision}},
                    )
                case Stray():
                    self.numbers.stray += 1

    def _note_answer(self, session: Session, verdict: Verdict, reasons: tuple[str, ...]) -> None:
        subscription = session.subscription
        session.record = replace(
            session.record,
            applied_revision=subscription.applied_revision,
            applied_hash=subscription.applied_hash,
            policy_source="live" if verdict is Verdict.ACK else session.record.policy_source,
            last_verdict=verdict,
            reasons=reasons,
            answered_us=self._clock.now_us(),
            refused=subscription.refused,
        )
        if self._roster.sessions.get(session.node) is session:
            self._roster.remember(session.record)

    async def rollout(self, policy_set: str) -> tuple[Revision | None, list[RolloutRow]]:
        """Return the newest revision of a set and where every known proxy of the set stands."""
        name = policy_set_name(policy_set)
        newest = await self.newest(name)
        return newest, [
            RolloutRow(p, self._standing(p, newest)) for p in self._roster.known() if p.policy_set == name
        ]

    def _standing(self, proxy: ProxyRecord, newest: Revision | None) -> Standing:
        wanted = self.wanted(proxy) if newest is not None else None
        found = standing(
            proxy,
            connected=self._roster.is_online(proxy.node),
            wanted_hash=wanted.hash if wanted else proxy.applied_hash,
        )
        is_held = found is Standing.APPLIED and newest is not None and proxy.applied_hash != newest.hash
        return Standing.HELD if is_held else found

    def refusing(self) -> list[str]:
        """Return the connected proxies that refused the content that they are to have."""
        return sorted(
            session.node
            for session in self._roster.sessions.values()
            if self._standing(session.record, self._targets.kept(session.record.policy_set))
            is Standing.REJECTED
        )

    def wanted_hash(self, proxy: ProxyRecord) -> str:
        """Return the hash of the content that a proxy is to have; empty when there is none."""
        wanted = self.wanted(proxy)
        return wanted.hash if wanted else ""

    def keep_up(self) -> None:
        """Do what time asks for: offer again what was not answered, drop what nobody follows any more."""
        now = self._clock.monotonic_s()
        for session in list(self._roster.sessions.values()):
            deadline = session.subscription.next_deadline()
            if deadline is not None and deadline <= now:
                self.offer(session)
                self._do(session, session.subscription.handle(Overdue(), now=now))
        if now >= self._prune_at:
            self._prune_at = now + PRUNE_S
            self._targets.keep_only({proxy.policy_set for proxy in self._roster.known()})
