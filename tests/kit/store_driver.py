"""A process that does nothing but take batches into a store, and says on stdout what was acknowledged.

`python -m tests.kit.store_driver DIRECTORY FIRST COUNT [EVENTS [SYNCHRONOUS]]`: COUNT batches from FIRST on,
of one spool, each with EVENTS events, one after the other. It says `ready`, then `ack N` for each batch, then
`done`. What cannot be stored is said as `refused N CLASS`, and the process goes on; a store that asks to be
ended ends it with code 3.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from seawall_control.domain.errors import ControlError
from seawall_control.domain.events import Batch, Event, Severity
from seawall_control.store.sqlite import open_store, opening
from seawall_control.store.sqlite import store as store_module


def event(number: int) -> Event:
    """Return an event with an id that follows from its number."""
    return Event(
        id=f"00000000-0000-4000-8000-{number:012d}",
        timestamp_us=1_700_000_000_000_000 + number,
        severity=Severity.LOW,
        component="c",
        message=f"event {number} " + "x" * 200,
        proxy="p",
        # Each in a group of its own: a flood of one group would be counted and not stored.
        fingerprint=f"v1:{number}",
    )


def batch(number: int, size: int) -> Batch:
    """Return a batch of consecutive events; batch 1 begins with event 1."""
    first = (number - 1) * size + 1
    return Batch("p", "s", tuple((n, event(n)) for n in range(first, first + size)))


def say(text: str) -> None:
    """Write a line at once, in one system call."""
    os.write(1, f"{text}\n".encode())


async def run(directory: Path, first: int, count: int, size: int) -> int:
    """Take the batches in; return the exit code."""
    store = await open_store(directory)
    say("ready")
    for number in range(first, first + count):
        try:
            done = await store.ingest(batch(number, size))
        except ControlError as error:
            say(f"refused {number} {type(error).__name__}")
            if store.failed.is_set():
                return 3
            continue
        say(f"ack {number} {done.through_seq}")
    await store.aclose()
    say("done")
    return 0


if __name__ == "__main__":
    directory_, first_, count_, *more_ = sys.argv[1:]
    if len(more_) > 1:
        # A worse setting than the store's, to see that the tests notice.
        worse = tuple(setting.replace("FULL", more_[1]) for setting in opening.WRITER)
        setattr(store_module, "WRITER", worse)  # noqa: B010 - a test's hand in the works
    os._exit(asyncio.run(run(Path(directory_), int(first_), int(count_), int(more_[0]) if more_ else 1)))
