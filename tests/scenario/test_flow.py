"""Slow readers: memory stays bounded, nobody else waits, and credit comes back exactly."""

from __future__ import annotations

import pytest

from seawall_policy import status
from seawall_proxy.call.context import KEPT_WORKER_BYTES
from seawall_proxy.http2.limits import CLIENT_STREAM_WINDOW_BYTES, SERVER_STREAM_WINDOW_BYTES, Limits
from seawall_proxy.testing import Playbook, make_policy, make_route, make_snapshot
from tests.scenario.scenes import CHAT, GET, LIST, METHODS, UPLOAD, begin, plain, playing, retrying, snapshot

MEGABYTE = b"m" * (1 << 20)


def test_a_client_that_does_not_read_stops_its_server() -> None:
    """A stream's response is taken in up to its window and no further until the client reads."""
    with plain() as play:
        call = begin(play, path=LIST)
        call.stop_reading()
        server = play.server().last
        server.headers()
        server.data(MEGABYTE)
        play.forget()
        # The client's own window, and what the proxy's window lets in.
        assert server.seen.sent <= 2 * CLIENT_STREAM_WINDOW_BYTES
        before = server.seen.sent
        call.resume()
        assert server.seen.sent > before
        server.trailers(0)
        play.forget()
        assert bytes(call.seen.data) == MEGABYTE
        assert call.seen.status == 0


def test_a_server_that_does_not_read_stops_its_client() -> None:
    """A stream's request is taken in up to its window and no further until the server reads."""
    with plain() as play:
        call = play.call(UPLOAD, end=False)
        server = play.server().last
        server.stop_reading()
        call.send(MEGABYTE)
        assert call.seen.sent <= 2 * SERVER_STREAM_WINDOW_BYTES
        server.resume()
        call.end()
        assert bytes(server.seen.data) == MEGABYTE
        server.trailers_only(0)
        play.forget()


def test_a_slow_reader_of_one_stream_does_not_stop_another() -> None:
    """64 answers that nobody reads leave the shared upstream connection open for everyone else's calls."""
    with plain() as play:
        for _ in range(64):
            call = begin(play, path=LIST)
            call.seen.reading = False
        play.client("other")
        for number in range(1, 65):
            play.server().request(number).headers()
            play.server().request(number).data(b"x" * (512 << 10))
        play.forget()
        other = play.call(GET, b"ping", client="other")
        play.forget()
        play.server().last.reply(b"pong")
        play.expect("other#65 <- HEADERS", 'other#65 <- DATA "pong"', "other#65 <- TRAILERS OK")
        assert other.seen.status == 0
        play.disconnect()
        play.forget()


def test_a_client_that_reads_nothing_at_all() -> None:
    """A client whose socket fills up holds up its own calls, within bounds, and nobody else's."""
    with plain() as play:
        client = play.client("slow")
        play.client("quick")
        client.wire.far_reads = False
        calls = [play.call(LIST, b"all", client="slow") for _ in range(8)]
        for number in range(1, 9):
            play.server().request(number).headers()
            play.server().request(number).data(MEGABYTE)
        play.forget()
        assert client.wire.most_bytes < 2 << 20
        begin_other = play.call(GET, b"ping", client="quick")
        play.server().last.reply(b"pong")
        assert begin_other.seen.status == 0
        client.wire.far_reads = True
        play.settle()
        for number in range(1, 9):
            play.server().request(number).trailers(0)
        play.forget()
        assert all(bytes(call.seen.data) == MEGABYTE for call in calls)


@pytest.mark.parametrize("window", [70, 1000, 65535])
@pytest.mark.parametrize("retries", [1, 3])
def test_credit_comes_back_exactly(window: int, retries: int) -> None:
    """Whatever the windows, large bodies pass in both directions and every window is whole again
    afterwards.
    """
    body = bytes(range(256)) * 40
    limits = Limits(stream_window_bytes=window)
    with Playbook(
        snapshot(retry=retrying(retries), methods=METHODS),
        server_limits=limits,
        client_limits=limits,
        host_limits=limits,
    ) as play:
        call = play.call(CHAT, end=False)
        server = play.server().last
        server.headers()
        play.advance(0.1)
        for _ in range(3):
            call.send(body)
            server.data(body)
        near = play.world.downstream[0]
        downstream = next(iter(near.table.streams.values()))
        upstream_connection = play.world.endpoint("a").links[0].connection
        assert upstream_connection is not None
        upstream = next(iter(upstream_connection.table.streams.values()))
        for stream in (downstream, upstream):
            assert stream.recv_window + stream.recv_credit == window
            assert stream.queued_bytes == 0
        call.end()
        server.trailers(0)
        play.forget()
        assert bytes(server.seen.data) == body * 3
        assert bytes(call.seen.data) == body * 3


def test_credit_is_given_once_for_a_repeated_request() -> None:
    """Bytes that are sent to two servers are credited to the client once."""
    limits = Limits(stream_window_bytes=1000)
    with Playbook(snapshot(retry=retrying(3)), server_limits=limits, host_limits=limits) as play:
        call = play.call(UPLOAD, end=False)
        call.send(b"a" * 2500)
        play.server().last.trailers_only(14)
        play.advance(0.03)
        call.send(b"b" * 2500, end=True)
        server = play.server().last
        assert bytes(server.seen.data) == b"a" * 2500 + b"b" * 2500
        server.trailers_only(0)
        play.forget()
        assert call.seen.status == 0


def test_a_backoff_does_not_read_without_bound() -> None:
    """While a call waits for its retry its client can send a window and no more."""
    with playing(retry=retrying(2, initial_s=0.5)) as play:
        call = play.call(UPLOAD, end=False)
        play.server().last.trailers_only(14)
        call.send(MEGABYTE)
        assert play.world.context.replay_bytes <= SERVER_STREAM_WINDOW_BYTES
        play.advance(0.52)
        call.end()
        assert bytes(play.server().last.seen.data) == MEGABYTE
        play.server().last.trailers_only(0)
        play.forget()


def test_the_replay_store_is_bounded_for_all_calls_together() -> None:
    """When the worker's share is used up further calls pass, only without repetition."""
    with playing(retry=retrying()) as play:
        for number in range(20):
            call = play.call(UPLOAD, end=False, client=f"c{number % 4}")
            call.send(b"x" * ((1 << 20) - 10))
        assert play.world.context.replay_bytes <= 16 << 20
        play.forget()
        for number in range(1, 21):
            assert len(play.server().request(number).seen.data) == (1 << 20) - 10
            play.server().request(number).trailers_only(0)
        assert play.world.context.replay_bytes == 0
        play.forget()


def test_held_bytes_need_no_credit() -> None:
    """A response that is held back is let go before its server runs out of credit."""
    with Playbook(
        snapshot(retry=retrying(), methods=METHODS), client_limits=Limits(stream_window_bytes=1000)
    ) as play:
        call = begin(play)
        play.server().last.headers()
        play.server().last.data(b"x" * 5000)
        play.server().last.trailers(0)
        play.forget()
        assert len(call.seen.data) == 5000
        assert call.seen.status == 0


def test_trailers_wait_for_their_data() -> None:
    """A local failure behind queued data comes behind it, not before."""
    with playing(timeout_s=0.1) as play:
        call = begin(play, path=LIST)
        call.stop_reading()
        play.server().last.headers()
        play.server().last.data(b"x" * 500_000)
        play.advance(0.12)
        assert call.seen.trailers is None
        call.resume()
        play.forget()
        assert len(call.seen.data) == 500_000
        assert call.seen.status == 4


def test_an_early_end_waits_for_its_trailers() -> None:
    """A client that sends and does not read hears the whole answer before it is told to stop sending."""
    with plain() as play:
        call = play.call(CHAT, b"one", end=False)
        call.stop_reading()
        server = play.server().last
        server.headers()
        server.data(b"x" * 500_000)
        server.trailers(0)
        assert call.seen.reset_code is None
        call.resume()
        assert play.forget()[-2:] == ["client#1 <- TRAILERS OK", "client#1 <- RST NO_ERROR"]
        assert len(call.seen.data) == 500_000
        assert play.world.downstream[0].active_streams == 0


def test_repeated_bytes_earn_no_credit_for_new_ones() -> None:
    """While the second server does not read, the client cannot send more than a window beyond the first's."""
    limits = Limits(stream_window_bytes=1000)
    with Playbook(snapshot(retry=retrying(3)), server_limits=limits, host_limits=limits) as play:
        call = play.call(UPLOAD, end=False)
        call.send(b"a" * 2500)
        play.server().last.trailers_only(14)
        play.server().server.reads = False
        call.send(b"b" * 5000, end=True)
        assert call.seen.sent == 3500
        play.advance(0.03)
        assert play.server().count == 2
        assert call.seen.sent == 3500
        play.server().last.resume()
        assert bytes(play.server().last.seen.data) == b"a" * 2500 + b"b" * 5000
        play.server().last.trailers_only(0)
        play.forget()


def test_a_full_replay_store_loses_nothing_that_waits() -> None:
    """What comes for a call that has no stream yet is kept even when the store for repetition is full."""
    routes = (
        make_route(make_policy(retry=retrying()), name="full", service="s.Full"),
        make_route(make_policy(retry=retrying()), name="late", backends=(("late", 1),)),
    )
    with Playbook(make_snapshot(*routes, clusters={"main": ("a",), "late": ("b",)}), warm=False) as play:
        play.server("b").server.mode = "blackhole"
        for number in range(17):
            call = play.call("/s.Full/M", end=False, client=f"c{number % 4}")
            call.send(b"x" * ((1 << 20) - 10))
        late = play.call(UPLOAD, b"y" * 30_000, end=False)
        late.send(b"z" * 30_000, end=True)
        play.server("b").set_mode("accept")
        play.forget()
        assert bytes(play.server("b").last.seen.data) == b"y" * 30_000 + b"z" * 30_000
        for number in range(1, 18):
            play.server("a").request(number).trailers_only(0)
        play.server("b").last.trailers_only(0)
        play.forget()


def test_requests_that_wait_have_a_bound() -> None:
    """Requests of calls without a connection are kept up to 32 MiB: the next call ends with MEMORY_LIMITED
    instead of waiting, what it held is given back, and the endpoint is not blamed.
    """
    body = bytes(60_000)
    fit = KEPT_WORKER_BYTES // len(body)
    with Playbook(snapshot(), warm=False) as play:
        play.server().set_mode("silent")
        calls = [play.call(CHAT, body, client=f"c{number // 90}", end=False) for number in range(fit)]
        assert all(call.seen.status is None for call in calls)
        one_more = play.call(CHAT, body, client="late", end=False)
        assert one_more.seen.status == status.RESOURCE_EXHAUSTED
        assert one_more.seen.field(b"seawall-reason") == b"MEMORY_LIMITED"
        assert play.world.context.replay_bytes == fit * len(body)
        assert play.world.endpoint("a").failures == 0
        assert play.world.endpoint("a").in_flight == fit
        for call in calls:
            call.cancel()
        assert play.world.context.replay_bytes == 0
        play.forget()
