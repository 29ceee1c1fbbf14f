"""Calls that are known again by their key."""

from __future__ import annotations

import re
from random import Random

import pytest

from seawall_policy import status
from seawall_policy.journal import IdempotencyOptions, JournalOptions
from seawall_proxy.call.call_keyed import (
    FULL,
    KEY_TOO_LONG,
    NOT_KEPT,
    REQUEST_TOO_LARGE,
    STREAMING,
    UNKNOWN_KIND,
)
from seawall_proxy.http2.headers import Field
from seawall_proxy.testing import Playbook, make_policy, make_route, make_snapshot
from seawall_proxy.testing.playbook import ScriptedCall
from seawall_proxy.testing.policies import make_change, to_cluster, to_static
from seawall_proxy.testing.world import World
from tests.scenario.scenes import (
    CHAT,
    GET,
    LIST,
    METHODS,
    REFUSED_STREAM,
    UPLOAD,
    begin,
    playing,
    retrying,
    snapshot,
    tripping,
)

KEY = (b"idempotency-key", b"k1")
PING = b"\x00\x00\x00\x00\x04ping"
OTHER = b"\x00\x00\x00\x00\x04ding"
PONG = b"\x00\x00\x00\x00\x04pong"
WITH_DR = {"main": ("a",), "dr": ("d",)}
JOURNAL = IdempotencyOptions(journal=JournalOptions(ttl_s=60.0))


def journaled(**options: object) -> Playbook:
    """A route with a journal for unary methods."""
    keys = options.pop("idempotency", JOURNAL)
    return playing(idempotency=keys, methods=METHODS, **options)  # type: ignore[arg-type]


def once(play: Playbook, *fields: Field, code: int = 0, body: bytes = PING) -> ScriptedCall:
    """The first call with a key, carried out."""
    call = begin(play, body, *(fields or (KEY,)))
    if code == 0:
        play.server().last.reply(PONG, (b"x-order", b"7"))
    else:
        play.server().last.trailers_only(code, (b"x-order", b"7"))
    play.forget()
    return call


# replay


def test_the_second_call_gets_the_answer_of_the_first() -> None:
    """Message, initial metadata and trailers as the server sent them, and a trailer that says so."""
    with journaled() as play:
        once(play)
        play.advance(59.0)
        play.call(GET, PING, KEY)
        play.expect(
            "client#2 <- HEADERS",
            "client#2 <- DATA <9 bytes>",
            "client#2 <- TRAILERS OK x-order=7 seawall-outcome=ok seawall-attempts=0 seawall-replayed=true",
        )
        journal = play.world.counters["all"].journal
        assert (journal.stored, journal.replayed, journal.waited, journal.reused) == (1, 1, 0, 0)
        assert play.world.sink.calls == []


def test_for_ttl() -> None:
    """After that the key is as good as new."""
    with journaled() as play:
        once(play)
        play.advance(60.0)
        once(play)
        assert play.server().count == 2


def test_a_plain_call_pays_nothing() -> None:
    """Without a key there is no journal, and the first byte does not wait for the last."""
    with journaled() as play:
        call = play.call(GET, PING[:7], end=False)
        play.expect("a#1 <- HEADERS /shop.v1.Orders/Get", "a#1 <- DATA <7 bytes>")
        call.send(PING[7:], end=True)
        play.server().last.reply(PONG)
        play.forget()
        journal = play.world.state().journal
        assert journal is not None
        assert len(journal) == 0


def test_a_key_waits_for_the_whole_request() -> None:
    """What is to be compared must be complete before anything is sent."""
    with journaled() as play:
        call = play.call(GET, PING[:7], KEY, end=False)
        play.advance(1.0)
        play.expect_nothing()
        call.send(PING[7:])
        call.end()
        play.expect(
            "a#1 <- HEADERS /shop.v1.Orders/Get idempotency-key=k1",
            "a#1 <- DATA <7 bytes>",
            'a#1 <- DATA "ng" END',
        )
        play.server().last.reply(PONG)
        play.forget()


def test_how_the_request_was_cut_makes_no_difference() -> None:
    """The bytes are compared, not the frames."""
    with journaled() as play:
        once(play)
        call = play.call(GET, PING[:3], KEY, end=False)
        call.send(PING[3:])
        call.end()
        play.forget()
        assert call.seen.field(b"seawall-replayed") == b"true"


def test_another_request_under_the_same_key() -> None:
    """It is refused: one of the two is a mistake, and neither may be taken for the other."""
    with journaled() as play:
        once(play)
        play.call(GET, OTHER, KEY)
        play.expect("client#2 <- TRAILERS-ONLY INVALID_ARGUMENT LOCAL IDEMPOTENCY_KEY_REUSED rejected")
        assert play.server().count == 1
        assert play.world.counters["all"].rejected_by == {"IDEMPOTENCY_KEY_REUSED": 1}
        assert play.world.counters["all"].journal.reused == 1


def test_no_fallback_covers_a_reused_key() -> None:
    """The caller has to hear of it."""
    with journaled(fallback=(to_static(PONG, GET.encode()),)) as play:
        once(play)
        assert begin(play, OTHER, KEY).seen.status == status.INVALID_ARGUMENT


@pytest.mark.parametrize("fields", [((b"idempotency-key", b"k2"),), (KEY, (b"authorization", b"bob"))])
def test_another_key_or_caller_is_another_call(fields: tuple[Field, ...]) -> None:
    """Keys are their callers' own: nobody gets another's answer, or learns that there is one."""
    with journaled() as play:
        once(play)
        call = once(play, *fields, body=OTHER)
        assert call.seen.status == 0
        assert play.server().count == 2


def test_another_method_is_another_call() -> None:
    """A key belongs to a method."""
    methods = {**METHODS, b"/shop.v1.Orders/Put": METHODS[GET.encode()]}
    with playing(idempotency=JOURNAL, methods=methods) as play:
        once(play)
        begin(play, OTHER, KEY, path="/shop.v1.Orders/Put")
        play.server().last.reply(PONG)
        play.forget()
        assert play.server().count == 2


def test_scope_and_key_are_settings() -> None:
    """Other metadata may tell callers apart, and the key may travel elsewhere."""
    keys = IdempotencyOptions(key=b"x-key", journal=JournalOptions(scope=(b"x-tenant",)))
    with journaled(idempotency=keys) as play:
        once(play, (b"x-key", b"1"), (b"x-tenant", b"red"), (b"authorization", b"t1"))
        call = begin(play, PING, (b"x-key", b"1"), (b"x-tenant", b"red"), (b"authorization", b"t2"))
        assert call.seen.field(b"seawall-replayed") == b"true"
        once(play, (b"x-key", b"1"), (b"x-tenant", b"blue"))
        assert play.server().count == 2


# what is kept


@pytest.mark.parametrize("code", [3, 5, 6, 7, 9, 13, 15, 2])
def test_final_failures_are_kept(code: int) -> None:
    """The server has said what came of the call."""
    with journaled() as play:
        once(play, code=code)
        call = begin(play, PING, KEY)
        assert call.seen.status == code
        assert call.seen.field(b"x-order") == b"7"
        assert call.seen.field(b"seawall-outcome") == b"failed"
        assert call.seen.field(b"seawall-replayed") == b"true"
        assert play.server().count == 1


@pytest.mark.parametrize("code", [1, 4, 8, 10, 14, 16])
def test_transient_failures_are_not_kept(code: int) -> None:
    """They say nothing final: the next call is carried out."""
    with journaled() as play:
        once(play, code=code)
        assert once(play).seen.status == 0
        assert play.server().count == 2
        assert begin(play, PING, KEY).seen.field(b"seawall-replayed") == b"true"


def test_a_failure_behind_a_message_is_kept_as_a_status() -> None:
    """The trailers are what counts of it."""
    with journaled() as play:
        begin(play, PING, KEY)
        play.server().last.reply(PONG, (b"x-order", b"7"), code=5)
        play.forget()
        play.call(GET, PING, KEY)
        play.expect(
            "client#2 <- TRAILERS-ONLY NOT_FOUND"
            " x-order=7 seawall-outcome=failed seawall-attempts=0 seawall-replayed=true"
        )


def test_an_ok_without_a_message_is_kept() -> None:
    """Trailers-only with OK is odd, and an answer."""
    with journaled() as play:
        begin(play, PING, KEY)
        play.server().last.trailers_only(0)
        play.forget()
        assert begin(play, PING, KEY).seen.field(b"seawall-replayed") == b"true"


def test_statuses_of_ours_are_not_kept() -> None:
    """An open breaker, a reset stream, a deadline: the call may not have been carried out at all."""
    with journaled(breaker=tripping(1)) as play:
        begin(play, PING, KEY)
        play.server().last.reset(0x2)
        play.forget()
        assert begin(play, PING, KEY).seen.field(b"seawall-reason") == b"BREAKER_OPEN"
        play.advance(5.1)
        assert once(play).seen.status == 0


def test_large_answers_are_not_kept() -> None:
    """1 MiB at most; the call itself notices nothing."""
    with journaled() as play:
        begin(play, PING, KEY)
        size = 1 << 20
        server = play.server().last
        server.headers()
        server.data(b"\x00" + size.to_bytes(4, "big"))
        for _ in range(16):
            server.data(b"x" * 65536)
        server.trailers(0)
        play.forget()
        assert play.world.counters["all"].journal.skipped == {NOT_KEPT: 1}
        once(play)
        assert play.server().count == 2


def test_the_oldest_answers_make_room() -> None:
    """`max_entries` and `memory` hold."""
    with journaled(idempotency=IdempotencyOptions(journal=JournalOptions(max_entries=2))) as play:
        for number in range(3):
            once(play, (b"idempotency-key", b"%d" % number))
        assert begin(play, PING, (b"idempotency-key", b"1")).seen.field(b"seawall-replayed") == b"true"
        once(play, (b"idempotency-key", b"0"))
        assert play.server().count == 4


def test_the_route_changes_headers_of_replayed_answers() -> None:
    """As of every answer."""
    policy = make_policy(idempotency=JOURNAL)
    route = make_route(policy, response_headers=make_change(set={b"x-by": b"seawall"}))
    with Playbook(make_snapshot(route, methods=METHODS)) as play:
        once(play)
        assert (b"x-by", b"seawall") in (begin(play, PING, KEY).seen.headers or ())
        key = (b"idempotency-key", b"k2")
        once(play, key, code=5)
        call = begin(play, PING, key)
        assert call.seen.field(b"x-by") == b"seawall"


# while it is at work


def test_a_duplicate_waits_for_the_one_at_work() -> None:
    """The server sees one call; both callers hear its answer."""
    with journaled() as play:
        begin(play, PING, KEY)
        second = begin(play, PING, KEY)
        third = begin(play, PING, KEY)
        play.advance(1.0)
        play.expect_nothing()
        play.server().last.reply(PONG)
        play.forget()
        assert play.server().count == 1
        for call in (second, third):
            assert bytes(call.seen.data) == PONG
            assert call.seen.field(b"seawall-replayed") == b"true"
        assert play.world.counters["all"].journal.waited == 2


def test_another_request_does_not_wait() -> None:
    """It is known at once that the key is not its own."""
    with journaled() as play:
        begin(play, PING, KEY)
        assert begin(play, OTHER, KEY).seen.status == status.INVALID_ARGUMENT
        play.server().last.reply(PONG)
        play.forget()


def test_a_client_that_cancels_while_it_waits() -> None:
    """It leaves nothing behind, and the others go on."""
    with journaled() as play:
        begin(play, PING, KEY)
        second = begin(play, PING, KEY)
        third = begin(play, PING, KEY)
        second.cancel()
        play.server().last.reply(PONG)
        play.forget()
        assert third.seen.field(b"seawall-replayed") == b"true"
        assert play.world.counters["all"].cancelled == 1


def test_each_waits_by_its_own_deadline() -> None:
    """Whoever runs out of time hears of it, whatever the first one does."""
    with journaled() as play:
        begin(play, PING, KEY)
        second = begin(play, PING, KEY, timeout=b"100m")
        play.advance(0.12)
        play.forget()
        assert (second.seen.status, second.seen.field(b"seawall-reason")) == (4, b"DEADLINE_EXCEEDED")
        play.server().last.reply(PONG)
        play.forget()


def test_when_the_first_is_cancelled_the_next_takes_over() -> None:
    """In the order in which they came."""
    with journaled() as play:
        first = begin(play, PING, KEY)
        second = begin(play, PING, KEY)
        third = begin(play, PING, KEY)
        first.cancel()
        play.advance(0.01)
        play.expect(
            "a#1 <- RST CANCEL",
            "a#2 <- HEADERS /shop.v1.Orders/Get idempotency-key=k1",
            "a#2 <- DATA <9 bytes> END",
        )
        play.server().last.reply(PONG)
        play.forget()
        assert second.seen.field(b"seawall-replayed") is None
        assert third.seen.field(b"seawall-replayed") == b"true"


@pytest.mark.parametrize("how", ["status", "reset", "half"])
def test_when_the_first_fails_in_the_middle_the_next_takes_over(how: str) -> None:
    """What says nothing final answers nobody else."""
    with journaled() as play:
        first = begin(play, PING, KEY)
        second = begin(play, PING, KEY)
        if how == "status":
            play.server().last.trailers_only(14)
        elif how == "reset":
            play.server().last.reset(0x2)
        else:
            play.server().last.headers()
            play.server().last.data(PONG[:6])
            play.server().last.reset(0x8)
        play.advance(0.01)
        play.forget()
        assert first.seen.status != 0
        play.server().last.reply(PONG)
        play.forget()
        assert bytes(second.seen.data) == PONG
        assert begin(play, PING, KEY).seen.field(b"seawall-replayed") == b"true"


def test_many_that_wait_for_what_cannot_be() -> None:
    """Each is tried in turn, and the stack does not grow with their number."""
    with journaled(clusters={"main": ("a", "b")}) as play:
        begin(play, PING, KEY)
        calls = [play.call(GET, PING, KEY, client=f"c{n % 20}") for n in range(1500)]
        for name in ("a", "b"):
            play.server(name).set_mode("refuse")
            play.server(name).cut()
        play.advance(3.0)
        play.forget()
        assert {call.seen.status for call in calls} == {14}


def test_retries_are_inside() -> None:
    """The journal keeps what came of the attempts together."""
    with journaled(retry=retrying(3)) as play:
        first = begin(play, PING, KEY)
        second = begin(play, PING, KEY)
        play.server().last.trailers_only(14)
        play.advance(0.03)
        play.server().last.reply(PONG)
        play.forget()
        assert first.seen.field(b"seawall-outcome") == b"retried"
        assert second.seen.field(b"seawall-outcome") == b"ok"
        assert second.seen.field(b"seawall-attempts") == b"0"


def test_fallbacks_are_outside() -> None:
    """A fallback's answer is nobody else's; while it is fetched the next caller is carried out."""
    with journaled(fallback=(to_cluster("dr", 1 << 14),), clusters=WITH_DR, idempotent=True) as play:
        first = begin(play, PING, KEY)
        second = begin(play, PING, KEY)
        play.server("a").last.trailers_only(14)
        play.advance(0.01)
        assert (play.server("a").count, play.server("d").count) == (2, 1)
        play.server("d").last.reply(b"\0\0\0\0\x02dr")
        play.server("a").last.reply(PONG)
        play.forget()
        assert bytes(first.seen.data) == b"\0\0\0\0\x02dr"
        assert bytes(second.seen.data) == PONG


def test_a_kept_failure_is_covered_by_a_fallback() -> None:
    """The replayed status is a failure like a fresh one, also for those that wait."""
    with journaled(fallback=(to_static(PONG, GET.encode(), 1 << 5),)) as play:
        calls = [begin(play, PING, KEY), begin(play, PING, KEY)]
        play.server().last.trailers_only(5)
        play.forget()
        calls.append(begin(play, PING, KEY))
        for call in calls:
            assert bytes(call.seen.data) == PONG
            assert call.seen.field(b"seawall-outcome") == b"fallback"
        assert play.server().count == 1


def test_a_kept_failure_goes_to_no_other_cluster() -> None:
    """A server has carried the call out: elsewhere it would be carried out again."""
    with journaled(fallback=(to_cluster("dr", 1 << 5),), clusters=WITH_DR) as play:
        once(play, code=5)
        assert begin(play, PING, KEY).seen.status == 5
        assert play.server("d").count == 0


def test_a_replay_is_no_success_of_the_server() -> None:
    """It does not end a degradation."""
    with journaled(fallback=(to_static(PONG, GET.encode(), 1 << 14),), recovered_after=1) as play:
        once(play)
        play.advance(1.0)
        once(play, (b"idempotency-key", b"k2"), code=14)
        begin(play, PING, KEY)
        state = play.world.state().degradation
        assert state is not None
        assert state.active


# policies


def test_a_policy_swap_keeps_the_journal() -> None:
    """What is known, and who is at work, outlives the document."""
    with journaled() as play:
        once(play, (b"idempotency-key", b"k0"))
        first = begin(play, PING, KEY)
        waits = begin(play, PING, KEY)
        play.apply(snapshot(idempotency=JOURNAL, methods=METHODS, revision=2))
        assert begin(play, PING, (b"idempotency-key", b"k0")).seen.field(b"seawall-replayed") == b"true"
        later = begin(play, PING, KEY)
        play.server().last.reply(PONG)
        play.forget()
        assert first.seen.field(b"seawall-replayed") is None
        for call in (waits, later):
            assert call.seen.field(b"seawall-replayed") == b"true"
        assert play.server().count == 2


def test_a_policy_without_a_journal_ends_it() -> None:
    """Those at work under the one before still come to their end."""
    with journaled() as play:
        begin(play, PING, KEY)
        waits = begin(play, PING, KEY)
        play.apply(snapshot(methods=METHODS, revision=2))
        begin(play, PING, KEY)
        assert play.server().count == 2
        play.server().request(1).reply(PONG)
        play.forget()
        assert waits.seen.field(b"seawall-replayed") == b"true"
        play.server().request(2).reply(PONG)
        play.forget()


# what passes by


@pytest.mark.parametrize("path", [LIST, CHAT, UPLOAD])
def test_streams_pass_by(path: str) -> None:
    """They are carried out, and counted."""
    with journaled() as play:
        for _ in range(2):
            begin(play, PING, KEY, path=path)
            play.server().last.reply(PONG)
            play.forget()
        assert play.server().count == 2
        assert play.world.counters["all"].journal.skipped == {STREAMING: 2}


def test_long_and_empty_keys_pass_by() -> None:
    """256 bytes are the most."""
    with journaled() as play:
        for length in (257, 257, 0, 0, 256, 256):
            begin(play, PING, (b"idempotency-key", b"k" * length))
            if play.server().count < 6:
                play.server().last.reply(PONG)
            play.forget()
        assert play.server().count == 5
        assert play.world.counters["all"].journal.skipped == {KEY_TOO_LONG: 2}


def test_large_requests_pass_by() -> None:
    """More than 1 MiB cannot be compared, and is not kept back."""
    with journaled() as play:
        call = play.call(GET, None, KEY, end=False)
        for _ in range(32):
            call.send(b"x" * 32768)
        play.expect_nothing()
        call.send(b"x", end=True)
        assert play.server().count == 1
        play.server().last.reply(PONG)
        play.forget()
        assert play.world.counters["all"].journal.skipped == {REQUEST_TOO_LARGE: 1}


def test_a_request_of_a_mebibyte_is_known_again() -> None:
    """Credit is given while it is awaited, and once only."""
    with journaled() as play:
        for replayed in (None, b"true"):
            call = play.call(GET, None, KEY, end=False)
            for _ in range(32):
                call.send(b"x" * 32768)
            call.end()
            if not play.server().server.calls[0].answered:
                play.server().last.reply(PONG)
            play.forget()
            assert call.seen.field(b"seawall-replayed") == replayed


def test_of_an_unknown_kind_the_request_is_awaited_for_a_moment() -> None:
    """Where nothing says that a method is unary, the request does: it is complete at once, or a stream."""
    with playing(idempotency=JOURNAL) as play:
        once(play)
        assert begin(play, PING, KEY).seen.field(b"seawall-replayed") == b"true"
        call = play.call(GET, PING, (b"idempotency-key", b"k2"), end=False)
        play.advance(0.049)
        play.expect_nothing()
        play.advance(0.003)
        play.expect("a#2 <- HEADERS /shop.v1.Orders/Get idempotency-key=k2", "a#2 <- DATA <9 bytes>")
        call.end()
        play.expect('a#2 <- DATA "" END')
        play.server().last.reply(PONG)
        play.forget()
        assert play.world.counters["all"].journal.skipped == {UNKNOWN_KIND: 1}


def test_no_room_for_more_keys_at_work() -> None:
    """Those beyond are carried out as if there were no journal."""
    with journaled(idempotency=IdempotencyOptions(journal=JournalOptions(max_entries=1))) as play:
        begin(play, PING, KEY)
        begin(play, PING, (b"idempotency-key", b"k2"))
        play.server().request(2).reply(PONG)
        play.server().request(1).reply(PONG)
        play.forget()
        assert play.world.counters["all"].journal.skipped == {FULL: 1}


def test_a_call_that_ends_while_its_request_is_awaited() -> None:
    """By its deadline or its client; nothing was sent, nothing is left."""
    with journaled() as play:
        late = play.call(GET, PING[:7], KEY, end=False, timeout=b"100m")
        gone = play.call(GET, PING[:7], KEY, end=False)
        gone.cancel()
        play.advance(0.12)
        play.forget()
        assert late.seen.status == 4
        assert play.server().count == 0


# keys


def test_a_key_makes_a_call_idempotent_where_the_server_honours_it() -> None:
    """Retries after a server has seen the call, with the same key each time."""
    keys = IdempotencyOptions(server_honours=True)
    with playing(idempotency=keys, retry=retrying(2, only_idempotent=True)) as play:
        call = begin(play, PING, KEY)
        play.server().last.trailers_only(14)
        play.advance(0.03)
        play.expect(
            "a#2 <- HEADERS /shop.v1.Orders/Get idempotency-key=k1 grpc-previous-rpc-attempts=1",
            "a#2 <- DATA <9 bytes> END",
        )
        play.server().last.reply(PONG)
        play.forget()
        assert call.seen.status == 0
        assert begin(play, PING).seen.status is None
        play.server().last.trailers_only(14)
        play.expect("client#2 <- TRAILERS-ONLY UNAVAILABLE")


def test_a_key_that_the_server_honours_is_not_known_elsewhere() -> None:
    """A fallback's cluster or method is another server, which may carry the call out a second time; where no
    server has seen the call it may.
    """
    keys = IdempotencyOptions(server_honours=True)
    clusters = {"main": ("a",), "other": ("z",)}
    with playing(idempotency=keys, fallback=(to_cluster("other"),), clusters=clusters) as play:
        call = begin(play, PING, KEY)
        play.server("a").last.trailers_only(14)
        play.expect("client#1 <- TRAILERS-ONLY UNAVAILABLE")
        assert call.seen.status == 14
        begin(play, PING, KEY)
        for _ in range(2):
            play.server("a").last.reset(REFUSED_STREAM)
        play.forget()
        assert play.server("z").count == 1
        play.server("z").last.trailers_only(0)
        play.forget()


def test_a_journal_alone_makes_nothing_idempotent() -> None:
    """It knows what was answered, not what was done without an answer."""
    with journaled(retry=retrying(2, only_idempotent=True)) as play:
        assert once(play, code=14).seen.status == 14
        assert play.server().count == 1


def test_a_generated_key_is_the_same_in_all_attempts() -> None:
    """And another for each call: a UUID of version 4."""
    keys = IdempotencyOptions(generate=True, server_honours=True)
    world = World(draw=Random(7).random)
    made = make_snapshot(make_route(make_policy(idempotency=keys, retry=retrying(2, only_idempotent=True))))
    with Playbook(made, world=world) as play:
        for _ in range(2):
            begin(play, PING)
            play.server().last.reset(REFUSED_STREAM)
            play.server().last.trailers_only(14)
            play.advance(0.05)
            play.server().last.reply(PONG)
            play.forget()
        seen = [request.field(b"idempotency-key") or b"" for request in play.server().server.calls]
        assert len(seen) == 6
        assert seen[0] == seen[1] == seen[2] != seen[3] == seen[4] == seen[5]
        for key in seen:
            assert re.fullmatch(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", key)


def test_the_callers_key_stays() -> None:
    """A key is only made where there is none."""
    keys = IdempotencyOptions(generate=True)
    with playing(idempotency=keys) as play:
        play.call(GET, PING, KEY)
        assert "a#1 <- HEADERS /shop.v1.Orders/Get idempotency-key=k1" in play.forget()
        play.server().last.reply(PONG)
        play.forget()
