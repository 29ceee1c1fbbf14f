"""The access log: a bounded queue on the data path, and a thread that writes.

The data path only appends to the queue. When more calls end than can be written, the queue is full and the
line is dropped and counted: a slow disk or a reader that has stopped never holds up a call. The thread takes
what is there about five times a second, formats and writes it in batches, and lets the event loop have the
interpreter between them.

A file is opened for appending, and opened again when its name stands for another file or for none: that is
how logrotate's `create` works, without a signal. Every write is of whole lines, so several
processes may share a file; a line that the disk took in part is ended before the next one.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from pathlib import Path
from typing import Final

from seawall_proxy.call.access import AccessRecord, AccessSink
from seawall_proxy.call.ports import OUTCOME_HEDGED, OUTCOME_OK
from seawall_proxy.telemetry.access_format import AccessFormatter

log = logging.getLogger("seawall.access")

CAPACITY: Final = 10_000
"""Records of the queue; each holds at most about 2 KiB."""
INTERVAL_S: Final = 0.2
BATCH: Final = 32
"""Records that are formatted without a pause: well below a millisecond, for the event loop may be waiting."""
CLOSE_LIMIT_S: Final = 2.0
"""How long the end of the process waits for a reader that has stopped."""
STDOUT: Final = "-"

QUEUE_FULL: Final = "queue_full"
WRITE_FAILED: Final = "write_failed"
FORMAT_FAILED: Final = "format_failed"

_MODE: Final = 0o640


class AccessLog(AccessSink):
    """Takes records and writes them; raises OSError at once when the file cannot be opened."""

    def __init__(
        self, path: str, formatter: AccessFormatter, *, share: float = 1.0, failures_only: bool = False
    ) -> None:
        super().__init__()
        self.share = share
        self.path: str = path
        self.written: int = 0
        self.dropped: dict[str, int] = {}
        """Lines that were lost, by reason."""
        self._failures_only: bool = failures_only
        self._formatter: AccessFormatter = formatter
        self._queue: deque[AccessRecord] = deque()
        self._wake: threading.Event = threading.Event()
        self._stop: bool = False
        self._torn: bool = False
        self._failing: bool = False
        self._astray: bool = False
        """It writes to a file that its name no longer stands for, and cannot open another."""
        self._file: int = self._open()
        self._thread: threading.Thread = threading.Thread(target=self._run, name="access-log", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._queue)

    def __repr__(self) -> str:
        return (
            f"AccessLog({self.path!r}: {self.written} written, {len(self)} waiting, dropped {self.dropped})"
        )

    # the data path

    def call_ended(self, record: AccessRecord) -> None:
        """Put a record into the queue, or drop it."""
        if self._failures_only and record.outcome in (OUTCOME_OK, OUTCOME_HEDGED):
            return
        queue = self._queue
        if len(queue) >= CAPACITY:
            self._drop(QUEUE_FULL, 1)
            return
        queue.append(record)
        if len(queue) == CAPACITY // 2:
            self._wake.set()

    # the rest of the process

    def close(self, limit_s: float = CLOSE_LIMIT_S) -> bool:
        """Write what is waiting and let go of the file; return whether that was done in time."""
        self._stop = True
        self._wake.set()
        self._thread.join(limit_s)
        return not self._thread.is_alive()

    # the thread

    def _run(self) -> None:
        while True:
            stopping = self._stop
            self._wake.wait(0.0 if stopping else INTERVAL_S)
            self._wake.clear()
            try:
                self._follow()
                self._drain()
            except Exception:
                log.exception("the access log failed; it goes on")
            if stopping:
                break
        if self.path != STDOUT and self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _drain(self) -> None:
        queue = self._queue
        if not queue:
            return
        formatter = self._formatter
        anchor = formatter.anchor()
        while queue:
            records = [queue.popleft() for _ in range(min(BATCH, len(queue)))]
            try:
                lines = [formatter.line(record, anchor) for record in records]
            except Exception:
                self._drop(FORMAT_FAILED, len(records))
                raise
            # Writing gives up the interpreter, whoever waits for it.
            self._write(lines)

    def _drop(self, reason: str, count: int) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + count

    def _write(self, lines: list[bytes]) -> None:
        data = b"".join(lines)
        if self._torn:
            data = b"\n" + data
        view = memoryview(data)
        try:
            if self._file < 0:
                self._file = self._open()
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            # Whole lines are counted: those that end within what was taken are there.
            done = data[: len(data) - len(view)]
            whole = max(0, done.count(b"\n") - self._torn)
            self._torn = not done.endswith(b"\n") if done else self._torn
            self.written += whole
            self._drop(WRITE_FAILED, len(lines) - whole)
            if not self._failing:
                self._failing = True
                log.warning(
                    "cannot write the access log %s: %s; lines are dropped and counted until it works again",
                    self.path,
                    error.strerror or error,
                )
            return
        self._torn = False
        self.written += len(lines)
        if self._failing:
            self._failing = False
            log.info("the access log %s is written again", self.path)

    def _open(self) -> int:
        if self.path == STDOUT:
            return 1
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _MODE)

    def _follow(self) -> None:
        """Open the file again when its name stands for another one."""
        if self.path == STDOUT or self._file < 0 or self._is_same():
            return
        try:
            fresh = self._open()
        except OSError as error:
            # The old file is still there, under another name: better there than nowhere.
            if not self._astray:
                self._astray = True
                log.warning("cannot open the access log %s again: %s", self.path, error.strerror or error)
            return
        os.close(self._file)
        self._file = fresh
        self._torn = False
        if self._astray:
            self._astray = False
            log.info("the access log %s is opened again", self.path)

    def _is_same(self) -> bool:
        try:
            named = Path(self.path).stat()
        except OSError:
            return False
        ours = os.fstat(self._file)
        return (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino)
