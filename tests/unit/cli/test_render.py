"""Text for people."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import click
import pytest

from seawall.cli import render
from seawall.cli.render import Cell


def test_columns_are_aligned_by_width_on_the_terminal() -> None:
    """A wide character takes two columns, a combining one none; numbers are aligned to the right."""
    text = render.table(["NAME", "N"], [["漢字", "1"], ["a", "100"], ["e\u0301", "20"]], right="N")
    assert text.splitlines() == [
        "\x1b[1mNAME\x1b[0m    \x1b[1mN\x1b[0m",
        "漢字    1",
        "a     100",
        "e\u0301      20",
    ]


def test_table_has_no_trailing_spaces_and_survives_no_rows() -> None:
    """Output that is copied or compared has nothing at the ends of its lines."""
    text = render.table(["A", "B"], [["x", ""], ["longer", "y"]])
    assert all(line == line.rstrip() for line in text.splitlines())
    assert render.table(["A"], []).strip() != ""


def test_a_row_is_one_line() -> None:
    """Whoever writes a line end into a name adds no row that nobody reported."""
    text = render.table(["NAME", "STATE"], [["a\nb  live", "away"], [Cell("c\td", fg="red"), "away"]])
    assert [click.unstyle(line) for line in text.splitlines()] == [
        "NAME        STATE",
        r"a\nb  live  away",
        r"c\td        away",
    ]


def test_colour_does_not_move_columns() -> None:
    """Escape codes take no room."""
    plain = render.table(["A", "B"], [["xy", "1"]])
    colored = render.table(["A", "B"], [[Cell("xy", "red"), "1"]])
    assert colored.replace("\x1b[31m", "").replace("\x1b[0m", "") == plain.replace("\x1b[0m", "")


def test_fields_leave_out_what_is_empty_and_indent_what_is_long() -> None:
    """Values stand below each other, also on their second line."""
    assert render.fields([("A", "1"), ("Long", "x\ny"), ("None", "")]) == "A:     1\nLong:  x\n       y"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "-"), (0.00085, "850 µs"), (0.0123, "12.3 ms"), (0.25, "250 ms"), (1.25, "1.25 s"), (12, "12.00 s")],
)
def test_latency_has_a_unit_that_fits(seconds: float, text: str) -> None:
    """Three digits or so, whatever the size."""
    assert render.latency(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.42, "0.4s"),
        (9.96, "10s"),
        (12, "12s"),
        (59.6, "1m"),
        (200, "3m20s"),
        (7500, "2h5m"),
        (86400, "1d"),
    ],
)
def test_span_has_at_most_two_units(seconds: float, text: str) -> None:
    """Long ago is told roughly."""
    assert render.span(seconds).replace("10.0", "10") == text


@pytest.mark.parametrize(
    ("ratio", "text"), [(1.0, "100%"), (0.99999, "99.99%"), (0.5, "50.00%"), (0.0, "0.00%")]
)
def test_only_a_perfect_share_reads_100(ratio: float, text: str) -> None:
    """Rounding never hides the last failure."""
    assert render.percent(ratio) == text


def test_clip_makes_one_line_of_any_text() -> None:
    """Line breaks and tabs cannot break a table."""
    assert render.clip("a\n b\tc", 10) == "a b c"
    assert render.clip("abcdefgh", 5) == "abcd…"
    assert render.width(render.clip("漢字漢字漢字", 5)) <= 5


def test_ago_of_never_and_of_the_future() -> None:
    """A clock that is ahead gives 0s, not a negative time."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert render.ago(None, now) == "-"
    assert render.ago(now + timedelta(seconds=3), now) == "0s"
    assert render.ago(now - timedelta(minutes=2), now) == "2m"


def test_every_state_is_told_by_a_word() -> None:
    """Without colours and without a good font the state can still be read."""
    assert "OPEN" in render.breaker("open").text
    assert "HALF_OPEN" in render.breaker("half_open").text
    assert "rejected" in render.rollout("rejected").text
    assert "degraded" in render.health("degraded").text
    assert render.breaker("").text == "-"


EVIL = "a\x1b[2Jb\u202ec\x07\x9b1md\u2066\ufeff"


def test_what_others_wrote_cannot_move_the_cursor() -> None:
    """Escape sequences and marks of direction are shown, not sent; what is only foreign stays as it is."""
    shown = "a\\x1b[2Jb\\u202ec\\x07\\x9b1md\\u2066\\ufeff"
    assert render.visible(EVIL) == render.clip(EVIL, 100) == shown
    assert render.table(["A"], [[EVIL], [Cell(EVIL, "red")]]).count(shown) == 2
    assert render.fields([("A", EVIL)]) == f"A:  {shown}"
    for harmless in ("漢字", "e\u0301", "naïve café", "x\ny\tz", "👩\u200d💻"):
        assert render.visible(harmless) == harmless


def test_cutting_a_long_text_takes_no_time() -> None:
    """Every message of a list is cut; those that were cut before have a character beyond ASCII."""
    began = time.thread_time()
    for _ in range(50):
        assert render.clip("x y " * 2500 + "…[cut]", 60).endswith("…")
    assert time.thread_time() - began < 1.0
