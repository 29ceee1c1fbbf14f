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


class Line:
    """What is written: on a terminal one line that changes and goes away, elsewhere a line now and then."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._is_there = False
        self.every_s = TERMINAL_S if self._terminal else LINES_S
        self.text = ""
        """What is done now; nothing is written while it is empty."""

    def write(self, since_s: float) -> None:
        """Write it; it has been going on for so long."""
        if not self.text:
            return
        said = f"{self.text} ({since_s:.0f} s)"
        self._stream.write(f"\r{said}\x1b[K" if self._terminal else f"{said}\n")
        self._stream.flush()
        self._is_there = self._terminal

    def end(self) -> None:
        """Leave the cursor at the start of an empty line."""
        if self._is_there:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


class Progress:
    """Writes to standard error from a thread of its own: what it tells of keeps its thread busy."""

    def __init__(self) -> None:
        self._line = Line(sys.stderr)
        self._since_s = monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="seawall-progress", daemon=True)

    def say(self, text: str) -> None:
        """Say what is done now, as `copying, 3.1 of 10.5 GB`."""
        self._line.text = text

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        wait_s = FIRST_S
        while not self._ended.wait(wait_s):
            wait_s = self._line.every_s
            self._line.write(monotonic() - self._since_s)
        self._line.end()
