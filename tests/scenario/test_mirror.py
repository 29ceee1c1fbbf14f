"""Copies of calls: what they carry, and that nobody but the mirror ever notices them."""

from __future__ import annotations

from seawall_proxy.call import mirror as mirrors
from seawall_proxy.http2.limits import Limits
from seawall_proxy.telemetry.counters import MirrorCounters
from seawall_proxy.testing import Playbook, make_policy, make_route, make_snapshot
from seawall_proxy.testing.policies import make_change, make_cluster
from tests.scenario.scenes import CANCEL, GET, LIST, UPLOAD, begin, retrying, tripping

CLUSTERS = {"main": ("a",), "shadow": ("m",)}


def mirroring(share: float = 1.0, *, max_in_flight: int = 1024, **policy: object) -> Playbook:
    """A route with a mirror."""
    made = make_policy(**policy)  # type: ignore[arg-type]
    route = make_route(made, mirrors={"shadow": share})
    shadow = make_cluster("shadow", ("m",), max_in_flight=max_in_flight)
    return Playbook(make_snapshot(route, clusters={"main": ("a",), "shadow": shadow}))


def counted(play: Playbook) -> MirrorCounters:
    """Return what is counted of the mirror."""
    return play.world.counters["all"].mirror("shadow")


def test_a_copy_is_sent_and_its_answer_thrown_away() -> None:
    """The mirror gets the same request with a mark and a deadline; the client sees the primary's answer
    only.
    """
    with mirroring() as play:
        play.call(GET, b"ping", (b"x-a", b"1"))
        play.expect(
            f"a#1 <- HEADERS {GET} x-a=1",
            'a#1 <- DATA "ping" END',
            f"m#1 <- HEADERS {GET} seawall-mirror=1 x-a=1 grpc-timeout=15000000u",
            'm#1 <- DATA "ping" END',
        )
        play.server("m").last.reply(b"other", code=9)
        play.expect_nothing()
        play.server("a").last.reply(b"pong")
        play.expect("client#1 <- HEADERS", 'client#1 <- DATA "pong"', "client#1 <- TRAILERS OK")
        assert counted(play).by_code[9] == 1


def test_a_copy_outlives_its_call() -> None:
    """When the primary has answered, a complete copy goes on by itself, and ends with its own answer."""
    with mirroring() as play:
        begin(play)
        play.server("a").last.trailers_only(0)
        play.forget()
        assert play.world.context.calls == 0
        assert play.world.context.mirrors == 1
        play.server("m").last.reply(b"late")
        assert counted(play).by_code[0] == 1


def test_a_hanging_mirror_is_cut_off() -> None:
    """A copy that takes too long is cancelled, and no call waits for it."""
    with mirroring() as play:
        begin(play)
        play.server("a").last.trailers_only(0)
        play.forget()
        play.advance(mirrors.LIMIT_S + 0.1)
        play.expect("m#1 <- RST CANCEL")
        assert counted(play).by_code[4] == 1


def test_the_deadline_of_the_call_is_the_copys_too() -> None:
    """A copy is not worked on for longer than its call would have been."""
    with mirroring(timeout_s=1.0) as play:
        begin(play)
        assert play.log[-2].endswith("seawall-mirror=1 grpc-timeout=1000000u")
        play.advance(1.1)
        play.forget()
        assert counted(play).by_code[4] == 1


def test_a_mirror_that_cannot_be_reached_harms_nobody() -> None:
    """Without an endpoint the copy is dropped and counted."""
    with mirroring() as play:
        play.server("m").set_mode("refuse")
        play.server("m").cut()
        play.advance(0.5)
        play.forget()
        begin(play)
        play.server("a").last.reply(b"pong")
        assert [line for line in play.forget() if "TRAILERS OK" in line]
        play.advance(20.0)
        assert counted(play).dropped_by.get(mirrors.NO_ENDPOINT, 0) + sum(counted(play).by_code) == 1
        play.forget()


def test_copies_are_not_repeated() -> None:
    """The primary is tried again; its copy is sent once, for the first attempt."""
    with mirroring(retry=retrying(3)) as play:
        begin(play)
        play.server("m").last.trailers_only(14)
        play.server("a").last.trailers_only(14)
        play.advance(0.03)
        play.forget()
        play.server("a").last.trailers_only(0)
        play.forget()
        assert (play.server("a").count, play.server("m").count) == (2, 1)


def test_calls_that_are_refused_are_not_copied() -> None:
    """What the breaker rejects reaches no server, so it reaches no mirror either."""
    with mirroring(breaker=tripping(1)) as play:
        begin(play)
        play.server("m").last.trailers_only(0)
        play.server("a").last.trailers_only(14)
        begin(play)
        play.forget()
        assert play.server("m").count == 1


def test_copies_do_not_multiply() -> None:
    """A call that is a copy already is not copied again."""
    with mirroring() as play:
        begin(play, b"ping", (b"seawall-mirror", b"1"))
        assert play.server("m").count == 0
        play.server("a").last.trailers_only(0)
        play.forget()


def test_a_share_of_the_calls() -> None:
    """The share is drawn for each call."""
    with mirroring(0.25) as play:
        draws = play.world.draw
        for draw in (0.3, 0.2, 0.25):
            draws.next = [draw]  # type: ignore[attr-defined]
            begin(play)
            play.server("a").last.trailers_only(0)
        play.forget()
        assert play.server("m").count == 1
        play.server("m").last.trailers_only(0)


def test_a_client_stream_is_copied_as_it_comes() -> None:
    """Every message goes to both, and the end of the request too."""
    with mirroring() as play:
        call = play.call(UPLOAD, b"one", end=False)
        call.send(b"two")
        call.end()
        assert bytes(play.server("m").last.seen.data) == b"onetwo"
        assert 'm#1 <- DATA "" END' in play.forget()
        play.server("m").last.trailers_only(0)
        play.server("a").last.trailers_only(0)
        play.forget()


def test_a_slow_mirror_is_left_behind() -> None:
    """A mirror that does not read is dropped when its buffer is full; the primary takes everything."""
    with mirroring() as play:
        call = play.call(UPLOAD, end=False)
        play.server("m").last.stop_reading()
        size = 3 * mirrors.MAX_CALL_BYTES
        for _ in range(3):
            call.send(b"x" * mirrors.MAX_CALL_BYTES)
        call.end()
        play.forget()
        assert len(play.server("a").last.seen.data) == size
        assert counted(play).dropped_by == {mirrors.TOO_SLOW: 1}
        assert play.world.context.mirror_bytes == 0
        play.server("a").last.trailers_only(0)
        play.forget()


def test_a_copy_that_can_never_be_complete_is_cancelled() -> None:
    """A client that goes away in the middle of its request takes the copy with it."""
    with mirroring() as play:
        call = play.call(UPLOAD, b"one", end=False)
        play.forget()
        call.cancel()
        assert sorted(play.forget()) == ["a#1 <- RST CANCEL", "m#1 <- RST CANCEL"]
        assert counted(play).dropped_by == {mirrors.CALL_ENDED: 1}


def test_a_mirror_that_answers_before_the_end_of_the_request() -> None:
    """It gets no more of it, and the primary gets the rest."""
    with mirroring() as play:
        call = play.call(UPLOAD, b"one", end=False)
        play.server("m").last.trailers_only(12)
        call.send(b"two", end=True)
        assert bytes(play.server("a").last.seen.data) == b"onetwo"
        assert counted(play).by_code[12] == 1
        play.server("a").last.trailers_only(0)
        play.forget()


def test_a_large_answer_of_a_mirror_is_read() -> None:
    """Credit is given for what is thrown away, so a mirror is never held up and holds nobody up."""
    with mirroring() as play:
        begin(play, path=LIST)
        play.server("a").last.trailers_only(0)
        mirror = play.server("m").last
        mirror.headers()
        mirror.data(b"x" * (3 << 20))
        assert mirror.seen.sent == 3 << 20
        mirror.trailers(0)
        play.forget()


def test_copies_have_a_budget() -> None:
    """More than so many at once are dropped, whatever the mirror's own limit."""
    limits = Limits(max_concurrent_streams=1000)
    made = make_route(make_policy(), mirrors={"shadow": 1.0})
    with Playbook(
        make_snapshot(made, clusters=CLUSTERS), server_limits=limits, client_limits=limits, host_limits=limits
    ) as play:
        for _ in range(mirrors.MAX_IN_FLIGHT + 5):
            play.call(GET, b"p")
            play.server("a").last.trailers_only(0)
        play.forget()
        assert play.world.context.mirrors == mirrors.MAX_IN_FLIGHT
        assert counted(play).dropped_by == {mirrors.TOO_MANY: 5}
        play.advance(mirrors.LIMIT_S + 0.1)
        play.forget()


def test_the_clusters_limit_holds_for_copies() -> None:
    """A mirror's max_in_flight counts copies, and refuses them without a word to the client."""
    with mirroring(max_in_flight=1) as play:
        for _ in range(2):
            begin(play)
            play.server("a").last.trailers_only(0)
        play.forget()
        assert counted(play).dropped_by == {mirrors.CLUSTER_FULL: 1}
        play.server("m").last.trailers_only(0)


def test_a_mirror_that_breaks_off() -> None:
    """A reset or a lost connection ends the copy alone."""
    with mirroring() as play:
        begin(play)
        play.server("m").last.reset(CANCEL)
        play.server("a").last.reply(b"pong")
        assert "client#1 <- TRAILERS OK" in play.forget()
        begin(play)
        play.server("m").cut()
        play.server("a").last.reply(b"pong")
        assert "client#2 <- TRAILERS OK" in play.forget()
        assert sum(counted(play).by_code) == 2
        play.advance(1.0)
        play.forget()


def test_a_copy_carries_the_routes_changes() -> None:
    """The mirror sees the metadata that the primary sees."""
    route = make_route(
        make_policy(), request_headers=make_change(set={b"x-tier": b"gold"}), mirrors={"shadow": 1.0}
    )
    with Playbook(make_snapshot(route, clusters=CLUSTERS)) as play:
        play.call(GET, b"ping")
        assert f"m#1 <- HEADERS {GET} x-tier=gold seawall-mirror=1 grpc-timeout=15000000u" in play.forget()
        play.server("m").last.trailers_only(0)
        play.server("a").last.trailers_only(0)
        play.forget()


def test_a_new_policy_leaves_copies_alone() -> None:
    """A copy that was sent under the old policy ends under it, and is counted where it belongs."""
    with mirroring() as play:
        begin(play)
        play.apply(make_snapshot(make_route(make_policy()), revision=2))
        play.server("a").last.trailers_only(0)
        play.server("m").last.trailers_only(0)
        play.forget()
        assert counted(play).by_code[0] == 1
