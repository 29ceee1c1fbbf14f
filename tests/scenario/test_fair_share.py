"""Tenants that want the same places, and routes that can be done without, as calls meet them."""

from __future__ import annotations

import pytest

from seawall_policy.call_key import CallKey
from seawall_policy.limit import options as limits
from seawall_policy.limit.gate import Gate
from seawall_policy.limit.options import LimitOptions
from seawall_policy.model import Route
from seawall_proxy.telemetry.would import would_by_name
from seawall_proxy.testing import Playbook, make_policy, make_route, make_snapshot
from seawall_proxy.testing.playbook import ScriptedCall
from seawall_proxy.testing.policies import to_empty
from tests.scenario.scenes import GET, LIST, begin, playing

TENANT = b"x-tenant"


def fair(places: int, queue: int = 100, *key: str, **settings: object) -> LimitOptions:
    """A limit of so many places, shared by tenants."""
    parts = CallKey(key or ("metadata:x-tenant",))
    return LimitOptions(
        max_in_flight=places,
        min_in_flight=1,
        queue=queue,
        queue_timeout_s=60.0,
        fair=parts,
        **settings,  # type: ignore[arg-type]
    )


def gate_of(play: Playbook, route: str = "all") -> Gate:
    """Return the gate of a route."""
    guards = play.world.state(route).guards
    assert guards is not None
    assert guards.admission is not None
    return guards.admission.gate


def answer(play: Playbook, number: int) -> None:
    """Let the server answer its n-th request."""
    play.server().request(number).reply(b"pong")
    play.forget()


def tenants_of(play: Playbook) -> list[bytes]:
    """Return whose requests the server has seen, in order."""
    return [call.field(TENANT) or b"" for call in play.server().server.calls]


def test_a_flood_waits_behind_itself() -> None:
    """One call of another tenant is served before the nine that came before it."""
    with playing(limit=fair(1)) as play:
        for _ in range(10):
            begin(play, b"f", (TENANT, b"flood"))
        begin(play, b"s", (TENANT, b"small"))
        answer(play, 1)
        answer(play, 2)
        assert tenants_of(play)[:2] == [b"flood", b"small"]
        assert len(gate_of(play).tenants) == 1
        for number in range(3, 12):
            answer(play, number)
        assert len(gate_of(play).tenants) == 0


def test_places_are_divided() -> None:
    """Of four places each of two tenants comes to hold two, though one asked first for all of them."""
    with playing(limit=fair(4)) as play:
        for _ in range(8):
            begin(play, b"f", (TENANT, b"flood"))
        for _ in range(4):
            begin(play, b"s", (TENANT, b"small"))
        answer(play, 1)
        answer(play, 2)
        assert tenants_of(play) == [b"flood"] * 4 + [b"small"] * 2
        assert gate_of(play).tenants.most_held() == 2
        for number in range(3, 13):
            answer(play, number)


def test_a_full_queue_drops_the_flood() -> None:
    """A newcomer takes the place in the queue of the tenant that fills it."""
    with playing(limit=fair(1, 3)) as play:
        flood = [begin(play, b"f", (TENANT, b"flood")) for _ in range(4)]
        small = begin(play, b"s", (TENANT, b"small"))
        assert flood[3].seen.field(b"seawall-reason") == b"LIMITED"
        assert not small.seen.ended
        again = begin(play, b"f", (TENANT, b"flood"))
        assert again.seen.field(b"seawall-reason") == b"LIMITED"
        play.forget()
        for number in range(1, 5):
            answer(play, number)
        assert small.seen.status == 0


def test_calls_without_a_tenant_are_one() -> None:
    """They share what one tenant gets."""
    with playing(limit=fair(1)) as play:
        for _ in range(3):
            begin(play)
        begin(play, b"s", (TENANT, b"small"))
        answer(play, 1)
        answer(play, 2)
        assert tenants_of(play)[:2] == [b"", b"small"]
        answer(play, 3)
        answer(play, 4)


def test_criticality_comes_first() -> None:
    """Shares are fair within a class: a more important call of the flood goes before a small tenant's."""
    header = b"seawall-criticality"
    with playing(limit=fair(1, header=header)) as play:
        begin(play, b"f", (TENANT, b"flood"))
        begin(play, b"s", (TENANT, b"small"))
        begin(play, b"f", (TENANT, b"flood"), (header, b"critical_plus"))
        for number in range(1, 4):
            answer(play, number)
        assert tenants_of(play) == [b"flood", b"flood", b"small"]


def test_clients_by_their_address() -> None:
    """Without metadata the client's address tells tenants apart, its port does not."""
    with playing(limit=fair(1, 100, "peer")) as play:
        begin(play)
        begin(play)
        assert len(gate_of(play).tenants) == 1
        answer(play, 1)
        answer(play, 2)


def test_a_stream_is_not_held_against_its_tenant() -> None:
    """A call that has been answered and goes on holds no place."""
    with playing(limit=fair(1)) as play:
        begin(play, b"f", (TENANT, b"flood"), path=LIST)
        play.server().request(1).headers()
        play.server().request(1).data(b"one")
        play.advance(0.01)
        assert gate_of(play).tenants.most_held() == 0
        play.server().request(1).trailers(0)
        play.forget()


# ------------------------------------------------------------------------------------------------- brownout


def routes(limit: LimitOptions, **of_list: object) -> tuple[Route, ...]:
    """Two routes under one limit: Get, and List, which is optional."""
    policy = make_policy(limit=limit)
    extra = make_policy(limit=limit, **of_list) if of_list else policy  # type: ignore[arg-type]
    return (
        make_route(policy, name="get", service="shop.v1.Orders", method="Get"),
        make_route(extra, name="list", service="shop.v1.Orders", method="List", optional=True),
    )


def plain(places: int = 5, queue: int = 10, **settings: object) -> LimitOptions:
    """A limit of so many places, four fifths of which optional calls may see in use."""
    return LimitOptions(
        max_in_flight=places,
        min_in_flight=1,
        queue=queue,
        queue_timeout_s=60.0,
        **settings,  # type: ignore[arg-type]
    )


def reason(call: ScriptedCall) -> bytes | None:
    """Return why a call was refused."""
    return call.seen.field(b"seawall-reason")


def test_optional_calls_go_first() -> None:
    """With four of five places in use they are refused, while others still begin."""
    with Playbook(make_snapshot(*routes(plain()))) as play:
        for _ in range(3):
            begin(play, path=GET)
        assert reason(begin(play, path=LIST)) is None
        refused = begin(play, path=LIST)
        assert (reason(refused), refused.seen.status) == (b"BROWNOUT", 8)
        assert reason(begin(play, path=GET)) is None
        assert play.world.counters["list"].limited == {("BROWNOUT", limits.CRITICAL): 1}
        assert gate_of(play, "get") is gate_of(play, "list")
        assert gate_of(play, "list").browned_out == 1
        for number in range(1, 6):
            answer(play, number)


def test_optional_calls_stay_away_while_others_wait() -> None:
    """And for a second longer, so that they do not come back with every place that is free."""
    with Playbook(make_snapshot(*routes(plain(1, brownout=1.0)))) as play:
        begin(play, path=GET)
        begin(play, path=GET)
        assert reason(begin(play, path=LIST)) == b"BROWNOUT"
        answer(play, 1)
        answer(play, 2)
        assert reason(begin(play, path=LIST)) == b"BROWNOUT"
        play.advance(1.1)
        assert reason(begin(play, path=LIST)) is None
        answer(play, 3)


def test_when_to_come_back() -> None:
    """Not before it may have been calm for long enough."""
    with Playbook(make_snapshot(*routes(plain(1, brownout=0.0)))) as play:
        pushback = begin(play, path=LIST).seen.field(b"grpc-retry-pushback-ms")
        assert pushback is not None
        assert 1000 <= int(pushback) <= 1501
        play.forget()


def test_a_fallback_stands_in_for_what_is_left_out() -> None:
    """A page without its recommendations is a page."""
    answerer = to_empty(0, frozenset({"BROWNOUT"}))
    with Playbook(make_snapshot(*routes(plain(1), fallback=(answerer,)))) as play:
        begin(play, path=GET)
        left_out = begin(play, path=LIST)
        assert (left_out.seen.status, left_out.seen.field(b"seawall-outcome")) == (0, b"fallback")
        play.forget()
        answer(play, 1)


def test_a_limit_in_shadow_browns_nothing_out() -> None:
    """It counts."""
    with Playbook(make_snapshot(*routes(plain(1, mode=limits.SHADOW)))) as play:
        begin(play, path=GET)
        assert reason(begin(play, path=LIST)) is None
        assert would_by_name(play.world.counters["list"]) == {"limit/brownout": 1, "limit/refuse": 1}
        answer(play, 1)
        answer(play, 2)


@pytest.mark.parametrize(
    "settings",
    [
        {"criticality": limits.SHEDDABLE},
        {"header": b"seawall-criticality"},
        {"brownout": 0.5},
    ],
)
def test_classes_share_a_limit(settings: dict[str, object]) -> None:
    """How a route tells what its calls are worth is its own; what they are weighed in is common."""
    one, other = plain(1), plain(1, **settings)  # type: ignore[arg-type]
    pair = (
        make_route(make_policy(limit=one), name="get", service="shop.v1.Orders", method="Get"),
        make_route(make_policy(limit=other), name="list", service="shop.v1.Orders", method="List"),
    )
    with Playbook(make_snapshot(*pair)) as play:
        assert gate_of(play, "get") is gate_of(play, "list")


def test_a_sheddable_route_waits_behind_a_critical_one() -> None:
    """Two routes, two policies that differ in `criticality` alone: one queue."""
    pair = (
        make_route(make_policy(limit=plain(1)), name="get", service="shop.v1.Orders", method="Get"),
        make_route(
            make_policy(limit=plain(1, criticality=limits.SHEDDABLE)),
            name="list",
            service="shop.v1.Orders",
            method="List",
        ),
    )
    with Playbook(make_snapshot(*pair)) as play:
        begin(play, path=GET)
        begin(play, path=LIST)
        begin(play, path=GET)
        answer(play, 1)
        assert [call.field(b":path") for call in play.server().server.calls] == [GET.encode(), GET.encode()]
        answer(play, 2)
        answer(play, 3)
