"""Connections that end, stall or talk nonsense: GOAWAY, PING, closing at every point of the exchange,
garbage.

The first six are gRPC's negative HTTP/2 interoperability cases (goaway, rst_after_header, rst_during_data,
rst_after_data: test_statuses.py, ping, max_streams: test_windows.py).
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.misbehaving.ground import CALL_LIMIT_S, Ground, Upstream, standing
from tests.integration.misbehaving.wire import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    HEADERS,
    MAX_FRAME_SIZE,
    OK_HEADERS,
    PING,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Answer,
    Conn,
    Gone,
    Request,
    Script,
    answering,
    block,
    frame,
    message,
)
from tests.kit.processes import wait_until

pytestmark = pytest.mark.integration

WHOLE = message(b"0123456789")


def first_then_good(first: Answer) -> Script:
    """Answer on the first connection as told, on later ones as one should."""

    def answer(conn: Conn, request: Request) -> None:
        if conn.number == 0:
            first(conn, request)
        else:
            conn.good(request.stream)

    return answering(answer)


def refuse_by_goaway(conn: Conn, request: Request) -> None:
    """Say that no stream was processed."""
    conn.goaway(0)


def finish_behind_goaway(conn: Conn, request: Request) -> None:
    """Say that the last stream is this one, and answer it."""
    conn.goaway(request.stream, 0xB, b"too_many_pings")
    conn.good(request.stream)


def leave_in_two_steps(conn: Conn, request: Request) -> None:
    """Shut down as RFC 9113 section 6.8 recommends."""
    conn.goaway(2**31 - 1)
    conn.send(frame(PING, 0, 0, b"goodbye!"))
    conn.wait_for(PING, flags=ACK)
    conn.goaway(request.stream)
    conn.good(request.stream)


def leave_between_two(conn: Conn, request: Request) -> None:
    """Serve the first of two calls and refuse the second."""
    second = conn.request()
    assert second.stream > request.stream
    conn.goaway(request.stream)
    conn.good(request.stream)


def break_the_promise(conn: Conn, request: Request) -> None:
    """Say that this stream will be served, and close."""
    conn.goaway(request.stream)
    raise Gone


def ask_with_pings(conn: Conn, request: Request) -> None:
    """Expect each PING back, byte for byte."""
    for payload in (b"01234567", bytes(8), b"\xff\x00\xff\x00\xff\x00\xff\x00"):
        conn.send(frame(PING, 0, 0, payload))
        assert conn.wait_for(PING, flags=ACK).payload == payload
    conn.good(request.stream)


def never_answer(conn: Conn, request: Request) -> None:
    """Leave PING unanswered too."""
    conn.answers_pings = False


def stall(conn: Conn, request: Request) -> None:
    """Say half of an answer and wait to be given up."""
    conn.headers(request.stream)
    conn.data(request.stream, WHOLE[:8])
    reset = conn.wait_for(RST_STREAM, request.stream)
    assert reset.payload == struct.pack(">I", 8), "CANCEL"


def drip(conn: Conn, request: Request) -> None:
    """Send a good answer octet by octet."""
    answer = (
        frame(HEADERS, END_HEADERS, request.stream, block(OK_HEADERS))
        + frame(DATA, 0, request.stream, message(b"fine"))
        + frame(HEADERS, END_HEADERS | 1, request.stream, block((("grpc-status", "0"),)))
    )
    for octet in answer:
        conn.send(bytes([octet]))
        time.sleep(0.0005)


def saying(*pieces: bytes) -> Answer:
    """Answer with bytes; `%S` stands for the stream."""

    def answer(conn: Conn, request: Request) -> None:
        for piece in pieces:
            conn.send(piece.replace(b"%S%%", request.stream.to_bytes(4, "big")))

    return answer


def closing(*pieces: bytes) -> Answer:
    """Answer with bytes and close."""
    say = saying(*pieces)

    def answer(conn: Conn, request: Request) -> None:
        say(conn, request)
        raise Gone

    return answer


def on_stream(kind: int, flags: int, payload: bytes) -> bytes:
    """Return a frame for the request's stream."""
    return frame(kind, flags, 0, payload)[:5] + b"%S%%" + payload


def close_at_once(conn: Conn) -> None:
    """Accept and close."""
    raise Gone


def close_before_settings(conn: Conn) -> None:
    """Read the preface and close."""
    conn.preface()
    raise Gone


def close_after_settings(conn: Conn) -> None:
    """Greet and close."""
    conn.preface()
    conn.settings()
    raise Gone


def reset_transport(conn: Conn, request: Request) -> None:
    """End with a TCP reset."""
    conn.headers(request.stream)
    conn.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise Gone


def half_close(conn: Conn, request: Request) -> None:
    """Say that nothing more will come, and keep listening."""
    conn.headers(request.stream)
    conn.raw.shutdown(socket.SHUT_WR)
    conn.linger(2.0)


def stay_silent(conn: Conn) -> None:
    """Accept and say nothing."""
    conn.linger(30.0)


def speak_http1(conn: Conn) -> None:
    """Answer the preface as an HTTP/1.1 server does."""
    conn.preface()
    conn.send(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    conn.linger(1.0)


def greet_with(*pairs: tuple[int, int]) -> Script:
    """Greet with these SETTINGS and behave."""

    def answer(conn: Conn, request: Request) -> None:
        conn.good(request.stream)

    return answering(answer, *pairs)


def with_unknown_frames(conn: Conn, request: Request) -> None:
    """Answer behind frames that RFC 9113 section 5.5 lets anybody invent."""
    conn.send(frame(0xBB, 0xFF, 0, b"?") + frame(0xCC, 1, request.stream))
    conn.good(request.stream)


def say_more(conn: Conn, request: Request) -> None:
    """Send DATA on a stream that has ended."""
    conn.good(request.stream)
    conn.data(request.stream, b"more")


LARGE = block((*OK_HEADERS, *((f"x-{letter}", "&" * 5000) for letter in "abcd")))


def rude(answer: Answer) -> Upstream:
    """Return an upstream that behaves until it answers."""
    return Upstream(answering(answer))


HEAD = on_stream(HEADERS, END_HEADERS, block(OK_HEADERS))
OPEN_HEAD = on_stream(HEADERS, 0, block(OK_HEADERS))
QUICK = {"connect_timeout": "300ms"}

TABLE: dict[str, tuple[Upstream, str]] = {
    # GOAWAY
    "goaway refuses, always": (Upstream(answering(refuse_by_goaway)), "UNAVAILABLE"),
    "goaway with debug data, then the answer": (Upstream(answering(finish_behind_goaway)), "OK"),
    "goaway in two steps": (Upstream(answering(leave_in_two_steps)), "OK"),
    "goaway promises and breaks it": (Upstream(answering(break_the_promise)), "UNAVAILABLE"),
    # PING
    "pings of the server": (Upstream(answering(ask_with_pings)), "OK"),
    "pings without answer": (
        Upstream(
            answering(never_answer),
            cluster={"connection": {"keepalive_interval": "1s", "keepalive_timeout": "1s"}},
        ),
        "UNAVAILABLE",
    ),
    # closing at each point
    "closes at once": (Upstream(close_at_once), "UNAVAILABLE"),
    "closes before SETTINGS": (Upstream(close_before_settings), "UNAVAILABLE"),
    "closes after SETTINGS": (Upstream(close_after_settings), "UNAVAILABLE"),
    "closes at the request": (rude(closing()), "UNAVAILABLE"),
    "closes inside a header block": (rude(closing(OPEN_HEAD)), "UNAVAILABLE"),
    "closes inside a frame header": (rude(closing(HEAD, b"\0\0")), "UNAVAILABLE"),
    "closes inside DATA": (rude(closing(HEAD, on_stream(DATA, 0, WHOLE)[:-4])), "UNAVAILABLE"),
    "closes inside a message": (rude(closing(HEAD, on_stream(DATA, 0, WHOLE[:-4]))), "UNAVAILABLE"),
    "closes before the trailers": (rude(closing(HEAD, on_stream(DATA, 0, WHOLE))), "UNAVAILABLE"),
    "resets the transport": (Upstream(answering(reset_transport)), "UNAVAILABLE"),
    "closes its half": (Upstream(answering(half_close)), "UNAVAILABLE"),
    # silence and slowness
    "says nothing at all": (Upstream(stay_silent, cluster=QUICK), "UNAVAILABLE"),
    "drips": (Upstream(answering(drip)), "OK"),
    # nonsense that costs the connection
    "speaks HTTP/1.1": (Upstream(speak_http1), "UNAVAILABLE"),
    "garbage for an answer": (rude(saying(b"\xf3\x1c\x9a" * 4000)), "UNAVAILABLE"),
    "a frame larger than allowed": (
        rude(saying(HEAD, on_stream(DATA, 0, bytes(20_000)))),
        "UNAVAILABLE",
    ),
    "headers on stream 0": (rude(saying(frame(HEADERS, END_HEADERS, 0, block(OK_HEADERS)))), "UNAVAILABLE"),
    "data on an idle stream": (rude(saying(frame(DATA, 0, 9999, b"x"))), "UNAVAILABLE"),
    "a push promise": (rude(saying(on_stream(PUSH_PROMISE, 4, b"\0\0\0\2\x88"))), "UNAVAILABLE"),
    "headers on a stream of its own": (
        rude(saying(frame(HEADERS, END_HEADERS, 2, block(OK_HEADERS)))),
        "UNAVAILABLE",
    ),
    "acknowledged settings with a payload": (rude(saying(frame(SETTINGS, ACK, 0, bytes(6)))), "UNAVAILABLE"),
    "a window update of 0 for the connection": (
        rude(saying(frame(WINDOW_UPDATE, 0, 0, bytes(4)))),
        "UNAVAILABLE",
    ),
    "a continuation out of nowhere": (rude(saying(on_stream(CONTINUATION, 4, b""))), "UNAVAILABLE"),
    "a data frame inside a header block": (
        rude(saying(OPEN_HEAD, on_stream(DATA, 0, b"x"))),
        "UNAVAILABLE",
    ),
    "a maximal frame size of 1": (Upstream(greet_with((MAX_FRAME_SIZE, 1))), "UNAVAILABLE"),
    "an initial window above the limit": (Upstream(greet_with((4, 2**31))), "UNAVAILABLE"),
    # nonsense that costs the stream
    "no :status": (rude(saying(on_stream(HEADERS, 4, block((("x-a", "b"),))))), "INTERNAL"),
    "two :status": (
        rude(saying(on_stream(HEADERS, 4, block(((":status", "200"), *OK_HEADERS))))),
        "INTERNAL",
    ),
    "a pseudo-header in trailers": (
        rude(saying(HEAD, on_stream(HEADERS, 5, block(((":status", "200"), ("grpc-status", "0")))))),
        "INTERNAL",
    ),
    "an upper-case name": (
        rude(saying(on_stream(HEADERS, 4, block((*OK_HEADERS, ("X-Upper", "1")))))),
        "INTERNAL",
    ),
    "a connection header": (
        rude(saying(on_stream(HEADERS, 4, block((*OK_HEADERS, ("connection", "close")))))),
        "INTERNAL",
    ),
    "data before headers": (rude(saying(on_stream(DATA, 0, b"x"))), "INTERNAL"),
    "a window update of 0 for the stream": (rude(saying(on_stream(WINDOW_UPDATE, 0, bytes(4)))), "INTERNAL"),
    "a window beyond its end": (
        rude(saying(on_stream(WINDOW_UPDATE, 0, b"\x7f\xff\xff\xff"))),
        "INTERNAL",
    ),
    "headers larger than allowed": (
        rude(saying(on_stream(HEADERS, 0, LARGE[:16_000]), on_stream(CONTINUATION, 4, LARGE[16_000:]))),
        "RESOURCE_EXHAUSTED",
    ),
    # nonsense that costs nothing
    "frames of unknown kinds": (
        Upstream(answering(with_unknown_frames)),
        "OK",
    ),
    "settings nobody knows": (Upstream(greet_with((0x99, 7), (0xF000, 2**32 - 1))), "OK"),
    "data behind the end": (
        Upstream(answering(say_more)),
        "OK",
    ),
}
OTHERS = {
    "goaway refuses, another connection serves": Upstream(first_then_good(refuse_by_goaway)),
    "two calls at a goaway": Upstream(first_then_good(leave_between_two)),
    "half an answer": Upstream(answering(stall)),
}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Give a proxy before all of these."""
    upstreams = {name: upstream for name, (upstream, _) in TABLE.items()} | OTHERS
    with standing(tmp_path_factory.mktemp("connections"), upstreams) as made:
        yield made


@pytest.mark.parametrize("name", TABLE)
def test_the_call_ends_with_the_true_status(ground: Ground, name: str) -> None:
    """Whatever happens to the connection, its call ends with a mapped status, long before its deadline, and
    the next one (on whatever connection) too.
    """
    _, expected = TABLE[name]
    for _ in range(2):
        outcome = ground.call(name)
        assert (outcome.code, outcome.messages != []) == (expected, expected == "OK"), outcome
        assert outcome.took_s < 0.8 * CALL_LIMIT_S
    assert ground.counted(name) == {expected: 2}


@pytest.mark.parametrize("name", ["no :status", "an upper-case name", "a window update of 0 for the stream"])
def test_a_bad_stream_does_not_cost_the_connection(ground: Ground, name: str) -> None:
    """What breaks the rules for a stream is that call's failure; the upstream keeps its one connection."""
    ground.call(name)
    assert len(ground.rudes[name].conns) == 1


def test_goaway_refuses_the_call(ground: Ground) -> None:
    """A connection that has stood for a second and leaves without having taken the call is replaced at once,
    and the call is repeated there (P15). One that leaves sooner is a server that does not want to be dialled.
    """
    name = "goaway refuses, another connection serves"
    conn = ground.rudes[name].conns[0]
    wait_until(lambda: time.monotonic() - conn.began > 1.2, "the connection is a second old")
    outcome = ground.call(name)
    assert outcome.code == "OK", outcome
    assert outcome.trailing["seawall-attempts"] == "2"
    assert len(ground.rudes[name].conns) == 2


def test_goaway_between_two_calls(ground: Ground) -> None:
    """The call below the last stream id is served there, the one above it elsewhere; neither fails (P15)."""
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(ground.call, "two calls at a goaway") for _ in range(2)]
        assert [made.result().code for made in calls] == ["OK", "OK"]
    assert len(ground.rudes["two calls at a goaway"].conns) == 2


def test_a_stalled_answer_ends_at_the_deadline(ground: Ground) -> None:
    """The client gets DEADLINE_EXCEEDED in time, and the upstream is told to stop."""
    outcome = ground.call("half an answer", limit_s=0.4)
    assert outcome.code == "DEADLINE_EXCEEDED"
    assert 0.3 < outcome.took_s < CALL_LIMIT_S
    ground.call("half an answer", limit_s=0.1)
    conns = ground.rudes["half an answer"].conns
    assert len(conns) == 1
    assert conns[0].has_seen(RST_STREAM)
