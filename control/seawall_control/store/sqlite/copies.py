"""Copies of the file: taken while it is in use, verified, and put back in its place.

A copy is made by SQLite's backup within one read transaction: a consistent snapshot, while the control plane
goes on writing. It is checked before it gets its name, so a file that has the name is a good one. Two checks
are to be had. The quick one reads every page and finds what copying and disks do to a file: pages that are
missing, twice there, or not what they were. The full one also looks every row up in every index, which takes
ten times as long for half a gigabyte, more for larger files, and finds what only a defect of the database
could do. A copy that is put back takes the directory's lock, so it never meets a running control plane; what
was there before is kept beside it, not deleted.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from seawall_control.domain.errors import StoreRefused
from seawall_control.store.sqlite.opening import (
    APPLICATION_ID,
    COMMON,
    FILE_NAME,
    DirectoryLock,
    migrations,
    prepare_directory,
    sync,
)

_LOGS: Final = ("-wal", "-shm")
_PAGES: Final = 4096
"""Copied between two words about it."""
_CHECKS: Final = {"quick": "quick_check", "full": "integrity_check"}

Check = Literal["quick", "full"]
Say = Callable[[str], None]
"""Is told what is done now."""


def _unheard(_: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What a copy holds."""

    path: Path
    size_bytes: int
    schema: int
    revisions: int
    events: int
    documents: int


def examine(path: Path, check: Check = "quick", say: Say = _unheard) -> CopyReport:
    """Return what a copy holds, after reading all of it. Raise `StoreRefused` for one that is damaged, not
    ours, or newer than this version.
    """
    with _opened(path) as db:
        schema = _known(path, db)
        say(f"checking the copy, {path.stat().st_size / 1e9:.1f} GB")
        found = [str(row[0]) for row in db.execute(f"PRAGMA {_CHECKS[check]}(5)")]
        if found != ["ok"]:
            raise StoreRefused(f"{path} is damaged ({'; '.join(found)[:300]}); use another copy")
        tables = {str(row[0]) for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        numbers = [
            int(db.execute(f"SELECT {what} FROM {table}").fetchone()[0]) if table in tables else 0
            for what, table in (
                ("count(*)", "revisions"),
                # Kept with every change, where counting ten million events takes a while.
                ("coalesce(sum(events), 0)", "event_counts"),
                ("count(*)", "documents"),
            )
        ]
    return CopyReport(path, path.stat().st_size, schema, *numbers)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a copy for reading. What SQLite says of it becomes `StoreRefused`."""
    if not path.is_file():
        raise StoreRefused(f"there is no file {path}")
    try:
        # Not as `immutable`: a copy made by other means may have a log beside it.
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            for setting in COMMON:
                db.execute(setting).fetchall()
            yield db
    except sqlite3.DatabaseError as error:
        raise StoreRefused(f"{path} cannot be read as a store: {error}") from error


def _known(path: Path, db: sqlite3.Connection) -> int:
    """Return the schema's number. Raise `StoreRefused` for a file that is not ours, or newer than we are."""
    if int(db.execute("PRAGMA application_id").fetchone()[0]) != APPLICATION_ID:
        raise StoreRefused(f"{path} is no store of Seawall")
    schema = int(db.execute("PRAGMA user_version").fetchone()[0])
    if schema > len(migrations()):
        raise StoreRefused(
            f"{path} has schema {schema}, this version knows schemas up to {len(migrations())}; "
            "use the Seawall that made it, or a newer one"
        )
    return schema


@contextlib.contextmanager
def _partial(path: Path) -> Iterator[Path]:
    """Give a name for the work, in the directory of the result; nothing is left of it afterwards."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        yield partial
    finally:
        for suffix in ("", "-journal", *_LOGS):
            partial.with_name(partial.name + suffix).unlink(missing_ok=True)


def back_up(
    directory: Path, target: Path, *, overwrite: bool = False, check: Check = "quick", say: Say = _unheard
) -> CopyReport:
    """Copy the store of a data directory, also while a control plane uses it, to a file. Blocking; `say` is
    told how far it is.

    Raise `StoreRefused` with the reason; then there is no new file, and an old one is as it was.
    """
    source = directory / FILE_NAME
    if not source.is_file():
        raise StoreRefused(f"there is no store in {directory}")
    if target.exists() and not overwrite:
        raise StoreRefused(f"{target} exists; choose another name, or say --overwrite")
    if target.exists() and target.samefile(source):
        raise StoreRefused(f"{target} is the store itself")
    try:
        with _partial(target) as partial:
            _copied(source, partial, say)
            sync(partial)
            report = examine(partial, check, say)
            partial.replace(target)
            sync(target.parent)
    except OSError as error:
        raise StoreRefused(f"{target} cannot be written: {error.strerror}") from error
    return replace(report, path=target)


def _copied(source: Path, target: Path, say: Say) -> None:
    """Copy a store and its log. Not synced."""

    def copied(_: int, left: int, pages: int) -> None:
        say(f"copying {source.name}, {(pages - left) * size / 1e9:.1f} of {pages * size / 1e9:.1f} GB")

    try:
        with (
            contextlib.closing(
                sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
            ) as read,
            contextlib.closing(sqlite3.connect(target, isolation_level=None)) as write,
        ):
            read.execute("PRAGMA busy_timeout = 5000")
            size = int(read.execute("PRAGMA page_size").fetchone()[0])
            # Nobody knows the file before it is whole: it needs no journal, and is synced once.
            write.execute("PRAGMA journal_mode = OFF").fetchall()
            write.execute("PRAGMA synchronous = OFF")
            # One snapshot for all steps: with one for each the copy would begin anew with every change.
            read.execute("BEGIN")
            read.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            read.backup(write, pages=_PAGES, progress=copied, sleep=0.01)
            read.execute("ROLLBACK")
            # The copy is one file, with no log beside it.
            write.execute("PRAGMA journal_mode = DELETE").fetchall()
    except sqlite3.DatabaseError as error:
        full = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL
        why = "there is no room on its disk" if full else str(error)
        raise StoreRefused(f"{source} cannot be copied to {target.parent}: {why}") from error


def _has_log(path: Path) -> bool:
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0


def restore(
    copy: Path, directory: Path, *, stamp: str, check: Check = "quick", say: Say = _unheard
) -> tuple[CopyReport, Path | None]:
    """Put a copy in the place of a data directory's store; return what it holds, and where the store from
    before is (with `stamp` in its name), if there was one. Blocking; `say` is told how far it is.

    Raise `StoreRefused` for a copy that will not do, and while a control plane uses the directory; then
    nothing is changed.
    """
    with _opened(copy) as db:
        _known(copy, db)
    prepare_directory(directory)
    lock = DirectoryLock(directory)
    try:
        place = directory / FILE_NAME
        aside = directory / f"{FILE_NAME}.before-restore-{stamp}"
        if aside.exists():
            raise StoreRefused(f"{aside} exists; move it away, or wait a second")
        with _partial(place) as partial:
            if _has_log(copy):
                _copied(copy, partial, say)
            else:
                say(f"copying {copy.name}, {copy.stat().st_size / 1e9:.1f} GB")
                shutil.copyfile(copy, partial)
            sync(partial)
            # What is put in place is what is checked, once: nobody is served meanwhile.
            report = replace(examine(partial, check, say), path=copy)
            had_one = place.exists()
            # An old log beside a new file is damage, so the log goes first.
            for suffix in _LOGS:
                old = place.with_name(place.name + suffix)
                if old.exists():
                    old.rename(aside.with_name(aside.name + suffix))
            if had_one:
                _keep(place, aside)
            partial.replace(place)
            sync(directory)
    except OSError as error:
        raise StoreRefused(f"{directory} cannot be written: {error.strerror}") from error
    finally:
        lock.release()
    return report, aside if had_one else None


def _keep(place: Path, aside: Path) -> None:
    """Give the file a second name, so that its first one is never without a file; where a file system cannot,
    rename it.
    """
    try:
        aside.hardlink_to(place)
    except OSError:
        place.rename(aside)
