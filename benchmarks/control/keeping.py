"""Large records that stay on the disk between two runs, each in a directory of its own with a note beside it.

A record that is there is used again, whatever schema it was written with: opening it migrates it. What upkeep
deletes and changes in it is put aside first and put back afterwards, so that the next run finds the same.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Final

from benchmarks.control.bulk import FORM, Record
from benchmarks.control.load import Say
from benchmarks.control.places import Place

PRUNED: Final = 5_000
"""Events that clean-up deletes."""
ROUTE: Final = "checkout-7"
"""Whose events are resolved."""
PROBE: Final = "probe"
"""The component of events that are written meanwhile."""
RESOLUTION: Final = "bench"
_ASIDE: Final = (
    "CREATE TABLE bench_aside AS SELECT * FROM events WHERE resolved = 1 AND severity = 1 "  # noqa: S608 - our own number
    f"ORDER BY timestamp_us, id LIMIT {2 * PRUNED}"
)
# None is there after a run that was not cut off.
_NOTHING: Final = "CREATE TABLE IF NOT EXISTS bench_aside AS SELECT * FROM events WHERE n < 0"
_WITHOUT_PROBES: Final = f"DELETE FROM events WHERE component = '{PROBE}'"  # noqa: S608 - our own name
_WITH_DELETED: Final = (
    "INSERT INTO events {overriding} SELECT * FROM bench_aside "
    "WHERE NOT EXISTS (SELECT 1 FROM events WHERE events.n = bench_aside.n)"
)
_UNRESOLVED: Final = (
    "UPDATE events SET resolved = 0, resolved_at_us = 0, resolution = '' "  # noqa: S608 - our own names
    f"WHERE component = 'route/{ROUTE}' AND +resolved = 1 AND resolution = '{RESOLUTION}'"
)
_BACK: Final = (_NOTHING, _WITHOUT_PROBES, _WITH_DELETED, _UNRESOLVED, "DROP TABLE bench_aside")


@asynccontextmanager
async def large(place: Place, record: Record, keep: Path | None, say: Say) -> AsyncIterator[Place]:
    """Give a place of the same kind that holds the record; one that is not kept is loaded each time."""
    if keep is None:
        found = await place.another()
        await _loaded(found, record, say)
    else:
        found = await _kept(place, record, keep.absolute(), say)  # noqa: ASYNC240 - asks for the working directory
    try:
        yield found
    finally:
        await found.aclose()


async def _kept(place: Place, record: Record, keep: Path, say: Say) -> Place:
    directory = keep / f"{place.kind}-{record.count}-{FORM}"
    note = directory.with_suffix(".json")
    if note.exists():
        say(f"{place.name}: using {directory}, {_told(note)}")
        return await place.another(directory)
    if directory.exists():
        say(f"{place.name}: {directory} was not loaded to its end, and is loaded anew")
        shutil.rmtree(directory)
    found = await place.another(directory)
    try:
        took_s = await _loaded(found, record, say)
    except BaseException:
        await found.aclose()
        raise
    note.write_text(json.dumps({"events": record.count, "form": FORM, "load_s": round(took_s)}) + "\n")
    return found


def _told(note: Path) -> str:
    return f"which took {json.loads(note.read_text())['load_s']:,} s to load"


async def _loaded(place: Place, record: Record, say: Say) -> float:
    await (await place.open()).aclose()
    say(f"{place.name}: loading {record.count:,} events")
    started = perf_counter()
    await place.load(record, say)
    took_s = perf_counter() - started
    say(f"{place.name}: {record.count:,} events loaded in {took_s:,.0f} s")
    return took_s


async def put_aside(place: Place) -> None:
    """Copy what upkeep is going to delete, after putting back what a run that was cut off has left. The store
    is closed.
    """
    await put_back(place)
    await place.run([_ASIDE])


async def put_back(place: Place) -> None:
    """Make the events what they were before upkeep; triggers keep their counts. The store is closed."""
    await place.run([statement.format(overriding=place.overriding) for statement in _BACK])
