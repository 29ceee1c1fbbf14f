"""A change and what the audit says of it are one transaction, on every store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from seawall_control.domain.errors import AlreadyExists, EtagMismatch, InvalidRequest, NotFound
from seawall_control.domain.events import Event, EventChange, Severity
from seawall_control.domain.filters import EVERYTHING
from seawall_control.domain.records import (
    Append,
    Change,
    Claim,
    Delete,
    DocumentConflict,
    Put,
    Touched,
    broken_link,
    hash_of,
)
from seawall_control.domain.revisions import Draft
from seawall_control.store.port import Store
from seawall_control.store.witness import witnessed

TOPIC = "audit"


@dataclass
class Notes:
    """A witness that writes down what it is told."""

    who: str = "ann"
    is_open: bool = True
    durables: int = 0
    fails: bool = False

    def now_us(self) -> int:
        """Return a time."""
        return 7

    claim: Claim | None = None

    def records(self, touched: Sequence[Touched]) -> Sequence[Change]:
        """Return an entry that names what was touched, and what is claimed."""
        if self.fails:
            raise InvalidRequest("the entry cannot be made")
        entry = Append(TOPIC, f"{self.who}: {' '.join(one.what for one in touched)}")
        return [entry] if self.claim is None else [self.claim, entry]

    def refused(self, conflict: DocumentConflict) -> Exception:
        """Return an error."""
        return AlreadyExists(str(conflict))

    def durable(self, touched: Sequence[Touched]) -> None:
        """Count."""
        assert touched
        self.durables += 1


async def written(store: Store) -> list[str]:
    """Return what the journal says, oldest first."""
    entries = await store.entries(TOPIC, limit=1000, oldest_first=True)
    assert broken_link(entries) is None
    return [entry.body for entry in entries]


def draft(content: str, **more: Any) -> Draft:
    """Return a draft."""
    return Draft(policy_set="shop", hash=f"h{content}", document=content.encode(), create_time_us=5, **more)


def event(number: int) -> Event:
    """Return an event in a group of its own."""
    return Event(
        id=f"00000000-0000-4000-8000-{number:012d}",
        timestamp_us=1_700_000_000_000_000 + number,
        severity=Severity.LOW,
        component="c",
        message="m",
        fingerprint=f"v1:{number}",
    )


async def test_every_verb_takes_its_entry_with_it(store: Store) -> None:
    """Documents, revisions, events and groups; what makes no difference says nothing."""
    await store.report([event(1), event(2), event(3)])
    ids = [event(n).id for n in (1, 2, 3)]
    steps: list[tuple[Callable[[], Awaitable[Any]], str | None]] = [
        (lambda: store.commit([Put("rule", "a", "1"), Append("alerts", "x")], at_us=5), "rule/a alerts#1"),
        (lambda: store.commit([Delete("rule", "a")], at_us=5), "rule/a"),
        (lambda: store.commit([Delete("rule", "a")], at_us=5), None),
        (lambda: store.apply(draft("1", request_id="r")), "policy_set/shop"),
        (lambda: store.apply(draft("1", request_id="r")), None),
        (lambda: store.apply(draft("1")), None),
        (lambda: store.update_event(ids[0], EventChange(resolution="why"), at_us=6), f"event/{ids[0]}"),
        (lambda: store.resolve(ids[:1], resolution="", at_us=6, dry_run=True), None),
        (lambda: store.resolve(ids[:1], resolution="", at_us=6, dry_run=False), "events: 1"),
        (lambda: store.resolve(ids[:1], resolution="", at_us=6, dry_run=False), None),
        (lambda: store.resolve(EVERYTHING, resolution="", at_us=6, dry_run=False), "events: 2"),
        (lambda: store.delete_resolved(before_us=2**60, dry_run=True), None),
        (lambda: store.change_group("v1:1", lambda g: replace(g, assignee="bob")), "group/v1:1"),
        (lambda: store.merge_groups("v1:1", ["v1:2"], lambda into, _: into), "group/v1:1"),
        (lambda: store.split_group("v1:1", ["v1:2"], lambda g: g), "group/v1:1"),
        (lambda: store.delete_resolved(before_us=2**60, dry_run=False), "events: 3"),
        (lambda: store.trim("alerts", keep=1, before_us=9), None),
    ]
    expected: list[str] = []
    for number, (change, says) in enumerate(steps):
        notes = Notes(f"step {number}")
        with witnessed(notes):
            await change()
        if says is not None:
            expected.append(f"step {number}: {says}")
        assert await written(store) == expected
        assert notes.durables == (says is not None)


async def test_hashes_before_and_after(store: Store) -> None:
    """They say what a document was and is, without saying what is in it."""
    (made,) = (await store.commit([Put("rule", "a", "1")], at_us=1)).touched
    assert made == Touched("rule/a", "", hash_of("1"))
    (changed,) = (await store.commit([Put("rule", "a", "2", facts=(("id", "9"),))], at_us=1)).touched
    assert changed == Touched("rule/a", hash_of("1"), hash_of("2"), (("id", "9"),))
    (gone,) = (await store.commit([Delete("rule", "a")], at_us=1)).touched
    assert gone == Touched("rule/a", hash_of("2"), "")
    first, second = await store.apply(draft("1")), await store.apply(draft("2"))
    assert (first.before, second.before) == ("", "h1")


async def test_a_change_that_is_refused_leaves_no_entry(store: Store) -> None:
    """Neither half is there."""
    await store.commit([Put("rule", "a", "1")], at_us=1)
    await store.apply(draft("1"))
    notes = Notes()
    with witnessed(notes):
        with pytest.raises(DocumentConflict):
            await store.commit([Put("rule", "b", "1"), Put("rule", "a", "2", expected=7)], at_us=2)
        with pytest.raises(EtagMismatch):
            await store.apply(draft("2", etag="other"))
        with pytest.raises(NotFound):
            await store.update_event(event(9).id, EventChange(resolution="x"), at_us=3)
    assert await written(store) == []
    assert notes.durables == 0


async def test_an_entry_that_cannot_be_written_takes_the_change_with_it(store: Store) -> None:
    """There is no change without an entry."""
    if type(store).__name__ == "MemoryStore":
        pytest.skip("the reference has no transaction that could end in its middle")
    notes = Notes(fails=True)
    with witnessed(notes):
        with pytest.raises(InvalidRequest):
            await store.commit([Put("rule", "a", "1")], at_us=1)
        with pytest.raises(InvalidRequest):
            await store.apply(draft("1"))
    assert await store.document("rule", "a") is None
    assert await store.latest("shop") is None
    assert notes.durables == 0


async def test_what_is_claimed_is_claimed_once(store: Store) -> None:
    """A second call that claims the same changes nothing, whatever it would change; the first may go on."""
    if type(store).__name__ == "MemoryStore":
        pytest.skip("the reference has no transaction that could end in its middle")
    ann, bob = (
        Notes("ann", claim=Claim("request", "7", "ann")),
        Notes("bob", claim=Claim("request", "7", "bob")),
    )
    with witnessed(ann):
        await store.commit([Put("rule", "a", "1")], at_us=1)
        await store.commit([Put("rule", "b", "1")], at_us=1)
        await store.report([event(1)])
        assert await store.resolve([event(1).id], resolution="", at_us=6, dry_run=False) == 1
    with witnessed(bob):
        for change in (
            lambda: store.commit([Put("rule", "c", "1")], at_us=1),
            lambda: store.apply(draft("1")),
            lambda: store.delete_resolved(before_us=2**60, dry_run=False),
        ):
            with pytest.raises(AlreadyExists):
                await change()
    assert await store.document("rule", "c") is None
    assert await store.latest("shop") is None
    assert (await store.counts(at_us=0)).total == 1
    assert await written(store) == ["ann: rule/a", "ann: rule/b", "ann: events: 1"]
    claimed = await store.document("request", "7")
    assert claimed is not None
    assert (claimed.body, claimed.version, bob.durables) == ("ann", 1, 0)


async def test_many_callers_at_once(store: Store) -> None:
    """Changes that are committed together, some of them refused, have each its own entry or none."""

    async def call(number: int) -> bool:
        with witnessed(Notes(f"caller {number}")):
            try:
                await store.commit([Put("rule", f"r{number // 2}", "1", expected=0)], at_us=1)
            except DocumentConflict:
                return False
        return True

    done = await asyncio.gather(*map(call, range(40)), *(store.apply(draft(str(n))) for n in range(5)))
    winners = {number for number, won in enumerate(done[:40]) if won}
    assert len(winners) == 20
    assert {int(line.split()[1][:-1]) for line in await written(store)} == winners


async def test_what_outlives_its_call_is_not_the_calls(store: Store) -> None:
    """A task that a call has started goes on without its witness."""
    notes = Notes()
    over = asyncio.Event()

    async def later() -> None:
        await over.wait()
        await store.commit([Put("rule", "late", "1")], at_us=1)

    with witnessed(notes):
        task = asyncio.get_running_loop().create_task(later())
        await store.commit([Put("rule", "soon", "1")], at_us=1)
    notes.is_open = False
    over.set()
    await task
    assert await written(store) == ["ann: rule/soon"]


async def test_a_caller_that_leaves_is_on_record(store: Store) -> None:
    """What it had begun is carried out, and so is its entry."""
    notes = Notes()

    async def call() -> None:
        with witnessed(notes):
            await store.commit([Put("rule", "a", "1")], at_us=1)

    task = asyncio.get_running_loop().create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.commit([Append("other", "1")], at_us=1)
    there = await store.document("rule", "a") is not None
    assert await written(store) == (["ann: rule/a"] if there else [])
    assert notes.durables == there
