"""What surrounds the HTTP API: time limits, headers, other sites."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seawall_control.api.http import connection, live
from seawall_control.server import ControlPlane, ControlSettings
from seawall_control.store.sqlite import open_store
from tests.integration.control.kit import Stubs, event, until
from tests.integration.control.test_events import report
from tests.integration.control.web import ask, head, read_head
from tests.kit.processes import PATIENCE_S

pytestmark = pytest.mark.integration

FRIEND = "https://console.example"
STATS = "/api/v1/errors/stats"


@pytest.fixture
async def shared(tmp_path: Path) -> AsyncIterator[str]:
    """Address of a control plane that lets pages of one other origin in."""
    settings = ControlSettings(
        data_dir=tmp_path / "control",
        grpc_address="127.0.0.1:0",
        http_address="127.0.0.1:0",
        http_origins=frozenset({FRIEND}),
        grace_s=1.0,
    )
    store = await open_store(settings.data_dir)
    control = ControlPlane(settings, store)
    await control.start()
    yield control.addresses.http
    await control.stop()
    await store.aclose()


async def silent(address: str, *parts: bytes) -> float:
    """Send these and nothing more; return how long the connection was kept, in seconds."""
    loop = asyncio.get_running_loop()
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    began = loop.time()
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.05)
            await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return loop.time() - began


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (b"GET /health HTTP/1.1\r\n", b"host: a\r\n"),
        (head("POST", "/api/v1/errors", {"host": "localhost", "content-length": "100"}), b"{"),
        (
            head("POST", "/api/v1/errors", {"host": "localhost", "content-length": "100"}),
            *([b" "] * 30),
        ),
    ],
    ids=["nothing", "half a head", "half a body", "a body byte by byte"],
)
async def test_peers_that_take_their_time_are_disconnected(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch, parts: tuple[bytes, ...]
) -> None:
    """A head or a body that does not end costs a place for a bounded time, whatever trickles in."""
    monkeypatch.setitem(connection._LIMITS_S, "head", 0.3)
    monkeypatch.setitem(connection._LIMITS_S, "body", 0.4)
    limits = (connection.HEAD_LIMIT_S, connection.BODY_LIMIT_S)
    assert 0.2 < await silent(plane.addresses.http, *parts) < min(limits)


async def test_a_quick_peer_keeps_its_connection(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests that come whole are served one after the other beyond the limit of a head."""
    for limit_s in (3.0, 12.0, 48.0):
        # A machine that stands still for the rest of the limit is no slow peer.
        monkeypatch.setitem(connection._LIMITS_S, "head", limit_s)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await asked_often(plane.addresses.http, every_s=0.3 * limit_s)
            return
    pytest.fail("the connection was closed in all three tries")


async def asked_often(address: str, *, every_s: float) -> None:
    """Ask four times on one connection."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for _ in range(4):
            await asyncio.sleep(every_s)
            writer.write(head("GET", "/ready", {"host": "localhost"}))
            status, headers = await read_head(reader)
            assert status == 200
            await reader.readexactly(int(headers["content-length"]))
    finally:
        writer.close()


async def test_a_head_has_a_bound(plane: ControlPlane) -> None:
    """Headers that do not end within 64 KiB are refused before they are all there."""
    host, _, port = plane.addresses.http.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head("GET", "/health", {"host": "localhost", "x-long": "x" * 100_000})[:-2])
    status, _ = await read_head(reader)
    assert status == 400
    writer.close()


async def test_every_answer_tells_browsers_not_to_guess(plane: ControlPlane) -> None:
    """Pages, errors and refusals carry the same headers, and nobody else may read them."""
    for path, headers in (("/health", {}), ("/nowhere", {}), ("/health", {"host": "evil.example"})):
        answer = await ask(plane.addresses.http, path, headers={"origin": "https://evil.example", **headers})
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers
    asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    preflight = await ask(plane.addresses.http, STATS, method="OPTIONS", headers=asked)
    assert not [name for name in preflight.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://localhost:1", "sec-fetch-site": "cross-site"},
    ],
)
async def test_changes_of_other_sites(shared: str, headers: dict[str, str]) -> None:
    """A change that a page of another site makes is refused, whichever of the two headers tells."""
    body = {"severity": "LOW", "component": "c"}
    answer = await ask(shared, "/api/v1/errors", method="POST", body=body, headers=headers)
    assert (answer.status, answer.json["error"]["reason"]) == (403, "CROSS_SITE")


async def test_an_origin_that_is_allowed(shared: str) -> None:
    """Its pages may ask first, read answers and errors, and change; nobody else is told so."""
    asked = {"origin": FRIEND, "access-control-request-method": "POST"}
    preflight = await ask(shared, "/api/v1/errors", method="OPTIONS", headers=asked)
    assert (preflight.status, preflight.headers["access-control-allow-origin"]) == (204, FRIEND)
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    said = {"origin": FRIEND, "sec-fetch-site": "cross-site"}
    body = {"severity": "LOW", "component": "c", "error_type": "E", "message": "m"}
    answer = await ask(shared, "/api/v1/errors", method="POST", body=body, headers=said)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (201, FRIEND)
    assert answer.headers["vary"] == "origin"
    refused = await ask(shared, "/nowhere", headers=said)
    assert (refused.status, refused.headers["access-control-allow-origin"]) == (404, FRIEND)
    other = await ask(shared, STATS, headers={"origin": "https://evil.example"})
    assert (other.status, "access-control-allow-origin" in other.headers) == (200, False)


async def test_a_page_of_this_host(plane: ControlPlane) -> None:
    """Same origin is no other site."""
    at = plane.addresses.http
    said = {"origin": f"http://{at}", "sec-fetch-site": "same-origin"}
    body = {"severity": "LOW", "component": "c", "error_type": "E", "message": "m"}
    assert (await ask(at, "/api/v1/errors", method="POST", body=body, headers=said)).status == 201


@pytest.mark.parametrize("path", ["/api/v1/seawall.v1.EventService/TailEvents", "/api/v1/errors/ws"])
async def test_a_reader_that_takes_nothing_loses_its_place(
    plane: ControlPlane, stubs: Stubs, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Memory and the place of a follower are not held for a peer that has stopped reading."""
    monkeypatch.setattr(connection, "STALL_LIMIT_S", 0.5)
    monkeypatch.setattr(live, "STALL_S", 0.5)
    host, _, port = plane.addresses.http.rpartition(":")
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=sock, limit=1024)
    upgrade = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    writer.write(head("GET", path, {"host": "localhost", **(upgrade if path.endswith("ws") else {})}))
    await read_head(reader)

    async def follows() -> bool:
        return len(plane.hub) == 1

    async def left() -> bool:
        return len(plane.hub) == 0

    await until(follows, what="it follows")
    for n in range(1, 12):
        batch = [event(n * 1000 + m) for m in range(16)]
        for item in batch:
            item.message, item.stack_trace = "x" * 7000, "x" * 32_000
        await report(stubs, *batch)
    try:
        await until(left, what="it is disconnected")
    finally:
        writer.close()
