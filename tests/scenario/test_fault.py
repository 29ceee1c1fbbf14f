"""Injected faults: what the client, the servers and every mechanism around see of them."""

from __future__ import annotations

import pytest

from seawall_policy import fault, status
from seawall_policy.breaker import OPEN
from seawall_policy.fault import FaultOptions, FaultStatistics
from seawall_proxy.testing import Playbook, make_policy, make_route, make_snapshot
from seawall_proxy.testing.policies import to_cluster
from tests.scenario.scenes import (
    CHAT,
    GET,
    LIST,
    METHODS,
    begin,
    playing,
    retrying,
    snapshot,
    tripping,
)

FAR = 1e9
"""An end that no scenario reaches; playbooks start at 1000 s, and their wall clock says the same."""


def frame(payload: bytes) -> bytes:
    """Return a gRPC message."""
    return b"\0" + len(payload).to_bytes(4, "big") + payload


def aborting(share: float = 1.0, **more: object) -> FaultOptions:
    """Abort attempts."""
    return FaultOptions(until_s=FAR, abort_share=share, **more)  # type: ignore[arg-type]


def delaying(seconds: float, **more: object) -> FaultOptions:
    """Delay every attempt."""
    return FaultOptions(until_s=FAR, delay_share=1.0, delay_s=seconds, **more)  # type: ignore[arg-type]


def breaking(kind: int, after: int = 1, **more: object) -> FaultOptions:
    """Break every response."""
    options: dict[str, object] = {"until_s": FAR, "stream_share": 1.0, **more}
    return FaultOptions(stream_kind=kind, stream_after=after, **options)  # type: ignore[arg-type]


def statistics(play: Playbook) -> FaultStatistics:
    """Return what was counted on the only route."""
    return play.world.counters["all"].faults


def test_abort_before_anything_is_sent() -> None:
    """The client gets the status with reason and mark; no server sees anything (A33)."""
    with playing(fault=aborting(abort_code=status.ABORTED)) as play:
        call = begin(play)
        assert call.seen.status == status.ABORTED
        assert call.seen.field(b"seawall-reason") == b"FAULT_INJECTED"
        assert call.seen.field(b"seawall-fault") == b"abort"
        assert play.server().count == 0
        assert statistics(play).injected[fault.ABORT] == 1
        assert play.world.sink.calls == []


def test_abort_says_what_the_policy_wants() -> None:
    """The message of the policy replaces the usual one."""
    with playing(fault=aborting(abort_message="a drill, 50% of all")) as play:
        call = begin(play)
        assert call.seen.field(b"grpc-message") == b"a drill, 50%25 of all"


def test_injected_failures_are_not_the_endpoint_s() -> None:
    """Local rejections and injected faults never count against an endpoint (envoy #25487)."""
    with playing(fault=aborting()) as play:
        for _ in range(5):
            begin(play)
        endpoint = play.world.endpoint("a")
        assert (endpoint.failures, endpoint.in_flight) == (0, 0)


def test_the_latency_of_an_injected_delay_is_not_observed() -> None:
    """peak_ewma does not learn from attempts under a fault."""
    with playing(fault=delaying(0.2)) as play:
        endpoint = play.world.endpoint("a")
        endpoint.watched = True
        before = endpoint.latency
        begin(play)
        play.advance(0.25)
        play.server().last.reply(b"x", code=14)
        play.forget()
        assert endpoint.failures == 0
        assert endpoint.latency is before


def test_the_breaker_counts_it() -> None:
    """For everything outside the endpoint has failed: the breaker opens."""
    with playing(fault=aborting(), breaker=tripping(2)) as play:
        begin(play)
        begin(play)
        breaker = play.world.state().breaker
        assert breaker is not None
        assert breaker.state == OPEN
        call = begin(play)
        assert call.seen.field(b"seawall-reason") == b"BREAKER_OPEN"
        assert call.seen.field(b"seawall-fault") is None


def test_it_is_retried_like_a_failure_that_the_server_may_have_seen() -> None:
    """An abort is no transparent retry: the policy's codes, waits and idempotence apply."""
    with playing(fault=aborting(0.4), retry=retrying()) as play:
        play.world.draw.next = [0.0]  # type: ignore[attr-defined]
        begin(play)
        play.expect_nothing()
        play.advance(0.03)
        play.expect(
            "a#1 <- HEADERS /shop.v1.Orders/Get grpc-previous-rpc-attempts=1", 'a#1 <- DATA "ping" END'
        )
        play.server().last.trailers_only(0)
        play.expect(
            "client#1 <- TRAILERS-ONLY OK seawall-outcome=retried seawall-attempts=2"
            " seawall-reason=FAULT_INJECTED seawall-fault=abort"
        )


def test_a_method_that_is_not_idempotent_is_not_retried_after_it() -> None:
    """What is retried in the experiment is what would be retried in earnest."""
    with playing(fault=aborting(), retry=retrying(only_idempotent=True)) as play:
        call = begin(play)
        assert call.seen.field(b"seawall-attempts") == b"1"


def test_fallbacks_answer_it_and_are_not_broken_themselves() -> None:
    """The fallback of a broken route is what the experiment proves."""
    clusters = {"main": ("a",), "spare": ("b",)}
    steps = (to_cluster("spare", codes=0, reasons=frozenset({"FAULT_INJECTED"})),)
    with playing(fault=aborting(), fallback=steps, clusters=clusters, idempotent=True) as play:
        begin(play)
        play.server("b").last.reply(b"spare")
        lines = play.forget()
        assert lines[-1] == (
            "client#1 <- TRAILERS OK seawall-outcome=fallback seawall-attempts=2"
            " seawall-reason=FAULT_INJECTED seawall-fault=abort"
        )


def test_delay_before_anything_is_sent() -> None:
    """The request goes out when the delay is over, whole, and the answer is marked."""
    with playing(fault=delaying(0.2)) as play:
        call = play.call(GET, b"pi", end=False)
        call.send(b"ng", end=True)
        play.advance(0.19)
        play.expect_nothing()
        assert statistics(play).active == 1
        play.advance(0.02)
        play.expect("a#1 <- HEADERS /shop.v1.Orders/Get", 'a#1 <- DATA "pi"', 'a#1 <- DATA "ng" END')
        play.server().last.trailers_only(0)
        play.expect("client#1 <- TRAILERS-ONLY OK seawall-outcome=ok seawall-attempts=1 seawall-fault=delay")


def test_delay_then_abort() -> None:
    """Both draws hit: the abort comes after the delay (A33)."""
    options = FaultOptions(until_s=FAR, abort_share=1.0, delay_share=1.0, delay_s=0.1)
    with playing(fault=options) as play:
        call = begin(play)
        play.advance(0.05)
        assert call.seen.status is None
        play.advance(0.06)
        play.forget()
        assert call.seen.status == status.UNAVAILABLE
        assert call.seen.field(b"seawall-fault") == b"abort,delay"
        assert play.server().count == 0


def test_a_client_may_go_away_while_delayed() -> None:
    """Nothing is sent for it then, and nothing is left behind."""
    with playing(fault=delaying(0.2)) as play:
        call = begin(play)
        call.cancel()
        assert statistics(play).active == 0
        play.advance(0.3)
        assert play.server().count == 0


def test_the_deadline_ends_a_delay() -> None:
    """A delay does not outlast the caller's time."""
    with playing(fault=delaying(0.5)) as play:
        call = begin(play, timeout=b"100m")
        play.advance(0.12)
        play.forget()
        assert call.seen.status == status.DEADLINE_EXCEEDED
        assert statistics(play).active == 0
        play.advance(1.0)
        assert play.server().count == 0


def test_the_per_try_timeout_ends_a_delay() -> None:
    """A delayed attempt is a slow attempt: it is cut short and retried."""
    with playing(fault=delaying(0.5), per_try_timeout_s=0.1, retry=retrying(2)) as play:
        call = begin(play)
        play.advance(0.4)
        play.forget()
        assert call.seen.status == status.DEADLINE_EXCEEDED
        assert call.seen.field(b"seawall-attempts") == b"2"
        assert statistics(play).injected[fault.DELAY] == 2
        assert play.world.endpoint("a").failures == 0


def test_a_delay_survives_that_the_endpoint_goes_away() -> None:
    """A policy that comes meanwhile changes nothing for the call; its endpoint is asked all the same."""
    with playing(fault=delaying(0.1)) as play:
        begin(play)
        play.apply(snapshot(revision=2))
        play.advance(0.12)
        play.server().last.reply(b"pong")
        assert play.forget()[-1].startswith("client#1 <- TRAILERS OK")
        assert statistics(play).active == 0


def test_bandwidth_paces_the_response() -> None:
    """8 KiB at 4 KiB a second take two seconds, and the trailers come behind them."""
    options = FaultOptions(until_s=FAR, bandwidth_share=1.0, bytes_per_second=4096)
    with playing(fault=options, methods=METHODS) as play:
        call = begin(play, path=LIST)
        play.server().last.reply(bytes(8192))
        play.advance(1.0)
        assert 3000 < len(call.seen.data) <= 4096
        assert call.seen.status is None
        play.advance(1.1)
        play.forget()
        assert len(call.seen.data) == 8192
        assert call.seen.status == status.OK
        assert call.seen.field(b"seawall-fault") == b"bandwidth"


def test_bandwidth_holds_the_endpoint_up() -> None:
    """Bytes that have not passed get no credit: an endpoint cannot fill the proxy's memory."""
    options = FaultOptions(until_s=FAR, bandwidth_share=1.0, bytes_per_second=1024)
    with playing(fault=options, methods=METHODS) as play:
        begin(play, path=LIST)
        play.server().last.headers()
        play.server().last.data(bytes(1 << 20))
        play.advance(1.0)
        assert play.server().last.seen.sent < 300_000
        play.forget()
        play.disconnect()
        play.forget()


def test_a_lost_connection_is_noticed_behind_the_bytes_under_way() -> None:
    """What was under way arrives first, as on a real link."""
    options = FaultOptions(until_s=FAR, bandwidth_share=1.0, bytes_per_second=1024)
    with playing(fault=options, methods=METHODS) as play:
        call = begin(play, path=LIST)
        play.server().last.headers()
        play.server().last.data(bytes(512))
        play.server().cut()
        play.forget()
        assert call.seen.status is None
        play.advance(0.6)
        play.forget()
        assert len(call.seen.data) == 512
        assert call.seen.status == status.UNAVAILABLE


def test_abort_after_messages() -> None:
    """The first two messages arrive, then the status; the endpoint is told to stop."""
    with playing(
        fault=breaking(fault.STREAM_ABORT, 2, stream_code=status.DATA_LOSS), methods=METHODS
    ) as play:
        call = begin(play, path=LIST)
        play.server().last.headers()
        one = frame(b"one")
        play.server().last.data(one + one[:3])
        play.server().last.data(one[3:] + frame(b"three"))
        lines = play.forget()
        assert "a#1 <- RST CANCEL" in lines
        assert call.seen.data == one + one
        assert call.seen.status == status.DATA_LOSS
        assert call.seen.field(b"seawall-fault") == b"stream"
        assert statistics(play).injected == [0, 0, 0, 1]


def test_a_shorter_response_is_not_broken() -> None:
    """With fewer messages there is nothing to break, and nothing is marked."""
    with playing(fault=breaking(fault.STREAM_ABORT, 2), methods=METHODS) as play:
        call = begin(play, path=LIST)
        play.server().last.reply(frame(b"one"))
        play.forget()
        assert call.seen.status == status.OK
        assert call.seen.field(b"seawall-fault") is None
        assert statistics(play).injected == [0, 0, 0, 0]


def test_a_unary_answer_that_breaks_is_retried() -> None:
    """The message is held back until the trailers, so a broken answer can still be replaced."""
    options = breaking(fault.STREAM_ABORT, 1, stream_share=0.4)
    with playing(fault=options, retry=retrying(), methods=METHODS) as play:
        play.world.draw.next = [0.0]  # type: ignore[attr-defined]
        call = begin(play)
        play.server().last.reply(frame(b"lost"))
        play.advance(0.03)
        play.server().last.reply(frame(b"kept"))
        play.forget()
        assert call.seen.data == frame(b"kept")
        assert call.seen.field(b"seawall-outcome") == b"retried"


@pytest.mark.parametrize("only", [False, True])
def test_abort_after_headers(only: bool) -> None:
    """After 0 messages a response breaks as soon as it has begun, also one that is nothing but a status."""
    with playing(fault=breaking(fault.STREAM_ABORT, 0), methods=METHODS) as play:
        call = begin(play, path=LIST)
        if only:
            play.server().last.trailers_only(0)
        else:
            play.server().last.headers()
        play.forget()
        assert call.seen.status == status.UNAVAILABLE


def test_stall_until_the_deadline() -> None:
    """Nothing more comes after the first message, and the deadline ends the call."""
    with playing(fault=breaking(fault.STREAM_STALL), methods=METHODS) as play:
        call = begin(play, path=LIST, timeout=b"1S")
        play.server().last.reply(frame(b"one") + frame(b"two"))
        play.advance(0.9)
        assert call.seen.data == frame(b"one")
        assert call.seen.status is None
        play.advance(0.2)
        play.forget()
        assert call.seen.status == status.DEADLINE_EXCEEDED
        assert call.seen.field(b"seawall-fault") == b"stream"


def test_a_stall_ends_with_the_fault() -> None:
    """Without a deadline, the end of the fault ends what is stalled."""
    with playing(fault=breaking(fault.STREAM_STALL, until_s=1010.0), methods=METHODS) as play:
        call = begin(play, path=CHAT)
        play.server().last.headers()
        play.server().last.data(frame(b"one"))
        play.advance(9.0)
        assert call.seen.status is None
        play.advance(1.1)
        play.forget()
        assert call.seen.status == status.UNAVAILABLE
        assert call.seen.field(b"seawall-reason") == b"FAULT_INJECTED"


@pytest.mark.parametrize("only", [False, True])
def test_dropped_trailers(only: bool) -> None:
    """A response without trailers has no status: never OK, but UNKNOWN (P12)."""
    with playing(fault=breaking(fault.STREAM_DROP_TRAILERS), methods=METHODS) as play:
        call = begin(play)
        if only:
            play.server().last.trailers_only(0)
        else:
            play.server().last.reply(frame(b"one"))
        play.forget()
        assert call.seen.status == status.UNKNOWN
        assert call.seen.field(b"seawall-reason") == b"UPSTREAM_PROTOCOL_ERROR"
        assert call.seen.field(b"seawall-fault") == b"stream"
        assert play.world.endpoint("a").failures == 0


def test_bandwidth_and_abort_after_messages() -> None:
    """Both on one response: it breaks when the message has arrived over the slow link."""
    options = breaking(fault.STREAM_ABORT, 1, bandwidth_share=1.0, bytes_per_second=1024)
    with playing(fault=options, methods=METHODS) as play:
        call = begin(play, path=LIST)
        play.server().last.reply(frame(bytes(1019)) + frame(b"two"))
        play.advance(0.9)
        assert call.seen.status is None
        play.advance(0.2)
        play.forget()
        assert len(call.seen.data) == 1024
        assert call.seen.status == status.UNAVAILABLE
        assert call.seen.field(b"seawall-fault") == b"bandwidth,stream"


def test_metadata_targets() -> None:
    """Only calls that carry every key and value meet faults."""
    options = aborting(metadata=((b"x-drill", b"yes"), (b"x-tier", b"test")))
    with playing(fault=options) as play:
        for fields in ([], [(b"x-drill", b"yes")], [(b"x-drill", b"no"), (b"x-tier", b"test")]):
            begin(play, b"ping", *fields)
            play.server().last.trailers_only(0)
            play.forget()
        call = begin(play, b"ping", (b"x-drill", b"yes"), (b"x-tier", b"test"))
        assert call.seen.status == status.UNAVAILABLE
        assert play.server().count == 3


def test_per_call_metadata_targets() -> None:
    """A key that is different for each call is found as well."""
    options = aborting(metadata=((b"x-request-id", b"7"),))
    with playing(fault=options) as play:
        call = play.call(GET, b"ping", (b"x-request-id", b"7"), never_indexed=(b"x-request-id",))
        play.forget()
        assert call.seen.status == status.UNAVAILABLE


def test_it_ends_by_itself() -> None:
    """From `until` on nothing is injected, in wall-clock time as told with the policy."""
    play = Playbook(snapshot(revision=1))
    with play:
        play.world.wall_offset_s = 500.0
        play.apply(snapshot(revision=2, fault=FaultOptions(until_s=1510.0, abort_share=1.0)))
        assert begin(play).seen.status == status.UNAVAILABLE
        play.advance(9.9)
        assert begin(play).seen.status == status.UNAVAILABLE
        play.advance(0.2)
        begin(play)
        play.server().last.trailers_only(0)
        play.expect("client#3 <- TRAILERS-ONLY OK")


def test_delays_end_with_the_fault() -> None:
    """What still waits when the time is up goes on at once."""
    with playing(fault=FaultOptions(until_s=1010.0, delay_share=1.0, delay_s=60.0)) as play:
        begin(play)
        play.advance(10.1)
        assert play.server().count == 1
        play.server().last.trailers_only(0)
        play.forget()


def test_a_slow_link_ends_with_the_fault() -> None:
    """What has not passed when the time is up passes at once."""
    options = FaultOptions(until_s=1002.0, bandwidth_share=1.0, bytes_per_second=1024)
    with playing(fault=options, methods=METHODS) as play:
        call = begin(play, path=LIST)
        play.server().last.reply(bytes(20_000))
        play.advance(2.1)
        play.forget()
        assert len(call.seen.data) == 20_000
        assert call.seen.status == status.OK


def test_a_fault_of_the_past_is_not_there() -> None:
    """A document whose fault is over costs its calls nothing."""
    with playing(fault=FaultOptions(until_s=999.0, abort_share=1.0)) as play:
        assert play.world.state().faults is None


def test_max_active() -> None:
    """No more than so many attempts are under a fault at once; the others go on as if there were none."""
    with playing(fault=delaying(1.0, max_active=2)) as play:
        for _ in range(3):
            begin(play)
        assert play.server().count == 1
        assert (statistics(play).active, statistics(play).capped) == (2, 1)
        play.advance(1.1)
        for number in range(1, 4):
            play.server().request(number).trailers_only(0)
        play.forget()
        assert statistics(play).active == 0
        begin(play)
        assert play.server().count == 3
        play.advance(1.1)
        play.server().last.trailers_only(0)
        play.forget()


def test_the_cap_outlives_the_document() -> None:
    """Attempts under the faults of an older document count as well."""
    options = delaying(1.0, max_active=1)
    with playing(fault=options) as play:
        begin(play)
        play.apply(make_snapshot(make_route(make_policy(fault=options)), revision=2))
        begin(play)
        assert play.server().count == 1
        play.advance(1.1)
        for number in (1, 2):
            play.server().request(number).trailers_only(0)
        play.forget()


def test_what_is_recorded_of_it() -> None:
    """The record of a failed call has its faults, classification and why nobody tried again."""
    with playing(fault=aborting(abort_code=status.INTERNAL), retry=retrying(2), breaker=tripping(9)) as play:
        begin(play)
        [record] = play.world.sink.calls
        assert (record.faults, record.attempts[0].reason) == (1 << fault.ABORT, "FAULT_INJECTED")
        assert (record.category, record.strategy, record.not_retried) == (5, 3, "code")
        assert record.breaker_state == 0
