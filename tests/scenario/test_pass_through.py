"""Calls of every shape pass through as they are."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from seawall_proxy.testing import Playbook
from seawall_proxy.testing.playbook import request_fields
from tests.scenario.scenes import CHAT, GET, LIST, METHODS, UPLOAD, plain, playing, retrying


def known_and_retrying() -> Playbook:
    """The same methods with descriptors, on a route that retries and therefore holds responses back."""
    return playing(retry=retrying(), methods=METHODS)


both = pytest.mark.parametrize("begun", [plain, known_and_retrying], ids=["plain", "held"])


@both
def test_unary(begun: Callable[[], Playbook]) -> None:
    """A unary call: one message each way, and the trailers as they came (P10)."""
    with begun() as play:
        play.call(GET, b"ping")
        play.expect("a#1 <- HEADERS /shop.v1.Orders/Get", 'a#1 <- DATA "ping" END')
        play.server().last.reply(b"pong", (b"x-cost", b"3"))
        play.expect("client#1 <- HEADERS", 'client#1 <- DATA "pong"', "client#1 <- TRAILERS OK x-cost=3")


@both
def test_server_streaming(begun: Callable[[], Playbook]) -> None:
    """A server stream: each message goes on as it comes, behind the headers."""
    with begun() as play:
        play.call(LIST, b"all")
        play.expect("a#1 <- HEADERS /shop.v1.Orders/List", 'a#1 <- DATA "all" END')
        server = play.server().last
        server.headers((b"x-page", b"1"))
        server.data(b"one")
        play.expect("client#1 <- HEADERS x-page=1", 'client#1 <- DATA "one"')
        server.data(b"two")
        play.expect('client#1 <- DATA "two"')
        server.trailers(0)
        play.expect("client#1 <- TRAILERS OK")


@both
def test_client_streaming(begun: Callable[[], Playbook]) -> None:
    """A client stream: each message goes on as it comes; an empty DATA frame ends it (P18)."""
    with begun() as play:
        call = play.call(UPLOAD, end=False)
        play.expect("a#1 <- HEADERS /shop.v1.Orders/Upload")
        call.send(b"one")
        play.expect('a#1 <- DATA "one"')
        call.send(b"two")
        play.expect('a#1 <- DATA "two"')
        call.end()
        play.expect('a#1 <- DATA "" END')
        play.server().last.reply(b"stored")
        play.expect("client#1 <- HEADERS", 'client#1 <- DATA "stored"', "client#1 <- TRAILERS OK")


@both
def test_bidirectional_streaming(begun: Callable[[], Playbook]) -> None:
    """Both directions flow independently; the server may end while it has not yet heard everything."""
    with begun() as play:
        call = play.call(CHAT, b"hello", end=False)
        play.expect("a#1 <- HEADERS /shop.v1.Orders/Chat", 'a#1 <- DATA "hello"')
        server = play.server().last
        server.headers()
        server.data(b"hi")
        play.expect("client#1 <- HEADERS", 'client#1 <- DATA "hi"')
        call.send(b"how are you")
        play.expect('a#1 <- DATA "how are you"')
        call.end()
        play.expect('a#1 <- DATA "" END')
        server.data(b"bye")
        server.trailers(0)
        play.expect('client#1 <- DATA "bye"', "client#1 <- TRAILERS OK")


@both
def test_trailers_only_stays_trailers_only(begun: Callable[[], Playbook]) -> None:
    """A response that is nothing but a status keeps its shape, order and fields (P10)."""
    with begun() as play:
        play.call(GET, b"ping")
        play.forget()
        play.server().last.trailers_only(
            5, (b"grpc-message", b"no such order"), (b"x-a", b"1"), (b"x-a", b"2")
        )
        play.expect('client#1 <- TRAILERS-ONLY NOT_FOUND "no such order" x-a=1 x-a=2')


@both
def test_headers_and_trailers_stay_apart(begun: Callable[[], Playbook]) -> None:
    """A response with headers, no message and trailers does not become trailers-only (P10)."""
    with begun() as play:
        play.call(GET, b"ping")
        play.forget()
        server = play.server().last
        server.headers((b"x-h", b"1"))
        server.trailers(5, (b"x-t", b"2"))
        play.expect("client#1 <- HEADERS x-h=1", "client#1 <- TRAILERS NOT_FOUND x-t=2")


@both
def test_metadata_passes_in_order(begun: Callable[[], Playbook]) -> None:
    """Duplicates keep their order, binary values their form, in all three header lists (P7, P8, P9)."""
    sent = (
        (b"x-one", b"1"),
        (b"x-data-bin", b"AAEC"),
        (b"x-one", b"2"),
        (b"x-data-bin", b"AAE="),
        (b"x-data-bin", b"AA,AAE"),
        (b"authorization", b"secret"),
        (b"x-text", b'a, b;c="d" \t e'),
        (b"x-latin", b"caf\xe9"),
        (b"grpc-unknown-to-us", b"kept"),
        (b"user-agent", b"tests/1.0"),
    )
    with begun() as play:
        call = play.call(GET, b"ping", *sent)
        server = play.server().last
        got = server.seen.fields
        for name in {field[0] for field in sent}:
            assert [f for f in got if f[0] == name] == [f for f in sent if f[0] == name]
        assert len(got) == len(sent) + 6
        play.forget()
        server.headers(*sent)
        server.data(b"pong")
        server.trailers(0, *sent)
        play.forget()
        for seen in (call.seen.headers, call.seen.trailers):
            assert seen is not None
            for name in {field[0] for field in sent}:
                assert [f for f in seen if f[0] == name] == [f for f in sent if f[0] == name]


@pytest.mark.parametrize(
    "content_type",
    [b"application/grpc", b"application/grpc+proto", b"application/grpc+json", b"application/grpc;x=y"],
)
def test_content_type_is_forwarded_unchanged(content_type: bytes) -> None:
    """Any gRPC content type goes on as it is (P3)."""
    with plain() as play:
        fields = [
            (name, content_type if name == b"content-type" else value) for name, value in request_fields(GET)
        ]
        play.call(GET, raw=fields)
        play.forget()
        server = play.server().last
        assert server.seen.field(b"content-type") == content_type
        server.headers(content_type=content_type)
        server.trailers(0)
        play.forget()


@pytest.mark.parametrize("message", [b"100%", b"%zz", b"%E4%BD%A0", b"caf\xc3\xa9 \xff", b"x" * 300])
def test_grpc_message_is_verbatim(message: bytes) -> None:
    """grpc-message is not touched, however it is encoded (P11)."""
    with plain() as play:
        call = play.call(GET, b"ping")
        play.server().last.trailers_only(3, (b"grpc-message", message))
        play.forget()
        assert call.seen.field(b"grpc-message") == message


def test_half_close_of_the_server_first() -> None:
    """A server that ends early ends the call, and the rest of the request is not waited for (P14)."""
    with plain() as play:
        call = play.call(UPLOAD, b"first", end=False)
        play.forget()
        server = play.server().last
        server.trailers_only(0)
        play.expect("a#1 <- RST CANCEL", "client#1 <- TRAILERS-ONLY OK", "client#1 <- RST NO_ERROR")
        assert call.seen.status == 0


def test_no_fields_of_ours_on_a_plain_success() -> None:
    """A call that was served plainly carries nothing of ours in either direction (P9)."""
    with playing(retry=retrying(), timeout_s=5.0) as play:
        call = play.call(GET, b"ping")
        server = play.server().last
        assert [f[0] for f in server.seen.fields] == [
            b":method", b":scheme", b":path", b":authority", b"te", b"content-type", b"grpc-timeout",
        ]  # fmt: skip
        server.reply(b"pong")
        play.forget()
        assert call.seen.trailers == ((b"grpc-status", b"0"),)
