"""A process that changes a store, and writes its part of a history: `python -m tests.faults.store_writer
DIRECTORY HISTORY COUNT`.

COUNT times it takes a batch of a spool in and makes a policy revision, each acknowledged in the history once
the store says that it is durable. It goes on where the history ends, as proxies do: what was not acknowledged
is sent again. What is refused is noted and tried no more in this run; a store that asks to be ended ends the
process with code 3.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from seawall_control.domain.errors import ControlError
from seawall_control.domain.events import Batch
from seawall_control.domain.revisions import Draft
from seawall_control.store.port import Store
from seawall_control.store.sqlite import open_store
from tests.kit.history import Line, Recorder, read
from tests.kit.store_driver import event

SIZE = 5
NODE, SPOOL = "p", "s"


def acknowledged(lines: list[Line]) -> int:
    """Return the highest number that was acknowledged."""
    return max((line["through"] for line in lines if line["what"] == "acked"), default=0)


def refused(note: Recorder, what: str, error: ControlError) -> None:
    """Note that a change was refused."""
    note("refused", change=what, error=type(error).__name__)


async def change(store: Store, note: Recorder, first: int, content: str) -> None:
    """Take a batch in, and make a revision."""
    events = tuple((n, event(n)) for n in range(first, first + SIZE))
    note("sent", node=NODE, spool=SPOOL, events=[[n, one.id, one.job_id] for n, one in events], gaps=[])
    try:
        done = await store.ingest(Batch(NODE, SPOOL, events))
    except ControlError as error:
        refused(note, "batch", error)
    else:
        note("acked", node=NODE, spool=SPOOL, through=done.through_seq, refused=[])
    try:
        draft = Draft(policy_set="default", hash=content, document=content.encode(), create_time_us=1)
        applied = await store.apply(draft)
    except ControlError as error:
        refused(note, "revision", error)
    else:
        made = applied.revision
        note("pushed", node=NODE, revision=made.revision, hash=made.hash)
        note(
            "answered",
            node=NODE,
            accepted=True,
            revision=made.revision,
            hash=made.hash,
            applied=made.revision,
        )


async def run(directory: Path, history: Path, count: int) -> int:
    """Make the changes; return the exit code."""
    done = read(history)
    note = Recorder(history, "wire")
    store = await open_store(directory)
    note("ready", revision=0)
    latest = await store.latest("default")
    if latest is not None:
        # What is in effect after a restart is what a proxy would be given.
        note("pushed", node=NODE, revision=latest.revision, hash=latest.hash)
        note(
            "answered", node=NODE, accepted=True, revision=latest.revision, hash=latest.hash,
            applied=latest.revision,
        )  # fmt: skip
    first = acknowledged(done) + 1
    for number in range(count):
        await change(store, note, first + number * SIZE, f"{os.getpid()}-{number}")
        if store.failed.is_set():
            note("ended")
            return 3
    await store.aclose()
    note("done")
    return 0


if __name__ == "__main__":
    os._exit(asyncio.run(run(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))))
