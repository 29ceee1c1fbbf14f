"""Which endpoint a call goes to, as callers and servers see it."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from random import Random

import pytest

from seawall_policy.balance.slow_start import SlowStart
from seawall_policy.members import EndpointTraits, HashOptions
from seawall_policy.model import (
    BALANCE_LEAST_REQUEST,
    BALANCE_PEAK_EWMA,
    BALANCE_RANDOM,
    BALANCE_RING_HASH,
    BALANCE_ROUND_ROBIN,
    ClusterSpec,
    Snapshot,
)
from seawall_policy.retry import RetryOptions
from seawall_proxy.http2.limits import Limits
from seawall_proxy.testing import Playbook, make_policy, make_route, make_snapshot
from seawall_proxy.testing.world import World
from seawall_proxy.upstream.endpoint import BACKOFF, READY

FAR = EndpointTraits(priority=1)
ALL_BALANCES = (
    BALANCE_ROUND_ROBIN,
    BALANCE_LEAST_REQUEST,
    BALANCE_RANDOM,
    BALANCE_PEAK_EWMA,
    BALANCE_RING_HASH,
)


def policy(
    endpoints: str,
    *,
    balance: int = BALANCE_ROUND_ROBIN,
    traits: dict[str, EndpointTraits] | None = None,
    hashing: HashOptions | None = None,
    slow: SlowStart | None = None,
    retry: RetryOptions | None = None,
    max_in_flight: int = 1024,
    authority: bytes = b"",
    revision: int = 1,
) -> Snapshot:
    """One cluster of endpoints with one letter each."""
    spec = ClusterSpec(
        "main",
        tuple(endpoints),
        balance,
        max_in_flight,
        1.0,
        authority,
        traits=traits,
        slow_start=slow,
        hashing=hashing,
    )
    return make_snapshot(make_route(make_policy(retry=retry)), clusters={"main": spec}, revision=revision)


def playing(given: Snapshot, zone: str = "") -> Playbook:
    """A playbook with dice that fall the same way in each run, and servers that take many calls."""
    many = Limits(max_concurrent_streams=10_000, premature_age_s=0.0)
    world = World(draw=Random(3).random, server_limits=many)
    world.clusters.zone = zone
    return Playbook(given, world=world, host_limits=many)


def spread(play: Playbook, calls: int, answer: bool = True, **fields: str) -> Counter[str]:
    """Make calls; return how many went where."""
    taken: Counter[str] = Counter()
    extra = [(name.encode().replace(b"_", b"-"), value.encode()) for name, value in fields.items()]
    for _ in range(calls):
        before = {address: play.server(address).count for address in play._servers}
        play.call("/s/M", b"x", *extra)
        for address, count in before.items():
            if play.server(address).count > count:
                taken[address] += 1
                if answer:
                    play.server(address).last.trailers_only(0)
    play.forget()
    return taken


def lose(play: Playbook, addresses: str) -> None:
    """Let hosts die."""
    for address in addresses:
        play.server(address).set_mode("refuse")
        play.server(address).cut()


def end(play: Playbook) -> None:
    """Leave."""
    play.disconnect()
    play.forget()


@pytest.mark.parametrize("balance", [BALANCE_ROUND_ROBIN, BALANCE_LEAST_REQUEST, BALANCE_RANDOM])
def test_weights_are_shares(balance: int) -> None:
    """With weights 1, 2 and 3 so many of six calls go there, exactly when they take turns."""
    traits = {"a": EndpointTraits(1), "b": EndpointTraits(2), "c": EndpointTraits(3)}
    with playing(policy("abc", balance=balance, traits=traits)) as play:
        taken = spread(play, 120)
        error = 1 if balance == BALANCE_ROUND_ROBIN else 14
        assert taken == pytest.approx({"a": 20, "b": 40, "c": 60}, abs=error)
        end(play)


def test_random_uses_everybody() -> None:
    """And nobody in turn."""
    with playing(policy("abc", balance=BALANCE_RANDOM)) as play:
        assert min(spread(play, 60).values()) >= 10
        end(play)


def test_a_lower_priority_serves_only_what_the_higher_cannot() -> None:
    """With one of four gone 1.4 x 75 % is still everything; with two gone 70 % stay; with all gone none."""
    with playing(policy("abcdxy", traits={"x": FAR, "y": FAR})) as play:
        assert set(spread(play, 40)) == set("abcd")
        lose(play, "a")
        assert set(spread(play, 30)) == set("bcd")
        lose(play, "b")
        taken = spread(play, 200)
        assert taken["x"] + taken["y"] == pytest.approx(60, abs=15)
        assert taken["c"] == pytest.approx(70, abs=8)
        lose(play, "cd")
        assert set(spread(play, 20)) == {"x", "y"}
        for address in "abcd":
            play.server(address).set_mode("accept")
        play.advance(15.0)
        assert set(spread(play, 40)) == set("abcd")
        end(play)


def test_the_own_zone_comes_first() -> None:
    """Calls stay in the zone while enough of it is there; then others help; other zones do without."""
    traits = {letter: EndpointTraits(zone="here" if letter in "ab" else "there") for letter in "abcd"}
    with playing(policy("abcd", traits=traits), "here") as play:
        assert spread(play, 20) == {"a": 10, "b": 10}
        lose(play, "a")
        taken = spread(play, 200)
        assert taken["b"] == pytest.approx(140, abs=15)
        assert set(taken) == set("bcd")
        lose(play, "b")
        assert spread(play, 20) == {"c": 10, "d": 10}
        end(play)
    with playing(policy("abcd", traits=traits), "elsewhere") as play:
        assert set(spread(play, 20)) == set("abcd")
        end(play)
    with playing(policy("abcd", traits=traits)) as play:
        assert set(spread(play, 20)) == set("abcd")
        end(play)


def test_ring_hash_keeps_a_user_at_one_endpoint() -> None:
    """The value of the metadata key decides, also when it differs on each call; without it anybody may."""
    with playing(policy("abcd", balance=BALANCE_RING_HASH, hashing=HashOptions(b"x-user"))) as play:
        homes = {}
        for number in range(12):
            (homes[number],) = spread(play, 3, x_user=f"u{number}")
        assert len(set(homes.values())) > 2
        assert len(spread(play, 40)) > 2
        gone = homes[0]
        lose(play, gone)
        for number, home in homes.items():
            (now,) = spread(play, 2, x_user=f"u{number}")
            assert (now == home) == (home != gone)
        play.server(gone).set_mode("accept")
        play.advance(15.0)
        assert {n: next(iter(spread(play, 1, x_user=f"u{n}"))) for n in homes} == homes
        end(play)


def test_the_hashed_key_may_be_one_that_is_never_indexed() -> None:
    """Values that differ on each call are split off from the header block; they count all the same."""
    with playing(policy("abcd", balance=BALANCE_RING_HASH, hashing=HashOptions(b"x-user"))) as play:
        taken = set()
        for _ in range(4):
            before = {address: play.server(address).count for address in "abcd"}
            play.call("/s/M", b"x", (b"x-user", b"u1"), never_indexed=(b"x-user",))
            taken |= {address for address in "abcd" if play.server(address).count > before[address]}
        (home,) = taken
        assert set(spread(play, 2, x_user="u1")) == {home}
        end(play)


def test_peak_ewma_leaves_the_slow_and_the_failing_alone() -> None:
    """Of three the one that answers late and the one that fails at once get few calls."""
    with playing(policy("abc", balance=BALANCE_PEAK_EWMA)) as play:
        taken: Counter[str] = Counter()
        for _ in range(150):
            before = {address: play.server(address).count for address in "abc"}
            play.call("/s/M", b"x")
            (where,) = (address for address in "abc" if play.server(address).count > before[address])
            taken[where] += 1
            play.advance(0.2 if where == "b" else 0.005)
            if where == "c":
                play.server("c").last.trailers_only(14)
            else:
                play.server(where).last.reply(b"y")
        play.forget()
        # Every third pair that is drawn is that of the two bad ones.
        assert taken["b"] + taken["c"] <= 60
        assert 0 < taken["c"] <= 45
        end(play)


def test_peak_ewma_hears_of_pushback_and_of_calls_that_are_given_up() -> None:
    """RESOURCE_EXHAUSTED with a pushback of a minute counts as a minute; a hung call as how long it hung."""
    with playing(policy("ab", balance=BALANCE_PEAK_EWMA)) as play:
        endpoints = {address: play.world.endpoint(address) for address in "ab"}
        play.call("/s/M", b"x")
        first = "a" if play.server("a").count else "b"
        play.server(first).last.trailers_only(8, (b"grpc-retry-pushback-ms", b"60000"))
        assert endpoints[first].latency.estimate(play.now) == 60.0
        call = play.call("/s/M", b"x")
        other = "b" if first == "a" else "a"
        play.advance(3.0)
        call.cancel()
        assert endpoints[other].latency.estimate(play.now) == pytest.approx(3.0, abs=0.1)
        end(play)


def test_other_balances_do_not_ask_for_latencies() -> None:
    """What is not needed is not measured."""
    with playing(policy("ab")) as play:
        spread(play, 4)
        assert not play.world.endpoint("a").watched
        assert play.world.endpoint("a").latency.cost(0, 1.0, 1000.0) == 0.03
        end(play)


@pytest.mark.parametrize("balance", ALL_BALANCES)
def test_every_balance_keeps_the_promises(balance: int) -> None:
    """Attempts of a call go to different endpoints while there are any; nothing goes to the unreachable; all
    gone is refused at once; a change of members is followed.
    """
    retry = RetryOptions(max_attempts=3, initial_s=0.01, jitter=0.0, only_idempotent=False)
    hashing = HashOptions(b"x-user")
    given = policy("abc", balance=balance, retry=retry, hashing=hashing)
    with playing(given) as play:
        for number in range(8):
            before = [play.server(address).count for address in "abc"]
            play.call("/s/M", b"x", (b"x-user", b"%d" % number))
            for _ in range(3):
                open_one = [
                    a for a in "abc" if play.server(a).count and not play.server(a).last.seen.answered
                ]
                play.server(open_one[0]).last.trailers_only(14)
                play.advance(0.06)
            assert [play.server(a).count - n for a, n in zip("abc", before, strict=True)] == [1, 1, 1]
        play.forget()
        lose(play, "b")
        assert "b" not in spread(play, 20)
        play.apply(policy("acd", balance=balance, retry=retry, hashing=hashing, revision=2))
        taken = spread(play, 40)
        assert "d" in taken
        assert set(taken) <= set("acd")
        lose(play, "acd")
        play.forget()
        play.call("/s/M", b"x")
        play.expect("client#69 <- TRAILERS-ONLY UNAVAILABLE LOCAL NO_HEALTHY_BACKEND rejected")
        play.disconnect()
        play.forget()


def test_new_endpoints_start_slowly() -> None:
    """An endpoint that is added gets a tenth at first and its share after the window; so does one that was
    away.
    """
    slow = SlowStart(10.0, 1.0, 0.1)
    with playing(policy("ab", slow=slow)) as play:
        play.advance(12.0)
        play.apply(policy("abc", slow=slow, revision=2))
        assert spread(play, 42)["c"] == pytest.approx(2, abs=1)
        play.advance(5.0)
        assert spread(play, 50)["c"] == pytest.approx(10, abs=2)
        play.advance(6.0)
        assert spread(play, 30)["c"] == pytest.approx(10, abs=1)
        lose(play, "c")
        play.server("c").set_mode("accept")
        play.advance(0.5)
        assert play.world.endpoint("c").state == READY
        assert spread(play, 42)["c"] <= 4
        end(play)


def test_the_last_endpoint_does_not_start_slowly() -> None:
    """Whoever is alone takes everything."""
    with playing(policy("ab", slow=SlowStart(60.0))) as play:
        lose(play, "ab")
        play.server("a").set_mode("accept")
        play.advance(1.0)
        assert spread(play, 10) == {"a": 10}
        end(play)


def test_what_is_in_flight_outlives_a_change() -> None:
    """A reload that changes the cluster goes on counting; calls of before keep the limit that they had."""
    with playing(policy("a", max_in_flight=2)) as play:
        calls = [play.call("/s/M", b"x") for _ in range(2)]
        play.apply(policy("a", max_in_flight=2, authority=b"new", revision=2))
        play.forget()
        play.call("/s/M", b"x")
        play.expect("client#3 <- TRAILERS-ONLY RESOURCE_EXHAUSTED LOCAL CONCURRENCY_LIMITED rejected")
        for number in (1, 2):
            play.server("a").request(number).trailers_only(0)
        assert [call.seen.status for call in calls] == [0, 0]
        assert spread(play, 2) == {"a": 2}
        end(play)


def test_state_outlives_every_change_of_the_document() -> None:
    """An endpoint that stays keeps its connection, its counters and its backoff, whatever changes around."""
    with playing(policy("ab")) as play:
        spread(play, 4)
        lose(play, "b")
        play.advance(3.0)
        wait = play.world.endpoint("b")._failures
        play.apply(policy("bca", balance=BALANCE_LEAST_REQUEST, traits={"a": EndpointTraits(5)}, revision=2))
        endpoint = play.world.endpoint("b")
        assert (endpoint.state, endpoint._failures) == (BACKOFF, wait)
        assert play.world.endpoint("a").attempts == 2
        assert play.server("a").dials == 1
        end(play)


def test_a_first_dial_waits_for_nobody() -> None:
    """An endpoint that is still being connected gets calls only while there is no other."""
    with playing(policy("a")) as play:
        host = play.add_server("b")
        host.server.mode = "blackhole"
        play.apply(policy("ab", revision=2))
        assert spread(play, 6) == {"a": 6}
        host.set_mode("accept")
        assert spread(play, 6) == {"a": 3, "b": 3}
        end(play)


class TestReturns:
    def test_a_flapping_endpoint_is_up_half_of_the_time(self) -> None:
        """One that lives 0.5 s each time is dialled again after about as long, not after ten seconds."""
        with playing(policy("a")) as play:
            up = 0.0
            for _ in range(1200):
                if play.world.endpoint("a").state == READY:
                    up += 0.05
                    link = play.world.endpoint("a").links[0]
                    if play.now - link.ready_at >= 0.5:
                        play.server("a").cut()
                play.advance(0.05)
            assert up / 60.0 > 0.4
            assert play.server("a").dials < 60 / 0.7
            play.forget()

    def test_a_good_endpoint_is_missed(self) -> None:
        """Away for a while it is dialled at least once a second, or each quarter of the time it is away."""
        with playing(policy("a")) as play:
            play.advance(60.0)
            lose(play, "a")
            play.advance(120.0)
            times = play.server("a").server.dial_times
            away_since = times[1]
            for before, after in pairwise(times[1:]):
                assert after - before <= max(1.0, 0.25 * (before - away_since)) + 0.1
            assert times[-1] - times[-2] > 7.0
            play.forget()


def test_an_old_call_hashes_no_more_when_its_cluster_does_not() -> None:
    """A call that was born under ring_hash is sent again although its cluster takes turns by now."""
    retry = RetryOptions(max_attempts=2, initial_s=0.1, jitter=0.0, only_idempotent=False)
    by_key = HashOptions(b"x-user")
    with playing(policy("ab", balance=BALANCE_RING_HASH, hashing=by_key, retry=retry)) as play:
        call = play.call("/s/M", b"x", (b"x-user", b"ann"))
        first, second = ("a", "b") if play.server("a").count else ("b", "a")
        play.apply(policy("ab", retry=retry, revision=2))
        play.server(first).last.trailers_only(14)
        play.advance(0.2)
        assert play.server(second).count == 1
        play.server(second).last.reply(b"pong")
        assert call.seen.status == 0
        end(play)
