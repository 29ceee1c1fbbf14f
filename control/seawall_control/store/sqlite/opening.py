"""Opens the file: who may, with which settings, and what has to be true before the first acknowledgement.

- One control plane per file: a lock file refuses the second one. One process, one writing connection, which
  is also the only one that checkpoints: this is what keeps SQLite before 3.51.3 clear of its WAL-reset bug,
  which needs two connections that write or checkpoint at once (https://sqlite.org/wal.html#walresetbug). The
  library's version is reported all the same.
- synchronous=FULL: with NORMAL a power cut takes acknowledged transactions with it.
- A fresh file is created, migrated, checkpointed and synced together with its directory before it is used:
  the switch to WAL unlinks a rollback journal without syncing the directory, and a power cut right then would
  play it back.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Final

from seawall_control.domain.errors import StoreRefused
from seawall_control.store.migrating import Progress, Step, migrations_in

FILE_NAME: Final = "control.db"
LOCK_NAME: Final = "control.lock"
APPLICATION_ID: Final = 0x5EA3A11
WAL_LIMIT_BYTES: Final = 64 * 1024 * 1024
CHECKED_BYTES: Final = 256 * 1024 * 1024
"""A file up to this size is read as a whole at the start."""
MIGRATION_CACHE_KIB: Final = 128 * 1024
"""Memory of a migration; given back afterwards."""
LARGE: Final = frozenset({"events", "event_rollups", "group_hours", "counted_ids", "journal"})
"""Tables that grow with what happens."""

COMMON: Final = (
    "PRAGMA busy_timeout = 5000",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA mmap_size = 0",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
)
WRITER: Final = (
    *COMMON,
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA wal_autocheckpoint = 1000",
    f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}",
    "PRAGMA cache_size = -32768",
)
READER: Final = (
    *COMMON,
    "PRAGMA query_only = ON",
    "PRAGMA wal_autocheckpoint = 0",
    "PRAGMA cache_size = -8192",
)


def migrations() -> list[Step]:
    """Return number, name and text of all migrations in order; numbers grow by one from 1."""
    return migrations_in("seawall_control.store.sqlite")


class DirectoryLock:
    """Keeps a second control plane off a data directory for as long as this process lives."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOCK_NAME
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.pread(self._fd, 64, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._fd)
            self._fd = -1
            raise StoreRefused(
                f"{directory} is in use by another control plane (process {owner}). Stop that one, or start "
                "this one with another --data-dir: two writers on one store would corrupt its record."
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let others in. The file stays: deleting it would let two processes lock two files of one name."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def prepare_directory(directory: Path) -> None:
    """Create the directory if need be, readable by its owner only."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if directory.stat().st_uid == os.geteuid():
            directory.chmod(0o700)
    except OSError as error:
        raise StoreRefused(f"the data directory {directory} cannot be used: {error.strerror}") from error


def sync(path: Path) -> None:
    """Wait until a file, or the names in a directory, are on the disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _checked(db: sqlite3.Connection, path: Path, newest: int) -> int:
    """Return the schema's number. Raise `StoreRefused` for a file that is not ours, newer than us, or
    damaged.
    """
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    owner = int(db.execute("PRAGMA application_id").fetchone()[0])
    tables = int(db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
    if tables and owner != APPLICATION_ID:
        raise StoreRefused(f"{path} is an SQLite file of another program; choose another --data-dir")
    if version > newest:
        raise StoreRefused(
            f"{path} has schema {version}, this control plane knows schemas up to {newest}: it was written "
            "by a newer Seawall. Start that version, or restore a copy from before the upgrade."
        )
    findings = damage(db, path, at_start=True)
    if findings:
        raise StoreRefused(
            f"{path} is damaged ({'; '.join(findings)[:300]}). Restore the last good copy; proxies send "
            "again what they still hold."
        )
    return version


def damage(db: sqlite3.Connection, path: Path, *, at_start: bool = False, most: int = 5) -> list[str]:
    """Return what is wrong with the file, a few things at most. Blocking.

    At the start all of a file is read while that takes a second or two. Of a larger one, what is small is
    read: everything that decides what proxies do. The events are left to the checks while it is in use:
    reading ten gigabytes takes minutes in which nobody is served, and every page is looked at again when it
    is used.
    """
    if path.stat().st_size <= CHECKED_BYTES:
        found = [str(row[0]) for row in db.execute(f"PRAGMA quick_check({most})")]
        return [line for line in found if line != "ok"]
    tables = [
        str(row[0]) for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    ]
    found = []
    # Table by table: each is a snapshot of its own, so that the log can be reused in between.
    for table in tables:
        if at_start and table in LARGE:
            continue
        try:
            found += [str(row[0]) for row in db.execute(f"PRAGMA quick_check({table})")]
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
                raise
            found.append(f"{table}: {error}")
    return [line for line in found if line != "ok"][:most]


def migrate(db: sqlite3.Connection, version: int, steps: list[Step]) -> None:
    """Bring the schema to the newest number, one transaction a step, so that a crash leaves a whole step or
    none.
    """
    todo = [step for step in steps if step[0] > version]
    if not todo:
        return
    # An index over millions of events is sorted in files, not in memory; the larger the pieces, the fewer of
    # them are to be merged.
    db.execute("PRAGMA temp_store = FILE")
    db.execute(f"PRAGMA cache_size = -{MIGRATION_CACHE_KIB}")
    for number, name, text in todo:
        progress = Progress(name)
        db.set_progress_handler(progress.going_on, 1_000_000)
        db.executescript(f"BEGIN IMMEDIATE;\n{text}\nPRAGMA user_version = {number};\nCOMMIT;")
        db.set_progress_handler(None, 0)
        progress.done()


def prepare_file(directory: Path) -> Path:
    """Create, or check and migrate, the file, and make that durable. Blocking; returns the path."""
    path = directory / FILE_NAME
    steps = migrations()
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.fchmod(fd, 0o600)
    os.close(fd)
    db = sqlite3.connect(path, isolation_level=None)
    try:
        for setting in COMMON:
            db.execute(setting).fetchall()
        db.execute("PRAGMA synchronous = FULL")
        version = _checked(db, path, len(steps))
        if version == 0:
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        migrate(db, version, steps)
        db.close()
        # A fresh connection: one that has just run a script may still hold a statement, and then the
        # checkpoint is refused.
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL").fetchall()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
            raise StoreRefused(
                f"there is no room on the disk for {path}; free some and start again"
            ) from error
        raise StoreRefused(f"{path} cannot be opened as a store: {error}") from error
    finally:
        db.close()
    sync(path)
    sync(directory)
    return path
