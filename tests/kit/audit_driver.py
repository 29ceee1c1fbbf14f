"""A process that changes things under a witness, and says on stdout what was acknowledged.

`python -m tests.kit.audit_driver DIRECTORY COUNT`: COUNT rounds, in each a document, a revision and an event
are changed, one after the other. It says `ready`, then `ack WHAT` for each change, then `done`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from seawall_control.domain.events import EventChange
from seawall_control.domain.records import Append, Change, DocumentConflict, Put, Touched
from seawall_control.domain.revisions import Draft
from seawall_control.store.sqlite import open_store
from seawall_control.store.witness import witnessed
from tests.kit.store_driver import event, say

TOPIC = "audit"


class Witness:
    """Names what was touched, with the hash that it has now."""

    is_open = True

    def now_us(self) -> int:
        """Return a time."""
        return 1

    def records(self, touched: Sequence[Touched]) -> Sequence[Change]:
        """Return the entry."""
        return [Append(TOPIC, "\n".join(f"{one.what} {one.after}".strip() for one in touched))]

    def refused(self, conflict: DocumentConflict) -> Exception:
        """Return the conflict: an entry has none."""
        return conflict

    def durable(self, touched: Sequence[Touched]) -> None:
        """Do nothing."""


async def run(directory: Path, count: int) -> None:
    """Make the changes."""
    store = await open_store(directory)
    await store.report([event(number) for number in range(1, count + 1)])
    say("ready")
    with witnessed(Witness()):
        for number in range(1, count + 1):
            await store.commit([Put("rule", f"r{number}", f'"{number}"')], at_us=number)
            say(f"ack rule/r{number}")
            await store.apply(
                Draft(policy_set="shop", hash=f"h{number}", document=b"d" * 900, create_time_us=number)
            )
            say(f"ack policy_set/shop h{number}")
            await store.update_event(event(number).id, EventChange(resolution="seen"), at_us=number)
            say(f"ack event/{event(number).id}")
    await store.aclose()
    say("done")


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2])))
    os._exit(0)
