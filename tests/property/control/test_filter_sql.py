"""A filter in SQL selects exactly the events that the filter matches."""

from __future__ import annotations

import sqlite3

from hypothesis import example, given, settings
from hypothesis import strategies as st

from seawall_control.domain.events import Event, Severity
from seawall_control.domain.filters import FIELDS, Compare, Node, Op, matches
from seawall_control.domain.matching import question
from seawall_control.store.filter_sql import to_sql
from seawall_control.store.rows import EVENT_COLUMNS, EVENT_SELECT, event_of, event_row
from seawall_control.store.sqlite.opening import migrations
from tests.property.control.strategies import event_id, events
from tests.property.control.test_filters_properties import trees

INSERT = f"INSERT INTO events ({EVENT_SELECT}) VALUES ({', '.join('?' * len(EVENT_COLUMNS))})"
WORLDS = st.lists(events(ids=30), min_size=1, max_size=12, unique_by=lambda e: e.id)


def fresh() -> sqlite3.Connection:
    """Return an empty store in memory."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    for _, _, text in migrations():
        db.executescript(text)
    return db


DB = fresh()


def made(reason: str) -> Event:
    """Return an event with a reason."""
    number = int.from_bytes(reason.encode())
    return Event(id=event_id(number), timestamp_us=1, severity=Severity.LOW, component="c", reason=reason)


@given(WORLDS, trees() | st.sampled_from(sorted(FIELDS)).map(lambda name: Compare(FIELDS[name], Op.SET, 0)))
@example([], Compare(FIELDS["kind"], Op.SET, 0))
@example([made(word) for word in ("", "a", "ab", "b")], Compare(FIELDS["reason"], Op.LT, "a\0z"))
@example([made(word) for word in ("", "a", "ab", "b")], Compare(FIELDS["reason"], Op.GE, "a\0"))
@example([made(word) for word in ("", "a", "ab", "b")], Compare(FIELDS["reason"], Op.NE, "a\0"))
@example([made(word) for word in ("", "a", "ab", "b")], Compare(FIELDS["reason"], Op.HAS, "\0"))
@settings(max_examples=300, deadline=None)
def test_sql_selects_what_matches(world: list[Event], tree: Node) -> None:
    """The engine and the reference agree on every event, and rows come back as the events that they were."""
    DB.execute("BEGIN")
    try:
        DB.executemany(INSERT, [event_row(event) for event in world])
        condition, parameters = to_sql(tree)
        rows = DB.execute(f"SELECT {EVENT_SELECT} FROM events WHERE {condition}", parameters)
        found = {event.id: event for event in map(event_of, rows)}
    finally:
        DB.execute("ROLLBACK")
    assert found == {event.id: event for event in world if matches(tree, event)}


@given(WORLDS, trees() | st.sampled_from(sorted(FIELDS)).map(lambda name: Compare(FIELDS[name], Op.SET, 0)))
@settings(max_examples=200, deadline=None)
def test_the_question_of_a_filter_is_answered_alike(world: list[Event], tree: Node) -> None:
    """The quick form for live readers and the reference agree."""
    asked = question(tree)
    assert [asked(event) for event in world] == [matches(tree, event) for event in world]
