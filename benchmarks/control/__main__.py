"""Measures and prints the goals: `python -m benchmarks.control --events 1000000 --store both`."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

from benchmarks.control.bulk import Record
from benchmarks.control.keeping import large, put_aside, put_back
from benchmarks.control.measures import Ingest, ingest
from benchmarks.control.places import Place, places
from benchmarks.control.questions import LISTS, Asked, Latency, pages, statistics
from benchmarks.control.stream import LATE, arriving
from benchmarks.control.upkeep import Effort, efforts
from seawall_control.event_loop import run_on_loop
from seawall_control.store.migrating import MIGRATED

INGEST_SHARE: Final = 0.6
LIST_S: Final = 0.050
STATISTICS_S: Final = 0.005


def mark(met: bool) -> str:
    """Return what stands in the column."""
    return "met" if met else "**MISSED**"


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, flush=True)


def in_ms(seconds: float) -> str:
    """Return a latency as people read it."""
    return f"{seconds * 1e3:.2f} ms"


def ingest_rows(place: Place, rounds: Sequence[Ingest]) -> list[str]:
    """Return the rows of ingest: by the clock, which is the goal, and by CPU time, which says what others on
    the machine have no part in.
    """
    share = median(r.through_service.per_second / r.in_bulk.per_second for r in rounds)
    service = median(r.through_service.per_second for r in rounds)
    bulk = median(r.in_bulk.per_second for r in rounds)
    reached = f"{share:.2f} ({service:,.0f} of {bulk:,.0f} events/s)"
    what, goal, met = f"ingest, share of {place.bulk}", f">= {INGEST_SHARE}", mark(share >= INGEST_SHARE)
    by_cpu = median(r.in_bulk.cpu_us / r.through_service.cpu_us for r in rounds)
    service_us = median(r.through_service.cpu_us for r in rounds)
    bulk_us = median(r.in_bulk.cpu_us for r in rounds)
    spent = f"{by_cpu:.2f} ({service_us:.0f} us an event, {bulk_us:.0f} us in bulk)"
    return [
        f"| {place.name} | {what} | {goal} | {reached} | {met} |",
        f"| {place.name} | the same by CPU time | - | {spent} | |",
    ]


def latency_row(place: Place, found: Latency, goal_s: float, what: str) -> str:
    """Return the row of a question."""
    note = f"; {found.note}" if found.note else ""
    reached = f"p50 {in_ms(found.p50)}, p99 {in_ms(found.p99)} (computing {in_ms(found.cpu)}){note}"
    return f"| {place.name} | {what} | p99 <= {goal_s * 1e3:g} ms | {reached} | {mark(found.p99 <= goal_s)} |"


def effort_row(place: Place, effort: Effort) -> str:
    """Return the row of a piece of upkeep."""
    writer = f"writer p50 {in_ms(effort.p50)}, p99 {in_ms(effort.p99)}"
    log = f", log {effort.log_bytes / 1e6:.0f} MB" if effort.log_bytes else ""
    note = f"; {effort.note}" if effort.note else ""
    return f"| {place.name} | beside {effort.what} | - | {effort.took_s:.1f} s; {writer}{log}{note} | |"


async def measure(place: Place, options: argparse.Namespace) -> list[str]:
    """Measure one store; return rows of the table."""
    rounds = [await ingest(place, options.ingest, seed) for seed in range(1, options.rounds + 1)]
    rows = ingest_rows(place, rounds) if rounds else []
    if not options.events:
        return rows
    record = Record(options.events)
    async with large(place, record, options.keep, say) as held:
        if options.cold:
            return [*rows, *await _asked_cold(held, record, options)]
        rows.extend(await _asked(held, record, options))
        if options.keep and options.arriving:
            await put_back(held)
        if options.upkeep:
            await put_aside(held)
            store = await held.open()
            try:
                async for effort in efforts(store, held.directory):
                    rows.append(effort_row(place, effort))
                    say(f"{place.name}: beside {effort.what}, done in {effort.took_s:.1f} s")
            finally:
                await store.aclose()
                await put_back(held)
    return rows


async def _asked(place: Place, record: Record, options: argparse.Namespace) -> list[str]:
    """Open a store that holds a record, and ask it."""
    started = perf_counter()
    with migrations() as migrated:
        store = await place.open()
    opened_s = perf_counter() - started
    rows = [f"| {place.name} | migration {name} | - | {took_s} s | |" for name, took_s in migrated]
    try:
        bytes_each = await place.size() / record.count
        rows.append(f"| {place.name} | size | - | {bytes_each:,.0f} bytes an event, with all indexes | |")
        rows.append(f"| {place.name} | opening the store | - | {opened_s:.2f} s | |")
        say(f"{place.name}: asking every question {options.times:,} times")
        asked = Asked(store)
        numbers = await statistics(asked, options.times)
        rows.extend(latency_row(place, found, STATISTICS_S, found.what) for found in numbers)
        if options.arriving:
            async with arriving(asked.events, options.arriving) as stream:
                beside = await statistics(asked, options.times, pause_s=1.0 / options.asked_a_second)
            what = f"{stream.per_second:.0f} events/s arriving, {LATE:.0%} of them late"
            rows.append(f"| {place.name} | the same with | - | {what} | |")
            rows.extend(
                latency_row(place, found, STATISTICS_S, f"{found.what}, while events arrive")
                for found in beside
            )
        if options.no_lists:
            return rows
        for what in LISTS:
            found = await pages(asked, record, what, options.times)
            rows.append(latency_row(place, found, LIST_S, f"list: {what}"))
    finally:
        await store.aclose()
    return rows


async def _asked_cold(place: Place, record: Record, options: argparse.Namespace) -> list[str]:
    """Ask for every list; each finds the record on the disk alone."""
    rows = []
    for what in LISTS:
        await place.cool()
        store = await place.open()
        try:
            found = await pages(Asked(store), record, what, options.times)
        finally:
            await store.aclose()
        rows.append(latency_row(place, found, LIST_S, f"list, from disk: {what}"))
        say(f"{place.name}: {what}, p50 {in_ms(found.p50)}, p99 {in_ms(found.p99)}")
    return rows


@contextmanager
def migrations() -> Iterator[list[tuple[str, float]]]:
    """Tell of the migrations that a store makes when it is opened, as they are done; give them with their
    seconds.
    """
    done: list[tuple[str, float]] = []

    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            fields = getattr(record, "fields", {})
            if record.getMessage() == MIGRATED:
                done.append((fields["migration"], fields["seconds"]))
            if "migration" in fields:
                say(" ".join([record.getMessage(), *(f"{name} {value}" for name, value in fields.items())]))

    told, log = Told(), logging.getLogger("seawall.control.store")
    log.addHandler(told)
    try:
        yield done
    finally:
        log.removeHandler(told)


async def main(options: argparse.Namespace) -> None:
    """Measure, and print a table."""
    kinds = ("sqlite", "postgres") if options.store == "both" else (options.store,)
    rows: list[str] = []
    async with places(kinds) as found:
        for place in found:
            rows.extend(await measure(place, options))
    print(f"\n{options.events:,} events\n\n| store | figure | goal | reached | |\n|---|---|---|---|---|")
    print("\n".join(rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.control", description=__doc__)
    parser.add_argument("--store", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument(
        "--events",
        type=int,
        default=1_000_000,
        help="events in the store that is asked; 0 asks nothing",
    )
    parser.add_argument("--ingest", type=int, default=40_000, help="events taken in, each way, in a round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of ingest; 0 leaves it out")
    parser.add_argument("--upkeep", action="store_true", help="clean up, resolve, export, back up as well")
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="keep the record in this directory, and use one of that size which is there",
    )
    parser.add_argument(
        "--arriving",
        type=float,
        default=100.0,
        help="statistics are asked again while so many events a second arrive; 0 leaves it out",
    )
    parser.add_argument("--asked-a-second", type=float, default=20.0, help="questions a second meanwhile")
    parser.add_argument("--no-lists", action="store_true", help="ask for statistics only")
    parser.add_argument(
        "--cold", action="store_true", help="ask for lists only, each after what is in memory was given up"
    )
    parser.add_argument("--times", type=int, default=400, help="how often each question is asked")
    return parser.parse_args()


if __name__ == "__main__":
    logging.getLogger("seawall.control.store").setLevel(logging.INFO)
    run_on_loop(main(_options()))
