"""What becomes of an answer that is no gRPC answer."""

from __future__ import annotations

import pytest

from seawall_policy import status
from seawall_proxy.call.local_reply import REASONS
from tests.scenario.scenes import GET, UPLOAD, begin, plain, playing

HTTP = [
    (400, status.INTERNAL),
    (401, status.UNAUTHENTICATED),
    (403, status.PERMISSION_DENIED),
    (404, status.UNIMPLEMENTED),
    (429, status.UNAVAILABLE),
    (431, status.INTERNAL),
    (500, status.UNKNOWN),
    (502, status.UNAVAILABLE),
    (503, status.UNAVAILABLE),
    (504, status.UNAVAILABLE),
    (200, status.UNKNOWN),
    (204, status.UNKNOWN),
    (302, status.UNKNOWN),
    (418, status.UNKNOWN),
]


@pytest.mark.parametrize(("http", "code"), HTTP)
def test_http_status_without_grpc_status_at_once(http: int, code: int) -> None:
    """A header block that ends the stream without grpc-status takes its status from HTTP (P12)."""
    with plain() as play:
        call = begin(play)
        play.server().last.raw_headers(
            (b":status", b"%d" % http), (b"content-type", b"application/grpc"), end=True
        )
        play.expect(
            f"client#1 <- TRAILERS-ONLY {status.name(code)} LOCAL UPSTREAM_PROTOCOL_ERROR failed attempts=1"
        )
        assert call.seen.status == code


@pytest.mark.parametrize(("http", "code"), HTTP)
def test_http_answer_with_a_body(http: int, code: int) -> None:
    """An HTML page of some proxy on the way becomes a status, and its body is not waited for (P12)."""
    with plain() as play:
        begin(play)
        play.server().last.raw_headers((b":status", b"%d" % http), (b"content-type", b"text/html"))
        play.expect(
            "a#1 <- RST CANCEL",
            f"client#1 <- TRAILERS-ONLY {status.name(code)} LOCAL UPSTREAM_PROTOCOL_ERROR failed attempts=1",
        )


@pytest.mark.parametrize("http", [200, 404, 503])
def test_grpc_status_wins_over_http(http: int) -> None:
    """Where there is a grpc-status it is the status, whatever HTTP says, and goes on as it came (P12)."""
    with plain() as play:
        call = begin(play)
        play.server().last.raw_headers(
            (b":status", b"%d" % http),
            (b"content-type", b"application/grpc"),
            (b"grpc-status", b"5"),
            end=True,
        )
        play.forget()
        assert call.seen.status == 5
        assert call.seen.headers is not None
        assert (b":status", b"%d" % http) in call.seen.headers


@pytest.mark.parametrize(
    ("rst", "code"),
    [
        (0x0, status.INTERNAL),
        (0x1, status.INTERNAL),
        (0x2, status.INTERNAL),
        (0x3, status.INTERNAL),
        (0x4, status.INTERNAL),
        (0x5, status.INTERNAL),
        (0x6, status.INTERNAL),
        (0x8, status.CANCELLED),
        (0x9, status.INTERNAL),
        (0xA, status.INTERNAL),
        (0xB, status.RESOURCE_EXHAUSTED),
        (0xC, status.PERMISSION_DENIED),
        (0xD, status.INTERNAL),
        (0x99, status.INTERNAL),
    ],
)
def test_reset_codes(rst: int, code: int) -> None:
    """A reset of the stream has its status by the code (P13)."""
    with plain() as play:
        begin(play)
        play.server().last.reset(rst)
        play.expect(f"client#1 <- TRAILERS-ONLY {status.name(code)} LOCAL UPSTREAM_RESET failed attempts=1")


def test_reset_behind_a_part_of_an_answer() -> None:
    """A reset in the middle of an answer is told in trailers, never as OK (P13)."""
    with plain() as play:
        begin(play)
        play.server().last.headers()
        play.server().last.data(b"half")
        play.forget()
        play.server().last.reset(0x0)
        play.expect("client#1 <- TRAILERS INTERNAL LOCAL UPSTREAM_RESET failed attempts=1")


def test_end_without_trailers_is_never_ok() -> None:
    """A stream that ends with DATA has no status: UNKNOWN."""
    with plain() as play:
        begin(play)
        play.server().last.headers()
        play.server().last.data(b"whole?", end=True)
        play.expect(
            "client#1 <- HEADERS",
            'client#1 <- DATA "whole?"',
            "client#1 <- TRAILERS UNKNOWN LOCAL UPSTREAM_PROTOCOL_ERROR failed attempts=1",
        )


def test_trailers_without_status() -> None:
    """Trailers that carry no grpc-status are no status either."""
    with plain() as play:
        begin(play)
        play.server().last.headers()
        play.server().last.raw_trailers((b"x-checksum", b"1"))
        play.expect(
            "client#1 <- HEADERS",
            "client#1 <- TRAILERS UNKNOWN LOCAL UPSTREAM_PROTOCOL_ERROR failed attempts=1",
        )


@pytest.mark.parametrize("value", [b"", b"99", b"-1", b"OK", b"0 0", b"00000000000000"])
def test_unreadable_status_is_no_success(value: bytes) -> None:
    """A grpc-status that nobody understands passes on as it is and counts as UNKNOWN."""
    with plain() as play:
        call = begin(play)
        play.server().last.raw_headers(
            (b":status", b"200"), (b"content-type", b"application/grpc"), (b"grpc-status", value), end=True
        )
        play.forget()
        assert call.seen.field(b"grpc-status") == value
        assert play.world.counters["all"].by_code[status.UNKNOWN] == 1


def test_reset_no_error_behind_an_early_answer() -> None:
    """Trailers before the end of the request, then RST(NO_ERROR): the answer stands and nothing else happens
    (P14).
    """
    with plain() as play:
        call = play.call(UPLOAD, b"one", end=False)
        play.forget()
        server = play.server().last
        server.seen.put_headers()
        server.seen.put_trailers(((b"grpc-status", b"3"),))
        server.seen.put_reset(0x0)
        play.settle()
        play.expect(
            "client#1 <- HEADERS", "client#1 <- TRAILERS INVALID_ARGUMENT", "client#1 <- RST NO_ERROR"
        )
        assert call.seen.status == 3
        assert play.world.endpoint("a").links, "the connection lives on"


def test_malformed_response_costs_its_stream_only() -> None:
    """A response that breaks HTTP/2 is that call's failure; its neighbour on the connection is served
    (I10).
    """
    with plain() as play:
        begin(play)
        begin(play)
        play.server().request(1).raw_headers((b":status", b"20x"), (b"content-type", b"application/grpc"))
        play.expect(
            "a#1 <- RST PROTOCOL_ERROR",
            "client#1 <- TRAILERS-ONLY INTERNAL LOCAL UPSTREAM_RESET failed attempts=1",
        )
        play.server().request(2).reply(b"pong")
        play.expect("client#2 <- HEADERS", 'client#2 <- DATA "pong"', "client#2 <- TRAILERS OK")


def test_only_allowed_codes_are_invented() -> None:
    """For its own failures the proxy uses the codes of A54 only; each has a reason that it can explain (P24,
    P25).
    """
    assert set(REASONS) >= {
        "NO_ROUTE",
        "BREAKER_OPEN",
        "NO_HEALTHY_BACKEND",
        "DEADLINE_EXCEEDED",
        "CONCURRENCY_LIMITED",
    }
    with playing(timeout_s=0.05) as play:
        calls = [begin(play)]
        play.advance(0.1)
        play.server().set_mode("refuse")
        play.server().cut()
        calls += [begin(play, path=GET), begin(play, b"", path="/no/slash/here")]
        play.forget()
        codes = [call.seen.status for call in calls]
        assert codes == [status.DEADLINE_EXCEEDED, status.UNAVAILABLE, status.UNIMPLEMENTED]
        assert set(codes) <= status.LOCAL_ALLOWED
