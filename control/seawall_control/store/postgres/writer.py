"""The one connection of this process that changes things; store/group_commit.py has the queue in front of it.

Theory: several control planes share a database, so what SQLite has by being one file is had here by advisory
locks: a transaction first takes the locks of the areas that its changes concern, always in the same order,
and so sees everything that was committed before it and never deadlocks with another. Locks end with their
transaction, also when the control plane does; one that freezes in the middle is cut off by the server after
`IDLE_LIMIT_S`.

A change that is refused leaves the others of its group alone. Nearly none is, so a group is first run without
savepoints, each of which costs two trips to the server; when one of several changes is refused, all are
rolled back and run again, each in a savepoint of its own. A change may therefore be run twice.

A connection that is lost before COMMIT was sent has changed nothing. One that is lost after it may have: the
server is then asked what became of the transaction, by its number, before anybody is told anything. Lost
connections are opened again, at once for the first change and with backoff from then on; nothing here ends
the process, except a schema that a newer control plane has migrated meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, TypeAlias

from seawall_control.domain.errors import ControlError, StoreFull, StoreRefused, StoreUnavailable
from seawall_control.domain.records import Change, DocumentConflict
from seawall_control.store import record_sql
from seawall_control.store.group_commit import GroupCommit, Job, Outcome, kinds, made
from seawall_control.store.postgres import errors
from seawall_control.store.postgres.opening import (
    AREAS,
    Server,
    check_known,
    connect_writer,
    migrations,
    schema_number,
)
from seawall_control.store.postgres.statements import PostgresStatements
from seawall_control.store.postgres.target import Connection, Target

PROBE_S: Final = 5.0
"""How often a store that is full is tried without anybody asking."""
BACKOFF_S: Final = (0.2, 5.0)
"""First and longest wait between two attempts to connect; each wait is drawn from half of it to all of it."""
OUTCOME_LIMIT_S: Final = 15.0
"""How long the fate of a transaction is looked for whose COMMIT was not answered."""
_ATTEMPTS: Final = 3
_NUMBER: Final = "SELECT pg_current_xact_id()::text"
_FATE: Final = "SELECT pg_xact_status($1::text::xid8)"

_Job: TypeAlias = Job[Connection, Any]
_Outcome: TypeAlias = Outcome[Connection]

_log = logging.getLogger("seawall.control.store")


@dataclass(slots=True)
class Open:
    """The transaction that is open."""

    number: int = 0
    """Not known before somebody has asked: the writer does so before COMMIT at the latest."""
    with_care: bool = False
    """One of its changes failed before, and all are run again, each by itself."""


class Writer(GroupCommit[Connection]):
    """Runs changes one after the other and commits them in groups."""

    def __init__(self, target: Target, db: Connection, server: Server) -> None:
        super().__init__()
        self._target = target
        self._db: Connection | None = db
        self.server = server
        self.open = Open()
        self._newest = len(migrations())
        self._wait_s = 0.0
        self._not_before_s = 0.0
        self.reconnects = 0

    async def close(self) -> None:
        """Commit what was accepted, then close the connection."""
        await self.aclose()
        if self._db is not None:
            await hang_up(self._db)
            self._db = None

    async def _record(self, db: Connection, changes: Sequence[Change], at_us: int) -> None:
        await record_sql.write(PostgresStatements(db), changes, at_us)

    def _probe_in_s(self) -> float:
        if self._db is not None and not self._db.is_closed():
            return PROBE_S
        return max(0.01, self._not_before_s - monotonic())

    async def _probe(self, db: Connection) -> None:
        # A row is written as it is already: this takes as much room as a small change.
        await db.execute("UPDATE seawall_migrations SET name = name WHERE number = 1")

    # -------------------------------------------------------------------------------------------- connection

    async def _connected(self) -> Connection:
        """Return the connection, opening it again if need be. Raise `StoreUnavailable`."""
        if self._db is not None and not self._db.is_closed():
            return self._db
        self._db = None
        if monotonic() < self._not_before_s:
            raise StoreUnavailable(f"the store does not take changes: {self.detail}")
        try:
            db, self.server = await connect_writer(self._target)
            try:
                check_known(await schema_number(db), self._target, self._newest)
            except BaseException as error:
                db.terminate()
                if isinstance(error, StoreRefused):
                    # The next start says so and ends; this process no longer knows what it would write.
                    self.failed.set()
                raise
        except Exception as error:
            low, high = BACKOFF_S
            self._wait_s = min(high, max(low, 2 * self._wait_s))
            self._not_before_s = monotonic() + self._wait_s * random.uniform(0.5, 1.0)
            self.state, self.detail = "failed", f"no connection to the database: {errors.said(error)}"
            raise StoreUnavailable(f"the store does not take changes: {self.detail}") from error
        self._wait_s = self._not_before_s = 0.0
        self.reconnects += 1
        self._db = db
        _log.info("connected to the database again", extra={"fields": {"database": self._target.shown}})
        return db

    def _drop(self) -> None:
        if self._db is not None:
            self._db.terminate()
            self._db = None

    # ---------------------------------------------------------------------------------------------- a group

    async def _commit(self, group: list[_Job]) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                started = monotonic()
                outcomes = await self._transaction(await self._connected(), group)
            except Exception as error:  # noqa: BLE001 - whatever it was, no job of the group may be left waiting
                self.settled(False)
                if errors.is_worth_repeating(error) and attempt + 1 < _ATTEMPTS:
                    await asyncio.sleep(random.uniform(0.005, 0.05))
                    continue
                self._abort(group, error)
                return
            self.commits += 1
            self.commit_seconds += monotonic() - started
            if self.state != "ok":
                _log.warning("the store takes changes again")
            self.state, self.detail = "ok", "writing"
            for outcome in outcomes:
                outcome.tell()
            return

    async def _transaction(self, db: Connection, group: list[_Job]) -> list[_Outcome]:
        """Run and commit a group. Raises with nothing changed, unless it says otherwise."""
        await self._begin(db, group, with_care=False)
        try:
            outcomes = [outcome for jobs in kinds(group) for outcome in await made(db, jobs)]
        except Exception as error:
            await self._roll_back(db, error)
            self.settled(False)
            if _ends_group(db, error):
                raise
            if len(group) == 1 and not errors.wants_care(error):
                return [_refused(group[0], error)]
            outcomes = await self._one_by_one(db, group)
        except BaseException as error:
            await self._roll_back(db, error)
            raise
        try:
            await self._numbered(db)
        except BaseException as error:
            await self._roll_back(db, error)
            raise
        try:
            done = await db.execute("COMMIT")
        except Exception as error:
            self._drop()
            if errors.is_lost(error) and await self._was_committed(str(self.open.number), error):
                self.settled(True)
                return outcomes
            raise
        if done != "COMMIT":
            raise StoreUnavailable("the database rolled a change back; nothing of it was stored")
        self.settled(True)
        return outcomes

    async def _begin(self, db: Connection, group: list[_Job], *, with_care: bool) -> None:
        """Begin a transaction that nobody comes between."""
        areas = sorted({AREAS[area] for job in group for area in job.areas})
        locks = [f"SELECT pg_advisory_xact_lock({self.server.lock_class}, {area})" for area in areas]
        self.open = Open(with_care=with_care)
        try:
            # One trip to the server. Each statement has a snapshot of its own, so the next one sees what was
            # committed while these waited.
            await db.execute("; ".join(["BEGIN", *locks]))
        except BaseException as error:
            await self._roll_back(db, error)
            raise

    async def _numbered(self, db: Connection) -> None:
        """See to it that the transaction's number is known, by which its fate can be asked for."""
        if not self.open.number:
            self.open.number = int(await db.fetchval(_NUMBER))

    async def _one_by_one(self, db: Connection, group: list[_Job]) -> list[_Outcome]:
        """Run the changes of a group of which one is refused, so that it leaves the others alone."""
        await self._begin(db, group, with_care=True)
        try:
            return [await self._one(db, job) for job in group]
        except BaseException as error:
            await self._roll_back(db, error)
            raise

    async def _roll_back(self, db: Connection, error: BaseException) -> None:
        try:
            if errors.is_lost(error) or db.is_closed():
                self._drop()
            else:
                await db.execute("ROLLBACK")
        except Exception:  # noqa: BLE001 - the server rolls back what it has no connection for
            self._drop()

    async def _one(self, db: Connection, job: _Job) -> _Outcome:
        """Run a change in a savepoint."""
        await db.execute("SAVEPOINT change")
        try:
            outcome = (await made(db, [job]))[0]
        except Exception as error:
            if _ends_group(db, error):
                raise
            await db.execute("ROLLBACK TO change")
            await db.execute("RELEASE change")
            self.settled(False)
            return _refused(job, error)
        await db.execute("RELEASE change")
        return outcome

    async def _was_committed(self, number: str, error: BaseException) -> bool:
        """Ask a fresh connection what became of a transaction. Raise `StoreUnavailable` when nobody says."""
        _log.warning(
            "the connection was lost during a commit; asking what became of it",
            extra={"fields": {"transaction": number, "error": errors.said(error)}},
        )
        until = monotonic() + OUTCOME_LIMIT_S
        wait_s = 0.05
        while monotonic() < until:
            try:
                self._not_before_s = 0.0
                fate = await (await self._connected()).fetchval(_FATE, number)
            except Exception as problem:  # noqa: BLE001 - asked again until the time is up
                _log.info("no answer yet", extra={"fields": {"error": errors.said(problem)}})
                if self.failed.is_set():
                    break
                fate = None
            if fate in ("committed", "aborted"):
                return bool(fate == "committed")
            await asyncio.sleep(wait_s)
            wait_s = min(1.0, 2 * wait_s)
        raise StoreUnavailable(
            "the connection to the database was lost during a commit, and whether the change was made is not "
            "known yet; repeating it is safe"
        ) from error

    def _abort(self, group: list[_Job], error: Exception) -> None:
        outcome = errors.of_group(error)
        if isinstance(outcome, StoreFull):
            self.state = "full"
            self.detail = "the database's disk is full; free some room, acknowledged events are safe"
        else:
            self.state, self.detail = "failed", str(outcome)[:300]
        _log.error(
            "a commit failed",
            extra={"fields": {"state": self.state, "changes": len(group), "error": errors.said(error)}},
        )
        for job in group:
            job.refuse(outcome)


def _ends_group(db: Connection, error: Exception) -> bool:
    return errors.ends_group(error) or db.is_closed()


def _refused(job: _Job, error: Exception) -> _Outcome:
    told = errors.of_change(error)
    # A version that is not the expected one is an answer to who asked, as every `ControlError` is.
    if not isinstance(told, ControlError | DocumentConflict):
        _log.error("a change failed", exc_info=error)
    return Outcome(job, refused=told)


async def hang_up(db: Connection) -> None:
    """Close a connection politely, but not for long."""
    try:
        await db.close(timeout=2.0)
    except Exception:  # noqa: BLE001 - it is of no use any more, however it ends
        db.terminate()
