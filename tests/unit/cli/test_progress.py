"""The line that says how far something is."""

from __future__ import annotations

import io

import pytest

from seawall.cli.progress import LINES_S, TERMINAL_S, Line, Progress


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        """See `TextIO.isatty`."""
        return True


def test_what_is_quick_has_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor does what has nothing to say."""
    with Progress() as progress:
        progress.say("copying")
    assert capsys.readouterr().err == ""
    stream = io.StringIO()
    line = Line(stream)
    line.write(3.0)
    line.end()
    assert stream.getvalue() == ""


def test_lines_come_now_and_then() -> None:
    """Each says what is done now, and for how long it has been going on."""
    stream = io.StringIO()
    line = Line(stream)
    assert line.every_s == LINES_S
    line.text = "copying"
    line.write(1.0)
    line.text = "checking"
    line.write(11.2)
    line.end()
    assert stream.getvalue().splitlines() == ["copying (1 s)", "checking (11 s)"]


def test_on_a_terminal_it_is_one_line_that_goes_away() -> None:
    """What follows begins at the start of an empty line."""
    stream = Terminal()
    line = Line(stream)
    assert line.every_s == TERMINAL_S
    line.text = "copying"
    line.write(1.0)
    line.write(1.5)
    assert "\n" not in stream.getvalue()
    line.end()
    assert stream.getvalue().startswith("\rcopying (1 s)\x1b[K") and stream.getvalue().endswith("\r\x1b[K")
