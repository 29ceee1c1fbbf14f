"""Filters: what is printed parses to the same tree, any text is an answer or an error, and meaning obeys
logic.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from seawall_control.domain.errors import InvalidFilter
from seawall_control.domain.filters import (
    FIELDS,
    And,
    Compare,
    Field,
    Kind,
    Node,
    Not,
    Op,
    Or,
    matches,
    parse,
)
from tests.property.control.strategies import events

ORDERED = [op for op in Op if op not in (Op.HAS, Op.SET)]


@st.composite
def comparisons(draw: st.DrawFn) -> Compare:
    """Draw a comparison."""
    field: Field = FIELDS[draw(st.sampled_from(sorted(FIELDS)))]
    if draw(st.integers(0, 9)) == 0:
        return Compare(field, Op.SET, 0)
    if field.kind is Kind.TEXT:
        return Compare(field, draw(st.sampled_from([*ORDERED, Op.HAS])), draw(st.text(max_size=8)))
    if field.kind is Kind.FLAG:
        return Compare(field, draw(st.sampled_from([Op.EQ, Op.NE])), draw(st.integers(0, 1)))
    if field.kind is Kind.TIME:
        return Compare(field, draw(st.sampled_from(ORDERED)), draw(st.integers(0, 2_000_000_000_000_000)))
    return Compare(
        field, draw(st.sampled_from(ORDERED)), draw(st.sampled_from(sorted((field.names or {}).values())))
    )


def trees() -> st.SearchStrategy[Node]:
    """Draw a tree."""

    def extended(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        several = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.one_of(inner.map(Not), several.map(And), several.map(Or))

    return st.recursive(comparisons(), extended, max_leaves=12)


def shown(node: Node) -> str:
    """Return a tree as text, every branch in parentheses."""
    match node:
        case Compare(field, Op.SET, _):
            return f"{field.name}:*"
        case Compare(field, op, value):
            if isinstance(value, str):
                escaped = value.replace("\\", "\\\\").replace('"', '\\"')
                return f'{field.name} {op.value} "{escaped}"'
            if field.kind is Kind.FLAG:
                return f"{field.name} {op.value} {'true' if value else 'false'}"
            if field.kind is Kind.TIME:
                time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)
                return f"{field.name} {op.value} {time.isoformat()}"
            name = next(k for k, v in (field.names or {}).items() if v == value)
            return f"{field.name} {op.value} {name}"
        case Not(item):
            return f"NOT ({shown(item)})"
        case And(items):
            return " AND ".join(f"({shown(item)})" for item in items)
        case Or(items):
            return " OR ".join(f"({shown(item)})" for item in items)


@given(trees())
def test_printed_tree_parses_to_itself(tree: Node) -> None:
    """Parsing is the inverse of printing, quotes and escapes included."""
    assert parse(shown(tree)) == tree


@given(st.text(max_size=60) | st.text(alphabet="()=!<>:\"'- ANDORTseverityHIGH\\*", max_size=60))
def test_any_text_is_a_filter_or_an_error_with_a_place(text: str) -> None:
    """Nothing else than a tree or `InvalidFilter` comes out, whatever goes in."""
    try:
        parse(text)
    except InvalidFilter as error:
        assert "character" in str(error)  # noqa: PT017 - a tree is as good an answer


@given(trees(), trees(), events())
def test_meaning_obeys_logic(left: Node, right: Node, event: object) -> None:
    """NOT turns, AND and OR combine, and De Morgan holds."""
    a, b = matches(left, event), matches(right, event)  # type: ignore[arg-type]
    assert matches(Not(left), event) is (not a)  # type: ignore[arg-type]
    assert matches(And((left, right)), event) is (a and b)  # type: ignore[arg-type]
    assert matches(Not(Or((left, right))), event) is matches(And((Not(left), Not(right))), event)  # type: ignore[arg-type]
