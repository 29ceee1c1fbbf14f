"""The limit of calls at work, as calls meet it: who begins, waits or is refused; places come back."""

from __future__ import annotations

import pytest

from seawall_policy.budget import BudgetOptions
from seawall_policy.limit import options as limits
from seawall_policy.limit.gate import Gate
from seawall_policy.limit.options import LimitOptions
from seawall_policy.model import MethodInfo
from seawall_proxy.testing import Playbook
from seawall_proxy.testing.playbook import ScriptedCall
from seawall_proxy.testing.policies import make_policy, make_route, make_snapshot, to_cluster, to_static
from tests.scenario.scenes import CHAT, GET, LIST, METHODS, begin, playing, retrying, snapshot, tripping

HEADER = b"seawall-criticality"


def limited(places: int = 1, queue: int = 10, **settings: object) -> LimitOptions:
    """A limit of so many places."""
    return LimitOptions(max_in_flight=places, min_in_flight=1, queue=queue, **settings)  # type: ignore[arg-type]


def gate_of(play: Playbook, route: str = "all") -> Gate:
    """Return the gate of a route."""
    guards = play.world.state(route).guards
    assert guards is not None
    assert guards.admission is not None
    return guards.admission.gate


def answer(play: Playbook, number: int, server: str = "a") -> None:
    """Let the server answer its n-th request."""
    play.server(server).request(number).reply(b"pong")
    play.forget()


def reason(call: ScriptedCall) -> bytes | None:
    """Return why a call was refused."""
    return call.seen.field(b"seawall-reason")


def test_a_call_waits_for_a_place_and_gets_it() -> None:
    """The second call is sent when the first has ended."""
    with playing(limit=limited(1)) as play:
        begin(play)
        second = begin(play)
        assert play.server().count == 1
        assert gate_of(play).queue.length == 1
        answer(play, 1)
        assert play.server().count == 2
        answer(play, 2)
        assert second.seen.status == 0
        assert play.world.counters["all"].queue_waits == 1


def test_without_a_queue_the_limit_refuses() -> None:
    """RESOURCE_EXHAUSTED, reason LIMITED, with the time to come back; nothing is sent."""
    with playing(limit=limited(1, queue=0)) as play:
        begin(play)
        play.call(GET, b"ping")
        play.expect("client#2 <- TRAILERS-ONLY RESOURCE_EXHAUSTED LOCAL LIMITED rejected pushback=1251")
        assert play.server().count == 1
        assert play.world.counters["all"].limited == {("LIMITED", limits.CRITICAL): 1}
        answer(play, 1)


def test_a_call_waits_no_longer_than_queue_timeout() -> None:
    """It ends with QUEUE_TIMEOUT, and the place of the first stays its own."""
    with playing(limit=limited(1, queue_timeout_s=0.1)) as play:
        begin(play)
        second = begin(play)
        play.advance(0.09)
        assert second.seen.status is None
        play.advance(0.02)
        assert reason(second) == b"QUEUE_TIMEOUT"
        assert second.seen.status == 8
        assert gate_of(play).queue.length == 0
        play.forget()
        answer(play, 1)


def test_first_come_first_served_while_the_queue_is_short() -> None:
    """Places go out in the order in which calls came."""
    with playing(limit=limited(1, queue_timeout_s=5.0)) as play:
        first = begin(play, b"1")
        second = begin(play, b"2")
        third = begin(play, b"3")
        answer(play, 1)
        answer(play, 2)
        assert (first.seen.status, second.seen.status, third.seen.status) == (0, 0, None)
        answer(play, 3)


def test_newest_first_when_the_queue_is_standing() -> None:
    """A queue that has not been empty for 100 ms serves who came last."""
    with playing(limit=limited(1, queue_timeout_s=5.0)) as play:
        begin(play, b"1")
        second = begin(play, b"2")
        third = begin(play, b"3")
        play.advance(0.11)
        answer(play, 1)
        answer(play, 2)
        assert (second.seen.status, third.seen.status) == (None, 0)
        answer(play, 3)
        assert second.seen.status == 0


def test_a_full_standing_queue_drops_the_oldest() -> None:
    """The newest waits in its stead: it has the most time left."""
    with playing(limit=limited(1, queue=1, queue_timeout_s=5.0)) as play:
        begin(play)
        second = begin(play)
        third = begin(play)
        assert reason(third) == b"LIMITED", "while the queue is short, who is there stays"
        play.advance(0.11)
        begin(play)
        assert reason(second) == b"LIMITED"
        play.forget()
        answer(play, 1)
        answer(play, 2)


@pytest.mark.parametrize("how", ["cancel", "disconnect", "deadline"])
def test_who_leaves_while_waiting_leaves_no_trace(how: str) -> None:
    """A call that ends in the queue is never sent, and its place in the queue is free."""
    with playing(limit=limited(1, queue_timeout_s=5.0)) as play:
        begin(play)
        second = begin(play, timeout=b"50m" if how == "deadline" else b"")
        assert gate_of(play).queue.length == 1
        if how == "cancel":
            second.cancel()
        elif how == "disconnect":
            play.disconnect()
        else:
            play.advance(0.06)
        assert gate_of(play).queue.length == 0
        play.forget()
        if how != "disconnect":
            answer(play, 1)
        assert play.server().count == 1


def test_a_call_without_enough_time_leaves_the_queue_early() -> None:
    """What calls take at work is known; who has less than that left does not take a place."""
    with playing(limit=limited(1, kind=limits.AIMD, initial=1, queue_timeout_s=9.0)) as play:
        for number in range(1, 12):
            begin(play)
            play.advance(0.2)
            answer(play, number)
        assert gate_of(play).usual_s == pytest.approx(0.2, abs=0.01)
        hanging = [begin(play) for _ in range(gate_of(play).limit)]
        late = begin(play, timeout=b"500m")
        play.advance(0.29)
        assert late.seen.status is None
        play.advance(0.03)
        assert reason(late) == b"QUEUE_TIMEOUT"
        hopeless = begin(play, timeout=b"100m")
        assert reason(hopeless) == b"LIMITED", "it is not even let wait"
        play.forget()
        for call in hanging:
            call.cancel()
        play.forget()


def test_more_important_calls_go_first() -> None:
    """Criticality is read from the header, forwarded as it came, and decides who is next."""
    with playing(limit=limited(1, header=HEADER, queue_timeout_s=5.0)) as play:
        begin(play)
        sheddable = begin(play, b"s", (HEADER, b"sheddable"))
        unknown = begin(play, b"u", (HEADER, b"whatever"))
        plus = begin(play, b"p", (HEADER, b"critical_plus"))
        answer(play, 1)
        assert play.server().server.calls[1].field(HEADER) == b"critical_plus"
        answer(play, 2)
        assert plus.seen.status == 0
        answer(play, 3)
        assert unknown.seen.status == 0, "what is no class is what the policy says"
        answer(play, 4)
        assert sheddable.seen.status == 0


def test_a_critical_call_takes_the_place_of_a_sheddable_one_in_a_full_queue() -> None:
    """The sheddable call is refused for it."""
    with playing(limit=limited(1, queue=1, header=HEADER, queue_timeout_s=5.0)) as play:
        begin(play)
        sheddable = begin(play, b"s", (HEADER, b"sheddable"))
        critical = begin(play, b"c")
        assert reason(sheddable) == b"LIMITED"
        assert play.world.counters["all"].limited == {("LIMITED", limits.SHEDDABLE): 1}
        play.forget()
        answer(play, 1)
        answer(play, 2)
        assert critical.seen.status == 0


def test_a_class_is_sure_of_its_share() -> None:
    """At the limit a class below its share still begins."""
    shares = (0.5, 0.0, 0.0, 0.0)
    with playing(limit=limited(2, queue=0, header=HEADER, shares=shares)) as play:
        begin(play)
        begin(play)
        assert reason(begin(play)) == b"LIMITED"
        plus = begin(play, b"p", (HEADER, b"critical_plus"))
        assert play.server().count == 3
        assert reason(begin(play, b"p", (HEADER, b"critical_plus"))) == b"LIMITED"
        play.forget()
        for number in (1, 2, 3):
            answer(play, number)
        assert plus.seen.status == 0


def test_shadow_refuses_nothing_and_counts() -> None:
    """A limit in shadow lets all in and tells what it would have done."""
    with playing(limit=limited(1, mode=limits.SHADOW)) as play:
        for _ in range(3):
            begin(play)
        assert play.server().count == 3
        assert gate_of(play).would_refuse == 2
        assert play.world.counters["all"].would_limit_by == {"LIMITED": 2}
        for number in (1, 2, 3):
            answer(play, number)


def test_off_is_off() -> None:
    """A limit that is off has no gate."""
    with playing(limit=limited(1, mode=limits.OFF)) as play:
        assert play.world.state().guards is None


def test_a_stream_gives_its_place_back_with_its_first_message() -> None:
    """Streams that last hold nobody up, and their length teaches nothing."""
    with playing(limit=limited(1, queue=0), methods=METHODS) as play:
        stream = begin(play, path=LIST)
        play.server().last.headers()
        play.server().last.data(b"one")
        play.forget()
        second = begin(play)
        assert play.server().count == 2
        answer(play, 2)
        assert second.seen.status == 0
        stream.cancel()
        play.forget()


def test_a_stream_without_a_message_gives_its_place_back_in_time() -> None:
    """A watch that has nothing to say is no work: it no longer counts when others need its place."""
    with playing(limit=limited(1, queue=0)) as play:
        watching = begin(play, path=CHAT)
        play.advance(0.2)
        assert reason(begin(play)) == b"LIMITED"
        play.advance(0.06)
        begin(play)
        assert play.server().count == 2
        assert gate_of(play).long_calls == 1
        answer(play, 2)
        watching.cancel()
        play.forget()


def test_a_place_is_given_back_wherever_a_call_ends() -> None:
    """Refused by the breaker, or answered by a fallback: each gives its place back once."""
    with playing(
        limit=limited(1, queue=0), breaker=tripping(1), retry=retrying(1), fallback=(to_cluster("dr"),),
        clusters={"main": ("a",), "dr": ("d",)}, idempotent=True,
    ) as play:  # fmt: skip
        begin(play)
        play.server("a").last.trailers_only(14)
        assert play.server("d").count == 1
        answer(play, 1, "d")
        assert gate_of(play).in_flight == 0
        begin(play)
        answer(play, 2, "d")
        assert gate_of(play).in_flight == 0, "the breaker was open"


def test_a_fallback_answers_a_refused_call() -> None:
    """`when: [LIMITED]` is a fallback like any other; the call that waited in vain has it too."""
    fallback = (to_static(b"\x00\x00\x00\x00\x00", GET.encode(), 0, frozenset(("LIMITED", "QUEUE_TIMEOUT"))),)
    with playing(limit=limited(1, queue=1, queue_timeout_s=0.1), fallback=fallback) as play:
        begin(play)
        waits = begin(play)
        refused = begin(play)
        assert refused.seen.status == 0
        assert refused.seen.field(b"seawall-outcome") == b"fallback"
        play.advance(0.12)
        assert waits.seen.status == 0
        play.forget()
        answer(play, 1)


def test_a_retry_keeps_the_place() -> None:
    """One call has one place, however many attempts it makes; and its time is no sample."""
    with playing(limit=limited(1, kind=limits.AIMD, queue=5), retry=retrying(2), idempotent=True) as play:
        begin(play)
        play.server().last.trailers_only(14)
        assert gate_of(play).in_flight == 1
        play.advance(0.03)
        answer(play, 2)
        assert gate_of(play).in_flight == 0
        assert gate_of(play).samples == 0


def test_our_own_refusals_teach_the_limit_nothing() -> None:
    """A connection that cannot be made says nothing about overload (envoy #25487 for outliers)."""
    with playing(limit=limited(4, kind=limits.AIMD, queue=5), retry=retrying(1, max_unsent=0)) as play:
        play.server().set_mode("refuse")
        play.server().cut()
        for _ in range(20):
            begin(play)
            play.advance(0.1)
        assert gate_of(play).samples == 0
        assert gate_of(play).limit == 4
        play.forget()


def test_losses_that_the_server_tells() -> None:
    """RESOURCE_EXHAUSTED, UNAVAILABLE and a deadline that passes at work are losses; NOT_FOUND is none."""
    options = limited(100, kind=limits.AIMD, initial=50)
    with playing(limit=options, retry=retrying(1)) as play:
        for code in (5, 8, 14, 3):
            begin(play)
            play.server().last.trailers_only(code)
        assert gate_of(play).samples == 2
        begin(play, timeout=b"50m")
        play.server().server.mode = "blackhole"
        play.advance(0.06)
        assert gate_of(play).samples == 3
        play.forget()


def test_a_new_policy_keeps_those_who_wait() -> None:
    """Changed numbers resize the gate; whoever waits gets a place under the new limit."""
    with Playbook(snapshot(limit=limited(1, queue_timeout_s=5.0))) as play:
        begin(play)
        second = begin(play)
        before = gate_of(play)
        play.apply(snapshot(limit=limited(3, queue_timeout_s=5.0), revision=2))
        assert gate_of(play) is before
        third = begin(play)
        assert play.server().count == 3, "the next event lets in whoever fits"
        for number in (1, 2, 3):
            answer(play, number)
        assert second.seen.status == third.seen.status == 0


def test_a_new_policy_without_a_limit_lets_the_old_queue_end() -> None:
    """Whoever waits under the old policy gets the place of one that ends there."""
    with Playbook(snapshot(limit=limited(1, queue_timeout_s=5.0))) as play:
        begin(play)
        second = begin(play)
        waits_in_vain = begin(play)
        play.apply(snapshot(revision=2))
        begin(play)
        assert play.server().count == 2, "the new policy has no limit"
        answer(play, 1)
        assert play.server().count == 3
        play.advance(5.1)
        assert reason(waits_in_vain) == b"QUEUE_TIMEOUT"
        answer(play, 2)
        answer(play, 3)
        assert second.seen.status == 0


def test_routes_to_one_cluster_share_a_limit() -> None:
    """What a service can bear is the service's, not the route's; other settings have a limit of their own."""
    policy = make_policy(limit=limited(1, queue=0))
    other = make_policy(limit=limited(2, queue=0))
    routes = (
        make_route(policy, name="get", service="shop.v1.Orders", method="Get"),
        make_route(policy, name="list", service="shop.v1.Orders", method="List"),
        make_route(other, name="all"),
    )
    with Playbook(make_snapshot(*routes)) as play:
        assert gate_of(play, "get") is gate_of(play, "list")
        assert gate_of(play, "get") is not gate_of(play, "all")
        begin(play, path=GET)
        assert reason(begin(play, path=LIST)) == b"LIMITED"
        begin(play, path=CHAT)
        play.forget()
        answer(play, 1)
        answer(play, 2)


def test_hedges_can_tell_that_there_is_no_room() -> None:
    """What adds load asks the guards first (go-service #2380: hedges took the permits of calls)."""
    with playing(limit=limited(2)) as play:
        guards = play.world.state().guards
        assert guards is not None
        begin(play)
        assert not guards.is_full
        begin(play)
        assert guards.is_full
        answer(play, 1)
        assert not guards.is_full
        answer(play, 2)


def test_a_breaker_probe_that_waits_holds_no_permit() -> None:
    """The limit comes before the breaker: who waits or is refused has taken no probe (Sentinel #1638)."""
    with playing(limit=limited(1, queue=1), breaker=tripping(1, open_for_s=1.0), retry=retrying(1)) as play:
        begin(play)
        play.server().last.trailers_only(14)
        play.advance(1.02)
        begin(play)
        begin(play)
        refused = begin(play)
        breaker = play.world.state().breaker
        assert breaker is not None
        assert breaker.probes_in_flight == 1
        assert reason(refused) == b"LIMITED"
        play.forget()
        answer(play, 2)
        answer(play, 3)


def test_a_budget_does_not_need_places() -> None:
    """Refused calls are calls: they deposit like others, so a limit does not starve retries."""
    budget = BudgetOptions(percent=100.0, min_per_second=0.0)
    with playing(limit=limited(1, queue=0), retry=retrying(2, budget=budget)) as play:
        begin(play)
        begin(play)
        state = play.world.state()
        assert state.budget is not None
        assert state.budget.deposits == 2
        play.forget()
        answer(play, 1)


def test_methods_known_to_be_unary_are_samples() -> None:
    """A unary answer is a sample; the first message of a stream is none, however soon it ends."""
    methods = dict(METHODS)
    methods[GET.encode()] = MethodInfo(client_streaming=False, server_streaming=False, idempotent=True)
    with playing(limit=limited(10, kind=limits.AIMD, initial=5), methods=methods) as play:
        begin(play)
        answer(play, 1)
        assert gate_of(play).samples == 1
        begin(play, path=LIST)
        answer(play, 2)
        assert gate_of(play).samples == 1
