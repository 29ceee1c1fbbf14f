"""Copies of the file: consistent while it is written, whole or not there, and put back without loss."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from pathlib import Path

import pytest

from seawall_control.domain.errors import StoreRefused
from seawall_control.domain.events import Batch
from seawall_control.domain.filters import EVERYTHING
from seawall_control.domain.records import Append, Put, broken_link
from seawall_control.store.port import EventQuery
from seawall_control.store.sqlite import copies, open_store
from seawall_control.store.sqlite.opening import FILE_NAME
from tests.conformance.store.test_port import draft, event
from tests.kit.processes import PATIENCE_S


def names(directory: Path) -> set[str]:
    """Return the names of a directory's files."""
    return {path.name for path in directory.iterdir()}


async def test_copy_under_writes_is_consistent_and_restores(tmp_path: Path) -> None:
    """Taken in the middle of ingest: counters, spools and events of the copy agree; a spool goes on after a
    restore and every event is stored once.
    """
    source = tmp_path / "source"
    store = await open_store(source)
    await store.apply(draft("a"))
    await store.commit([Put("rule", "r", "{}"), Append("audit", "{}")], at_us=1)
    stop = asyncio.Event()
    sent = 0

    async def write() -> None:
        nonlocal sent
        while not stop.is_set():
            numbers = range(sent + 1, sent + 11)
            await store.ingest(Batch("p", "s", tuple((n, event(n, proxy="p")) for n in numbers)))
            sent += 10

    writing = asyncio.ensure_future(write())
    reports = []
    for number in range(3):
        before = sent
        async with asyncio.timeout(PATIENCE_S):
            while sent == before:  # noqa: ASYNC110 - the writer tells nobody
                await asyncio.sleep(0.01)
        copy = tmp_path / f"copy-{number}.db"
        reports.append(await asyncio.to_thread(copies.back_up, source, copy))
    stop.set()
    await writing
    await store.aclose()
    assert reports[0].events < reports[2].events <= sent
    assert stat.S_IMODE(reports[0].path.stat().st_mode) == 0o600
    assert names(tmp_path) == {"source", "copy-0.db", "copy-1.db", "copy-2.db"}

    running = await open_store(tmp_path / "target")
    with pytest.raises(StoreRefused, match="in use by another control plane"):
        copies.restore(reports[1].path, tmp_path / "target", stamp="now")
    await running.aclose()
    copies.restore(reports[1].path, tmp_path / "target", stamp="now")
    restored = await open_store(tmp_path / "target")
    have = reports[1].events
    assert (await restored.counts(at_us=0)).total == have == reports[1].events
    again = Batch("p", "s", tuple((n, event(n, proxy="p")) for n in range(have - 4, have + 6)))
    found = await restored.ingest(again)
    assert (len(found.stored), found.duplicates, found.through_seq) == (5, 5, have + 5)
    ids = [e.id for e in await restored.events(EventQuery(EVERYTHING, 10**6))]
    assert len(ids) == len(set(ids)) == have + 5
    assert broken_link(await restored.entries("audit", oldest_first=True)) is None
    assert (await restored.revision("default", 0)).revision == 1
    await restored.aclose()


async def test_what_was_there_is_kept_with_its_log(tmp_path: Path) -> None:
    """The store from before a restore is moved aside as it was, log included, and can be put back."""
    store = await open_store(tmp_path / "a")
    await store.report([event(1)])
    await store.aclose()
    copies.back_up(tmp_path / "a", tmp_path / "copy.db")
    store = await open_store(tmp_path / "a")
    await store.report([event(2)])
    # A process that was killed leaves its log behind: the second event is in there only.
    raw = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    await store.aclose()
    for name, data in raw.items():
        (tmp_path / "a" / name).write_bytes(data)
    report, before = copies.restore(tmp_path / "copy.db", tmp_path / "a", stamp="1")
    assert report.events == 1
    assert before is not None
    assert names(tmp_path / "a") >= {before.name, f"{before.name}-wal", FILE_NAME}
    assert f"{FILE_NAME}-wal" not in names(tmp_path / "a")
    assert copies.examine(before).events == 2
    store = await open_store(tmp_path / "a")
    assert (await store.counts(at_us=0)).total == 1
    await store.aclose()


async def test_copies_that_will_not_do_are_refused_and_change_nothing(tmp_path: Path) -> None:
    """No store, damaged, of another program, newer: refused, and nothing is left behind."""
    with pytest.raises(StoreRefused, match="there is no store"):
        copies.back_up(tmp_path / "nothing", tmp_path / "copy.db")
    store = await open_store(tmp_path / "a")
    for start in range(0, 2000, 500):
        await store.report([event(start + i, message="x" * 200) for i in range(500)])
    await store.aclose()
    good = copies.back_up(tmp_path / "a", tmp_path / "good.db").path
    with pytest.raises(StoreRefused, match="--overwrite"):
        copies.back_up(tmp_path / "a", good)
    assert copies.back_up(tmp_path / "a", good, overwrite=True).events == 2000
    with pytest.raises(StoreRefused, match="store itself"):
        copies.back_up(tmp_path / "a", tmp_path / "a" / FILE_NAME, overwrite=True)
    with pytest.raises(StoreRefused, match="cannot be written"):
        copies.back_up(tmp_path / "a", tmp_path / "no" / "copy.db")

    raw = bytearray(good.read_bytes())
    raw[40 * 4096 + 8 : 40 * 4096 + 200] = b"\xff" * 192
    (tmp_path / "damaged.db").write_bytes(raw)
    (tmp_path / "short.db").write_bytes(good.read_bytes()[: len(raw) // 2])
    with sqlite3.connect(tmp_path / "other.db") as db:
        db.execute("CREATE TABLE t (x)")
    db.close()
    newer = tmp_path / "newer.db"
    newer.write_bytes(good.read_bytes())
    with sqlite3.connect(newer) as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    before = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    for name, why in (
        ("damaged.db", "is damaged|cannot be read"),
        ("short.db", "is damaged|cannot be read"),
        ("other.db", "no store of Seawall"),
        ("newer.db", "schema 999"),
        ("missing.db", "there is no file"),
    ):
        with pytest.raises(StoreRefused, match=why):
            copies.restore(tmp_path / name, tmp_path / "a", stamp="x")
    assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()} == before


async def test_copy_with_a_log_beside_it_is_restored_with_it(tmp_path: Path) -> None:
    """A snapshot of the file system has what was committed last in the log only."""
    store = await open_store(tmp_path / "a")
    await store.report([event(1)])
    taken = tmp_path / "taken"
    taken.mkdir()
    for name in (FILE_NAME, f"{FILE_NAME}-wal"):
        (taken / name).write_bytes((tmp_path / "a" / name).read_bytes())
    await store.aclose()
    report, _ = copies.restore(taken / FILE_NAME, tmp_path / "b", stamp="1")
    assert report.events == 1
    restored = await open_store(tmp_path / "b")
    assert (await restored.counts(at_us=0)).total == 1
    await restored.aclose()


async def test_full_check_also_looks_rows_up_in_indexes(tmp_path: Path) -> None:
    """The quick one finds damaged pages, and not an index that lacks a row."""
    store = await open_store(tmp_path / "a")
    await store.report([event(number) for number in range(10)])
    await store.aclose()
    with sqlite3.connect(tmp_path / "a" / FILE_NAME) as db:
        # The index is told to be of another column, so that its entries are those of no row.
        db.execute("PRAGMA writable_schema = ON")
        db.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, '(timestamp_us', '(latency_us') "
            "WHERE name = 'events_by_time'"
        )
    db.close()
    assert copies.back_up(tmp_path / "a", tmp_path / "copy.db").events == 10
    with pytest.raises(StoreRefused, match="is damaged"):
        copies.back_up(tmp_path / "a", tmp_path / "other.db", check="full")
    assert "other.db" not in names(tmp_path)


async def test_copy_says_how_far_it_is_and_is_one_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In many steps, between which the store is written, it neither begins anew nor takes later events in."""
    store = await open_store(tmp_path / "a")
    await store.report([event(number, message="x" * 500) for number in range(500)])
    monkeypatch.setattr(copies, "_PAGES", 16)
    loop, said = asyncio.get_running_loop(), list[str]()

    def say(text: str) -> None:
        said.append(text)
        if text.startswith("copying"):
            asyncio.run_coroutine_threadsafe(store.report([event(1000 + len(said))]), loop).result(10)

    report = await asyncio.to_thread(copies.back_up, tmp_path / "a", tmp_path / "copy.db", say=say)
    assert report.events == 500
    assert len(said) > 10 and said[-1].startswith("checking the copy")
    assert len(said) < (tmp_path / "copy.db").stat().st_size / 4096 / 16 + 5
    assert (await store.counts(at_us=0)).total == 500 + len(said) - 1
    await store.aclose()
