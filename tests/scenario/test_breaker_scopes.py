"""Breakers of methods and of endpoints, and ramps, as calls meet them."""

from __future__ import annotations

import pytest

from seawall_policy import breaker as states
from seawall_policy import status
from seawall_policy.breaker import PER_ENDPOINT, PER_METHOD, Breaker, BreakerOptions
from seawall_policy.members import HashOptions
from seawall_policy.model import BALANCE_RING_HASH, ClusterSpec
from seawall_proxy.call.breaker_scopes import ScopedBreakers
from seawall_proxy.http2.headers import Field
from seawall_proxy.testing import Playbook
from seawall_proxy.testing.policies import make_cluster, to_cluster
from seawall_proxy.testing.world import Dice
from tests.scenario.scenes import GET, LIST, METHODS, REFUSED_STREAM, TWO, begin, playing, retrying, snapshot

OTHER_METHOD = "/shop.v1.Orders/Unheard"


def options(scope: int, after: int = 1, **more: object) -> BreakerOptions:
    """A breaker that opens after some failures in a row and asks one probe."""
    return BreakerOptions(
        min_calls=100,
        failure_rate=0.0,
        consecutive=after,
        half_open_calls=1,
        success_threshold=1,
        scope=scope,
        **more,  # type: ignore[arg-type]
    )


def scoped(play: Playbook) -> ScopedBreakers:
    """Return the breakers of the only route."""
    state = play.world.state()
    assert state.breaker is None
    assert state.scoped is not None
    return state.scoped


def find(play: Playbook, key: str) -> Breaker:
    """Return a breaker that is there."""
    found = scoped(play).find(key)
    assert found is not None, [breaker.key for breaker in scoped(play).all()]
    return found


def end(play: Playbook, code: int, path: str = GET, server: str = "a") -> None:
    """One call that ends with a code."""
    begin(play, path=path)
    play.server(server).last.trailers_only(code)
    play.forget()


# -- methods


def test_a_method_that_fails_takes_no_other_along() -> None:
    """Each named method has a breaker of its own (linkerd2 #13406, r4j)."""
    with playing(breaker=options(PER_METHOD), methods=METHODS) as play:
        end(play, 14, GET)
        assert find(play, "all" + GET).state == states.OPEN
        call = play.call(GET, b"ping")
        play.expect("client#2 <- TRAILERS-ONLY UNAVAILABLE LOCAL BREAKER_OPEN rejected pushback=5001")
        assert call.seen.status == status.UNAVAILABLE
        end(play, 0, LIST)
        assert find(play, "all" + LIST).state == states.CLOSED
        assert play.server().count == 2


def test_a_method_is_learned_from_a_server_s_answer() -> None:
    """Until then it shares a breaker with all others that nobody knows, as its statistics do."""
    with playing(breaker=options(PER_METHOD, 2)) as play:
        end(play, 14, GET)
        assert [breaker.key for breaker in scoped(play).all()] == ["all/_OTHER"]
        end(play, 14, GET)
        end(play, 14, GET)
        assert find(play, "all" + GET).state == states.OPEN, "two that it has seen as its own"
        assert find(play, "all/_OTHER").state == states.CLOSED
        assert find(play, "all/_OTHER").consecutive == 1


def test_no_caller_can_make_breakers_grow() -> None:
    """Methods that no server knows share one breaker, however many names are tried."""
    with playing(breaker=options(PER_METHOD)) as play:
        for index in range(50):
            end(play, 12, f"/evil.Service/M{index}")
        assert [breaker.key for breaker in scoped(play).all()] == ["all/_OTHER"]


def test_methods_beyond_the_bound_share_one() -> None:
    """At most so many have their own; long names never do."""
    with playing(breaker=options(PER_METHOD)) as play:
        scoped(play).max_own = 3
        for index in range(5):
            end(play, 0, f"/shop.v1.Orders/M{index}")
            end(play, 0, f"/shop.v1.Orders/M{index}")
        keys = sorted(breaker.key for breaker in scoped(play).all())
        assert keys == ["all/_OTHER", *[f"all/shop.v1.Orders/M{index}" for index in range(3)]]
        assert scoped(play).ensure("all/" + "x" * 300) is find(play, "all/_OTHER")


def test_a_method_s_breaker_probes_by_the_clock_and_is_an_event() -> None:
    """Timer, transitions and retries of one key, without traffic of that key (resilience4j #347)."""
    with playing(breaker=options(PER_METHOD, open_for_s=1.0), methods=METHODS) as play:
        end(play, 14, GET)
        play.advance(1.01)
        assert find(play, "all" + GET).state == states.HALF_OPEN
        end(play, 0, GET)
        assert [(r.from_state, r.to_state) for r in play.world.sink.breakers] == [
            (states.CLOSED, states.OPEN),
            (states.OPEN, states.HALF_OPEN),
            (states.HALF_OPEN, states.CLOSED),
        ]


def test_methods_keep_their_breakers_under_a_new_policy() -> None:
    """Open stays open, permits that are out come back to the new breaker, and its options apply."""
    with Playbook(snapshot(breaker=options(PER_METHOD), methods=METHODS)) as play:
        end(play, 14, GET)
        begin(play, path=LIST)
        play.apply(snapshot(breaker=options(PER_METHOD, 2), methods=METHODS, revision=2))
        assert find(play, "all" + GET).state == states.OPEN
        assert find(play, "all" + LIST).in_flight == 1
        play.server().last.trailers_only(14)
        play.forget()
        assert find(play, "all" + LIST).in_flight == 0
        assert find(play, "all" + LIST).state == states.CLOSED, "two in a row are needed now"
        end(play, 14, LIST)
        assert find(play, "all" + LIST).state == states.OPEN
        begin(play, path=GET)
        assert play.server().count == 3


def test_another_scope_starts_anew() -> None:
    """What a route's breaker has seen is not what its methods' have."""
    with Playbook(snapshot(breaker=options(states.PER_ROUTE))) as play:
        end(play, 14)
        play.apply(snapshot(breaker=options(PER_METHOD), revision=2))
        end(play, 0)
        play.apply(snapshot(breaker=options(states.PER_ROUTE), revision=3))
        state = play.world.state()
        assert state.breaker is not None
        assert (state.breaker.state, state.scoped) == (states.CLOSED, None)


# -- endpoints


def test_an_open_endpoint_is_passed_over() -> None:
    """Calls go to the others; nobody is rejected."""
    with playing(breaker=options(PER_ENDPOINT), clusters=TWO) as play:
        begin(play)
        bad = "a" if play.server("a").count else "b"
        good = "b" if bad == "a" else "a"
        play.server(bad).last.trailers_only(14)
        play.forget()
        assert find(play, f"all@{bad}").state == states.OPEN
        for _ in range(6):
            end(play, 0, server=good)
        assert play.server(bad).count == 1
        assert play.server(good).count == 6
        assert find(play, f"all@{bad}").rejected == 0


def test_a_retry_goes_to_an_endpoint_that_is_not_open() -> None:
    """The failure opens one, the same call succeeds at the other."""
    with playing(breaker=options(PER_ENDPOINT), clusters=TWO, retry=retrying(2, initial_s=0.0)) as play:
        call = begin(play)
        bad = "a" if play.server("a").count else "b"
        good = "b" if bad == "a" else "a"
        play.server(bad).last.trailers_only(14)
        play.server(good).last.trailers_only(0)
        play.forget()
        assert call.seen.status == 0


def test_rather_a_tried_endpoint_than_an_open_one() -> None:
    """When what is left untried is open, a retry goes where the call has been before."""
    with playing(breaker=options(PER_ENDPOINT, 2), clusters=TWO, retry=retrying(2, initial_s=0.0)) as play:
        scoped(play).ensure("all@b").trip(play.now, 60.0)  # type: ignore[union-attr]
        call = begin(play)
        play.server("a").request(1).trailers_only(14)
        play.server("a").request(2).trailers_only(0)
        play.forget()
        assert call.seen.status == 0
        assert play.server("b").count == 0


def test_when_all_are_open_the_call_is_rejected() -> None:
    """With the time after which the first of them probes."""
    with playing(breaker=options(PER_ENDPOINT), clusters=TWO) as play:
        for _ in range(2):
            begin(play)
            for server in ("a", "b"):
                if play.server(server).count and find(play, f"all@{server}").state == states.CLOSED:
                    play.server(server).last.trailers_only(14)
            play.forget()
            play.advance(1.0)
        assert [b.state for b in scoped(play).all()] == [states.OPEN, states.OPEN]
        play.call(GET, b"ping")
        play.expect("client#3 <- TRAILERS-ONLY UNAVAILABLE LOCAL BREAKER_OPEN rejected pushback=3001")
        assert sum(breaker.rejected for breaker in scoped(play).all()) == 1
        play.advance(3.1)
        begin(play)
        assert play.server("a").count + play.server("b").count == 3, "one of them probes"
        play.server("a" if play.server("a").count == 2 else "b").last.trailers_only(0)
        play.forget()


def test_open_endpoints_send_to_the_fallback() -> None:
    """BREAKER_OPEN is a reason like any other."""
    with playing(
        breaker=options(PER_ENDPOINT),
        clusters={"main": ("a",), "dr": ("d",)},
        fallback=(to_cluster("dr", 0, frozenset({"BREAKER_OPEN"})),),
        idempotent=True,
    ) as play:
        end(play, 14)
        call = begin(play)
        play.server("d").last.trailers_only(0)
        play.forget()
        assert call.seen.status == 0
        assert len(scoped(play).all()) == 1, "the fallback's endpoint is not watched"


def test_a_cluster_that_cannot_be_reached_is_nobody_s_breaker() -> None:
    """Without an endpoint to go to there is none whose breaker could learn."""
    with playing(breaker=options(PER_ENDPOINT), retry=retrying(1, max_unsent=0)) as play:
        play.server().set_mode("refuse")
        play.server().cut()
        call = begin(play)
        assert call.seen.field(b"seawall-reason") == b"NO_HEALTHY_BACKEND"
        assert scoped(play).all() == []


@pytest.mark.parametrize("how", ["cancel", "disconnect", "refused"])
def test_permits_of_an_endpoint_come_back(how: str) -> None:
    """Whatever ends the attempt, its breaker has its permit back and has learned nothing."""
    with playing(breaker=options(PER_ENDPOINT), retry=retrying(1, max_unsent=0)) as play:
        call = begin(play)
        assert find(play, "all@a").in_flight == 1
        if how == "cancel":
            call.cancel()
        elif how == "disconnect":
            play.disconnect()
        else:
            play.server().request(1).reset(REFUSED_STREAM)
            play.server().request(2).reset(REFUSED_STREAM)
        assert find(play, "all@a").in_flight == 0
        assert find(play, "all@a").state == states.CLOSED
        play.forget()


def test_a_hashed_cluster_passes_open_endpoints_over() -> None:
    """The key's endpoint is open, so the next one on the ring has it."""
    cluster = make_cluster("main", ("a", "b"))
    cluster.balance = BALANCE_RING_HASH
    cluster.hashing = HashOptions(b"x-user")
    clusters: dict[str, ClusterSpec | tuple[str, ...]] = {"main": cluster}
    with playing(breaker=options(PER_ENDPOINT), clusters=clusters) as play:
        user: Field = (b"x-user", b"ada")
        begin(play, b"ping", user)
        home = "a" if play.server("a").count else "b"
        away = "b" if home == "a" else "a"
        play.server(home).last.trailers_only(14)
        play.forget()
        begin(play, b"ping", user)
        play.server(away).last.trailers_only(0)
        play.forget()
        assert play.server(home).count == 1


def test_places_of_idle_endpoints_are_used_again() -> None:
    """Addresses come and go; what is open is not forgotten for them."""
    with playing(breaker=options(PER_ENDPOINT)) as play:
        breakers = scoped(play)
        breakers.max_own = 3
        for address in ("1", "2", "3"):
            assert breakers.ensure(f"all@{address}") is not None
        first = breakers.find("all@1")
        assert first is not None
        first.trip(play.now, 60.0)
        assert breakers.ensure("all@4") is not None
        assert sorted(breaker.key for breaker in breakers.all()) == ["all@1", "all@3", "all@4"]


# -- ramps


def ramping(play: Playbook) -> tuple[Breaker, Dice]:
    """Open the route's breaker and let its probe pass; return it with the dice that calls draw with."""
    breaker = play.world.state().breaker
    dice = play.world.draw
    assert breaker is not None
    assert isinstance(dice, Dice)
    end(play, 14)
    play.advance(1.01)
    end(play, 0)
    assert breaker.state == states.RAMP
    return breaker, dice


def test_a_ramp_lets_a_share_in_and_says_when_to_come_back() -> None:
    """A rejected call hears a short wait; when all goes well the ramp ends in time."""
    with playing(breaker=options(states.PER_ROUTE, open_for_s=1.0, ramp_for_s=8.0)) as play:
        breaker, dice = ramping(play)
        dice.rest = 0.11
        play.call(GET, b"ping")
        play.expect("client#3 <- TRAILERS-ONLY UNAVAILABLE LOCAL BREAKER_OPEN rejected pushback=1001")
        dice.rest = 0.09
        end(play, 0)
        assert play.server().count == 3
        dice.rest = 0.19
        play.advance(2.01)
        end(play, 0)
        assert (play.server().count, breaker.ramp_share) == (4, 20.0)
        play.advance(6.01)
        assert breaker.state == states.CLOSED
        assert [r.to_state for r in play.world.sink.breakers][-2:] == [states.RAMP, states.CLOSED]


def test_an_endpoint_on_a_ramp_is_asked_once() -> None:
    """A call that has drawn a blank is rejected, and no permit is left behind by a second draw."""
    with playing(breaker=options(states.PER_ENDPOINT, open_for_s=1.0, ramp_for_s=8.0)) as play:
        end(play, 14)
        play.advance(1.01)
        end(play, 0)
        scoped = play.world.state().scoped
        assert scoped is not None
        breaker = scoped.of_endpoint("a")
        assert breaker.state == states.RAMP
        dice = play.world.draw
        assert isinstance(dice, Dice)
        dice.next = [0.99, 0.0]
        play.call(GET, b"ping")
        assert play.server().count == 2
        assert (breaker.in_flight, breaker.rejected) == (0, 1)
        dice.next = []
        play.forget()


def test_a_ramp_steps_back_and_opens_below_its_floor() -> None:
    """Failures halve the share; the second time it is open again."""
    with playing(breaker=options(states.PER_ROUTE, open_for_s=1.0, ramp_for_s=4.0, ramp_from=25.0)) as play:
        breaker, dice = ramping(play)
        dice.rest = 0.0
        play.advance(2.05)
        assert breaker.ramp_share == 50.0
        end(play, 14)
        assert (breaker.state, breaker.ramp_share) == (states.RAMP, 25.0)
        end(play, 14)
        assert breaker.state == states.OPEN


def test_a_stream_that_lasts_does_not_hold_the_ramp_up() -> None:
    """Its first message is its answer, as it is a probe's."""
    with playing(
        breaker=options(states.PER_ROUTE, open_for_s=1.0, ramp_for_s=2.0, ramp_from=50.0), methods=METHODS
    ) as play:
        breaker, dice = ramping(play)
        dice.rest = 0.0
        begin(play, path=LIST)
        play.server().last.headers()
        play.server().last.data(b"first")
        play.forget()
        play.advance(2.1)
        assert breaker.state == states.CLOSED
        play.server().last.trailers(0)
        play.forget()
        assert breaker.in_flight == 0


# -- what peers got wrong


def test_a_permit_comes_back_when_a_later_rule_rejects() -> None:
    """A probe that the breaker admits and a limit then rejects gives its place back, or it would be half open
    for ever (Sentinel #1638).
    """
    cluster = make_cluster("main", ("a",), max_in_flight=1)
    with playing(breaker=options(states.PER_ROUTE, 2, open_for_s=1.0), clusters={"main": cluster}) as play:
        breaker = play.world.state().breaker
        assert breaker is not None
        breaker.trip(play.now, 1.0)
        long = begin(play, path=LIST)
        assert long.seen.status == status.UNAVAILABLE
        play.advance(1.01)
        first = begin(play)
        assert breaker.probes_in_flight == 1
        breaker.reset(play.now)
        breaker.trip(play.now, 1.0)
        play.advance(1.01)
        second = begin(play)
        assert second.seen.field(b"seawall-reason") == b"CONCURRENCY_LIMITED"
        assert (breaker.state, breaker.probes_in_flight) == (states.HALF_OPEN, 0)
        play.server().last.trailers_only(0)
        play.forget()
        assert first.seen.status == 0
        end(play, 0)
        assert breaker.state == states.CLOSED


@pytest.mark.parametrize("scope", [states.PER_ROUTE, PER_METHOD, PER_ENDPOINT])
def test_probes_in_flight_are_capped_while_the_first_hangs(scope: int) -> None:
    """However many calls come while a probe hangs, no other one is sent (Polly #216, opossum #119,
    safe-client-gateway #3442).
    """
    with playing(breaker=options(scope, open_for_s=1.0), methods=METHODS) as play:
        end(play, 14)
        play.advance(1.01)
        sent = play.server().count
        for _ in range(30):
            begin(play)
        assert play.server().count == sent + 1
        play.server().last.trailers_only(0)
        play.forget()
        begin(play)
        assert play.server().count == sent + 2
        play.server().last.trailers_only(0)
        play.forget()


def test_what_a_caller_does_to_itself_opens_nothing_for_others() -> None:
    """One bad caller that cancels, asks for too little time to begin with or breaks the rules of gRPC opens
    no breaker (Polly #287, #259; envoy #25487).
    """
    cluster = make_cluster("main", ("a",), max_in_flight=1)
    with playing(breaker=options(states.PER_ROUTE), clusters={"main": cluster}) as play:
        breaker = play.world.state().breaker
        assert breaker is not None
        for _ in range(5):
            call = begin(play)
            call.cancel()
            play.forget()
        begin(play)
        for _ in range(5):
            assert begin(play).seen.field(b"seawall-reason") == b"CONCURRENCY_LIMITED"
        play.server().last.trailers_only(0)
        play.forget()
        for code in (3, 5, 7, 16):
            end(play, code)
        assert (breaker.state, breaker.window.failures, breaker.in_flight) == (states.CLOSED, 0, 0)


def test_an_open_breaker_without_traffic_moves_on() -> None:
    """Of every scope, by the timer alone (resilience4j #347, #980)."""
    for scope in (states.PER_ROUTE, PER_METHOD, PER_ENDPOINT):
        with playing(breaker=options(scope, open_for_s=1.0), methods=METHODS) as play:
            end(play, 14)
            play.advance(1.01)
            assert [breaker.state for breaker in play.world.state().breakers()] == [states.HALF_OPEN]
