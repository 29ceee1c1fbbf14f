"""What is written into a history when all is over: by the store, and by the spools that proxies left."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from time import time
from typing import Any

import asyncpg

from seawall.v1 import event_pb2
from seawall_control.store.sqlite.opening import FILE_NAME
from seawall_proxy.telemetry.spool import Batch, Spool, SpoolStatus
from tests.kit.history.lines import Recorder

_EVENTS = "SELECT id, job_id, proxy, coalesce(spool_id, ''), coalesce(seq, 0) FROM events"
_COUNTED = "SELECT coalesce(sum(counted), 0) FROM event_groups"
_GAPS = "SELECT proxy, spool_id, from_seq, to_seq, reason FROM spool_gaps"
_REFUSALS = "SELECT proxy, spool_id, seq FROM spool_refusals"
_MARKS = "SELECT proxy, spool_id, assumed_through FROM spools"
_TALLY = (
    "SELECT (SELECT coalesce(sum(events), 0) FROM event_counts), "
    "(SELECT coalesce(sum(events), 0) FROM event_groups)"
)
ALL = (_EVENTS, _COUNTED, _GAPS, _REFUSALS, _MARKS, _TALLY)


def _write(note: Recorder, found: list[list[Any]]) -> None:
    events, counted, gaps, refusals, marks, tallies = found
    for event_id, job, node, spool, number in events:
        note("stored", id=str(event_id), job=job, node=node, spool=str(spool or ""), number=number)
    for (events_counted,) in counted:
        note("counted", events=int(events_counted))
    for node, spool, first, last, reason in gaps:
        note("gap", node=node, spool=spool, first=first, last=last, reason=reason)
    for node, spool, number in refusals:
        note("refusal", node=node, spool=spool, number=number)
    for rows, groups in tallies:
        note("tally", rows=int(rows), groups=int(groups))
    for node, spool, assumed in marks:
        note("mark", node=node, spool=spool, assumed=assumed)


def from_file(folder: Path, directory: Path) -> None:
    """Write down what the store of a data directory holds; check it as SQLite can on the way."""
    note = Recorder(folder, "store")
    db = sqlite3.connect(directory / FILE_NAME)
    try:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        _write(note, [db.execute(query).fetchall() for query in ALL])
    finally:
        db.close()
        note.close()


async def from_postgres(folder: Path, url: str) -> None:
    """Write down what the store in a database holds."""
    note = Recorder(folder, "store")
    db = await asyncpg.connect(url)
    try:
        _write(note, [[tuple(row) for row in await db.fetch(query)] for query in ALL])
    finally:
        await db.close()
        note.close()


def look_into(path: Path) -> tuple[SpoolStatus, Batch | None]:
    """Return what waits in the spool of a proxy that has ended. A copy is looked at: opening recovers."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "spool"
        shutil.copytree(path, copy)
        spool = Spool.open(copy, now_s=time(), boot=boot, random_bytes=os.urandom)
        batch = spool.take(1 << 30, 1 << 40)
        status = spool.status()
        spool.close()
    return status, batch


def from_spool(folder: Path, directory: Path, node: str) -> None:
    """Write down what is in the spool of a proxy that has ended."""
    path = directory / "proxies" / node / "spool"
    if not path.is_dir():
        return
    note = Recorder(folder, "spool")
    status, batch = look_into(path)
    events: list[list[Any]] = []
    for number, payload in () if batch is None else batch.events:
        event = event_pb2.ErrorEvent.FromString(payload)
        events.append([number, event.id, event.job_id])
    gaps = [] if batch is None else [[gap.first, gap.last, gap.reason] for gap in batch.gaps]
    note(
        "left",
        node=node,
        spool=status.spool_id,
        last=status.last,
        acked=status.acked,
        events=events,
        gaps=gaps,
    )
    note.close()
