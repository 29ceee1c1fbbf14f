"""TLS and mTLS on both sides: who may speak, in which version, under which name (attack T32)."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
import time
import warnings
from contextlib import closing
from functools import partial

import grpc
import pytest

from seawall_policy.transport import HANDSHAKE_LIMIT_S
from tests.integration.transport.conftest import SecureProxy
from tests.integration.transport.kit import (
    channel,
    client_context,
    connect,
    failed,
    handshake,
    plain_channel,
    read_to_end,
    speaks_http2,
)
from tests.kit.certificates import Authority
from tests.kit.processes import PATIENCE_S, wait_until
from tests.kit.rpc import stream_stream, trailing, unary_unary
from tests.kit.stand import Proxy

pytestmark = pytest.mark.integration

OPENSSL = shutil.which("openssl")
WANTS_OPENSSL = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")


async def test_calls_under_tls_on_both_sides(secure: SecureProxy) -> None:
    """A grpcio client speaks TLS with the proxy, and the proxy mTLS with a grpcio server."""
    async with channel(secure.tls, secure.authority) as client:
        call = unary_unary(client, "/a.S/Unary")(b"x" * 300_000)
        assert await call == b"x" * 300_000
        assert (await trailing(call))["client-name"] == "the-proxy"
        chat = stream_stream(client, "/a.S/Chat")()
        for number in range(20):
            await chat.write(b"%d" % number)
            assert await chat.read() == b"%d" % number
        await chat.done_writing()
        assert await chat.read() is grpc.aio.EOF


async def test_plaintext_goes_on_beside_it(secure: SecureProxy) -> None:
    """Listeners have a protection each of their own."""
    async with plain_channel(secure.plain) as client:
        assert await unary_unary(client, "/a.S/Unary")(b"x") == b"x"


async def test_a_client_with_a_certificate_is_served(secure: SecureProxy) -> None:
    """With `client_ca_file` a certificate of that authority opens the door."""
    async with channel(secure.mtls, secure.authority, secure.client) as client:
        assert await unary_unary(client, "/a.S/Unary")(b"x") == b"x"


async def test_a_client_without_a_certificate_is_not(secure: SecureProxy) -> None:
    """No call gets through, and it is counted why."""
    async with channel(secure.mtls, secure.authority) as client:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await unary_unary(client, "/a.S/Unary")(b"x", timeout=PATIENCE_S)
    assert failure.value.code() == grpc.StatusCode.UNAVAILABLE
    wait_until(lambda: failed(secure.proxy, "no client certificate") >= 1, "it is counted")


async def test_a_strangers_certificate_is_refused(
    secure: SecureProxy, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A certificate of another authority is as good as none; so is an expired one."""
    stranger = Authority(tmp_path_factory.mktemp("other"), "other").issue("client", common_name="client-7")
    expired = secure.authority.issue("late", common_name="client-7", ends_in_days=-0.1)
    for pair in (stranger, expired):
        before = failed(secure.proxy, "client certificate")
        async with channel(secure.mtls, secure.authority, pair) as client:
            with pytest.raises(grpc.aio.AioRpcError):
                await unary_unary(client, "/a.S/Unary")(b"x", timeout=PATIENCE_S)
        wait_until(partial(_has_failed, secure.proxy, "client certificate", before), "it is counted")


def _has_failed(proxy: Proxy, reason: str, before: float) -> bool:
    return failed(proxy, reason) > before


@pytest.mark.parametrize(
    ("asked", "subject"),
    [
        ("shop.example", "shop.example"),
        ("SHOP.example", "shop.example"),
        ("eu.shops.example", "shop.example"),
        ("a.b.shops.example", "localhost"),
        ("bank.example", "unused.example"),
        ("unused.example", "localhost"),
        ("nobody.example", "localhost"),
        (None, "localhost"),
    ],
)
def test_the_name_chooses_the_certificate(secure: SecureProxy, asked: str | None, subject: str) -> None:
    """SNI chooses by configured names, else by those in the certificate; the first one is for the rest."""
    context = client_context(secure.authority, "h2")
    with closing(handshake(secure.sni, context, asked)) as sock:
        certificate = sock.getpeercert()
        assert certificate is not None
        names = [str(entry[1]) for entry in certificate["subjectAltName"]]
        assert names[0] == subject
        assert sock.selected_alpn_protocol() == "h2"
        assert speaks_http2(sock)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions(secure: SecureProxy, version: ssl.TLSVersion) -> None:
    """TLS 1.2 and 1.3 are spoken; 1.2 with an ephemeral AEAD suite, without compression."""
    context = client_context(secure.authority, "h2")
    context.minimum_version = context.maximum_version = version
    with closing(handshake(secure.tls, context)) as sock:
        cipher = sock.cipher()
        assert cipher is not None
        assert version == ssl.TLSVersion.TLSv1_3 or (
            cipher[0].startswith("ECDHE-") and ("GCM" in cipher[0] or "CHACHA20" in cipher[0])
        )
        assert sock.compression() is None
        assert speaks_http2(sock)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused(secure: SecureProxy, version: ssl.TLSVersion) -> None:
    """TLS 1.0 and 1.1 come to nothing, and are counted."""
    context = client_context(None, "h2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    before = failed(secure.proxy, "TLS version")
    with pytest.raises(ssl.SSLError):
        handshake(secure.tls, context)
    wait_until(lambda: failed(secure.proxy, "TLS version") > before, "it is counted")


@pytest.mark.parametrize(
    "cipher", ["ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "AES128-GCM-SHA256"]
)
def test_ciphers_of_the_black_list_are_refused(secure: SecureProxy, cipher: str) -> None:
    """CBC suites and those without an ephemeral key (RFC 9113 appendix A) are refused, and counted."""
    context = client_context(None, "h2")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    before = failed(secure.proxy, "cipher")
    with pytest.raises(ssl.SSLError):
        handshake(secure.tls, context)
    wait_until(lambda: failed(secure.proxy, "cipher") > before, "it is counted")


@pytest.mark.parametrize("alpn", [(), ("http/1.1",), ("h3", "http/1.1")])
def test_http2_has_to_be_negotiated(secure: SecureProxy, alpn: tuple[str, ...]) -> None:
    """Who does not offer h2 is closed without an answer, and counted."""
    before = failed(secure.proxy, "no h2 by ALPN")
    try:
        with closing(handshake(secure.tls, client_context(secure.authority, *alpn))) as sock:
            assert sock.selected_alpn_protocol() is None
            assert not speaks_http2(sock)
    except (ConnectionError, ssl.SSLError):
        pass  # closed while the handshake was being finished
    wait_until(lambda: failed(secure.proxy, "no h2 by ALPN") == before + 1, "it is counted")


def test_http2_is_chosen_among_others(secure: SecureProxy) -> None:
    """h2 is taken when it is one of several, wherever it stands."""
    with closing(handshake(secure.tls, client_context(secure.authority, "http/1.1", "h2"))) as sock:
        assert sock.selected_alpn_protocol() == "h2"


@pytest.mark.parametrize("first", [b"", b"\x16\x03\x01\x02\x00\x01", b"\x16\x03\x01"])
def test_a_handshake_has_a_time_limit(secure: SecureProxy, first: bytes) -> None:
    """Who says nothing, or only the beginning of a ClientHello, is closed after handshake_timeout."""
    before = failed(secure.proxy, "handshake timeout")
    began = time.monotonic()
    with closing(connect(secure.impatient)) as sock:
        if first:
            sock.sendall(first)
        read_to_end(sock)
    assert 0.8 < time.monotonic() - began < HANDSHAKE_LIMIT_S
    wait_until(lambda: failed(secure.proxy, "handshake timeout") == before + 1, "it is counted")


@pytest.mark.parametrize(
    "data",
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        bytes(64),
        b"\xff" * 64,
    ],
)
def test_plaintext_at_the_tls_port(secure: SecureProxy, data: bytes) -> None:
    """Bytes that are no TLS are answered with nothing but an alert, and counted."""
    before = failed(secure.proxy, "no TLS")
    with closing(connect(secure.tls)) as sock:
        sock.sendall(data)
        answer = read_to_end(sock)
    assert answer[:1] in (b"", b"\x15"), answer
    wait_until(lambda: failed(secure.proxy, "no TLS") == before + 1, "it is counted")


async def test_tls_at_the_plaintext_port(secure: SecureProxy) -> None:
    """A ClientHello is no HTTP/2 preface: that connection ends, and others go on."""
    async with plain_channel(secure.plain) as client:
        call = unary_unary(client, "/a.S/Unary")
        assert await call(b"x") == b"x"

        def attack() -> None:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                handshake(secure.plain, client_context(None, "h2"))

        await asyncio.to_thread(attack)
        assert await call(b"x") == b"x"


async def test_stuck_handshakes_do_not_hinder_others(secure: SecureProxy) -> None:
    """While two hundred connections sit in their handshake, another client connects and is served."""
    stuck = [connect(secure.tls) for _ in range(200)]
    try:
        for sock in stuck[:100]:
            sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc")
        async with channel(secure.tls, secure.authority) as client:
            for _ in range(10):
                assert await unary_unary(client, "/a.S/Unary")(b"x", timeout=PATIENCE_S) == b"x"
    finally:
        for sock in stuck:
            sock.close()


def test_sessions_resume(secure: SecureProxy) -> None:
    """A ticket shortens the next handshake, with a client certificate too."""
    context = client_context(secure.authority, "h2", pair=secure.client)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with closing(handshake(secure.mtls, context)) as first:
        assert speaks_http2(first)
        session = first.session
    with closing(connect(secure.mtls)) as raw:
        second = context.wrap_socket(raw, session=session)
        assert second.session_reused
        assert speaks_http2(second)
        second.close()


@WANTS_OPENSSL
def test_renegotiation_is_refused(secure: SecureProxy) -> None:
    """A client that asks for a new handshake in the middle of a connection (TLS 1.2) gets none."""
    output = subprocess.run(
        [str(OPENSSL), "s_client", "-connect", secure.tls, "-tls1_2", "-alpn", "h2"],
        input=b"R\n",
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert b"RENEGOTIATING" in output.stdout + output.stderr
    assert b"no renegotiation" in output.stderr or output.returncode != 0, output


@WANTS_OPENSSL
def test_early_data_is_refused(secure: SecureProxy) -> None:
    """No session ticket allows early data, so nothing can be replayed."""

    def output(patience_s: float) -> bytes:
        with subprocess.Popen(
            [str(OPENSSL), "s_client", "-connect", secure.tls, "-tls1_3", "-alpn", "h2"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as child:
            time.sleep(patience_s)  # for the tickets, which come after the handshake
            return child.communicate(b"Q\n", timeout=PATIENCE_S)[0]

    said = next(filter(lambda text: b"Max Early Data:" in text, map(output, (0.5, 3.0, 20.0))), b"")
    assert b"Max Early Data: 0" in said
