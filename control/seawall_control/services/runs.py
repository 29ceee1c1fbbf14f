"""Tells of the runs of the control plane and of proxies: an event when one begins anew, and when one ends.

How a run ended is a document of the store, so that the next start knows, and other control planes on the
same store do. A control plane on a shared store renews its own, and the leading one tells of those that are
missed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Final

from seawall_control.domain import runs
from seawall_control.domain.errors import ControlError
from seawall_control.domain.events import MICROS, Event, EventKind
from seawall_control.domain.fleet import ProxyRecord
from seawall_control.domain.records import Delete, DocumentConflict, Put
from seawall_control.domain.runs import Ending, News, Run
from seawall_control.services.background import Background
from seawall_control.services.edge import Clock, derived_id
from seawall_control.services.events import EventService
from seawall_control.store.port import Store

CONTROL: Final = "control-run"
PROXY: Final = "proxy-run"
EVERY_S: Final = 15.0
"""How often a control plane on a shared store says that it is there."""
ALONE_S: Final = 60.0
"""And one that has the store for itself: only the length of its absence hangs on it."""
LOST_US: Final = 60 * MICROS
FORGET_US: Final = 30 * 24 * 3600 * MICROS
MAX_ENDINGS: Final = 5000
MAX_WAITING: Final = 20_000

_log = logging.getLogger("seawall.control.runs")


class Runs:
    """Runs of processes. `name` is what this control plane is called among others on the same store."""

    def __init__(
        self,
        store: Store,
        events: EventService,
        clock: Clock,
        background: Background,
        *,
        name: str,
        run_id: str,
        version: str,
    ) -> None:
        self._store = store
        self._events = events
        self._clock = clock
        self._background = background
        self._name = name
        self._own = Run(id=run_id, version=version)
        self._begun = False
        self._waiting: deque[Callable[[], Coroutine[Any, Any, None]]] = deque()
        self._working = False
        self._endings: OrderedDict[str, Run] = OrderedDict()
        """How runs of proxies ended that was seen here, also before it is stored."""

    # -------------------------------------------------------------------------------------- the control plane

    async def begin(self) -> None:
        """Tell that the control plane has started, unless it never ran before on this store."""
        at_us = self._clock.now_us()
        try:
            before = await self._run(CONTROL, self._name)
            await self._renew(at_us)
        except ControlError as error:
            _log.warning("the start could not be noted", extra={"fields": {"error": str(error)}})
            return
        if before is None or before.id == self._own.id:
            return
        if before.ending is Ending.NONE:
            before = replace(before, ending=Ending.UNCLEAN)
        news = runs.restarted(self._who(self._name), before, self._own, at_us=at_us)
        await self._tell(self._component(self._name), runs.CONTROL_STARTED, news, self._own.id)

    async def end(self, reason: str, *, clean: bool = True) -> None:
        """Note that the control plane stops, and why."""
        if not self._begun:
            return
        at_us = self._clock.now_us()
        ending = Ending.CLEAN if clean else Ending.UNCLEAN
        self._own = replace(self._own, ending=ending, reason=reason[: runs.MAX_REASON])
        news = runs.stopped(self._who(self._name), self._own)
        await self._tell(self._component(self._name), runs.CONTROL_STOPPED, news, self._own.id)
        try:
            await self._renew(at_us)
        except ControlError as error:
            _log.warning("the end could not be noted", extra={"fields": {"error": str(error)}})

    async def run(self, leads: Callable[[], bool]) -> None:
        """Say that this control plane is there, and tell of those that are missed, until cancelled."""
        every_s = EVERY_S if self._store.is_shared else ALONE_S
        while True:
            await asyncio.sleep(every_s)
            try:
                await self._renew(self._clock.now_us())
                if self._store.is_shared and leads():
                    await self.look_around()
            except ControlError as error:
                _log.info("runs cannot be noted now", extra={"fields": {"error": str(error)}})

    async def look_around(self) -> None:
        """Tell of the control planes on this store that are missed; forget those that ended long ago."""
        at_us = self._clock.now_us()
        for document in await self._store.documents(CONTROL):
            run = _read(document.name, document.body)
            if run is None or document.name == self._name:
                continue
            if run.seen_us < at_us - FORGET_US:
                await self._store.commit([Delete(CONTROL, document.name)], at_us=at_us)
            elif run.ending is Ending.NONE and not run.told and run.seen_us < at_us - LOST_US:
                told = replace(run, told=True).to_text()
                try:
                    put = Put(CONTROL, document.name, told, expected=document.version)
                    await self._store.commit([put], at_us=at_us)
                except DocumentConflict:
                    continue  # it is there again, or somebody else has told
                news = runs.lost(self._who(document.name), run, at_us=at_us)
                await self._tell(self._component(document.name), runs.CONTROL_LOST, news, run.id)

    async def _renew(self, at_us: int) -> None:
        self._own = replace(self._own, seen_us=at_us)
        await self._store.commit([Put(CONTROL, self._name, self._own.to_text())], at_us=at_us)
        self._begun = True

    def _component(self, name: str) -> str:
        return f"control/{name}" if self._store.is_shared else "control"

    def _who(self, name: str) -> str:
        return f"Control plane {name}" if self._store.is_shared else "The control plane"

    # ------------------------------------------------------------------------------------------------ proxies

    def proxy_began(self, before: ProxyRecord | None, record: ProxyRecord) -> None:
        """Tell that a proxy has started anew, if it has: it was known, as another run."""
        if before is None or not before.boot_id or not record.boot_id:
            return
        if record.boot_id != before.boot_id:
            self._do(lambda: self._restarted(before, record))
        elif self._endings.get(record.node, Run(id="")).id == record.boot_id:
            # Its stream had ended, and not its run.
            del self._endings[record.node]
            self._do(lambda: self._note(record.node, Run(id=record.boot_id, version=record.version)))

    async def _restarted(self, before: ProxyRecord, record: ProxyRecord) -> None:
        known = self._endings.get(record.node)
        if known is None or known.id != before.boot_id:
            try:
                known = await self._run(PROXY, record.node)
            except ControlError:
                known = None
        if known is None or known.id != before.boot_id:
            known = Run(id=before.boot_id, seen_us=before.last_seen_us)
        known = replace(known, version=before.version)
        after = Run(id=record.boot_id, version=record.version)
        news = runs.restarted(f"Proxy {record.node}", known, after, at_us=self._clock.now_us())
        await self._tell(
            f"proxy/{record.node}", runs.PROXY_RESTARTED, news, record.boot_id, proxy=record.node
        )

    def proxy_ended(self, record: ProxyRecord, goodbye: str | None) -> None:
        """Note how the stream of a proxy ended that says goodbye when it stops: with a reason, or without
        (None).
        """
        ending = Ending.UNCLEAN if goodbye is None else Ending.CLEAN
        run = Run(
            id=record.boot_id,
            version=record.version,
            seen_us=record.last_seen_us,
            ending=ending,
            reason=(goodbye or "")[: runs.MAX_REASON],
        )
        self._endings.pop(record.node, None)
        self._endings[record.node] = run
        if len(self._endings) > MAX_ENDINGS:
            self._endings.popitem(last=False)
        self._do(lambda: self._ended(record.node, run))

    async def _ended(self, node: str, run: Run) -> None:
        await self._note(node, run)
        if run.ending is Ending.CLEAN:
            news = runs.stopped(f"Proxy {node}", run)
            await self._tell(f"proxy/{node}", runs.PROXY_STOPPED, news, run.id, proxy=node)

    async def _note(self, node: str, run: Run) -> None:
        try:
            await self._store.commit([Put(PROXY, node, run.to_text())], at_us=self._clock.now_us())
        except ControlError as error:
            _log.warning(
                "the end of a proxy could not be noted", extra={"fields": {"node": node, "error": str(error)}}
            )

    def proxy_forgotten(self, nodes: list[str]) -> None:
        """Drop what is kept of proxies that are no part of the fleet any more."""
        for node in nodes:
            self._endings.pop(node, None)
        self._do(lambda: self._forget(nodes))

    async def _forget(self, nodes: list[str]) -> None:
        for start in range(0, len(nodes), 200):
            changes = [Delete(PROXY, node) for node in nodes[start : start + 200]]
            try:
                await self._store.commit(changes, at_us=self._clock.now_us())
            except ControlError as error:
                _log.info("ends of proxies stay on record", extra={"fields": {"error": str(error)}})

    # ------------------------------------------------------------------------------------------------- inside

    def _do(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do it soon, after what waits: a thousand proxies may come or go at once."""
        if len(self._waiting) >= MAX_WAITING:
            _log.warning("ends and starts of proxies are not noted: too many at once")
            return
        self._waiting.append(work)
        if not self._working:
            self._working = self._background.start(self._work(), "seawall-runs")

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._waiting.popleft()()
        finally:
            self._working = False

    async def _run(self, kind: str, name: str) -> Run | None:
        document = await self._store.document(kind, name)
        return None if document is None else _read(name, document.body)

    async def _tell(
        self, component: str, error_type: str, news: News, run_id: str, *, proxy: str = ""
    ) -> None:
        """Store an event, once for a run, whoever tells of it; all of one process are one group."""
        at_us = self._clock.now_us()
        # Nobody has to look at what went in order, or every upgrade would leave the whole degraded.
        done = runs.went_in_order(news)
        await self._events.keep_own(
            Event(
                id=derived_id(error_type, component, run_id),
                timestamp_us=at_us,
                severity=news.severity,
                component=component,
                error_type=error_type,
                message=news.message,
                details=news.details,
                kind=EventKind.SYSTEM,
                reason=error_type.upper(),
                proxy=proxy,
                resolved=done,
                resolved_at_us=at_us if done else 0,
                resolution="It went in order." if done else "",
            )
        )


def _read(name: str, body: str) -> Run | None:
    try:
        return Run.of_text(body)
    except (TypeError, ValueError) as error:
        _log.error(
            "a stored run cannot be read and is left out",
            extra={"fields": {"name": name, "error": str(error)}},
        )
        return None
