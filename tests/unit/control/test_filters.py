"""Filters: the grammar, its precedence, and where a mistake is."""

from __future__ import annotations

import pytest

from seawall_control.domain.errors import InvalidFilter
from seawall_control.domain.events import Event, EventKind, Severity
from seawall_control.domain.filters import And, Compare, Not, Op, Or, matches, parse

EVENT = Event(
    id="e",
    timestamp_us=1_700_000_000_000_000,
    severity=Severity.HIGH,
    component="route/checkout",
    error_type="UNAVAILABLE",
    message='He said "no": connection refused',
    kind=EventKind.CALL_FAILED,
    job_id="j-1",
    endpoint="127.0.0.1:50051",
    fingerprint="v1:abc",
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "severity = HIGH",
        "severity=SEVERITY_HIGH",
        "severity >= medium",
        "severity != LOW",
        "resolved = false",
        "NOT resolved = true",
        "-resolved = true",
        'message : "CONNECTION"',
        'message:"\\"no\\""',
        "message:'said'",
        "endpoint = 127.0.0.1:50051",
        "fingerprint = v1:abc",
        "timestamp > 2023-11-14T00:00:00Z",
        'timestamp <= "2023-11-14T22:13:20+00:00"',
        "timestamp < 2023-11-15T01:00:00+02:00",
        "kind = CALL_FAILED",
        "kind = call_failed OR kind = BREAKER_OPENED",
        "job_id:*",
        "NOT trace_id:*",
        "component = route/checkout error_type = UNAVAILABLE",
        "(severity = LOW OR severity = HIGH) AND NOT (resolved = true)",
        "severity = HIGH AND severity = LOW OR job_id = j-1",
    ],
)
def test_filter_matches(text: str) -> None:
    """Each of these holds for the event."""
    assert matches(parse(text), EVENT)


@pytest.mark.parametrize(
    "text",
    [
        "severity = LOW",
        "severity > HIGH",
        "resolved = true",
        "message = connection",
        "timestamp < 2023-11-14T00:00:00Z",
        "trace_id:*",
        "NOT (severity = HIGH OR severity = LOW)",
        "severity = HIGH AND job_id = other",
        "severity = HIGH job_id = other",
    ],
)
def test_filter_does_not_match(text: str) -> None:
    """None of these holds for the event."""
    assert not matches(parse(text), EVENT)


def test_or_binds_tighter_than_and() -> None:
    """AIP-160: `a AND b OR c` is `a AND (b OR c)`."""
    tree = parse("severity = LOW AND job_id = a OR job_id = b")
    assert isinstance(tree, And) and isinstance(tree.items[0], Compare) and isinstance(tree.items[1], Or)


def test_not_binds_tightest() -> None:
    """NOT and - apply to the next comparison or parentheses only."""
    tree = parse("NOT job_id = a job_id = b")
    assert isinstance(tree, And) and isinstance(tree.items[0], Not) and isinstance(tree.items[1], Compare)


def test_quotes_keep_operators_and_words_as_text() -> None:
    """Inside quotes nothing is an operator, and backslashes escape."""
    tree = parse(r'message = "a AND (b) \" \\ = c"')
    assert isinstance(tree, Compare) and tree.op is Op.EQ and tree.value == 'a AND (b) " \\ = c'


@pytest.mark.parametrize(
    ("text", "at", "hint"),
    [
        ("severity = HUGE", 12, "LOW, MEDIUM, HIGH, CRITICAL"),
        ("colour = red", 1, "there is no field 'colour'"),
        ("severity", 1, "message:severity"),
        ("severity =", 11, "a value is expected"),
        ("severity = HIGH AND", 20, "a field name is expected"),
        ("(severity = HIGH", 17, "a closing parenthesis is missing"),
        ("severity = HIGH)", 16, "was never opened"),
        ('message = "open', 10, "never closed"),
        ("resolved = maybe", 12, "true or false"),
        ("resolved > true", 12, "= or !="),
        ("timestamp > yesterday", 13, "RFC 3339"),
        ("AND severity = LOW", 1, "a field name is expected"),
        ("severity = LOW ! x", 16, "not expected"),
    ],
)
def test_mistakes_are_located(text: str, at: int, hint: str) -> None:
    """Every mistake names the character and the remedy."""
    with pytest.raises(InvalidFilter) as raised:
        parse(text)
    assert f"character {at}:" in str(raised.value), str(raised.value)
    assert hint in str(raised.value)


def test_work_is_bounded() -> None:
    """Length, number of comparisons and depth have limits, each said."""
    with pytest.raises(InvalidFilter, match="at most 4096"):
        parse("x" * 5000)
    with pytest.raises(InvalidFilter, match="64 comparisons"):
        parse(" AND ".join(["severity = LOW"] * 65))
    with pytest.raises(InvalidFilter, match="nested 32 deep"):
        parse("(" * 33 + "severity = LOW" + ")" * 33)
