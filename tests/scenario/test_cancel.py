"""Either side may go away at any moment; the other hears of it in the same turn."""

from __future__ import annotations

from seawall_policy import status
from seawall_proxy.call.slots import RELEASE_AFTER_S
from tests.scenario.scenes import CHAT, GET, UPLOAD, begin, plain, playing, retrying


def test_client_cancel_reaches_the_server() -> None:
    """RST(CANCEL) of the client is RST(CANCEL) to the server, without any time passing."""
    with plain() as play:
        call = begin(play)
        call.cancel()
        play.expect("a#1 <- RST CANCEL")
        counters = play.world.counters["all"]
        assert (counters.cancelled, counters.by_code[status.CANCELLED]) == (1, 1)
        assert play.world.sink.calls == [], "a caller's change of mind is no event"


def test_client_cancel_in_the_middle_of_streams() -> None:
    """The same with both directions open and committed."""
    with plain() as play:
        call = play.call(CHAT, b"one", end=False)
        play.server().last.headers()
        play.server().last.data(b"two")
        play.forget()
        call.cancel()
        play.expect("a#1 <- RST CANCEL")


def test_client_cancel_in_backoff() -> None:
    """A call that waits for its retry ends at once and is not retried."""
    with playing(retry=retrying()) as play:
        call = begin(play)
        play.server().last.trailers_only(14)
        call.cancel()
        play.advance(1.0)
        play.expect_nothing()
        assert play.server().count == 1


def test_client_cancel_while_waiting_for_a_connection() -> None:
    """A call that has no stream yet leaves nothing behind, and its place in the line is free."""
    with plain() as play:
        play.server().set_mode("blackhole")
        play.server().cut()
        play.advance(0.3)
        call = begin(play)
        assert len(play.world.endpoint("a").waiting) == 1
        call.cancel()
        assert len(play.world.endpoint("a").waiting) == 0
        play.server().set_mode("accept")
        play.advance(3.0)
        play.expect_nothing()
        assert play.server().count == 0


def test_client_connection_lost() -> None:
    """Every call of a lost client is cancelled upstream (P16)."""
    with plain() as play:
        begin(play)
        begin(play)
        play.disconnect()
        play.expect(
            "client#1 <- RST CONNECTION_LOST",
            "client#2 <- RST CONNECTION_LOST",
            "a#1 <- RST CANCEL",
            "a#2 <- RST CANCEL",
        )
        assert play.world.counters["all"].cancelled == 2


def test_server_connection_lost() -> None:
    """Calls on a lost connection are UNAVAILABLE to their clients; others are not touched (P16)."""
    with playing(clusters={"main": ("a", "b")}) as play:
        begin(play)
        begin(play)
        play.server("a").cut()
        play.expect(
            "a#1 <- RST CONNECTION_LOST",
            "client#1 <- TRAILERS-ONLY UNAVAILABLE LOCAL UPSTREAM_RESET failed attempts=1",
        )
        play.server("b").last.trailers_only(0)
        play.expect("client#2 <- TRAILERS-ONLY OK")


def test_goaway_lets_calls_finish() -> None:
    """A graceful GOAWAY takes no call with it; new calls go elsewhere (P15)."""
    with playing(clusters={"main": ("a", "b")}) as play:
        call = play.call(UPLOAD, b"one", end=False)
        play.forget()
        play.server("a").goaway()
        call.send(b"two", end=True)
        play.expect('a#1 <- DATA "two" END')
        play.server("a").last.reply(b"done")
        play.forget()
        assert call.seen.status == 0


def test_mass_cancellation_is_no_attack() -> None:
    """A thousand calls that reached a server and are cancelled at once do not cost the client its
    connection.
    """
    with plain() as play:
        for _ in range(12):
            calls = [play.call(GET, b"ping") for _ in range(90)]
            play.advance(0.1)
            for call in calls:
                call.seen.cancel()
            play.settle()
        play.forget()
        assert play.client().goaway_code is None
        # Its reset calls keep their slots for a moment; the next one waits for that at most.
        play.advance(RELEASE_AFTER_S)
        call = begin(play)
        play.server().last.trailers_only(0)
        play.forget()
        assert call.seen.status == 0


def test_calls_that_are_taken_back_at_once_are_an_attack() -> None:
    """HEADERS and RST_STREAM in one breath, again and again, end the connection although a server is there
    (T1).
    """
    with plain() as play:
        client = play.client()
        for _ in range(60):
            calls = [play.call(GET, b"ping") for _ in range(20) if client.connection.can_open]
            for call in calls:
                call.seen.cancel()
            play.settle()
        assert client.goaway_code == 0xB
        play.forget()


def test_rapid_reset_is_one() -> None:
    """Calls that are reset before they could reach a server are told apart from it, and end the
    connection.
    """
    with plain() as play:
        client = play.client()
        play.server().set_mode("blackhole")
        play.server().cut()
        play.advance(0.3)
        for _ in range(60):
            calls = [play.call(GET, b"ping") for _ in range(20) if client.connection.can_open]
            for call in calls:
                call.seen.cancel()
            play.settle()
        assert client.goaway_code == 0xB
        play.forget()


def test_late_frames_of_a_cancelled_attempt() -> None:
    """What a server sends before it hears of the cancellation is dropped and costs nobody anything."""
    with plain() as play:
        call = begin(play)
        begin(play)
        wire = next(w for w in play.world.wires if w.name == "a")
        call.seen.cancel()
        server = play.server().request(1).seen
        server.put_headers()
        server.put_data(b"late")
        server.put_trailers(((b"grpc-status", b"0"),))
        wire.far_reads = False
        play.settle()
        wire.far_reads = True
        play.settle()
        play.forget()
        play.server().request(2).trailers_only(0)
        play.expect("client#2 <- TRAILERS-ONLY OK")
