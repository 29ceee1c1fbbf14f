"""Looking for a word before a shape changes nothing: every text is redacted as by all rules in order."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from seawall_control.domain import redaction

PARTS = st.sampled_from(
    [
        "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "abcDEF123", "eyJhbGciOi", ".eyJzdWIi",
        ".sig", "Bearer ", "bAsIc ", "basıc ", "://", "user:pw", "@host", "AKIA", "ABCDEFGH12345678", "AIza",
        "a" * 35, "ghp_", "github_pat_", "b" * 24, "swe_", "sw_", "xoxb-", "rk_live_", "sk_test_", "Password",
        "passwd", "secret", "api_key", "API-KEY", "ApıKey", "access token", "access_token", "private_key",
        "=", ": ", '"', " ", "\n", "ada@mail.example", ".com", "+44 20 7946 0958", "+", "(0)",
        "4111 1111 1111 1111", "4111-1111-1111-1111", "4111111111111111", "1234567890123", "411111 1", "-",
        "7", "é", "word", "@", "@b.example", ".a.", "x" * 63, "+_-", "ſ", "asia", "GH",
    ]
)  # fmt: skip


def by_all_rules(text: str) -> str:
    """Return the text after every rule."""
    for rule, pattern in redaction._VALUE_RULES:
        text = pattern.sub(f"[redacted:{rule}]", text)
    return redaction._CARD.sub(redaction._card, text)


@settings(max_examples=1500, deadline=None)
@given(st.lists(PARTS | st.text(max_size=4), max_size=8).map("".join))
@example("prıvate_key=abc")
@example("Bearer abcdef")
@example("a@b.example@c.example")
@example("a@b.example.d@c.example e@f.example,g@h.example")
@example("x" * 64 + "@b.example")
@example("x" * 65 + "@b.example")
@example("é" + "x" * 64 + "@b.example")
@example("@@b.example a@@b.example a@b a@b.e")
@example("asia1234 ABCDEFGH12345678 AKIAABCDEFGH12345678")
def test_marks_change_nothing(text: str) -> None:
    """Whatever the parts."""
    assert redaction.redact_text(text) == by_all_rules(text)


def test_guards_are_marks_as_they_stand() -> None:
    """A guard is part of every mark of its rule, so that no mark is there without it."""
    for rule, guard in redaction._GUARDS.items():
        assert guard
        assert all(guard.lower() in mark for mark in redaction._MARKS[rule])


def test_every_rule_has_marks() -> None:
    """And no mark is for a rule that there is not."""
    assert set(redaction._MARKS) == {rule for rule, _ in redaction._VALUE_RULES}
    assert all(mark == mark.lower() for marks in redaction._MARKS.values() for mark in marks)
