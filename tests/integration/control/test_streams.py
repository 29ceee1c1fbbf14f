"""A proxy's stream over real gRPC: pushes and answers, events and acknowledgements, commands, statistics."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import grpc
import pytest

from seawall.v1 import admin_events_pb2 as events_pb
from seawall.v1 import admin_fleet_pb2 as operations_pb
from seawall.v1 import admin_policies_pb2 as policies_pb
from seawall.v1 import event_pb2, fleet_pb2, stats_pb2
from seawall_control.domain.subscription import Answered
from seawall_control.server import ControlPlane
from tests.integration.control.kit import Proxy, Stubs, document, event, until

pytestmark = pytest.mark.integration


async def apply(stubs: Stubs, number: int) -> Any:
    """Apply a document and return its revision."""
    return (
        await stubs.policies.ApplyPolicy(policies_pb.ApplyPolicyRequest(document=document(number)))
    ).revision


async def rollout(stubs: Stubs) -> Any:
    """Return the rollout of the default set."""
    return await stubs.policies.GetRollout(policies_pb.GetRolloutRequest())


async def listed(stubs: Stubs, text: str = "") -> list[event_pb2.ErrorEvent]:
    """Return the events that match."""
    answer = await stubs.events.ListEvents(events_pb.ListEventsRequest(filter=text, page_size=1000))
    return list(answer.events)


async def test_newest_policy_is_pushed_on_connect_and_on_change(stubs: Stubs) -> None:
    """A proxy gets the newest revision when it comes and each one that follows; its answers show in the
    rollout.
    """
    first = await apply(stubs, 1)
    proxy = Proxy(stubs, "p1")
    assert (await proxy.hello()).latest_revision == 1
    push = (await proxy.hear("policy")).policy
    assert (push.nonce, push.revision, push.hash) == (1, 1, first.hash)
    assert push.document == document(1)
    await proxy.ack(push)
    second = await apply(stubs, 2)
    push = (await proxy.hear("policy")).policy
    assert (push.nonce, push.revision, push.hash) == (2, 2, second.hash)
    assert [p.state for p in (await rollout(stubs)).proxies] == [policies_pb.ROLLOUT_STATE_PENDING]
    await proxy.ack(push)

    async def applied() -> bool:
        return bool((await rollout(stubs)).applied == 1)

    await until(applied, what="the proxy has the newest revision")


async def test_proxy_that_has_the_newest_content_is_sent_nothing(stubs: Stubs) -> None:
    """A hash in the Hello spares the push, and counts as applied."""
    first = await apply(stubs, 1)
    proxy = Proxy(stubs, "p1", applied_revision=1, applied_hash=first.hash, policy_source="last_good")
    await proxy.hello()
    assert (await rollout(stubs)).applied == 1
    assert await proxy.is_silent()


async def test_burst_of_changes_is_one_push(stubs: Stubs) -> None:
    """Changes within the debounce time are pushed as the last of them."""
    proxy = Proxy(stubs, "p1")
    await proxy.hello()
    for number in range(1, 6):
        await apply(stubs, number)
    seen: list[fleet_pb2.PolicyPush] = []
    while not seen or seen[-1].revision < 5:
        seen.append((await proxy.hear("policy")).policy)
        await proxy.ack(seen[-1])
    assert len(seen) <= 3


async def test_refused_content_is_never_sent_again_and_leaves_one_event(stubs: Stubs) -> None:
    """A NACK is shown with its reasons; reconnecting does not bring the content back; there is one event of
    it.
    """
    await apply(stubs, 1)
    proxy = Proxy(stubs, "p1")
    await proxy.hello()
    await proxy.nack((await proxy.hear("policy")).policy, "routes[all]: no descriptor")

    async def refused() -> bool:
        found = (await rollout(stubs)).proxies
        return bool(found) and found[0].state == policies_pb.ROLLOUT_STATE_REJECTED

    await until(refused, what="the refusal shows")
    row = (await rollout(stubs)).proxies[0]
    assert (
        list(row.reasons) == ["routes[all]: no descriptor"]
        and row.last_verdict == fleet_pb2.POLICY_VERDICT_NACK
    )

    again = Proxy(stubs, "p1")
    await again.hello()
    assert await again.is_silent()
    found = await listed(stubs, "kind = POLICY_REJECTED")
    assert [(e.component, e.policy_revision) for e in found] == [("proxy/p1", 1)]
    assert "no descriptor" in found[0].message


async def test_applying_refused_content_again_asks_the_proxy_again(stubs: Stubs) -> None:
    """What a refusal was about may be mended without a new policy: applying it again is pushed, the proxy
    counts as pending until it answers, and reasons are shown for the newest revision only.
    """
    await apply(stubs, 1)
    proxy = Proxy(stubs, "p1")
    await proxy.hello()
    await proxy.ack((await proxy.hear("policy")).policy)
    await apply(stubs, 2)
    await proxy.nack((await proxy.hear("policy")).policy, "the service is away")

    async def refused() -> bool:
        return bool((await rollout(stubs)).proxies[0].state == policies_pb.ROLLOUT_STATE_REJECTED)

    await until(refused, what="the refusal shows")
    assert (await apply(stubs, 2)).revision == 2
    row = (await rollout(stubs)).proxies[0]
    assert (row.state, list(row.reasons)) == (policies_pb.ROLLOUT_STATE_PENDING, [])
    push = (await proxy.hear("policy")).policy
    assert push.revision == 2
    await proxy.nack(push, "still away")
    await until(refused, what="the second refusal shows")
    assert list((await rollout(stubs)).proxies[0].reasons) == ["still away"]

    back = await apply(stubs, 1)
    row = (await rollout(stubs)).proxies[0]
    assert (row.state, list(row.reasons)) == (policies_pb.ROLLOUT_STATE_APPLIED, [])
    await proxy.ack((await proxy.hear("policy")).policy)
    assert (await apply(stubs, 2)).revision == back.revision + 1
    await proxy.ack((await proxy.hear("policy")).policy)

    async def applied() -> bool:
        return bool((await rollout(stubs)).applied == 1)

    await until(applied, what="the proxy took it")


async def test_new_run_of_a_proxy_is_offered_refused_content_once_more(stubs: Stubs) -> None:
    """After a restart, maybe as a newer version, a proxy may understand what it refused before."""
    await apply(stubs, 1)
    proxy = Proxy(stubs, "p1")
    await proxy.hello()
    await proxy.nack((await proxy.hear("policy")).policy, "no")
    restarted = Proxy(stubs, "p1", boot_id="boot-2")
    await restarted.hello()
    await restarted.ack((await restarted.hear("policy")).policy)

    async def applied() -> bool:
        return bool((await rollout(stubs)).applied == 1)

    await until(applied, what="the restarted proxy took it")


async def test_new_connection_of_a_node_takes_the_place_of_the_old(stubs: Stubs) -> None:
    """The newest connection of a name wins; the older is closed with a clear status, and two processes leave
    an event.
    """
    old = Proxy(stubs, "p1", boot_id="a")
    await old.hello()
    new = Proxy(stubs, "p1", boot_id="b")
    await new.hello()
    assert await old.end() is grpc.StatusCode.ABORTED
    assert "took this one's place" in await old.call.details()

    async def reported() -> bool:
        return len(await listed(stubs, "error_type = duplicate_node")) == 1

    await until(reported, what="the duplicate is in the record")
    assert (await rollout(stubs)).connected == 1


@pytest.mark.parametrize("node", ["", "a b", "x" * 129])
async def test_bad_node_name_is_refused(stubs: Stubs, node: str) -> None:
    """A Hello without a usable name ends the stream with INVALID_ARGUMENT."""
    proxy = Proxy(stubs, node)
    await proxy.say(hello=fleet_pb2.Hello(node=node))
    assert await proxy.end() is grpc.StatusCode.INVALID_ARGUMENT


async def test_stream_must_start_with_hello(stubs: Stubs) -> None:
    """Anything else first ends the stream."""
    proxy = Proxy(stubs, "p1")
    await proxy.say(stats=fleet_pb2.StatsReport())
    assert await proxy.end() is grpc.StatusCode.INVALID_ARGUMENT
    assert "Hello" in await proxy.call.details()


async def test_events_are_acknowledged_cumulatively_after_they_are_stored(stubs: Stubs) -> None:
    """An acknowledgement names the highest number below which nothing is missing, and the events are there by
    then.
    """
    proxy = Proxy(stubs, "p1")
    await proxy.hello()
    await proxy.send("s", *((i, event(i)) for i in range(1, 11)))
    assert (await proxy.hear("event_ack")).event_ack.through_seq == 10
    found = await listed(stubs)
    assert len(found) == 10 and {e.proxy for e in found} == {"p1"}


async def test_repeated_reordered_and_overlapping_batches_are_stored_once(stubs: Stubs) -> None:
    """Whatever the order and however often batches come, over several streams, each event is stored exactly
    once.
    """
    draw = random.Random(7)
    batches = [range(start, min(start + 7, 101)) for start in range(1, 101, 5)]
    sent = [batches[0], *(draw.choice(batches) for _ in range(60)), *batches]
    proxy = Proxy(stubs, "p1")
    await proxy.hello()
    through = 0
    for index, batch in enumerate(sent):
        if index == 30:
            proxy.call.cancel()
            proxy = Proxy(stubs, "p1")
            await proxy.hello()
            # A stream starts with what the proxy still holds.
            await proxy.send("s", (1, event(1)))
            await proxy.hear("event_ack")
        await proxy.send("s", *((i, event(i)) for i in batch))
        ack = (await proxy.hear("event_ack")).event_ack
        assert ack.through_seq >= through
        through = ack.through_seq
    assert through == 100
    found = await listed(stubs)
    assert sorted(e.id for e in found) == [event(i).id for i in range(1, 101)]


async def test_replay_after_deletion_does_not_bring_events_back(stubs: Stubs) -> None:
    """A batch that comes again a day later, when its events were deleted, is known all the same."""
    proxy = Proxy(stubs, "p1")
    await proxy.hello()
    old = event(1)
    old.timestamp.seconds -= 86400
    await proxy.send("s", (1, old))
    await proxy.hear("event_ack")
    await stubs.events.ResolveEvents(events_pb.ResolveEventsRequest(ids=[old.id]))
    request = events_pb.DeleteResolvedEventsRequest()
    request.older_than.seconds = 3600
    assert (await stubs.events.DeleteResolvedEvents(request)).deleted == 1
    await proxy.send("s", (1, old))
    assert (await proxy.hear("event_ack")).event_ack.through_seq == 1
    assert await listed(stubs) == []


async def test_gaps_and_refusals_let_the_mark_pass(stubs: Stubs) -> None:
    """Dropped numbers and events that can never be stored do not hold up the acknowledgement, and are told
    apart.
    """
    proxy = Proxy(stubs, "p1")
    await proxy.hello()
    bad = event(5)
    bad.component = ""
    await proxy.send(
        "s", (1, event(1)), (5, bad), gaps=[fleet_pb2.EventGap(from_seq=2, to_seq=4, reason="spool_full")]
    )
    ack = (await proxy.hear("event_ack")).event_ack
    assert ack.through_seq == 5
    assert [(r.seq, "component" in r.reason) for r in ack.refusals] == [(5, True)]
    assert len(await listed(stubs)) == 1


async def test_missing_numbers_hold_up_the_mark(stubs: Stubs) -> None:
    """While a number is missing the acknowledgement stays below it, though later events are stored."""
    proxy = Proxy(stubs, "p1")
    await proxy.hello()
    await proxy.send("s", (1, event(1)))
    assert (await proxy.hear("event_ack")).event_ack.through_seq == 1
    await proxy.send("s", (3, event(3)))
    assert (await proxy.hear("event_ack")).event_ack.through_seq == 1
    await proxy.send("s", (2, event(2)))
    assert (await proxy.hear("event_ack")).event_ack.through_seq == 3


async def test_a_proxy_that_has_nothing_to_send_is_asked_for_what_is_missing(stubs: Stubs) -> None:
    """At the start of its stream, once; what it then sends is stored. When nothing is missing there is no
    answer.
    """
    proxy = Proxy(stubs, "idle")
    await proxy.hello()
    position = fleet_pb2.SpoolPosition(spool_id="s", oldest_seq=2, next_seq=5)
    await proxy.say(spool_position=position)
    ack = (await proxy.hear("event_ack")).event_ack
    assert (ack.spool_id, ack.through_seq, ack.send_from_seq) == ("s", 1, 2)
    await proxy.send("s", *((number, event(number)) for number in (2, 3, 4)), oldest_seq=2)
    ack = (await proxy.hear("event_ack")).event_ack
    assert (ack.through_seq, ack.send_from_seq) == (4, 0)
    again = Proxy(stubs, "idle", boot_id="boot-2")
    await again.hello()
    await again.say(spool_position=position)
    await again.send("s", (5, event(5)), oldest_seq=2)
    ack = (await again.hear("event_ack")).event_ack
    assert (ack.through_seq, ack.send_from_seq) == (5, 0)


async def test_half_closed_stream_is_answered_to_the_end(stubs: Stubs) -> None:
    """A proxy that has said everything still gets its acknowledgements, and then OK."""
    proxy = Proxy(stubs, "p1")
    await proxy.hello()
    await proxy.send("s", (1, event(1)))
    await proxy.call.done_writing()
    assert (await proxy.hear("event_ack")).event_ack.through_seq == 1
    assert await proxy.end() is grpc.StatusCode.OK


async def test_commands_reach_proxies_and_answers_come_back(stubs: Stubs) -> None:
    """A command goes to every connected proxy; each answers for itself, and one that is away says so."""
    proxies = [Proxy(stubs, node) for node in ("p1", "p2")]
    for proxy in proxies:
        await proxy.hello()
    asked = asyncio.ensure_future(
        stubs.operations.TripBreaker(operations_pb.TripBreakerRequest(breaker="all", reason="drill"))
    )
    for proxy, ok in zip(proxies, (True, False), strict=True):
        command = (await proxy.hear("command")).command
        assert command.trip_breaker.breaker == "all" and command.trip_breaker.duration.seconds == 300
        message = "" if ok else "no such breaker"
        await proxy.say(command_result=fleet_pb2.CommandResult(id=command.id, ok=ok, message=message))
    results = (await asked).results
    assert [(r.proxy, r.ok, r.message) for r in results] == [
        ("p1", True, ""),
        ("p2", False, "no such breaker"),
    ]
    await proxies[0].call.done_writing()
    assert await proxies[0].end() is grpc.StatusCode.OK
    away = await stubs.operations.ResetBreaker(operations_pb.ResetBreakerRequest(breaker="all", proxy="p1"))
    assert [(r.proxy, r.ok) for r in away.results] == [("p1", False)]
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stubs.operations.ResetBreaker(operations_pb.ResetBreakerRequest(breaker="all", proxy="nobody"))
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


async def test_statistics_are_rates_over_the_window(stubs: Stubs) -> None:
    """Route statistics are differences of cumulative reports; breakers show per proxy."""
    proxy = Proxy(stubs, "p1")
    await proxy.hello()
    for calls in (0, 30):
        by_code = [calls, *[0] * 13, calls // 3]
        buckets = [0] * 42
        buckets[24] = calls
        await proxy.say(
            stats=fleet_pb2.StatsReport(
                routes=[
                    stats_pb2.RouteCounters(
                        route="all",
                        by_code=by_code,
                        latency_buckets=buckets,
                        retries=calls,
                        hedges=calls,
                        limited={"LIMITED": calls},
                    )
                ],
                clusters=[stats_pb2.ClusterCounters(cluster="c", ejections={"latency": calls}, endpoints=2)],
                breakers=[
                    stats_pb2.BreakerStatus(name="all", route="all", state=stats_pb2.BREAKER_STATE_OPEN)
                ],
                connections=3,
            )
        )

    async def shown() -> bool:
        routes = (await stubs.operations.ListRouteStats(operations_pb.ListRouteStatsRequest())).routes
        return bool(routes) and routes[0].calls_per_second > 0

    await until(shown, what="statistics have arrived")
    route = (await stubs.operations.ListRouteStats(operations_pb.ListRouteStatsRequest())).routes[0]
    assert route.success_ratio == pytest.approx(0.75)
    assert 0.08 <= route.p50_seconds <= 0.1
    assert route.breaker == stats_pb2.BREAKER_STATE_OPEN
    assert route.total.by_code[0] == 30
    assert (route.total.hedges, dict(route.total.limited)) == (30, {"LIMITED": 30})
    assert route.hedges_per_second == route.limited_per_second == route.retries_per_second > 0
    (cluster,) = (
        await stubs.operations.ListClusterStats(operations_pb.ListClusterStatsRequest(proxy="p1"))
    ).clusters
    assert (cluster.cluster, cluster.proxies, dict(cluster.total.ejections)) == ("c", 1, {"latency": 30})
    breakers = (await stubs.operations.ListBreakers(operations_pb.ListBreakersRequest())).breakers
    assert [(b.name, b.proxy) for b in breakers] == [("all", "p1")]
    listed_proxy = (await stubs.operations.GetProxy(operations_pb.GetProxyRequest(node="p1"))).proxy
    assert (listed_proxy.connected, listed_proxy.connections) == (True, 3)


async def test_proxies_are_known_while_they_are_away(stubs: Stubs, plane: ControlPlane) -> None:
    """A disconnected proxy stays in the list and in the rollout, as disconnected and drifted."""
    proxy = Proxy(stubs, "p1")
    await proxy.hello()
    await proxy.call.done_writing()
    assert await proxy.end() is grpc.StatusCode.OK
    await apply(stubs, 1)
    found = (await stubs.operations.ListProxies(operations_pb.ListProxiesRequest())).proxies
    assert [(p.node, p.connected, p.drifted) for p in found] == [("p1", False, True)]
    assert [p.state for p in (await rollout(stubs)).proxies] == [policies_pb.ROLLOUT_STATE_DISCONNECTED]

    async def stored() -> bool:
        return [p.node for p in await plane.store.proxies()] == ["p1"]

    await until(stored, what="the store knows the proxy")


async def test_stopping_closes_streams_as_unavailable(stubs: Stubs, plane: ControlPlane) -> None:
    """At the end proxies are told to come back, not that something is wrong with them."""
    proxy = Proxy(stubs, "p1")
    await proxy.hello()
    plane.fleet.close()
    assert await proxy.end() is grpc.StatusCode.UNAVAILABLE


async def test_an_answer_that_comes_while_changes_settle_is_followed_by_the_newest(
    plane: ControlPlane, stubs: Stubs
) -> None:
    """The revision that waited for the answer may not be the newest any more, and is in nobody's hands: the
    proxy must not be left waiting for it.
    """
    proxy = Proxy(stubs, "p1")
    await proxy.hello()
    await apply(stubs, 1)
    first = (await proxy.hear("policy")).policy
    # Two more while the first is not answered: one that is offered and waits, one that is only published.
    await apply(stubs, 2)
    await asyncio.sleep(0.2)
    newest = await apply(stubs, 3)
    session = plane.fleet.sessions["p1"]
    plane.fleet.pushes.answered(
        session,
        Answered(nonce=first.nonce, accepted=True, applied_revision=1, applied_hash=first.hash),
    )
    pushed = (await proxy.hear("policy")).policy
    assert pushed.revision == newest.revision
