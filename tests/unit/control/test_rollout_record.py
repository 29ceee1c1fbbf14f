"""The record of rollouts and operations: documents, journal, and what a broken document does."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from seawall_control.domain import operations
from seawall_control.domain.errors import InvalidRequest
from seawall_control.domain.operations import Ack, Operation, State
from seawall_control.domain.records import MAX_BODY_BYTES, Put, broken_link
from seawall_control.domain.rollout import machine
from seawall_control.domain.rollout.codec import KIND, TOPIC, Saved
from seawall_control.domain.rollout.machine import Rollout, Seen
from seawall_control.domain.rollout.strategy import Strategy
from seawall_control.domain.selectors import parse_selector
from seawall_control.services.edge import SystemClock
from seawall_control.services.rollout_book import KEEP, RolloutBook
from seawall_control.store.memory import MemoryStore


def rollout(revision: int, policy_set: str = "default") -> Rollout:
    """Return a rollout that has been undone."""
    made = Rollout(
        policy_set=policy_set,
        revision=revision,
        hash=f"h{revision}",
        stable_revision=revision - 1,
        stable_hash="old",
        strategy=Strategy(),
    )
    began = machine.begun(made, revision, Seen(nodes={}, members=()), 1)
    return machine.undone(began, 2, actor="ann", reason="no")


async def test_the_journal_says_what_happened_and_why() -> None:
    """Each entry names the rollout, who did it, and what it rests on; the chain holds."""
    store = MemoryStore()
    book = RolloutBook(store, SystemClock())
    for revision in (5, 7):
        await book.keep(Saved(rollout(revision)), "undone", actor="ann")
    entries = await store.entries(TOPIC, oldest_first=True)
    assert broken_link(entries) is None
    said = json.loads(entries[0].body)
    assert (said["rollout"], said["what"], said["actor"], said["reason"]) == (
        "policySets/default/rollouts/5",
        "undone",
        "ann",
        "taken back by ann: no",
    )
    assert [found["guard"] for found in said["findings"]] == ["operator"]


async def test_sets_are_kept_apart_and_bounded() -> None:
    """Also those whose names hold a slash; the oldest finished ones are forgotten; what cannot be read is
    left alone.
    """
    store = MemoryStore()
    book = RolloutBook(store, SystemClock())
    for revision in range(2, KEEP + 12):
        await book.keep(Saved(rollout(revision)), "undone")
    await book.keep(Saved(rollout(3, "default/eu")), "undone")
    await store.commit([Put(KIND, "default/00000000000000000003", "{}")], at_us=1)
    await book.forget_old("default")
    kept = await book.of_set("default")
    assert len(kept) == KEEP
    assert kept[0].revision == KEEP + 11
    assert [found.revision for found in await book.of_set("default/eu")] == [3]
    assert await book.unfinished() == []


def operation(**more: object) -> Operation:
    """Return an operation of a minute."""
    made = Operation(
        id="x",
        kind="drain",
        action="{}",
        title="drain",
        selector=parse_selector("zone=a"),
        actor="ann",
        reason="disk",
        create_time_us=0,
        end_time_us=60_000_000,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def test_the_shortest_operation_is_told() -> None:
    """A moment after it was made less is left than a proxy does anything for; it is told that."""
    made = operation(end_time_us=1_000_000)
    assert made.wants_start("p", {"zone": "a"}, "b1", 20_000)
    assert made.length_left_s(20_000) == operations.MIN_LENGTH_S
    assert operation().length_left_s(20_000) == 59.98


def test_who_has_to_be_told_what() -> None:
    """Each run of a proxy once; the end only to those that do it; nobody in the last half of a second."""
    made = operation()
    assert made.wants_start("p", {"zone": "a"}, "b1", 0)
    assert not made.wants_start("p", {"zone": "b"}, "b1", 0)
    assert made.wants_start("p", {"zone": "a"}, "b1", 59_500_000)
    assert not made.wants_start("p", {"zone": "a"}, "b1", 59_500_001)
    done = made.answered("p", Ack(boot_id="b1", ok=True, time_us=1))
    assert not done.wants_start("p", {"zone": "a"}, "b1", 1)
    assert done.wants_start("p", {"zone": "a"}, "b2", 1)
    ended = operations.cancelled(done, actor="bob", reason="")
    assert ended.cancelled_by == "bob"
    assert ended.wants_end("p", "b1", 1)
    assert not ended.wants_end("p", "b2", 1)
    assert not ended.wants_end("q", "b1", 1)
    assert not ended.wants_end("p", "b1", 60_000_000)
    assert not ended.answered("p", Ack(boot_id="b1", ok=True, undone=True)).wants_end("p", "b1", 1)
    assert operations.ended(made, 60_000_000).state is State.ENDED
    assert operations.ended(made, 59_999_999) is made


def test_an_operation_is_read_back_as_it_was_written() -> None:
    """Whatever the proxies said, within what a document may hold."""
    made = operation(node="", acks={"p": Ack(boot_id="b", ok=False, message="no", time_us=3, undone=True)})
    assert operations.decoded(operations.encoded(made)) == made
    large = operation(
        acks={f"proxy-{n}": Ack(boot_id="b" * 36, ok=False, message="m" * 500) for n in range(5000)}
    )
    text = operations.encoded(large)
    assert len(text) < MAX_BODY_BYTES
    assert operations.decoded(text).acks["proxy-7"].message == ""
    for broken in ("{}", operations.encoded(made).replace('"no"', "7")):
        with pytest.raises(ValueError):
            operations.decoded(broken)


def test_an_operation_needs_an_end_a_name_and_a_reason() -> None:
    """See the messages in the integration tests; here that good ones pass, trimmed."""
    found = operations.checked(length_s=60, actor=" ann ", reason=" x ", node="", selector="a=b")
    assert (found[0].text, found[1], found[2]) == ("a=b", "ann", "x")
    with pytest.raises(InvalidRequest):
        operations.checked(length_s=float("nan"), actor="a", reason="b", node="", selector="")
