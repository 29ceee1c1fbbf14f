"""Archives: what leaves the record is in a file first, whole, and can be read again."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall_control.domain import export
from seawall_control.domain.archives import (
    MANIFEST,
    SUFFIX,
    archive_of,
    checked_name,
    event_of,
    manifest_text,
    name_of,
)
from seawall_control.domain.errors import InvalidRequest, NotFound, PreconditionFailed, StoreUnavailable
from seawall_control.domain.events import (
    MICROS,
    AttemptSummary,
    Category,
    Event,
    EventKind,
    Outcome,
    Severity,
)
from seawall_control.domain.export import Format
from seawall_control.domain.machine import Disk
from seawall_control.services import archives as module
from seawall_control.services.archives import Archives
from seawall_control.services.edge import SystemClock
from seawall_control.store.memory import MemoryStore

NOW = SystemClock().now_us()
DAY = 86_400 * MICROS
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
EVENTS = st.builds(
    Event,
    id=st.uuids().map(str),
    timestamp_us=st.integers(1, 2**51),
    severity=st.sampled_from(Severity),
    component=TEXT,
    error_type=TEXT,
    message=TEXT,
    details=st.none() | st.dictionaries(TEXT, st.none() | st.booleans() | st.integers() | TEXT, max_size=3),
    job_id=TEXT,
    stack_trace=TEXT,
    resolved=st.booleans(),
    resolved_at_us=st.integers(0, 2**51),
    kind=st.sampled_from(EventKind),
    route=TEXT,
    category=st.sampled_from(Category),
    attempts=st.lists(
        st.builds(AttemptSummary, number=st.integers(1, 9), endpoint=TEXT, latency_us=st.integers(0, 10**9)),
        max_size=2,
    ).map(tuple),
    latency_us=st.integers(0, 10**12),
    outcome=st.sampled_from(Outcome),
    policy_revision=st.integers(0, 2**53),
    resolution=TEXT,
)


@given(EVENTS)
def test_a_line_is_the_event(event: Event) -> None:
    """Whatever is in it, to the microsecond, and one line long."""
    text = export.chunk([event], Format.NDJSON, first=True, last=True)
    assert text.count("\n") == 1
    assert event_of(text) == event


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": 1}', '{"severity": "LOUD"}'])
def test_what_is_no_event(text: str) -> None:
    """Is named as such, never a stack trace."""
    with pytest.raises(ValueError):
        event_of(text)


def some(number: int, *, days: float, resolved: bool = True, **more: Any) -> Event:
    """Return an event so many days old."""
    found = Event(
        id=f"00000000-0000-4000-8000-{number:012d}",
        timestamp_us=NOW - int(days * DAY) + number,
        severity=Severity.LOW,
        component="test",
        message=f"event {number}",
        resolved=resolved,
    )
    return replace(found, **more)


class Store(MemoryStore):
    """Can refuse to remove."""

    away = False

    async def delete_events(self, ids: Any) -> int:
        """Refuse while away."""
        if self.away:
            raise StoreUnavailable("away")
        return await super().delete_events(ids)


@pytest.fixture
async def store() -> Store:
    """Give a store with old and new, resolved and unresolved events."""
    store = Store()
    await store.report(
        [
            *(some(n, days=30) for n in range(5)),
            *(some(n, days=30, resolved=False) for n in range(5, 8)),
            *(some(n, days=1) for n in range(8, 10)),
        ]
    )
    return store


@pytest.fixture
def archives(store: Store, tmp_path: Path) -> Archives:
    """Give its archives."""
    return Archives(tmp_path / "archives", store, SystemClock())


async def ids_in(archives: Archives, name: str, filter_text: str = "") -> list[int]:
    """Return the numbers of the events of an archive."""
    text = b"".join([chunk async for chunk, _ in archives.read(name, filter_text=filter_text)])
    return [int(json.loads(line)["id"][-12:]) for line in text.splitlines()]


async def left(store: Store) -> int:
    """Return how many events are in the record."""
    return (await store.counts(at_us=NOW)).total


async def test_old_resolved_events_move(archives: Archives, store: Store) -> None:
    """Nothing else does; the file has what the manifest says, and only its owner may read it."""
    assert (await archives.preview(before_us=NOW - 14 * DAY))[0] == 5
    done = await archives.archive(before_us=NOW - 14 * DAY, actor="ann", reason="room")
    assert (done.events, len(done.archives), await left(store)) == (5, 1, 5)
    (archive,) = await archives.all()
    assert archive == done.archives[0]
    assert (archive.actor, archive.reason, archive.events, archive.is_removed) == ("ann", "room", 5, True)
    file = archives.directory / f"{archive.name}{SUFFIX}"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.stat().st_size == archive.size_bytes
    assert len(gzip.decompress(file.read_bytes())) == archive.text_bytes
    assert await ids_in(archives, archive.name) == [0, 1, 2, 3, 4]
    assert await ids_in(archives, archive.name, 'message = "event 3"') == [3]
    assert await archives.verify(archive.name) == (archive, "")
    assert (await archives.archive(before_us=NOW - 14 * DAY, actor="", reason="")).archives == ()
    assert not list(archives.directory.glob("*.part"))


async def test_what_was_archived_is_put_back(archives: Archives, store: Store) -> None:
    """As it was, each event once, all or those of a filter; the archive stays."""
    before = {event.id: event for event in store._events.values()}
    done = await archives.archive(before_us=NOW - 14 * DAY, actor="ann", reason="room")
    (archive,) = done.archives
    assert await archives.restore(archive.name, validate_only=True) == (archive, 5, 0), "only counted"
    assert await archives.restore(archive.name, filter_text='message = "event 3"') == (archive, 1, 1)
    assert await left(store) == 6
    assert await archives.restore(archive.name) == (archive, 5, 4)
    assert await archives.restore(archive.name) == (archive, 5, 0)
    assert store._events == before
    assert await archives.verify(archive.name) == (archive, "")
    # What moves old events takes them again, to an archive of their own.
    again = await archives.archive(before_us=NOW - 14 * DAY, actor="ann", reason="room")
    assert again.events == 5


async def test_what_cannot_be_put_back(archives: Archives, store: Store) -> None:
    """A damaged archive, one whose events are in the record as well, and none at all."""
    store.away = True
    with pytest.raises(StoreUnavailable):
        await archives.archive(before_us=NOW - 14 * DAY, actor="ann", reason="room")
    store.away = False
    (archive,) = await archives.all()
    with pytest.raises(PreconditionFailed, match="are not all out of the record yet"):
        await archives.restore(archive.name)
    await archives.archive(before_us=NOW - 14 * DAY, actor="ann", reason="room")
    (archives.directory / f"{archive.name}{SUFFIX}").write_bytes(b"nothing")
    with pytest.raises(PreconditionFailed, match="is damaged"):
        await archives.restore(archive.name)
    with pytest.raises(NotFound):
        await archives.restore(name_of(NOW, NOW, NOW))
    assert await left(store) == 5


async def test_other_forms(archives: Archives) -> None:
    """CSV and JSON, as exports have them."""
    done = await archives.archive(before_us=NOW, actor="", reason="")
    name = done.archives[0].name
    table = b"".join([chunk async for chunk, _ in archives.read(name, form=Format.CSV)])
    assert table.startswith(b"id,timestamp,")
    assert len(table.splitlines()) == 8
    listed = b"".join([chunk async for chunk, _ in archives.read(name, form=Format.JSON)])
    assert len(json.loads(listed)) == 7
    nothing = [chunk async for chunk, _ in archives.read(name, form=Format.JSON, filter_text='message = "x"')]
    assert json.loads(b"".join(nothing)) == []


async def test_many_events_are_several_files(
    archives: Archives, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is whole for itself, and no event is in two."""
    monkeypatch.setattr(module, "PAGE", 2)
    monkeypatch.setattr(module, "PART_EVENTS", 3)
    done = await archives.archive(before_us=NOW, actor="", reason="")
    assert [one.events for one in done.archives] == [4, 3]
    numbers = [n for one in done.archives for n in await ids_in(archives, one.name)]
    assert sorted(numbers) == [0, 1, 2, 3, 4, 8, 9]
    assert len({one.name for one in done.archives}) == 2


async def test_a_life_that_ends_before_the_removal(archives: Archives, store: Store, tmp_path: Path) -> None:
    """The events are in both then, never in neither; the next archive removes them, and one that was opened
    again meanwhile stays.
    """
    store.away = True
    with pytest.raises(StoreUnavailable):
        await archives.archive(before_us=NOW - 14 * DAY, actor="", reason="")
    (archive,) = await archives.all()
    assert not archive.is_removed
    assert await left(store) == 10
    with pytest.raises(PreconditionFailed, match="seawall archive events"):
        await archives.delete(archive.name)
    store.away = False
    event_id = some(2, days=30).id
    store._events[event_id] = replace(store._events[event_id], resolved=False)
    again = Archives(archives.directory, store, SystemClock())
    assert (await again.archive(before_us=NOW - 14 * DAY, actor="", reason="")).archives == ()
    assert (await again.get(archive.name)).is_removed
    assert await left(store) == 6
    assert event_id in store._events


async def test_what_is_damaged_and_never_finished_can_be_deleted(archives: Archives, store: Store) -> None:
    """Its events are in the record, and go to another archive; it was in the way for ever."""
    store.away = True
    with pytest.raises(StoreUnavailable):
        await archives.archive(before_us=NOW - 14 * DAY, actor="", reason="")
    store.away = False
    (broken,) = await archives.all()
    (archives.directory / f"{broken.name}{SUFFIX}").write_bytes(b"no")
    done = await archives.archive(before_us=NOW - 14 * DAY, actor="", reason="")
    assert done.events == 5
    await archives.delete(broken.name)
    assert [one.name for one in await archives.all()] == [done.archives[0].name]


async def test_without_room_nothing_is_begun(
    archives: Archives, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what an earlier life has left unfinished is gone."""
    archives.directory.mkdir()
    (archives.directory / "1.part").write_bytes(b"half")
    monkeypatch.setattr(module, "disk_at", lambda _: Disk(100, 1000))
    with pytest.raises(PreconditionFailed, match="move archives"):
        await archives.archive(before_us=NOW, actor="", reason="")
    assert await left(store) == 10
    assert list(archives.directory.iterdir()) == []


async def test_a_write_that_fails_leaves_the_record_alone(
    archives: Archives, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no file that could be taken for an archive."""

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(PreconditionFailed, match="nothing of it left the record"):
        await archives.archive(before_us=NOW, actor="", reason="")
    assert await left(store) == 10
    assert list(archives.directory.iterdir()) == []


async def test_damage_is_found(archives: Archives) -> None:
    """A bit, a file that is cut off, one that is gone; reading says so instead of giving half of it."""
    done = await archives.archive(before_us=NOW, actor="", reason="")
    name = done.archives[0].name
    file = archives.directory / f"{name}{SUFFIX}"
    good = file.read_bytes()
    for raw, words in (
        (good[:-9], "check sum"),
        (bytes([*good[:40], good[40] ^ 1, *good[41:]]), "check sum"),
        (b"", "check sum"),
    ):
        file.write_bytes(raw)
        assert words in (await archives.verify(name))[1]
        if raw:
            with pytest.raises(PreconditionFailed, match="is damaged"):
                await ids_in(archives, name)
    file.unlink()
    assert (await archives.verify(name))[1] == "the file is gone"
    (archives.directory / f"events-20260101-20260101-00000000000{MANIFEST}").write_text("no")
    assert [one.name for one in await archives.all()] == [name]


async def test_an_archive_is_deleted(archives: Archives) -> None:
    """With both its files."""
    done = await archives.archive(before_us=NOW, actor="", reason="")
    await archives.delete(done.archives[0].name)
    assert list(archives.directory.iterdir()) == []
    with pytest.raises(NotFound, match="seawall archive list"):
        await archives.get(done.archives[0].name)


@pytest.mark.parametrize(
    "name", ["", "..", "../../etc/passwd", "events-1-2-3", "events-20260101-20260101-ab/c"]
)
def test_a_name_is_no_path(name: str) -> None:
    """Nothing outside of the directory can be named."""
    with pytest.raises(InvalidRequest):
        checked_name(name)


async def test_names_and_manifests(archives: Archives) -> None:
    """A name has the days; a manifest is read as it was written, and one of a later form is refused."""
    day = 20_000 * DAY
    assert name_of(day, day + DAY, 0x1234).startswith("events-20241004-20241005-")
    done = await archives.archive(before_us=NOW, actor="a", reason="b")
    text = manifest_text(done.archives[0])
    assert archive_of(text) == done.archives[0]
    with pytest.raises(ValueError, match="this version knows 1"):
        archive_of(text.replace('"format":1', '"format":2'))
