"""One address: dialling, waiting, losing, and being looked after."""

from __future__ import annotations

from itertools import pairwise

import pytest

from seawall_policy.transport import KEEPALIVE_S, KEEPALIVE_TIMEOUT_S, MAX_CONNECTIONS
from seawall_proxy.http2.limits import Limits
from seawall_proxy.testing import Playbook, make_policy, make_route, make_snapshot
from seawall_proxy.testing.peers import Server
from seawall_proxy.testing.policies import make_cluster
from seawall_proxy.testing.world import Dice, World
from seawall_proxy.upstream.endpoint import (
    BACKOFF,
    BACKOFF_FACTOR,
    BACKOFF_JITTER,
    CONNECTING,
    IDLE,
    INITIAL_BACKOFF_S,
    MAX_BACKOFF_S,
    MAX_WAITING,
    READY,
    Endpoint,
)

SNAPSHOT = make_snapshot(make_route(make_policy()))


def waits(server: Server) -> list[float]:
    """Return the times between dials."""
    times = server.dial_times
    return [later - before for before, later in pairwise(times)]


def test_nothing_is_dialled_before_it_is_needed() -> None:
    """An endpoint is idle until the first call, or until it is told to warm up."""
    with Playbook(SNAPSHOT, warm=False) as play:
        endpoint = play.world.endpoint("a")
        assert (endpoint.state, play.server().dials) == (IDLE, 0)
        play.call(body=b"x")
        assert (endpoint.state, play.server().dials) == (READY, 1)
        play.server().last.trailers_only(0)
        play.forget()


def test_ready_needs_settings() -> None:
    """A transport alone is no endpoint: a server that says nothing is given up after the connect timeout."""
    with Playbook(SNAPSHOT, warm=False) as play:
        play.server().set_mode("silent")
        endpoint = play.world.endpoint("a")
        play.call(body=b"x")
        assert endpoint.state == CONNECTING
        play.advance(0.98)
        assert endpoint.state == CONNECTING
        play.advance(0.05)
        assert (endpoint.state, endpoint.last_error) == (BACKOFF, "timed out")
        assert endpoint.connect_failures == 1
        play.expect("client#1 <- TRAILERS-ONLY UNAVAILABLE LOCAL NO_HEALTHY_BACKEND failed attempts=1")


@pytest.mark.parametrize("mode", ["refuse", "blackhole", "silent", "hang_up"])
def test_backoff_grows_to_its_cap(mode: str) -> None:
    """Dials that come to nothing are repeated by themselves, less and less often, at most 10 s apart."""
    snapshot = make_snapshot(
        make_route(make_policy()), clusters={"main": make_cluster("main", ("a",), connect_timeout_s=0.1)}
    )
    with Playbook(snapshot, warm=False) as play:
        play.server().server.mode = mode
        play.world.clusters.warm()
        play.advance(120.0)
        dial_s = 0.1 if mode in ("blackhole", "silent") else 0.0
        expected = INITIAL_BACKOFF_S
        for wait in waits(play.server().server):
            assert expected - 0.001 <= wait - dial_s <= expected + 0.04
            expected = min(expected * BACKOFF_FACTOR, MAX_BACKOFF_S)
        assert expected == MAX_BACKOFF_S
        play.server().set_mode("accept")
        play.advance(MAX_BACKOFF_S + 0.2)
        assert play.world.endpoint("a").state == READY


@pytest.mark.parametrize(
    ("draw", "factor"), [(0.0, 1 - BACKOFF_JITTER), (0.5, 1.0), (0.9999, 1 + BACKOFF_JITTER)]
)
def test_backoff_is_spread(draw: float, factor: float) -> None:
    """The jitter spreads each wait by a fifth either way."""
    with Playbook(SNAPSHOT, world=World(draw=Dice(draw)), warm=False) as play:
        play.server().set_mode("refuse")
        play.world.clusters.warm()
        play.advance(0.3)
        assert waits(play.server().server)[0] == pytest.approx(INITIAL_BACKOFF_S * factor, abs=0.002)


def test_a_good_connection_that_is_lost_is_dialled_at_once() -> None:
    """A server that restarts is found again without any wait."""
    with Playbook(SNAPSHOT) as play:
        play.advance(5.0)
        play.server().cut()
        assert play.server().dials == 2
        assert play.world.endpoint("a").state == READY


@pytest.mark.parametrize("how", ["close", "cut", "goaway"])
def test_a_server_that_hangs_up_again_and_again_is_left_alone(how: str) -> None:
    """Connections that do not last are not renewed without end, however they end."""
    with Playbook(SNAPSHOT) as play:
        for _ in range(300):
            if play.world.endpoint("a").state == READY:
                if how == "close":
                    play.server().close()
                elif how == "cut":
                    play.server().cut()
                else:
                    play.server().goaway()
            play.advance(0.01)
        assert play.server().dials <= 8


def test_calls_wait_for_the_first_connection() -> None:
    """Calls that come while the first connection is made are sent in order as soon as it is there."""
    with Playbook(SNAPSHOT, warm=False) as play:
        play.server().server.mode = "blackhole"
        for number in range(3):
            play.call(f"/s/M{number}", b"x")
        assert len(play.world.endpoint("a").waiting) == 3
        play.server().set_mode("accept")
        assert [call.path for call in play.server().server.calls] == [b"/s/M0", b"/s/M1", b"/s/M2"]
        for number in (1, 2, 3):
            play.server().request(number).trailers_only(0)
        play.forget()


def test_more_connections_when_streams_run_out() -> None:
    """At the peer's stream limit further connections are made, up to eight; then calls wait in line."""
    with Playbook(SNAPSHOT, host_limits=Limits(max_concurrent_streams=2)) as play:
        endpoint = play.world.endpoint("a")
        for _ in range(2 * MAX_CONNECTIONS + 3):
            play.call(body=b"x")
        assert len(endpoint.links) == MAX_CONNECTIONS
        assert play.server().dials == MAX_CONNECTIONS
        assert play.server().count == 2 * MAX_CONNECTIONS
        assert len(endpoint.waiting) == 3
        assert all(
            connection.connection.active_streams == 2 for connection in play.server().server.connections
        )
        play.server().request(5).trailers_only(0)
        assert play.server().count == 2 * MAX_CONNECTIONS + 1
        for number in range(1, 2 * MAX_CONNECTIONS + 4):
            if number != 5:
                play.server().request(number).trailers_only(0)
        play.forget()
        assert endpoint.in_flight == 0


def test_no_more_than_so_many_wait() -> None:
    """The line has an end; who comes then is told so."""
    world = World(server_limits=Limits(max_concurrent_streams=5000))
    with Playbook(make_snapshot(
        make_route(make_policy()), clusters={"main": make_cluster("main", ("a",), max_in_flight=10_000)}
    ), world=world, warm=False) as play:  # fmt: skip
        play.server().server.mode = "blackhole"
        for _ in range(MAX_WAITING):
            play.call()
        assert len(world.endpoint("a").waiting) == MAX_WAITING
        play.call()
        assert len(world.endpoint("a").waiting) == MAX_WAITING
        play.disconnect()
        assert len(world.endpoint("a").waiting) == 0
        play.forget()


def test_a_dial_that_fails_beside_good_connections() -> None:
    """A further connection that cannot be had does not cost those who wait their place."""
    with Playbook(SNAPSHOT, host_limits=Limits(max_concurrent_streams=1)) as play:
        play.call(body=b"x")
        play.server().set_mode("refuse")
        play.call(body=b"x")
        assert play.world.endpoint("a").state == READY
        assert len(play.world.endpoint("a").waiting) == 1
        play.server().request(1).trailers_only(0)
        assert play.server().count == 2
        play.server().request(2).trailers_only(0)
        play.forget()


def test_the_last_connection_lost_while_another_is_made() -> None:
    """Those who wait go on waiting for the connection that is being made."""
    with Playbook(SNAPSHOT, host_limits=Limits(max_concurrent_streams=1)) as play:
        play.call(body=b"x")
        play.server().server.mode = "blackhole"
        play.call(body=b"x")
        play.server().cut()
        endpoint = play.world.endpoint("a")
        assert (endpoint.state, len(endpoint.waiting)) == (CONNECTING, 1)
        play.server().set_mode("accept")
        assert play.server().count == 2
        play.server().last.trailers_only(0)
        play.forget()


def test_goaway_drains() -> None:
    """After GOAWAY a connection takes no new calls, finishes its own, and is closed when they are done."""
    with Playbook(SNAPSHOT) as play:
        play.advance(2.0)
        play.call(body=b"x")
        play.server().goaway()
        endpoint = play.world.endpoint("a")
        assert (len(endpoint.links), len(endpoint.draining)) == (1, 1)
        play.call(body=b"y")
        old, new = play.server().server.connections
        assert (old.connection.active_streams, new.connection.active_streams) == (1, 1)
        play.server().request(1).trailers_only(0)
        play.server().request(2).trailers_only(0)
        play.advance(1.1)
        assert (len(endpoint.links), len(endpoint.draining)) == (1, 0)
        assert not old.open
        assert new.open
        play.forget()


def test_keepalive_finds_a_dead_connection() -> None:
    """A connection with streams is pinged; one that does not answer is given up, and its calls are told."""
    with Playbook(SNAPSHOT) as play:
        call = play.call(body=b"x")
        play.advance(KEEPALIVE_S + 5.0)
        assert not call.seen.ended, "a live server answers its pings"
        wire = next(wire for wire in play.world.wires if wire.name == "a")
        wire.far_reads = False
        play.forget()
        play.advance(KEEPALIVE_S + KEEPALIVE_TIMEOUT_S + 3.0)
        assert call.seen.status == 14
        play.forget()
        assert len(play.world.endpoint("a").links) == 1


def test_an_idle_connection_is_not_pinged() -> None:
    """A connection without streams costs nothing."""
    with Playbook(SNAPSHOT) as play:
        connection = play.world.endpoint("a").links[0].connection
        assert connection is not None
        before = connection.frames_out
        play.advance(300.0)
        assert connection.frames_out == before


def test_failures_are_counted() -> None:
    """Attempts, failures and timeouts are counted where they happened."""
    with Playbook(make_snapshot(make_route(make_policy(timeout_s=0.1)))) as play:
        play.call(body=b"x")
        play.server().last.trailers_only(14)
        play.call(body=b"x")
        play.advance(0.12)
        play.call(body=b"x")
        play.server().last.trailers_only(0)
        play.forget()
        endpoint: Endpoint = play.world.endpoint("a")
        assert (endpoint.attempts, endpoint.failures, endpoint.in_flight) == (3, 2, 0)


def test_close_ends_everything() -> None:
    """Closing tells the server, and every call."""
    with Playbook(SNAPSHOT) as play:
        call = play.call(body=b"x")
        play.world.clusters.close()
        play.settle()
        assert call.seen.status == 14
        assert not play.server().server.connections[0].open
        play.forget()


def test_a_good_connection_ends_the_memory_of_bad_dials() -> None:
    """After a connection that lasted, the waits start over at the first."""
    with Playbook(SNAPSHOT, warm=False) as play:
        play.server().server.mode = "refuse"
        play.world.clusters.warm()
        play.advance(20.0)
        play.server().set_mode("accept")
        play.advance(MAX_BACKOFF_S + 3.0)
        assert play.world.endpoint("a").state == READY
        play.server().set_mode("refuse")
        play.server().cut()
        lost = play.now
        play.advance(1.0)
        first, second, *_ = [at for at in play.server().server.dial_times if at >= lost]
        assert second - first == pytest.approx(INITIAL_BACKOFF_S, abs=0.002)


def test_one_of_several_connections_is_replaced() -> None:
    """When a connection is lost while calls wait for the limit of connections, another is made for them."""
    with Playbook(SNAPSHOT, host_limits=Limits(max_concurrent_streams=1)) as play:
        for _ in range(MAX_CONNECTIONS + 1):
            play.call(body=b"x")
        assert play.server().count == MAX_CONNECTIONS
        connection = play.server().server.connections[0]
        assert connection.wire is not None
        connection.wire.sever()
        play.settle()
        assert play.server().count == MAX_CONNECTIONS + 1
        assert len(play.world.endpoint("a").links) == MAX_CONNECTIONS
        for number in range(2, MAX_CONNECTIONS + 2):
            play.server().request(number).trailers_only(0)
        play.forget()
