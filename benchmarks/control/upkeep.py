"""What upkeep of a large store costs, and what those notice who write meanwhile."""

from __future__ import annotations

import asyncio
import resource
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from benchmarks.control.bulk import END_US
from benchmarks.control.keeping import PROBE, PRUNED, RESOLUTION, ROUTE
from benchmarks.control.questions import Asked, quantile
from seawall_control.domain.events import Event, Severity
from seawall_control.domain.export import Format
from seawall_control.domain.filters import parse
from seawall_control.domain.retention import BATCH, Prune
from seawall_control.store.port import Store
from seawall_control.store.sqlite.copies import back_up

PROBE_S: Final = 0.01
"""Between two events of the one who writes meanwhile."""
EXPORTED: Final = 200_000


@dataclass(frozen=True, slots=True)
class Effort:
    """What something took, and how long the writer's events took meanwhile, in seconds."""

    what: str
    took_s: float
    p50: float
    p99: float
    worst: float
    log_bytes: int
    note: str = ""


async def _meanwhile(store: Store, what: str, work: Callable[[], Awaitable[Any]]) -> Effort:
    """Do something while events are reported one after the other."""
    samples: list[float] = []
    logs: list[int] = [0]

    ended = asyncio.Event()

    async def write() -> None:
        while not ended.is_set():
            event = Event(
                id=str(uuid.uuid4()), timestamp_us=END_US, severity=Severity.LOW, component=PROBE,
                message="probe", fingerprint="bench:probe",
            )  # fmt: skip
            started = perf_counter()
            await store.report([event])
            samples.append(perf_counter() - started)
            logs.append((await store.report_state()).wal_bytes)
            await asyncio.sleep(PROBE_S)

    writing = asyncio.create_task(write())
    await asyncio.sleep(0.2)
    del samples[:]
    started = perf_counter()
    done = await work()
    took_s = perf_counter() - started
    ended.set()
    await writing
    note = "" if done is None else str(done)
    return Effort(
        what, took_s, quantile(samples, 0.5), quantile(samples, 0.99), max(samples), max(logs), note
    )


async def efforts(store: Store, directory: Path | None) -> AsyncIterator[Effort]:
    """Clean up, resolve, export and, where the store is a file in a directory, back up."""
    asked = Asked(store)

    async def nothing() -> None:
        await asyncio.sleep(2.0)

    async def prune() -> str:
        gone = 0
        while gone < PRUNED:
            number = await store.prune_events(Prune(END_US, Severity.LOW, limit=BATCH))
            gone += number
            if not number:
                break
            await asyncio.sleep(0.02)
        return f"{gone:,} events"

    async def resolve() -> str:
        wanted = parse(f"route = {ROUTE} AND resolved = false")
        number = await store.resolve(wanted, resolution=RESOLUTION, at_us=END_US, dry_run=False)
        return f"{number:,} events"

    async def export() -> str:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        size = events = 0
        async for chunk, number in asked.views.export(filter_text="", form=Format.NDJSON, limit=EXPORTED):
            size += len(chunk)
            events += number
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        return f"{events:,} events, {size / 1e6:,.0f} MB, memory grew by {grown / 1024:.0f} MiB"

    async def backup() -> str:
        with tempfile.TemporaryDirectory(prefix="seawall-bench-") as scratch:
            report = await asyncio.to_thread(back_up, directory or Path(), Path(scratch) / "copy.db")
        return f"{report.size_bytes / 1e9:.1f} GB, every page checked"

    yield await _meanwhile(store, "nothing else", nothing)
    yield await _meanwhile(store, "clean-up", prune)
    yield await _meanwhile(store, "resolving by a filter", resolve)
    yield await _meanwhile(store, "export", export)
    if directory is not None:
        yield await _meanwhile(store, "backup", backup)
