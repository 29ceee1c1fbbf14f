"""The one connection that writes: changes are queued, grouped, and committed together.

Theory: with synchronous=FULL a commit costs one wait for the disk whatever its size. While one commit waits,
the next group gathers by itself; no timer is needed, a single change is never held back, and under load
groups grow to `MAX_GROUP` events. Each change runs in a savepoint, so that one that is refused (a wrong etag)
leaves the others of its group alone. Futures are completed after COMMIT, never before: this is what an
acknowledgement stands on.

A full disk fails the group and nothing else: SQLite rolls it back, what was acknowledged is intact, and the
next group tries again. An I/O error is final (a failed fsync must never be retried on the same file): the
writer stops and says so, the process ends, and the file is verified when it is opened again.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final, Generic, TypeVar

import aiosqlite

from seawall_control.domain.errors import ControlError, StoreFull, StoreUnavailable
from seawall_control.store.sqlite.opening import WAL_LIMIT_BYTES

MAX_GROUP: Final = 500
MAX_QUEUED: Final = 256
PROBE_S: Final = 5.0
"""How often a store that is full is tried without anybody asking."""
_RECLAIM_PAGES: Final = 4000
_CHECK_WAL_EVERY: Final = 256
"""Commits between two looks at the size of the write-ahead log."""

_log = logging.getLogger("seawall.control.store")

T = TypeVar("T")
Work = Callable[[aiosqlite.Connection], Awaitable[T]]


@dataclass(slots=True)
class _Job(Generic[T]):
    work: Work[T]
    weight: int
    done: asyncio.Future[T]


class Writer:
    """Runs changes one after the other and commits them in groups."""

    def __init__(self, db: aiosqlite.Connection, path: Path) -> None:
        self._db = db
        self._wal = path.with_name(path.name + "-wal")
        self._queue: asyncio.Queue[_Job[Any] | None] = asyncio.Queue(MAX_QUEUED)
        self._closed = False
        self._reclaim = False
        self.state = "ok"
        self.detail = "writing"
        self.commits = 0
        self.commit_seconds = 0.0
        self.failed: asyncio.Event = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run(), name="seawall-store-writer")

    @property
    def queued(self) -> int:
        """Changes that wait."""
        return self._queue.qsize()

    @property
    def wal_bytes(self) -> int:
        """Size of the write-ahead log."""
        try:
            return self._wal.stat().st_size
        except OSError:
            return 0

    async def do(self, work: Work[T], *, weight: int = 1) -> T:
        """Run a change and return its result once it is durable.

        Cancelling the caller does not undo the change. Raises what the change raises, `StoreFull` or
        `StoreUnavailable`.
        """
        if self._closed or self.failed.is_set():
            raise StoreUnavailable(f"the store does not take changes: {self.detail}")
        job: _Job[T] = _Job(work, weight, asyncio.get_running_loop().create_future())
        await self._queue.put(job)
        return await job.done

    async def aclose(self) -> None:
        """Commit what was accepted and stop."""
        if not self._closed:
            self._closed = True
            self.detail = "closing"
            await self._queue.put(None)
        await self._task

    async def _run(self) -> None:
        stopping = False
        while not stopping:
            job = await self._next()
            if job is None:
                break
            group = [job]
            weight = job.weight
            while weight < MAX_GROUP and not self._queue.empty():
                more = self._queue.get_nowait()
                if more is None:
                    stopping = True
                    break
                group.append(more)
                weight += more.weight
            await self._commit(group)
        while not self._queue.empty():
            late = self._queue.get_nowait()
            if late is not None:
                _fail(late, StoreUnavailable("the store is closing"))

    async def _next(self) -> _Job[Any] | None:
        """Return the next change; while the store is ill, now and then one of our own.

        It shows whether there is room again without anybody having to ask.
        """
        if self.state == "ok" or self.failed.is_set():
            return await self._queue.get()
        try:
            async with asyncio.timeout(PROBE_S):
                return await self._queue.get()
        except TimeoutError:
            probe: _Job[None] = _Job(_touch, 1, asyncio.get_running_loop().create_future())
            probe.done.add_done_callback(lambda done: done.cancelled() or done.exception())
            return probe

    async def _commit(self, group: list[_Job[Any]]) -> None:
        if self.failed.is_set():
            for job in group:
                _fail(job, StoreUnavailable(f"the store does not take changes: {self.detail}"))
            return
        started = monotonic()
        try:
            await self._db.execute("BEGIN IMMEDIATE")
            results = [await self._one(job) for job in group]
            await self._db.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it was, no job of the group may be left waiting
            await self._abort(group, error)
            return
        self.commits += 1
        self.commit_seconds += monotonic() - started
        if self.state != "ok":
            _log.warning("the store takes changes again")
        self.state, self.detail = "ok", "writing"
        for job, result, refused in results:
            if refused is not None:
                _fail(job, refused)
            elif not job.done.done():
                job.done.set_result(result)
        if self._reclaim:
            await self._give_room_back()
        if self.commits % _CHECK_WAL_EVERY == 0:
            await self._shrink_wal()

    async def _one(self, job: _Job[Any]) -> tuple[_Job[Any], Any, BaseException | None]:
        await self._db.execute("SAVEPOINT change")
        try:
            result = await job.work(self._db)
        except Exception as error:
            if not self._db.in_transaction or _ends_group(error):
                raise
            await self._db.execute("ROLLBACK TO change")
            await self._db.execute("RELEASE change")
            if not isinstance(error, ControlError):
                _log.exception("a change failed")
            return job, None, error
        await self._db.execute("RELEASE change")
        return job, result, None

    async def _abort(self, group: list[_Job[Any]], error: Exception) -> None:
        try:
            if self._db.in_transaction:
                await self._db.execute("ROLLBACK")
        except sqlite3.Error:
            _log.exception("rolling back failed")
            self.failed.set()
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        outcome: ControlError
        if code == sqlite3.SQLITE_FULL:
            self.state, self.detail = "full", "the disk is full; free some room, acknowledged events are safe"
            outcome = StoreFull("the control plane's disk is full; nothing of this request was stored")
        else:
            self.state, self.detail = "failed", str(error)[:300]
            outcome = StoreUnavailable(f"the store failed: {str(error)[:300]}")
            if code in (
                sqlite3.SQLITE_IOERR,
                sqlite3.SQLITE_CORRUPT,
                sqlite3.SQLITE_NOTADB,
                sqlite3.SQLITE_READONLY,
            ):
                self.failed.set()
        _log.error(
            "a commit failed", exc_info=error, extra={"fields": {"state": self.state, "changes": len(group)}}
        )
        for job in group:
            _fail(job, outcome)

    def reclaim_soon(self) -> None:
        """Make the file smaller after this commit: pages were freed."""
        self._reclaim = True

    async def _give_room_back(self) -> None:
        self._reclaim = False
        try:
            # As a script: it is stepped to its end, where a single statement without columns is stepped once.
            await self._db.executescript(f"PRAGMA incremental_vacuum({_RECLAIM_PAGES});")
        except sqlite3.Error as error:
            _log.warning("freed pages could not be given back", extra={"fields": {"error": str(error)}})

    async def _shrink_wal(self) -> None:
        """Truncate a log that outgrew its limit, unless a reader holds it right now."""
        if self.wal_bytes <= WAL_LIMIT_BYTES:
            return
        try:
            await self._db.execute("PRAGMA busy_timeout = 100")
            await self._db.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            _log.warning(
                "the write-ahead log could not be truncated", extra={"fields": {"error": str(error)}}
            )
        finally:
            await self._db.execute("PRAGMA busy_timeout = 5000")


async def _touch(db: aiosqlite.Connection) -> None:
    """Write a page with what it says already: this takes as much room as a small change."""
    version = next(iter(await db.execute_fetchall("PRAGMA user_version")))[0]
    await db.execute(f"PRAGMA user_version = {int(version)}")


def _ends_group(error: BaseException) -> bool:
    """Tell whether an error concerns the file rather than one change."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
    )


def _fail(job: _Job[Any], error: BaseException) -> None:
    if not job.done.done():
        job.done.set_exception(error)
