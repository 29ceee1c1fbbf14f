"""The line that says how far something is."""

from __future__ import annotations

import io
import time

from seawall.cli.progress import Progress


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        """See `TextIO.isatty`."""
        return True


def test_what_is_quick_has_no_line() -> None:
    """Nor does what has nothing to say."""
    stream = io.StringIO()
    with Progress(stream) as progress:
        progress.say("copying")
    with Progress(stream, first_s=0.0, every_s=0.01):
        time.sleep(0.03)
    assert stream.getvalue() == ""


def test_lines_come_now_and_then() -> None:
    """Each says what is done now, and for how long it has been going on."""
    stream = io.StringIO()
    with Progress(stream, first_s=0.01, every_s=0.01) as progress:
        progress.say("copying")
        time.sleep(0.1)
        progress.say("checking")
        time.sleep(0.1)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "copying (0 s)" and lines[-1] == "checking (0 s)"


def test_on_a_terminal_it_is_one_line_that_goes_away() -> None:
    """What follows begins at the start of an empty line."""
    stream = Terminal()
    with Progress(stream, first_s=0.0, every_s=0.01) as progress:
        progress.say("copying")
        time.sleep(0.05)
    assert "\n" not in stream.getvalue()
    assert stream.getvalue().startswith("\rcopying (0 s)\x1b[K") and stream.getvalue().endswith("\r\x1b[K")
