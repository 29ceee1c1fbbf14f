"""Measures and prints the goals: `python -m benchmarks.control --events 1000000 --store both`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
from collections.abc import Sequence
from typing import Final

from benchmarks.control.measures import Ingest, Latency, fill, ingest, questions
from benchmarks.control.places import Place, places

INGEST_SHARE: Final = 0.6
LIST_S: Final = 0.050
STATISTICS_S: Final = 0.005


def mark(met: bool) -> str:
    """Return what stands in the column."""
    return "met" if met else "**MISSED**"


async def measure(place: Place, options: argparse.Namespace) -> tuple[list[Ingest], list[Latency]]:
    """Measure one store."""
    rounds = [await ingest(place, options.ingest, seed) for seed in range(1, options.rounds + 1)]
    print(f"{place.name}: filling the table with {options.events:,} events", flush=True)
    await fill(place, options.events)
    store = await place.open()
    try:
        return rounds, await questions(store, options.events, options.times)
    finally:
        await store.aclose()


def table(place: Place, rounds: Sequence[Ingest], asked: Sequence[Latency], events: int) -> str:
    """Return the rows of one store."""
    share = statistics.median(r.through_service / r.in_bulk for r in rounds)
    service = statistics.median(r.through_service for r in rounds)
    bulk = statistics.median(r.in_bulk for r in rounds)
    reached = f"{share:.2f} ({service:,.0f} of {bulk:,.0f} events/s)"
    goal_met = mark(share >= INGEST_SHARE)
    lines = [f"| {place.name} | ingest, share of {place.bulk} | >= {INGEST_SHARE} | {reached} | {goal_met} |"]
    for found in asked:
        goal = STATISTICS_S if found.what == "statistics" else LIST_S
        lines.append(
            f"| {place.name} | {found.what}, {events:,} events | p99 <= {goal * 1e3:g} ms | "
            f"p50 {found.p50 * 1e3:.2f} ms, p99 {found.p99 * 1e3:.2f} ms | {mark(found.p99 <= goal)} |"
        )
    return "\n".join(lines)


async def main(options: argparse.Namespace) -> None:
    """Measure, and print a table."""
    kinds = ("sqlite", "postgres") if options.store == "both" else (options.store,)
    rows = []
    async with places(kinds) as found:
        for place in found:
            rounds, asked = await measure(place, options)
            rows.append(table(place, rounds, asked, options.events))
    print("\n| store | figure | goal | reached | |\n|---|---|---|---|---|")
    print("\n".join(rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.control", description=__doc__)
    parser.add_argument("--store", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--events", type=int, default=1_000_000, help="events in the table that is asked")
    parser.add_argument("--ingest", type=int, default=40_000, help="events taken in, each way, in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--times", type=int, default=400, help="how often each question is asked")
    return parser.parse_args()


if __name__ == "__main__":
    logging.disable(logging.INFO)
    asyncio.run(main(_options()))
