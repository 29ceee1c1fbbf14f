"""The queue in front of the one connection that writes: changes wait, are grouped, and committed together.

Theory: a commit costs one wait for the disk whatever its size. While one commit waits, the next group gathers
by itself; no timer is needed, a single change is never held back, and under load groups grow to `MAX_GROUP`
events. Futures are completed after COMMIT, never before: this is what an acknowledgement stands on. How a
group is committed, and what an error means, is the adapter's.

Changes of one kind that are in one group may be made together, as events are: every table is then asked and
written once for all of them. Upkeep waits in a lane of its own (store/lanes.py).
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar

from seawall_control.domain.errors import ControlError, StoreUnavailable
from seawall_control.domain.records import Change, Touched
from seawall_control.store import witness as witnesses
from seawall_control.store.lanes import Lanes, LanesClosed

MAX_GROUP: Final = 500
"""Events in one commit; a change that has more by itself is committed by itself."""
JOURNAL_AREA: Final = "records"
"""What the records of a witness concern."""

T = TypeVar("T")
C = TypeVar("C")
P = TypeVar("P")

Together: TypeAlias = Callable[[C, Sequence[P]], Awaitable[Sequence[T | ControlError]]]
"""Makes several changes of one kind; returns a result for each, or why it was refused and changed nothing."""


@dataclass(slots=True)
class Job(Generic[C, T]):
    """A change that waits, to be made with others of its kind."""

    work: Together[C, Any, T]
    part: Any
    """What `work` is given for this change."""
    weight: int
    areas: tuple[str, ...]
    """What the change concerns, for adapters that lock."""
    done: asyncio.Future[T]
    durable: Callable[[], None] | None = None
    """Called once it is, also when its caller has gone."""

    def refuse(self, error: BaseException) -> None:
        """Tell the caller that nothing was changed, unless it has gone."""
        if not self.done.done():
            self.done.set_exception(error)

    def answer(self, result: T) -> None:
        """Tell that the change is durable, the caller too unless it has gone."""
        if self.durable is not None:
            self.durable()
        if not self.done.done():
            self.done.set_result(result)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[C]):
    """What became of a change."""

    job: Job[C, Any]
    result: Any = None
    refused: BaseException | None = None

    def tell(self) -> None:
        """Tell the caller, once it is durable."""
        if self.refused is not None:
            self.job.refuse(self.refused)
        else:
            self.job.answer(self.result)


def kinds(group: Sequence[Job[C, Any]]) -> list[list[Job[C, Any]]]:
    """Return the changes of a group, those that are made together in one list. All of them wait at once, so
    nobody can tell in which order they were asked for.
    """
    found: list[list[Job[C, Any]]] = []
    for job in group:
        for others in found:
            if others[0].work == job.work:
                others.append(job)
                break
        else:
            found.append([job])
    return found


async def made(db: C, jobs: Sequence[Job[C, Any]]) -> list[Outcome[C]]:
    """Make changes of one kind."""
    results = await jobs[0].work(db, [job.part for job in jobs])
    return [
        Outcome(job, refused=result) if isinstance(result, ControlError) else Outcome(job, result)
        for job, result in zip(jobs, results, strict=True)
    ]


def _future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


class GroupCommit(ABC, Generic[C]):
    """Runs changes one after the other and commits them in groups. `C` is the connection they work on."""

    def __init__(self) -> None:
        self._lanes: Lanes[Job[C, Any]] = Lanes()
        self._closed = False
        self.state = "ok"
        self.detail = "writing"
        self.commits = 0
        self.commit_seconds = 0.0
        self.failed: asyncio.Event = asyncio.Event()
        """Set when nothing may be written any more in this process."""
        self.settled: Callable[[bool], None] = lambda _: None
        """Called when a transaction, or a part of it that was undone, has ended: with whether it counts."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="seawall-store-writer")

    @abstractmethod
    async def _commit(self, group: list[Job[C, Any]]) -> None:
        """Commit a group and complete its futures, all of them, whatever happens. Never raises."""

    @abstractmethod
    async def _probe(self, db: C) -> None:
        """Change nothing, in a way that shows whether changes are possible again."""

    @abstractmethod
    def _probe_in_s(self) -> float:
        """Return how long to wait, while the store is ill, before it is tried without anybody asking."""

    @abstractmethod
    async def _record(self, db: C, changes: Sequence[Change], at_us: int) -> None:
        """Write records within the transaction that is open, in the area `JOURNAL_AREA`."""

    @property
    def queued(self) -> int:
        """Changes that wait."""
        return len(self._lanes)

    async def do(
        self,
        work: Callable[[C], Awaitable[T]],
        *,
        weight: int = 1,
        area: str = "",
        told: Callable[[T], Sequence[Touched]] = witnesses.touched,
        upkeep: bool = False,
    ) -> T:
        """Run a change and return its result once it is durable. `told` says what it made different, for the
        records of a witness (store/witness.py), which are committed with it. `upkeep`: others go first.

        Cancelling the caller does not undo the change. Raises what the change raises, `StoreFull` or
        `StoreUnavailable`.
        """
        areas = (area,) if area else ()
        durable: Callable[[], None] | None = None
        witness = witnesses.current()
        if witness is not None:
            taken = witnesses.Taken(work, witness, self._record, told)
            work, durable, areas = taken.work, taken.durable, (*areas, JOURNAL_AREA)

        async def alone(db: C, _: Sequence[None]) -> Sequence[T | ControlError]:
            return [await work(db)]

        return await self._waited(Job(alone, None, weight, areas, _future(), durable), upkeep=upkeep)

    async def do_together(self, work: Together[C, P, T], part: P, *, weight: int = 1, area: str = "") -> T:
        """Like `do`, for a change that is made with those others that wait and have the same `work`. It is of
        a kind that no witness writes down.
        """
        return await self._waited(Job(work, part, weight, (area,) if area else (), _future()))

    async def _waited(self, job: Job[C, T], *, upkeep: bool = False) -> T:
        if self._closed or self.failed.is_set():
            raise StoreUnavailable(f"the store does not take changes: {self.detail}")
        try:
            await self._lanes.put(job, upkeep=upkeep)
        except LanesClosed:
            raise StoreUnavailable("the store is closing") from None
        return await job.done

    async def aclose(self) -> None:
        """Commit what was accepted and stop."""
        if not self._closed:
            self._closed = True
            self.detail = "closing"
            self._lanes.close()
        await self._task

    async def _run(self) -> None:
        while group := await self._next():
            if self.failed.is_set():
                for job in group:
                    job.refuse(StoreUnavailable(f"the store does not take changes: {self.detail}"))
            else:
                await self._commit(group)
            self._lanes.done()

    async def _next(self) -> list[Job[C, Any]]:
        """Return the next group; while the store is ill, now and then a change of our own.

        It shows whether there is room again without anybody having to ask.
        """
        if self.state == "ok" or self.failed.is_set():
            return await self._lanes.group(MAX_GROUP)
        try:
            async with asyncio.timeout(self._probe_in_s()):
                return await self._lanes.group(MAX_GROUP)
        except TimeoutError:
            probe: Job[C, None] = Job(self._probed, None, 1, (), _future())
            probe.done.add_done_callback(lambda done: done.cancelled() or done.exception())
            return [probe]

    async def _probed(self, db: C, _: Sequence[None]) -> Sequence[None]:
        await self._probe(db)
        return [None]
