"""Carries a request with an id out once, and answers its repetitions (domain/requests.py)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Final

from seawall_control.domain import requests as domain
from seawall_control.domain.errors import ControlError, InvalidRequest, RequestRunning, RequestUnanswered
from seawall_control.domain.records import Delete, DocumentConflict
from seawall_control.domain.requests import KIND, MAX_ANSWER_BYTES, RUNNING_US, Asked, Kept
from seawall_control.services.edge import Clock
from seawall_control.store.port import RecordStore
from seawall_control.store.witness import witnessed

TIDY_S: Final = 3600.0
PAGE: Final = 500

_log = logging.getLogger("seawall.control.requests")


class _Turns:
    """Requests with one id that this process has at once."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.takers = 0
        """Who has the lock, and who waits for it."""


class Requests:
    """The memory of requests."""

    def __init__(self, store: RecordStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._running: dict[str, _Turns] = {}
        self.repeated = 0
        """Requests that were answered from memory, for metrics."""

    def now_us(self) -> int:
        """Return the time."""
        return self._clock.now_us()

    @contextlib.asynccontextmanager
    async def turn(self, asked: Asked) -> AsyncIterator[None]:
        """Wait for an earlier request with this id that this process is carrying out."""
        turns = self._running.setdefault(asked.owner, _Turns())
        turns.takers += 1
        try:
            async with turns.lock:
                yield
        finally:
            # A lock that was just left is free until who waits for it goes on.
            turns.takers -= 1
            if not turns.takers:
                del self._running[asked.owner]

    async def answer(self, asked: Asked) -> bytes | None:
        """Return what an earlier request with this id was answered with; None: there was none.

        Raise `InvalidRequest` when that one asked for something else, `RequestRunning` while it may still be
        carried out, and `RequestUnanswered` when its answer is not known.
        """
        for name in asked.names:
            document = await self._store.document(KIND, name)
            if document is not None:
                return self._repeated(asked, Kept.read(document.body))
        return None

    def _repeated(self, asked: Asked, kept: Kept | None) -> bytes:
        if kept is None:
            raise RequestUnanswered(asked.request_id, "what is remembered of it is damaged")
        if (kept.method, kept.digest) != (asked.method, asked.digest):
            raise InvalidRequest(
                f"request_id {asked.request_id} was used for another request ({kept.method}); use a new UUID"
            )
        if kept.answer is not None:
            self.repeated += 1
            return kept.answer
        if not kept.outcome and self._clock.now_us() - kept.at_us < RUNNING_US:
            raise RequestRunning(asked.request_id)
        if not kept.outcome:
            why = "the control plane was ended before it could keep its answer"
        elif kept.outcome == "OK":
            why = "it was carried out, and such an answer is not kept: it holds a secret, or is too long"
        else:
            why = f"it ended with {kept.outcome}, and part of it may have been done"
        raise RequestUnanswered(asked.request_id, f"{why} (call {kept.call} in the audit)")

    async def ended(self, asked: Asked, outcome: str, answer: bytes | None, *, claimed: bool) -> None:
        """Keep how a request ended. What cannot be kept is logged: its caller hears of it all the same."""
        if answer is not None and len(answer) > MAX_ANSWER_BYTES:
            answer = None
        try:
            with witnessed(None):
                kept = Kept.of(asked).ended(outcome, answer)
                await self._store.commit([asked.answered(kept, claimed=claimed)], at_us=self.now_us())
        except (ControlError, DocumentConflict) as error:
            _log.warning(
                "the answer to a request with an id could not be kept",
                extra={"fields": {"request_id": asked.request_id, "error": str(error)}},
            )

    async def run_tidy(self, ages: Clock) -> None:
        """Forget old requests now and every hour, until cancelled."""
        while True:
            # The store may be full or busy; the next hour is soon enough.
            with contextlib.suppress(ControlError):
                await self.tidy(ages.now_us())
            await asyncio.sleep(TIDY_S)

    async def tidy(self, now_us: int) -> int:
        """Forget requests of before the day before a time; return how many."""
        total = 0
        while True:
            page = await self._store.documents(KIND, limit=PAGE)
            old = [one for one in page if domain.is_forgotten(one.name, now_us)]
            if not old:
                return total
            with witnessed(None):
                await self._store.commit([Delete(KIND, one.name) for one in old], at_us=self.now_us())
            total += len(old)
