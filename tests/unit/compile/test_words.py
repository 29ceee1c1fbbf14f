"""Durations, suggestions and field paths."""

from __future__ import annotations

import pytest

from seawall_policy import fieldpath
from seawall_policy.durations import MAX_NANOS, format_duration, parse_duration
from seawall_policy.suggest import did_you_mean, nearest, quoted

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("0s", 0),
        ("1ns", 1),
        ("1us", 1000),
        ("1µs", 1000),
        ("1μs", 1000),
        ("50ms", 50_000_000),
        ("1.5s", 1_500_000_000),
        ("0.05s", 50_000_000),
        ("1m30s", 90 * SECOND),
        ("1h", 3600 * SECOND),
        ("1h2m3s4ms5us6ns", 3723_004_005_006),
        ("1.5h", 5400 * SECOND),
        ("0.000000001s", 1),
        ("00050ms", 50_000_000),
    ],
)
def test_durations(text: str, nanos: int) -> None:
    """Units are h, m, s, ms, us and ns, each once and the largest first, with fractions."""
    assert parse_duration(text) == nanos


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("30", "has no unit; write 30ms or 30s"),
        ("0", "has no unit"),
        ("1.5", "has no unit"),
        ("", "is not a duration"),
        ("s", "is not a duration"),
        ("-1s", "is negative"),
        ("1 s", "is not a duration"),
        ("1s1m", "largest unit first"),
        ("1s1s", "each unit once"),
        ("1us1µs", "each unit once"),
        ("1d", "is not a duration"),
        ("1:30", "is not a duration"),
        ("1e3s", "is not a duration"),
        (".5s", "is not a duration"),
        ("1.s", "is not a duration"),
        ("1S", "is not a duration"),
        ("٣s", "is not a duration"),
        ("1s\n", "is not a duration"),
        ("0.5ns", "finer than a nanosecond"),
        ("0.0000000001s", "finer than a nanosecond"),
        ("99999999999h", "longer than 10000 years"),
        ("9" * 100 + "s", "too long"),
    ],
)
def test_what_is_no_duration(text: str, part: str) -> None:
    """Everything else is refused with a sentence."""
    with pytest.raises(ValueError, match=part):
        parse_duration(text)


@pytest.mark.parametrize(
    ("nanos", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1500, "1.5us"),
        (25_000_000, "25ms"),
        (1_500_000, "1.5ms"),
        (SECOND, "1s"),
        (1_500_000_000, "1.5s"),
        (90 * SECOND, "1m30s"),
        (3600 * SECOND, "1h"),
        (3600 * SECOND + 1, "1h0.000000001s"),
        (MAX_NANOS, "87660000h"),
    ],
)
def test_spelling_of_durations(nanos: int, text: str) -> None:
    """A duration is shown in the units that a person would choose."""
    assert format_duration(nanos) == text


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("UNAVAILABL", "UNAVAILABLE"),
        ("unavailable", "UNAVAILABLE"),
        ("INTERANL", "INTERNAL"),
        ("ABORT", "ABORTED"),
        ("ABO", ""),
        ("DATA-LOSS", "DATA_LOSS"),
        ("x", ""),
        ("", ""),
        ("COMPLETELY_DIFFERENT", ""),
        ("U" * 100, ""),
    ],
)
def test_suggestions(word: str, found: str) -> None:
    """The nearest word is suggested, and none when nothing is near."""
    assert nearest(word, ["UNAVAILABLE", "INTERNAL", "ABORTED", "DATA_LOSS"]) == found


def test_suggestion_as_a_sentence() -> None:
    """The sentence has its space, or is not there at all."""
    assert did_you_mean("retri", ["retry"]) == " Did you mean retry?"
    assert did_you_mean("zzz", ["retry"]) == ""


def test_the_nearer_of_two_is_suggested() -> None:
    """One wrong letter is nearer than two."""
    assert nearest("timeot", ["timer", "timeout"]) == "timeout"


def test_swapped_neighbours_are_one_mistake() -> None:
    """Two letters in the wrong order are one slip of the hand."""
    assert nearest("raet", ["rate"]) == "rate"
    assert nearest("rxyt", ["rate"]) == ""


def test_quoting_keeps_terminals_safe() -> None:
    """Escape sequences and quotes do not get through, long text is shortened."""
    assert quoted('a"b\\') == '"a\\"b\\\\"'
    assert quoted("\x1b[2J\n") == '"\\x1b[2J\\n"'
    assert quoted("\u202e") == '"\\u202e"'
    assert quoted("grün") == '"grün"'
    assert len(quoted("x" * 1000)) == 66


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("version", ["version", ""]),
        ("routes[0].policy", ["routes[0].policy", "routes[0]", "routes", ""]),
        ('policies["a.b"].timeout', ['policies["a.b"].timeout', 'policies["a.b"]', "policies", ""]),
        ('policies["x]\\"[\\"y"]', ['policies["x]\\"[\\"y"]', "policies", ""]),
        ("", [""]),
    ],
)
def test_ancestors_of_a_field(path: str, names: list[str]) -> None:
    """The way up leads through every container to the document."""
    assert fieldpath.ancestors(path) == names


def test_members_and_items() -> None:
    """Names that are no plain words go into quotes."""
    assert fieldpath.member("", "version") == "version"
    assert fieldpath.member("policies", "builtin/read") == "policies.builtin/read"
    assert fieldpath.member("policies", "a.b") == 'policies["a.b"]'
    assert fieldpath.member("policies", "") == 'policies[""]'
    assert fieldpath.item("routes", 3) == "routes[3]"
