"""What patterns match, what they refuse, and that no text takes long."""

from __future__ import annotations

import re

import pytest

from seawall_policy import pattern as module
from seawall_policy.pattern import Pattern, PatternError


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("out of stock", "sku 7 is out of stock today", "out of luck"),
        ("^quota", "quota used up", "the quota"),
        ("up$", "quota used up", "up there"),
        ("^$", "", "x"),
        ("(?i)DEADLOCK", "a deadLock was found", "a lock"),
        ("(?i)[^a-c]", "d", "ABC"),
        (r"shard \d{2,3} (is|was) down", "shard 12 was down", "shard 1 was down"),
        (r"\[E\d+\]", "[E42]", "E42"),
        ("a|", "", None),
        (r"[\]a-]{3}", "-]a", "-]"),
        ("x*y+?z", "yyz", "xz"),
        ("é.ü", "aéxü", "éü"),
        ("a.b", "a b", "a\nb"),
        ("(a|b)*c$", "abbac", "abbad"),
        (r"[^\W\d]", "7a", "7-"),
    ],
)
def test_matches(pattern: str, matching: str, other: str | None) -> None:
    """Each matches the first text and not the second."""
    compiled = Pattern(pattern)
    assert compiled.search(matching)
    assert compiled.search(matching)
    assert other is None or not compiled.search(other)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("", "empty"),
        ("x" * 257, "longer"),
        ("(", "without its `)`"),
        (")", "without its `(`"),
        ("a(?=b)", "not supported"),
        ("(?<!a)b", "not supported"),
        ("(?P<n>a)", "not supported"),
        (r"(a)\1", "escape `\\1`"),
        (r"\bword", "escape `\\b`"),
        (r"[\b]", "escape `\\b`"),
        ("*a", "repeats nothing"),
        ("a**", "repeats a repetition"),
        ("^*", "repeats an end"),
        ("a{,3}", "no repetition"),
        ("a{3", "ends too early"),
        ("a{4x", "no repetition"),
        ("a{3,2}", "less often"),
        ("a{101}", "more than 100"),
        ("(a{100}){100}", "too large"),
        ("[a", "ends too early"),
        ("[z-a]", "before it begins"),
        ("[[:alpha:]]", "named class"),
        ("a\\", "ends too early"),
        ("(" * 40 + "a" + ")" * 40, "within each other"),
    ],
)
def test_refuses(pattern: str, why: str) -> None:
    """What is not understood is an error that says so."""
    with pytest.raises(PatternError, match=re.escape(why)):
        Pattern(pattern)


def test_no_text_takes_long() -> None:
    """Patterns and texts that are exponential elsewhere end at once, with a bounded number of states."""
    for text in ("(a*)*b", "(a+)+$", "(a|a)*b", "(.*)(.*)(.*)(.*)x", "a?" * 30 + "a" * 30):
        compiled = Pattern(text)
        compiled.search("a" * 1024 + "!")
        assert len(compiled._states) <= module.MAX_STATES


def test_states_are_bounded() -> None:
    """A pattern with very many states makes them anew and still tells right from wrong."""
    compiled = Pattern("a[ab]{14}c")
    draws = [
        f"{number * 2654435761 % (1 << 20):b}".replace("0", "a").replace("1", "b") for number in range(400)
    ]
    for text in draws:
        assert not compiled.search(text)
        assert len(compiled._states) <= module.MAX_STATES
    assert compiled.search("".join(draws) + "a" + "ab" * 7 + "c")
