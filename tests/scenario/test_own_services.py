"""Calls that the proxy answers itself: framing, order, ends; and that all other calls go their way."""

from __future__ import annotations

from seawall_proxy.call.local import MAX_CALLS, MAX_MESSAGE_BYTES, LocalCall, LocalHandler, LocalServices
from seawall_proxy.http2.limits import SERVER_STREAM_WINDOW_BYTES
from seawall_proxy.telemetry.counters import RouteCounters
from seawall_proxy.testing import Playbook
from tests.scenario.scenes import GET, plain

PATH = "/test.v1.Echo/Say"


class Echo(LocalHandler):
    """Sends back what it gets; `hold` keeps the answer to `last` until it is asked for."""

    def __init__(self, services: Echoes) -> None:
        self.services = services

    def message(self, call: LocalCall, payload: bytes) -> None:
        self.services.heard.append(payload)
        self.services.last = call
        if payload.startswith(b"fail"):
            call.finish(5, "no echo: ü")
        elif not self.services.hold:
            call.send(payload)
            call.next()

    def half_closed(self, call: LocalCall) -> None:
        call.finish(0, "")

    def drained(self, call: LocalCall) -> None:
        self.services.drained += 1

    def ended(self) -> None:
        self.services.ended += 1


class Echoes(LocalServices):
    """A service of the proxy's own."""

    def __init__(self, play: Playbook) -> None:
        context = play.world.context
        super().__init__(RouteCounters("(serve)"), context.methods)
        self.paths = frozenset((PATH.encode(),))
        self.heard: list[bytes] = []
        self.hold = False
        self.ended = 0
        self.drained = 0
        self.last: LocalCall | None = None
        context.local = self

    def begin(self, path: bytes) -> LocalHandler:
        return Echo(self)


def framed(*payloads: bytes) -> bytes:
    """Return messages as they are on the wire."""
    return b"".join(b"\0" + len(payload).to_bytes(4, "big") + payload for payload in payloads)


def test_a_call_is_answered_here() -> None:
    """Messages come whole, answers are framed, the status follows, and no upstream hears of it."""
    with plain() as play:
        own = Echoes(play)
        call = play.call(PATH, framed(b"hello", b"", b"you"))
        play.expect(
            "client#1 <- HEADERS",
            "client#1 <- DATA <10 bytes>",
            "client#1 <- DATA <5 bytes>",
            "client#1 <- DATA <8 bytes>",
            "client#1 <- TRAILERS OK",
        )
        assert bytes(call.seen.data) == framed(b"hello", b"", b"you")
        assert play.server().count == 0
        assert (own.ended, own.calls, own.counters.in_flight) == (1, 0, 0)
        assert own.counters.by_code[0] == 1


def test_very_many_small_messages() -> None:
    """However many messages come at once, they are handed on one after another."""
    with plain() as play:
        own = Echoes(play)
        play.call(PATH, framed(*[b""] * 5000))
        assert len(own.heard) == 5000
        assert play.forget()[-1] == "client#1 <- TRAILERS OK"


def test_messages_come_in_pieces() -> None:
    """However the bytes are cut, a message is handed on once and whole."""
    with plain() as play:
        own = Echoes(play)
        call = play.call(PATH, end=False)
        wire = framed(b"abc", b"defg")
        for index in range(len(wire)):
            call.send(wire[index : index + 1], end=index == len(wire) - 1)
        assert own.heard == [b"abc", b"defg"]
        assert play.forget()[-1] == "client#1 <- TRAILERS OK"


def test_a_failure_without_a_message() -> None:
    """A status alone is a trailers-only response, its text percent-encoded."""
    with plain() as play:
        Echoes(play)
        play.call(PATH, framed(b"fail"))
        play.expect('client#1 <- TRAILERS-ONLY NOT_FOUND "no echo: %C3%BC"')


def test_the_next_message_waits_for_the_handler() -> None:
    """A handler that is busy gets nothing more, and its client no credit beyond the window."""
    with plain() as play:
        own = Echoes(play)
        own.hold = True
        call = play.call(PATH, end=False)
        size = MAX_MESSAGE_BYTES
        for _ in range(20):
            call.send(framed(b"x" * size))
        assert len(own.heard) == 1
        assert call.seen.sent <= SERVER_STREAM_WINDOW_BYTES + size + 5
        own.hold = False
        assert own.last is not None
        own.last.send(own.heard[0])
        own.last.next()
        play.settle()
        assert len(own.heard) == 20
        call.end()
        assert play.forget()[-1] == "client#1 <- TRAILERS OK"


def test_what_it_does_not_understand() -> None:
    """Compressed, oversized and torn messages end the call with a status, the connection stays."""
    with plain() as play:
        Echoes(play)
        play.call(PATH, b"\1\0\0\0\0")
        play.expect('client#1 <- TRAILERS-ONLY UNIMPLEMENTED "compressed requests are not understood here"')
        play.call(PATH, b"\0\xff\0\0\0", end=False)
        assert play.forget()[0].startswith("client#2 <- TRAILERS-ONLY RESOURCE_EXHAUSTED")
        play.call(PATH, b"\0\0\0\0\x05abc")
        play.expect('client#3 <- TRAILERS-ONLY INTERNAL "the request ends within a message"')
        play.call(PATH, framed(b"ok"))
        assert play.forget()[-1] == "client#4 <- TRAILERS OK"


def test_the_client_goes_away() -> None:
    """The handler learns of it, and what it says afterwards reaches nobody."""
    with plain() as play:
        own = Echoes(play)
        own.hold = True
        call = play.call(PATH, framed(b"x"), end=False)
        call.cancel()
        assert own.ended == 1
        assert own.last is not None
        own.last.send(b"late")
        own.last.finish(0, "")
        own.last.next()
        play.settle()
        play.expect_nothing()
        assert own.counters.cancelled == 1


def test_the_deadline_holds() -> None:
    """A call that is not answered in time ends at its deadline."""
    with plain() as play:
        own = Echoes(play)
        own.hold = True
        play.call(PATH, framed(b"x"), timeout=b"1S")
        play.advance(1.1)
        play.expect('client#1 <- TRAILERS-ONLY DEADLINE_EXCEEDED "the deadline passed"')
        assert own.ended == 1


def test_a_client_that_does_not_read() -> None:
    """The handler is told when what it has sent is taken."""
    with plain() as play:
        own = Echoes(play)
        own.hold = True
        call = play.call(PATH, framed(b"x"), end=False)
        call.stop_reading()
        assert own.last is not None
        for _ in range(20):
            own.last.send(b"y" * 60_000)
        play.settle()
        assert own.last.is_backed_up()
        assert own.drained == 0
        call.resume()
        assert not own.last.is_backed_up()
        assert own.drained == 1
        call.cancel()
        play.forget()


def test_there_is_a_limit() -> None:
    """More calls than may be at once are refused, and those that are there go on."""
    with plain() as play:
        own = Echoes(play)
        own.hold = True
        own.calls = MAX_CALLS
        play.call(PATH, framed(b"x"))
        play.expect(
            'client#1 <- TRAILERS-ONLY RESOURCE_EXHAUSTED "too many calls to the proxy\'s own services"'
        )
        assert own.calls == MAX_CALLS
        own.calls = 0


def test_other_paths_are_passed_on() -> None:
    """What is not answered here takes its route."""
    with plain() as play:
        Echoes(play)
        play.call(GET, b"ping")
        play.expect(f"a#1 <- HEADERS {GET}", 'a#1 <- DATA "ping" END')
        play.server().last.trailers_only(0)
        play.expect("client#1 <- TRAILERS-ONLY OK")
