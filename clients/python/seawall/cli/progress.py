"""A line that says how far something is, for what takes longer than a second."""

from __future__ import annotations

import sys
import threading
from time import monotonic
from types import TracebackType
from typing import Final, Self, TextIO

FIRST_S: Final = 1.0
"""What is done by then is done without a line."""
TERMINAL_S: Final = 0.5
"""Between two states of the line on a terminal."""
LINES_S: Final = 10.0
"""Between two lines anywhere else."""


class Progress:
    """Writes to standard error from a thread of its own: what it tells of keeps its thread busy."""

    def __init__(
        self, stream: TextIO | None = None, *, first_s: float = FIRST_S, every_s: float | None = None
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty()
        self._first_s = first_s
        self._every_s = every_s or (TERMINAL_S if self._terminal else LINES_S)
        self._text = ""
        self._since_s = monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="seawall-progress", daemon=True)

    def say(self, text: str) -> None:
        """Say what is done now, as `copying, 3.1 of 10.5 GB`."""
        self._text = text

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        wait_s, written = self._first_s, False
        while not self._ended.wait(wait_s):
            wait_s = self._every_s
            if self._text:
                self._write(f"{self._text} ({monotonic() - self._since_s:.0f} s)")
                written = True
        if written and self._terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _write(self, line: str) -> None:
        self._stream.write(f"\r{line}\x1b[K" if self._terminal else f"{line}\n")
        self._stream.flush()
