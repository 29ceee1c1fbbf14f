"""What the parts of the store share: the writer and the readers.

A part is a mixin like the SQLite one of the same name: changes are functions of a connection, given to
`self._writer.do(work, area=...)`, which runs them in a transaction under the area's lock (opening.AREAS);
questions go to `self._readers`. A new part (groups, say) is a class `PostgresGroups(Adapter)`, listed among
the bases of `PostgresStore`, with its tables in a new migration; what has to change together with events
belongs in the area `events`, in the same `work`.
"""

from __future__ import annotations

import json
from typing import Final

from seawall_control.store.intake import Intake
from seawall_control.store.postgres.readers import Readers
from seawall_control.store.postgres.target import Connection
from seawall_control.store.postgres.writer import Writer
from seawall_control.store.rollup_sql import Rollups

_STAMPS: Final = 2**32
"""A row is stamped with the lower half of its transaction's number."""
_TELL: Final = "SELECT pg_notify($1, $2)"


class Adapter:
    """Base of the parts."""

    def __init__(self, writer: Writer, readers: Readers, instance: str) -> None:
        self._writer = writer
        self._readers = readers
        self._intake = Intake()
        self._rollups = Rollups()
        writer.settled = self._settle
        self._instance = instance
        """Names this process towards the others, so that nobody is told of its own changes."""

    def _settle(self, committed: bool) -> None:
        done = self._writer.open
        # What is written within a savepoint has a stamp of its own, which nobody knows.
        self._intake.settle(committed, 0 if done.with_care else done.number % _STAMPS)

    async def _tell(self, db: Connection, **what: str) -> None:
        """Tell the other control planes of a change, when and only when it is committed."""
        told = json.dumps({"from": self._instance, **what}, separators=(",", ":"))
        await db.execute(_TELL, self._writer.server.channel, told)
