"""Events that keep arriving while a large record is asked, as in life. A record that is kept loses them
afterwards; its groups and counts keep them, some thousands.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from benchmarks.control.bulk import END_US, PROBLEMS, PROXIES, Problem, problems
from benchmarks.control.keeping import PROBE
from seawall_control.domain.events import MICROS, Category, Event, EventKind, Outcome, Severity
from seawall_control.services.event_intake import Reported
from seawall_control.services.events import EventService

BATCH: Final = 5
"""Events that a proxy sends at once."""
LATE: Final = 0.05
"""Of so many batches a proxy has kept the events for hours, up to a day."""


@dataclass(slots=True)
class Stream:
    """What has arrived."""

    events: int = 0
    took_s: float = 0.0

    @property
    def per_second(self) -> float:
        """Events a second."""
        return self.events / self.took_s if self.took_s else 0.0


def _event(problem: Problem, at_us: int, dice: random.Random) -> Event:
    return Event(
        # Of its own in each run: a record that is kept has those of the run before.
        id=str(uuid.uuid4()),
        timestamp_us=at_us,
        severity=Severity(problem.severity),
        component=PROBE,
        error_type=problem.error_type,
        message=f"{problem.words}: order {dice.getrandbits(30)}",
        kind=EventKind(problem.kind),
        route=problem.route,
        method=problem.method,
        code=problem.code,
        category=Category(problem.category),
        endpoint=problem.endpoint,
        outcome=Outcome(problem.outcome),
        reason=problem.reason,
        fingerprint=problem.fingerprint,
        policy_revision=7,
    )


async def _arrive(service: EventService, per_second: float, stream: Stream) -> None:
    dice = random.Random(11)
    all_of_them = problems()
    weights = [1.0 / (rank + 3) for rank in range(PROBLEMS)]
    sent = [0] * PROXIES
    spool = uuid.uuid4().hex
    started = perf_counter()
    while True:
        proxy = dice.randrange(PROXIES)
        late_us = dice.randrange(3600, 86_400) * MICROS if dice.random() < LATE else 0
        batch = [
            (sent[proxy] + n + 1, Reported(_event(one, END_US - late_us, dice), one.severity))
            for n, one in enumerate(dice.choices(all_of_them, weights, k=BATCH))
        ]
        await service.ingest(f"edge-{proxy}", spool, batch, (), starts_stream=sent[proxy] == 0)
        sent[proxy] += BATCH
        stream.events += BATCH
        stream.took_s = perf_counter() - started
        await asyncio.sleep(max(0.0, stream.events / per_second - stream.took_s))


@asynccontextmanager
async def arriving(service: EventService, per_second: float) -> AsyncIterator[Stream]:
    """Have events arrive at this rate, as far as the store keeps up."""
    stream = Stream()
    task = asyncio.create_task(_arrive(service, per_second, stream))
    try:
        yield stream
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
