"""Checks what the database holds while it is in use, over a connection of its own that only reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from seawall_control.domain.errors import StoreBusy, StoreUnavailable
from seawall_control.store.postgres import errors
from seawall_control.store.postgres.target import READER, Target
from seawall_control.store.postgres.writer import hang_up

LIMIT_S: Final = 120.0
"""A check reads every event in one snapshot: it is given up after this."""
MOST: Final = 10
_FOUND: Final = """
SELECT 'the server has counted ' || checksum_failures || ' pages whose checksum was wrong'
  FROM pg_stat_database WHERE datname = current_database() AND checksum_failures > 0
UNION ALL SELECT 'index ' || c.relname || ' is not valid: REINDEX it'
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
  WHERE c.relnamespace = current_schema()::regnamespace AND NOT (i.indisvalid AND i.indisready)
UNION ALL SELECT
  'the counter of severity ' || severity || ', resolved ' || resolved || ' is off by ' || difference
  FROM (
    SELECT severity, resolved, sum(events) AS difference FROM (
      SELECT severity, resolved, events FROM event_counts
      UNION ALL SELECT severity, resolved, -count(*) FROM events GROUP BY severity, resolved
    ) AS both_sides GROUP BY severity, resolved
  ) AS compared WHERE difference <> 0
"""


async def check_database(target: Target) -> Sequence[str]:
    """Return what is wrong, at most ten things: pages with wrong checksums (where the server keeps them),
    indexes that are not valid, counters that do not count what is there.
    """
    limit_ms = str(int(LIMIT_S * 1000))
    try:
        # All of it is read here, in the way that is quickest for that.
        db = await target.connect({**READER, "statement_timeout": limit_ms, "enable_seqscan": "on"})
        try:
            return [str(row[0]) for row in await db.fetch(f"{_FOUND} LIMIT {MOST}", timeout=LIMIT_S + 5)]
        finally:
            await hang_up(db)
    except Exception as error:
        told = errors.of_question(error, LIMIT_S)
        if isinstance(told, StoreBusy):
            raise StoreBusy(f"the check took more than {LIMIT_S:g} s; check a copy instead") from error
        raise StoreUnavailable(f"the store cannot be checked: {errors.said(error)}") from error
