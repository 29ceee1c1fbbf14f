"""Answers that end wrongly: HTTP statuses, resets, missing and misplaced statuses. The client sees the status
that gRPC's rules give, and so does the proxy's own count.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.misbehaving.ground import Ground, Upstream, standing
from tests.integration.misbehaving.wire import (
    OK_HEADERS,
    OK_TRAILERS,
    Answer,
    Conn,
    Fields,
    Request,
    answering,
    message,
)

pytestmark = pytest.mark.integration

HTTP = {
    400: "INTERNAL",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "UNIMPLEMENTED",
    408: "UNKNOWN",
    409: "UNKNOWN",
    412: "UNKNOWN",
    413: "UNKNOWN",
    429: "UNAVAILABLE",
    431: "INTERNAL",
    500: "UNKNOWN",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "UNAVAILABLE",
}
"""connect-conformance's client_http_to_rpc_code, with gRPC's mapping (http-grpc-status-mapping)."""

RESETS = {
    0x0: "INTERNAL",
    0x1: "INTERNAL",
    0x2: "INTERNAL",
    0x3: "INTERNAL",
    0x4: "INTERNAL",
    0x5: "INTERNAL",
    0x6: "INTERNAL",
    0x7: "UNAVAILABLE",
    0x8: "CANCELLED",
    0x9: "INTERNAL",
    0xA: "INTERNAL",
    0xB: "RESOURCE_EXHAUSTED",
    0xC: "PERMISSION_DENIED",
    0xD: "INTERNAL",
    0xDEADBEEF: "INTERNAL",
}
"""PROTOCOL-HTTP2, section "Errors"."""


def http_page(status: int) -> Answer:
    """Answer as an HTTP server does that knows nothing of gRPC."""

    def answer(conn: Conn, request: Request) -> None:
        conn.headers(request.stream, ((":status", str(status)), ("content-type", "text/html")))
        conn.data(request.stream, b"<html>sorry</html>", end=True)

    return answer


def http_only(status: int) -> Answer:
    """Answer with headers and nothing else."""

    def answer(conn: Conn, request: Request) -> None:
        fields = ((":status", str(status)), ("content-type", "application/grpc"))
        conn.headers(request.stream, fields, end=True)

    return answer


def reset_at(point: str, code: int) -> Answer:
    """Reset the stream before, in or behind the answer."""

    def answer(conn: Conn, request: Request) -> None:
        whole = message(b"0123456789")
        if point != "at once":
            conn.headers(request.stream)
        if point == "during data":
            conn.data(request.stream, whole[:8])
        if point == "after data":
            conn.data(request.stream, whole)
        conn.reset(request.stream, code)

    return answer


def shaped(headers: Fields, *bodies: bytes, trailers: Fields | None = None) -> Answer:
    """Answer with these headers, these pieces of data, and these trailers or none."""

    def answer(conn: Conn, request: Request) -> None:
        stream = request.stream
        conn.headers(stream, headers, end=not bodies and trailers is None)
        for number, body in enumerate(bodies, 1):
            conn.data(stream, body, end=trailers is None and number == len(bodies))
        if trailers is not None:
            conn.headers(stream, trailers, end=True)

    return answer


def status(code: int, text: str = "") -> Fields:
    """Return the fields of a status."""
    return (("grpc-status", str(code)), *((("grpc-message", text),) if text else ()))


ONE = message(b"fine")
SHAPES: dict[str, tuple[Answer, str]] = {
    "data ends the stream": (shaped(OK_HEADERS, ONE), "UNKNOWN"),
    "headers end the stream without a status": (shaped(OK_HEADERS), "UNKNOWN"),
    "trailers without a status": (shaped(OK_HEADERS, ONE, trailers=(("x-sum", "1"),)), "UNKNOWN"),
    "status in headers, good trailers": (
        shaped((*OK_HEADERS, *status(9)), ONE, trailers=OK_TRAILERS),
        "OK",
    ),
    "status in headers, another in trailers": (
        shaped((*OK_HEADERS, *status(9)), trailers=status(8)),
        "RESOURCE_EXHAUSTED",
    ),
    "status in headers, body, no trailers": (shaped((*OK_HEADERS, *status(9)), ONE), "UNKNOWN"),
    "trailers only": (shaped((*OK_HEADERS, *status(9, "no"))), "FAILED_PRECONDITION"),
    "trailers only without content-type": (shaped(((":status", "200"), *status(5))), "NOT_FOUND"),
    "a status nobody knows": (shaped((*OK_HEADERS, *status(77))), "UNKNOWN"),
    "grpc-web": (
        shaped(
            ((":status", "200"), ("content-type", "application/grpc-web+proto")), ONE, trailers=OK_TRAILERS
        ),
        "UNKNOWN",
    ),
    "json": (
        shaped(((":status", "200"), ("content-type", "application/json")), b"{}"),
        "UNKNOWN",
    ),
    "no content-type": (shaped(((":status", "200"),), ONE, trailers=OK_TRAILERS), "UNKNOWN"),
    "another codec": (
        shaped(((":status", "200"), ("content-type", "application/grpc+thrift")), ONE, trailers=OK_TRAILERS),
        "OK",
    ),
    "a content-type with parameters": (
        shaped(
            ((":status", "200"), ("content-type", "application/grpc;charset=x")), ONE, trailers=OK_TRAILERS
        ),
        "OK",
    ),
}

TABLE: dict[str, tuple[Answer, str]] = {
    **{f"http {code} with a page": (http_page(code), name) for code, name in HTTP.items()},
    **{f"http {code} alone": (http_only(code), name) for code, name in HTTP.items()},
    **{f"reset at once 0x{code:x}": (reset_at("at once", code), name) for code, name in RESETS.items()},
    **{
        f"reset {point} 0x{code:x}": (reset_at(point, code), RESETS[code])
        for point in ("after headers", "during data", "after data")
        for code in (0x0, 0x2, 0x8, 0xB)
    },
    **SHAPES,
}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Give a proxy before all of these."""
    upstreams = {name: Upstream(answering(answer)) for name, (answer, _) in TABLE.items()}
    with standing(tmp_path_factory.mktemp("statuses"), upstreams) as made:
        yield made


@pytest.mark.parametrize("name", TABLE)
def test_the_client_and_the_count_see_the_true_status(ground: Ground, name: str) -> None:
    """Whatever ends an answer has one status by gRPC's rules (P10 to P13), for a unary call and for a
    stream.
    """
    _, expected = TABLE[name]
    ground.wait_for(name)
    assert ground.call(name).code == expected
    assert ground.call(name, [b"hello"]).code == expected
    assert ground.counted(name) == {expected: 2}


@pytest.mark.parametrize("name", ["reset after data 0x2", "data ends the stream"])
def test_what_came_before_the_failure_is_passed_on(ground: Ground, name: str) -> None:
    """A stream's reader gets the messages that came, then the status."""
    assert [len(each) for each in ground.call(name, [b"hello"]).messages] in ([10], [4])


def test_the_connection_outlives_its_resets(ground: Ground) -> None:
    """A reset is of one stream: the upstream still has the one connection that it began with."""
    for name in TABLE:
        if name.startswith("reset"):
            assert len(ground.rudes[name].conns) == 1, name
