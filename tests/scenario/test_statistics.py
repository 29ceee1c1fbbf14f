"""What is counted by method, and what the access log is told."""

from __future__ import annotations

from seawall_policy import status
from seawall_proxy.call.access import AccessRecord, AccessSink
from seawall_proxy.call.methods import OTHER
from seawall_proxy.call.ports import OUTCOME_CANCELLED, OUTCOME_FALLBACK, OUTCOME_NAMES
from seawall_proxy.telemetry.counters import MethodCounters
from seawall_proxy.testing import Playbook, make_policy, make_route, make_snapshot
from seawall_proxy.testing.policies import to_static
from tests.scenario.scenes import GET, LIST, METHODS, UPLOAD, begin, plain, playing, retrying, tripping


class Heard(AccessSink):
    """An access log that keeps everything."""

    def __init__(self, play: Playbook) -> None:
        super().__init__()
        self.records: list[AccessRecord] = []
        play.world.context.access = self

    def call_ended(self, record: AccessRecord) -> None:
        self.records.append(record)


def answer(play: Playbook, path: str, code: int = 0) -> None:
    """Make a call that the server answers with a status."""
    begin(play, path=path)
    play.server().last.trailers_only(code)
    play.forget()


def methods(play: Playbook) -> dict[str, list[int]]:
    """Return finished calls by method, as code: count."""
    return {slot.method: slot.by_code for slot in play.world.context.methods.slots}


def counts(play: Playbook) -> dict[str, int]:
    """Return the number of finished calls by method."""
    return {name: sum(codes) for name, codes in methods(play).items()}


def test_methods_are_learned_from_answers() -> None:
    """A method that a server answers is kept apart; one that it does not know is not."""
    with plain() as play:
        answer(play, "/s.A/One")
        answer(play, "/s.A/One", 5)
        answer(play, "/s.A/Nope", 12)
        answer(play, "/s.A/Two")
        assert counts(play) == {"s.A/One": 2, OTHER: 1, "s.A/Two": 1}
        assert methods(play)["s.A/One"][5] == 1
        assert methods(play)[OTHER][status.UNIMPLEMENTED] == 1


def test_a_cancelled_call_teaches_nothing() -> None:
    """A client that goes away before a server has answered makes no series either."""
    with plain() as play:
        begin(play, path="/x.Y/Z").cancel()
        play.forget()
        assert counts(play) == {OTHER: 1}


def test_random_paths_make_nothing_grow() -> None:
    """However many paths a client makes up, series and memory stay what they are (T31)."""
    with plain() as play:
        for number in range(300):
            begin(play, path=f"/x{number}.Y/Z")
            play.server().last.trailers_only(12)
        play.forget()
        assert counts(play) == {OTHER: 300}
        assert play.world.context.methods.learned() == 0


def test_no_more_than_so_many_are_learned() -> None:
    """A server that answers everything makes so many series and no more; the rest is counted together."""
    with plain() as play:
        play.world.context.methods.max_learned = 3
        for number in range(10):
            answer(play, f"/s.A/M{number}")
        answer(play, "/s.A/M0")
        assert counts(play) == {"s.A/M0": 2, "s.A/M1": 1, "s.A/M2": 1, OTHER: 7}


def test_named_methods_are_known_at_once() -> None:
    """What the route or a descriptor names is kept apart whatever a server says, full or not."""
    routes = (make_route(make_policy(), name="one", service="s.A", method="One"), make_route(make_policy()))
    with Playbook(make_snapshot(*routes, methods=METHODS)) as play:
        play.world.context.methods.max_learned = 0
        for path in ("/s.A/One", GET, "/s.A/Two"):
            answer(play, path, 12)
        slots = play.world.context.methods.slots
        assert {(slot.owner.route, slot.method) for slot in slots} == {
            ("one", "s.A/One"),
            ("all", GET[1:]),
            ("all", OTHER),
        }


def test_the_methods_add_up_to_the_route() -> None:
    """Every finished call of a route is in exactly one of its methods, with its latency."""
    with playing(breaker=tripping(2), retry=retrying(2), fallback=(), methods=METHODS) as play:
        answer(play, GET)
        answer(play, "/s.A/One", 5)
        for _ in range(2):
            answer(play, LIST, 13)
        begin(play, path=LIST)
        play.call(GET, b"x").cancel()
        play.advance(1.0)
        play.forget()
        route = play.world.counters["all"]
        slots: list[MethodCounters] = play.world.context.methods.slots
        total = [sum(column) for column in zip(*(slot.by_code for slot in slots), strict=True)]
        assert total == route.by_code
        buckets = [sum(column) for column in zip(*(slot.latency.buckets for slot in slots), strict=True)]
        assert buckets == route.latency.buckets


def test_a_new_policy_keeps_the_numbers() -> None:
    """A method goes on counting where it was as long as its route has the same name."""
    with plain() as play:
        answer(play, GET)
        play.apply(make_snapshot(make_route(make_policy()), revision=2))
        answer(play, GET)
        assert counts(play) == {GET[1:]: 2}


def test_a_plain_call_in_the_access_log() -> None:
    """Bytes and messages of both directions, times, where it went and who asked."""
    with plain() as play:
        log = Heard(play)
        call = play.call(
            UPLOAD,
            b"\0\0\0\0\x03one",
            (b"user-agent", b"grpc-test/1"),
            (b"traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"),
            end=False,
            timeout=b"10S",
        )
        play.advance(0.25)
        call.send(b"\0\0\0\0\0\0\0\0\0\x01", end=False)
        call.send(b"2", end=True)
        server = play.server().last
        server.headers()
        play.advance(0.25)
        server.data(b"\0\0\0\0\x04pong")
        play.advance(0.5)
        server.trailers(0)
        play.forget()
        (record,) = log.records
        assert (record.route, record.path, record.code) == ("all", UPLOAD.encode(), 0)
        assert (record.request.size, record.request.messages) == (8 + 5 + 6, 3)
        assert (record.response.size, record.response.messages) == (9, 1)
        assert (round(record.duration_s, 3), round(record.first_message_s, 3)) == (1.0, 0.5)
        assert round(record.deadline_s, 3) == 10.0
        assert (record.attempts, record.endpoint) == (1, "a")
        assert (record.authority, record.user_agent) == (b"shop:443", b"grpc-test/1")
        assert record.trace_id == b"a" * 32
        assert record.revision == 1


def test_what_was_dropped_is_not_counted_as_sent() -> None:
    """The first answer of a retried call is not part of what the client got; its failure is told."""
    with playing(retry=retrying(2), methods=METHODS) as play:
        log = Heard(play)
        begin(play)
        play.server().last.reply(b"\0\0\0\0\x04half", code=14)
        play.advance(0.03)
        play.server().last.reply(b"\0\0\0\0\x05whole")
        play.forget()
        (record,) = log.records
        assert (record.response.size, record.response.messages, record.attempts) == (10, 1, 2)
        assert (OUTCOME_NAMES[record.outcome], record.failed_code) == ("retried", status.UNAVAILABLE)


def test_every_end_is_logged_once() -> None:
    """Rejections, cancellations, fallbacks and refusals at the door each leave one record."""
    payload = b"\0\0\0\0\x01x"
    with playing(breaker=tripping(1), methods=METHODS) as play:
        log = Heard(play)
        begin(play, b"x").cancel()
        begin(play)
        play.server().last.trailers_only(14, (b"grpc-message", b"why"))
        begin(play)
        raw = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/x"), (b":authority", b"h")]
        raw += [(b"content-type", b"application/grpc"), (b"te", b"trailers")]
        play.call(body=b"x", raw=raw)
        play.forget()
        ends = [(OUTCOME_NAMES[record.outcome], record.reason) for record in log.records]
        assert ends == [
            ("cancelled", ""),
            ("failed", ""),
            ("rejected", "BREAKER_OPEN"),
            ("rejected", "INVALID_REQUEST"),
        ]
        assert log.records[0].outcome == OUTCOME_CANCELLED
        assert log.records[1].message == b"why"
        assert log.records[3].route == ""
    with playing(fallback=(to_static(payload, GET.encode()),)) as play:
        log = Heard(play)
        begin(play)
        play.server().last.trailers_only(14)
        play.forget()
        (record,) = log.records
        assert (record.outcome, record.response.size) == (OUTCOME_FALLBACK, len(payload))


def test_a_share_of_the_calls_is_logged() -> None:
    """The share is drawn when a call begins."""
    with plain() as play:
        log = Heard(play)
        log.share = 0.25
        for draw in (0.2, 0.3, 0.24):
            play.world.draw.next = [draw]  # type: ignore[attr-defined]
            answer(play, GET)
        assert len(log.records) == 2


def test_long_texts_are_cut() -> None:
    """Records wait in a queue, so nobody may make them heavy."""
    with plain() as play:
        log = Heard(play)
        play.call("/s.A/" + "M" * 3000, b"x", (b"user-agent", b"u" * 3000))
        play.server().last.trailers_only(5, (b"grpc-message", b"m" * 3000))
        play.forget()
        (record,) = log.records
        assert {len(record.path), len(record.user_agent), len(record.message)} == {512}
