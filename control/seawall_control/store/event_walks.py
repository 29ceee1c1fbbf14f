"""How a page of events is found: which index is walked, along which stretches of it, and what is left to be
looked at row by row.

Theory: every index of events ends with `timestamp_us, id`, the order of pages. A condition that fixes the
columns before these names one stretch of the index (one job, one group, one severity) or a few, which are
merged; within a stretch the page is read in its order, without sorting. Whatever the filter asks beyond that
is looked at in each row on the way. How many rows that takes nobody knows, so it is bounded: `until` is the
key at which such a walk ends, and the next one begins there.

The choice is made here and not by the databases' planners, which know nothing of the bound, or have no
statistics at all, and then read or sort all events of a severity for a page of fifty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from seawall_control.domain.events import Severity
from seawall_control.domain.filters import FIELDS, And, Compare, Node, Not, Op, Or
from seawall_control.store.filter_sql import Sql, to_sql

MAX_STRETCHES: Final = 256
"""Stretches of one walk; a filter that names more of them is walked by time."""
BY_TIME: Final = "events_by_time"
BY_STATE: Final = "events_by_state"
BY_COMPONENT: Final = "events_by_component"
BY_OTHER_ROUTE: Final = "events_by_other_route"
Key = tuple[int, str]
"""Timestamp in microseconds, and id."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of an index that is in the order of pages."""

    index: str
    condition: str
    values: tuple[str | int, ...] = ()
    rest: tuple[Node, ...] = ()
    """What rows of this stretch have to satisfy besides. The index does not have it."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Stretches that together hold every event of the filter, none twice."""

    stretches: tuple[Stretch, ...]
    rest: tuple[Node, ...] = ()
    """What rows of all stretches have to satisfy besides; all of it."""
    from_us: int | None = None
    to_us: int | None = None
    """Between these times, both included; None: open."""

    @property
    def is_exact(self) -> bool:
        """Whether every row on the way is one of the page, so that a page looks at no others."""
        return not self.rest and not any(stretch.rest for stretch in self.stretches)


def _by_job(value: str) -> Iterable[Stretch]:
    # Said twice, so that the planner may use an index over those events that have a job.
    yield Stretch("events_by_job", "job_id = ? AND job_id <> ''", (value,))


def _by_trace(value: str) -> Iterable[Stretch]:
    yield Stretch("events_by_trace", "trace_id = ? AND trace_id <> ''", (value,))


def _by_fingerprint(value: str) -> Iterable[Stretch]:
    yield Stretch("events_by_fingerprint", "fingerprint = ?", (value,))


def _by_component(value: str) -> Iterable[Stretch]:
    yield Stretch(BY_COMPONENT, "component = ?", (value,))


OTHER_ROUTE: Final = "route <> '' AND component <> ('route/' || route)"
"""Events with a route whose component does not say the same."""


def _by_route(value: str) -> Iterable[Stretch]:
    """Proxies give events of a route the component `route/NAME`, so the index by component serves both, and a
    small one holds the exceptions. A component may say `route/X` of an event of another route, or of none.
    """
    yield Stretch(
        BY_COMPONENT, "component = ?", (f"route/{value}",), (Compare(FIELDS["route"], Op.EQ, value),)
    )
    yield Stretch(BY_OTHER_ROUTE, f"route = ? AND {OTHER_ROUTE}", (value,))


_TEXTS: Final[Mapping[str, Callable[[str], Iterable[Stretch]]]] = {
    "job_id": _by_job,
    "trace_id": _by_trace,
    "fingerprint": _by_fingerprint,
    "route": _by_route,
    "component": _by_component,
}
"""Columns with an index, those first that tell events apart best."""
_ONLY_SET: Final = frozenset(("job_id", "trace_id", "route"))
"""Of these, columns whose index has no events with the empty text."""
_DOMAINS: Final = {"severity": frozenset(map(int, Severity)), "resolved": frozenset((0, 1))}
_PASSES: Final[Mapping[Op, Callable[[int, int], bool]]] = {
    Op.EQ: lambda found, wanted: found == wanted,
    Op.NE: lambda found, wanted: found != wanted,
    Op.LT: lambda found, wanted: found < wanted,
    Op.LE: lambda found, wanted: found <= wanted,
    Op.GT: lambda found, wanted: found > wanted,
    Op.GE: lambda found, wanted: found >= wanted,
}


def walk_of(node: Node) -> Walk:
    """Return how the events of a filter are found."""
    asked = list(_conjuncts(node))
    from_us, to_us, asked = _times(asked)
    states = {name: _DOMAINS[name] for name in _DOMAINS}
    rest: list[Node] = []
    for item in asked:
        for name, domain in _DOMAINS.items():
            allowed = _numbers_of(item, name, domain)
            if allowed is not None:
                states[name] &= allowed
                break
        else:
            rest.append(item)
    if not all(states.values()):
        return Walk(())
    for name, stretches_of in _TEXTS.items():
        for item in rest:
            texts = _texts_of(item, name)
            found = tuple(stretch for text in texts for stretch in stretches_of(text))
            if found and len(found) <= MAX_STRETCHES:
                others = (*(one for one in rest if one is not item), *_told(states))
                return Walk(found, others, from_us, to_us)
    if states == _DOMAINS:
        return Walk((Stretch(BY_TIME, "TRUE"),), tuple(rest), from_us, to_us)
    return Walk(
        tuple(
            Stretch(BY_STATE, "resolved = ? AND severity = ?", (resolved, severity))
            for resolved in sorted(states["resolved"])
            for severity in sorted(states["severity"])
        ),
        tuple(rest),
        from_us,
        to_us,
    )


def _conjuncts(node: Node) -> Iterable[Node]:
    """Yield what all has to hold."""
    if isinstance(node, And):
        for item in node.items:
            yield from _conjuncts(item)
    else:
        yield node


def _times(asked: Sequence[Node]) -> tuple[int | None, int | None, list[Node]]:
    """Return the bounds of time in these, both included, and the others."""
    low: list[int] = []
    high: list[int] = []
    others: list[Node] = []
    for item in asked:
        if not isinstance(item, Compare) or item.field.name != "timestamp" or item.op in (Op.NE, Op.SET):
            others.append(item)
            continue
        at_us = int(item.value)
        if item.op in (Op.GE, Op.GT, Op.EQ):
            low.append(at_us + (item.op is Op.GT))
        if item.op in (Op.LE, Op.LT, Op.EQ):
            high.append(at_us - (item.op is Op.LT))
    return max(low, default=None), min(high, default=None), others


def _numbers_of(node: Node, name: str, domain: frozenset[int]) -> frozenset[int] | None:
    """Return the values of a column that satisfy a node; None when the node asks for anything else, too."""
    match node:
        case Compare():
            if node.field.name != name:
                return None
            if node.op is Op.SET:
                return domain
            passes = _PASSES.get(node.op)
            if passes is None:
                return None
            return frozenset(value for value in domain if passes(value, int(node.value)))
        case Not(item):
            inner = _numbers_of(item, name, domain)
            return None if inner is None else domain - inner
        case Or(items):
            parts = [_numbers_of(item, name, domain) for item in items]
            known = [part for part in parts if part is not None]
            return frozenset().union(*known) if parts and len(known) == len(parts) else None
        case And(items):
            parts = [_numbers_of(item, name, domain) for item in items]
            known = [part for part in parts if part is not None]
            return domain.intersection(*known) if parts and len(known) == len(parts) else None


def _texts_of(node: Node, name: str) -> tuple[str, ...]:
    """Return the texts of a column one of which a node asks for; none when it asks for something else."""
    found: list[str] = []
    for item in node.items if isinstance(node, Or) else (node,):
        if not isinstance(item, Compare) or item.field.name != name or item.op is not Op.EQ:
            return ()
        text = str(item.value)
        if (not text and name in _ONLY_SET) or "\0" in text:
            return ()
        found.append(text)
    return tuple(dict.fromkeys(found))


def _told(states: Mapping[str, frozenset[int]]) -> Iterable[Node]:
    """Yield conditions on the columns of the state, as far as there are any."""
    for name, allowed in states.items():
        if allowed != _DOMAINS[name]:
            yield Or(tuple(Compare(FIELDS[name], Op.EQ, value) for value in sorted(allowed)))


# ------------------------------------------------------------------------------------------------------- SQL


@dataclass(frozen=True, slots=True)
class Dialect:
    """In what databases differ."""

    find: str
    """The function that finds a text in another."""
    names_index: bool = False
    """Whether a statement can say which index is to be used."""
    orders_apart: bool = False
    """Whether each part of a union has to be ordered by itself to be merged: PostgreSQL does not see that a
    condition fixes the columns before those of the order otherwise, and sorts everything.
    """
    wants_times: bool = False
    """Whether bounds of time are said once more by themselves: PostgreSQL takes a narrow stretch between two
    keys for a ninth of the table, and reads all of that instead.
    """


SQLITE: Final = Dialect("instr", names_index=True)
POSTGRES: Final = Dialect("strpos", orders_apart=True, wants_times=True)


def statement(
    walk: Walk,
    columns: str,
    dialect: Dialect,
    *,
    descending: bool,
    after: Key | None,
    until: Key | None,
    limit: int,
    skip: int = 0,
    with_rest: bool = True,
) -> Sql:
    """Return a statement for rows behind `after` and not behind `until`, in the order of pages.

    `with_rest=False` leaves out what is looked at row by row: what is then counted are the rows on the way.
    Parameters are written `?`.
    """
    between, limits = _between(
        walk, descending=descending, after=after, until=until, twice=dialect.wants_times
    )
    direction = "DESC" if descending else "ASC"
    order = f"ORDER BY timestamp_us {direction}, id {direction}"
    apart = dialect.orders_apart and len(walk.stretches) > 1
    parts: list[str] = []
    values: list[str | int] = []
    for stretch in walk.stretches:
        looked = And((*stretch.rest, *walk.rest)) if with_rest else And(())
        rest, asked = to_sql(looked, find=dialect.find) if looked.items else ("", [])
        hint = f" INDEXED BY {stretch.index}" if dialect.names_index else ""
        conditions = " AND ".join(filter(None, (stretch.condition, between, rest and f"({rest})")))
        part = f"SELECT {columns} FROM events{hint} WHERE {conditions}"
        values.extend((*stretch.values, *limits, *asked))
        if apart:
            part = f"({part} {order} LIMIT ?)"
            values.append(limit + skip)
        parts.append(part)
    if not parts:
        # What is asked for contradicts itself.
        parts.append(f"SELECT {columns} FROM events WHERE FALSE")
    rows = " UNION ALL ".join(parts)
    if apart:
        rows = f"SELECT {columns} FROM ({rows}) AS walk"
    sql = f"{rows} {order} LIMIT ?"
    values.append(limit)
    if skip:
        sql += " OFFSET ?"
        values.append(skip)
    return sql, values


def span(walk: Walk, what: str, dialect: Dialect, *, descending: bool, after: Key | None, until: Key) -> Sql:
    """Return a statement for one value of all rows on the way behind `after` and not behind `until`, in
    whatever order they are found: one row for each stretch.
    """
    between, limits = _between(
        walk, descending=descending, after=after, until=until, twice=dialect.wants_times
    )
    parts = [
        f"SELECT {what} FROM events WHERE {stretch.condition} AND {between}" for stretch in walk.stretches
    ]
    return " UNION ALL ".join(parts), [
        value for stretch in walk.stretches for value in (*stretch.values, *limits)
    ]


def _between(
    walk: Walk, *, descending: bool, after: Key | None, until: Key | None, twice: bool
) -> tuple[str, list[str | int]]:
    """Return conditions on time. At most one for each end: a walk begins at one of them, not at the tighter
    of two. `twice` adds what a condition on a key says of the time alone.
    """
    found: list[tuple[str, list[str | int]]] = []
    first, last = (after, until) if descending else (until, after)
    if last is not None and (walk.from_us is None or last[0] >= walk.from_us):
        found.append((f"(timestamp_us, id) {'>=' if descending else '>'} (?, ?)", [*last]))
        if twice:
            found.append(("timestamp_us >= ?", [last[0]]))
    elif walk.from_us is not None:
        found.append(("timestamp_us >= ?", [walk.from_us]))
    if first is not None and (walk.to_us is None or first[0] <= walk.to_us):
        found.append((f"(timestamp_us, id) {'<' if descending else '<='} (?, ?)", [*first]))
        if twice:
            found.append(("timestamp_us <= ?", [first[0]]))
    elif walk.to_us is not None:
        found.append(("timestamp_us <= ?", [walk.to_us]))
    return " AND ".join(sql for sql, _ in found), [value for _, values in found for value in values]
