"""Limits that the upstream sets and moves: concurrent streams, windows; and odd but allowed frames."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.misbehaving.ground import CALL_LIMIT_S, Ground, Upstream, standing
from tests.integration.misbehaving.wire import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    OK_HEADERS,
    PADDED,
    PRIORITY,
    RST_STREAM,
    Conn,
    Request,
    answering,
    block,
    frame,
    message,
)

pytestmark = pytest.mark.integration

BIG = b"x" * 200_000
UNLIMITED = 2**20


def one_at_a_time(conn: Conn, request: Request) -> None:
    """Take a while, in which no other request may come on this connection."""
    conn.linger(0.02)
    assert not conn.waiting(), "a second stream where one is allowed"
    conn.good(request.stream)


def open_later(conn: Conn) -> None:
    """Allow no stream at all, then many."""
    conn.preface()
    conn.settings((MAX_CONCURRENT_STREAMS, 0))
    conn.linger(0.3)
    assert not conn.waiting(), "a stream where none is allowed"
    conn.settings((MAX_CONCURRENT_STREAMS, 100))
    while True:
        conn.good(conn.request().stream)


def narrow_in_flight(conn: Conn, request: Request) -> None:
    """Allow fewer from the first request on."""
    if request.stream == 1:
        conn.settings((MAX_CONCURRENT_STREAMS, 1))
    conn.linger(0.005)
    conn.good(request.stream)


def open_window_by_settings(conn: Conn) -> None:
    """Start with a window of 0 for every stream, and open it with SETTINGS."""
    conn.preface()
    conn.settings((INITIAL_WINDOW_SIZE, 0))
    request = conn.request()
    conn.linger(0.1)
    assert not conn.has_seen(DATA), "data without a window"
    conn.settings((INITIAL_WINDOW_SIZE, 65535))
    while True:
        conn.wait_for_end(request)
        conn.good(request.stream)
        request = conn.request()


def open_window_bit_by_bit(conn: Conn, request: Request) -> None:
    """Give credit for three octets at a time."""
    while not conn.has_seen(DATA, request.stream, END_STREAM):
        conn.window(request.stream, 3)
        got = conn.wait_for(DATA, request.stream)
        assert len(got.payload) <= 3
    conn.good(request.stream)


def shrink_in_flight(conn: Conn, request: Request) -> None:
    """Make the window negative in the middle of a request, and then wide."""
    conn.settings((INITIAL_WINDOW_SIZE, 10))
    conn.linger(0.05)
    conn.window(0, UNLIMITED)
    conn.window(request.stream, UNLIMITED)
    conn.wait_for_end(request)
    total = sum(len(got.payload) for got in conn.seen if got.kind == DATA and got.stream == request.stream)
    conn.good(request.stream, str(total).encode())


def never_open(conn: Conn, request: Request) -> None:
    """Wait for the end of a request that may never come."""
    conn.wait_for(RST_STREAM, request.stream)


def padded(conn: Conn, request: Request) -> None:
    """Pad every frame in every way."""
    stream = request.stream
    conn.send(frame(HEADERS, END_HEADERS | PADDED, stream, b"\xff" + block(OK_HEADERS) + bytes(255)))
    whole = message(b"fine")
    conn.send(frame(DATA, PADDED, stream, b"\x00" + whole[:1]))
    conn.send(frame(DATA, PADDED, stream, b"\xff" + whole[1:6] + bytes(255)))
    conn.send(frame(DATA, PADDED, stream, b"\x01" + whole[6:] + bytes(1)))
    trailers = block((("grpc-status", "0"),))
    conn.send(frame(HEADERS, END_HEADERS | END_STREAM | PADDED, stream, b"\x05" + trailers + bytes(5)))


def padding_only(conn: Conn, request: Request) -> None:
    """Send far more padding than any window holds: it counts, and credit for it must come back."""
    conn.headers(request.stream)
    sent = 0
    for _ in range(5000):
        while sent + 257 > min(conn.credit(0), conn.credit(request.stream)):
            conn.read()
        conn.send(frame(DATA, PADDED, request.stream, b"\xff" + b"x" + bytes(255)))
        sent += 257
    conn.headers(request.stream, (("grpc-status", "3"), ("grpc-message", "enough")), end=True)


def octet_by_octet(conn: Conn, request: Request) -> None:
    """Send DATA frames of one octet."""
    conn.headers(request.stream)
    for octet in message(b"fine"):
        conn.data(request.stream, bytes([octet]))
    conn.headers(request.stream, (("grpc-status", "0"),), end=True)


def in_pieces(conn: Conn, request: Request) -> None:
    """Spread header blocks over CONTINUATION frames, with PRIORITY between the blocks."""
    stream = request.stream
    for fields, flags in ((OK_HEADERS, 0), ((("grpc-status", "0"),), END_STREAM)):
        encoded = block(fields)
        conn.send(frame(HEADERS, flags, stream, encoded[:1]))
        conn.send(frame(CONTINUATION, 0, stream, encoded[1:3]))
        conn.send(frame(CONTINUATION, END_HEADERS, stream, encoded[3:]))
        if not flags:
            conn.send(frame(PRIORITY, 0, stream, bytes(4) + b"\x10"))
            conn.data(stream, message(b"fine"))


def interim(conn: Conn, request: Request) -> None:
    """Send interim answers before the answer."""
    for code in ("100", "103", "103"):
        conn.headers(request.stream, ((":status", code),))
    conn.good(request.stream)


def flood_of_interim(conn: Conn, request: Request) -> None:
    """Send interim answers without end."""
    for _ in range(500):
        conn.headers(request.stream, ((":status", "103"),))


UPSTREAMS = {
    "one at a time": Upstream(answering(one_at_a_time, (MAX_CONCURRENT_STREAMS, 1))),
    "none, then many": Upstream(open_later),
    "many, then one": Upstream(answering(narrow_in_flight, (MAX_CONCURRENT_STREAMS, 10))),
    "no window, then one": Upstream(open_window_by_settings),
    "a window of crumbs": Upstream(answering(open_window_bit_by_bit, (INITIAL_WINDOW_SIZE, 0))),
    "a window that shrinks": Upstream(answering(shrink_in_flight)),
    "a window that stays shut": Upstream(answering(never_open, (INITIAL_WINDOW_SIZE, 0))),
    "padded": Upstream(answering(padded)),
    "padding without end": Upstream(answering(padding_only)),
    "octets": Upstream(answering(octet_by_octet)),
    "pieces": Upstream(answering(in_pieces)),
    "interim": Upstream(answering(interim)),
    "interim without end": Upstream(answering(flood_of_interim)),
}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Give a proxy before all of these."""
    with standing(tmp_path_factory.mktemp("windows"), UPSTREAMS) as made:
        yield made


@pytest.mark.parametrize("name", ["one at a time", "none, then many", "many, then one"])
def test_more_calls_than_streams(ground: Ground, name: str) -> None:
    """Calls beyond MAX_CONCURRENT_STREAMS wait or go to another connection; none fails, and no connection
    ever has more than its peer allows (max_streams).
    """
    with ThreadPoolExecutor(24) as pool:
        codes = [made.result().code for made in [pool.submit(ground.call, name) for _ in range(24)]]
    assert codes == ["OK"] * 24


@pytest.mark.parametrize(
    "name", ["padded", "octets", "pieces", "interim", "no window, then one", "a window of crumbs"]
)
def test_odd_but_allowed(ground: Ground, name: str) -> None:
    """What HTTP/2 allows, the client does not notice (data_frame_padding, P17)."""
    for _ in range(2):
        outcome = ground.call(name)
        assert (outcome.code, outcome.messages) == ("OK", [b"fine"]), outcome


def test_a_window_that_shrinks_loses_nothing(ground: Ground) -> None:
    """A window that goes below zero stops the request, and every byte of it arrives once there is room."""
    outcome = ground.call("a window that shrinks", BIG)
    assert outcome.messages == [str(len(BIG) + 5).encode()], outcome


def test_a_window_that_stays_shut_ends_at_the_deadline(ground: Ground) -> None:
    """A request that cannot be sent is the client's deadline, and its stream is given up upstream."""
    outcome = ground.call("a window that stays shut", limit_s=0.3)
    assert outcome.code == "DEADLINE_EXCEEDED"
    assert outcome.took_s < CALL_LIMIT_S


def test_padding_costs_credit_and_gets_it_back(ground: Ground) -> None:
    """More padding than both windows hold passes through them; the answer behind it arrives."""
    outcome = ground.call("padding without end", [b"hello"])
    assert (outcome.code, outcome.details) == ("INVALID_ARGUMENT", "enough"), outcome


def test_interim_answers_have_a_limit(ground: Ground) -> None:
    """A stream of nothing but 1xx is cut off; the connection is not."""
    assert ground.call("interim without end").code == "RESOURCE_EXHAUSTED"
    assert len(ground.rudes["interim without end"].conns) == 1
