"""What a server may do to a client: RFC 9113 and RFC 7541, group by group.

Stream 1 is a call whose request is complete, stream 3 one whose request is not. What a server does to one
stream never costs the calls of the others: where RFC 7540 asked for the end of the connection and RFC 9113 no
longer does (frames on a stream that the server has ended), the answer is RST_STREAM.
"""

from __future__ import annotations

from tests.conformance.http2.probe_kit import (
    Acknowledged,
    Alive,
    Probe,
    Speaker,
    Step,
    fault,
    probe,
    reset,
)
from tests.conformance.http2.probe_octets import TOP, priority, settings
from tests.unit.http2.wire import (
    ACK,
    COMPRESSION_ERROR,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    RESPONSE,
    RST_STREAM,
    SETTINGS,
    STREAM_CLOSED,
    TRAILERS,
    WINDOW_UPDATE,
    frame,
    goaway,
    rst_stream,
    setting,
    window_update,
)


def begin(k: Speaker) -> bytes:
    """Send response headers."""
    return k.headers(1, RESPONSE, END_HEADERS)


def whole(k: Speaker) -> bytes:
    """Send a response that is complete."""
    return k.headers(1, (*RESPONSE, *TRAILERS))


def half(k: Speaker) -> bytes:
    """Send a header block that is not complete."""
    return k.headers(1, RESPONSE, 0)


def response(*fields: tuple[bytes, bytes]) -> Step:
    """Send response headers with just these fields."""
    return lambda k: k.headers(1, fields, END_HEADERS)


OPENING = [
    probe("1 starting", "SETTINGS are acknowledged", Acknowledged(1)),
    probe("4.1 frame format", "unknown type", Alive(), frame(0x16, 0, 0, bytes(8))),
    probe("4.1 frame format", "undefined flags", Alive(), frame(PING, 0xFE, 0, bytes(8))),
    probe("4.1 frame format", "reserved bit", Alive(), frame(PING, 0, 1 << 31, bytes(8))),
    probe("4.2 frame size", "2^14 octets of DATA", Alive(), begin, frame(DATA, 0, 1, bytes(16384))),
    probe("4.2 frame size", "DATA above it", fault(FRAME_SIZE_ERROR), begin, frame(DATA, 0, 1, bytes(16385))),
    probe(
        "4.2 frame size",
        "HEADERS above it",
        fault(FRAME_SIZE_ERROR),
        lambda k: k.headers(1, RESPONSE, behind=bytes(16385)),
    ),
    probe(
        "4.3 compression", "invalid block", fault(COMPRESSION_ERROR), frame(HEADERS, 5, 1, b"\xff\xff\xff")
    ),
    probe(
        "4.3 compression",
        "size update above ours",
        fault(COMPRESSION_ERROR),
        frame(HEADERS, 5, 1, b"\x3f\xe2\x1f\x88"),
    ),
    probe("4.3 compression", "index 0", fault(COMPRESSION_ERROR), frame(HEADERS, 5, 1, b"\x88\x80")),
]

STREAMS = [
    probe("5.1 stream states", "idle: DATA", fault(PROTOCOL_ERROR), frame(DATA, END_STREAM, 2, b"test")),
    probe(
        "5.1 stream states", "idle, odd: DATA", fault(PROTOCOL_ERROR), frame(DATA, END_STREAM, 99, b"test")
    ),
    probe("5.1 stream states", "idle: HEADERS", fault(PROTOCOL_ERROR), lambda k: k.headers(99, RESPONSE)),
    probe("5.1 stream states", "idle: RST_STREAM", fault(PROTOCOL_ERROR), rst_stream(2)),
    probe("5.1 stream states", "idle: WINDOW_UPDATE", fault(PROTOCOL_ERROR), window_update(2, 100)),
    probe(
        "5.1 stream states", "idle: CONTINUATION", fault(PROTOCOL_ERROR), frame(CONTINUATION, 4, 2, b"\x88")
    ),
    probe(
        "5.1 stream states",
        "closed by RST_STREAM: DATA",
        reset(STREAM_CLOSED),
        rst_stream(1),
        frame(DATA, END_STREAM, 1, b"test"),
    ),
    probe("5.1 stream states", "closed by RST_STREAM: HEADERS", reset(STREAM_CLOSED), rst_stream(1), whole),
    probe(
        "5.1 stream states",
        "closed by RST_STREAM: CONTINUATION",
        fault(PROTOCOL_ERROR),
        rst_stream(1),
        frame(CONTINUATION, 4, 1, b"\x88"),
    ),
    probe(
        "5.1 stream states",
        "closed by END_STREAM: DATA",
        reset(STREAM_CLOSED),
        whole,
        frame(DATA, END_STREAM, 1, b"test"),
    ),
    probe("5.1 stream states", "closed by END_STREAM: HEADERS", reset(STREAM_CLOSED), whole, whole),
    probe(
        "5.1 stream states",
        "closed by END_STREAM: CONTINUATION",
        fault(PROTOCOL_ERROR),
        whole,
        frame(CONTINUATION, 4, 1, b"\x88"),
    ),
    probe(
        "5.1 stream states",
        "half-closed (remote): DATA",
        reset(STREAM_CLOSED, stream_id=3),
        lambda k: k.headers(3, RESPONSE),
        frame(DATA, 0, 3, b"x"),
    ),
    probe(
        "5.1 stream states",
        "closed: WINDOW_UPDATE, RST_STREAM, PRIORITY",
        Alive(),
        whole,
        window_update(1, 5),
        rst_stream(1),
        frame(PRIORITY, 0, 1, priority(0)),
    ),
    probe(
        "5.1.1 stream ids",
        "a stream that the server opens",
        fault(PROTOCOL_ERROR),
        lambda k: k.headers(101, RESPONSE),
    ),
    probe(
        "5.4.1 connection errors",
        "a PING of six octets",
        fault(FRAME_SIZE_ERROR),
        frame(PING, 0, 0, bytes(6)),
    ),
    probe(
        "5.4.1 connection errors",
        "nothing is taken behind a GOAWAY",
        fault(FRAME_SIZE_ERROR),
        frame(PING, 0, 0, bytes(6)),
        whole,
    ),
    probe("5.5 extensions", "an unknown frame", Alive(), frame(0xFF, 0, 0, b"unknown")),
    probe(
        "5.5 extensions",
        "an unknown frame within a header block",
        fault(PROTOCOL_ERROR),
        half,
        frame(0xFF, 0, 0, b""),
    ),
]

FRAMES = [
    probe("6.1 DATA", "on stream 0", fault(PROTOCOL_ERROR), frame(DATA, END_STREAM, 0, b"test")),
    probe("6.1 DATA", "before response headers", reset(PROTOCOL_ERROR), frame(DATA, 0, 1, b"test")),
    probe(
        "6.1 DATA",
        "invalid pad length",
        fault(PROTOCOL_ERROR),
        begin,
        frame(DATA, END_STREAM | PADDED, 1, b"\x05test"),
    ),
    probe(
        "6.1 DATA",
        "invalid pad length on a closed stream",
        fault(PROTOCOL_ERROR),
        whole,
        frame(DATA, PADDED, 1, b"\x05test"),
    ),
    probe(
        "6.2 HEADERS",
        "interrupted by PRIORITY",
        fault(PROTOCOL_ERROR),
        half,
        frame(PRIORITY, 0, 1, priority(0)),
    ),
    probe(
        "6.2 HEADERS",
        "interrupted by another stream's",
        fault(PROTOCOL_ERROR),
        half,
        lambda k: k.headers(3, RESPONSE),
    ),
    probe("6.2 HEADERS", "on stream 0", fault(PROTOCOL_ERROR), lambda k: k.headers(0, RESPONSE)),
    probe(
        "6.2 HEADERS", "invalid pad length", fault(PROTOCOL_ERROR), frame(HEADERS, 5 | PADDED, 1, b"\x09\x88")
    ),
    probe("6.3 PRIORITY", "on stream 0", fault(PROTOCOL_ERROR), frame(PRIORITY, 0, 0, priority(0))),
    probe("6.3 PRIORITY", "of four octets", reset(FRAME_SIZE_ERROR), frame(PRIORITY, 0, 1, bytes(4))),
    probe("6.4 RST", "on stream 0", fault(PROTOCOL_ERROR), rst_stream(0)),
    probe("6.4 RST", "on an idle stream", fault(PROTOCOL_ERROR), rst_stream(98)),
    probe("6.4 RST", "of three octets", fault(FRAME_SIZE_ERROR), frame(RST_STREAM, 0, 1, bytes(3))),
    probe(
        "6.5 SETTINGS", "ACK with a payload", fault(FRAME_SIZE_ERROR), frame(SETTINGS, ACK, 0, setting(1, 1))
    ),
    probe("6.5 SETTINGS", "on a stream", fault(PROTOCOL_ERROR), frame(SETTINGS, 0, 1, setting(3, 1))),
    probe(
        "6.5 SETTINGS", "no multiple of six octets", fault(FRAME_SIZE_ERROR), frame(SETTINGS, 0, 0, bytes(3))
    ),
    probe("6.5.2 parameters", "ENABLE_PUSH 1 from a server", fault(PROTOCOL_ERROR), settings((0x2, 1))),
    probe(
        "6.5.2 parameters",
        "INITIAL_WINDOW_SIZE above the maximum",
        fault(FLOW_CONTROL_ERROR),
        settings((0x4, 2**31)),
    ),
    probe("6.5.2 parameters", "MAX_FRAME_SIZE below 2^14", fault(PROTOCOL_ERROR), settings((0x5, 16383))),
    probe("6.5.2 parameters", "MAX_FRAME_SIZE above 2^24-1", fault(PROTOCOL_ERROR), settings((0x5, 2**24))),
    probe("6.5.2 parameters", "an unknown one", Acknowledged(2), settings((0xFF, 1))),
    probe("6.5.3 synchronization", "acknowledged once each", Acknowledged(3), settings(), settings((0x4, 1))),
    probe(
        "6.6 PUSH_PROMISE",
        "push is off",
        fault(PROTOCOL_ERROR),
        frame(PUSH_PROMISE, END_HEADERS, 1, b"\x00\x00\x00\x02\x82"),
    ),
    probe("6.7 PING", "answered octet by octet", Alive()),
    probe("6.7 PING", "an ACK is not answered", Alive(), frame(PING, ACK, 0, b"invalid!")),
    probe("6.7 PING", "on a stream", fault(PROTOCOL_ERROR), frame(PING, 0, 1, bytes(8))),
    probe("6.7 PING", "of seven octets", fault(FRAME_SIZE_ERROR), frame(PING, 0, 0, bytes(7))),
    probe("6.8 GOAWAY", "on a stream", fault(PROTOCOL_ERROR), frame(GOAWAY, 0, 1, bytes(8))),
    probe("6.8 GOAWAY", "shorter than eight octets", fault(FRAME_SIZE_ERROR), frame(GOAWAY, 0, 0, bytes(7))),
    probe("6.8 GOAWAY", "streams below its id go on", Alive(), goaway(3), whole),
    probe("6.9 WINDOW_UPDATE", "0 for the connection", fault(PROTOCOL_ERROR), window_update(0, 0)),
    probe("6.9 WINDOW_UPDATE", "0 for a stream", reset(PROTOCOL_ERROR), window_update(1, 0)),
    probe(
        "6.9 WINDOW_UPDATE", "of three octets", fault(FRAME_SIZE_ERROR), frame(WINDOW_UPDATE, 0, 0, bytes(3))
    ),
    probe(
        "6.9.1 flow window", "above the maximum, connection", fault(FLOW_CONTROL_ERROR), window_update(0, TOP)
    ),
    probe("6.9.1 flow window", "above the maximum, stream", reset(FLOW_CONTROL_ERROR), window_update(1, TOP)),
    probe(
        "6.9.2 initial window",
        "above the maximum for an open stream",
        fault(FLOW_CONTROL_ERROR),
        window_update(1, 10),
        settings((0x4, TOP)),
    ),
    probe(
        "6.10 CONTINUATION",
        "one, then the body",
        Alive(),
        half,
        frame(CONTINUATION, END_HEADERS, 1),
        frame(DATA, END_STREAM, 1, b"x"),
    ),
    probe(
        "6.10 CONTINUATION",
        "followed by another frame",
        fault(PROTOCOL_ERROR),
        half,
        frame(CONTINUATION, 0, 1),
        frame(DATA, 0, 1, b"x"),
    ),
    probe(
        "6.10 CONTINUATION", "on stream 0", fault(PROTOCOL_ERROR), half, frame(CONTINUATION, END_HEADERS, 0)
    ),
    probe(
        "6.10 CONTINUATION",
        "behind END_HEADERS of HEADERS",
        fault(PROTOCOL_ERROR),
        begin,
        frame(CONTINUATION, END_HEADERS, 1),
    ),
    probe(
        "6.10 CONTINUATION",
        "behind END_HEADERS of CONTINUATION",
        fault(PROTOCOL_ERROR),
        half,
        frame(CONTINUATION, END_HEADERS, 1),
        frame(CONTINUATION, END_HEADERS, 1),
    ),
    probe(
        "6.10 CONTINUATION",
        "behind DATA",
        fault(PROTOCOL_ERROR),
        begin,
        frame(DATA, 0, 1, b"x"),
        frame(CONTINUATION, END_HEADERS, 1),
    ),
    probe("7 error codes", "unknown ones", Alive(), rst_stream(1, 0xFF), goaway(3, 0xFF)),
]

MESSAGES = [
    probe("8.1 exchange", "no :status", reset(PROTOCOL_ERROR), response((b"x", b"y"))),
    probe(
        "8.1 exchange",
        "two :status",
        reset(PROTOCOL_ERROR),
        response((b":status", b"200"), (b":status", b"200")),
    ),
    probe("8.1 exchange", "status 101", reset(PROTOCOL_ERROR), response((b":status", b"101"))),
    probe(
        "8.1 exchange",
        "a request's pseudo-header",
        reset(PROTOCOL_ERROR),
        response((b":status", b"200"), (b":path", b"/")),
    ),
    probe(
        "8.1 exchange",
        "trailers without END_STREAM",
        reset(PROTOCOL_ERROR),
        begin,
        lambda k: k.headers(1, TRAILERS, END_HEADERS),
    ),
    probe(
        "8.1 exchange",
        "a pseudo-header in trailers",
        reset(PROTOCOL_ERROR),
        begin,
        lambda k: k.headers(1, ((b":status", b"200"),)),
    ),
    probe(
        "8.1.2 fields", "upper case", reset(PROTOCOL_ERROR), response((b":status", b"200"), (b"X-A", b"b"))
    ),
    probe(
        "8.1.2 fields",
        "line feed in a value",
        reset(PROTOCOL_ERROR),
        response((b":status", b"200"), (b"x-a", b"a\nb")),
    ),
    probe(
        "8.1.2.2 connection-specific",
        "connection",
        reset(PROTOCOL_ERROR),
        response((b":status", b"200"), (b"connection", b"close")),
    ),
    probe(
        "8.1.2.6 malformed",
        "content-length and DATA differ",
        reset(PROTOCOL_ERROR),
        response((b":status", b"200"), (b"content-length", b"1")),
        frame(DATA, END_STREAM, 1, b"test"),
    ),
]

PROBES: list[Probe] = [*OPENING, *STREAMS, *FRAMES, *MESSAGES]
