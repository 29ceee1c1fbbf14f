"""Starting, stream states, identifiers, concurrency, errors, extensions: RFC 9113 sections 3.4 and 5."""

from __future__ import annotations

from tests.conformance.http2.probe_kit import Acknowledged, Alive, Answered, Ended, Probe, fault, probe, reset
from tests.conformance.http2.probe_octets import priority, settings
from tests.unit.http2.wire import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_SIZE_ERROR,
    HAS_PRIORITY,
    PING,
    PRIORITY,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    STREAM_CLOSED,
    frame,
    rst_stream,
    window_update,
)

STARTING: list[Probe] = [
    probe("generic 1 starting", "preface and SETTINGS", Acknowledged(1)),
    probe(
        "3.5 preface", "SETTINGS are acknowledged once each", Acknowledged(3), settings(), settings((0x3, 5))
    ),
]

STREAMS: list[Probe] = [
    probe(
        "generic 2 streams",
        "PRIORITY on an idle stream",
        Answered(),
        frame(PRIORITY, 0, 1, priority(0)),
        lambda k: k.whole(),
    ),
    probe(
        "generic 2 streams",
        "WINDOW_UPDATE when half-closed (remote)",
        Answered(),
        lambda k: k.whole(),
        window_update(1, 1),
    ),
    probe(
        "generic 2 streams",
        "PRIORITY when half-closed (remote)",
        Answered(),
        lambda k: k.whole(),
        frame(PRIORITY, 0, 1, priority(0)),
    ),
    probe(
        "generic 2 streams",
        "RST_STREAM when half-closed (remote)",
        Alive(),
        lambda k: k.whole(),
        rst_stream(1),
    ),
    probe(
        "generic 2 streams",
        "PRIORITY on a closed stream",
        Answered(),
        lambda k: k.whole(),
        Ended(1),
        frame(PRIORITY, 0, 1, priority(0)),
    ),
    probe("5.1 stream states", "idle: DATA", fault(PROTOCOL_ERROR), frame(DATA, END_STREAM, 1, b"x")),
    probe("5.1 stream states", "idle: RST_STREAM", fault(PROTOCOL_ERROR), rst_stream(1)),
    probe("5.1 stream states", "idle: WINDOW_UPDATE", fault(PROTOCOL_ERROR), window_update(1, 100)),
    probe(
        "5.1 stream states",
        "idle: CONTINUATION",
        fault(PROTOCOL_ERROR),
        lambda k: frame(CONTINUATION, END_HEADERS, 1, k.block()),
    ),
    probe(
        "5.1 stream states",
        "half-closed (remote): DATA",
        reset(STREAM_CLOSED),
        lambda k: k.whole(),
        frame(DATA, END_STREAM, 1, b"x"),
    ),
    probe(
        "5.1 stream states",
        "half-closed (remote): CONTINUATION",
        fault(PROTOCOL_ERROR),
        lambda k: k.whole(),
        lambda k: frame(CONTINUATION, END_HEADERS, 1, k.block()),
    ),
    probe(
        "5.1 stream states",
        "closed by RST_STREAM: DATA",
        reset(STREAM_CLOSED),
        lambda k: k.open(),
        rst_stream(1),
        frame(DATA, END_STREAM, 1, b"x"),
    ),
    probe(
        "5.1 stream states",
        "closed by RST_STREAM: HEADERS",
        fault(STREAM_CLOSED),
        lambda k: k.open(),
        rst_stream(1),
        lambda k: k.whole(),
    ),
    probe(
        "5.1 stream states",
        "closed by RST_STREAM: CONTINUATION",
        fault(PROTOCOL_ERROR),
        lambda k: k.open(),
        rst_stream(1),
        lambda k: frame(CONTINUATION, END_HEADERS, 1, k.block()),
    ),
    probe(
        "5.1 stream states",
        "closed by END_STREAM: DATA",
        reset(STREAM_CLOSED),
        lambda k: k.whole(),
        Ended(1),
        frame(DATA, END_STREAM, 1, b"x"),
    ),
    probe(
        "5.1 stream states",
        "closed by END_STREAM: HEADERS",
        fault(STREAM_CLOSED),
        lambda k: k.whole(),
        Ended(1),
        lambda k: k.whole(),
    ),
    probe(
        "5.1 stream states",
        "closed by END_STREAM: CONTINUATION",
        fault(PROTOCOL_ERROR),
        lambda k: k.whole(),
        Ended(1),
        lambda k: frame(CONTINUATION, END_HEADERS, 1, k.block()),
    ),
    probe(
        "5.1 stream states",
        "closed: WINDOW_UPDATE and RST_STREAM may be late",
        Answered(),
        lambda k: k.whole(),
        Ended(1),
        window_update(1, 5),
        rst_stream(1),
    ),
    probe("5.1.1 stream ids", "even", fault(PROTOCOL_ERROR), lambda k: k.whole(2)),
    probe(
        "5.1.1 stream ids",
        "lower than one before",
        fault(PROTOCOL_ERROR),
        lambda k: k.open(5),
        lambda k: k.open(3),
    ),
    probe(
        "5.1.1 stream ids", "skipped ones are fine", Answered(77), lambda k: k.open(5), lambda k: k.whole(77)
    ),
    probe(
        "5.1.2 concurrency",
        "one more than announced",
        reset(REFUSED_STREAM, stream_id=201),
        lambda k: b"".join(k.open(number) for number in range(1, 202, 2)),
    ),
    probe(
        "5.3.1 dependencies",
        "HEADERS on themselves",
        reset(PROTOCOL_ERROR),
        lambda k: k.headers(1, flags=END_HEADERS | END_STREAM | HAS_PRIORITY, before=priority(1)),
    ),
    probe(
        "5.3.1 dependencies", "PRIORITY on itself", fault(PROTOCOL_ERROR), frame(PRIORITY, 0, 1, priority(1))
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
        lambda k: k.whole(),
    ),
    probe("5.5 extensions", "an unknown frame", Alive(), frame(0xFF, 0, 0, b"unknown")),
    probe(
        "5.5 extensions",
        "an unknown frame within a header block",
        fault(PROTOCOL_ERROR),
        lambda k: k.headers(flags=END_STREAM),
        frame(0xFF, 0, 0, b"unknown"),
    ),
]
