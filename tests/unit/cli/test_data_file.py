"""Files of rules, channels and runbooks: what is wrong is said, whatever it is."""

from __future__ import annotations

import io

import click
import pytest

from seawall.cli.data_file import MAX_CHARACTERS, read_data


def named(text: str | bytes) -> io.TextIOWrapper:
    """Return an open text file."""
    raw = io.BytesIO(text.encode() if isinstance(text, str) else text)
    raw.name = "rules.yaml"
    return io.TextIOWrapper(raw, encoding="utf-8")


def bomb() -> str:
    """Return a kilobyte that stands for ten thousand million values."""
    lines, before = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"], "a"
    for number in range(10):
        lines.append(f"b{number}: &b{number} [{', '.join([f'*{before}'] * 10)}]")
        before = f"b{number}"
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"\x7fELF\xd0", "is no UTF-8 text"),
        ("[" * 3000, "is nested too deep"),
        ("x: " + "[" * 3000 + "]" * 3000, "is nested too deep"),
        ("a: [", "did not find expected|expected the node content"),
        ("a: !!timestamp 2026-13-45", "month must be in 1..12"),
        ("a: !!python/object:os.system {}", "could not determine a constructor"),
        ("a: \x00", "special characters are not allowed"),
        ("a" * (MAX_CHARACTERS + 1), "is longer than"),
        (bomb(), "its aliases stand for more than"),
    ],
)
def test_what_is_no_file_of_data(text: str | bytes, words: str) -> None:
    """One line with the file's name, no traceback and no waiting."""
    with pytest.raises(click.ClickException, match=words) as raised:
        read_data(named(text))
    assert raised.value.message.startswith("rules.yaml: ")


def test_what_looks_like_a_date_is_text() -> None:
    """It is somebody's name, not a time."""
    assert read_data(named("name: 2026-13-45\nother: 2026-11-30")) == {
        "name": "2026-13-45",
        "other": "2026-11-30",
    }
