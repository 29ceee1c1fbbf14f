"""Translates a filter's tree into SQL that means exactly what `domain.filters.matches` says.

Column names come from the table of fields, values are always bound. Columns are never NULL, so NOT has no
third answer. Databases differ in how they look for a text within another and in how they mark a parameter;
text has to be compared by code point, and `lower` has to leave everything but ASCII letters alone, which is
what SQLite does anyway and PostgreSQL under the collation "C".
"""

from __future__ import annotations

from seawall_control.domain.filters import And, Compare, Kind, Node, Not, Op, Or, folded

Sql = tuple[str, list[str | int]]


def to_sql(node: Node, *, find: str = "instr") -> Sql:
    """Return a condition with `?` for every parameter, and the parameters.

    `find` is the function that gives the position of its second text in its first, 0 when it is not there.
    """
    match node:
        case Compare():
            return _compare(node, find)
        case Not(item):
            inner, parameters = to_sql(item, find=find)
            return f"NOT ({inner})", parameters
        case And(items):
            return _joined(items, " AND ", "TRUE", find)
        case Or(items):
            return _joined(items, " OR ", "FALSE", find)


def numbered(sql: str) -> str:
    """Return a statement with `$1`, `$2` and so on in place of its question marks, as PostgreSQL wants it.

    A statement has no question mark but those: names are ours and values are bound.
    """
    first, *others = sql.split("?")
    return first + "".join(f"${number}{text}" for number, text in enumerate(others, start=1))


def _joined(items: tuple[Node, ...], word: str, empty: str, find: str) -> Sql:
    parts = [to_sql(item, find=find) for item in items]
    if not parts:
        return empty, []
    return word.join(f"({sql})" for sql, _ in parts), [value for _, values in parts for value in values]


def _compare(node: Compare, find: str) -> Sql:
    column = f"{node.field.name}_us" if node.field.kind is Kind.TIME else node.field.name
    if node.op is Op.SET:
        if node.field.kind is Kind.FLAG:
            return "TRUE", []
        return (f"{column} <> ''" if node.field.kind is Kind.TEXT else f"{column} <> 0"), []
    if isinstance(node.value, str) and "\0" in node.value:
        return _beyond_text(column, node.op, node.value)
    if node.op is Op.HAS:
        return f"{find}(lower({column}), ?) > 0", [folded(str(node.value))]
    if node.field.name == "job_id" and node.op is Op.EQ and node.value:
        # Said twice so that the planner may use the partial index over events that have a job.
        return "job_id = ? AND job_id <> ''", [node.value]
    if node.field.name == "resolved":
        # A constant, not a parameter, so that the planner may use the partial indexes.
        return f"resolved {'=' if node.op is Op.EQ else '<>'} {int(node.value)}", []
    operator = "<>" if node.op is Op.NE else node.op.value
    return f"{column} {operator} ?", [node.value]


def _beyond_text(column: str, op: Op, value: str) -> Sql:
    """Compare with a text that has a zero character. No stored text has one, and PostgreSQL does not take one
    as a parameter: such a text lies right behind what it has before the zero, and before everything longer.
    """
    if op in (Op.EQ, Op.HAS):
        return "FALSE", []
    if op is Op.NE:
        return "TRUE", []
    before = value.partition("\0")[0]
    return f"{column} {'<=' if op in (Op.LT, Op.LE) else '>'} ?", [before]
