"""What every store promises, by example; test_reference_model.py compares them at length."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from seawall_control.domain.errors import BaseMoved, EtagMismatch, InvalidRequest, NotFound
from seawall_control.domain.events import Batch, Event, EventChange, Gap, Severity
from seawall_control.domain.filters import EVERYTHING, parse
from seawall_control.domain.fleet import ProxyRecord, Verdict
from seawall_control.domain.revisions import Draft
from seawall_control.store.port import EventQuery, Store

HOUR_US = 3_600_000_000
NOW_US = 1_700_000_000_000_000


def event(number: int, **more: object) -> Event:
    """Return an event with an id that follows from its number."""
    given = {"timestamp_us": NOW_US + number, "severity": Severity.LOW, "component": "c", **more}
    return Event(id=f"00000000-0000-4000-8000-{number:012d}", **given)  # type: ignore[arg-type]


def draft(hash_: str, **more: object) -> Draft:
    """Return a draft."""
    given = {"policy_set": "default", "document": hash_.encode(), "create_time_us": 1, **more}
    return Draft(hash=hash_, **given)  # type: ignore[arg-type]


async def test_revisions_are_kept_with_their_documents(store: Store) -> None:
    """A revision is read as it was made; lists leave the document out."""
    made = (await store.apply(draft("a", author="ann", message="why"))).revision
    assert (
        await store.revision("default", 1)
        == made
        == await store.revision("default", 0)
        == await store.latest("default")
    )
    assert list(await store.revisions("default", before=0, limit=9)) == [replace(made, document=b"")]
    assert await store.latest("other") is None
    for number in (0, 7, 2**80):
        with pytest.raises(NotFound):
            await store.revision("other", number)


async def test_numbers_may_be_left_out(store: Store) -> None:
    """A revision gets a number above the one that is asked for; those in between are nobody's."""
    await store.apply(draft("a"))
    again = await store.apply(draft("a", above=6, request_id="r"))
    assert (again.changed, again.revision.revision) == (True, 7)
    assert (await store.apply(draft("b", above=2))).revision.revision == 8
    assert [r.revision for r in await store.revisions("default", before=0, limit=9)] == [8, 7, 1]
    assert (await store.revision("default", 7)).hash == "a"
    answered = await store.answered("r")
    assert answered is not None and answered.revision == again.revision
    for number in (2, 6, 9):
        with pytest.raises(NotFound):
            await store.revision("default", number)


async def test_copies_of_one_spool_lose_nothing(store: Store) -> None:
    """Two machines made from one image give the same numbers to other events: they are taken in by their ids.
    What is merely sent again is not, also from then on.
    """
    both = tuple((n, event(n, proxy="p")) for n in range(1, 4))
    await store.ingest(Batch("p", "s", both))
    again = await store.ingest(Batch("p", "s", both))
    assert (again.is_forked, again.stored, again.duplicates) == (False, (), 3)
    copies = tuple((n, event(100 + n, proxy="p")) for n in range(2, 6))
    forked = await store.ingest(Batch("p", "s", copies))
    assert forked.is_forked and forked.through_seq == 5
    assert sorted(one.id for one in forked.stored) == [event(100 + n).id for n in range(2, 6)]
    again = await store.ingest(Batch("p", "s", copies))
    assert again.stored == ()
    # The other one goes on, too, with numbers that the copy has used meanwhile.
    rest = await store.ingest(Batch("p", "s", tuple((n, event(n, proxy="p")) for n in range(4, 7))))
    assert rest.is_forked and sorted(one.id for one in rest.stored) == [event(n).id for n in (4, 5, 6)]
    assert (await store.counts(at_us=0)).total == 10
    # What was deleted proves nothing: those numbers were seen.
    assert not (await store.ingest(Batch("q", "s", both))).is_forked


async def test_concurrent_changes_are_serialised(store: Store) -> None:
    """Of many changes with one etag one wins; numbers have no holes."""
    await store.apply(draft("0"))
    results = await asyncio.gather(
        *(store.apply(draft(str(i), etag="0")) for i in range(1, 9)), return_exceptions=True
    )
    assert sum(isinstance(r, EtagMismatch) for r in results) == 7
    await asyncio.gather(*(store.apply(draft(f"x{i}")) for i in range(8)))
    assert [r.revision for r in await store.revisions("default", before=0, limit=99)] == list(
        range(10, 0, -1)
    )


async def test_request_ids_are_remembered(store: Store) -> None:
    """The first answer comes again, for the same change only."""
    first = await store.apply(draft("a", request_id="r"))
    await store.apply(draft("b"))
    assert await store.apply(draft("a", request_id="r")) == first
    assert await store.answered("r") == first and await store.answered("s") is None
    with pytest.raises(InvalidRequest):
        await store.apply(draft("b", request_id="r"))
    assert (await store.revision("default", 0)).revision == 2


async def test_concurrent_batches_of_one_spool_are_stored_once(store: Store) -> None:
    """The same batch from several streams at once is new once."""
    batch = Batch("p", "s", tuple((i, event(i)) for i in range(1, 21)))
    results = await asyncio.gather(*(store.ingest(batch) for _ in range(5)))
    assert sorted(len(r.stored) for r in results) == [0, 0, 0, 0, 20]
    assert {r.through_seq for r in results} == {20}


async def test_spools_of_different_proxies_do_not_meet(store: Store) -> None:
    """Numbers belong to a spool of a proxy."""
    await store.ingest(Batch("p", "s", ((1, event(1)),)))
    assert len((await store.ingest(Batch("q", "s", ((1, event(2, proxy="q")),)))).stored) == 1
    assert len((await store.ingest(Batch("p", "t", ((1, event(3)),)))).stored) == 1


async def test_same_event_under_two_numbers_is_stored_once(store: Store) -> None:
    """Ids are unique whatever numbers they come under, within a batch and between reports and batches."""
    await store.report([event(1)])
    found = await store.ingest(Batch("p", "s", ((1, event(1)), (2, event(2)), (3, event(2)))))
    assert ([e.id for e in found.stored], found.duplicates, found.through_seq) == ([event(2).id], 2, 3)


async def test_spool_that_outlived_another_store_is_taken_from_where_it_starts(store: Store) -> None:
    """A stream that starts above the mark says that what is below was acknowledged elsewhere."""
    found = await store.ingest(Batch("p", "s", ((501, event(1)),), starts_stream=True))
    assert (found.through_seq, found.assumed_through) == (501, 500)
    later = await store.ingest(Batch("p", "s", ((601, event(2)),)))
    assert (later.through_seq, later.assumed_through) == (501, 0)
    again = await store.ingest(Batch("p", "s", ((700, event(3)),), starts_stream=True))
    assert (again.through_seq, again.assumed_through) == (700, 699)
    late = await store.ingest(Batch("p", "s", ((7, event(4)),)))
    assert len(late.stored) == 1


async def test_store_that_was_put_back_asks_for_what_the_spool_keeps(store: Store) -> None:
    """What another store acknowledged is asked for, as far as the proxy still has it, and comes in once."""
    await store.ingest(Batch("p", "s", ((1, event(1)), (2, event(2)))))
    found = await store.ingest(Batch("p", "s", ((7, event(7)),), starts_stream=True, oldest_seq=2))
    assert (found.through_seq, found.assumed_through, found.send_from) == (2, 0, 3)
    rest = tuple((number, event(number)) for number in range(3, 9))
    again = await store.ingest(Batch("p", "s", rest))
    assert (again.through_seq, again.send_from, len(again.stored), again.duplicates) == (8, 0, 5, 1)
    above = await store.ingest(Batch("p", "s", ((30, event(30)),), starts_stream=True, oldest_seq=20))
    assert (above.through_seq, above.assumed_through, above.send_from) == (19, 19, 20)
    new = await store.ingest(Batch("p", "t", ((5, event(40)),), starts_stream=True, oldest_seq=1))
    assert (new.through_seq, new.assumed_through, new.send_from) == (0, 0, 1)


async def test_spool_that_has_nothing_to_send_shows_what_the_store_lacks(store: Store) -> None:
    """Its position alone, at the start of a stream, is enough to be asked; one that is all here is not."""
    await store.ingest(Batch("p", "s", ((1, event(1)), (2, event(2)))))
    found = await store.ingest(Batch("p", "s", starts_stream=True, oldest_seq=2, next_seq=7))
    assert (found.through_seq, found.assumed_through, found.send_from) == (2, 0, 3)
    rest = tuple((number, event(number)) for number in range(3, 7))
    assert (await store.ingest(Batch("p", "s", rest))).through_seq == 6
    same = await store.ingest(Batch("p", "s", starts_stream=True, oldest_seq=2, next_seq=7))
    assert (same.through_seq, same.assumed_through, same.send_from) == (6, 0, 0)
    new = await store.ingest(Batch("p", "t", starts_stream=True, oldest_seq=4, next_seq=9))
    assert (new.through_seq, new.assumed_through, new.send_from) == (3, 3, 4)
    gone = await store.ingest(Batch("p", "u", starts_stream=True, oldest_seq=9, next_seq=9))
    assert (gone.through_seq, gone.assumed_through, gone.send_from) == (8, 8, 0)


async def test_too_many_holes_are_refused_and_change_nothing(store: Store) -> None:
    """A sender that skips every second number is refused as a whole."""
    batch = Batch("p", "s", gaps=tuple(Gap(2 * i, 2 * i, "x") for i in range(1, 600)))
    with pytest.raises(InvalidRequest):
        await store.ingest(batch)
    assert (await store.ingest(Batch("p", "s", ((1, event(1)),)))).through_seq == 1


async def test_pages_end_and_begin_at_a_key(store: Store) -> None:
    """Events with the same time are told apart by id, in both directions."""
    same = [event(i, timestamp_us=NOW_US) for i in range(1, 6)]
    await store.report(same)
    for descending in (True, False):
        seen: list[str] = []
        after = None
        while page := await store.events(EventQuery(EVERYTHING, 2, descending, after)):
            seen += [e.id for e in page]
            after = (page[-1].timestamp_us, page[-1].id)
        assert seen == sorted((e.id for e in same), reverse=descending)


async def test_counts_are_exact_at_the_edge_of_the_day(store: Store) -> None:
    """An event 24 h old to the microsecond counts as recent, one a microsecond older does not."""
    at = NOW_US + 123_456_789
    await store.report(
        [event(1, timestamp_us=at - 24 * HOUR_US), event(2, timestamp_us=at - 24 * HOUR_US - 1), event(3)]
    )
    assert (await store.counts(at_us=at)).recent_24h == 2


async def test_counts_forget_what_is_deleted(store: Store) -> None:
    """Recent and total counts go down with a deletion, in whole hours as at the edges."""
    await store.report(
        [event(i, timestamp_us=NOW_US - i * HOUR_US // 2, resolved=i % 2 == 0) for i in range(20)]
    )
    assert await store.delete_resolved(before_us=NOW_US - 2 * HOUR_US, dry_run=False) == 7
    counts = await store.counts(at_us=NOW_US)
    assert (counts.total, counts.unresolved, counts.recent_24h) == (13, 10, 13)
    assert counts.by_severity[Severity.LOW] == 13


async def test_only_resolved_events_are_deleted_by_id(store: Store) -> None:
    """What was opened again since somebody looked stays, and what is not there is not counted."""
    await store.report([event(i, resolved=i % 2 == 0) for i in range(2000)])
    ids = [event(i).id for i in range(1500)]
    assert await store.delete_events([*ids, *ids[:10], event(9999).id]) == 750
    counts = await store.counts(at_us=NOW_US)
    assert (counts.total, counts.unresolved) == (1250, 1000)
    assert await store.delete_events(ids) == 0
    assert await store.delete_events([]) == 0


async def test_bulk_changes_reach_every_row(store: Store) -> None:
    """Thousands of events are resolved and deleted, not only the first part of them."""
    for start in range(0, 5000, 500):
        await store.report([event(start + i) for i in range(500)])
    by_filter = parse("severity = LOW")
    assert await store.resolve(by_filter, resolution="r", at_us=1, dry_run=True) == 5000
    assert await store.resolve(by_filter, resolution="r", at_us=1, dry_run=False) == 5000
    assert (await store.counts(at_us=NOW_US)).unresolved == 0
    assert await store.delete_resolved(before_us=NOW_US + 4000, dry_run=True) == 4000
    assert await store.delete_resolved(before_us=NOW_US + 4000, dry_run=False) == 4000
    assert (await store.counts(at_us=NOW_US)).total == 1000


async def test_resolution_is_taken_back(store: Store) -> None:
    """An event can be opened again, which forgets when and why it was resolved."""
    await store.report([event(1)])
    change = EventChange(resolved=True, resolution="done", severity=Severity.HIGH)
    resolved = await store.update_event(event(1).id, change, at_us=7)
    assert (resolved.resolved, resolved.resolved_at_us, resolved.resolution) == (True, 7, "done")
    opened = await store.update_event(event(1).id, EventChange(resolved=False), at_us=8)
    assert opened == event(1, severity=Severity.HIGH) == await store.event(event(1).id)
    with pytest.raises(NotFound):
        await store.update_event("nothing", change, at_us=1)


async def test_proxies_are_remembered_by_node(store: Store) -> None:
    """The newest state of each node is kept, in order of names."""
    more: dict[str, Any] = {"last_verdict": Verdict.NACK, "reasons": ("x",), "refused": ("h",)}
    record = ProxyRecord(node="b", labels={"zone": "ü"}, policy_set="s", **more)
    for found in (replace(record, version="old"), replace(record, node="a"), record):
        await store.remember(found)
    assert [p.node for p in await store.proxies()] == ["a", "b"]
    assert (await store.proxies())[1] == record


async def test_no_circle_is_closed_from_both_sides(store: Store) -> None:
    """Two sets that begin to extend each other by drafts that each knew nothing of the other: also where no
    content changes by it, so that numbers do not show it.
    """
    await store.apply(draft("1", policy_set="a"))
    await store.apply(draft("1", policy_set="b"))
    await store.apply_all([draft("1", policy_set="a", base="b", base_revision=1, own=b"x")])
    behind = draft("1", policy_set="b", base="a", base_revision=2, own=b"x")
    with pytest.raises(BaseMoved):
        await store.apply_all([behind, draft("1", policy_set="a", base="b", base_revision=2, own=b"x")])
    assert (await store.revision("b", 0)).base == ""
    assert await store.extending("b") == ["a"]
