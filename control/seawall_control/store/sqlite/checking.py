"""Checks the file while it is in use, over a connection of its own that only reads."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from threading import Timer
from typing import Final

from seawall_control.domain.errors import StoreBusy, StoreUnavailable
from seawall_control.store.sqlite.opening import READER, damage

LIMIT_S: Final = 120.0
"""A check holds a snapshot, and the write-ahead log grows meanwhile: it is given up after this."""
MOST: Final = 10


def check_file(path: Path) -> Sequence[str]:
    """Return what `quick_check` finds, at most ten things. Blocking. Raise `StoreBusy` when it takes too
    long.
    """
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)
        # From another thread: SQLite before 3.41 asks nobody while it looks through a table's pages.
        giving_up = Timer(LIMIT_S, db.interrupt)
        giving_up.daemon = True
        try:
            for setting in READER:
                db.execute(setting).fetchall()
            giving_up.start()
            return damage(db, path, most=MOST)
        finally:
            giving_up.cancel()
            giving_up.join()
            db.close()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            raise StoreBusy(
                f"the check took more than {LIMIT_S:g} s; a backup checks its copy as a whole"
            ) from None
        raise StoreUnavailable(f"the store cannot be checked: {error}") from error
    except sqlite3.DatabaseError as error:
        return [str(error)]
