"""What the other control planes on the same store see of the fleet.

Only one of them asks the rules, and each knows only the proxies that are connected to it. So the others write
down every few seconds what the one needs: who is connected, how many calls have ended, which breakers are
open. The document of each is replaced in place; one that is not renewed is of a control plane that has gone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from seawall_control.domain.alerts.facts import BreakerFact, ProxyFact
from seawall_control.domain.events import MICROS
from seawall_control.domain.records import Change, Delete, Put
from seawall_control.services.edge import Clock
from seawall_control.store.port import RecordStore

PLANE: Final = "alert-plane"
EVERY_S: Final = 5.0
GONE_US: Final = 60 * MICROS
FORGET_US: Final = 3600 * MICROS
MAX_PLANES: Final = 100
MAX_ROUTES: Final = 2000

_log = logging.getLogger("seawall.control.alerts")


@dataclass(frozen=True, slots=True)
class PlaneReport:
    """What one control plane sees."""

    at_us: int
    proxies: tuple[ProxyFact, ...] = ()
    breakers: tuple[BreakerFact, ...] = ()
    """Those that are open."""
    calls: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Failed and all calls by route, since the start of that control plane."""

    def to_text(self) -> str:
        """Return it as it is stored."""
        return json.dumps(
            {
                "at_us": self.at_us,
                "proxies": [
                    [p.node, p.last_seen_us, p.events_dropped, p.boot_id, p.spooled, p.spool_age_s]
                    for p in self.proxies
                ],
                "breakers": [[b.name, b.route, b.proxy, b.at_us] for b in self.breakers],
                "calls": self.calls,
            },
            separators=(",", ":"),
        )

    @classmethod
    def of_text(cls, text: str) -> PlaneReport:
        """Read one. Raise ValueError, TypeError or LookupError."""
        data: Any = json.loads(text)
        return cls(
            int(data["at_us"]),
            # A control plane of another version may say less, or more.
            tuple(ProxyFact(node, True, *more[:5]) for node, *more in data["proxies"]),
            tuple(BreakerFact(name, route, proxy, True, at) for name, route, proxy, at in data["breakers"]),
            {route: (int(failed), int(total)) for route, (failed, total) in data["calls"].items()},
        )


class Planes:
    """Writes our report, and reads those of the others."""

    def __init__(self, store: RecordStore, clock: Clock, own: str) -> None:
        self._store = store
        self._clock = clock
        self._own = own
        self._totals: dict[str, tuple[int, int]] = {}
        self._others: dict[str, PlaneReport] = {}
        self._before: dict[str, Mapping[str, tuple[int, int]]] = {}
        self._written_s = self._read_s = -EVERY_S

    def count(self, route: str, failed: int, total: int) -> None:
        """Count calls that have ended at proxies of ours."""
        before = self._totals.get(route)
        if before is None and len(self._totals) >= MAX_ROUTES:
            return
        self._totals[route] = (before[0] + failed, before[1] + total) if before else (failed, total)

    async def write(self, proxies: Iterable[ProxyFact], breakers: Iterable[BreakerFact]) -> None:
        """Store our report, if it is time to."""
        now_s = self._clock.monotonic_s()
        if now_s - self._written_s < EVERY_S:
            return
        self._written_s = now_s
        at_us = self._clock.now_us()
        report = PlaneReport(
            at_us,
            tuple(proxy for proxy in proxies if proxy.connected),
            tuple(breaker for breaker in breakers if breaker.is_open),
            self._totals,
        )
        await self._store.commit([Put(PLANE, self._own, report.to_text())], at_us=at_us)

    async def read(self) -> None:
        """Read the reports of the others, if it is time to."""
        now_s = self._clock.monotonic_s()
        if now_s - self._read_s < EVERY_S:
            return
        self._read_s = now_s
        at_us = self._clock.now_us()
        others: dict[str, PlaneReport] = {}
        old: list[Change] = []
        for document in await self._store.documents(PLANE, limit=MAX_PLANES):
            if document.update_time_us < at_us - FORGET_US:
                old.append(Delete(PLANE, document.name))
            elif document.name != self._own and document.update_time_us > at_us - GONE_US:
                try:
                    others[document.name] = PlaneReport.of_text(document.body)
                except (ValueError, TypeError, LookupError):
                    _log.warning("the report of another control plane cannot be read", exc_info=True)
        if old:
            await self._store.commit(old, at_us=at_us)
        self._others = others

    def calls(self) -> Iterator[tuple[str, int, int]]:
        """Yield route, failed and all calls that have ended at the others' proxies since the last time."""
        for name, report in self._others.items():
            before = self._before.get(name)
            self._before[name] = report.calls
            if before is None or before is report.calls:
                continue
            for route, (failed, total) in report.calls.items():
                old_failed, old_total = before.get(route, (0, 0))
                if total > old_total and failed >= old_failed:
                    yield route, failed - old_failed, total - old_total
        self._before = {name: calls for name, calls in self._before.items() if name in self._others}

    def proxies(self) -> dict[str, ProxyFact]:
        """Return the proxies that are connected to the others."""
        return {proxy.node: proxy for report in self._others.values() for proxy in report.proxies}

    def breakers(self, watched: frozenset[str]) -> Iterator[BreakerFact]:
        """Yield the breakers of the others' proxies that are open, and those of the watched that are not."""
        for report in self._others.values():
            yield from report.breakers
            open_ones = {(breaker.name, breaker.proxy) for breaker in report.breakers}
            for proxy in report.proxies:
                for name in watched:
                    if (name, proxy.node) not in open_ones:
                        yield BreakerFact(name, "", proxy.node, False, report.at_us)
