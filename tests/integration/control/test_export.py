"""Events as a plain file over HTTP, as curl and browsers save it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from typing import Any

import pytest

from seawall_control.domain.errors import StoreUnavailable
from seawall_control.server import ControlPlane
from seawall_control.services import event_views
from tests.integration.control.kit import Stubs
from tests.integration.control.test_events import report
from tests.integration.control.test_groups import of_group
from tests.integration.control.web import ask, streaming
from tests.kit.processes import PATIENCE_S

pytestmark = pytest.mark.integration

PATH = "/api/v1/events:export"


async def some(stubs: Stubs, number: int, **more: Any) -> None:
    """Store so many events, each of a group of its own."""
    for start in range(0, number, 400):
        await report(stubs, *(of_group(n, f"v1:{n}", **more) for n in range(start, min(number, start + 400))))


async def large(stubs: Stubs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Store 1000 events of 16 KB, and have them read by ten."""
    monkeypatch.setattr(event_views, "CHUNK", 10)
    for start in range(0, 1000, 50):
        await report(
            stubs, *(of_group(n, f"v1:{n}", stack_trace="x" * 16_000) for n in range(start, start + 50))
        )


@pytest.mark.parametrize(
    ("asked", "accept", "media", "ending"),
    [
        ("", "*/*", "application/x-ndjson", "ndjson"),
        ("format=csv", "*/*", "text/csv; charset=utf-8; header=present", "csv"),
        ("format=CSV", "*/*", "text/csv; charset=utf-8; header=present", "csv"),
        ("format=json", "text/csv", "application/json", "json"),
        ("", "text/csv;q=0.9", "text/csv; charset=utf-8; header=present", "csv"),
    ],
)
async def test_a_file_has_its_kind_and_its_name(
    plane: ControlPlane, stubs: Stubs, asked: str, accept: str, media: str, ending: str
) -> None:
    """The file itself, in each form, with what a browser needs to save it under a name."""
    await some(stubs, 3)
    for path in (PATH, "/api/v1/errors/export"):
        got = await ask(plane.addresses.http, f"{path}?{asked}", headers={"accept": accept})
        assert (got.status, got.headers["content-type"]) == (200, media)
        said = got.headers["content-disposition"]
        assert said.startswith('attachment; filename="seawall-events-2')
        assert said.endswith(f'Z.{ending}"')
        assert (got.headers["cache-control"], got.headers["x-content-type-options"]) == (
            "no-store",
            "nosniff",
        )
        text = got.body.decode()
        rows: list[Any] = (
            list(csv.DictReader(io.StringIO(text)))
            if ending == "csv"
            else json.loads(text)
            if ending == "json"
            else [json.loads(line) for line in text.splitlines()]
        )
        assert [row["message"] for row in rows] == ["call 2 failed", "call 1 failed", "call 0 failed"]
    looked = await ask(plane.addresses.http, f"{PATH}?{asked}", method="HEAD", headers={"accept": accept})
    assert (looked.status, looked.headers["content-type"], looked.body) == (200, media, b"")


async def test_a_file_holds_what_was_asked_for(plane: ControlPlane, stubs: Stubs) -> None:
    """The conditions of the list, a bound, and cells that no spreadsheet runs."""
    await some(stubs, 1100, component="route/a")
    await report(
        stubs,
        *(
            of_group(2000 + number, message=f"{sign}1+1", component="route/x")
            for number, sign in enumerate(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))
        ),
    )
    at = plane.addresses.http
    everything = await ask(at, f"{PATH}?component=route/a")
    assert len(everything.body.splitlines()) == 1100, "three pages of the store"
    some_of = await ask(at, f"{PATH}?limit=501&filter=component+%3D+route/a")
    assert len(some_of.body.splitlines()) == 501
    table = csv.DictReader(
        io.StringIO((await ask(at, f"{PATH}?format=csv&component=route/x")).body.decode(), newline="")
    )
    cells = [row["message"] for row in table]
    assert len(cells) == 11
    assert [cell for cell in cells if not cell.startswith("'")] == []


@pytest.mark.parametrize(
    ("asked", "field", "words"),
    [
        ("format=xml", "format", "none of ndjson, csv, json"),
        ("limit=-1", "limit", "whole number from 0 on"),
        ("limit=many", "limit", "whole number from 0 on"),
        ("filter=nothing", "", "filter"),
        ("fromat=csv", "", "there is no parameter 'fromat' here"),
    ],
)
async def test_what_cannot_be_is_said_with_its_place(
    plane: ControlPlane, asked: str, field: str, words: str
) -> None:
    """Before anything is sent, as JSON and with its own status."""
    for method in ("GET", "HEAD"):
        got = await ask(plane.addresses.http, f"{PATH}?{asked}", method=method)
        assert (got.status, got.headers["content-type"]) == (400, "application/json")
        assert "content-disposition" not in got.headers
    got = await ask(plane.addresses.http, f"{PATH}?{asked}")
    assert words in got.json["error"]["message"]
    assert [one["field"] for one in got.json["error"]["violations"]] == ([field] if field else [])


async def test_a_file_that_ends_early_is_cut_off(
    plane: ControlPlane, stubs: Stubs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Half a file that ends in order would be taken for the whole one."""
    await some(stubs, 600)
    scan = plane.store.scan
    asked = 0

    async def away(*args: Any, **how: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise StoreUnavailable("the store is away")
        return await scan(*args, **how)

    monkeypatch.setattr(plane.store, "scan", away)
    with pytest.raises(asyncio.IncompleteReadError):
        await ask(plane.addresses.http, f"{PATH}?format=csv")
    said = [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]
    assert [(one.getMessage(), one.__dict__["fields"]["reason"]) for one in said] == [
        ("an answer was cut off", "the store is away")
    ]


async def test_a_slow_reader_is_read_for_no_faster_than_it_takes(
    plane: ControlPlane, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read of the store waits in no memory: it is read when the reader has taken what was before."""
    await large(stubs, monkeypatch)
    scan = plane.store.scan
    pages = 0

    async def counted(*args: Any, **how: Any) -> Any:
        nonlocal pages
        pages += 1
        return await scan(*args, **how)

    monkeypatch.setattr(plane.store, "scan", counted)
    async with streaming(plane.addresses.http, PATH) as stream:
        assert stream.status == 200
        await stream.upto(b"\n")
        # Pages come in quick succession while there is room; at its end several looks find the same.
        seen: list[int] = []
        while len(seen) < 5 or seen[-5:] != [pages] * 5:
            seen.append(pages)
            await asyncio.sleep(0.3)
        waiting = pages
        assert 0 < waiting < 50, "100 pages of 160 KB each; sockets hold a few MB"
        while await stream.upto(b"\n"):
            pass
    assert pages == 101, "the last one finds the end"


async def test_a_reader_that_leaves_ends_the_reading(
    plane: ControlPlane, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is read for nobody."""
    await large(stubs, monkeypatch)
    closed = asyncio.Event()
    export = plane.parts.event_views.export

    async def watched(**asked: Any) -> Any:
        try:
            async for part in export(**asked):
                yield part
        finally:
            closed.set()

    monkeypatch.setattr(type(plane.parts.event_views), "export", lambda _, **asked: watched(**asked))
    async with streaming(plane.addresses.http, PATH) as stream:
        await stream.upto(b"\n")
    async with asyncio.timeout(PATIENCE_S):
        await closed.wait()
