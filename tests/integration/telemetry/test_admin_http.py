"""The admin HTTP over real sockets: pages, refusals, bounds."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest

from seawall.v1 import policy_pb2
from seawall_proxy.runtime import admin_http
from seawall_proxy.runtime.admin_http import MAX_CONNECTIONS, AdminHttp, json_page, text_page
from seawall_proxy.runtime.admin_tls import AdminTls
from seawall_proxy.runtime.tls import TlsMistake
from tests.kit.certificates import Authority, Pair
from tests.kit.processes import PATIENCE_S

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
        async with asyncio.timeout(PATIENCE_S):
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
        async with asyncio.timeout(PATIENCE_S):
            while not answer:
                await asyncio.sleep(0.01)
                answer = await ask(admin, get("/health"))
        assert answer.startswith(b"HTTP/1.1 200")
        for _, writer in held[1:]:
            writer.close()


async def test_slow_asker_and_idle_connection_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody holds a place by saying nothing, before a request or after one."""
    async with serving() as admin:
        with monkeypatch.context() as patched:
            patched.setattr(admin_http, "REQUEST_LIMIT_S", 0.05)
            assert await ask(admin, b"GET /hea") == b""
        monkeypatch.setattr(admin_http, "IDLE_LIMIT_S", 0.05)
        answer = await ask(admin, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.count(b"HTTP/1.1 200") == 1


async def test_client_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that is asked for and never read holds its place for a bounded time, also while stopping."""
    monkeypatch.setattr(admin_http, "IDLE_LIMIT_S", 0.05)
    monkeypatch.setattr(admin_http, "CLOSE_LIMIT_S", 0.05)
    async with serving() as admin:
        reader, writer = await connect(admin)
        writer.write(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(PATIENCE_S):
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


# ------------------------------------------------------------------------------------------------------- TLS


def https(admin: AdminHttp, ca: Path, pair: Pair | None = None) -> tuple[int, bytes]:
    """Ask for a page over TLS; return status, and the certificate that was shown."""
    context = ssl.create_default_context(cafile=str(ca))
    if pair is not None:
        context.load_cert_chain(pair.cert, pair.key)
    context.check_hostname = False
    port = int(admin.address.rpartition(":")[2])
    connection = HTTPSConnection("127.0.0.1", port, timeout=PATIENCE_S, context=context)
    try:
        connection.request("GET", "/health")
        sock: Any = connection.sock
        shown: bytes = sock.getpeercert(binary_form=True)
        return connection.getresponse().status, shown
    finally:
        connection.close()


async def test_pages_over_tls_follow_their_certificate(tmp_path: Path) -> None:
    """Plaintext gets nothing; a new certificate is shown to new connections, a broken one is not taken."""
    authority = Authority(tmp_path)
    pair = authority.issue("admin")
    tls = AdminTls(policy_pb2.AdminTls(cert_file=str(pair.cert), key_file=str(pair.key)), tmp_path)
    admin = AdminHttp({"/health": lambda: json_page({"status": "healthy"})}, tls=tls.context)
    await admin.start("127.0.0.1", 0)
    following = asyncio.get_running_loop().create_task(tls.run())
    try:
        status, first = await asyncio.to_thread(https, admin, authority.path)
        assert status == 200
        assert b"200" not in await ask(admin, get("/health"))
        pair.cert.write_text("broken")
        await asyncio.sleep(2.5)
        assert (await asyncio.to_thread(https, admin, authority.path))[1] == first
        renewed = authority.issue("renewed")
        pair.replace_by(renewed)
        async with asyncio.timeout(PATIENCE_S):
            while (await asyncio.to_thread(https, admin, authority.path))[1] == first:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    finally:
        following.cancel()
        await admin.stop()


async def test_pages_for_those_with_a_certificate(tmp_path: Path) -> None:
    """Others do not get as far as HTTP; files that cannot be used are said at the start."""
    authority = Authority(tmp_path)
    pair, client = authority.issue("admin"), authority.issue("client")
    wanted = policy_pb2.AdminTls(
        cert_file=pair.cert.name, key_file=pair.key.name, client_ca_file=authority.path.name
    )
    tls = AdminTls(wanted, tmp_path)
    admin = AdminHttp({"/health": lambda: json_page({})}, tls=tls.context)
    await admin.start("127.0.0.1", 0)
    try:
        assert (await asyncio.to_thread(https, admin, authority.path, client))[0] == 200
        with pytest.raises((OSError, ssl.SSLError)):
            await asyncio.to_thread(https, admin, authority.path)
    finally:
        await admin.stop()
    with pytest.raises(TlsMistake, match=r"missing\.pem cannot be read"):
        AdminTls(policy_pb2.AdminTls(cert_file="missing.pem", key_file="x.key"), tmp_path)
