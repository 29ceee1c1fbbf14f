"""Rules of gRPC over HTTP/2 that other scenarios do not tell."""

from __future__ import annotations

import pytest

from seawall_policy import status
from seawall_proxy.testing.world import Door
from tests.scenario.scenes import CHAT, GET, REFUSED_STREAM, TWO, UPLOAD, begin, plain, playing, retrying

PING = b"\x00\x00\x00\x00\x04ping"


@pytest.mark.parametrize("message", [b"100%", b"%zz", b"%E4%BD%A0", b"caf\xc3\xa9 \xff", b"x" * 300])
def test_a_message_in_the_trailers_is_verbatim_too(message: bytes) -> None:
    """grpc-message behind a body is not touched either, nor is the call's status changed by it (P11)."""
    with plain() as play:
        call = play.call(GET, b"ping")
        play.server().last.headers()
        play.server().last.trailers(7, (b"grpc-message", message))
        play.forget()
        assert (call.seen.status, call.seen.field(b"grpc-message")) == (7, message)


def test_an_early_status_behind_messages() -> None:
    """A stream's status that comes while the client still sends is its status, whatever RST follows (P14)."""
    with plain() as play:
        call = play.call(CHAT, PING, end=False)
        server = play.server().last
        server.headers()
        server.data(PING)
        server.trailers(9)
        server.reset(0)
        play.forget()
        assert (call.seen.status, bytes(call.seen.data)) == (9, PING)
        call.send(PING)
        play.forget()


def test_every_way_to_end_a_request() -> None:
    """END_STREAM on HEADERS, on the last DATA, on an empty DATA, and trailers, are all an end (P18)."""
    with plain() as play:
        play.call(GET)
        play.call(GET, PING)
        third = play.call(GET, PING, end=False)
        third.end()
        fourth = play.call(UPLOAD, PING, end=False)
        assert fourth.seen.stream is not None
        from seawall_proxy.http2.headers import HeaderBlock

        fourth.seen.stream.send_trailers(HeaderBlock(((b"x-sum", b"1"),)), ())
        play.settle()
        play.forget()
        assert [play.server().request(number).seen.done for number in (1, 2, 3, 4)] == [True] * 4
        for number in (1, 2, 3, 4):
            play.server().request(number).trailers_only(0)
        play.forget()


def test_the_count_of_attempts() -> None:
    """A first attempt carries none, a second one 1, a third one 2 (P21)."""
    with playing(retry=retrying()) as play:
        begin(play)
        for expected in (None, b"1", b"2"):
            assert play.server().last.seen.field(b"grpc-previous-rpc-attempts") == expected
            play.server().last.trailers_only(14)
            play.advance(0.1)
        play.forget()


def test_transparent_repeats_are_not_counted() -> None:
    """A request that a server refused unseen was no attempt of the application's (P21, A6)."""
    with playing(retry=retrying(), clusters=TWO) as play:
        begin(play)
        first = "a" if play.server("a").count else "b"
        other = "b" if first == "a" else "a"
        play.server(first).last.reset(REFUSED_STREAM)
        play.forget()
        assert play.server(other).last.seen.field(b"grpc-previous-rpc-attempts") is None
        play.server(other).last.trailers_only(14)
        play.advance(0.1)
        play.forget()
        last = max((play.server(name).last.seen for name in "ab"), key=lambda seen: seen.at)
        assert last.field(b"grpc-previous-rpc-attempts") == b"1"
        for name in "ab":
            if not play.server(name).last.seen.answered:
                play.server(name).last.trailers_only(0)
        play.forget()


def test_a_servers_connection_fields_reach_nobody() -> None:
    """A response with a connection-specific field is malformed: its call fails, no other one does (P26)."""
    with plain() as play:
        bad = play.call(GET, PING)
        good = play.call(GET, PING)
        play.server().request(1).headers((b"connection", b"close"))
        play.server().request(2).trailers_only(0)
        play.forget()
        assert (bad.seen.status, good.seen.status) == (status.INTERNAL, 0)


@pytest.mark.parametrize("messages", [0, 2])
def test_the_number_of_messages_is_not_corrected(messages: int) -> None:
    """A unary call with no message or two passes in both directions (P27)."""
    with plain() as play:
        call = play.call(GET, PING * messages or None)
        server = play.server().last
        assert bytes(server.seen.data) == PING * messages
        server.headers()
        if messages:
            server.data(PING * messages)
        server.trailers(0)
        play.forget()
        assert (bytes(call.seen.data), call.seen.status) == (PING * messages, 0)


@pytest.mark.parametrize(
    ("sizes", "fits"),
    [([10], True), ([11], False), ([4, 11], False), ([0, 10, 10], True), ([1 << 31], False)],
)
def test_a_message_above_the_limit(sizes: list[int], fits: bool) -> None:
    """With a limit, a message above it fails its call with RESOURCE_EXHAUSTED, one at it passes, and the
    connection goes on (P28).
    """
    with plain() as play:
        play.client()
        door = play.world.downstream[-1].handler
        assert isinstance(door, Door)
        door.limit_messages(10)
        body = b"".join(b"\x00" + size.to_bytes(4, "big") + b"m" * min(size, 100) for size in sizes)
        call = play.call(UPLOAD, body, end=fits)
        if fits:
            play.server().last.trailers_only(0)
        play.forget()
        assert call.seen.status == (0 if fits else status.RESOURCE_EXHAUSTED)
        begin(play)
        play.server().last.trailers_only(0)
        play.forget()
