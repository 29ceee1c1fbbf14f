"""Lines of the log."""

from __future__ import annotations

import io
import json
import logging

from seawall_control.logs import TextFormatter, set_up
from seawall_proxy.runtime import main as proxy


def test_nobody_else_begins_a_line() -> None:
    """A name with a line break in it would forge one, and an escape drive the terminal that shows it."""
    record = logging.LogRecord("seawall.control", logging.INFO, "", 0, "refused %s", ("a\nb",), None)
    record.__dict__["fields"] = {"why": "x\r\n12:00:00 info control: all is well\x1b[2J\x85\u2028"}
    line = TextFormatter().format(record)
    assert line.splitlines() == [line]
    assert "\x1b" not in line
    assert r"a\nb" in line
    assert r"\x1b[2J" in line


def test_both_planes_write_lines_of_one_form() -> None:
    """Under `seawall up` they stand below each other; two forms and two time zones have no order."""
    record = logging.LogRecord("seawall.control.alerts", logging.INFO, "", 0, "said", (), None)
    assert TextFormatter().format(record) == logging.Formatter(proxy._LOG_LINE).format(record)


def test_text_of_people_stays() -> None:
    """Letters of every script are no control characters."""
    record = logging.LogRecord("seawall.control", logging.INFO, "", 0, "Größe 大きさ", (), None)
    assert TextFormatter().format(record).endswith("control: Größe 大きさ")


def test_what_libraries_warn_of_has_the_form_of_our_lines() -> None:
    """Whoever reads the log by program would stumble over a line that is no JSON."""
    root, ours = logging.getLogger(), logging.getLogger("seawall")
    before = root.handlers[:], root.level, ours.handlers[:], ours.level, ours.propagate
    stream = io.StringIO()
    try:
        set_up("json", "info", stream)
        logging.getLogger("uvicorn.error").error("the listener says %s", "no")
        logging.getLogger("uvicorn.error").info("Started server process")
        logging.getLogger("seawall.control").info("ours")
    finally:
        root.handlers[:], ours.handlers[:] = before[0], before[2]
        root.setLevel(before[1])
        ours.setLevel(before[3])
        ours.propagate = before[4]
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["logger"], line["message"]) for line in lines] == [
        ("uvicorn.error", "the listener says no"),
        ("seawall.control", "ours"),
    ]
