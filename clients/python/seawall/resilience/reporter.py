"""Errors to the control plane, in the background: what is reported costs the application a few microseconds
and can never fail it.

A bounded queue, one daemon thread, batches, and counters for what did not arrive. Each event has its id from
the start, so a batch that is sent twice is stored once. While the control plane is away the queue fills and
then drops the newest, since the first errors of a storm say most; `stats.dropped` counts them. A forked
child starts with an empty queue and a thread of its own.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Protocol, Self

from seawall.capture import Captured, Detail, Redact, capture
from seawall.errors import Invalid, Overloaded, SeawallError
from seawall.resilience.backoff import Backoff
from seawall.resilience.clock import SYSTEM
from seawall.resilience.exceptions import category_of, code_of
from seawall_policy import retry as engine

_log: Final = logging.getLogger("seawall.resilience")

MAX_QUEUE: Final = 1000
MAX_BATCH: Final = 100
BATCH_DELAY_S: Final = 0.2
"""How long an event waits for others to travel with."""
EXIT_FLUSH_S: Final = 2.0
"""How long the end of the program waits for what is still queued."""

_WAITS: Final = Backoff(initial=0.5, max=30.0, jitter="full").options(1, 0, only_idempotent=False)


class Delivery(Protocol):
    """How batches travel. `send` raises SeawallError when a batch did not arrive."""

    def send(self, batch: Sequence[Captured]) -> int:
        """Send a batch; return how many of its events were refused for good."""

    def close(self) -> None:
        """Close the connection."""


@dataclass(frozen=True, slots=True)
class ReporterStats:
    """Where the reports are: reported = delivered + dropped + queued."""

    reported: int = 0
    delivered: int = 0
    dropped: int = 0
    """The queue was full, the event was refused, or there was no time at the end."""
    queued: int = 0
    """Waiting, or on the way."""
    failed_sends: int = 0


class Reporter:
    """Reports exceptions to a control plane.

        with Reporter("127.0.0.1:9090", component="orders") as reporter:
            try:
                work()
            except Exception as error:
                reporter.report(error)
                raise

    Keep one for the process: `report_to` makes it. The same object serves threads and event loops.
    """

    def __init__(
        self,
        target: str = "127.0.0.1:9090",
        *,
        component: str = "",
        include_locals: bool = False,
        redact: Redact | None = None,
        max_queue: int = MAX_QUEUE,
        max_batch: int = MAX_BATCH,
        delivery: Callable[[], Delivery] | None = None,
    ) -> None:
        if max_queue < 1 or max_batch < 1:
            raise ValueError("reporter: max_queue and max_batch must be at least 1")
        self.target: Final = target
        self.component: Final = component
        self._include_locals = include_locals
        self._redact = redact
        self._max_queue = max_queue
        self._max_batch = max_batch
        self._make_delivery = delivery or (lambda: _to_control_plane(target))
        self._changed = threading.Condition()
        self._queue: deque[Captured] = deque()
        self._travelling = 0
        self._hurry = False
        self._closed = False
        self._thread: threading.Thread | None = None
        self._process = os.getpid()
        self._stats = ReporterStats()
        atexit.register(self.close)

    def report(
        self,
        error: BaseException,
        *,
        component: str = "",
        severity: str = "MEDIUM",
        job_id: str = "",
        job_name: str = "",
        details: Mapping[str, Detail] | None = None,
        include_locals: bool | None = None,
    ) -> str:
        """Take down an exception and return the id of its event at once; never raises.

        Component, job and further details come from `error_context` where they are not given. `severity` is
        LOW, MEDIUM, HIGH or CRITICAL. An id is returned for an event that is dropped, too.
        """
        event_id = str(uuid.uuid4())
        try:
            captured = capture(
                error,
                event_id=event_id,
                at=datetime.now(UTC),
                component=component or self.component,
                severity=severity if severity in ("LOW", "MEDIUM", "HIGH", "CRITICAL") else "MEDIUM",
                job_id=job_id,
                job_name=job_name,
                details=details,
                code=code_of(error),
                category=category_of(error),
                include_locals=self._include_locals if include_locals is None else include_locals,
                redact=self._redact,
            )
            self._put(captured)
        except Exception:  # noqa: BLE001 - whatever it is, the application has worse to do
            _log.warning("an error could not be reported", exc_info=True)
        return event_id

    @property
    def stats(self) -> ReporterStats:
        """Return the counts at this moment."""
        with self._changed:
            return replace(self._stats, queued=len(self._queue) + self._travelling)

    def flush(self, timeout: float = EXIT_FLUSH_S) -> bool:
        """Wait until everything that was reported has arrived or is given up; False when time ran out.

        Waits between attempts are cut short, so that an exit need not wait for them.
        """
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            done: bool = self._changed.wait_for(lambda: not self._queue and not self._travelling, timeout)
            self._hurry = False
            return done

    async def aflush(self, timeout: float = EXIT_FLUSH_S) -> bool:
        """Like `flush`, for a coroutine."""
        return await asyncio.to_thread(self.flush, timeout)

    def close(self, timeout: float = EXIT_FLUSH_S) -> None:
        """Flush, and stop the thread. What is left is counted as dropped; later reports are dropped."""
        with self._changed:
            if self._closed:
                return
        self.flush(timeout)
        with self._changed:
            self._closed = True
            self._stats = replace(self._stats, dropped=self._stats.dropped + len(self._queue))
            self._queue.clear()
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout)
        atexit.unregister(self.close)

    async def aclose(self, timeout: float = EXIT_FLUSH_S) -> None:
        """Like `close`, for a coroutine."""
        await asyncio.to_thread(self.close, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    # -- the queue and its thread

    def _start_again(self) -> None:
        """Begin anew in a forked child: the parent's thread did not come along, its lock may be held, and its
        events are its own.
        """
        self._changed = threading.Condition()
        self._queue = deque()
        self._travelling = 0
        self._hurry = False
        self._thread = None
        self._process = os.getpid()
        self._stats = ReporterStats()

    def _put(self, captured: Captured) -> None:
        if os.getpid() != self._process:
            self._start_again()
        with self._changed:
            self._stats = replace(self._stats, reported=self._stats.reported + 1)
            if self._closed or len(self._queue) + self._travelling >= self._max_queue:
                self._stats = replace(self._stats, dropped=self._stats.dropped + 1)
                return
            self._queue.append(captured)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="seawall-reporter", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _work(self) -> None:
        delivery: Delivery | None = None
        failures = 0
        while True:
            batch = self._next_batch()
            if not batch:
                break
            try:
                if delivery is None:
                    delivery = self._make_delivery()
                refused = delivery.send(batch)
            except Exception as error:  # noqa: BLE001 - the thread must go on whatever happens
                failures += 1
                self._put_back(batch, failures, error)
                continue
            failures = 0
            self._arrived(len(batch), refused)
        if delivery is not None:
            delivery.close()

    def _next_batch(self) -> list[Captured]:
        """Wait for events and take some of them; nothing once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            if not self._closed and not self._hurry and len(self._queue) < self._max_batch:
                self._changed.wait_for(
                    lambda: self._closed or self._hurry or len(self._queue) >= self._max_batch, BATCH_DELAY_S
                )
            batch = [self._queue.popleft() for _ in range(min(self._max_batch, len(self._queue)))]
            self._travelling = len(batch)
            return batch

    def _put_back(self, batch: list[Captured], failures: int, error: Exception) -> None:
        """Queue a batch again and wait, longer each time. One that can never arrive is dropped."""
        hopeless = isinstance(error, Invalid) or not isinstance(error, SeawallError | OSError)
        if failures == 1:
            _log.warning("errors cannot be reported to %s: %s", self.target, error)
        with self._changed:
            self._travelling = 0
            stats = replace(self._stats, failed_sends=self._stats.failed_sends + 1)
            if hopeless or self._closed:
                stats = replace(stats, dropped=stats.dropped + len(batch))
            else:
                self._queue.extendleft(reversed(batch))
            self._stats = stats
            self._changed.notify_all()
            wait = engine.backoff(_WAITS, min(failures, 20), 0.0, SYSTEM.draw())
            if isinstance(error, Overloaded):
                wait = max(wait, 1.0)
            hurried = self._hurry
            self._changed.wait_for(
                lambda: self._closed or self._hurry != hurried, min(wait, 0.1) if hurried else wait
            )

    def _arrived(self, count: int, refused: int) -> None:
        with self._changed:
            self._travelling = 0
            self._stats = replace(
                self._stats,
                delivered=self._stats.delivered + count - refused,
                dropped=self._stats.dropped + refused,
            )
            self._changed.notify_all()

    def __repr__(self) -> str:
        stats = self.stats
        return (
            f"Reporter({self.target!r}, delivered={stats.delivered}, queued={stats.queued}, "
            f"dropped={stats.dropped})"
        )


def _to_control_plane(target: str) -> Delivery:
    from seawall.resilience.delivery import ControlPlaneDelivery  # noqa: PLC0415 - brings gRPC

    return ControlPlaneDelivery(target)


_process_reporter: list[Reporter] = []


def report_to(
    target: str = "127.0.0.1:9090",
    *,
    component: str = "",
    include_locals: bool = False,
    redact: Redact | None = None,
) -> Reporter:
    """Send the errors of this process to a control plane from now on, and return the reporter.

    `with_error_handling` and `ErrorHandlingContext` use it unless they are given another one. Nothing is
    connected before there is something to report. The end of the program waits up to two seconds for what
    is queued.
    """
    made = Reporter(target, component=component, include_locals=include_locals, redact=redact)
    stop_reporting()
    _process_reporter.append(made)
    return made


def stop_reporting() -> None:
    """Close the reporter of this process."""
    while _process_reporter:
        _process_reporter.pop().close()


def current_reporter() -> Reporter | None:
    """Return the reporter of this process, None before `report_to`."""
    return _process_reporter[-1] if _process_reporter else None
