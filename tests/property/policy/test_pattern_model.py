"""Patterns against the regular expressions of the standard library, on small alphabets."""

from __future__ import annotations

import re
import warnings

from hypothesis import example, given, settings
from hypothesis import strategies as st

from seawall_policy.pattern import Pattern, PatternError

ATOMS = st.sampled_from(["a", "b", "é", ".", "[ab]", "[^a]", "[a-c-]", r"\d", r"\W", r"\.", "[]x]", r"[\s1]"])
SIGNS = st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,}", "*?"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(inner, SIGNS).map(lambda two: f"(?:{two[0]}){two[1]}"),
        inner.map(lambda one: f"(^{one})"),
        inner.map(lambda one: f"({one}$)"),
    ),
    max_leaves=8,
)
TEXTS = st.text(alphabet="abcé.1 ]x-", max_size=10)


@settings(max_examples=400, deadline=None)
@example("($)(^)", [""], False)
@given(PATTERNS, st.lists(TEXTS, min_size=1, max_size=5), st.booleans())
def test_agrees_with_re(pattern: str, texts: list[str], fold: bool) -> None:
    """Whether there is a match is what `re` says, in ASCII mode."""
    try:
        ours = Pattern(("(?i)" if fold else "") + pattern)
    except PatternError:
        assert len(pattern) > 100
        return
    theirs = re.compile(pattern, re.ASCII | (re.IGNORECASE if fold else 0))
    for text in texts:
        shown = text.upper() if fold and "é" not in pattern + text else text
        assert ours.search(shown) == (theirs.search(shown) is not None), (pattern, shown)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab(|)*+?{},12[]^-\\d.$:", max_size=12), TEXTS)
@example("[[]", "")
def test_any_text_is_a_pattern_or_an_error(pattern: str, text: str) -> None:
    """Nothing but PatternError is raised, and what is accepted here `re` accepts as well."""
    try:
        ours = Pattern(pattern)
    except PatternError:
        return
    try:
        with warnings.catch_warnings():
            # What may mean something else in a later Python means here what it means now.
            warnings.simplefilter("ignore", FutureWarning)
            theirs = re.compile(pattern, re.ASCII)
    except re.error:
        return
    assert ours.search(text) == (theirs.search(text) is not None)
