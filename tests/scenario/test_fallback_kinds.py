"""Fallbacks to another method, the last good answer or an empty one; how long a route lives on them."""

from __future__ import annotations

import pytest

from seawall_policy import status
from seawall_policy.last_good import LastGoodOptions
from seawall_proxy.http2.headers import Field
from seawall_proxy.testing import Playbook, make_policy, make_route, make_snapshot
from seawall_proxy.testing.playbook import ScriptedCall
from seawall_proxy.testing.policies import (
    make_change,
    to_cluster,
    to_empty,
    to_last_good,
    to_method,
    to_static,
)
from tests.scenario.scenes import (
    CANCEL,
    CHAT,
    GET,
    LIST,
    METHODS,
    UPLOAD,
    begin,
    playing,
    retrying,
    snapshot,
    tripping,
)

WITH_DR = {"main": ("a",), "dr": ("d",)}
CODES = 1 << status.UNAVAILABLE
CACHED = "/shop.v1.Catalog/GetCached"
GOOD = b"\x00\x00\x00\x00\x04good"
PING = b"\x00\x00\x00\x00\x04ping"
OTHER = b"\x00\x00\x00\x00\x04ding"
LAST = to_last_good(LastGoodOptions(60.0))


def learn(
    play: Playbook,
    body: bytes = PING,
    *fields: Field,
    reply: bytes = GOOD,
    trailers: tuple[Field, ...] = (),
    path: str = GET,
) -> None:
    """One call that succeeds."""
    begin(play, body, *fields, path=path)
    play.server().last.reply(reply, *trailers)
    play.forget()


def fail(play: Playbook, body: bytes = PING, *fields: Field, path: str = GET, code: int = 14) -> ScriptedCall:
    """One call whose server fails."""
    call = begin(play, body, *fields, path=path)
    play.server().last.trailers_only(code)
    play.forget()
    return call


# the last good answer


def test_the_last_good_answer_and_its_age() -> None:
    """A failure is covered by what the same request was answered last; the trailers say how old that is."""
    with playing(fallback=(LAST,), methods=METHODS) as play:
        learn(play)
        play.advance(7.5)
        call = fail(play)
        assert bytes(call.seen.data) == GOOD
        assert call.seen.status == 0
        assert call.seen.field(b"seawall-outcome") == b"fallback"
        assert call.seen.field(b"seawall-degraded") == b"stale;age=7"
        assert play.world.counters["all"].fallback_by_kind == {"last_good": 1}


def test_nothing_is_served_that_was_never_there() -> None:
    """Another request, another method: no answer of those is right."""
    with playing(fallback=(LAST,), methods=METHODS) as play:
        learn(play)
        assert fail(play, OTHER).seen.status == 14
        assert fail(play, PING, path=UPLOAD).seen.status == 14


def test_too_old_is_none() -> None:
    """`max_age` to the second."""
    with playing(fallback=(LAST,), methods=METHODS) as play:
        learn(play)
        play.advance(59.5)
        assert fail(play).seen.status == 0
        play.advance(0.6)
        assert fail(play).seen.status == 14


def test_the_newest_counts() -> None:
    """A good answer replaces the one before; a fallback's answer is no good answer."""
    with playing(fallback=(LAST,), methods=METHODS) as play:
        learn(play)
        learn(play, reply=b"\x00\x00\x00\x00\x05newer")
        for _ in range(2):
            assert bytes(fail(play).seen.data) == b"\x00\x00\x00\x00\x05newer"


def test_initial_metadata_and_trailers_of_the_kept_answer_are_not_served() -> None:
    """They belonged to the call that got them: only what tells how to read the message is kept."""
    with playing(fallback=(LAST,), methods=METHODS) as play:
        begin(play, PING)
        server = play.server().last
        server.headers((b"x-request-cost", b"7"), content_type=b"application/grpc+proto")
        server.data(GOOD)
        server.trailers(0, (b"x-session", b"secret"))
        play.forget()
        call = fail(play)
        assert call.seen.headers == ((b":status", b"200"), (b"content-type", b"application/grpc+proto"))
        assert call.seen.field(b"x-session") is None


def test_the_route_changes_the_headers_of_a_kept_answer() -> None:
    """`headers.response` holds for every initial metadata."""
    change = make_change(set={b"x-by": b"seawall"})
    route = make_route(make_policy(fallback=(LAST,)), response_headers=change)
    with Playbook(make_snapshot(route, methods=METHODS)) as play:
        learn(play)
        call = fail(play)
        assert (b"x-by", b"seawall") in (call.seen.headers or ())
        assert bytes(call.seen.data) == GOOD


@pytest.mark.parametrize("name", [b"authorization", b"cookie"])
def test_what_belongs_to_one_caller_is_not_kept(name: bytes) -> None:
    """Without a word of the policy, an answer to credentials is nobody else's (RFC 9111 section 3.5)."""
    with playing(fallback=(LAST,), methods=METHODS) as play:
        learn(play, PING, (name, b"alice"))
        assert fail(play, PING, (name, b"bob")).seen.status == 14
        assert fail(play, PING, (name, b"alice")).seen.status == 14
        assert fail(play, PING).seen.status == 14
        store = play.world.state().last_good
        assert store is not None
        assert len(store) == 0
        learn(play, PING)
        assert fail(play, PING, (name, b"alice")).seen.status == 14


def test_by_tenant() -> None:
    """A metadata key keeps tenants apart, also those without."""
    step = to_last_good(LastGoodOptions(60.0, metadata=(b"x-tenant",)))
    with playing(fallback=(step,), methods=METHODS) as play:
        learn(play, PING, (b"authorization", b"t1"), (b"x-tenant", b"red"))
        assert fail(play, PING, (b"authorization", b"t2"), (b"x-tenant", b"red")).seen.status == 0
        assert fail(play, PING, (b"x-tenant", b"blue")).seen.status == 14
        assert fail(play, PING, (b"x-tenant", b"")).seen.status == 14
        assert fail(play, PING).seen.status == 14


def test_by_tenant_alone() -> None:
    """Without `request` in the key any request of the tenant gets the tenant's last answer."""
    step = to_last_good(LastGoodOptions(60.0, by_request=False, metadata=(b"x-tenant",)))
    with playing(fallback=(step,), methods=METHODS) as play:
        learn(play, PING, (b"x-tenant", b"red"))
        assert fail(play, OTHER, (b"x-tenant", b"red")).seen.status == 0


def test_shared_by_word_of_the_policy() -> None:
    """`shared: true` says that credentials change nothing about the answer."""
    step = to_last_good(LastGoodOptions(60.0, shared=True))
    with playing(fallback=(step,), methods=METHODS) as play:
        learn(play, PING, (b"authorization", b"alice"))
        assert fail(play, PING, (b"authorization", b"bob")).seen.status == 0


@pytest.mark.parametrize("path", [LIST, CHAT])
def test_streams_are_not_kept(path: str) -> None:
    """A method that answers with a stream has no last good answer, even where it was one message."""
    with playing(fallback=(LAST,), methods=METHODS) as play:
        learn(play, path=path)
        assert fail(play, path=path).seen.status == 14


def test_of_an_unknown_kind_only_single_messages_are_kept() -> None:
    """Without descriptors the response itself shows whether it is one message."""
    with playing(fallback=(LAST,)) as play:
        learn(play, reply=GOOD + GOOD)
        assert fail(play).seen.status == 14
        learn(play, reply=GOOD[:6])
        assert fail(play).seen.status == 14
        learn(play, reply=b"")
        assert fail(play).seen.status == 14
        learn(play)
        assert fail(play).seen.status == 0


def test_an_answer_that_comes_slowly_is_kept_as_well() -> None:
    """What was passed on in pieces, before its status was known, is as good as what was held back."""
    with playing(fallback=(LAST,)) as play:
        begin(play, PING)
        server = play.server().last
        server.headers()
        play.advance(0.1)
        for byte in GOOD:
            server.data(bytes((byte,)))
        play.advance(0.1)
        server.trailers(0)
        play.forget()
        assert bytes(fail(play).seen.data) == GOOD


def test_large_answers_are_not_kept() -> None:
    """64 KiB with the prefix is the most."""
    with playing(fallback=(LAST,), methods=METHODS) as play:
        for size, code in ((65_531, 0), (65_532, 14)):
            learn(play, reply=b"\x00" + size.to_bytes(4, "big") + b"x" * size)
            assert fail(play).seen.status == code
            store = play.world.state().last_good
            assert store is not None
            store.resize(1000, 1, 60.0)
            store.resize(1000, 1 << 24, 60.0)


def test_a_compression_that_the_caller_does_not_know() -> None:
    """A compressed answer is only served to those who say that they read it."""
    zipped = b"\x01" + GOOD[1:]
    takes = (b"grpc-accept-encoding", b"identity, gzip")
    with playing(fallback=(LAST,), methods=METHODS) as play:
        begin(play, PING, takes)
        server = play.server().last
        server.headers((b"grpc-encoding", b"gzip"))
        server.data(zipped)
        server.trailers(0)
        play.forget()
        assert fail(play).seen.status == 14
        call = fail(play, PING, takes)
        assert bytes(call.seen.data) == zipped
        assert (b"grpc-encoding", b"gzip") in (call.seen.headers or ())


def test_behind_an_open_breaker() -> None:
    """An open breaker costs the server nothing and the caller little: the last good answer comes at once."""
    with playing(breaker=tripping(1), fallback=(LAST,), methods=METHODS) as play:
        learn(play)
        fail(play)
        count = play.server().count
        call = begin(play, PING)
        assert bytes(call.seen.data) == GOOD
        assert call.seen.field(b"seawall-reason") == b"BREAKER_OPEN"
        assert play.server().count == count


def test_no_last_good_answer_after_the_deadline() -> None:
    """Nobody waits for it any more."""
    with playing(fallback=(LAST,), methods=METHODS) as play:
        learn(play)
        call = begin(play, PING, timeout=b"100m")
        play.advance(0.12)
        play.forget()
        assert call.seen.status == 4


def test_a_request_that_is_not_complete_has_no_last_good_answer() -> None:
    """Half a request is another request."""
    with playing(fallback=(LAST,), methods=METHODS) as play:
        learn(play, path=UPLOAD)
        call = play.call(UPLOAD, PING, end=False)
        play.server().last.trailers_only(14)
        play.forget()
        assert call.seen.status == 14


def test_what_fails_before_the_message_is_here_waits_for_it() -> None:
    """Behind an open breaker a call fails with its headers, and the step needs to know the request."""
    with playing(breaker=tripping(1), fallback=(LAST,), methods=METHODS) as play:
        learn(play)
        fail(play)
        call = play.call(GET, PING[:7], end=False)
        play.expect_nothing()
        play.advance(1.0)
        play.expect_nothing()
        call.send(PING[7:])
        play.expect_nothing()
        call.end()
        play.forget()
        assert bytes(call.seen.data) == GOOD
        other = play.call(GET, OTHER[:7], end=False)
        other.send(OTHER[7:], end=True)
        play.expect("client#4 <- TRAILERS-ONLY UNAVAILABLE LOCAL BREAKER_OPEN rejected pushback=4001")


def test_the_message_is_not_waited_for_longer_than_the_call_lives() -> None:
    """The deadline ends the wait, a cancellation too."""
    with playing(breaker=tripping(1), fallback=(LAST,), methods=METHODS) as play:
        learn(play)
        fail(play)
        late = play.call(GET, PING[:7], end=False, timeout=b"100m")
        gone = play.call(GET, PING[:7], end=False)
        gone.cancel()
        play.advance(0.11)
        play.forget()
        assert late.seen.status == 4


def test_of_an_unknown_kind_the_message_is_waited_for_a_moment() -> None:
    """It may be a stream, whose client waits for the first word."""
    with playing(breaker=tripping(1), fallback=(LAST,)) as play:
        learn(play)
        fail(play)
        call = play.call(GET, PING[:7], end=False)
        play.advance(0.04)
        play.expect_nothing()
        play.advance(0.02)
        play.forget()
        assert call.seen.field(b"seawall-reason") == b"BREAKER_OPEN"


def test_the_rest_of_a_message_that_came_too_late_goes_on() -> None:
    """When the wait was in vain the next fallback gets the request as it comes, all of it."""
    steps = (LAST, to_cluster("dr"))
    with playing(breaker=tripping(1), fallback=steps, clusters=WITH_DR, idempotent=True) as play:
        fail(play)
        play.server("d").last.reply(GOOD)
        play.forget()
        call = play.call(GET, PING[:7], end=False)
        play.expect_nothing()
        play.advance(0.06)
        play.expect(f"d#2 <- HEADERS {GET}", "d#2 <- DATA <7 bytes>")
        call.send(PING[7:])
        call.end()
        play.expect('d#2 <- DATA "ng"', 'd#2 <- DATA "" END')
        play.server("d").last.reply(GOOD)
        play.forget()
        assert call.seen.field(b"seawall-outcome") == b"fallback"


def test_a_large_message_goes_on_as_well() -> None:
    """More than can be kept: there is no cluster for it, but there is an end."""
    steps = (LAST, to_cluster("dr"), to_empty())
    with playing(
        breaker=tripping(1), fallback=steps, clusters=WITH_DR, methods=METHODS, idempotent=True
    ) as play:
        fail(play)
        play.server("d").last.reply(GOOD)
        play.forget()
        call = play.call(GET, None, end=False)
        for _ in range(33):
            call.send(b"x" * 32768)
        assert play.server("d").count == 2
        call.end()
        play.server("d").last.reply(GOOD)
        play.forget()
        assert call.seen.status == 0
        assert len(play.server("d").server.calls[-1].data) == 33 * 32768


def test_a_message_that_is_too_large_is_not_waited_for() -> None:
    """Its key cannot be known; credit is given until then, so it does come."""
    with playing(breaker=tripping(1), fallback=(LAST,), methods=METHODS) as play:
        learn(play)
        fail(play)
        call = play.call(GET, None, end=False)
        for _ in range(40):
            call.send(b"x" * 32768)
        play.forget()
        assert call.seen.field(b"seawall-reason") == b"BREAKER_OPEN"


def test_a_failure_that_was_put_off_is_told_as_it_was() -> None:
    """The server's own words come through when no fallback has an answer."""
    with playing(fallback=(LAST,), methods=METHODS) as play:
        call = play.call(GET, PING[:7], end=False)
        play.server().last.trailers_only(14, (b"x-why", b"tired"))
        play.forget()
        call.send(PING[7:], end=True)
        play.expect("client#1 <- TRAILERS-ONLY UNAVAILABLE x-why=tired")


def test_kept_answers_outlive_a_policy() -> None:
    """A policy swap keeps what was kept, in the new bounds."""
    with playing(fallback=(LAST,), methods=METHODS) as play:
        learn(play)
        play.apply(snapshot(fallback=(LAST,), methods=METHODS, revision=2))
        assert fail(play).seen.status == 0
        short = to_last_good(LastGoodOptions(1.0))
        play.advance(2.0)
        play.apply(snapshot(fallback=(short,), methods=METHODS, revision=3))
        assert fail(play).seen.status == 14


def test_a_chain_of_kinds() -> None:
    """Last good if there is one, else another cluster, else nothing but OK."""
    steps = (to_last_good(LastGoodOptions(60.0), CODES), to_cluster("dr", CODES), to_empty())
    with playing(fallback=steps, clusters=WITH_DR, methods=METHODS, idempotent=True) as play:
        call = fail(play)
        play.server("d").last.trailers_only(13)
        play.forget()
        assert bytes(call.seen.data) == b"\0\0\0\0\0"
        assert call.seen.field(b"seawall-attempts") == b"2"
        learn(play)
        assert bytes(fail(play).seen.data) == GOOD
        assert play.server("d").count == 1
        assert play.world.counters["all"].fallback_by_kind == {"empty": 1, "last_good": 1}


def test_the_answer_of_another_cluster_is_no_last_good_one() -> None:
    """What a fallback answered is not what the route's own servers last said."""
    steps = (to_last_good(LastGoodOptions(60.0), 1 << 13), to_cluster("dr", CODES))
    with playing(fallback=steps, clusters=WITH_DR, methods=METHODS, idempotent=True) as play:
        fail(play)
        play.server("d").last.reply(GOOD)
        play.forget()
        assert fail(play, code=13).seen.status == 13


def test_a_retried_answer_is_kept() -> None:
    """The answer counts, not the attempt that got it."""
    with playing(retry=retrying(2), fallback=(LAST,), methods=METHODS) as play:
        begin(play, PING)
        play.server().last.trailers_only(14)
        play.advance(0.03)
        play.server().last.reply(GOOD)
        play.forget()
        call = begin(play, PING)
        play.server().last.trailers_only(14)
        play.advance(0.03)
        play.server().last.trailers_only(14)
        play.forget()
        assert bytes(call.seen.data) == GOOD
        assert call.seen.field(b"seawall-attempts") == b"2"


# nothing


def test_empty() -> None:
    """OK and a message without content; a stream ends without one."""
    with playing(fallback=(to_empty(CODES),), methods=METHODS) as play:
        call = fail(play)
        assert (call.seen.status, bytes(call.seen.data)) == (0, b"\0\0\0\0\0")
        call = fail(play, path=LIST)
        assert (call.seen.status, bytes(call.seen.data)) == (0, b"")
        assert call.seen.headers == ((b":status", b"200"), (b"content-type", b"application/grpc"))
        assert call.seen.field(b"seawall-outcome") == b"fallback"
        assert play.world.counters["all"].fallback_by_kind == {"empty": 2}


def test_empty_of_an_unknown_kind() -> None:
    """Without descriptors a message is there: a unary client fails without one, a stream takes it."""
    with playing(fallback=(to_empty(CODES),)) as play:
        assert bytes(fail(play, path=LIST).seen.data) == b"\0\0\0\0\0"


# another method


def test_another_method_of_the_same_cluster() -> None:
    """The request goes out again under the other name, with the rest as it was."""
    with playing(fallback=(to_method(CACHED, codes=CODES),), idempotent=True) as play:
        begin(play, PING, (b"x-user", b"7"))
        play.server().last.trailers_only(14)
        lines = play.forget()
        assert lines[0] == f"a#2 <- HEADERS {CACHED} x-user=7 grpc-previous-rpc-attempts=1"
        play.server().last.reply(GOOD)
        assert play.forget()[-1].startswith("client#1 <- TRAILERS OK seawall-outcome=fallback")
        assert play.world.counters["all"].fallback_by_kind == {"method": 1}


def test_another_method_of_another_cluster() -> None:
    """Both may change together."""
    step = to_method(CACHED, "dr", CODES)
    with playing(fallback=(step,), clusters=WITH_DR, idempotent=True) as play:
        begin(play, PING)
        play.server("a").last.trailers_only(14)
        assert play.forget()[0].startswith(f"d#1 <- HEADERS {CACHED}")
        play.server("d").last.reply(GOOD)
        play.forget()


def test_the_step_behind_another_method_has_the_method_called() -> None:
    """The name changes for one step only."""
    steps = (to_method(CACHED, codes=CODES), to_cluster("dr", CODES))
    with playing(fallback=steps, clusters=WITH_DR, idempotent=True) as play:
        begin(play, PING)
        play.server("a").last.trailers_only(14)
        play.server("a").last.trailers_only(14)
        assert any(line.startswith(f"d#1 <- HEADERS {GET}") for line in play.forget())
        play.server("d").last.reply(GOOD)
        play.forget()


def test_another_method_only_where_twice_is_fine() -> None:
    """A server may have done what was asked before the other method is called."""
    with playing(fallback=(to_method(CACHED, codes=CODES),)) as play:
        assert fail(play).seen.status == 14
        assert play.server().count == 1


# how long a route lives on its fallbacks


def test_degraded_once_and_recovered_once() -> None:
    """One event when it begins, one when three successes in a row are there; the calls in between none."""
    with playing(fallback=(to_empty(CODES),)) as play:
        sink = play.world.sink
        state = play.world.state().degradation
        assert state is not None
        assert not state.active
        for _ in range(3):
            play.advance(1.0)
            fail(play)
        began = sink.routes[0]
        assert [(r.degraded, r.kind, r.step, r.code, r.calls) for r in sink.routes] == [
            (True, "empty", 0, 14, 1)
        ]
        assert (state.active, state.calls, state.since) == (True, 3, began.at_s)
        for _ in range(2):
            learn(play)
        assert state.active
        play.advance(1.0)
        learn(play)
        assert not state.active
        ended = sink.routes[1]
        assert (ended.degraded, ended.calls, ended.since_s) == (False, 3, began.at_s)
        assert len(sink.routes) == 2
        assert play.world.counters["all"].degraded_calls == 6
        learn(play)
        assert (len(sink.routes), play.world.counters["all"].degraded_calls) == (2, 6)


@pytest.mark.parametrize(("code", "recovered"), [(13, False), (14, False), (5, True), (3, True)])
def test_successes_in_a_row(code: int, recovered: bool) -> None:
    """A failure of the servers, covered or not, begins the row anew; a caller's mistake does not."""
    with playing(fallback=(to_empty(CODES),), recovered_after=2) as play:
        fail(play)
        learn(play)
        fail(play, code=code)
        learn(play)
        state = play.world.state().degradation
        assert state is not None
        assert state.active != recovered


def test_a_cancelled_call_says_nothing() -> None:
    """The caller went away."""
    with playing(fallback=(to_empty(CODES),), recovered_after=2) as play:
        fail(play)
        learn(play)
        call = begin(play, PING)
        call.cancel()
        play.expect("a#3 <- RST CANCEL")
        learn(play)
        assert [r.degraded for r in play.world.sink.routes] == [True, False]


def test_a_call_from_before_says_nothing() -> None:
    """What counts is who begins after the last fallback: stragglers teach nothing."""
    with playing(fallback=(to_empty(CODES),), recovered_after=1) as play:
        begin(play, PING)
        early = play.server().last
        play.advance(1.0)
        fail(play)
        early.reply(GOOD)
        play.forget()
        state = play.world.state().degradation
        assert state is not None
        assert state.active
        learn(play)
        assert not state.active


def test_degradation_outlives_a_policy() -> None:
    """One route, one state: also for calls that still go on under the policy before."""
    with playing(fallback=(to_empty(CODES),)) as play:
        begin(play, PING)
        old = play.server().last
        play.apply(snapshot(fallback=(to_empty(CODES),), recovered_after=1, revision=2))
        fail(play)
        old.trailers_only(14)
        play.forget()
        assert len(play.world.sink.routes) == 1
        play.apply(snapshot(recovered_after=1, revision=3))
        assert play.world.state().degradation is not None
        learn(play)
        assert [r.degraded for r in play.world.sink.routes] == [True, False]
        play.apply(snapshot(revision=4))
        assert play.world.state().degradation is None


def test_a_route_without_fallbacks_has_no_such_state() -> None:
    """Nothing is kept for what cannot happen."""
    with playing() as play:
        fail(play)
        state = play.world.state()
        assert (state.degradation, state.last_good, state.journal) == (None, None, None)
        assert not state.keeps_answers


def test_a_static_step_is_told() -> None:
    """The event says which step answers, with its reason."""
    step = to_static(GOOD, GET.encode(), 0, frozenset({"UPSTREAM_RESET"}))
    with playing(fallback=(to_empty(1 << 3), step)) as play:
        begin(play, PING)
        play.server().last.reset(CANCEL)
        play.forget()
        record = play.world.sink.routes[0]
        assert (record.step, record.kind, record.reason) == (1, "static", "UPSTREAM_RESET")
