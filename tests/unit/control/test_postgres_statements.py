"""Statements that every database understands, made into those that PostgreSQL runs once for many rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall_control.domain.rollups import Width
from seawall_control.domain.sequences import Arrivals
from seawall_control.store.postgres.receiving import Check, as_one, checks_of
from seawall_control.store.postgres.statements import _any_of, array_text, kinds_of, unnested
from seawall_control.store.supposing import Supposed


def test_rows_are_sent_as_one_array_for_each_column() -> None:
    """What comes before and after the values stays."""
    sql = "INSERT INTO t (a, b) VALUES (?, ?) ON CONFLICT (a) DO NOTHING"
    assert unnested(sql, kinds_of(("x", 1))) == (
        "INSERT INTO t (a, b) SELECT * FROM unnest($1::text::text[], $2::text::bigint[]) "
        "ON CONFLICT (a) DO NOTHING"
    )


@pytest.mark.parametrize("sql", ["DELETE FROM t WHERE a = ?", "INSERT INTO t (a, b) VALUES (?, ?)"])
def test_another_statement_is_a_mistake(sql: str) -> None:
    """It would lose its parameters."""
    with pytest.raises(ValueError, match="not a statement with"):
        unnested(sql, kinds_of(("x",)))


def test_several_statements_are_one() -> None:
    """Each keeps its rows: parameters are counted on, and the last statement has the others."""
    first = "INSERT INTO a (x) VALUES (?) ON CONFLICT DO NOTHING"
    second = "INSERT INTO b (x, y) VALUES (?, ?)"
    assert as_one({first: [("p",), ("q",)]}) == (
        "INSERT INTO a (x) SELECT * FROM unnest($1::text::text[]) ON CONFLICT DO NOTHING",
        ['{"p","q"}'],
        (),
    )
    assert as_one({first: [("p",)], second: [(1, "r"), (2, "s")]}) == (
        (
            "WITH part_0 AS (INSERT INTO a (x) SELECT * FROM unnest($1::text::text[]) "
            "ON CONFLICT DO NOTHING) INSERT INTO b (x, y) SELECT * FROM "
            "unnest($2::text::bigint[], $3::text::text[])"
        ),
        ['{"p"}', "{1, 2}", '{"r","s"}'],
        (),
    )


def test_statement_tells_what_was_as_it_was_taken_to_be() -> None:
    """Rows that were to be there, and questions; after the number of the transaction."""
    put, add = "INSERT INTO a (x) VALUES (?)", "UPDATE b FROM (VALUES (?, ?)) AS r (y, z) RETURNING 1"
    question = Check("SELECT count(*) FROM (VALUES (?)) AS c (w)", [("t",), ("u",)], 2)
    assert as_one({put: [(1,)], add: [(2, "p"), (3, "q"), (4, "r")]}, [question]) == (
        (
            "WITH part_0 AS (INSERT INTO a (x) SELECT * FROM unnest($1::text::bigint[])), "
            "part_1 AS (UPDATE b FROM (SELECT * FROM unnest($2::text::bigint[], $3::text::text[])) "
            "AS r (y, z) RETURNING 1) SELECT pg_current_xact_id()::text::bigint, "
            "(SELECT count(*) FROM part_1), "
            "(SELECT count(*) FROM (SELECT * FROM unnest($4::text::text[])) AS c (w))"
        ),
        ["{1}", "{2, 3, 4}", '{"p","q","r"}', '{"t","u"}'],
        (3, 2),
    )
    assert as_one({}, [question]) == (
        (
            "SELECT pg_current_xact_id()::text::bigint, "
            "(SELECT count(*) FROM (SELECT * FROM unnest($1::text::text[])) AS c (w))"
        ),
        ['{"t","u"}'],
        (2,),
    )


def test_only_what_is_supposed_is_checked() -> None:
    """There is no question without rows."""
    spools = {("p", "s"): Arrivals(((1, 5), (7, 9)), 2)}
    assert [(check.rows, check.expected) for check in checks_of(Supposed(spools, {"v1:a": 7}, []))] == [
        ([("p", "s", "[[1,5],[7,9]]", 2)], 1),
        ([("v1:a", 7)], 1),
    ]
    begun = checks_of(Supposed({}, {}, [(Width.HOUR, 3600)]))
    assert [(check.rows, check.expected) for check in begun] == [([(3600, 3600)], 0)]


def test_lists_are_one_array() -> None:
    """The same statement for any number of values."""
    assert _any_of("SELECT id FROM t WHERE id IN") == "SELECT id FROM t WHERE id = ANY(?::text[])"


def test_arrays_are_texts() -> None:
    """Numbers as they are, texts in quotes; quotes and backslashes within them are escaped."""
    assert array_text([]) == array_text(()) == "{}"
    assert array_text([1, -2, 2**62]) == "{1, -2, 4611686018427387904}"
    assert array_text(["a", "", "NULL", "b,c", "{}"]) == '{"a","","NULL","b,c","{}"}'
    assert array_text(['a"b', "c"]) == '{"a\\"b","c"}'
    assert array_text(["a\\", "b"]) == '{"a\\\\","b"}'
    assert array_text(["a", '","']) == '{"a","\\",\\""}'


@given(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8"))))
def test_server_reads_what_was_written(values: list[str]) -> None:
    """By the rules of the server: whatever follows a backslash is itself, and quotes end a value."""
    text = array_text(values)
    found, inside, current, at = [], False, "", 1
    while at < len(text) - 1:
        if text[at] == "\\":
            current, at = current + text[at + 1], at + 1
        elif text[at] == '"':
            inside = not inside
            if not inside:
                found.append(current)
                current = ""
        elif inside:
            current += text[at]
        at += 1
    assert found == values
