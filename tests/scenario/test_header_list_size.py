"""A peer's SETTINGS_MAX_HEADER_LIST_SIZE is honoured: a call fails by itself instead of at the peer."""

from __future__ import annotations

from seawall_policy import status
from seawall_proxy.http2.limits import Limits
from seawall_proxy.testing import Playbook
from tests.scenario.scenes import CHAT, GET, plain, retrying, snapshot, tripping

RESOURCE_EXHAUSTED = status.RESOURCE_EXHAUSTED
LARGE = b"v" * 3000


def test_a_request_too_large_for_the_upstream_is_not_sent() -> None:
    """The call fails with RESOURCE_EXHAUSTED and a reason; nothing of it is sent, and others pass."""
    with Playbook(snapshot(retry=retrying()), host_limits=Limits(header_list_bytes=2048)) as play:
        call = play.call(GET, b"ping", (b"x-large", LARGE))
        play.forget()
        assert call.seen.status == RESOURCE_EXHAUSTED
        assert call.seen.field(b"seawall-reason") == b"HEADERS_TOO_LARGE"
        assert play.server().count == 0
        small = play.call(GET, b"ping", (b"x-small", b"v"))
        play.server().last.reply(b"pong")
        play.forget()
        assert small.seen.status == 0


def test_response_headers_too_large_for_the_client() -> None:
    """They become a small trailers-only error, and the upstream's stream is cancelled."""
    with plain() as play:
        play.client(limits=Limits(header_list_bytes=2048))
        call = play.call(CHAT, b"ping", end=False)
        play.forget()
        play.server().last.headers((b"x-large", LARGE))
        play.expect(
            "a#1 <- RST CANCEL",
            "client#1 <- TRAILERS-ONLY RESOURCE_EXHAUSTED LOCAL HEADERS_TOO_LARGE failed attempts=1",
            "client#1 <- RST NO_ERROR",
        )
        assert call.seen.status == RESOURCE_EXHAUSTED


def test_trailers_too_large_for_the_client() -> None:
    """Behind a response that is under way they become small ones; before it the answer is trailers-only."""
    with plain() as play:
        play.client(limits=Limits(header_list_bytes=2048))
        under_way = play.call(CHAT, b"ping")
        play.server().last.headers()
        play.server().last.data(b"pong")
        play.server().last.trailers(5, (b"x-large", LARGE))
        play.forget()
        assert under_way.seen.status == RESOURCE_EXHAUSTED
        whole = play.call(GET, b"ping")
        play.server().last.trailers_only(5, (b"x-large", LARGE))
        play.forget()
        assert whole.seen.status == RESOURCE_EXHAUSTED
        counters = play.world.counters["all"]
        assert counters.by_code[RESOURCE_EXHAUSTED] == 2


def test_what_fits_exactly_passes() -> None:
    """The limit is inclusive, and counts as RFC 9113 section 10.5.1 does."""
    from seawall_proxy.http2.headers import HeaderBlock
    from tests.unit.http2.wire import client, frame, setting

    block = HeaderBlock(((b"a", b"b"),))
    for limit, fits in ((34 + 35, True), (34 + 34, False)):
        peer = client()
        assert peer.connection.fits(block, ((b"x", b"y" * 100_000),))
        peer.send(frame(4, 0, 0, setting(0x6, limit)))
        assert peer.connection.fits(block, ((b"cc", b"d"),)) is fits


def test_a_copy_too_large_for_the_mirror_is_not_sent() -> None:
    """It is dropped and counted; the call itself goes on."""
    from tests.scenario.test_mirror import counted, mirroring

    with mirroring() as play:
        play.call(GET, b"ping")
        play.server("a").last.reply(b"pong")
        play.server("m").last.reply(b"pong")
        (link,) = play.world.endpoint("m").links
        assert link.connection is not None
        link.connection.sender.max_list_bytes = 2048
        call = play.call(GET, b"ping", (b"x-large", LARGE))
        play.server("a").last.reply(b"pong")
        play.forget()
        assert call.seen.status == 0
        assert play.server("m").count == 1
        assert counted(play).dropped_by == {"headers_too_large": 1}
        assert play.world.context.mirrors == 0


def test_a_kept_answer_too_large_for_the_client() -> None:
    """What a server said to an earlier attempt becomes a small error too."""
    policy = snapshot(retry=retrying(), breaker=tripping(1))
    with Playbook(policy) as play:
        play.client(limits=Limits(header_list_bytes=2048))
        call = play.call(GET, b"ping")
        play.server().last.trailers_only(14, (b"x-large", LARGE))
        play.advance(0.03)
        play.forget()
        assert call.seen.status == RESOURCE_EXHAUSTED
        assert call.seen.field(b"seawall-reason") == b"HEADERS_TOO_LARGE"
