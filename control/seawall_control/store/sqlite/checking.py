"""Checks the file while it is in use, over a connection of its own that only reads."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Final

from seawall_control.domain.errors import StoreBusy, StoreUnavailable
from seawall_control.store.sqlite.opening import READER

LIMIT_S: Final = 120.0
"""A check holds a snapshot, and the write-ahead log grows meanwhile: it is given up after this."""
MOST: Final = 10


def check_file(path: Path) -> Sequence[str]:
    """Return what `quick_check` and the foreign keys find, at most ten things. Blocking."""
    until = monotonic() + LIMIT_S
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        try:
            for setting in READER:
                db.execute(setting).fetchall()
            db.set_progress_handler(lambda: int(monotonic() > until), 100_000)
            found = [str(row[0]) for row in db.execute(f"PRAGMA quick_check({MOST})")]
            return [line for line in found if line != "ok"]
        finally:
            db.close()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            raise StoreBusy(
                f"the check took more than {LIMIT_S:g} s; check a copy of the file instead"
            ) from None
        raise StoreUnavailable(f"the store cannot be checked: {error}") from error
    except sqlite3.DatabaseError as error:
        return [str(error)]
