"""The journal, by example; what it is as a whole is in tests/property/policy/test_journal_model.py."""

from __future__ import annotations

import re

import pytest

from seawall_policy import journal as rules
from seawall_policy import status
from seawall_policy.journal import IdempotencyOptions, Journal, JournalOptions, Waiter, make_key
from seawall_policy.kept_answer import KeptAnswer

ANSWER = KeptAnswer(0, (), b"x", ())


class Caller(Waiter):
    """Asks again as soon as it hears something."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.verdicts: list[int] = []

    def answered(self, answer: KeptAnswer) -> None:
        self.verdicts.append(self.journal.ask(b"k", b"r", 1.0))

    def take_over(self) -> None:
        self.verdicts.append(self.journal.ask(b"k", b"r", 1.0))


def test_a_waiter_that_asks_at_once_finds_the_answer() -> None:
    """The journal is in order before anybody hears of it."""
    journal = Journal(JournalOptions())
    assert journal.ask(b"k", b"r", 0.0) == rules.OWNED
    assert journal.ask(b"k", b"r", 0.0) == rules.BUSY
    callers = [Caller(journal), Caller(journal)]
    for caller in callers:
        journal.wait(b"k", caller)
    journal.settle(b"k", ANSWER, 1.0)
    assert [caller.verdicts for caller in callers] == [[rules.ANSWERED], [rules.ANSWERED]]


def test_an_heir_is_at_work() -> None:
    """Taking over leaves no moment in which the key is free."""
    journal = Journal(JournalOptions())
    journal.ask(b"k", b"r", 0.0)
    caller = Caller(journal)
    journal.wait(b"k", caller)
    journal.abandon(b"k")
    assert caller.verdicts == [rules.BUSY]
    assert (journal.at_work(), journal.waiting()) == (1, 0)


def test_the_ttl_may_change() -> None:
    """What is too old under the new one goes, and the other way round what is there stays longer."""
    journal = Journal(JournalOptions(ttl_s=10.0))
    journal.ask(b"k", b"r", 0.0)
    journal.settle(b"k", ANSWER, 0.0)
    journal.resize(JournalOptions(ttl_s=100.0), 9.0)
    assert journal.ask(b"k", b"r", 99.0) == rules.ANSWERED
    journal.resize(JournalOptions(ttl_s=10.0), 99.0)
    assert len(journal) == 0
    assert journal.bytes == 0


def test_leaving_what_is_over_is_harmless() -> None:
    """A waiter that is gone already, a key that nobody works on."""
    journal = Journal(JournalOptions())
    journal.leave(b"k", Waiter())
    journal.ask(b"k", b"r", 0.0)
    journal.leave(b"k", Waiter())
    assert journal.at_work() == 1


def test_who_a_key_belongs_to() -> None:
    """Method, key, and who asks."""
    options = JournalOptions()
    keys = [
        options.key(b"/a", b"1", [None]),
        options.key(b"/b", b"1", [None]),
        options.key(b"/a", b"2", [None]),
        options.key(b"/a", b"1", [b""]),
        options.key(b"/a", b"1", [b"alice"]),
        JournalOptions(scope=(b"x-tenant",)).key(b"/a", b"1", [b"alice"]),
        JournalOptions(scope=()).key(b"/a", b"1", []),
    ]
    assert len(set(keys)) == len(keys)


def test_what_is_final() -> None:
    """The statuses that are kept."""
    names = [status.NAMES[code] for code in range(17) if not rules.TRANSIENT >> code & 1]
    assert names == [
        "OK",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "FAILED_PRECONDITION",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "DATA_LOSS",
    ]


@pytest.mark.parametrize("draw", [0.0, 0.5, 0.999999999])
def test_made_keys_are_uuids(draw: float) -> None:
    """Version 4 and the variant of RFC 9562, whatever the dice say."""
    key = make_key(lambda: draw)
    assert re.fullmatch(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", key)


def test_made_keys_use_every_draw() -> None:
    """Four draws of 32 bits."""
    made = set()
    for place in range(4):
        draws = [0.5] * 4
        draws[place] = 0.25
        made.add(make_key(lambda left=draws: left.pop(0)))  # type: ignore[misc]
    assert len(made) == 4


def test_options_are_checked() -> None:
    """Nothing that cannot work is taken."""
    for wrong in ({"ttl_s": 0.0}, {"max_entries": 0}, {"memory_bytes": 0}):
        with pytest.raises(ValueError, match="a journal needs"):
            JournalOptions(**wrong)
    with pytest.raises(ValueError, match="metadata key"):
        IdempotencyOptions(key=b"")
