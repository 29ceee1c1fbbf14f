"""The pump between the ring of records and the disk: builds events in small slices, keeps the recent
ones, spools them.

Building an event takes some tens of microseconds, so it is done on the event loop in slices of a few
records with a turn for everybody else in between, and never faster than `MAX_EVENTS_PER_S`: under a flood
the ring overflows and counts, and the calls do not feel it. Writing and syncing happen in one thread of
their own, because a disk may take seconds. A proxy without a spool (stand-alone, or its directory cannot
be used) keeps the recent events only.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, time
from typing import Final, TypeVar

from google.protobuf.json_format import MessageToDict

from seawall.v1 import event_pb2
from seawall_policy.settled_time import Kept, SettledTime
from seawall_proxy.telemetry.clock import ClockAnchor
from seawall_proxy.telemetry.counters import ProxyCounters
from seawall_proxy.telemetry.events import EventBuilder
from seawall_proxy.telemetry.recorder import EventRecorder
from seawall_proxy.telemetry.spool import (
    DISK_ERROR,
    NOT_BUILT,
    RING_FULL,
    Batch,
    Spool,
    SpoolBusy,
    SpoolLimits,
    SpoolStatus,
)
from seawall_proxy.telemetry.spool.opening import LeftBehind, open_spool
from seawall_proxy.telemetry.spool.source_mark import SourceMark

log = logging.getLogger("seawall.events")

TICK_S: Final = 0.1
IDLE_TICK_S: Final = 1.0
"""How often a spool is looked at that has nothing to sync."""
SLICE: Final = 16
MAX_EVENTS_PER_S: Final = 2000
RECENT: Final = 1000
REOPEN_S: Final = 30.0
LOOK_S: Final = 5.0
"""How often is looked for what workers have left behind that outlived the process in front of them."""
CLOSE_LIMIT_S: Final = 5.0

T = TypeVar("T")

Relay = Callable[[list[bytes], int, str, str], Awaitable[bool]]
"""Hands on serialized events, how many others are lost and why, and the name of the page of their source;
returns when there is room for more: whether they were settled in that page.
"""


class EventPump:
    """Moves records from the recorder to the recent ring and the spool. `random_bytes(n)` gives n random
    bytes.
    """

    def __init__(
        self,
        recorder: EventRecorder,
        counters: ProxyCounters,
        node: str,
        random_bytes: Callable[[int], bytes],
        spool_directory: Path | None = None,
        limits: SpoolLimits | None = None,
    ) -> None:
        self.spool: Spool | None = None
        self.problem: str = ""
        """Why there is no spool; empty when there is one, or none is wanted."""
        self._recorder: EventRecorder = recorder
        self._counters: ProxyCounters = counters
        self._builder: EventBuilder = EventBuilder(node, _anchor(), random_bytes)
        self._random_bytes: Callable[[int], bytes] = random_bytes
        self._directory: Path | None = spool_directory
        self._limits: SpoolLimits = SpoolLimits() if limits is None else limits
        self._recent: deque[event_pb2.ErrorEvent] = deque(maxlen=RECENT)
        self._mark: SourceMark | None = None
        """What this process has recorded, whatever becomes of it."""
        self._disk: ThreadPoolExecutor | None = None
        self._status: SpoolStatus | None = None
        self._reopen_at: float = 0.0
        self._spool_dropped: int = 0
        self._gone: bool = False
        """The spool's directory was deleted under it."""
        self._tick_at: float = 0.0
        self._ages: SettledTime = SettledTime()
        """What time it is for events that are too old to be kept."""
        self._left_behind: LeftBehind | None = (
            None if spool_directory is None else LeftBehind(spool_directory)
        )
        self._look_at: float = 0.0
        self._shared: bool = False
        """Another process may still hand on what it has recorded: it is not to be declared."""
        self._turn: asyncio.Lock = asyncio.Lock()
        self._wake: Callable[[], None] | None = None
        self._free: asyncio.Event = asyncio.Event()
        """Not while another process has the spool that is ours to open."""
        self._free.set()
        self.held: bool = False
        """The spool belongs to another process for the time being; records wait in the ring."""
        self.relay: Relay | None = None
        """Where events go instead, when another process keeps them."""

    @property
    def directory(self) -> Path | None:
        """Where the spool is, or would be; None when none is wanted."""
        return self._directory

    def on_spooled(self, wake: Callable[[], None]) -> None:
        """Have `wake` called whenever the spool has grown."""
        self._wake = wake

    async def run(self) -> None:
        """Pump until cancelled, then once more, and close the spool."""
        try:
            while True:
                await self.pump()
                await asyncio.sleep(TICK_S)
        finally:
            await self._finish()

    async def pump(self) -> None:
        """Move what waits now, at most a tick's share of the rate, and let the spool do what is due."""
        async with self._turn:
            await self._pump()

    async def submit(
        self, payloads: list[bytes], dropped: int, reason: str = RING_FULL, source: SourceMark | None = None
    ) -> None:
        """Keep and spool events that another process has built, and declare `dropped` further ones lost;
        returns once they are written, and settled in the page of their source. While the spool is another
        process's they wait, as records do.
        """
        await self._free.wait()
        async with self._turn:
            if self.relay is not None:
                await self._hand_on(self.relay, payloads, dropped, reason, source)
                return
            for payload in payloads:
                self._recent.append(event_pb2.ErrorEvent.FromString(payload))
            if self._directory is not None and self.spool is None and not self.held:
                await self._open()
            if self.spool is not None:
                await self.on_disk(self._store, self.spool, payloads, dropped, reason, 0, source)
                if self._wake is not None:
                    self._wake()
                return
            if self._directory is not None:
                self._counters.events_dropped += len(payloads)
            if source is not None:
                source.settle(len(payloads) + dropped)

    async def release(self) -> None:
        """Write what waits, close the spool and open it no more: another process is about to."""
        await self.drain()
        async with self._turn:
            self.held = True
            spool, self.spool = self.spool, None
            if spool is not None:
                await self.on_disk(spool.close)

    def hold(self) -> None:
        """Leave the spool closed until `take_over`: another process still has it. Until `alone` that one
        hands on what it records.
        """
        self.held = True
        self._shared = True
        self._free.clear()

    def take_over(self) -> None:
        """Open the spool from now on."""
        self.held = False
        self._free.set()
        self._reopen_at = 0.0

    def alone(self) -> None:
        """The other process is gone, and all that it has handed on is here: what it still had is lost."""
        self._shared = False

    async def drain(self) -> None:
        """Move everything that waits now."""
        for _ in range(1 + len(self._recorder) // SLICE):
            await self.pump()
            if len(self._recorder) == 0:
                break

    async def _pump(self) -> None:
        if self.held and self.relay is None:
            return
        if self.relay is None and self._directory is not None and self.spool is None:
            await self._open()
        self._builder.anchor = _anchor()
        payloads: list[bytes] = []
        taken = unbuilt = 0
        room = int(MAX_EVENTS_PER_S * TICK_S)
        while room > 0 and (records := self._recorder.take(min(SLICE, room))):
            room -= len(records)
            taken += len(records)
            for record in records:
                try:
                    event = self._builder.build(record)
                    payloads.append(event.SerializeToString())
                    self._recent.append(event)
                except Exception:
                    # A record that cannot be told is one event less, never the end of all of them.
                    self._counters.events_dropped += 1
                    unbuilt += 1
                    log.exception("an event could not be built")
            await asyncio.sleep(0)
        dropped = self._recorder.take_dropped()
        if self.relay is not None:
            if payloads or dropped:
                await self._hand_on(self.relay, payloads, dropped, RING_FULL, self._mark)
            if unbuilt:
                await self._hand_on(self.relay, [], unbuilt, NOT_BUILT, self._mark)
        elif self.spool is not None:
            if payloads or dropped or unbuilt or monotonic() >= self._tick_at:
                await self.on_disk(self._store, self.spool, payloads, dropped, RING_FULL, unbuilt, self._mark)
        elif self._directory is not None:
            self._counters.events_dropped += len(payloads)
        self._recorder.settled(taken + dropped)
        if self.spool is not None and self._gone:
            await self._begin_anew(self.spool)
        if payloads and self.spool is not None and self._wake is not None:
            self._wake()

    async def _hand_on(
        self, relay: Relay, payloads: list[bytes], dropped: int, reason: str, source: SourceMark | None
    ) -> None:
        try:
            settled = await relay(payloads, dropped, reason, "" if source is None else source.name)
        except ConnectionError as error:
            # Not settled: whoever has the spool next declares them.
            self._counters.events_dropped += len(payloads)
            log.error("%d events are lost: %s", len(payloads), error)  # noqa: TRY400
            return
        if source is not None and not settled:
            source.settle(len(payloads) + dropped)

    async def on_disk(self, function: Callable[..., T], *arguments: object) -> T:
        """Call a function of the spool in the spool's thread; no two calls run at once."""
        if self._disk is None:
            self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="seawall-spool")
        return await asyncio.get_running_loop().run_in_executor(self._disk, lambda: function(*arguments))

    async def take(self, max_events: int, max_bytes: int) -> Batch | None:
        """Return what the control plane should get next, or None when it has everything."""
        return None if self.spool is None else await self.on_disk(self.spool.take, max_events, max_bytes)

    async def ack(self, spool_id: str, through: int) -> None:
        """Forget what the control plane has; an acknowledgement for another spool is ignored."""
        spool = self.spool
        if spool is not None and spool.spool_id == spool_id:
            await self.on_disk(self._ack, spool, through)

    def _ack(self, spool: Spool, through: int) -> None:
        spool.ack(through)
        self._status = spool.status()

    async def rewind(self, spool_id: str, through: int) -> bool:
        """Send everything after a number again; tell whether there is anything to. See `Spool.rewind`."""
        spool = self.spool
        if spool is None or spool.spool_id != spool_id:
            return False
        return await self.on_disk(self._rewind, spool, through)

    def _rewind(self, spool: Spool, through: int) -> bool:
        went_back = spool.rewind(through)
        self._status = spool.status()
        return went_back

    def recent(self, limit: int = RECENT) -> list[event_pb2.ErrorEvent]:
        """Return the newest events, newest first."""
        newest = list(self._recent)[-limit:] if limit > 0 else []
        return newest[::-1]

    def recent_json(self, limit: int = RECENT) -> bytes:
        """Return the newest events as a JSON object with a list `events`, newest first."""
        events = [MessageToDict(event, preserving_proto_field_name=True) for event in self.recent(limit)]
        return json.dumps({"events": events}, ensure_ascii=False).encode("utf-8")

    def spool_status(self) -> SpoolStatus | None:
        """Return how the spool was doing a moment ago, or None when there is none."""
        return self._status

    def _store(
        self,
        spool: Spool,
        payloads: list[bytes],
        dropped: int,
        reason: str = RING_FULL,
        unbuilt: int = 0,
        source: SourceMark | None = None,
    ) -> None:
        now_s = time()
        spool.skip(dropped, reason, now_s, source)
        spool.skip(unbuilt, NOT_BUILT, now_s, source)
        if payloads:
            spool.append(payloads, now_s, source)
        spool.tick(self._ages.at(now_s, monotonic()))
        if self._left_behind is not None and not self._shared and monotonic() >= self._look_at:
            self._left_behind.declare(spool, now_s)
            self._look_at = monotonic() + LOOK_S
        self._status = spool.status()
        self._tick_at = monotonic() + (TICK_S if self._status.unsynced else IDLE_TICK_S)
        self._gone = spool.is_gone
        # These were counted when they happened.
        counted = (RING_FULL, NOT_BUILT)
        total = sum(count for reason, count in self._status.dropped.items() if reason not in counted)
        self._counters.events_dropped += total - self._spool_dropped
        self._spool_dropped = total

    async def _open(self) -> None:
        now = monotonic()
        if now < self._reopen_at:
            return
        try:
            spool, mark = await self.on_disk(
                open_spool, self._directory, self._random_bytes, self._limits, time()
            )
            self.spool, self._mark = spool, mark
            # A start with a wrong clock must not cost what waits: the spool tells what time it was.
            self._ages = SettledTime(Kept(spool.newest_s)) if spool.newest_s else SettledTime()
            self._recorder.tell(None if mark is None else mark.record)
            self._status = await self.on_disk(spool.status)
            self.problem = ""
        except (OSError, SpoolBusy) as error:
            self._reopen_at = now + REOPEN_S
            self.problem = f"no event spool: {error}"
            log.error("%s; events are dropped and counted until it can be opened", self.problem)  # noqa: TRY400

    async def _begin_anew(self, spool: Spool) -> None:
        """Open another spool where the old one was deleted, and declare there what it had."""
        log.error(
            "the event spool in %s was deleted; a new one is begun, and %d events are declared as lost",
            self._directory,
            spool.depth,
        )
        lost = spool.depth
        self.spool, self._gone = None, False
        self._recorder.tell(None)
        if self._mark is not None:
            # What waits is counted in the next one.
            self._mark.remove()
            self._mark = None
        await self.on_disk(spool.close)
        self._reopen_at = 0.0
        self._spool_dropped = 0
        await self._open()
        if self.spool is None:
            self._counters.events_dropped += lost
            return
        await self.on_disk(self.spool.skip, lost, DISK_ERROR, time())

    def _leave_mark(self) -> None:
        """Leave what is recorded and not numbered to whoever has the spool next."""
        self._recorder.tell(None)
        if self._mark is not None:
            self._mark.leave()
            self._mark = None

    async def _finish(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await self.drain()
                if self.spool is not None:
                    await self.on_disk(self.spool.close)
                self._leave_mark()
        except TimeoutError:
            log.warning(
                "the event spool was not closed within %.0f s; it is recovered at the next start",
                CLOSE_LIMIT_S,
            )
        finally:
            self.spool = None
            if self._disk is not None:
                self._disk.shutdown(wait=False)


def _anchor() -> ClockAnchor:
    return ClockAnchor(monotonic(), time())
