"""Statements that every database understands, made into those that PostgreSQL runs once for many rows."""

from __future__ import annotations

import pytest

from seawall_control.store.postgres.adapter import _any_of, _kinds, _unnested


def test_rows_are_sent_as_one_array_for_each_column() -> None:
    """What comes before and after the values stays."""
    sql = "INSERT INTO t (a, b) VALUES (?, ?) ON CONFLICT (a) DO NOTHING"
    assert _unnested(sql, _kinds(("x", 1))) == (
        "INSERT INTO t (a, b) SELECT * FROM unnest($1::text[], $2::bigint[]) ON CONFLICT (a) DO NOTHING"
    )


@pytest.mark.parametrize("sql", ["DELETE FROM t WHERE a = ?", "INSERT INTO t (a, b) VALUES (?, ?)"])
def test_another_statement_is_a_mistake(sql: str) -> None:
    """It would lose its parameters."""
    with pytest.raises(ValueError, match="not a statement with"):
        _unnested(sql, _kinds(("x",)))


def test_lists_are_one_array() -> None:
    """The same statement for any number of values."""
    assert _any_of("SELECT id FROM t WHERE id IN") == "SELECT id FROM t WHERE id = ANY(?::text[])"
