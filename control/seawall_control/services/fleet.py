"""The fleet as it is connected: streams and commands.

What must survive (who exists, what it has in effect, what it refused) goes to the store; statistics and
breakers are the proxies' own and are kept in memory only, as far as a window of ten minutes needs them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from seawall.v1 import fleet_pb2
from seawall_control.domain.errors import NotFound, ShuttingDown, Superseded, Unauthenticated
from seawall_control.domain.fleet import ProxyRecord, checked_node
from seawall_control.domain.revisions import policy_set_name
from seawall_control.domain.statistics import ClusterCounters, Counters
from seawall_control.domain.subscription import Subscription
from seawall_control.services.background import Background
from seawall_control.services.commands import CommandOutcome, Commands, unanswered
from seawall_control.services.edge import Clock, Ids
from seawall_control.services.events import EventService
from seawall_control.services.fleet_door import Door
from seawall_control.services.fleet_events import FleetEvents
from seawall_control.services.fleet_pushes import Pushes
from seawall_control.services.fleet_roster import Roster
from seawall_control.services.fleet_stats import FleetStats
from seawall_control.services.fleet_view import FleetView
from seawall_control.services.hello import HelloFacts, is_same_run, record_of, run_of
from seawall_control.services.runs import Runs
from seawall_control.services.session import Session
from seawall_control.store.port import Store

TICK_S: Final = 1.0
LOOK_S: Final = 15.0
"""How often the record is read for proxies that are connected to other control planes."""
LOOK_STAGED_S: Final = 2.0
"""And while a rollout is under way."""

_log = logging.getLogger("seawall.control.fleet")


class Fleet(Roster):
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
        super().__init__(store, clock, background, runs)
        self._is_shared = store.is_shared
        self._told = FleetEvents(events, background)
        self._commands = Commands(ids)
        self._door = door
        self.pushes = Pushes(store, self, self._told, clock)
        """The policies that proxies are given."""
        self.stats = FleetStats(clock, is_shared=store.is_shared)
        self.view = FleetView(self, self.stats, clock)
        """What all proxies come to together, wherever they are connected."""
        self._started_us = clock.now_us()
        self._closing = False
        self.superseded = 0
        """Streams that a newer one of the same node took the place of, since the start."""

    async def load(self) -> None:
        """Read what is remembered from earlier runs."""
        await super().load()
        await self.pushes.load()

    # ------------------------------------------------------------------------------------------------ streams

    async def attach(self, hello: HelloFacts) -> Session:
        """Take a stream in; an older stream of the same node is closed. Raise `InvalidRequest`,
        `TooManyStreams` or `ShuttingDown`.
        """
        node = checked_node(hello.node)
        if self._closing:
            raise ShuttingDown("the control plane is stopping; connect again in a moment")
        self._door.admit(len(self.sessions), is_new=node not in self.sessions)
        policy_set = policy_set_name(hello.policy_set)
        await self.pushes.look_for(policy_set, hello.applied_revision)
        older = self.sessions.get(node)
        before = self.find(node)
        same_run = is_same_run(hello, before)
        record = record_of(hello, before, policy_set=policy_set, at_us=self._clock.now_us())
        subscription = Subscription(
            applied_revision=record.applied_revision, applied_hash=record.applied_hash, refused=record.refused
        )
        session = Session(record, subscription, since_s=self._clock.monotonic_s())
        session.ends_s = session.since_s + self._door.last_s()
        session.says_goodbye = hello.says_goodbye
        self.sessions[node] = session
        self.note(record)
        is_young = hello.start_time_us >= self._started_us
        self.stats.arrived(node, run_of(record), same_run=same_run, is_young=is_young)
        if older is not None:
            self._supersede(older, record)
        if older is None or same_run:
            self._runs.proxy_began(before, record)
        self.remember(record)
        _log.info(
            "proxy connected",
            extra={"fields": {"node": node, "set": policy_set, "revision": record.applied_revision}},
        )
        self.pushes.offer(session)
        return session

    def _supersede(self, older: Session, by: ProxyRecord) -> None:
        self.superseded += 1
        older.close(Superseded(f"another connection of node {by.node} took this one's place"))
        if older.record.boot_id != by.boot_id:
            self._told.two_of_a_name(by.node, older.record.boot_id, by.boot_id)

    def dismiss(self, node: str) -> None:
        """End the stream of a node whose credential was revoked."""
        session = self.sessions.get(node)
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
        if self.sessions.get(session.node) is session:
            del self.sessions[session.node]
            self.stats.left(session.node)
            self.remember(session.record)
            if heard and (session.says_goodbye or session.goodbye is not None):
                self._runs.proxy_ended(session.record, session.goodbye)
            _log.info("proxy disconnected", extra={"fields": {"node": session.node}})

    def heard(self, session: Session) -> None:
        """Note that a proxy said something."""
        session.record = replace(session.record, last_seen_us=self._clock.now_us())
        if self.sessions.get(session.node) is session:
            self.note(session.record)

    def reported(
        self,
        session: Session,
        report: fleet_pb2.StatsReport,
        routes: Mapping[str, Counters],
        clusters: Mapping[str, ClusterCounters],
    ) -> None:
        """Take a proxy's statistics; what a stream says whose place another took is not of now."""
        if self.sessions.get(session.node) is session:
            self.stats.reported(session.node, run_of(session.record), report, routes, clusters)

    def settle(self) -> None:
        """Count what proxies did on their way here, as far as the control planes that they come from have
        told how far they came.
        """
        ledger = self.stats.ledger
        for node, run, since_s in list(ledger.gaps()):
            if self.beyond.have_told_of(node, since_s):
                ledger.close(node, self.beyond.end_of(node, run))

    # ----------------------------------------------------------------------------------------------- commands

    async def command(
        self, node: str, command: fleet_pb2.Command, *, validate_only: bool = False
    ) -> list[CommandOutcome]:
        """Send a command to a proxy, or to all connected ones, and return what each made of it; with
        `validate_only` say of each that it would be asked.
        """
        if node and not self.is_connected(self.proxy(node).node):
            return [unanswered(node, self.elsewhere(node) or "not connected")]
        names = self.chosen(node)
        beyond = [] if node else sorted(set(self.beyond.nodes()) - set(self.sessions))
        if validate_only:
            answers = [unanswered(name, "would be asked; nothing was sent") for name in names]
        else:
            sending = (self._commands.send(self.sessions[name], command) for name in names)
            answers = await asyncio.gather(*sending)
        return [*answers, *(unanswered(one, self.elsewhere(one)) for one in beyond)]

    def command_answered(self, session: Session, result: fleet_pb2.CommandResult) -> None:
        """Take a proxy's answer to a command."""
        self._commands.answered(session, result)

    # --------------------------------------------------------------------------------------------------- life

    async def run(self) -> None:
        """Watch unanswered pushes and forget old statistics, until cancelled."""
        look_at = 0.0
        while True:
            await asyncio.sleep(TICK_S)
            now = self._clock.monotonic_s()
            self.pushes.keep_up()
            for session in list(self.sessions.values()):
                if now >= session.ends_s:
                    session.retire()
            self.stats.forget(keep=self.sessions)
            self.stats.look()
            self.keep_up()
            if self._is_shared and now >= look_at:
                # Whoever judges a rollout waits for what the others' proxies have in effect.
                look_at = now + (LOOK_STAGED_S if self.pushes.is_staging else LOOK_S)
                self._background.start(self.look_around(), "seawall-look-around")

    def close(self) -> None:
        """End all streams: proxies connect again when we are back."""
        self._closing = True
        for session in list(self.sessions.values()):
            session.close(ShuttingDown("the control plane is stopping; connect again in a moment"))
