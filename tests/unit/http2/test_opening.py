"""What a server says to a peer that does not speak HTTP/2 with prior knowledge, and when it says anything."""

from __future__ import annotations

import pytest

from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.headers import BlockCache
from seawall_proxy.http2.limits import Limits
from seawall_proxy.http2.opening import HTTP_1_ANSWER, HTTP_1_REASON, TLS_REASON
from tests.unit.http2.wire import (
    GOAWAY,
    PREFACE,
    PROTOCOL_ERROR,
    SETTINGS,
    ConnectionRecorder,
    Recorder,
    frame,
    server,
    split_frames,
)

HTTP_1_1_REQUIRED = 13


def fresh() -> tuple[Connection, Recorder]:
    """Return a server-role connection to which nothing was said yet."""
    recorder = Recorder()
    connection = Connection(
        is_client=False, limits=Limits(), handler=ConnectionRecorder(recorder), cache=BlockCache(), dirty=[]
    )
    connection.start(100.0)
    return connection, recorder


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        b"POST /shop.v1.Orders/GetOrder HTTP/1.1\r\n",
        b"PUT / HTTP/1.0\r\n\r\n",
        b"PRIVATE / HTTP/1.1\r\n\r\n",
        b"get / http/1.1\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n\r\n" + PREFACE,
    ],
)
@pytest.mark.parametrize("step", [1, 10_000])
def test_http_1_gets_a_readable_answer(request_line: bytes, step: int) -> None:
    """HTTP/1.x, an upgrade to h2c included, gets one 426 and nothing else, and the connection is over."""
    connection, recorder = fresh()
    for at in range(0, len(request_line), step):
        connection.receive(request_line[at : at + step], 100.0)
    said = connection.take_output()
    assert said == HTTP_1_ANSWER
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
    assert b"content-length: %d" % len(body) in head
    assert connection.closed
    assert recorder.log == [("terminated", HTTP_1_1_REQUIRED, HTTP_1_REASON)]


@pytest.mark.parametrize(
    "opening",
    [
        b"INVALID CONNECTION PREFACE\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        b"GET /" + b"a" * 3000,
        b"\x00",
    ],
)
@pytest.mark.parametrize("step", [1, 10_000])
def test_a_broken_preface_is_a_protocol_error(opening: bytes, step: int) -> None:
    """What is neither HTTP/2 nor a request line of HTTP/1.x is answered in HTTP/2, and not waited for without
    bound.
    """
    connection, recorder = fresh()
    for at in range(0, len(opening), step):
        connection.receive(opening[at : at + step], 100.0)
    frames = split_frames(connection.take_output())
    assert [sent.kind for sent in frames][0 :: len(frames) - 1] == [SETTINGS, GOAWAY]
    assert recorder.log[0][:2] == ("terminated", PROTOCOL_ERROR)


def test_a_request_line_without_an_end_is_over_in_time() -> None:
    """A peer that never finishes its first line owes a preface like any other."""
    connection, recorder = fresh()
    connection.receive(b"GET /", 100.0)
    assert recorder.log == []
    connection.handle_timer(connection.next_deadline())
    assert recorder.log[0][0] == "terminated"


def test_a_tls_handshake_gets_nothing() -> None:
    """The octets of a ClientHello end the connection without a word, with a reason of their own."""
    connection, recorder = fresh()
    connection.receive(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 100.0)
    assert connection.take_output() == b""
    assert recorder.log == [("terminated", PROTOCOL_ERROR, TLS_REASON)]


def test_settings_wait_for_the_preface() -> None:
    """A server says nothing before the client's preface is complete, and then SETTINGS first of all."""
    connection, _ = fresh()
    connection.receive(PREFACE[:-1], 100.0)
    assert connection.take_output() == b""
    connection.receive(PREFACE[-1:], 100.0)
    assert split_frames(connection.take_output())[0].kind == SETTINGS


def test_goaway_before_the_preface_stands_behind_settings() -> None:
    """Whoever is sent away before the preface hears valid HTTP/2: SETTINGS, then GOAWAY."""
    connection, _ = fresh()
    connection.terminate(0, "drained")
    kinds = [sent.kind for sent in split_frames(connection.take_output())]
    assert kinds[0] == SETTINGS and kinds[-1] == GOAWAY


def test_http_1_behind_a_greeting_hears_no_second_protocol() -> None:
    """When SETTINGS have gone already, nothing in HTTP/1.x follows them."""
    connection, _ = fresh()
    connection.goaway(0)
    connection.take_output()
    connection.receive(b"GET / HTTP/1.1\r\n\r\n", 100.0)
    assert connection.take_output() == b""
    assert connection.closed


def test_settings_are_owed_an_answer_from_when_they_are_sent() -> None:
    """The deadline of the SETTINGS acknowledgement counts from the client's preface."""
    peer = server(handshake=False)
    peer.now += 5.0
    peer.send(PREFACE + frame(SETTINGS, 0, 0))
    assert peer.connection.next_deadline() == peer.now + Limits().settings_ack_timeout_s
