"""How long a response is held back, and when the proxy binds itself to one."""

from __future__ import annotations

from seawall_proxy.call.context import HOLD_BYTES
from tests.scenario.scenes import CANCEL, CHAT, GET, METHODS, TWO, UPLOAD, begin, plain, playing, retrying


def test_without_retries_nothing_is_held() -> None:
    """A route that could not answer otherwise passes headers and data on at once."""
    with plain() as play:
        begin(play)
        play.server().last.headers()
        play.expect("client#1 <- HEADERS")
        play.server().last.data(b"one")
        play.expect('client#1 <- DATA "one"')
        play.server().last.trailers(14)
        play.expect("client#1 <- TRAILERS UNAVAILABLE")


def test_headers_of_unknown_kind_are_held_50_ms() -> None:
    """Response headers alone are held 50 ms, in case that a failure follows; then the client gets them."""
    with playing(retry=retrying()) as play:
        begin(play)
        play.server().last.headers()
        play.advance(0.049)
        play.expect_nothing()
        play.advance(0.003)
        play.expect("client#1 <- HEADERS")
        play.server().last.trailers(14, (b"x-a", b"1"))
        play.expect("client#1 <- TRAILERS UNAVAILABLE x-a=1")


def test_data_of_unknown_kind_is_held_1_ms() -> None:
    """Once there is a message of a response of unknown kind it is held for one more millisecond."""
    with playing(retry=retrying()) as play:
        begin(play)
        play.server().last.headers()
        play.advance(0.02)
        play.server().last.data(b"one")
        play.expect_nothing()
        play.advance(0.0025)
        play.expect("client#1 <- HEADERS", 'client#1 <- DATA "one"')
        play.server().last.trailers(0)
        play.expect("client#1 <- TRAILERS OK")


def test_a_steady_stream_is_not_put_off() -> None:
    """Messages that come faster than the commit delay do not put it off: the first is at most 2 ms late."""
    with playing(retry=retrying()) as play:
        begin(play)
        play.server().last.headers()
        for n in range(4):
            play.server().last.data(b"message %d" % n)
            play.advance(0.0005)
        play.advance(0.0005)
        assert play.forget()[:2] == ["client#1 <- HEADERS", 'client#1 <- DATA "message 0"']
        play.server().last.trailers(0)
        play.forget()


def test_a_known_unary_response_is_held_to_its_trailers() -> None:
    """A unary response is judged by its trailers however long they take."""
    with playing(retry=retrying(), methods=METHODS) as play:
        begin(play)
        play.server().last.headers()
        play.server().last.data(b"half")
        play.advance(10.0)
        play.expect_nothing()
        play.server().last.trailers(14)
        play.advance(0.03)
        play.forget()
        assert play.server().count == 2
        play.server().last.trailers_only(0)
        play.forget()


def test_a_client_stream_gets_its_headers_while_it_speaks() -> None:
    """A client that may wait for headers before it says more gets them after 50 ms, unary response or not."""
    with playing(retry=retrying(), methods=METHODS) as play:
        call = play.call(UPLOAD, b"one", end=False)
        play.forget()
        play.server().last.headers((b"x-go", b"on"))
        play.expect_nothing()
        play.advance(0.06)
        play.expect("client#1 <- HEADERS x-go=on")
        call.send(b"two", end=True)
        play.server().last.data(b"done")
        play.server().last.trailers(0)
        play.forget()


def test_the_held_bytes_have_a_cap() -> None:
    """A response larger than the cap is committed, unary or not (64 KiB)."""
    with playing(retry=retrying(), methods=METHODS) as play:
        call = begin(play)
        play.server().last.headers()
        for _ in range(8):
            play.server().last.data(b"x" * 8192)
        play.expect_nothing()
        play.server().last.data(b"y")
        assert len(call.seen.data) == HOLD_BYTES + 1
        play.server().last.trailers(14)
        play.forget()
        assert play.server().count == 1


def test_nothing_is_repeated_after_the_first_byte() -> None:
    """After the commit a failure is told in trailers behind what was delivered (P19)."""
    with playing(retry=retrying(codes=0x1FFFE), clusters=TWO) as play:
        begin(play)
        play.server("a").last.headers()
        play.server("a").last.data(b"one")
        play.advance(0.01)
        play.forget()
        play.server("a").cut()
        play.expect(
            "a#1 <- RST CONNECTION_LOST",
            "client#1 <- TRAILERS UNAVAILABLE LOCAL UPSTREAM_RESET failed attempts=1",
        )
        assert play.server("b").count == 0


def test_per_try_timeout_ends_with_the_commit() -> None:
    """The time of one attempt is the time to its first byte: a committed stream lives on."""
    with playing(retry=retrying(), per_try_timeout_s=0.1) as play:
        call = begin(play, path=CHAT)
        play.server().last.headers()
        play.server().last.data(b"one")
        play.advance(1.0)
        play.forget()
        play.server().last.data(b"two")
        play.expect('client#1 <- DATA "two"')
        call.cancel()
        play.expect("a#1 <- RST CANCEL")


def test_a_held_answer_of_a_cancelled_call_is_dropped() -> None:
    """A client that goes away while its answer is held ends the attempt at once."""
    with playing(retry=retrying(), methods=METHODS) as play:
        call = begin(play)
        play.server().last.headers()
        play.server().last.data(b"half")
        call.cancel()
        play.expect("a#1 <- RST CANCEL")
        assert play.server().last.seen.reset_code == CANCEL


def test_a_held_answer_gives_no_false_start() -> None:
    """Headers of a failed attempt never reach the client, also when the next attempt answers otherwise."""
    with playing(retry=retrying()) as play:
        call = begin(play, path=GET)
        play.server().last.headers((b"x-from", b"first"))
        play.server().last.data(b"first")
        play.server().last.reset(0x2)
        play.expect("client#1 <- TRAILERS-ONLY INTERNAL LOCAL UPSTREAM_RESET failed attempts=1")
        assert call.seen.trailers_only


def test_what_was_held_is_no_longer_counted() -> None:
    """Bytes that were held back weigh on the client's memory until they are passed on, and not after."""
    with playing(retry=retrying()) as play:
        begin(play)
        near = play.world.downstream[-1]
        play.server().last.headers()
        before = near.held_bytes()
        play.server().last.data(bytes(10_000))
        assert near.held_bytes() - before >= 10_000
        play.advance(0.01)
        play.forget()
        assert near.held_bytes() <= before
        play.server().last.trailers(0)
        play.forget()
