"""Requests, their fields and their length: RFC 9113 section 8."""

from __future__ import annotations

from tests.conformance.http2.probe_kit import MESSAGE, REQUEST, Answered, Probe, probe, reset
from tests.conformance.http2.probe_octets import changed, request, with_field
from tests.unit.http2.wire import DATA, END_HEADERS, END_STREAM, PROTOCOL_ERROR, frame

MESSAGES: list[Probe] = [
    probe("generic 4 messages", "GET", Answered(), lambda k: k.headers(fields=changed(b":method", b"GET"))),
    probe("generic 4 messages", "HEAD", Answered(), lambda k: k.headers(fields=changed(b":method", b"HEAD"))),
    probe("generic 4 messages", "POST", Answered(), lambda k: k.open(), frame(DATA, END_STREAM, 1, MESSAGE)),
    probe(
        "generic 4 messages",
        "POST with trailers",
        Answered(),
        lambda k: k.open(),
        frame(DATA, 0, 1, MESSAGE),
        lambda k: k.headers(1, ((b"x-trailer", b"test"),)),
    ),
    probe(
        "8.1 exchange",
        "a second HEADERS without END_STREAM",
        reset(PROTOCOL_ERROR),
        lambda k: k.open(),
        lambda k: k.headers(1, ((b"x-test", b"ok"),), END_HEADERS),
    ),
    probe(
        "8.1.2 fields",
        "upper case",
        reset(PROTOCOL_ERROR),
        lambda k: k.headers(fields=with_field((b"X-TEST", b"ok"))),
    ),
    *(
        probe(
            "8.1.2 fields",
            f"{name!r}: {value!r}",
            reset(PROTOCOL_ERROR),
            request(with_field((name, value))),
        )
        for name, value in (
            (b"x a", b"b"),
            (b"", b"b"),
            (b"x:a", b"b"),
            (b"x", b"a\nb"),
            (b"x", b"a\rb"),
            (b"x", b"\x00"),
            (b"x", b" a"),
            (b"x", b"a "),
        )
    ),
    probe(
        "8.1.2.1 pseudo-headers",
        "an unknown one",
        reset(PROTOCOL_ERROR),
        lambda k: k.headers(fields=((b":test", b"ok"), *REQUEST)),
    ),
    probe(
        "8.1.2.1 pseudo-headers",
        "one of responses",
        reset(PROTOCOL_ERROR),
        lambda k: k.headers(fields=((b":status", b"200"), *REQUEST)),
    ),
    probe(
        "8.1.2.1 pseudo-headers",
        "in trailers",
        reset(PROTOCOL_ERROR),
        lambda k: k.open(),
        frame(DATA, 0, 1, MESSAGE),
        lambda k: k.headers(1, ((b":method", b"GET"),)),
    ),
    probe(
        "8.1.2.1 pseudo-headers",
        "behind a regular field",
        reset(PROTOCOL_ERROR),
        lambda k: k.headers(fields=(*REQUEST[1:], REQUEST[0])),
    ),
    *(
        probe(
            "8.1.2.2 connection-specific",
            name.decode(),
            reset(PROTOCOL_ERROR),
            request(with_field((name, value))),
        )
        for name, value in (
            (b"connection", b"keep-alive"),
            (b"keep-alive", b"1"),
            (b"proxy-connection", b"x"),
            (b"transfer-encoding", b"chunked"),
            (b"upgrade", b"h2c"),
        )
    ),
    probe(
        "8.1.2.2 connection-specific",
        "te other than trailers",
        reset(PROTOCOL_ERROR),
        lambda k: k.headers(fields=changed(b"te", b"trailers, deflate")),
    ),
    probe(
        "8.1.2.3 request pseudo",
        "empty :path",
        reset(PROTOCOL_ERROR),
        lambda k: k.headers(fields=changed(b":path", b"")),
    ),
    *(
        probe(
            "8.1.2.3 request pseudo",
            f"no {name.decode()}",
            reset(PROTOCOL_ERROR),
            request(changed(name, None)),
        )
        for name in (b":method", b":scheme", b":path")
    ),
    *(
        probe(
            "8.1.2.3 request pseudo",
            f"two {pair[0].decode()}",
            reset(PROTOCOL_ERROR),
            request((pair, *REQUEST)),
        )
        for pair in REQUEST[:3]
    ),
    probe(
        "8.1.2.6 malformed",
        "content-length and one DATA differ",
        reset(PROTOCOL_ERROR),
        lambda k: k.open(1, (b"content-length", b"1")),
        frame(DATA, END_STREAM, 1, b"test"),
    ),
    probe(
        "8.1.2.6 malformed",
        "content-length and the sum of DATA differ",
        reset(PROTOCOL_ERROR),
        lambda k: k.open(1, (b"content-length", b"1")),
        frame(DATA, 0, 1, b"test"),
        frame(DATA, END_STREAM, 1, b"test"),
    ),
]
