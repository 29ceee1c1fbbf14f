"""What is remembered of groups between transactions: what was committed, and a bounded lot of it."""

from __future__ import annotations

import pytest

from seawall_control.domain.events import Severity
from seawall_control.domain.groups import Group, GroupState
from seawall_control.store import known_groups
from seawall_control.store.known_groups import MAX_TEXT, Known, KnownGroups


def known(group_id: str, events: int = 1, more: str = "{}") -> Known:
    """Return a group as it is remembered."""
    group = Group(
        id=group_id,
        state=GroupState.NEW,
        since_us=1,
        first_seen_us=1,
        last_seen_us=1,
        events=events,
        severity=Severity.LOW,
    )
    return Known(group, more)


def test_what_was_written_counts_at_once_and_for_good_when_committed() -> None:
    """Within the transaction it is the truth, afterwards only if the transaction counts."""
    memory = KnownGroups()
    memory.learn("a", known("a", 1))
    memory.wrote(known("a", 2))
    assert memory.of("a") == ("a", known("a", 2))
    memory.settle(committed=True)
    assert memory.of("a") == ("a", known("a", 2))
    memory.wrote(known("a", 3))
    memory.settle(committed=False)
    assert memory.of("a") is None, "it is read again"


def test_merged_fingerprints_lead_to_their_group() -> None:
    """Until everything is forgotten."""
    memory = KnownGroups()
    memory.learn("b", known("a"))
    assert memory.of("b") == ("a", known("a")) and memory.of("c") is None
    memory.forget()
    assert memory.of("b") is None and memory.of("a") is None


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By number, by fingerprint and by what one group may take; those that had events last stay."""
    monkeypatch.setattr(known_groups, "MOST", 3)
    memory = KnownGroups()
    for number in range(10):
        memory.learn(f"alias{number}", known(f"g{number}"))
        memory.wrote(known(f"g{number}"))
        memory.settle(committed=True)
    assert [number for number in range(10) if memory.of(f"g{number}")] == [7, 8, 9]
    assert len(memory._aliases) <= 7
    big = "x" * (MAX_TEXT + 1)
    memory.learn("big", known("big", more=big))
    assert memory.of("big") is None
    memory.wrote(known("g9", more=big))
    memory.settle(committed=True)
    assert memory.of("g9") is None


def test_rows_have_the_stamp_of_the_transaction_that_wrote_them() -> None:
    """Which is known when it has ended."""
    memory = KnownGroups()
    memory.wrote(known("a"))
    assert memory.of("a") == ("a", known("a"))
    memory.settle(committed=True, stamp=7)
    assert memory.of("a") == ("a", known("a")._replace(stamp=7))
