"""Lines of the log."""

from __future__ import annotations

import logging

from seawall_control.logs import TextFormatter


def test_nobody_else_begins_a_line() -> None:
    """A name with a line break in it would forge one, and an escape drive the terminal that shows it."""
    record = logging.LogRecord("seawall.control", logging.INFO, "", 0, "refused %s", ("a\nb",), None)
    record.__dict__["fields"] = {"why": "x\r\n12:00:00 info control: all is well\x1b[2J\x85\u2028"}
    line = TextFormatter().format(record)
    assert line.splitlines() == [line]
    assert "\x1b" not in line
    assert r"a\nb" in line
    assert r"\x1b[2J" in line


def test_text_of_people_stays() -> None:
    """Letters of every script are no control characters."""
    record = logging.LogRecord("seawall.control", logging.INFO, "", 0, "Größe 大きさ", (), None)
    assert TextFormatter().format(record).endswith("control: Größe 大きさ")
