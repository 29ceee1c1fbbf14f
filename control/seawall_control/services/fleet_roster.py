"""Who is of the fleet: the proxies that are connected here, and those that are remembered.

Their record is in the store, so that a restart forgets nobody; other control planes write to it, too.
"""

from __future__ import annotations

import logging
from typing import Final

from seawall_control.domain.errors import ControlError, PreconditionFailed
from seawall_control.domain.events import MICROS
from seawall_control.domain.fleet import ProxyRecord, no_proxy
from seawall_control.services.background import Background
from seawall_control.services.edge import Clock
from seawall_control.services.fleet_beyond import Beyond
from seawall_control.services.proxy_saver import ProxySaver
from seawall_control.services.runs import Runs
from seawall_control.services.session import Session
from seawall_control.store.port import FleetStore

REMEMBER_S: Final = 3600.0
"""How often the record of a connected proxy is written though nothing has changed but when it was seen."""
FORGET_PROXY_US: Final = 30 * 24 * 3600 * MICROS
"""A proxy that has been away for so long is no part of the fleet; it is known again when it comes."""

_log = logging.getLogger("seawall.control.fleet")


class Roster:
    """All proxies, connected and remembered. `sessions` are their open streams."""

    def __init__(self, store: FleetStore, clock: Clock, background: Background, runs: Runs) -> None:
        self._store = store
        self._clock = clock
        self._background = background
        self._runs = runs
        self.sessions: dict[str, Session] = {}
        self._known: dict[str, ProxyRecord] = {}
        self._saver = ProxySaver(store, background, self._known)
        self.beyond = Beyond(clock)
        """What is connected to other control planes on the same store."""

    async def load(self) -> None:
        """Read what is remembered from earlier runs."""
        self._known.update((proxy.node, proxy) for proxy in await self._store.proxies())

    def find(self, node: str) -> ProxyRecord | None:
        """Return what is known of a proxy."""
        return self._known.get(node)

    def note(self, record: ProxyRecord) -> None:
        """Take what is new of a proxy, without writing it down."""
        self._known[record.node] = record

    def remember(self, record: ProxyRecord) -> None:
        """Take what is new of a proxy and write it down soon."""
        self._known[record.node] = record
        self._saver.changed(record.node)

    def known(self) -> list[ProxyRecord]:
        """Return all known proxies by name."""
        return [self._known[node] for node in sorted(self._known)]

    def proxy(self, node: str) -> ProxyRecord:
        """Return a proxy. Raise `NotFound`."""
        if node not in self._known:
            raise no_proxy(node)
        return self._known[node]

    def connected_ones(self) -> list[ProxyRecord]:
        """Return the connected proxies by name."""
        return [self.sessions[node].record for node in sorted(self.sessions)]

    def of_set(self, policy_set: str) -> list[ProxyRecord]:
        """Return the connected proxies that follow a set."""
        return [s.record for s in self.sessions.values() if s.record.policy_set == policy_set]

    def everywhere(self, policy_set: str) -> list[ProxyRecord]:
        """Return the proxies that follow a set and are connected here or to another control plane."""
        others = (self._known.get(node) for node in self.beyond.nodes() if node not in self.sessions)
        return [*self.of_set(policy_set), *(p for p in others if p and p.policy_set == policy_set)]

    def is_connected(self, node: str) -> bool:
        """Whether a proxy's stream is open here."""
        return node in self.sessions

    def is_online(self, node: str) -> bool:
        """Whether a proxy's stream is open here or at another control plane."""
        return node in self.sessions or bool(self.beyond.plane_of(node))

    @property
    def connected(self) -> int:
        """Open streams."""
        return len(self.sessions)

    def chosen(self, node: str) -> list[str]:
        """Return one proxy that is connected here, or all of them; none when that one is away. Raise
        `NotFound`, and `PreconditionFailed` for one that is connected to another control plane.
        """
        if node:
            name = self.proxy(node).node
            if elsewhere := self.elsewhere(name):
                raise PreconditionFailed(f"proxy {name} {elsewhere}; ask that one")
            return [name] if self.is_connected(name) else []
        return sorted(self.sessions)

    def elsewhere(self, node: str) -> str:
        """Return where a proxy is connected instead of here; empty when it is not."""
        plane = "" if node in self.sessions else self.beyond.plane_of(node)
        return f"is connected to control plane {plane}" if plane else ""

    # --------------------------------------------------------------------------------------------------- life

    def keep_up(self) -> None:
        """Do what time asks for: write down what waits, forget who has been away for long."""
        self._saver.save_soon()
        self._forget_gone()
        self._remember_again(self._clock.monotonic_s())

    def _forget_gone(self) -> None:
        oldest_us = self._clock.now_us() - FORGET_PROXY_US
        gone = [n for n, p in self._known.items() if p.last_seen_us < oldest_us and n not in self.sessions]
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
        for session in self.sessions.values():
            if now - session.remembered_s >= REMEMBER_S:
                session.remembered_s = now
                self.remember(session.record)

    async def look_around(self) -> None:
        """Read what other control planes know about proxies that are not connected here."""
        try:
            found = {proxy.node: proxy for proxy in await self._store.proxies()}
        except ControlError as error:
            _log.info("the fleet's record cannot be read now", extra={"fields": {"error": str(error)}})
            return
        for node in [node for node in self._known if node not in found and node not in self.sessions]:
            del self._known[node]
        for node, proxy in found.items():
            if node not in self.sessions:
                self._known[node] = proxy
