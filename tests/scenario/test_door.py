"""What a request must look like to pass the door, and that what does not pass touches nobody else."""

from __future__ import annotations

import pytest

from seawall_policy import status
from seawall_proxy.http2.headers import Field
from seawall_proxy.testing import Playbook
from seawall_proxy.testing.playbook import request_fields
from seawall_proxy.testing.world import World
from tests.scenario.scenes import GET, UPLOAD, begin, plain, snapshot

Fields = list[Field]


def changed(**changes: bytes | None) -> Fields:
    """Return an ordinary request with some fields replaced (None: left out); `_` stands for `:` and `-`."""
    named = {
        b":" + key[1:].encode() if key[0] == "_" else key.replace("_", "-").encode(): value
        for key, value in changes.items()
    }
    fields: Fields = []
    for name, value in request_fields(GET):
        replaced = named.pop(name, value)
        if replaced is not None:
            fields.append((name, replaced))
    fields.extend((name, value) for name, value in named.items() if value is not None)
    return fields


@pytest.mark.parametrize(
    "path",
    [
        b"*",
        b"/",
        b"//",
        b"/Get",
        b"/shop.v1.Orders/",
        b"//Get",
        b"/a/b/c",
        b"/a%2fb/c",
        b"/a/b?x=1",
        b"/a/b#f",
    ],
)
def test_a_path_that_is_none(path: bytes) -> None:
    """A path that is not /Service/Method is UNIMPLEMENTED, whatever routes there are, and goes nowhere
    (P1).
    """
    with plain() as play:
        play.call(raw=changed(_path=path))
        play.expect("client#1 <- TRAILERS-ONLY UNIMPLEMENTED LOCAL INVALID_REQUEST rejected")
        assert play.server().count == 0


@pytest.mark.parametrize(
    "path", [b"a.B/C", b"http://x/a/b", b"/a /b", b"/caf\xe9/b", b"/a\x7f/b", b"", b"/a\x00/b"]
)
def test_a_path_that_kills_servers(path: bytes) -> None:
    """A path with octets outside 0x21-0x7e, or without its slash, is refused at the door; the connection
    lives on.
    """
    with plain() as play:
        play.call(raw=changed(_path=path))
        assert play.forget() in (
            ["client#1 <- RST PROTOCOL_ERROR"],
            ["client#1 <- TRAILERS-ONLY UNIMPLEMENTED LOCAL INVALID_REQUEST rejected"],
        )
        assert play.server().count == 0
        begin(play)
        play.server().last.trailers_only(0)
        play.expect("client#2 <- TRAILERS-ONLY OK")


@pytest.mark.parametrize("method", [b"GET", b"PUT", b"OPTIONS"])
def test_another_method(method: bytes) -> None:
    """GRPC requests are POST; others hear 405 (P1)."""
    with plain() as play:
        call = play.call(raw=changed(_method=method))
        play.forget()
        assert call.seen.headers is not None
        assert (b":status", b"405") in call.seen.headers
        assert play.server().count == 0


@pytest.mark.parametrize(
    "content_type",
    [b"text/html", b"application/json", b"application/grpc-web", b"application/grpc-web+proto", None],
)
def test_another_content_type(content_type: bytes | None) -> None:
    """What is not gRPC hears 415 (P3)."""
    with plain() as play:
        call = play.call(raw=changed(content_type=content_type))
        play.forget()
        assert call.seen.headers is not None
        assert (b":status", b"415") in call.seen.headers
        assert call.seen.data
        assert play.server().count == 0


def test_te_is_added_and_others_are_malformed() -> None:
    """The server always gets te: trailers; another value is malformed (P2)."""
    with plain() as play:
        play.call(raw=changed(te=None))
        assert play.server().last.seen.field(b"te") == b"trailers"
        play.server().last.trailers_only(0)
        play.forget()
        play.call(raw=changed(te=b"gzip"))
        play.expect("client#2 <- RST PROTOCOL_ERROR")


@pytest.mark.parametrize(
    "name", [b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"proxy-connection"]
)
def test_connection_fields_are_malformed(name: bytes) -> None:
    """Connection-specific fields cost the stream and reach nobody (P26)."""
    with plain() as play:
        play.call(raw=[*request_fields(GET), (name, b"x")])
        play.expect("client#1 <- RST PROTOCOL_ERROR")
        assert play.server().count == 0


def test_host_gives_way_to_authority() -> None:
    """Host does not travel beside :authority (P26)."""
    with plain() as play:
        play.call(raw=[*request_fields(GET), (b"host", b"shop:443")])
        seen = play.server().last.seen
        assert seen.field(b"host") is None
        assert seen.field(b":authority") == b"shop:443"
        play.server().last.trailers_only(0)
        play.forget()


def test_host_stands_in_for_authority() -> None:
    """A request with host alone is sent with :authority."""
    with plain() as play:
        play.call(raw=changed(_authority=None, host=b"other:1"))
        seen = play.server().last.seen
        assert (seen.field(b"host"), seen.field(b":authority")) == (None, b"other:1")
        play.server().last.trailers_only(0)
        play.forget()


MALFORMED: list[Field] = [
    (b"grpc-timeout", b"1"),
    (b"grpc-timeout", b"-1S"),
    (b"grpc-timeout", b"999999999S"),
    (b"grpc-encoding", b"g zip"),
    (b"grpc-encoding", b""),
    (b"grpc-encoding", b"a" * 300),
    (b"grpc-accept-encoding", b"gzip,,br"),
    (b"grpc-accept-encoding", b"\xff"),
    (b"grpc-previous-rpc-attempts", b"-1"),
    (b"grpc-previous-rpc-attempts", b"1e9"),
    (b"grpc-previous-rpc-attempts", b"99999999999"),
    (b"x-data-bin", b"%%%"),
    (b"x-data-bin", b"AAE=="),
    (b"x-data-bin", b"A"),
    (b"x-data-bin", b"AAEC,A"),
    (b"x-data-bin", b"AA-_"),
    (b"grpc-trace-bin", b"!"),
    (b"grpc-tags-bin", b"\xff\xff"),
]


@pytest.mark.parametrize("field", MALFORMED, ids=lambda field: f"{field[0].decode()}={field[1][:12]!r}")
@pytest.mark.parametrize("indexed", [True, False], ids=["indexed", "never-indexed"])
def test_malformed_fields_stay_at_the_door(field: Field, indexed: bool) -> None:
    """A malformed field with a meaning in gRPC fails its own call and never reaches a shared connection (P7,
    I10).
    """
    with plain() as play:
        begin(play, b"ping", (b"x-good-bin", b"AAEC"))
        bad = play.call(GET, b"ping", field, client="bad", never_indexed=() if indexed else (field[0],))
        play.expect("bad#2 <- TRAILERS-ONLY INTERNAL LOCAL INVALID_REQUEST rejected")
        assert bad.seen.status == status.INTERNAL
        assert play.server().count == 1
        play.server().request(1).trailers_only(0)
        play.expect("client#1 <- TRAILERS-ONLY OK")
        # The same client may go on with good calls on the same connection.
        play.call(GET, b"ping", client="bad")
        play.forget()
        play.server().last.trailers_only(0)
        play.expect("bad#3 <- TRAILERS-ONLY OK")


def test_a_rejected_request_is_not_waited_for() -> None:
    """A client that is still sending is told that nobody reads the rest, and its stream is free again."""
    with plain() as play:
        call = play.call(UPLOAD, b"x" * 1000, (b"grpc-timeout", b"soon"), end=False)
        play.expect(
            "client#1 <- TRAILERS-ONLY INTERNAL LOCAL INVALID_REQUEST rejected", "client#1 <- RST NO_ERROR"
        )
        assert call.seen.ends == 1
        assert play.world.downstream[0].active_streams == 0


def test_before_the_first_policy() -> None:
    """Without a policy every call is UNAVAILABLE: it may be there in a moment."""
    world = World()
    with Playbook(snapshot(), world=world) as play:
        world.context.table = None
        play.call(GET, b"ping")
        play.expect("client#1 <- TRAILERS-ONLY UNAVAILABLE LOCAL NO_ROUTE rejected")


def test_headers_too_large_cost_the_call_only() -> None:
    """A header list above the limit is refused and the connection goes on (P28's rule, for headers)."""
    with plain() as play:
        play.call(GET, b"ping", *((b"x-large-%d" % n, b"v" * 1000) for n in range(20)))
        play.expect("client#1 <- RST ENHANCE_YOUR_CALM")
        begin(play)
        play.server().last.trailers_only(0)
        play.expect("client#2 <- TRAILERS-ONLY OK")


def test_reserved_names_pass() -> None:
    """Unknown grpc- names are neither stripped nor invented (P9)."""
    with plain() as play:
        begin(play, b"ping", (b"grpc-future", b"1"), (b"grpc-message-type", b"shop.v1.Get"))
        seen = play.server().last.seen
        assert seen.field(b"grpc-future") == b"1"
        assert seen.field(b"grpc-message-type") == b"shop.v1.Get"
        assert {name for name, _ in seen.fields if name.startswith(b"grpc-")} == {
            b"grpc-future",
            b"grpc-message-type",
        }
        play.server().last.trailers_only(0)
        play.forget()


def test_messages_are_not_looked_into() -> None:
    """Frame boundaries and message counts are the endpoints' business (P17, P27)."""
    with plain() as play:
        call = play.call(GET, end=False)
        body = b"\x00\x00\x00\x00\x02hi" * 2
        for octet in body[:-1]:
            call.send(bytes((octet,)))
        call.send(body[-1:], end=True)
        assert bytes(play.server().last.seen.data) == body
        play.server().last.reply(b"\x07not a message")
        play.forget()
        assert bytes(call.seen.data) == b"\x07not a message"
        assert call.seen.status == 0


def test_a_request_that_is_not_grpc_is_not_waited_for() -> None:
    """An upload of something else hears 415 and that nobody reads the rest."""
    with plain() as play:
        call = play.call(body=b"x" * 1000, end=False, raw=changed(content_type=b"text/plain"))
        assert play.forget()[-1] == "client#1 <- RST NO_ERROR"
        assert bytes(call.seen.data).startswith(b"this port serves gRPC")
        assert play.world.downstream[0].active_streams == 0
