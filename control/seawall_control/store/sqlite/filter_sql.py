"""Translates a filter's tree into SQL that means exactly what `domain.filters.matches` says.

Column names come from the table of fields, values are always bound. Columns are never NULL, so NOT has no
third answer.
"""

from __future__ import annotations

from typing import Final

from seawall_control.domain.filters import And, Compare, Kind, Node, Not, Op, Or

_COLUMN: Final = {"timestamp": "timestamp_us"}

Sql = tuple[str, list[str | int]]


def to_sql(node: Node) -> Sql:
    """Return a condition and its parameters."""
    match node:
        case Compare():
            return _compare(node)
        case Not(item):
            inner, parameters = to_sql(item)
            return f"NOT ({inner})", parameters
        case And(items):
            return _joined(items, " AND ", "1")
        case Or(items):
            return _joined(items, " OR ", "0")


def _joined(items: tuple[Node, ...], word: str, empty: str) -> Sql:
    parts = [to_sql(item) for item in items]
    if not parts:
        return empty, []
    return word.join(f"({sql})" for sql, _ in parts), [value for _, values in parts for value in values]


def _compare(node: Compare) -> Sql:
    column = _COLUMN.get(node.field.name, node.field.name)
    if node.op is Op.SET:
        if node.field.kind is Kind.FLAG:
            return "1", []
        return (f"{column} <> ''" if node.field.kind is Kind.TEXT else f"{column} <> 0"), []
    if node.op is Op.HAS:
        return f"instr(lower({column}), lower(?)) > 0", [node.value]
    if node.field.name == "job_id" and node.op is Op.EQ and node.value:
        # Said twice so that the planner may use the partial index over events that have a job.
        return "job_id = ? AND job_id <> ''", [node.value]
    if node.field.name == "resolved":
        # A constant, not a parameter, so that the planner may use the partial indexes.
        return f"resolved {'=' if node.op is Op.EQ else '<>'} {int(node.value)}", []
    operator = "<>" if node.op is Op.NE else node.op.value
    return f"{column} {operator} ?", [node.value]
