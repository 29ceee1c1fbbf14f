"""Messages that are not what they should be pass through as they are: the client says the same as without the
proxy.

The proxy does not look into answers, so a call whose trailers say OK counts as OK for it, whatever the client
makes of the bytes before (P17, P27).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.misbehaving.ground import CALL_LIMIT_S, Ground, Upstream, standing
from tests.integration.misbehaving.wire import (
    OK_HEADERS,
    OK_TRAILERS,
    RST_STREAM,
    Answer,
    Conn,
    Fields,
    Request,
    answering,
    message,
)

pytestmark = pytest.mark.integration

GZIP = (*OK_HEADERS, ("grpc-encoding", "gzip"))


def saying(*bodies: bytes, headers: Fields = OK_HEADERS, trailers: Fields = OK_TRAILERS) -> Answer:
    """Answer with these pieces of data."""

    def answer(conn: Conn, request: Request) -> None:
        conn.headers(request.stream, headers)
        for body in bodies:
            conn.data(request.stream, body)
        conn.headers(request.stream, trailers, end=True)

    return answer


def text(value: str, code: int = 3) -> Answer:
    """Fail with a message as it is on the wire."""
    return saying(trailers=(("grpc-status", str(code)), ("grpc-message", value)))


TABLE: dict[str, tuple[Answer, str]] = {
    "two messages for one": (saying(message(b"one"), message(b"two")), "OK"),
    "OK without a message": (saying(), "OK"),
    "a truncated message": (saying(message(b"short", length=100)), "OK"),
    "a truncated prefix": (saying(b"\0\0\0"), "OK"),
    "a message that claims 4 GB": (saying(message(b"x", length=2**32 - 1)), "OK"),
    "compressed without an encoding": (saying(message(b"plain", flag=1)), "OK"),
    "compressed, and it is not": (saying(message(b"plain", flag=1), headers=GZIP), "OK"),
    "an encoding nobody has": (
        saying(message(b"plain", flag=1), headers=(*OK_HEADERS, ("grpc-encoding", "zstd-9"))),
        "OK",
    ),
    "a flag that does not exist": (saying(message(b"plain", flag=2)), "OK"),
    "bytes behind the last message": (saying(message(b"fine"), b"\0\0"), "OK"),
    "an encoding that is not used": (saying(message(b"fine"), headers=GZIP), "OK"),
    "a message with a status": (
        saying(message(b"fine"), trailers=(("grpc-status", "9"),)),
        "FAILED_PRECONDITION",
    ),
    "percent signs": (text("100%"), "INVALID_ARGUMENT"),
    "bad percent-encoding": (text("%zz%4"), "INVALID_ARGUMENT"),
    "good percent-encoding": (text("%C3%BCber%25"), "INVALID_ARGUMENT"),
    "percent-encoding that is no UTF-8": (text("%FF%FE"), "INVALID_ARGUMENT"),
    "raw UTF-8": (text("\u00fcber"), "INVALID_ARGUMENT"),
    "a long message": (text("m" * 4000), "INVALID_ARGUMENT"),
    "binary trailers": (
        saying(
            message(b"fine"),
            trailers=(*OK_TRAILERS, ("x-a-bin", "q6ur"), ("x-b-bin", "q6s="), ("x-c-bin", "")),
        ),
        "OK",
    ),
    "details": (
        saying(
            trailers=(("grpc-status", "8"), ("grpc-message", "no"), ("grpc-status-details-bin", "CAgSAm5v"))
        ),
        "RESOURCE_EXHAUSTED",
    ),
}
"""What the upstream says, and what the proxy counts."""


def early(code: int, *, reset: bool) -> Answer:
    """Answer before the request has ended, and perhaps say that the rest is not wanted."""

    def answer(conn: Conn, request: Request) -> None:
        conn.headers(request.stream)
        if code == 0:
            conn.data(request.stream, message(b"fine"))
        conn.headers(request.stream, (("grpc-status", str(code)),), end=True)
        if reset:
            conn.reset(request.stream, 0)

    return answer


EARLY = {
    f"early {code} {'with' if reset else 'without'} a reset": (early(number, reset=reset), code)
    for number, code in ((0, "OK"), (3, "INVALID_ARGUMENT"))
    for reset in (True, False)
}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Give a proxy before all of these."""
    upstreams = {name: Upstream(answering(answer)) for name, (answer, _) in (TABLE | EARLY).items()}
    with standing(tmp_path_factory.mktemp("messages"), upstreams) as made:
        yield made


@pytest.mark.parametrize("name", TABLE)
def test_the_client_says_the_same_as_without_the_proxy(ground: Ground, name: str) -> None:
    """Status, message, answers and trailers are those of a direct call, for a unary call and for a stream."""
    ground.wait_for(name)
    found_by_client = False
    said = TABLE[name][1]
    for requests in (b"hello", [b"hello"]):
        direct, proxied = ground.call_direct(name, requests, 1.0), ground.call(name, requests, 1.0)
        found_by_client = found_by_client or direct.code != said
        assert (proxied.code, proxied.details) == (direct.code, direct.details)
        assert proxied.trailing == direct.trailing
        if direct.code == "OK":
            # For a fault that it finds itself, grpcio hands out an empty message or does not.
            assert [m for m in proxied.messages if m] == [m for m in direct.messages if m]
    counted = ground.counted(name)
    if found_by_client:
        # The client has found the fault by itself, and may have taken the call back before its trailers came.
        counted[said] += counted.pop("CANCELLED", 0)
    assert counted == {said: 2}


@pytest.mark.parametrize("name", EARLY)
def test_an_answer_before_the_end_of_the_request(ground: Ground, name: str) -> None:
    """Trailers end the call although the client had more to say, with or without RST(NO_ERROR) (P14); the
    rest of the request is not sent.
    """
    ground.wait_for(name)
    outcome = ground.call(name, (b"x" * 1000 for _ in range(200)))
    assert outcome.code == EARLY[name][1], outcome
    assert outcome.took_s < 0.8 * CALL_LIMIT_S
    assert ground.call(name).code == EARLY[name][1]
    assert len(ground.rudes[name].conns) == 1


def test_the_upstream_is_told_that_nothing_more_comes(ground: Ground) -> None:
    """A request that is cut off by an early answer ends upstream with a reset."""
    name = "early INVALID_ARGUMENT without a reset"
    for _ in range(3):
        ground.call(name, (b"x" * 1000 for _ in range(200)))
    ground.call(name)
    conn = ground.rudes[name].conns[0]
    conn_streams = {got.stream for got in conn.seen if got.kind == RST_STREAM}
    assert conn_streams
