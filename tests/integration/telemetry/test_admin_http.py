"""The admin HTTP over real sockets: pages, refusals, bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from seawall_proxy.runtime import admin_http
from seawall_proxy.runtime.admin_http import MAX_CONNECTIONS, AdminHttp, json_page, text_page

pytestmark = pytest.mark.integration


def broken() -> admin_http.Page:
    """Fail."""
    raise RuntimeError("a secret of the inside")


@asynccontextmanager
async def serving() -> AsyncIterator[AdminHttp]:
    """Serve three pages."""
    pages = {
        "/health": lambda: json_page({"status": "healthy"}),
        "/big": lambda: text_page("x" * (8 << 20)),
        "/broken": broken,
    }
    admin = AdminHttp(pages)
    await admin.start("127.0.0.1", 0)
    try:
        yield admin
    finally:
        await admin.stop()


async def connect(admin: AdminHttp) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection."""
    host, port = admin.address.rsplit(":", 1)
    return await asyncio.open_connection(host, int(port))


async def ask(admin: AdminHttp, request: bytes) -> bytes:
    """Send bytes, return everything that comes until the end."""
    reader, writer = await connect(admin)
    writer.write(request)
    try:
        async with asyncio.timeout(15.0):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def get(path: str, method: str = "GET", more: str = "") -> bytes:
    """Return a request that ends its connection."""
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}\r\n".encode()


async def test_page_comes_with_its_length_and_type() -> None:
    """A known path is answered whole; a query is no part of the path."""
    async with serving() as admin:
        answer = await ask(admin, get("/health?verbose=1"))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert b"content-type: application/json" in head
        assert f"content-length: {len(body)}".encode() in head
        assert b'"healthy"' in body


async def test_head_has_no_body() -> None:
    """HEAD gives the head of GET."""
    async with serving() as admin:
        answer = await ask(admin, get("/health", "HEAD"))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (get("/nothing"), b"404"),
        (get("/health", "POST", "Content-Length: 3\r\n") + b"abc", b"405"),
        (get("/health", "DELETE"), b"405"),
        (get("/broken"), b"500"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /health HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 20_000, b"431"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b""),
    ],
)
async def test_what_cannot_be_answered_is_refused_cleanly(request_bytes: bytes, status: bytes) -> None:
    """Each refusal has its status, nothing of the inside is shown, and the server goes on."""
    async with serving() as admin:
        answer = await ask(admin, request_bytes)
        assert b"secret of the inside" not in answer
        assert answer[9:12] == status or (status == b"" and answer[:9] in (b"", b"HTTP/1.1 "))
        assert (await ask(admin, get("/health"))).startswith(b"HTTP/1.1 200")


async def test_connection_is_kept_and_pipelined_requests_are_answered_in_order() -> None:
    """Two requests in one packet on one connection get two answers."""
    async with serving() as admin:
        answer = await ask(admin, b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n" + get("/health"))
        assert answer.count(b"HTTP/1.1 ") == 2
        assert answer.index(b"404") < answer.index(b"healthy")


async def test_one_connection_too_many_is_closed_at_once() -> None:
    """The bound holds, and a place that becomes free can be taken."""
    async with serving() as admin:
        held = [await connect(admin) for _ in range(MAX_CONNECTIONS)]
        await asyncio.sleep(0)
        assert await ask(admin, get("/health")) == b""
        held[0][1].close()
        await held[0][1].wait_closed()
        answer = b""
        for _ in range(100):
            answer = await ask(admin, get("/health"))
            if answer:
                break
            await asyncio.sleep(0.01)
        assert answer.startswith(b"HTTP/1.1 200")
        for _, writer in held[1:]:
            writer.close()


async def test_slow_asker_and_idle_connection_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody holds a place by saying nothing, before a request or after one."""
    monkeypatch.setattr(admin_http, "REQUEST_LIMIT_S", 0.05)
    monkeypatch.setattr(admin_http, "IDLE_LIMIT_S", 0.05)
    async with serving() as admin:
        assert await ask(admin, b"GET /hea") == b""
        answer = await ask(admin, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.count(b"HTTP/1.1 200") == 1


async def test_client_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that is asked for and never read holds its place for a bounded time, also while stopping."""
    monkeypatch.setattr(admin_http, "IDLE_LIMIT_S", 0.05)
    monkeypatch.setattr(admin_http, "CLOSE_LIMIT_S", 0.05)
    async with serving() as admin:
        reader, writer = await connect(admin)
        writer.write(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(5.0):
            await reader.readexactly(12)
            await admin.stop()
        assert not admin._connections
        writer.close()


def test_with_a_token_file_pages_ask_for_its_secret(tmp_path: Path) -> None:
    """But for the probes'; a secret that changes counts at once, and one that is missing opens nothing."""
    path = tmp_path / "token"
    pages = {name: lambda: json_page({}) for name in ("/health", "/ready", "/status")}
    admin = AdminHttp(pages, path)

    def status(target: bytes, authorization: bytes = b"") -> int:
        page = admin.answer(b"GET", target, authorization)
        assert isinstance(page, admin_http.Page)
        return page.status

    secret = b"0123456789abcdef"
    assert status(b"/status", b"Bearer " + secret) == 503
    path.write_bytes(b"short\n")
    assert status(b"/status", b"Bearer short") == 503
    path.write_bytes(secret + b"\n")
    assert status(b"/health") == status(b"/ready?x") == 200
    assert status(b"/status") == 401
    assert status(b"/nothing") == 401
    wrongs = (b"Bearer", b"Bearer ", b"Basic " + secret, secret, b"Bearer " + secret[1:], b"Bearer \xff")
    assert {status(b"/status", wrong) for wrong in wrongs} == {401}
    assert status(b"/status", b"bearer " + secret) == 200
    path.write_bytes(secret[::-1])
    assert status(b"/status", b"Bearer " + secret) == 401
