"""What a route changes in metadata, on the way there and on the way back."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from seawall_policy.header_change import HeaderChange
from seawall_proxy.call.request import RequestHead
from seawall_proxy.http2.headers import HeaderBlock
from seawall_proxy.testing import Playbook, make_policy, make_route, make_snapshot
from seawall_proxy.testing.policies import make_change, to_static
from tests.scenario.scenes import GET, METHODS, begin, retrying, tripping

CHANGE = make_change(set={b"x-tier": b"gold"}, add={b"x-via": b"seawall"}, remove=(b"x-debug",))


def changing(
    request: HeaderChange | None = None, response: HeaderChange | None = None, **policy: object
) -> Playbook:
    """A route that changes headers."""
    made = make_policy(**policy)  # type: ignore[arg-type]
    route = make_route(made, request_headers=request, response_headers=response)
    return Playbook(make_snapshot(route, methods=METHODS))


def test_request_metadata_is_changed() -> None:
    """`set` replaces every value, `add` comes beside what is there, `remove` drops; the rest is untouched."""
    with changing(CHANGE) as play:
        play.call(
            GET,
            b"ping",
            (b"x-tier", b"lead"),
            (b"x-tier", b"tin"),
            (b"x-via", b"caller"),
            (b"x-debug", b"1"),
            (b"x-kept", b"k"),
        )
        play.expect(
            f"a#1 <- HEADERS {GET} x-tier=gold x-via=seawall x-via=caller x-kept=k", 'a#1 <- DATA "ping" END'
        )
        play.server().last.trailers_only(0)
        play.forget()


def test_fields_of_one_call_are_changed_too() -> None:
    """Values that differ on every call travel apart from the others, and obey the same rules."""
    change = make_change(set={b"authorization": b"Bearer ours"}, remove=(b"x-request-id", b"x-secret"))
    with changing(change) as play:
        play.call(
            GET,
            b"ping",
            (b"authorization", b"Bearer theirs"),
            (b"x-request-id", b"77"),
            (b"x-secret", b"s"),
            (b"traceparent", b"t"),
            never_indexed=(b"x-secret",),
        )
        play.expect(f"a#1 <- HEADERS {GET} traceparent=t authorization=Bearer ours", 'a#1 <- DATA "ping" END')
        play.server().last.trailers_only(0)
        play.forget()


def test_every_attempt_is_changed_alike() -> None:
    """A retry carries the same metadata as the first attempt, and the proxy's own fields unchanged."""
    with changing(CHANGE, retry=retrying(2)) as play:
        play.call(GET, b"ping", (b"x-debug", b"1"), timeout=b"10S")
        play.server().last.trailers_only(14)
        play.advance(0.03)
        first, second = (line for line in play.forget() if "HEADERS" in line and line.startswith("a#"))
        assert "x-tier=gold x-via=seawall grpc-timeout=" in first
        assert "x-tier=gold x-via=seawall grpc-timeout=" in second
        assert "x-debug" not in first + second
        assert "grpc-previous-rpc-attempts=1" in second
        play.server().last.trailers_only(0)
        play.forget()


def test_initial_metadata_is_changed() -> None:
    """The response's headers are changed, its trailers are not."""
    with changing(response=CHANGE) as play:
        begin(play)
        server = play.server().last
        server.headers((b"x-tier", b"lead"), (b"x-debug", b"1"), (b"x-kept", b"k"))
        server.data(b"pong")
        server.trailers(0, (b"x-debug", b"2"))
        play.expect(
            "client#1 <- HEADERS x-tier=gold x-via=seawall x-kept=k",
            'client#1 <- DATA "pong"',
            "client#1 <- TRAILERS OK x-debug=2",
        )


def test_a_status_alone_is_changed() -> None:
    """A response that is nothing but a status is initial metadata and trailers in one, and is changed."""
    with changing(response=CHANGE) as play:
        begin(play)
        play.server().last.trailers_only(5, (b"x-debug", b"1"), (b"x-tier", b"lead"))
        play.expect("client#1 <- TRAILERS-ONLY NOT_FOUND x-tier=gold x-via=seawall")


def test_answers_of_the_proxy_are_changed() -> None:
    """What the route's calls get from the proxy itself carries the route's metadata as well."""
    with changing(response=CHANGE, breaker=tripping(1)) as play:
        begin(play)
        play.server().last.trailers_only(14)
        play.forget()
        call = play.call(GET, b"ping")
        play.forget()
        assert (b"x-tier", b"gold") in (call.seen.headers or ())


def test_a_static_fallback_is_changed() -> None:
    """Its headers are initial metadata like any other's."""
    payload = b"\0\0\0\0\x01x"
    with changing(response=CHANGE, fallback=(to_static(payload, GET.encode()),)) as play:
        begin(play)
        play.server().last.trailers_only(14)
        assert play.forget()[0] == "client#1 <- HEADERS x-tier=gold x-via=seawall"


@pytest.mark.parametrize("change", [None, CHANGE])
def test_the_changed_block_is_made_once(change: HeaderChange | None) -> None:
    """Constant additions keep their memoised encoding: the same block each time."""
    fields = ((b":method", b"POST"), (b":path", b"/a/b"), (b"content-type", b"application/grpc"))
    head = RequestHead(HeaderBlock(fields))
    block = head.upstream_block(b"", change)
    assert head.upstream_block(b"", change) is block
    assert head.upstream_block(b"other", change) is not block


def test_an_unchanged_tuple_is_passed_on_as_it_is() -> None:
    """A change that does not concern the fields of a call copies nothing."""
    extra = ((b"traceparent", b"t"),)
    assert CHANGE.of_call(extra) is extra


def test_another_policy_changes_otherwise() -> None:
    """A header block that was seen under one policy is changed as the next one says."""

    def document(values: Mapping[bytes, bytes], revision: int) -> object:
        route = make_route(make_policy(), request_headers=make_change(set=values))
        return make_snapshot(route, revision=revision)

    with Playbook(document({b"x-a": b"1"}, 1)) as play:  # type: ignore[arg-type]
        for revision in (1, 2):
            play.apply(document({b"x-a": str(revision).encode()}, revision))  # type: ignore[arg-type]
            play.call(GET, b"ping")
            assert play.forget()[0] == f"a#{revision} <- HEADERS {GET} x-a={revision}"
            play.server().last.trailers_only(0)
            play.forget()
