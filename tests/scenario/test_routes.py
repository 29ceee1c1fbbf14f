"""Which route a call takes, and to which cluster."""

from __future__ import annotations

import pytest

from seawall_policy.classify import PERMANENT
from seawall_policy.model import Route
from seawall_proxy.http2.headers import Field
from seawall_proxy.testing import Playbook, make_policy, make_route, make_snapshot
from seawall_proxy.testing.policies import make_cluster
from seawall_proxy.testing.world import Dice, World
from tests.scenario.scenes import begin

PLAIN = make_policy()


def route(name: str, cluster: str, **where: object) -> Route:
    """Return a route with a policy that adds nothing."""
    return make_route(PLAIN, name=name, backends=((cluster, 1),), **where)  # type: ignore[arg-type]


def served_by(play: Playbook, path: str, *fields: Field, indexed: bool = True) -> str:
    """Start a call and return the address that saw it."""
    before = {address: play.server(address).count for address in "abcd" if address in play._servers}
    play.call(path, b"x", *fields, never_indexed=() if indexed else tuple(field[0] for field in fields))
    for address, count in before.items():
        if play.server(address).count > count:
            play.server(address).last.trailers_only(0)
            play.forget()
            return address
    play.forget()
    return "nobody"


CLUSTERS = {"one": ("a",), "two": ("b",), "three": ("c",), "four": ("d",)}


def test_service_and_method() -> None:
    """A route for the method goes before one for the service, that one before one for everything."""
    snapshot = make_snapshot(
        route("rest", "three"),
        route("orders", "two", service="shop.v1.Orders"),
        route("get", "one", service="shop.v1.Orders", method="Get"),
        clusters=CLUSTERS,
    )
    with Playbook(snapshot) as play:
        assert served_by(play, "/shop.v1.Orders/Get") == "a"
        assert served_by(play, "/shop.v1.Orders/List") == "b"
        assert served_by(play, "/shop.v1.Stock/Get") == "c"
        assert [play.world.counters[name].started for name in ("get", "orders", "rest")] == [1, 1, 1]


def test_nothing_matches() -> None:
    """A call that no route takes is UNIMPLEMENTED, counted apart, and makes an event."""
    with Playbook(make_snapshot(route("orders", "one", service="shop.v1.Orders"), clusters=CLUSTERS)) as play:
        play.call("/shop.v1.Stock/Get", b"x")
        play.expect("client#1 <- TRAILERS-ONLY UNIMPLEMENTED LOCAL NO_ROUTE rejected")
        assert play.world.context.unmatched.rejected_by == {"NO_ROUTE": 1}
        (record,) = play.world.sink.calls
        assert (record.reason, record.category) == ("NO_ROUTE", PERMANENT)


@pytest.mark.parametrize("indexed", [True, False], ids=["indexed", "never-indexed"])
def test_metadata(indexed: bool) -> None:
    """Metadata conditions hold for fields of either kind, for any value of a name, and all must hold."""
    snapshot = make_snapshot(
        route("gold", "one", metadata={b"x-tier": b"gold"}),
        route("gold-eu", "two", metadata={b"x-tier": b"gold", b"x-zone": b"eu"}),
        route("rest", "three"),
        clusters=CLUSTERS,
    )
    with Playbook(snapshot) as play:
        gold, silver, zone = (b"x-tier", b"gold"), (b"x-tier", b"silver"), (b"x-zone", b"eu")
        assert served_by(play, "/s/M", gold, indexed=indexed) == "a"
        assert served_by(play, "/s/M", silver, gold, indexed=indexed) == "a"
        assert served_by(play, "/s/M", gold, zone, indexed=indexed) == "b"
        assert served_by(play, "/s/M", zone, indexed=indexed) == "c"
        assert served_by(play, "/s/M", silver, indexed=indexed) == "c"
        assert served_by(play, "/s/M", indexed=indexed) == "c"


def test_metadata_of_a_volatile_name() -> None:
    """A condition on a field that differs on each call is looked for there too."""
    snapshot = make_snapshot(
        route("me", "one", metadata={b"authorization": b"Bearer me"}), route("rest", "two"), clusters=CLUSTERS
    )
    with Playbook(snapshot) as play:
        assert served_by(play, "/s/M", (b"authorization", b"Bearer me")) == "a"
        assert served_by(play, "/s/M", (b"authorization", b"Bearer you")) == "b"


def test_weights() -> None:
    """Backends share the calls by weight, decided by one draw a call."""
    dice = Dice()
    snapshot = make_snapshot(
        make_route(PLAIN, backends=(("one", 90), ("two", 9), ("three", 1))), clusters=CLUSTERS
    )
    with Playbook(snapshot, world=World(draw=dice)) as play:
        for draw, address in ((0.0, "a"), (0.899, "a"), (0.9, "b"), (0.989, "b"), (0.99, "c"), (0.9999, "c")):
            dice.next = [draw]
            assert served_by(play, "/s/M") == address, draw


def test_authority_of_the_cluster() -> None:
    """A cluster's authority replaces the client's; without one the client's stays."""
    snapshot = make_snapshot(
        route("one", "one", service="s"),
        route("two", "two"),
        clusters={"one": make_cluster("one", ("a",), authority=b"orders.internal"), "two": ("b",)},
    )
    with Playbook(snapshot) as play:
        assert served_by(play, "/s/M") == "a"
        assert served_by(play, "/t/M") == "b"
        assert play.server("a").last.seen.field(b":authority") == b"orders.internal"
        assert play.server("b").last.seen.field(b":authority") == b"shop:443"


def test_a_new_policy_routes_new_calls() -> None:
    """The same request block takes the new route as soon as a new policy is in force."""
    with Playbook(make_snapshot(route("rest", "one"), clusters=CLUSTERS)) as play:
        assert served_by(play, "/s/M") == "a"
        play.apply(make_snapshot(route("rest", "two"), clusters=CLUSTERS, revision=2))
        assert served_by(play, "/s/M") == "b"


def test_a_call_keeps_the_policy_that_it_was_born_with() -> None:
    """A call in flight ends under the old policy: its retries, its cluster and its record (I5)."""
    from tests.scenario.scenes import retrying

    before = make_snapshot(
        make_route(make_policy(retry=retrying(2)), backends=(("one", 1),)), clusters=CLUSTERS, revision=7
    )
    after = make_snapshot(make_route(make_policy(), backends=(("two", 1),)), clusters=CLUSTERS, revision=8)
    with Playbook(before) as play:
        begin(play)
        play.apply(after)
        play.server("a").last.trailers_only(14)
        play.advance(0.03)
        assert (play.server("a").count, play.server("b").count) == (2, 0)
        play.server("a").last.trailers_only(14)
        play.forget()
        assert [record.revision for record in play.world.sink.calls] == [7]
        begin(play)
        play.server("b").last.trailers_only(14)
        play.forget()
        assert play.server("b").count == 1
        assert [record.revision for record in play.world.sink.calls] == [7, 8]
