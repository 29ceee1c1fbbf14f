"""Children that are kept alive: started in order, watched, restarted with growing waits, and stopped in the
reverse order.

A child that dies is started again after 0.5 s, doubling to 10 s; half a minute of life resets that. Ten
deaths within five minutes end everything, since a child that cannot live hides its reason behind the
restarts. Children are in sessions of their own, so that Ctrl-C reaches only the supervisor, which then stops
them one after the other; on Linux they also end when it is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from seawall.cli import child

BACKOFF_FIRST_S: Final = 0.5
BACKOFF_MOST_S: Final = 10.0
STABLE_AFTER_S: Final = 30.0
DEATHS_ALLOWED: Final = 10
DEATHS_WINDOW_S: Final = 300.0
LINE_LIMIT: Final = 64 * 1024

Log = Callable[[str, str], None]
"""Takes the name of a child (empty: the supervisor) and a line."""
Probe = Callable[[], Awaitable[bool]]


class StartFailed(Exception):
    """A child did not become ready; the message says how it went."""


class Child:
    """One process and how to see that it is ready."""

    def __init__(
        self, name: str, argv: Sequence[str], probe: Probe, log: Log, *, stop_s: float = 30.0
    ) -> None:
        self.name = name
        self.argv = list(argv)
        self.stop_s = stop_s
        """How long it may take to end after SIGTERM before it is killed."""
        self.restarts = 0
        self._probe = probe
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._started_at = 0.0
        self._deaths: deque[float] = deque(maxlen=DEATHS_ALLOWED)
        self._backoff_s = BACKOFF_FIRST_S

    @property
    def pid(self) -> int | None:
        """The process id, or None while there is no process."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    async def start(self, *, ready_within_s: float) -> None:
        """Start the process and wait until it is ready; `StartFailed` when it ends or takes too long."""
        await self._spawn()
        ends = time.monotonic() + ready_within_s
        while not await self._probe():
            process = self._process
            if process is None or process.returncode is not None:
                await self._drain_output()
                code = None if process is None else process.returncode
                raise StartFailed(f"{self.name} ended with {_describe(code)} before it was ready")
            if time.monotonic() > ends:
                raise StartFailed(f"{self.name} was not ready within {ready_within_s:.0f} s")
            await asyncio.sleep(0.05)

    async def keep(self) -> None:
        """Restart the process whenever it ends; raise `StartFailed` when it ends too often."""
        while True:
            process = self._process
            if process is None:
                return
            code = await process.wait()
            await self._drain_output()
            now = time.monotonic()
            if now - self._started_at > STABLE_AFTER_S:
                self._backoff_s = BACKOFF_FIRST_S
            self._deaths.append(now)
            if len(self._deaths) == DEATHS_ALLOWED and now - self._deaths[0] < DEATHS_WINDOW_S:
                often = f"{DEATHS_ALLOWED} times within {DEATHS_WINDOW_S:.0f} s"
                raise StartFailed(f"{self.name} ended {often}; giving up")
            self._log(
                "", f"{self.name} ended with {_describe(code)}; starting it again in {self._backoff_s:g} s"
            )
            await asyncio.sleep(self._backoff_s)
            self._backoff_s = min(self._backoff_s * 2, BACKOFF_MOST_S)
            self.restarts += 1
            await self._spawn()

    async def stop(self) -> int:
        """End the process, gently first; return its exit code (0 when there was none)."""
        process = self._process
        if process is None:
            return 0
        if process.returncode is None:
            self.signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(self.stop_s):
                    await process.wait()
            except TimeoutError:
                self._log("", f"{self.name} did not end within {self.stop_s:.0f} s and is killed")
                self.signal(signal.SIGKILL)
                await process.wait()
        await self._drain_output()
        return process.returncode or 0

    def signal(self, number: signal.Signals) -> None:
        """Pass a signal on, if there is a process."""
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)

    async def _spawn(self) -> None:
        self._started_at = time.monotonic()
        self._process = await asyncio.create_subprocess_exec(
            *child.command(self.argv),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            limit=LINE_LIMIT,
        )
        self._reader = asyncio.create_task(self._read(self._process), name=f"output of {self.name}")

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        stream = process.stdout
        while stream is not None:
            try:
                line = await stream.readline()
            except ValueError:  # longer than LINE_LIMIT: what was buffered is gone, the rest follows
                self._log(self.name, "(a line that was too long)")
                continue
            if not line:
                return
            self._log(self.name, line.decode("utf-8", "replace").rstrip("\r\n"))

    async def _drain_output(self) -> None:
        """Wait for the last lines; a grandchild that holds the pipe does not hold us."""
        if self._reader is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._reader


def _describe(code: int | None) -> str:
    if code is None:
        return "no exit code"
    if code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
    return f"exit code {code}"
