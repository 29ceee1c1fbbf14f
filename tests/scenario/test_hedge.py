"""Hedging: when a second attempt is sent, who wins, and what becomes of the other one."""

from __future__ import annotations

import pytest

from seawall_policy import status
from seawall_policy.budget import BudgetOptions, ThrottleOptions
from seawall_policy.hedge import SHADOW, HedgeOptions
from seawall_proxy.call.access import AccessRecord, AccessSink
from seawall_proxy.call.ports import OUTCOME_HEDGED
from seawall_proxy.testing import Playbook
from seawall_proxy.testing.policies import make_cluster, to_cluster
from tests.scenario.scenes import (
    GET,
    LIST,
    METHODS,
    ONE,
    REFUSED_STREAM,
    TWO,
    UNAVAILABLE,
    UPLOAD,
    begin,
    playing,
    retrying,
    snapshot,
    tripping,
)

THREE = {"main": ("a", "b", "c")}
HEADERS = "HEADERS /shop.v1.Orders/Get"
AGAIN = f"{HEADERS} grpc-previous-rpc-attempts"


def hedging(
    delay_s: float = 0.05, *, max_attempts: int = 2, budget_percent: float = 100.0, mode: int = 1
) -> HedgeOptions:
    """Hedges for every method."""
    return HedgeOptions(
        delay_s=delay_s,
        max_attempts=max_attempts,
        budget_percent=budget_percent,
        only_idempotent=False,
        mode=mode,
    )


class Log(AccessSink):
    """An access log that keeps everything."""

    def __init__(self, play: Playbook) -> None:
        self.records: list[AccessRecord] = []
        play.world.context.access = self

    def call_ended(self, record: AccessRecord) -> None:
        self.records.append(record)


def counted(play: Playbook) -> tuple[int, int, dict[str, int]]:
    """Return hedges sent, hedges won, and hedges refused by reason."""
    counters = play.world.counters["all"]
    return counters.hedges, counters.hedges_won, counters.hedges_refused


def test_a_late_attempt_gets_company_and_the_faster_one_wins() -> None:
    """After the delay the call goes to another endpoint too; the first OK is the answer and ends the
    other.
    """
    with playing(hedge=hedging(), clusters=TWO) as play:
        begin(play)
        play.advance(0.049)
        play.expect_nothing()
        play.advance(0.003)
        play.expect(f"b#1 <- {AGAIN}=1", 'b#1 <- DATA "ping" END')
        play.server("b").last.reply(b"pong")
        play.expect(
            "client#1 <- HEADERS",
            'client#1 <- DATA "pong"',
            "client#1 <- TRAILERS OK seawall-outcome=hedged seawall-attempts=2",
            "a#1 <- RST CANCEL",
        )
        assert counted(play) == (1, 1, {})
        assert play.world.sink.calls == [], "a hedge is no error"
        assert play.world.counters["all"].retries == 0


def test_the_first_attempt_may_still_win() -> None:
    """Whoever answers first; the hedge is taken back."""
    with playing(hedge=hedging(), clusters=TWO) as play:
        begin(play)
        play.advance(0.06)
        play.forget()
        play.server("a").last.trailers_only(0)
        play.expect(
            "b#1 <- RST CANCEL", "client#1 <- TRAILERS-ONLY OK seawall-outcome=hedged seawall-attempts=2"
        )
        assert counted(play) == (1, 0, {})


def test_a_call_that_is_in_time_is_sent_once() -> None:
    """Nothing is left of a hedge that was not needed, no timer either."""
    with playing(hedge=hedging(), clusters=TWO) as play:
        begin(play)
        play.advance(0.04)
        play.server("a").last.trailers_only(0)
        play.expect("client#1 <- TRAILERS-ONLY OK")
        assert play.world.context.timers.armed() == 0
        play.advance(0.2)
        assert counted(play) == (0, 0, {})


def test_hedges_follow_each_other_at_the_delay() -> None:
    """A6: up to max_attempts, each after the delay, each at an endpoint that was not tried."""
    with playing(hedge=hedging(0.02, max_attempts=5), clusters=THREE) as play:
        begin(play)
        play.advance(0.2)
        assert [play.server(name).count for name in "abc"] == [1, 1, 1]
        assert counted(play) == (2, 0, {"endpoint": 1}), "there is no fourth endpoint"
        play.server("b").last.trailers_only(0)
        play.forget()


def test_a_fatal_status_ends_all() -> None:
    """A6: a status that is not in the list is the answer, and the other attempts are taken back."""
    with playing(hedge=hedging(), clusters=TWO) as play:
        begin(play)
        play.advance(0.06)
        play.forget()
        play.server("b").last.trailers_only(5)
        play.expect(
            "client#1 <- TRAILERS-ONLY NOT_FOUND seawall-outcome=failed seawall-attempts=2",
            "a#1 <- RST CANCEL",
        )


def test_a_non_fatal_status_sends_the_next_at_once() -> None:
    """A6: then the delay counts again."""
    with playing(hedge=hedging(0.05, max_attempts=4), clusters={"main": ("a", "b", "c", "d")}) as play:
        begin(play)
        play.advance(0.052)
        (second, _) = play.forget()
        play.server(second[0]).last.trailers_only(14)
        (third, _) = play.forget()
        assert third.endswith(f"{AGAIN}=2")
        play.advance(0.045)
        play.expect_nothing()
        play.advance(0.01)
        (fourth, _) = play.forget()
        assert fourth.endswith(f"{AGAIN}=3")
        assert len({second[0], third[0], fourth[0]}) == 3
        play.server(fourth[0]).last.trailers_only(0)
        play.forget()


def test_a_non_fatal_status_leaves_the_others_running() -> None:
    """Without attempts left the failure is forgotten as long as another attempt may still succeed."""
    with playing(hedge=hedging(), clusters=TWO) as play:
        begin(play)
        play.advance(0.06)
        play.forget()
        play.server("a").last.trailers_only(14)
        play.expect_nothing()
        play.server("b").last.trailers_only(0)
        play.expect("client#1 <- TRAILERS-ONLY OK seawall-outcome=retried seawall-attempts=2")
        (record,) = play.world.sink.calls
        assert record.failed_code == status.UNAVAILABLE


def test_when_all_fail_the_last_failure_is_the_answer() -> None:
    """Two non-fatal failures, no attempts left."""
    with playing(hedge=hedging(), clusters=TWO) as play:
        begin(play)
        play.advance(0.06)
        play.forget()
        play.server("a").last.trailers_only(14, (b"x-who", b"a"))
        play.server("b").last.trailers_only(14, (b"x-who", b"b"))
        play.expect("client#1 <- TRAILERS-ONLY UNAVAILABLE x-who=b seawall-outcome=failed seawall-attempts=2")


def test_without_retries_the_first_failure_sends_the_next_at_once() -> None:
    """A6: a non-fatal status of the only attempt does not wait for the delay."""
    with playing(hedge=hedging(5.0), clusters=TWO) as play:
        begin(play)
        play.server("a").last.trailers_only(14)
        play.expect(f"b#1 <- {AGAIN}=1", 'b#1 <- DATA "ping" END')
        play.server("b").last.trailers_only(14)
        play.expect("client#1 <- TRAILERS-ONLY UNAVAILABLE seawall-outcome=failed seawall-attempts=2")


def test_pushback_stops_hedges() -> None:
    """A6: a negative pushback: no more attempts, those that run go on."""
    with playing(hedge=hedging(0.05, max_attempts=3), clusters=THREE) as play:
        begin(play)
        play.advance(0.06)
        play.forget()
        play.server("c").last.trailers_only(14, (b"grpc-retry-pushback-ms", b"-1"))
        play.advance(0.5)
        play.expect_nothing()
        play.server("a").last.trailers_only(0)
        play.expect("client#1 <- TRAILERS-ONLY OK seawall-outcome=retried seawall-attempts=2")


def test_pushback_sets_the_time_of_the_next_hedge() -> None:
    """A6: pushback n: the next attempt in n ms, not at once and not at the delay."""
    with playing(hedge=hedging(0.05, max_attempts=3), clusters=THREE) as play:
        begin(play)
        play.advance(0.06)
        play.forget()
        play.server("c").last.trailers_only(14, (b"grpc-retry-pushback-ms", b"200"))
        play.advance(0.198)
        play.expect_nothing()
        play.advance(0.005)
        play.expect(f"b#1 <- {AGAIN}=2", 'b#1 <- DATA "ping" END')
        play.server("b").last.trailers_only(0)
        play.forget()


def test_only_idempotent() -> None:
    """A hedge repeats what a server may have carried out, so it needs a declaration."""
    options = HedgeOptions(delay_s=0.01, budget_percent=100.0)
    with playing(hedge=options, clusters=TWO) as play:
        begin(play)
        play.advance(0.1)
        play.expect_nothing()
        play.server("a").last.trailers_only(0)
        play.forget()
    with playing(hedge=options, clusters=TWO, idempotent=True) as play:
        begin(play)
        play.advance(0.1)
        assert play.server("b").count == 1
        play.server("b").last.trailers_only(0)
        play.forget()


def test_shadow_counts_and_sends_nothing() -> None:
    """In shadow mode the hedges that would have been sent are counted, and paid for."""
    with playing(hedge=hedging(0.02, mode=SHADOW), clusters=TWO) as play:
        begin(play)
        play.advance(0.3)
        play.expect_nothing()
        play.server("a").last.trailers_only(14)
        play.expect("client#1 <- TRAILERS-ONLY UNAVAILABLE")
        assert counted(play) == (0, 0, {})
        assert play.world.counters["all"].hedges_shadow == 1


def test_the_budget_bounds_hedges() -> None:
    """Without budget a late call waits for its first attempt; the refusal is counted."""
    with playing(hedge=hedging(0.01, budget_percent=0.0), clusters=TWO) as play:
        for _ in range(40):
            begin(play)
        play.advance(0.05)
        play.forget()
        hedges, _, refused = counted(play)
        assert hedges == 30, "the reserve: one a second, over 30 s"
        assert refused == {"budget": 10}
        for name in "ab":
            for number in range(1, play.server(name).count + 1):
                if play.server(name).request(number).seen.reset_code is None:
                    play.server(name).request(number).trailers_only(0)
        play.forget()


def test_no_hedge_where_the_cluster_is_full() -> None:
    """Hedges use spare places only (go-service 2380)."""
    clusters = {"main": make_cluster("main", ("a", "b"), max_in_flight=1)}
    with playing(hedge=hedging(0.01), clusters=clusters) as play:
        begin(play)
        play.advance(0.1)
        play.expect_nothing()
        assert counted(play) == (0, 0, {"full": 1})
        play.server("a").last.trailers_only(0)
        play.forget()


def test_a_call_takes_the_place_of_a_hedge() -> None:
    """A hedge that holds the last place gives it up to a call that needs it (go-service 2380)."""
    clusters = {"main": make_cluster("main", ("a", "b"), max_in_flight=2)}
    with playing(hedge=hedging(0.01), clusters=clusters) as play:
        begin(play)
        play.advance(0.02)
        play.forget()
        assert play.server("b").count == 1
        second = begin(play)
        assert play.server("b").request(1).seen.reset_code == 0x8
        assert counted(play) == (1, 0, {"full": 1})
        play.server("a").request(1).trailers_only(0)
        for name in "ab":
            last = play.server(name).last
            if last.seen.reset_code is None and not last.seen.answered:
                last.trailers_only(0)
        assert second.seen.status == 0
        play.forget()


def test_the_last_attempt_of_a_call_keeps_its_place() -> None:
    """A hedge whose first attempt has failed is no spare any more."""
    clusters = {"main": make_cluster("main", ("a", "b"), max_in_flight=2)}
    with playing(hedge=hedging(0.01), clusters=clusters) as play:
        begin(play)
        play.advance(0.02)
        play.server("a").last.trailers_only(14)
        begin(play)
        assert begin(play).seen.status == status.RESOURCE_EXHAUSTED
        assert play.server("b").request(1).seen.reset_code is None
        play.server("b").request(1).trailers_only(0)
        play.server("b").request(2).trailers_only(0)
        play.forget()


def test_hedges_are_no_probes() -> None:
    """A half-open breaker's probes are for calls; every permit goes back (also of attempts that lose)."""
    with playing(
        hedge=hedging(0.01), breaker=tripping(1, half_open_calls=2, success_threshold=2), clusters=TWO
    ) as play:
        begin(play)
        play.server("a").last.trailers_only(5)
        begin(play)
        play.server("b").last.trailers_only(14)
        play.server("a").last.trailers_only(14)
        play.forget()
        breaker = play.world.state().breaker
        assert breaker is not None
        assert breaker.opened_count == 1
        play.advance(5.1)
        begin(play)
        play.advance(0.1)
        assert counted(play)[2] == {"breaker": 1}
        last = play.server("b").last
        (last if not last.seen.answered else play.server("a").last).trailers_only(0)
        play.forget()


def test_permits_of_losers_go_back() -> None:
    """The breaker hears of the winner, and of nothing else."""
    with playing(hedge=hedging(0.01), breaker=tripping(1), clusters=TWO) as play:
        for _ in range(5):
            begin(play)
            play.advance(0.02)
            winner = "a" if play.server("a").last.seen.reset_code is None else "b"
            play.server(winner).last.trailers_only(0)
            play.forget()
        breaker = play.world.state().breaker
        assert breaker is not None
        assert breaker.opened_count == 0
        assert breaker.in_flight == 0


def test_the_client_goes_away_while_two_attempts_run() -> None:
    """A cancellation ends both, teaches nothing and leaves nothing."""
    with playing(hedge=hedging(), breaker=tripping(1), clusters=TWO) as play:
        call = begin(play)
        play.advance(0.06)
        play.forget()
        call.cancel()
        play.expect("a#1 <- RST CANCEL", "b#1 <- RST CANCEL")
        assert play.world.counters["all"].cancelled == 1


def test_the_deadline_ends_both() -> None:
    """At the deadline both are taken back and one status is sent."""
    with playing(hedge=hedging(), breaker=tripping(5), clusters=TWO) as play:
        begin(play, timeout=b"200m")
        play.advance(0.25)
        lines = play.forget()
        assert "a#1 <- RST CANCEL" in lines
        assert "b#1 <- RST CANCEL" in lines
        assert lines[-1] == (
            "client#1 <- TRAILERS-ONLY DEADLINE_EXCEEDED LOCAL DEADLINE_EXCEEDED failed attempts=2"
        )


def test_no_hedge_after_the_deadline_at_the_same_instant() -> None:
    """Delay and deadline at one instant: the call ends and no hedge is sent (grpc 39935)."""
    with playing(hedge=hedging(0.1), timeout_s=0.1, clusters=TWO) as play:
        begin(play)
        play.advance(0.2)
        play.expect(
            "a#1 <- RST CANCEL",
            "client#1 <- TRAILERS-ONLY DEADLINE_EXCEEDED LOCAL DEADLINE_EXCEEDED failed attempts=1",
        )


def test_a_stream_is_hedged_until_its_first_message() -> None:
    """The first message commits: the other attempt is taken back, and later messages are those of one
    server.
    """
    with playing(hedge=hedging(), clusters=TWO, methods=METHODS) as play:
        begin(play, path=LIST)
        play.advance(0.06)
        play.forget()
        play.server("a").last.headers()
        play.expect_nothing()
        play.server("b").last.headers()
        play.server("b").last.data(b"one")
        play.expect("client#1 <- HEADERS", 'client#1 <- DATA "one"', "a#1 <- RST CANCEL")
        play.advance(1.0)
        play.server("b").last.data(b"two")
        play.server("b").last.trailers(14)
        play.expect(
            'client#1 <- DATA "two"',
            "client#1 <- TRAILERS UNAVAILABLE seawall-outcome=failed seawall-attempts=2",
        )


def test_no_hedge_once_a_stream_flows() -> None:
    """A committed call is never hedged."""
    with playing(hedge=hedging(), clusters=TWO, methods=METHODS) as play:
        begin(play, path=LIST)
        play.server("a").last.headers()
        play.server("a").last.data(b"one")
        play.expect("client#1 <- HEADERS", 'client#1 <- DATA "one"')
        play.advance(1.0)
        play.expect_nothing()
        play.server("a").last.trailers(0)
        play.expect("client#1 <- TRAILERS OK")


def test_half_an_answer_loses_to_a_whole_one() -> None:
    """Headers and a message of one, then all of the other: what was held of the first is dropped."""
    with playing(hedge=hedging(), clusters=TWO, methods=METHODS) as play:
        begin(play)
        play.server("a").last.headers()
        play.server("a").last.data(b"half of a")
        play.advance(0.06)
        play.expect(f"b#1 <- {AGAIN}=1", 'b#1 <- DATA "ping" END')
        play.server("b").last.reply(b"whole b")
        play.expect(
            "client#1 <- HEADERS",
            'client#1 <- DATA "whole b"',
            "client#1 <- TRAILERS OK seawall-outcome=hedged seawall-attempts=2",
            "a#1 <- RST CANCEL",
        )


def test_a_hedge_waits_for_the_whole_request() -> None:
    """While the client still sends it is not the server that is late; then both get every byte."""
    with playing(hedge=hedging(), clusters=TWO) as play:
        call = play.call(UPLOAD, b"one", end=False)
        play.forget()
        play.advance(0.5)
        play.expect_nothing()
        call.send(b"two", end=True)
        play.forget()
        play.advance(0.06)
        assert bytes(play.server("b").last.seen.data) == b"onetwo"
        play.server("b").last.trailers_only(0)
        play.forget()


def test_a_request_beyond_the_buffer_is_not_hedged() -> None:
    """What cannot be repeated is not hedged."""
    with playing(hedge=hedging(), clusters=TWO) as play:
        call = play.call(UPLOAD, b"", end=False)
        for _ in range(70):
            call.send(b"x" * 16384)
        call.end()
        play.forget()
        play.advance(0.2)
        play.forget()
        assert counted(play) == (0, 0, {"buffer": 1})
        play.server("a").last.trailers_only(0)
        play.forget()


def test_a_hedge_that_is_refused_unprocessed_is_repeated() -> None:
    """What no server has seen is repeated at once, as without hedging."""
    with playing(hedge=hedging(), clusters=THREE) as play:
        begin(play)
        play.advance(0.06)
        play.forget()
        play.server("c").last.reset(REFUSED_STREAM)
        play.expect(f"b#1 <- {AGAIN}=1", 'b#1 <- DATA "ping" END')
        play.server("b").last.trailers_only(0)
        play.forget()


def test_one_endpoint_is_never_hedged() -> None:
    """A second attempt at the endpoint that is late would only add to its work."""
    with playing(hedge=hedging(), clusters=ONE) as play:
        begin(play)
        play.advance(0.5)
        play.expect_nothing()
        assert counted(play) == (0, 0, {"endpoint": 1})
        play.server("a").last.trailers_only(0)
        play.forget()


# with retries


def both(max_attempts: int = 3, hedges: int = 2) -> Playbook:
    """Retries and hedges for every method, three endpoints."""
    return playing(
        retry=retrying(max_attempts, codes=UNAVAILABLE | 1 << status.INTERNAL),
        hedge=hedging(0.05, max_attempts=hedges),
        clusters=THREE,
    )


def test_a_retry_goes_on_where_hedges_end() -> None:
    """The hedge fails with a status that is worth a retry: it is retried beside the attempt that hangs."""
    with both() as play:
        begin(play)
        play.advance(0.06)
        play.forget()
        play.server("c").last.trailers_only(13)
        play.expect_nothing()
        play.advance(0.03)
        play.expect(f"b#1 <- {AGAIN}=2", 'b#1 <- DATA "ping" END')
        play.server("b").last.trailers_only(0)
        play.expect(
            "client#1 <- TRAILERS-ONLY OK seawall-outcome=retried seawall-attempts=3", "a#1 <- RST CANCEL"
        )


def test_a_retry_may_be_hedged() -> None:
    """A retry begins a new round: it gets a hedge if it is late."""
    with both() as play:
        begin(play)
        play.server("a").last.trailers_only(14)
        play.advance(0.03)
        play.expect(f"c#1 <- {AGAIN}=1", 'c#1 <- DATA "ping" END')
        play.advance(0.06)
        play.expect(f"b#1 <- {AGAIN}=2", 'b#1 <- DATA "ping" END')
        play.server("b").last.trailers_only(0)
        play.forget()


def test_no_more_attempts_than_the_larger_of_both() -> None:
    """Hedges and retries together keep to one number."""
    with both() as play:
        begin(play)
        for _ in range(20):
            play.advance(0.06)
            for name in "abc":
                if play.server(name).count:
                    last = play.server(name).last
                    if not last.seen.answered and last.seen.reset_code is None:
                        last.trailers_only(14)
        lines = play.forget()
        assert sum(play.server(name).count for name in "abc") == 3
        assert lines[-1].endswith("seawall-outcome=failed seawall-attempts=3")


def test_hedges_count_as_attempts_of_retries() -> None:
    """With two attempts in all, a hedge uses up the retry."""
    with both(2) as play:
        begin(play)
        play.advance(0.06)
        play.forget()
        play.server("a").last.trailers_only(14)
        play.server("c").last.trailers_only(14)
        play.advance(0.2)
        play.expect("client#1 <- TRAILERS-ONLY UNAVAILABLE seawall-outcome=failed seawall-attempts=2")
        (record,) = play.world.sink.calls
        assert record.not_retried == "attempts"


def test_a_retry_that_was_decided_survives_the_other_attempt() -> None:
    """The second failure comes while the retry of the first one waits: one retry, not two."""
    with both() as play:
        begin(play)
        play.advance(0.06)
        play.forget()
        play.server("c").last.trailers_only(14)
        play.server("a").last.trailers_only(14)
        play.advance(0.1)
        assert play.forget() == [f"b#1 <- {AGAIN}=2", 'b#1 <- DATA "ping" END']
        assert play.world.counters["all"].retries == 1
        play.server("b").last.trailers_only(0)
        play.forget()


def test_a_try_that_times_out_makes_way_for_the_others() -> None:
    """per_try_timeout is each attempt's own."""
    with playing(
        retry=retrying(3, initial_s=0.0), hedge=hedging(0.05), per_try_timeout_s=0.1, clusters=THREE
    ) as play:
        begin(play)
        play.advance(0.06)
        play.forget()
        play.advance(0.045)
        lines = play.forget()
        assert lines[0] == "a#1 <- RST CANCEL"
        assert "b#1 <- RST CANCEL" not in lines
        play.server("b").last.trailers_only(0)
        play.forget()


def test_the_percentile_is_that_of_the_route() -> None:
    """Without samples 100 ms; then what the slowest twentieth took; stragglers that lost teach nothing."""
    options = HedgeOptions(quantile=0.95, min_delay_s=0.005, only_idempotent=False, budget_percent=100.0)
    with playing(hedge=options, clusters=TWO) as play:
        begin(play)
        play.advance(0.11)
        assert play.server("b").count == 1
        play.server("b").last.trailers_only(0)
        for _ in range(40):
            call = begin(play)
            play.advance(0.02)
            for name in "ab":
                last = play.server(name).last
                if not last.seen.answered and last.seen.reset_code is None:
                    last.trailers_only(0)
            assert call.seen.status == 0
        play.advance(0.3)
        begin(play)
        before = play.server("a").count + play.server("b").count
        play.advance(0.018)
        assert play.server("a").count + play.server("b").count == before
        play.advance(0.008)
        assert play.server("a").count + play.server("b").count == before + 1
        for name in "ab":
            last = play.server(name).last
            if not last.seen.answered and last.seen.reset_code is None:
                last.trailers_only(0)
        play.forget()


def test_a_policy_change_keeps_budget_and_delay() -> None:
    """What hedging has spent and learned outlives a document."""
    with playing(hedge=hedging(0.01, budget_percent=0.0), clusters=TWO) as play:
        begin(play)
        play.advance(0.02)
        play.server("b").last.trailers_only(0)
        play.forget()
        play.apply(snapshot(hedge=hedging(0.01, budget_percent=0.0), clusters=TWO, revision=2))
        hedger = play.world.state().hedger
        assert hedger is not None
        assert hedger.budget.withdrawals == 1


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_the_access_log_names_the_winner(outcome: str) -> None:
    """The endpoint of a hedged call is the one that answered."""
    with playing(hedge=hedging(), clusters=TWO) as play:
        log = Log(play)
        begin(play)
        play.advance(0.06)
        winner = "b" if outcome == "won" else "a"
        play.server(winner).last.trailers_only(0)
        play.forget()
        (record,) = log.records
        assert (record.endpoint, record.outcome, record.attempts) == (winner, OUTCOME_HEDGED, 2)


def test_throttled_hedges() -> None:
    """A6: hedges obey the throttle, and non-fatal failures count in it."""
    options = retrying(1)
    options.throttle = ThrottleOptions(4.0, 0.1)
    with playing(hedge=hedging(5.0), retry=options, clusters=TWO) as play:
        assert play.world.state().throttle is not None
        begin(play)
        play.server("a").last.trailers_only(14)
        play.forget()
        play.server("b").last.trailers_only(14)
        play.forget()
        begin(play)
        play.server("b").last.trailers_only(14)
        play.expect("client#2 <- TRAILERS-ONLY UNAVAILABLE")
        assert counted(play)[2] == {"throttled": 1}


def test_plain_get_is_hedged_once_only() -> None:
    """Budget options of retries do not pay for hedges, nor the other way round."""
    with playing(
        retry=retrying(3, budget=BudgetOptions(0.0, 0.0, 10.0)), hedge=hedging(), clusters=TWO
    ) as play:
        begin(play, path=GET)
        play.advance(0.06)
        assert counted(play)[0] == 1
        play.server("b").last.trailers_only(0)
        play.forget()


def test_a_fallback_is_not_hedged() -> None:
    """A fallback cluster gets one attempt, however late it is."""
    with playing(
        hedge=hedging(),
        fallback=(to_cluster("spare"),),
        clusters={"main": ("a",), "spare": ("x", "y")},
        idempotent=True,
    ) as play:
        begin(play)
        play.server("a").last.trailers_only(13)
        (line, _) = play.forget()
        play.advance(0.5)
        play.expect_nothing()
        play.server(line[0]).last.trailers_only(0)
        play.forget()


def test_a_retry_that_is_the_last_attempt_is_not_hedged() -> None:
    """Two attempts in all: the retry is the second one, however late it is."""
    with both(2) as play:
        begin(play)
        play.server("a").last.trailers_only(14)
        play.advance(0.03)
        (line, _) = play.forget()
        play.advance(0.5)
        play.expect_nothing()
        play.server(line[0]).last.trailers_only(0)
        play.forget()
