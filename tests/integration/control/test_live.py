"""Live events over HTTP: a stream that is taken up again, and a WebSocket."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from seawall_control.api import codec
from seawall_control.api.http import live
from seawall_control.domain.filters import EVERYTHING
from seawall_control.domain.flood import FloodLimits
from seawall_control.domain.positions import START
from seawall_control.server import ControlPlane, listeners
from seawall_control.services import feed, tail
from tests.integration.control.kit import Stubs, event, until
from tests.integration.control.test_events import report
from tests.integration.control.web import Stream, ask, streaming
from tests.kit.processes import PATIENCE_S

pytestmark = pytest.mark.integration

STREAM = "/api/v1/errors/stream"
SOCKET = "/api/v1/errors/ws"


@pytest.fixture(autouse=True)
def nothing_is_only_counted(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events of these tests are alike, and are not to be taken for a flood."""
    monkeypatch.setattr(plane.gates, "_limits", FloodLimits(rate=0))


async def ids(stream: Stream, number: int) -> list[str]:
    """Return the ids of the next events."""
    return [json.loads((await stream.event())["data"])["id"] for _ in range(number)]


async def test_the_stream_tells_what_is_stored(plane: ControlPlane, stubs: Stubs) -> None:
    """From now on, in the shape of the list, with a hint when to come back and a place to come back to."""
    await report(stubs, event(1))
    async with streaming(plane.addresses.http, f"{STREAM}?severity=HIGH") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        first = await stream.block()
        assert first["retry"] == "2000" and first["id"].endswith(event(1).id)
        await report(stubs, event(2, severity=1))
        await report(stubs, event(3, severity=3))
        said = await stream.event()
        message = json.loads(said["data"])
        assert (message["type"], message["id"], message["error"]["severity"]) == (
            "error",
            event(3).id,
            "HIGH",
        )
        listed = await ask(plane.addresses.http, f"/api/v1/errors/{event(3).id}")
        assert message["error"] == listed.json
        assert said["id"].endswith(event(3).id)


async def test_a_job_is_followed(plane: ControlPlane, stubs: Stubs) -> None:
    """What happens to one job, and nothing of others, over both."""
    mine, other = event(1), event(2)
    mine.job_id, other.job_id = "nightly", "hourly"
    at = plane.addresses.http
    async with (
        streaming(at, f"{STREAM}?job_id=nightly") as stream,
        connect(f"ws://{at}{SOCKET}?job_id=nightly") as socket,
    ):
        await stream.block()

        async def follows() -> bool:
            return len(plane.hub) >= 1

        await until(follows, what="the socket follows")
        await report(stubs, other, event(3), mine)
        for message in (json.loads((await stream.event())["data"]), await hear(socket)):
            assert (message["id"], message["error"]["job_id"]) == (mine.id, "nightly")


async def test_the_newest_first_when_asked(plane: ControlPlane, stubs: Stubs) -> None:
    """A backlog is the newest that are wanted, the oldest of them first, without places of their own."""
    await report(stubs, *(event(n) for n in range(1, 6)))
    async with streaming(plane.addresses.http, f"{STREAM}?backlog=2") as stream:
        await stream.upto(b"\n\n")
        old = [await stream.event() for _ in range(2)]
        assert [json.loads(e["data"])["id"] for e in old] == [event(4).id, event(5).id]
        assert "id" not in old[0]
        await report(stubs, event(6))
        assert await ids(stream, 1) == [event(6).id]


@pytest.mark.parametrize("header", [True, False])
async def test_a_reader_that_comes_back_has_missed_nothing(
    plane: ControlPlane, stubs: Stubs, header: bool
) -> None:
    """Whatever was stored in between comes first, also what happened long ago, and then what is new."""
    at = plane.addresses.http
    async with streaming(at, STREAM) as stream:
        await stream.block()
        await report(stubs, event(1))
        place = (await stream.event())["id"]
    late = event(2)
    late.timestamp.seconds -= 86400
    await report(stubs, late)
    for start in range(3, 703, 100):
        await report(stubs, *(event(n) for n in range(start, start + 100)))
    path, headers = (STREAM, {"last-event-id": place}) if header else (f"{STREAM}?last_event_id={place}", {})
    async with streaming(at, path, headers=headers) as stream:
        expected = [event(n).id for n in range(2, 703)]
        assert len(expected) > feed.PAGE
        assert await ids(stream, len(expected)) == expected
        await report(stubs, event(9001))
        assert await ids(stream, 1) == [event(9001).id]


async def test_a_reader_of_an_empty_store_comes_back_to_the_start(plane: ControlPlane, stubs: Stubs) -> None:
    """Also the first event ever is not missed."""
    async with streaming(plane.addresses.http, STREAM) as stream:
        place = (await stream.block())["id"]
    assert place == str(START)
    await report(stubs, event(1))
    async with streaming(plane.addresses.http, STREAM, headers={"last-event-id": place}) as stream:
        assert await ids(stream, 1) == [event(1).id]


async def test_signs_of_life_move_the_place(
    plane: ControlPlane, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that wants little is not made to go through everything again."""
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.2)
    async with streaming(plane.addresses.http, f"{STREAM}?component=none") as stream:
        await stream.block()
        await report(stubs, event(1))
        async with asyncio.timeout(PATIENCE_S):
            while not (await stream.block()).get("id", "").endswith(event(1).id):
                pass


async def test_a_place_that_was_deleted(plane: ControlPlane, stubs: Stubs) -> None:
    """The reader is told to read the list, and follows from now on."""
    at = plane.addresses.http
    await report(stubs, event(1))
    async with streaming(at, STREAM) as stream:
        place = (await stream.block())["id"]
    await ask(at, f"/api/v1/errors/{event(1).id}/resolve", method="POST", body={})
    await asyncio.sleep(1.1)
    gone = await ask(at, "/api/v1/errors?older_than_days=0.0000116", method="DELETE")
    assert gone.json == {"deleted": 1}
    await report(stubs, event(2))
    async with streaming(at, STREAM, headers={"last-event-id": place}) as stream:
        await stream.block()
        lost = await stream.event()
        assert (lost["event"], json.loads(lost["data"])["error"]["reason"]) == ("reset", "POSITION_LOST")
        await report(stubs, event(3))
        assert await ids(stream, 1) == [event(3).id]


async def test_a_slow_reader_loses_nothing_and_keeps_nobody(
    plane: ControlPlane, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond what memory keeps it reads the store; another reader is served meanwhile."""
    monkeypatch.setattr(feed, "RING", 50)
    at = plane.addresses.http
    async with streaming(at, STREAM) as slow, streaming(at, STREAM) as quick:
        await slow.block()
        await quick.block()
        wanted = []
        for n in range(1, 601, 100):
            batch = [event(m, component="x" * 500) for m in range(n, n + 100)]
            await report(stubs, *batch)
            wanted += [e.id for e in batch]
            assert await ids(quick, 100) == wanted[-100:]
        assert await ids(slow, 600) == wanted
    assert len(plane.feed._ring) <= 50


@pytest.mark.parametrize(
    ("query", "headers", "reason"),
    [
        ("?filter=nonsense", {}, "INVALID_FILTER"),
        ("?sevrity=HIGH", {}, "INVALID_REQUEST"),
        ("?backlog=many", {}, "INVALID_REQUEST"),
        ("", {"last-event-id": "yesterday"}, "INVALID_REQUEST"),
    ],
)
async def test_streams_that_are_refused(
    plane: ControlPlane, query: str, headers: dict[str, str], reason: str
) -> None:
    """With a status, before anything is streamed."""
    answer = await ask(plane.addresses.http, STREAM + query, headers=headers)
    assert (answer.status, answer.json["error"]["reason"]) == (400, reason)


async def test_readers_are_bounded_and_leave(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is 429; a place is free again when its reader is gone."""
    monkeypatch.setattr(feed, "READERS", 1)
    async with streaming(plane.addresses.http, STREAM) as stream:
        await stream.block()
        answer = await ask(plane.addresses.http, STREAM)
        assert (answer.status, answer.json["error"]["reason"]) == (429, "TOO_MANY_STREAMS")

    async def left() -> bool:
        return len(plane.feed) == 0

    await until(left, what="the reader is gone")


# ------------------------------------------------------------------------------------------------- WebSocket


async def hear(socket: ClientConnection) -> Any:
    """Return the next message."""
    async with asyncio.timeout(PATIENCE_S):
        return json.loads(await socket.recv())


async def test_the_socket_sends_errors(plane: ControlPlane, stubs: Stubs) -> None:
    """The newest first when asked, then each as it is stored; what is not wanted is not sent."""
    await report(stubs, event(1), event(2, severity=1))
    async with connect(f"ws://{plane.addresses.http}{SOCKET}?filter=severity+%3D+MEDIUM&backlog=5") as socket:
        first = await hear(socket)
        assert (first["type"], first["id"], first["error"]["severity"]) == ("error", event(1).id, "MEDIUM")
        await report(stubs, event(3, severity=1))
        await report(stubs, event(4))
        assert (await hear(socket))["id"] == event(4).id

    async def left() -> bool:
        return len(plane.hub) == 0

    await until(left, what="the follower is gone")


async def test_the_socket_says_that_it_lives(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page cannot see pings, so there are messages."""
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.1)
    async with connect(f"ws://{plane.addresses.http}{SOCKET}") as socket:
        message = await hear(socket)
        assert message["type"] == "heartbeat" and message["time"].endswith("Z")


async def test_a_slow_socket_is_told_what_it_missed(
    plane: ControlPlane, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest waiting events go, the number of them comes with the next one, and memory stays bounded."""
    monkeypatch.setattr(tail, "QUEUE", 10)
    async with connect(f"ws://{plane.addresses.http}{SOCKET}", max_queue=1, max_size=2**24) as socket:

        async def follows() -> bool:
            return len(plane.hub) == 1

        await until(follows, what="the socket follows")
        total = 0
        batch = [event(0)]
        for n in range(1, 60):
            batch = [event(n * 1000 + m, component="c") for m in range(50)]
            for item in batch:
                item.message = "x" * 4000
            await report(stubs, *batch)
            total += len(batch)
        seen = skipped = 0
        message: Any = {}
        while seen + skipped < total:
            message = await hear(socket)
            seen, skipped = seen + 1, skipped + message["skipped"]
        assert skipped > 0 and message["id"] == batch[-1].id


async def test_sockets_that_are_refused(plane: ControlPlane, caplog: pytest.LogCaptureFixture) -> None:
    """A bad filter with the reason; a page of another site, which browsers would let in, without one."""
    at = f"ws://{plane.addresses.http}{SOCKET}"
    with pytest.raises(InvalidStatus) as raised:
        await connect(f"{at}?filter=nonsense")
    assert raised.value.response.status_code == 400
    assert json.loads(raised.value.response.body)["error"]["reason"] == "INVALID_FILTER"
    for origin in ("https://evil.example", "null"):
        with pytest.raises(InvalidStatus) as raised:
            await connect(at, origin=origin)  # type: ignore[arg-type]
        assert raised.value.response.status_code == 403
    async with connect(at, origin=f"http://{plane.addresses.http}"):  # type: ignore[arg-type]
        pass
    # Who asks wrongly is told, and does not fill the log.
    assert not [record for record in caplog.records if record.name.startswith("uvicorn")]


async def test_both_end_with_the_control_plane(plane: ControlPlane) -> None:
    """Readers are told why, and come back later."""
    at = plane.addresses.http
    async with streaming(at, STREAM) as stream, connect(f"ws://{at}{SOCKET}") as socket:
        await stream.block()

        async def follows() -> bool:
            return len(plane.hub) == 1

        await until(follows, what="the socket follows")
        async with asyncio.timeout(PATIENCE_S):
            await plane.stop()
        assert (await stream.event())["event"] == "end"
        assert (await hear(socket))["error"]["reason"] == "DRAINING"
        with pytest.raises(ConnectionClosed) as raised:
            await hear(socket)
        assert raised.value.rcvd is not None and raised.value.rcvd.code == 1012


async def test_the_end_is_told_however_busy_the_process_is(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listener closed sockets that had not been told yet, after a tenth of a second."""
    say = live._say

    async def late(*args: Any) -> None:
        await asyncio.sleep(0.4)
        await say(*args)

    monkeypatch.setattr(live, "_say", late)
    monkeypatch.setattr(listeners, "TOLD_S", PATIENCE_S)
    async with connect(f"ws://{plane.addresses.http}{SOCKET}") as socket:

        async def follows() -> bool:
            return len(plane.hub) == 1

        await until(follows, what="the socket follows")
        await plane.stop()
        assert (await hear(socket))["error"]["reason"] == "DRAINING"


async def test_an_event_whose_reporter_has_left_is_told(plane: ControlPlane) -> None:
    """A caller that goes away while its events are stored does not take them from those who follow."""
    follower = plane.hub.follow(EVERYTHING)
    reporting = asyncio.ensure_future(plane.events.report([codec.event_of(event(1))]))
    await asyncio.sleep(0)
    reporting.cancel()
    await asyncio.gather(reporting, return_exceptions=True)
    assert reporting.cancelled()
    async with asyncio.timeout(PATIENCE_S):
        told, _ = await follower.next()
    assert told.id == event(1).id == (await plane.events.get(event(1).id)).id
