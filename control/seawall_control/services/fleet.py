"""The fleet as it is connected: streams, pushes and their answers, commands.

What must survive (who exists, what it has in effect, what it refused) goes to the store; statistics and
breakers are the proxies' own and are kept in memory only, as far as a window of ten minutes needs them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from seawall.v1 import fleet_pb2
from seawall_control.domain.errors import (
    ControlError,
    NotFound,
    PreconditionFailed,
    ShuttingDown,
    Superseded,
    Unauthenticated,
)
from seawall_control.domain.events import MICROS
from seawall_control.domain.fleet import (
    ProxyRecord,
    RolloutRow,
    Standing,
    Verdict,
    bounded_reasons,
    checked_node,
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
    Subscription,
    Unanswered,
)
from seawall_control.services.background import Background
from seawall_control.services.commands import CommandOutcome, Commands, unanswered
from seawall_control.services.edge import Clock, Ids
from seawall_control.services.events import EventService
from seawall_control.services.fleet_beyond import Beyond
from seawall_control.services.fleet_door import Door
from seawall_control.services.fleet_events import FleetEvents
from seawall_control.services.fleet_stats import FleetStats
from seawall_control.services.hello import HelloFacts, is_same_run, record_of
from seawall_control.services.policy_targets import PolicyTargets
from seawall_control.services.proxy_saver import ProxySaver
from seawall_control.services.runs import Runs
from seawall_control.services.session import Session
from seawall_control.store.port import Store

QUIET_S: Final = 0.015
"""A push goes out when nothing more has been published for so long: a burst of changes is one push, and a
single one is under way at once.
"""
MAX_QUIET_S: Final = 0.1
"""And at the latest so long after the first of a burst."""
TICK_S: Final = 1.0
REMEMBER_S: Final = 3600.0
"""How often the record of a connected proxy is written though nothing has changed but when it was seen."""
PRUNE_S: Final = 60.0
"""How often what is kept of policy sets that no proxy follows any more is dropped."""
LOOK_S: Final = 15.0
"""How often the record is read for proxies that are connected to other control planes."""
LOOK_STAGED_S: Final = 2.0
"""And while a rollout is under way."""
MAX_AHEAD: Final = 1_000_000
"""A proxy that says it has a revision further ahead of the newest one is not believed."""
FORGET_PROXY_US: Final = 30 * 24 * 3600 * MICROS
"""A proxy that has been away for so long is no part of the fleet; it is known again when it comes."""

_log = logging.getLogger("seawall.control.fleet")


@dataclass(slots=True)
class Numbers:
    """Counted since the start, for metrics."""

    pushes: int = 0
    accepted: int = 0
    refused: int = 0
    unanswered: int = 0
    stray: int = 0
    superseded: int = 0


class Fleet:
    """All proxies, connected and remembered."""

    def __init__(
        self,
        store: Store,
        events: EventService,
        clock: Clock,
        ids: Ids,
        background: Background,
        runs: Runs,
        door: Door,
    ) -> None:
        self._runs = runs
        self._store = store
        self._told = FleetEvents(events, background)
        self._clock = clock
        self._commands = Commands(ids)
        self._background = background
        self._sessions: dict[str, Session] = {}
        self._known: dict[str, ProxyRecord] = {}
        self._targets = PolicyTargets(store)
        self._door = door
        self.stats = FleetStats(clock)
        self.beyond = Beyond(clock)
        """What is connected to other control planes on the same store."""
        self._due: dict[str, tuple[asyncio.TimerHandle, float]] = {}
        """When what was published in a set is pushed, and since when it waits."""
        self._saver = ProxySaver(store, background, self._known)
        self._closing = False
        self.numbers = Numbers()

    async def load(self) -> None:
        """Read what is remembered from earlier runs."""
        self._known.update((proxy.node, proxy) for proxy in await self._store.proxies())
        for policy_set in {proxy.policy_set for proxy in self._known.values()}:
            await self._targets.follow(policy_set)

    # ------------------------------------------------------------------------------------------------ streams

    async def attach(self, hello: HelloFacts) -> Session:
        """Take a stream in; an older stream of the same node is closed. Raise `InvalidRequest`,
        `TooManyStreams` or `ShuttingDown`.
        """
        node = checked_node(hello.node)
        if self._closing:
            raise ShuttingDown("the control plane is stopping; connect again in a moment")
        self._door.admit(len(self._sessions), is_new=node not in self._sessions)
        policy_set = policy_set_name(hello.policy_set)
        await self._look_for(policy_set, hello.applied_revision)
        older = self._sessions.get(node)
        before = self._known.get(node)
        same_run = is_same_run(hello, before)
        record = record_of(hello, before, policy_set=policy_set, at_us=self._clock.now_us())
        subscription = Subscription(
            applied_revision=record.applied_revision, applied_hash=record.applied_hash, refused=record.refused
        )
        session = Session(record, subscription, since_s=self._clock.monotonic_s())
        session.ends_s = session.since_s + self._door.last_s()
        session.says_goodbye = hello.says_goodbye
        self._sessions[node] = session
        self._known[node] = record
        self.stats.connected(node, same_run=same_run)
        if older is not None:
            self._supersede(older, record)
        if older is None or same_run:
            self._runs.proxy_began(before, record)
        self._remember(record)
        _log.info(
            "proxy connected",
            extra={"fields": {"node": node, "set": policy_set, "revision": record.applied_revision}},
        )
        self._offer(session)
        return session

    def _supersede(self, older: Session, by: ProxyRecord) -> None:
        self.numbers.superseded += 1
        older.close(Superseded(f"another connection of node {by.node} took this one's place"))
        if older.record.boot_id != by.boot_id:
            self._told.two_of_a_name(by.node, older.record.boot_id, by.boot_id)

    def dismiss(self, node: str) -> None:
        """End the stream of a node whose credential was revoked."""
        session = self._sessions.get(node)
        if session is not None:
            session.close(Unauthenticated(f"the certificates of node {node} were revoked"))

    def detach(self, session: Session) -> None:
        """Forget a stream that has ended."""
        ended_here = self._closing or session.is_closed or session.is_retiring
        heard = session.goodbye is not None or not ended_here
        session.close(ShuttingDown("the stream has ended"))
        for future in session.waiting_commands.values():
            if not future.done():
                future.set_exception(NotFound("the proxy disconnected before it answered"))
        if self._sessions.get(session.node) is session:
            del self._sessions[session.node]
            self._known[session.node] = session.record
            self._remember(session.record)
            if heard and (session.says_goodbye or session.goodbye is not None):
                self._runs.proxy_ended(session.record, session.goodbye)
            _log.info("proxy disconnected", extra={"fields": {"node": session.node}})

    def heard(self, session: Session) -> None:
        """Note that a proxy said something."""
        session.record = replace(session.record, last_seen_us=self._clock.now_us())
        if self._sessions.get(session.node) is session:
            self._known[session.node] = session.record

    def _remember(self, record: ProxyRecord) -> None:
        self._saver.changed(record.node)

    # ----------------------------------------------------------------------------------------------- policies

    async def newest(self, policy_set: str) -> Revision | None:
        """Return the newest revision of a set."""
        return await self._targets.newest(policy_set)

    async def _look_for(self, policy_set: str, revision: int) -> None:
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
        had = (p.applied_revision for p in self._known.values() if p.policy_set == policy_set)
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
            for record in self._known.values()
            if record.policy_set == revision.policy_set and revision.hash in record.refused
        ]
        for record in refusing:
            kept = tuple(content for content in record.refused if content != revision.hash)
            self._known[record.node] = replace(record, refused=kept)
            session = self._sessions.get(record.node)
            if session is not None:
                session.record = self._known[record.node]
                session.subscription.forget_refusal(revision.hash)
            self._remember(record)
        return bool(refusing)

    def _push_all(self, policy_set: str) -> None:
        self._due.pop(policy_set, None)
        for session in list(self._sessions.values()):
            if session.record.policy_set == policy_set:
                self._offer(session)

    def _offer(self, session: Session) -> None:
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
        self._offer(session)
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
        if self._sessions.get(session.node) is session:
            self._known[session.node] = session.record
            self._remember(session.record)

    async def rollout(self, policy_set: str) -> tuple[Revision | None, list[RolloutRow]]:
        """Return the newest revision of a set and where every known proxy of the set stands."""
        name = policy_set_name(policy_set)
        newest = await self.newest(name)
        return newest, [
            RolloutRow(p, self._standing(p, newest)) for p in self.known() if p.policy_set == name
        ]

    def _standing(self, proxy: ProxyRecord, newest: Revision | None) -> Standing:
        wanted = self.wanted(proxy) if newest is not None else None
        found = standing(
            proxy,
            connected=self.is_online(proxy.node),
            wanted_hash=wanted.hash if wanted else proxy.applied_hash,
        )
        is_held = found is Standing.APPLIED and newest is not None and proxy.applied_hash != newest.hash
        return Standing.HELD if is_held else found

    def refusing(self) -> list[str]:
        """Return the connected proxies that refused the content that they are to have."""
        return sorted(
            session.node
            for session in self._sessions.values()
            if self._standing(session.record, self._targets.kept(session.record.policy_set))
            is Standing.REJECTED
        )

    # ---------------------------------------------------------------------------------------------- knowledge

    def known(self) -> list[ProxyRecord]:
        """Return all known proxies by name."""
        return [self._known[node] for node in sorted(self._known)]

    def proxy(self, node: str) -> ProxyRecord:
        """Return a proxy. Raise `NotFound`."""
        if node not in self._known:
            raise NotFound(f"there is no proxy {node[:128]!r}; `seawall get proxies` lists them")
        return self._known[node]

    def wanted_hash(self, proxy: ProxyRecord) -> str:
        """Return the hash of the content that a proxy is to have; empty when there is none."""
        wanted = self.wanted(proxy)
        return wanted.hash if wanted else ""

    def connected_ones(self) -> list[ProxyRecord]:
        """Return the connected proxies by name."""
        return [self._sessions[node].record for node in sorted(self._sessions)]

    def of_set(self, policy_set: str) -> list[ProxyRecord]:
        """Return the connected proxies that follow a set."""
        return [s.record for s in self._sessions.values() if s.record.policy_set == policy_set]

    def everywhere(self, policy_set: str) -> list[ProxyRecord]:
        """Return the proxies that follow a set and are connected here or to another control plane."""
        others = (self._known.get(node) for node in self.beyond.nodes() if node not in self._sessions)
        return [*self.of_set(policy_set), *(p for p in others if p and p.policy_set == policy_set)]

    def is_connected(self, node: str) -> bool:
        """Whether a proxy's stream is open here."""
        return node in self._sessions

    def is_online(self, node: str) -> bool:
        """Whether a proxy's stream is open here or at another control plane."""
        return node in self._sessions or bool(self.beyond.plane_of(node))

    @property
    def connected(self) -> int:
        """Open streams."""
        return len(self._sessions)

    def chosen(self, node: str) -> list[str]:
        """Return one proxy that is connected here, or all of them; none when that one is away. Raise
        `NotFound`, and `PreconditionFailed` for one that is connected to another control plane.
        """
        if node:
            name = self.proxy(node).node
            if elsewhere := self._elsewhere(name):
                raise PreconditionFailed(f"proxy {name} {elsewhere}; ask that one")
            return [name] if self.is_connected(name) else []
        return sorted(self._sessions)

    # ----------------------------------------------------------------------------------------------- commands

    async def command(self, node: str, command: fleet_pb2.Command) -> list[CommandOutcome]:
        """Send a command to a proxy, or to all connected ones, and return what each made of it."""
        if node and not self.is_connected(self.proxy(node).node):
            return [unanswered(node, self._elsewhere(node) or "not connected")]
        sessions = [self._sessions[name] for name in self.chosen(node)]
        beyond = [] if node else sorted(set(self.beyond.nodes()) - set(self._sessions))
        answers = await asyncio.gather(*(self._commands.send(session, command) for session in sessions))
        return [*answers, *(unanswered(one, self._elsewhere(one)) for one in beyond)]

    def _elsewhere(self, node: str) -> str:
        """Return where a proxy is connected instead of here; empty when it is not."""
        plane = "" if node in self._sessions else self.beyond.plane_of(node)
        return f"is connected to control plane {plane}" if plane else ""

    def command_answered(self, session: Session, result: fleet_pb2.CommandResult) -> None:
        """Take a proxy's answer to a command."""
        self._commands.answered(session, result)

    # --------------------------------------------------------------------------------------------------- life

    async def run(self) -> None:
        """Watch unanswered pushes and forget old statistics, until cancelled."""
        look_at = prune_at = 0.0
        while True:
            await asyncio.sleep(TICK_S)
            now = self._clock.monotonic_s()
            for session in list(self._sessions.values()):
                deadline = session.subscription.next_deadline()
                if deadline is not None and deadline <= now:
                    self._offer(session)
                    self._do(session, session.subscription.handle(Overdue(), now=now))
                if now >= session.ends_s:
                    session.retire()
            self.stats.forget(keep=self._sessions)
            self._saver.save_soon()
            self._forget_gone()
            if now >= prune_at:
                prune_at = now + PRUNE_S
                self._targets.keep_only({proxy.policy_set for proxy in self._known.values()})
            self._remember_again(now)
            if self._store.is_shared and now >= look_at:
                # Whoever judges a rollout waits for what the others' proxies have in effect.
                look_at = now + (LOOK_STAGED_S if self._targets.is_staging else LOOK_S)
                self._background.start(self._look_around(), "seawall-look-around")

    def _forget_gone(self) -> None:
        oldest_us = self._clock.now_us() - FORGET_PROXY_US
        gone = [n for n, p in self._known.items() if p.last_seen_us < oldest_us and n not in self._sessions]
        for node in gone:
            del self._known[node]
        if gone:
            _log.info(
                "proxies forgotten that have been away for 30 days", extra={"fields": {"nodes": len(gone)}}
            )
            self._background.start(
                self._store.forget(gone, unseen_since_us=oldest_us), "seawall-forget-proxies"
            )
            self._runs.proxy_forgotten(gone)

    def _remember_again(self, now: float) -> None:
        """Keep it on record that proxies are there which have nothing new to say: whoever reads the record
        after a crash, or at another control plane, must not take them for gone.
        """
        for session in self._sessions.values():
            if now - session.remembered_s >= REMEMBER_S:
                session.remembered_s = now
                self._remember(session.record)

    async def _look_around(self) -> None:
        """Read what other control planes know about proxies that are not connected here."""
        try:
            found = {proxy.node: proxy for proxy in await self._store.proxies()}
        except ControlError as error:
            _log.info("the fleet's record cannot be read now", extra={"fields": {"error": str(error)}})
            return
        for node in [node for node in self._known if node not in found and node not in self._sessions]:
            del self._known[node]
        for node, proxy in found.items():
            if node not in self._sessions:
                self._known[node] = proxy

    def close(self) -> None:
        """End all streams: proxies connect again when we are back."""
        self._closing = True
        for session in list(self._sessions.values()):
            session.close(ShuttingDown("the control plane is stopping; connect again in a moment"))
