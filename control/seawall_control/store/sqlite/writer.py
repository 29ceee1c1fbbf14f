"""The one connection that writes to the file; store/group_commit.py has the queue in front of it.

A change that is refused (a wrong etag) leaves the others of its group alone. Nearly none is, so a group is
first run without savepoints, within which SQLite keeps a copy of every page before every row of a bulk
insert, and that costs three times what the rows do. When one of several changes is refused, all are rolled
back and run again, each in a savepoint of its own. A change may therefore be run twice.

A full disk fails the group and nothing else: SQLite rolls it back, what was acknowledged is intact, and the
next group tries again. An I/O error is final (a failed fsync must never be retried on the same file): the
writer stops and says so, the process ends, and the file is verified when it is opened again. So it is when
the file, or its log, was deleted or replaced: SQLite goes on writing to what has no name any more, and nobody
would find it again. That is looked for after every commit, before anybody is told of it.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any, Final, TypeAlias

from seawall_control.domain.errors import ControlError, StoreFull, StoreUnavailable
from seawall_control.domain.records import Change, DocumentConflict
from seawall_control.store import record_sql
from seawall_control.store.group_commit import GroupCommit, Job, Outcome, kinds, made
from seawall_control.store.sqlite.opening import WAL_LIMIT_BYTES
from seawall_control.store.sqlite.thread import UPKEEP_S, SqliteStatements, WritingConnection, finished

PROBE_S: Final = 5.0
"""How often a store that is full is tried without anybody asking."""
_SPARE: Final = 64
"""Of the file, one part in so many may be free, and `_SPARE_PAGES` at most: new events go there, which is
cheaper than to make the file smaller and larger again.
"""
_SPARE_PAGES: Final = 4096
_CHECK_WAL_EVERY: Final = 256
"""Commits between two looks at the size of the write-ahead log."""
_FINAL: Final = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY)
"""Errors of a file that nothing more may be written to."""

_log = logging.getLogger("seawall.control.store")

_Job: TypeAlias = Job[SqliteStatements, Any]
_Outcome: TypeAlias = Outcome[SqliteStatements]


class Misplaced(Exception):
    """The file that is written is not the one that has its name."""


class Writer(GroupCommit[SqliteStatements]):
    """Runs changes one after the other and commits them in groups."""

    def __init__(self, db: WritingConnection, path: Path) -> None:
        super().__init__()
        self._db = db
        self._path = path
        self._wal = path.with_name(path.name + "-wal")
        self._identities: dict[Path, tuple[int, int]] = {path: identity(path)}
        self._reclaim = True
        self.free_bytes = 0
        """In pages that nothing is in."""

    @property
    def wal_bytes(self) -> int:
        """Size of the write-ahead log."""
        try:
            return self._wal.stat().st_size
        except OSError:
            return 0

    async def _record(self, db: SqliteStatements, changes: Sequence[Change], at_us: int) -> None:
        await record_sql.write(db, changes, at_us)

    def _probe_in_s(self) -> float:
        return PROBE_S

    async def _probe(self, db: SqliteStatements) -> None:
        # A page is written with what it says already: this takes as much room as a small change.
        version = (await db.rows("PRAGMA user_version"))[0][0]
        await db.change(f"PRAGMA user_version = {int(version)}")

    async def _commit(self, group: list[_Job]) -> None:
        started = monotonic()
        try:
            outcomes = await self._db.within(lambda db: self._transaction(db, group))
        except Exception as error:  # noqa: BLE001 - whatever it was, no job of the group may be left waiting
            self.settled(False)
            await self._abort(group, error)
            return
        self.commits += 1
        self.commit_seconds += monotonic() - started
        if self.state != "ok":
            _log.warning("the store takes changes again")
        self.state, self.detail = "ok", "writing"
        for outcome in outcomes:
            outcome.tell()
        if self._reclaim and not self.queued:
            await self._give_room_back()
        if self.commits % _CHECK_WAL_EVERY == 0:
            await self._shrink_wal()

    def _transaction(self, db: sqlite3.Connection, group: list[_Job]) -> list[_Outcome]:
        """Run and commit a group, in the connection's thread. Raises what concerns all of it."""
        said = SqliteStatements(db)
        db.execute("BEGIN IMMEDIATE")
        try:
            outcomes = [outcome for jobs in kinds(group) for outcome in finished(made(said, jobs))]
        except Exception as error:
            if _concerns_all(db, error):
                raise
            db.execute("ROLLBACK")
            self.settled(False)
            if len(group) == 1:
                return [_refused(group[0], error)]
            db.execute("BEGIN IMMEDIATE")
            outcomes = [self._one(db, said, job) for job in group]
        db.execute("COMMIT")
        self._check_place()
        self.settled(True)
        return outcomes

    def _check_place(self) -> None:
        """Raise `Misplaced` when the file or its log is not where it was. Takes some microseconds."""
        for path in (self._path, self._wal):
            try:
                found = identity(path)
            except FileNotFoundError:
                raise Misplaced(
                    f"{path} is gone: it was deleted or moved while the control plane used it. Put it, or a "
                    "copy, in its place before the next start"
                ) from None
            if self._identities.setdefault(path, found) != found:
                raise Misplaced(f"{path} was replaced while the control plane used it")

    def _one(self, db: sqlite3.Connection, said: SqliteStatements, job: _Job) -> _Outcome:
        """Run a change in a savepoint."""
        db.execute("SAVEPOINT change")
        try:
            outcome = finished(made(said, [job]))[0]
        except Exception as error:
            if _concerns_all(db, error):
                raise
            db.execute("ROLLBACK TO change")
            db.execute("RELEASE change")
            self.settled(False)
            return _refused(job, error)
        db.execute("RELEASE change")
        return outcome

    async def _abort(self, group: list[_Job], error: Exception) -> None:
        try:
            if self._db.in_transaction:
                await self._db.execute("ROLLBACK")
        except sqlite3.Error:
            _log.exception("rolling back failed")
            self.failed.set()
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        told: ControlError
        if code == sqlite3.SQLITE_FULL:
            self.state, self.detail = "full", "the disk is full; free some room, acknowledged events are safe"
            told = StoreFull("the control plane's disk is full; nothing of this request was stored")
        else:
            self.state, self.detail = "failed", str(error)[:300]
            told = StoreUnavailable(f"the store failed: {str(error)[:300]}")
            if isinstance(error, Misplaced) or code in _FINAL:
                self.failed.set()
        _log.error(
            "a commit failed",
            # A full disk says all there is to say, and may say it every second.
            exc_info=None if self.state == "full" else error,
            extra={"fields": {"state": self.state, "changes": len(group), "error": str(error)[:300]}},
        )
        for job in group:
            job.refuse(told)

    def reclaim_soon(self) -> None:
        """Make the file smaller when nobody waits: pages were freed."""
        self._reclaim = True

    async def _give_room_back(self) -> None:
        try:
            self._reclaim = await self._db.within(self._given_back)
        except sqlite3.Error as error:
            self._reclaim = False
            fields = {"fields": {"error": str(error)}}
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _FINAL:
                _log.warning("freed pages could not be given back", extra=fields)
                return
            # What a sync that failed has left of the log is not known, whatever it was for.
            self.state, self.detail = "failed", str(error)[:300]
            self.failed.set()
            _log.error("giving freed pages back failed", extra=fields)

    def _given_back(self, db: sqlite3.Connection) -> bool:
        """Cut free pages off the file, as many as there is time for; tell whether there are more."""
        pages, size, free = (
            int(db.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "page_size", "freelist_count")
        )
        self.free_bytes = free * size
        spare = min(pages // _SPARE, _SPARE_PAGES)
        if free <= spare:
            return False
        until = monotonic() + UPKEEP_S
        db.execute("BEGIN IMMEDIATE")
        try:
            while free > spare and monotonic() < until:
                # Without columns, so it is stepped once, and a step is a page.
                db.execute("PRAGMA incremental_vacuum(1)")
                free -= 1
            db.execute("COMMIT")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        self.free_bytes = int(db.execute("PRAGMA freelist_count").fetchone()[0]) * size
        return True

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


def identity(path: Path) -> tuple[int, int]:
    """Return what tells a file from every other one. Raise FileNotFoundError."""
    found = path.stat()
    return found.st_dev, found.st_ino


def _refused(job: _Job, error: Exception) -> _Outcome:
    # A version that is not the expected one is an answer to who asked, as every `ControlError` is.
    if not isinstance(error, ControlError | DocumentConflict):
        _log.error("a change failed", exc_info=error)
    return Outcome(job, refused=error)


def _concerns_all(db: sqlite3.Connection, error: Exception) -> bool:
    return not db.in_transaction or _ends_group(error)


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
