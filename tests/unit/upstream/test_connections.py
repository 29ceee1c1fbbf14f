"""The connections of one endpoint by the cluster's settings: how many, how old, how long without use."""

from __future__ import annotations

import pytest

from seawall_policy.model import BALANCE_ROUND_ROBIN, ClusterSpec, Snapshot
from seawall_policy.transport import ClientTls, ConnectionOptions
from seawall_proxy.http2.limits import Limits
from seawall_proxy.testing import Playbook, make_policy, make_route, make_snapshot
from seawall_proxy.upstream.endpoint import IDLE, INITIAL_BACKOFF_S, MAX_BACKOFF_S, READY

ONE_STREAM = Limits(max_concurrent_streams=1)


def snapshot(options: ConnectionOptions) -> Snapshot:
    """Return a policy whose cluster has these connections."""
    spec = ClusterSpec("main", ("a",), BALANCE_ROUND_ROBIN, 1024, 1.0, b"", None, options)
    return make_snapshot(make_route(make_policy()), clusters={"main": spec})


@pytest.mark.parametrize("mode", ["refuse", "hang_up", "silent", "blackhole"])
def test_further_connections_are_not_dialled_again_and_again(mode: str) -> None:
    """While one connection carries the traffic, a further one that fails is tried again with growing waits,
    however many calls come, and made when it can be.
    """
    with Playbook(snapshot(ConnectionOptions()), host_limits=ONE_STREAM) as play:
        play.call(body=b"x")
        server = play.server()
        before = server.dials
        server.set_mode(mode)
        for _ in range(100):
            play.call(body=b"x")
            play.advance(0.05)
        tries = server.dials - before
        assert 3 <= tries <= 10
        times = server.server.dial_times[before:]
        # A connection that was made and lost is made up for at once, but only once.
        assert times[2] - times[1] >= INITIAL_BACKOFF_S * 0.8
        assert play.world.endpoint("a").state == READY
        server.set_mode("accept")
        play.advance(MAX_BACKOFF_S + 2.5)
        assert len(play.world.endpoint("a").links) > 1
        assert server.count > 1
        play.disconnect()
        play.settle()
        play.forget()


def test_the_number_of_connections_is_a_setting() -> None:
    """No more than max_connections, and calls wait."""
    with Playbook(snapshot(ConnectionOptions(max_connections=2)), host_limits=ONE_STREAM) as play:
        for _ in range(4):
            play.call(body=b"x")
        assert (play.server().dials, play.server().count) == (2, 2)
        assert len(play.world.endpoint("a").waiting) == 2
        for number in range(1, 5):
            play.server().request(number).trailers_only(0)
        play.forget()


def test_keepalive_is_a_setting() -> None:
    """A connection with calls is pinged and given up in the times that the settings name."""
    options = ConnectionOptions(keepalive_interval_s=5.0, keepalive_timeout_s=2.0)
    with Playbook(snapshot(options)) as play:
        play.call(body=b"x")
        (link,) = play.world.endpoint("a").links
        assert link.connection is not None
        play.advance(7.0)
        assert link.connection.last_pong_rtt >= 0.0
        assert play.world.endpoint("a").state == READY
        play.server().last.trailers_only(0)
        play.forget()


def test_connections_without_calls_are_closed() -> None:
    """After idle_timeout the endpoint is idle; it is not dialled again before the next call, which waits for
    the new connection. Calls in between put the end off.
    """
    with Playbook(snapshot(ConnectionOptions(idle_timeout_s=10.0))) as play:
        endpoint = play.world.endpoint("a")
        for _ in range(4):
            play.advance(6.0)
            play.call(body=b"x")
            play.server().last.trailers_only(0)
        assert (endpoint.state, play.server().dials) == (READY, 1)
        play.advance(12.5)
        assert (endpoint.state, endpoint.links) == (IDLE, [])
        play.advance(100.0)
        assert play.server().dials == 1
        play.call(body=b"x")
        assert (endpoint.state, play.server().dials) == (READY, 2)
        play.server().last.trailers_only(0)
        play.forget()


def test_a_call_in_flight_is_use() -> None:
    """However long it says nothing, a call keeps its connection."""
    with Playbook(snapshot(ConnectionOptions(idle_timeout_s=5.0))) as play:
        play.call(body=b"x")
        play.advance(60.0)
        assert play.server().dials == 1
        play.server().last.trailers_only(0)
        play.forget()


def test_old_connections_give_their_work_to_new_ones() -> None:
    """Past max_age the next connection is made first; then new calls go there, and the old one ends with its
    last call.
    """
    with Playbook(snapshot(ConnectionOptions(max_age_s=60.0))) as play:
        endpoint = play.world.endpoint("a")
        play.call(body=b"x")
        (old,) = endpoint.links
        play.advance(64.0)
        assert play.server().dials == 2
        assert old not in endpoint.links
        assert endpoint.draining == [old]
        assert endpoint.state == READY
        play.call(body=b"y")
        assert old.connection is not None
        assert old.connection.active_streams == 1
        play.server().request(2).trailers_only(0)
        play.server().request(1).trailers_only(0)
        play.advance(3.0)
        assert endpoint.draining == []
        assert old.connection.closed
        play.forget()


def test_an_old_connection_is_kept_while_there_is_no_other() -> None:
    """When the endpoint takes no further connections, the old one goes on past its age, and the next dials
    have their waits.
    """
    with Playbook(snapshot(ConnectionOptions(max_age_s=60.0))) as play:
        endpoint = play.world.endpoint("a")
        (old,) = endpoint.links
        play.server().set_mode("refuse")
        play.advance(100.0)
        assert endpoint.links == [old]
        assert endpoint.state == READY
        assert 3 <= play.server().dials <= 15
        play.server().set_mode("accept")
        play.advance(15.0)
        assert old not in endpoint.links
        assert len(endpoint.links) == 1
        play.forget()


@pytest.mark.parametrize(("tls", "scheme"), [(None, b"http"), (ClientTls("", "", "", "", True), b"https")])
def test_the_scheme_is_that_of_the_connection(tls: ClientTls | None, scheme: bytes) -> None:
    """An endpoint under TLS is asked for https, whatever the client spoke with the proxy."""
    spec = ClusterSpec("main", ("a",), BALANCE_ROUND_ROBIN, 1024, 1.0, b"", tls)
    with Playbook(make_snapshot(make_route(make_policy()), clusters={"main": spec})) as play:
        play.call(body=b"x")
        assert play.server().server.calls[0].field(b":scheme") == scheme
        play.server().last.trailers_only(0)
        play.forget()


def test_who_waits_gets_another_connection_when_one_leaves() -> None:
    """A connection that takes no new calls makes room for another one, also while its calls go on."""
    with Playbook(snapshot(ConnectionOptions(max_connections=2)), host_limits=ONE_STREAM) as play:
        for _ in range(3):
            play.call(body=b"x")
        assert (play.server().dials, play.server().count) == (2, 2)
        play.advance(2.0)
        first = play.world.endpoint("a").links[0]
        assert first.connection is not None
        first.on_goaway(1, 0)
        play.settle()
        assert (play.server().dials, play.server().count) == (3, 3)
        for number in range(1, 4):
            play.server().request(number).trailers_only(0)
        play.forget()


def test_who_waits_gets_another_connection_when_one_is_too_old() -> None:
    """The proxy's own limit of age makes room for another connection too."""
    options = ConnectionOptions(max_connections=2, max_age_s=20.0)
    with Playbook(snapshot(options), host_limits=ONE_STREAM) as play:
        for _ in range(3):
            play.call(body=b"x")
        assert (play.server().dials, play.server().count) == (2, 2)
        for _ in range(30):
            play.advance(1.0)
        assert (play.server().dials, play.server().count) == (3, 3)
        for number in range(1, 4):
            play.server().request(number).trailers_only(0)
        play.forget()


def test_pings_are_further_apart_for_a_server_that_finds_them_too_many() -> None:
    """After GOAWAY with ENHANCE_YOUR_CALM the endpoint is pinged half as often (gRFC A8)."""
    with Playbook(snapshot(ConnectionOptions(keepalive_interval_s=5.0))) as play:

        def pings() -> int:
            call = play.call(body=b"x")
            (link,) = play.world.endpoint("a").links
            assert link.connection is not None
            before = link.connection.control.pings_sent
            play.advance(60.0)
            sent = link.connection.control.pings_sent - before
            play.server().last.trailers_only(0)
            assert call.seen.status == 0
            return sent

        often = pings()
        assert often >= 9
        play.server().goaway(code=0xB)
        play.advance(2.0)
        assert 4 <= pings() <= often / 2 + 1
        play.forget()
