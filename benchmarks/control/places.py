"""The stores that are measured, each with its own bulk insert beside it."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import subprocess
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from time import process_time
from typing import Any, Final, Protocol

import asyncpg

from benchmarks.control.bulk import Record
from benchmarks.control.load import Say, load_postgres, load_sqlite
from seawall_control.domain.events import Event
from seawall_control.store import postgres, sqlite
from seawall_control.store import rows as r
from seawall_control.store.port import Store
from seawall_control.store.sqlite.opening import FILE_NAME, WRITER, DirectoryLock
from tests.kit.postgres import PostgresServer, find_binaries

COLUMNS: Final = (*r.EVENT_COLUMNS, "spool_id", "seq")
_MARKS: Final = ", ".join("?" * len(COLUMNS))
_INSERT: Final = f"INSERT INTO events ({', '.join(COLUMNS)}) VALUES ({_MARKS})"  # noqa: S608 - our own names


SETTINGS: Final = ("shared_buffers=512MB", "max_wal_size=4GB")
"""Of the database server."""
_READING: Final = "io_workers=16"
"""From PostgreSQL 18 on: who reads what is read ahead."""
_STOP_S: Final = 600.0
"""Until a server has written what it has in memory."""
_ENDED_S: Final = 0.3
"""After so long the server has seen the end of a connection that was closed."""


def settings_of(binaries: Path) -> tuple[str, ...]:
    """Return the settings of the database server that has these binaries."""
    told = subprocess.run(
        [binaries / "postgres", "--version"], check=True, capture_output=True, text=True, timeout=20
    ).stdout
    major = re.search(r"\d+", told)
    return (*SETTINGS, _READING) if major and int(major[0]) >= 18 else SETTINGS


def _times(pid: int) -> list[int] | None:
    """Return the parent of a process and its CPU time, in ticks: user and system, and those of its ended
    children. None when it has ended.
    """
    try:
        fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        )
    except OSError:
        return None
    return [int(fields[1]), *map(int, fields[11:15])]


def given_up(directory: Path) -> None:
    """Have the system forget what it has read of the files in a directory."""
    for path in directory.rglob("*"):
        if path.is_file():
            fd = os.open(path, os.O_RDONLY)
            try:
                # What is not on the disk yet would stay.
                os.fsync(fd)
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(fd)


def row(event: Event, seq: int) -> tuple[Any, ...]:
    """Return the row of an event."""
    return (*r.event_row(event), "raw", seq)


class Place(Protocol):
    """Where a store can be."""

    kind: str
    name: str
    bulk: str
    """How rows are written in bulk."""
    directory: Path | None
    """Where the store is, if it is a file."""
    overriding: str
    """How an INSERT says that it brings row numbers along."""

    async def open(self) -> Store:
        """Open the store."""
        ...

    async def write(self, rows: Sequence[tuple[Any, ...]], size: int) -> None:
        """Write rows in transactions of a size, each durable before the next."""
        ...

    async def another(self, directory: Path | None = None) -> Place:
        """Return an empty place of the same kind, or the one that is in a directory, which is made if need
        be.
        """
        ...

    async def aclose(self) -> None:
        """End what serves this place alone."""
        ...

    async def load(self, record: Record, say: Say) -> None:
        """Fill a store that has been opened once, quickly."""
        ...

    async def run(self, statements: Sequence[str]) -> None:
        """Run statements in one transaction, while the store is closed."""
        ...

    async def cool(self) -> None:
        """Have the machine give up what it has of the store in memory, while the store is closed."""
        ...

    async def size(self) -> int:
        """Return how many bytes the store has on its disk, without logs."""
        ...

    async def cpu_s(self) -> float:
        """Return the CPU seconds of this process and of the database's so far, of those that have ended too.
        Connections that were closed before count in full.
        """
        ...


class SqlitePlace:
    """A file."""

    kind = "sqlite"
    name = "SQLite"
    bulk = "executemany"
    overriding = ""

    def __init__(self, directory: Path) -> None:
        self.directory: Path | None = directory
        self._directory = directory

    async def open(self) -> Store:
        """See `Place.open`."""
        return await sqlite.open_store(self._directory)

    async def another(self, directory: Path | None = None) -> Place:
        """See `Place.another`."""
        return SqlitePlace(directory or self._directory.with_name("another"))

    async def aclose(self) -> None:
        """See `Place.aclose`."""

    async def run(self, statements: Sequence[str]) -> None:
        """See `Place.run`."""
        await asyncio.to_thread(self._run, statements)

    def _run(self, statements: Sequence[str]) -> None:
        lock = DirectoryLock(self._directory)
        try:
            with closing(sqlite3.connect(self._directory / FILE_NAME, isolation_level=None)) as db:
                db.execute("BEGIN IMMEDIATE")
                for statement in statements:
                    db.execute(statement)
                db.execute("COMMIT")
        finally:
            lock.release()

    async def load(self, record: Record, say: Say) -> None:
        """See `Place.load`."""
        await asyncio.to_thread(load_sqlite, self._directory, record, say)

    async def cool(self) -> None:
        """See `Place.cool`."""
        await asyncio.to_thread(given_up, self._directory)

    async def size(self) -> int:
        """See `Place.size`."""
        return (self._directory / FILE_NAME).stat().st_size

    async def cpu_s(self) -> float:
        """See `Place.cpu_s`."""
        return process_time()

    async def write(self, rows: Sequence[tuple[Any, ...]], size: int) -> None:
        """See `Place.write`."""
        await asyncio.to_thread(self._write, rows, size)

    def _write(self, rows: Sequence[tuple[Any, ...]], size: int) -> None:
        db = sqlite3.connect(self._directory / FILE_NAME, isolation_level=None)
        for setting in WRITER:
            db.execute(setting).fetchall()
        for start in range(0, len(rows), size):
            db.execute("BEGIN IMMEDIATE")
            db.executemany(_INSERT, rows[start : start + size])
            db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        db.execute("PRAGMA optimize").fetchall()
        db.close()


class PostgresPlace:
    """A database."""

    kind = "postgres"
    name = "PostgreSQL"
    bulk = "COPY"
    directory: Path | None = None
    overriding = "OVERRIDING SYSTEM VALUE"

    def __init__(self, server: PostgresServer, database: str, *, owns_server: bool = False) -> None:
        self._server = server
        self._url = server.url_of(database)
        self._owns_server = owns_server

    async def another(self, directory: Path | None = None) -> Place:
        """See `Place.another`. A directory has a server of its own, on which the database is that of the
        superuser.
        """
        if directory is None:
            return PostgresPlace(self._server, await self._server.new_database())
        server = PostgresServer(self._server.binaries, *settings_of(self._server.binaries), root=directory)
        await asyncio.to_thread(server.start)
        return PostgresPlace(server, "postgres", owns_server=True)

    async def aclose(self) -> None:
        """See `Place.aclose`."""
        if self._owns_server:
            await asyncio.to_thread(self._server.leave, _STOP_S)

    async def run(self, statements: Sequence[str]) -> None:
        """See `Place.run`."""
        db = await asyncpg.connect(self._url)
        try:
            async with db.transaction():
                for statement in statements:
                    await db.execute(statement)
        finally:
            await db.close()

    async def load(self, record: Record, say: Say) -> None:
        """See `Place.load`."""
        await load_postgres(self._url, record, say)

    async def cool(self) -> None:
        """See `Place.cool`: the server is started again, since it has a memory of its own."""
        await asyncio.to_thread(self._server.stop, _STOP_S)
        await asyncio.to_thread(given_up, self._server.data)
        await asyncio.to_thread(self._server.start)

    async def size(self) -> int:
        """See `Place.size`."""
        return int(await self._server.execute(f"SELECT pg_database_size('{self._url.rpartition('/')[2]}')"))

    async def cpu_s(self) -> float:
        """See `Place.cpu_s`."""
        # A server process counts for its parent once that has seen its end.
        await asyncio.sleep(_ENDED_S)
        parent = _times(self._server.pid)
        if parent is None:
            raise RuntimeError("the database server has ended")
        ticks = sum(parent[1:])
        for entry in Path("/proc").iterdir():  # noqa: ASYNC240 - nothing else runs
            times = _times(int(entry.name)) if entry.name.isdigit() else None
            if times is not None and times[0] == self._server.pid:
                ticks += sum(times[1:3])
        return process_time() + ticks / os.sysconf("SC_CLK_TCK")

    async def open(self) -> Store:
        """See `Place.open`."""
        return await postgres.open_store(self._url)

    async def write(self, rows: Sequence[tuple[Any, ...]], size: int) -> None:
        """See `Place.write`."""
        db = await asyncpg.connect(self._url)
        for start in range(0, len(rows), size):
            async with db.transaction():
                await db.copy_records_to_table("events", records=rows[start : start + size], columns=COLUMNS)
        await db.close()


@asynccontextmanager
async def places(kinds: Sequence[str]) -> AsyncIterator[list[Place]]:
    """Give the places of these kinds, `sqlite` and `postgres`; they are removed afterwards."""
    found: list[Place] = []
    with tempfile.TemporaryDirectory(prefix="seawall-bench-") as scratch:
        server = None
        if "sqlite" in kinds:
            found.append(SqlitePlace(Path(scratch) / "store"))
        if "postgres" in kinds:
            binaries = find_binaries()
            if isinstance(binaries, str):
                raise SystemExit(binaries)
            server = PostgresServer(binaries, *settings_of(binaries))
            server.start()
            found.append(PostgresPlace(server, await server.new_database()))
        try:
            yield found
        finally:
            if server is not None:
                server.remove()
