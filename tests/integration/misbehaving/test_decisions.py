"""Retry and breaker decide on the true status, however the upstream ended its answer."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from tests.integration.misbehaving.ground import Ground, Upstream, standing
from tests.integration.misbehaving.wire import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    OK_HEADERS,
    OK_TRAILERS,
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

pytestmark = pytest.mark.integration


def failing(times: int, bad: Answer) -> Script:
    """Answer so many calls badly, counted over all connections, then well."""
    left = [times]

    def answer(conn: Conn, request: Request) -> None:
        if left[0] > 0:
            left[0] -= 1
            bad(conn, request)
        else:
            conn.good(request.stream)

    return answering(answer)


def resetting(code: int, *, partly: bool = False) -> Answer:
    """Reset the stream, perhaps behind a part of an answer."""

    def answer(conn: Conn, request: Request) -> None:
        if partly:
            conn.headers(request.stream)
            conn.data(request.stream, message(b"part"))
        conn.reset(request.stream, code)

    return answer


def http(status: int) -> Answer:
    """Answer with a page."""

    def answer(conn: Conn, request: Request) -> None:
        conn.headers(request.stream, ((":status", str(status)), ("content-type", "text/html")))
        conn.data(request.stream, b"sorry", end=True)

    return answer


def status(code: int, *, trailers_only: bool = True) -> Answer:
    """Answer with a status, alone or behind a message."""

    def answer(conn: Conn, request: Request) -> None:
        fields = (("grpc-status", str(code)),)
        if trailers_only:
            conn.headers(request.stream, (*OK_HEADERS, *fields), end=True)
        else:
            # At once: what comes a millisecond later than a message finds it passed on.
            conn.send(
                frame(HEADERS, END_HEADERS, request.stream, block(OK_HEADERS))
                + frame(DATA, 0, request.stream, message(b"half"))
                + frame(HEADERS, END_HEADERS | END_STREAM, request.stream, block(fields))
            )

    return answer


def misplaced(conn: Conn, request: Request) -> None:
    """Say UNAVAILABLE in headers, where it does not count, and OK in trailers, where it does."""
    conn.headers(request.stream, (*OK_HEADERS, ("grpc-status", "14")))
    conn.data(request.stream, message(b"fine"))
    conn.headers(request.stream, OK_TRAILERS, end=True)


def closing(conn: Conn, request: Request) -> None:
    """Close in the middle of a header block."""
    conn.send(b"\0\0\x05\x01\0" + struct.pack(">I", request.stream) + b"\x88")
    raise Gone


RETRIED = {
    "reset REFUSED": resetting(7),
    "http 503": http(503),
    "http 429": http(429),
    "trailers-only 14": status(14),
    "14 behind a message": status(14, trailers_only=False),
}
NOT_RETRIED = {
    "reset INTERNAL_ERROR": (resetting(2), "INTERNAL"),
    "reset ENHANCE_YOUR_CALM": (resetting(0xB), "RESOURCE_EXHAUSTED"),
    "http 500": (http(500), "UNKNOWN"),
    "http 401": (http(401), "UNAUTHENTICATED"),
    "trailers-only 3": (status(3), "INVALID_ARGUMENT"),
    "14 in headers": (misplaced, "OK"),
}
OPENS = {
    "http 502": http(502),
    "reset PROTOCOL_ERROR": resetting(1),
    "reset behind a message": resetting(2, partly=True),
    "13 behind a message": status(13, trailers_only=False),
}
STAYS_CLOSED = {
    "trailers-only 5": (status(5), "NOT_FOUND"),
    "http 404": (http(404), "UNIMPLEMENTED"),
    "reset REFUSED always": (resetting(7), "UNAVAILABLE"),
    "reset CANCEL": (resetting(8), "CANCELLED"),
    "14 in headers, OK in trailers": (misplaced, "OK"),
}
"""A refused call teaches nothing: the server says that it did not see it."""

UPSTREAMS = {
    **{f"retry {name}": Upstream(failing(1, bad), "retrying") for name, bad in RETRIED.items()},
    **{f"retry {name}": Upstream(failing(1, bad), "retrying") for name, (bad, _) in NOT_RETRIED.items()},
    **{f"break {name}": Upstream(answering(bad), "breaking") for name, bad in OPENS.items()},
    **{f"break {name}": Upstream(answering(bad), "breaking") for name, (bad, _) in STAYS_CLOSED.items()},
    "retry closing": Upstream(failing(1, closing), "retrying", {"connect_timeout": "2s"}),
}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Give a proxy before all of these."""
    with standing(tmp_path_factory.mktemp("decisions"), UPSTREAMS) as made:
        yield made


@pytest.mark.parametrize("name", RETRIED)
def test_what_means_unavailable_is_retried(ground: Ground, name: str) -> None:
    """Each of these is UNAVAILABLE and is tried again; the client sees the second answer only."""
    ground.wait_for(f"retry {name}")
    outcome = ground.call(f"retry {name}")
    assert (outcome.code, outcome.messages) == ("OK", [b"fine"]), outcome
    assert outcome.trailing["seawall-attempts"] == "2"


@pytest.mark.parametrize("name", NOT_RETRIED)
def test_what_means_something_else_is_not(ground: Ground, name: str) -> None:
    """Each of these has another status, which the policy does not retry."""
    ground.wait_for(f"retry {name}")
    outcome = ground.call(f"retry {name}")
    assert outcome.code == NOT_RETRIED[name][1], outcome
    assert ground.proxy.route(ground.route(f"retry {name}"))["retries"] == 0


def test_a_connection_that_breaks_is_retried_on_another(ground: Ground) -> None:
    """The end of a connection inside a header block is UNAVAILABLE; the retry goes to the next connection
    when there is one in time.
    """
    ground.wait_for("retry closing")
    outcome = ground.call("retry closing")
    assert outcome.code in ("OK", "UNAVAILABLE"), outcome
    assert ground.proxy.route(ground.route("retry closing"))["retries"] >= 1


@pytest.mark.parametrize("name", OPENS)
def test_failures_of_any_form_open_the_breaker(ground: Ground, name: str) -> None:
    """Three failures in a row open it, also those that come behind a part of an answer."""
    name = f"break {name}"
    ground.wait_for(name)
    for _ in range(3):
        assert ground.call(name, [b"hello"]).code != "OK"
    ground.proxy.wait_for_breaker(ground.route(name), "open")
    assert ground.call(name).trailing["seawall-reason"] == "BREAKER_OPEN"


@pytest.mark.parametrize("name", STAYS_CLOSED)
def test_what_is_no_failure_leaves_it_closed(ground: Ground, name: str) -> None:
    """Five answers of a healthy service, or five refusals that it never saw, open nothing."""
    _, code = STAYS_CLOSED[name]
    name = f"break {name}"
    ground.wait_for(name)
    for _ in range(5):
        assert ground.call(name).code == code
    assert ground.proxy.route(ground.route(name))["breaker"]["state"] == "closed"
