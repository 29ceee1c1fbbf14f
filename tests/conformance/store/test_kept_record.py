"""The record that the benchmark of the store keeps: used again, and afterwards what it was before."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.control import keeping
from benchmarks.control.bulk import END_US, Record
from benchmarks.control.keeping import large, put_aside, put_back
from benchmarks.control.places import Place, PostgresPlace, SqlitePlace
from seawall_control.domain.events import Severity
from seawall_control.domain.filters import EVERYTHING, parse
from seawall_control.domain.retention import Prune
from seawall_control.store.port import EventQuery
from seawall_control.store.sqlite.opening import FILE_NAME
from tests.conformance.store.test_port import event
from tests.kit.postgres import PostgresServer

RECORD = 2_000


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place for small things; the record goes to a directory."""
    if request.param == "sqlite":
        yield SqlitePlace(tmp_path / "small")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    yield PostgresPlace(server, "postgres")


@pytest.fixture
def keep() -> Iterator[Path]:
    """A directory in which others than the tests' user may look, which a server started by root has to."""
    with tempfile.TemporaryDirectory(prefix="seawall-keep-", dir="/tmp") as found:
        Path(found).chmod(0o755)
        yield Path(found)


async def _all(place: Place) -> tuple[Any, ...]:
    store = await place.open()
    events = await store.events(EventQuery(EVERYTHING, RECORD * 2))
    counts = await store.counts(at_us=END_US)
    await store.aclose()
    return events, counts


async def _disturb(place: Place) -> None:
    """Do what upkeep does."""
    store = await place.open()
    assert await store.prune_events(Prune(END_US, Severity.LOW)) > 0
    wanted = parse(f"route = {keeping.ROUTE} AND resolved = false")
    assert await store.resolve(wanted, resolution=keeping.RESOLUTION, at_us=END_US, dry_run=False) > 0
    await store.report([event(1, component=keeping.PROBE)])
    await store.aclose()


@pytest.mark.slow
async def test_kept_record_is_loaded_once_and_put_back(place: Place, keep: Path) -> None:
    """What upkeep deletes, changes and adds is undone, with all counts, also after a run that was cut off."""
    said = list[str]()
    async with large(place, Record(RECORD), keep, said.append) as held:
        before = await _all(held)
        assert len(before[0]) == RECORD == before[1].total
        await put_aside(held)
        await _disturb(held)
        assert await _all(held) != before
    assert any("loading" in line for line in said)
    said.clear()
    async with large(place, Record(RECORD), keep, said.append) as held:
        await put_aside(held)
        await held.cool()
        assert await _all(held) == before
        await _disturb(held)
        await put_back(held)
        assert await _all(held) == before
    assert "using" in said[0] and not any("loading" in line for line in said)


@pytest.mark.slow
async def test_record_that_was_not_loaded_to_its_end_is_loaded_anew(tmp_path: Path) -> None:
    """Without the note beside it nobody knows what is in it."""
    said = list[str]()
    place = SqlitePlace(tmp_path / "small")
    async with large(place, Record(RECORD), tmp_path / "keep", said.append) as held:
        assert held.directory is not None
        file = held.directory / FILE_NAME
    note = file.parent.with_suffix(".json")
    assert json.loads(note.read_text())["events"] == RECORD
    note.unlink()
    file.write_bytes(b"half of it")
    async with large(place, Record(RECORD), tmp_path / "keep", said.append) as held:
        assert (await _all(held))[1].total == RECORD
    assert any("not loaded to its end" in line for line in said)
