"""RFC 9113 section 8: messages, fields, pseudo-header fields, content-length."""

from __future__ import annotations

import pytest

from seawall_proxy.http2.headers import Field
from seawall_proxy.http2.limits import Limits
from tests.unit.http2.wire import (
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    PROTOCOL_ERROR,
    REQUEST,
    RESPONSE,
    TRAILERS,
    client,
    frame,
    literal,
    server,
)

BAD_FIELDS: list[Field] = [
    (b"X-Upper", b"a"),
    (b"x upper", b"a"),
    (b"x:colon", b"a"),
    (b"", b"a"),
    (b"x-\xe2\x84\xaa", b"a"),
    (b"x-nul\x00", b"a"),
    (b"x-lf", b"a\nb"),
    (b"x-cr", b"a\rb"),
    (b"x-nul", b"a\x00b"),
    (b"x-bell", b"a\x07b"),
    (b"x-del", b"a\x7fb"),
    (b"x-space", b" a"),
    (b"x-space", b"a "),
    (b"x-tab", b"\ta"),
    (b"x-tab", b"a\t"),
    (b"connection", b"close"),
    (b"keep-alive", b"1"),
    (b"proxy-connection", b"keep-alive"),
    (b"transfer-encoding", b"chunked"),
    (b"upgrade", b"h2c"),
    (b"te", b"gzip"),
    (b"te", b"trailers, deflate"),
    (b":unknown", b"a"),
]


def without(name: bytes, fields: tuple[Field, ...] = REQUEST) -> tuple[Field, ...]:
    """Leave one field out."""
    return tuple(field for field in fields if field[0] != name)


def replaced(name: bytes, value: bytes) -> tuple[Field, ...]:
    """Give one field of the request another value."""
    return tuple((known, value if known == name else old) for known, old in REQUEST)


class TestFields:
    """8.2 HTTP fields: a malformed message is a stream error and the connection lives on."""

    @pytest.mark.parametrize("bad", BAD_FIELDS, ids=repr)
    @pytest.mark.parametrize("as_literal", [False, True])
    def test_in_a_request(self, bad: Field, as_literal: bool) -> None:
        """Indexed or literal, a malformed field resets the stream before the handler sees it."""
        peer = server()
        fields = (*without(b"te"), bad)
        block = peer.literal_block(fields) if as_literal else peer.block(fields)
        peer.send(frame(1, END_HEADERS | END_STREAM, 1, block))
        peer.assert_stream_error(1, PROTOCOL_ERROR)
        assert peer.recorder.names("request") == []

    @pytest.mark.parametrize("bad", BAD_FIELDS, ids=repr)
    def test_in_a_response(self, bad: Field) -> None:
        """The same in response headers, where the call fails and its neighbours do not."""
        peer = client()
        peer.open_call()
        peer.send(peer.headers(1, (*RESPONSE, bad), END_HEADERS))
        peer.assert_stream_error(1, PROTOCOL_ERROR)
        assert peer.recorder.names("headers") == []
        assert peer.recorder.names("reset") == [("reset", 1, PROTOCOL_ERROR, False)]

    @pytest.mark.parametrize("bad", [*BAD_FIELDS, (b":status", b"200"), (b":path", b"/")], ids=repr)
    def test_in_trailers(self, bad: Field) -> None:
        """The same in trailers, where pseudo-header fields are forbidden altogether."""
        peer = client()
        peer.open_call()
        peer.send(peer.headers(1, RESPONSE, END_HEADERS), peer.headers(1, (*TRAILERS, bad)))
        peer.assert_stream_error(1, PROTOCOL_ERROR)
        assert peer.recorder.names("trailers") == []

    @pytest.mark.parametrize(
        "good",
        [
            (b"x-empty", b""),
            (b"x_under.score", b"a\tb c"),
            (b"x-latin", b"\xe9"),
            (b"x-bin", b"AAE="),
            (b"0", b"1"),
        ],
        ids=repr,
    )
    def test_valid_fields_pass(self, good: Field) -> None:
        """What RFC 9110 calls a field is passed on as it is."""
        peer = server()
        peer.send(peer.headers(1, (*REQUEST, good)))
        assert peer.recorder.names("request")[0][2] == (*REQUEST, good)

    def test_memoised_verdict_is_repeated(self) -> None:
        """The second identical malformed block is refused like the first."""
        peer = server()
        for stream_id in (1, 3, 5):
            block = peer.literal_block((*REQUEST, (b"te", b"gzip")))
            peer.send(frame(1, END_HEADERS | END_STREAM, stream_id, block))
            peer.assert_stream_error(stream_id, PROTOCOL_ERROR)


class TestPseudoFields:
    """8.3 HTTP control data."""

    @pytest.mark.parametrize(
        "fields",
        [
            without(b":method"),
            without(b":scheme"),
            without(b":path"),
            replaced(b":path", b""),
            replaced(b":path", b"/a b"),
            replaced(b":path", b"/a\x7f"),
            replaced(b":path", b"/\xc3\xa9"),
            replaced(b":path", b"/a\x00"),
            replaced(b":method", b"PO ST"),
            replaced(b":scheme", b""),
            replaced(b":authority", b""),
            replaced(b":authority", b"user@orders"),
            replaced(b":method", b"CONNECT"),
            (*REQUEST[:4], (b":path", b"/again"), *REQUEST[4:]),
            (*REQUEST[:4], (b":status", b"200"), *REQUEST[4:]),
            (*REQUEST[:4], (b":protocol", b"websocket"), *REQUEST[4:]),
            (*REQUEST[1:], REQUEST[0]),
            ((b"authorization", b"token"), *REQUEST),
            (*REQUEST[:3], (b"x-between", b"1"), *REQUEST[3:]),
            (*REQUEST, (b"host", b"other")),
            (*REQUEST, (b"host", b"orders:8443"), (b"host", b"orders:8443")),
        ],
        ids=lambda fields: b",".join(b"=".join(field) for field in fields).decode("latin-1")[:60],
    )
    @pytest.mark.parametrize("as_literal", [False, True])
    def test_malformed_requests(self, fields: tuple[Field, ...], as_literal: bool) -> None:
        """Missing, double, unknown, misplaced or contradicting control data resets the stream."""
        peer = server()
        block = peer.literal_block(fields) if as_literal else peer.block(fields)
        peer.send(frame(1, END_HEADERS | END_STREAM, 1, block))
        peer.assert_stream_error(1, PROTOCOL_ERROR)
        assert peer.recorder.names("request") == []

    @pytest.mark.parametrize(
        "fields",
        [
            without(b":authority"),
            (*without(b":authority"), (b"host", b"orders")),
            (*REQUEST, (b"host", b"ORDERS:8443")),
            replaced(b":path", b"*"),
            replaced(b":path", b"/a?b=%20#~"),
            replaced(b":method", b"GET"),
        ],
    )
    def test_wellformed_requests(self, fields: tuple[Field, ...]) -> None:
        """What is legal HTTP passes, whether gRPC would use it or not."""
        peer = server()
        peer.send(peer.headers(1, fields))
        assert len(peer.recorder.names("request")) == 1

    @pytest.mark.parametrize(
        "fields",
        [
            ((b"content-type", b"application/grpc"),),
            ((b":status", b""),),
            ((b":status", b"20"),),
            ((b":status", b"2000"),),
            ((b":status", b"2x0"),),
            ((b":status", b"099"),),
            ((b":status", b"101"),),
            ((b":status", b"200"), (b":status", b"200")),
            ((b":status", b"200"), (b":path", b"/")),
            ((b"content-type", b"a"), (b":status", b"200")),
        ],
    )
    def test_malformed_responses(self, fields: tuple[Field, ...]) -> None:
        """A response has exactly one :status of three digits and no other pseudo-header field."""
        peer = client()
        peer.open_call()
        peer.send(peer.headers(1, fields, END_HEADERS))
        peer.assert_stream_error(1, PROTOCOL_ERROR)


def test_misplaced_control_data_behind_a_mixed_name() -> None:
    """A regular field before a pseudo-header field is found even if it is taken out of the block later."""
    peer = server()
    peer.send(
        frame(1, END_HEADERS | END_STREAM, 1, literal(b"x-a", b"0", 0x40) + peer.literal_block(REQUEST))
    )
    peer.assert_stream_error(1, PROTOCOL_ERROR)
    control = b"".join(literal(*field) for field in REQUEST[:3])
    for stream_id, mixed in ((3, b"\xbe" + control), (5, control + b"\xbe")):
        peer.send(frame(1, END_HEADERS | END_STREAM, stream_id, mixed + literal(b"x-a", b"1")))
    peer.assert_stream_error(3, PROTOCOL_ERROR)
    assert [entry[1] for entry in peer.recorder.names("request")] == [5]


class TestExchange:
    """8.1 message framing."""

    def test_second_headers_without_end_stream(self) -> None:
        """A second HEADERS that does not end the stream is malformed."""
        peer = server()
        peer.open_request()
        peer.send(peer.headers(1, TRAILERS, END_HEADERS))
        peer.assert_stream_error(1, PROTOCOL_ERROR)

    def test_request_trailers(self) -> None:
        """A request may end with trailers."""
        peer = server()
        peer.open_request()
        peer.send(frame(DATA, 0, 1, b"m"), peer.headers(1, ((b"x-sum", b"1"),)))
        assert peer.recorder.log[1:] == [("data", 1, b"m", False), ("trailers", 1, ((b"x-sum", b"1"),))]

    def test_data_before_response_headers(self) -> None:
        """DATA without response headers is malformed."""
        peer = client()
        peer.open_call()
        peer.send(frame(DATA, 0, 1, b"x"))
        peer.assert_stream_error(1, PROTOCOL_ERROR)

    def test_interim_responses_are_swallowed(self) -> None:
        """1xx responses are not reported; the final one is."""
        peer = client()
        peer.open_call()
        peer.send(
            peer.headers(1, ((b":status", b"103"),), END_HEADERS), peer.headers(1, RESPONSE, END_HEADERS)
        )
        assert peer.recorder.log == [("headers", 1, RESPONSE, False)]

    def test_interim_responses_are_capped(self) -> None:
        """A server that never comes to its final response loses the stream."""
        peer = client(Limits(interim_responses=3))
        peer.open_call()
        for _ in range(4):
            peer.send(peer.headers(1, ((b":status", b"100"),), END_HEADERS))
        peer.assert_stream_error(1, ENHANCE_YOUR_CALM)

    def test_interim_response_cannot_end_the_stream(self) -> None:
        """1xx with END_STREAM is malformed."""
        peer = client()
        peer.open_call()
        peer.send(peer.headers(1, ((b":status", b"100"),)))
        peer.assert_stream_error(1, PROTOCOL_ERROR)


class TestContentLength:
    """8.1.1 malformed messages: content-length."""

    @pytest.mark.parametrize(
        ("declared", "body", "end_on_headers", "fine"),
        [
            (b"3", b"abc", False, True),
            (b"0", b"", True, True),
            (b"0", b"", False, True),
            (b"2", b"abc", False, False),
            (b"4", b"abc", False, False),
            (b"1", b"", True, False),
            (b"-1", b"", True, False),
            (b"1x", b"a", False, False),
            (b"", b"a", False, False),
            (b"9" * 30, b"a", False, False),
        ],
    )
    def test_of_a_request(self, declared: bytes, body: bytes, end_on_headers: bool, fine: bool) -> None:
        """The DATA must add up to the content-length, neither more nor less."""
        peer = server()
        flags = END_HEADERS | (END_STREAM if end_on_headers else 0)
        peer.send(peer.headers(1, (*REQUEST, (b"content-length", declared)), flags))
        if not end_on_headers:
            peer.send(frame(DATA, END_STREAM, 1, body))
        assert (peer.reset_code(1) is None) is fine
        peer.assert_alive()

    def test_two_different_ones(self) -> None:
        """Two content-length fields must agree."""
        for second, code in ((b"3", None), (b"4", PROTOCOL_ERROR)):
            peer = server()
            lengths = ((b"content-length", b"3"), (b"content-length", second))
            peer.send(peer.headers(1, (*REQUEST, *lengths), END_HEADERS))
            assert peer.reset_code(1) == code

    def test_trailers_before_all_of_it(self) -> None:
        """Trailers do not excuse missing octets."""
        peer = client()
        peer.open_call()
        peer.send(peer.headers(1, (*RESPONSE, (b"content-length", b"5")), END_HEADERS))
        peer.send(frame(DATA, 0, 1, b"abc"), peer.headers(1, TRAILERS))
        peer.assert_stream_error(1, PROTOCOL_ERROR)

    @pytest.mark.parametrize(("method", "status"), [(b"HEAD", b"200"), (b"GET", b"304")])
    def test_responses_without_content(self, method: bytes, status: bytes) -> None:
        """The answer to HEAD and a 304 speak of a body they do not carry."""
        from seawall_proxy.http2.headers import HeaderBlock
        from tests.unit.http2.wire import StreamRecorder

        peer = client()
        request = HeaderBlock(replaced(b":method", method))
        peer.connection.open_stream(StreamRecorder(peer.recorder), request, (), True)
        peer.send(peer.headers(1, ((b":status", status), (b"content-length", b"500"))))
        assert peer.recorder.names("headers", "reset")[0][0] == "headers"


class TestListSize:
    """10.5.1 limits on field section size: the stream ends, the table stays in step."""

    def test_too_many_fields(self) -> None:
        """The 101st field, even if it is a repeated one-octet reference, ends the stream."""
        for count, code in ((94, None), (95, ENHANCE_YOUR_CALM)):
            peer = server()
            peer.send(peer.headers(1, (*REQUEST, *(((b"cookie", b"a=1"),) * count))))
            assert peer.reset_code(1) == code
            peer.assert_alive()

    def test_too_many_bytes(self) -> None:
        """A list above 16 KiB ends the stream, and the fields behind the limit still enter the table."""
        peer = server()
        large = tuple((b"x-%d" % number, b"v" * 3000) for number in range(6))
        block = peer.block((*REQUEST, *large, (b"x-behind", b"kept")))
        peer.send(frame(1, END_STREAM, 1, block[:9000]), frame(9, END_HEADERS, 1, block[9000:]))
        peer.assert_stream_error(1, ENHANCE_YOUR_CALM)
        peer.send(peer.headers(3, (*REQUEST, (b"x-behind", b"kept"))))
        assert (b"x-behind", b"kept") in peer.recorder.names("request")[0][2]  # type: ignore[operator]

    def test_block_beyond_reason(self) -> None:
        """A block above 64 KiB on the wire ends the connection."""
        peer = server()
        part = b"\x00\x01a\x7f\x80\x7d" + b"v" * 16127
        wire = frame(1, END_STREAM, 1, part) + b"".join(frame(9, 0, 1, part) for _ in range(4))
        peer.send(wire)
        peer.assert_connection_error(ENHANCE_YOUR_CALM)
