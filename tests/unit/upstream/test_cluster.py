"""Choosing among endpoints, and changing them while calls are in flight."""

from __future__ import annotations

import pytest

from seawall_policy.model import BALANCE_LEAST_REQUEST, BALANCE_ROUND_ROBIN, Snapshot
from seawall_policy.retry import RetryOptions
from seawall_proxy.testing import Playbook, make_policy, make_route, make_snapshot
from seawall_proxy.testing.playbook import ScriptedCall
from seawall_proxy.testing.policies import make_cluster
from seawall_proxy.testing.world import Dice, World
from seawall_proxy.upstream.endpoint import READY

RETRY = RetryOptions(max_attempts=3, initial_s=0.1, jitter=0.0, only_idempotent=False)


def with_endpoints(
    *endpoints: str,
    balance: int = BALANCE_ROUND_ROBIN,
    retry: RetryOptions | None = None,
    revision: int = 1,
    authority: bytes = b"",
    max_in_flight: int = 1024,
    connect_timeout_s: float = 1.0,
) -> Snapshot:
    """One route to one cluster."""
    cluster = make_cluster(
        "main",
        endpoints,
        balance=balance,
        authority=authority,
        max_in_flight=max_in_flight,
        connect_timeout_s=connect_timeout_s,
    )
    return make_snapshot(make_route(make_policy(retry=retry)), clusters={"main": cluster}, revision=revision)


def counts(play: Playbook, addresses: str = "abc") -> list[int]:
    """Return how many requests each host has seen."""
    return [play.server(address).count for address in addresses]


def test_round_robin() -> None:
    """Turns go round."""
    with Playbook(with_endpoints("a", "b", "c")) as play:
        for _ in range(6):
            play.call(body=b"x")
        assert counts(play) == [2, 2, 2]
        play.disconnect()
        play.forget()


def test_round_robin_leaves_out_the_unreachable() -> None:
    """An endpoint in backoff gets no calls, and its turns are shared out."""
    with Playbook(with_endpoints("a", "b", "c")) as play:
        play.server("b").set_mode("refuse")
        play.server("b").cut()
        for _ in range(6):
            play.call(body=b"x")
        assert counts(play) == [3, 0, 3]
        play.disconnect()
        play.forget()


def test_least_request_takes_the_less_busy_of_two() -> None:
    """Of two endpoints that are drawn the one with fewer attempts in flight is taken."""
    dice = Dice()
    with Playbook(with_endpoints("a", "b", balance=BALANCE_LEAST_REQUEST), world=World(draw=dice)) as play:
        dice.next = [0.0, 0.0]
        play.call(body=b"x")
        assert counts(play, "ab") == [1, 0]
        for _ in range(3):
            dice.next = [0.0, 0.0]
            play.call(body=b"x")
        assert counts(play, "ab") == [2, 2]
        play.disconnect()
        play.forget()


@pytest.mark.parametrize("balance", [BALANCE_ROUND_ROBIN, BALANCE_LEAST_REQUEST])
def test_tried_endpoints_are_avoided(balance: int) -> None:
    """The attempts of one call go to different endpoints as long as there are any."""
    with Playbook(with_endpoints("a", "b", "c", balance=balance, retry=RETRY)) as play:
        for _ in range(20):
            before = counts(play)
            play.call(body=b"x")
            for _ in range(3):
                busy = next(
                    s for s in "abc" if play.server(s).count and not play.server(s).last.seen.answered
                )
                play.server(busy).last.trailers_only(14)
                play.advance(0.25)
            play.forget()
            assert [after - b for b, after in zip(before, counts(play), strict=True)] == [1, 1, 1]


def test_a_tried_endpoint_is_better_than_none() -> None:
    """When all have been tried one is tried again."""
    with Playbook(with_endpoints("a", retry=RETRY)) as play:
        play.call(body=b"x")
        play.server("a").last.trailers_only(14)
        play.advance(0.11)
        assert play.server("a").count == 2
        play.server("a").last.trailers_only(0)
        play.forget()


def test_nobody_can_be_reached() -> None:
    """With all endpoints in backoff a call is refused at once and not kept waiting."""
    with Playbook(with_endpoints("a", "b")) as play:
        for address in "ab":
            play.server(address).set_mode("refuse")
            play.server(address).cut()
        play.call(body=b"x")
        play.expect("client#1 <- TRAILERS-ONLY UNAVAILABLE LOCAL NO_HEALTHY_BACKEND rejected")


def test_max_in_flight() -> None:
    """At the cluster's limit calls are turned away with RESOURCE_EXHAUSTED, which nobody retries."""
    with Playbook(with_endpoints("a", "b", max_in_flight=2)) as play:
        for _ in range(2):
            play.call(body=b"x")
        play.call(body=b"x")
        play.expect(
            "a#1 <- HEADERS /shop.v1.Orders/Get", 'a#1 <- DATA "x" END',
            "b#1 <- HEADERS /shop.v1.Orders/Get", 'b#1 <- DATA "x" END',
            "client#3 <- TRAILERS-ONLY RESOURCE_EXHAUSTED LOCAL CONCURRENCY_LIMITED rejected",
        )  # fmt: skip
        play.server("a").last.trailers_only(0)
        play.call(body=b"x")
        assert counts(play, "ab") == [2, 1]
        play.disconnect()
        play.forget()


def test_an_unchanged_cluster_is_kept() -> None:
    """A policy that says nothing new about a cluster leaves its connections and its turns alone."""
    with Playbook(with_endpoints("a", "b")) as play:
        cluster = play.world.clusters.clusters["main"]
        play.apply(with_endpoints("a", "b", revision=2))
        assert play.world.clusters.clusters["main"] is cluster
        assert (play.server("a").dials, play.server("b").dials) == (1, 1)


def test_connections_outlive_a_change_of_the_cluster() -> None:
    """Endpoints that stay keep their connections when the cluster changes around them."""
    with Playbook(with_endpoints("a", "b")) as play:
        endpoint = play.world.endpoint("b")
        play.apply(with_endpoints("c", "b", authority=b"x", balance=BALANCE_LEAST_REQUEST, revision=2))
        assert play.world.endpoint("b") is endpoint
        assert (play.server("b").dials, play.server("c").dials) == (1, 1)
        assert endpoint.state == READY


def test_a_removed_endpoint_finishes_its_calls() -> None:
    """An endpoint that left the policy gets nothing new, finishes what it has, and is closed then."""
    with Playbook(with_endpoints("a")) as play:
        call = play.call(body=b"x")
        play.apply(with_endpoints("b", revision=2))
        play.call(body=b"y")
        assert counts(play, "ab") == [1, 1]
        play.advance(3.0)
        assert play.server("a").server.connections[0].open
        play.server("a").last.reply(b"pong")
        assert call.seen.status == 0
        play.server("b").last.trailers_only(0)
        play.advance(2.1)
        assert not play.server("a").server.connections[0].open
        assert play.world.clusters.retired == []
        play.forget()


def test_an_endpoint_that_is_removed_while_it_is_dialled() -> None:
    """Calls that wait for it go elsewhere at once; nothing is dialled for it any more."""
    with Playbook(with_endpoints("a"), warm=False) as play:
        play.server("a").server.mode = "blackhole"
        call = play.call(body=b"x")
        play.apply(with_endpoints("b", revision=2))
        assert play.server("b").count == 1
        play.server("b").last.trailers_only(5)
        play.advance(5.0)
        assert call.seen.status == 5
        assert play.server("a").dials == 1
        assert play.world.clusters.retired == []
        play.forget()


def test_an_endpoint_that_comes_back() -> None:
    """An address that returns to the policy is dialled anew."""
    with Playbook(with_endpoints("a")) as play:
        play.apply(with_endpoints("b", revision=2))
        play.apply(with_endpoints("a", revision=3))
        play.advance(2.1)
        call = play.call(body=b"x")
        play.server("a").last.trailers_only(0)
        assert call.seen.status == 0
        assert len(play.server("a").server.open_connections()) == 1
        play.forget()


def test_retries_of_an_old_call_avoid_what_they_tried() -> None:
    """A new order of endpoints does not confuse a call that was born before it."""
    with Playbook(with_endpoints("a", "b", "c", retry=RETRY)) as play:
        play.call(body=b"x")
        play.apply(with_endpoints("c", "b", "a", revision=2))
        play.server("a").last.trailers_only(14)
        play.advance(0.11)
        assert counts(play) == [1, 1, 0]
        play.server("b").last.trailers_only(14)
        play.advance(0.21)
        assert counts(play) == [1, 1, 1]
        play.server("c").last.trailers_only(0)
        play.forget()


def test_the_old_cluster_learns_who_is_unreachable() -> None:
    """A call that was born before a change of policy is not sent to an endpoint that has become unreachable
    since.
    """
    with Playbook(with_endpoints("a", "b", retry=RETRY)) as play:
        call: ScriptedCall = play.call(body=b"x")
        play.apply(with_endpoints("b", "a", revision=2, authority=b"new"))
        play.server("b").set_mode("refuse")
        play.server("b").cut()
        play.server("a").last.trailers_only(14)
        play.advance(0.11)
        assert counts(play, "ab") == [2, 0]
        play.server("a").last.reply(b"pong")
        assert call.seen.status == 0
        assert call.seen.field(b"seawall-attempts") == b"2"
        play.forget()


def test_a_refused_policy_leaves_everything_alone() -> None:
    """Clusters that were prepared and not adopted have changed nothing about those in force."""
    with Playbook(with_endpoints("a", "b")) as play:
        play.world.clusters.prepare(with_endpoints("b", "c", authority=b"x", revision=2).clusters)
        play.server("b").set_mode("refuse")
        play.server("b").cut()
        for _ in range(3):
            play.call(body=b"x")
        assert counts(play, "ab") == [3, 0]
        play.disconnect()
        play.forget()


@pytest.mark.parametrize(
    ("addresses", "connect_timeout_s"), [("b", 1.0), ("a", 2.0)], ids=["other endpoint", "other transport"]
)
def test_who_waits_for_an_endpoint_that_leaves_goes_to_another(
    addresses: str, connect_timeout_s: float
) -> None:
    """A call that waits for a connection when its endpoint is taken out of the policy is sent to an endpoint
    of now.
    """
    with Playbook(with_endpoints("a", retry=RETRY), warm=False) as play:
        play.server("a").server.mode = "blackhole"
        call = play.call(body=b"x")
        play.server("a").server.mode = "accept"
        play.apply(with_endpoints(*addresses, connect_timeout_s=connect_timeout_s, revision=2))
        assert play.server(addresses).count == 1
        play.server(addresses).last.reply(b"pong")
        assert call.seen.status == 0
        play.forget()
