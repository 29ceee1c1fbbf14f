"""Header blocks: T5 to T9 and T11 (what HPACK can be made to cost), T19 to T22 (what a field can be taken
for), T28 (trailers).
"""

from __future__ import annotations

import pytest

from tests.integration.hardening.ground import Ground
from tests.integration.hardening.wire import (
    COMPRESSION_ERROR,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    HEADERS,
    MESSAGE,
    PROTOCOL_ERROR,
    Attacker,
    frame,
    goaway_code,
    indexed_literal,
    integer,
    literal,
    request,
    resets,
    setting,
    statuses,
    window,
)

pytestmark = pytest.mark.integration

HEAD = request()
CHAT = request("/evil.Evil/Chat")


def split(block: bytes, stream_id: int) -> bytes:
    """Return a header block in as few frames as it takes."""
    pieces = [block[at : at + 16384] for at in range(0, len(block), 16384)] or [b""]
    out = []
    for number, piece in enumerate(pieces):
        flags = END_HEADERS if number == len(pieces) - 1 else 0
        out.append(frame(CONTINUATION if number else HEADERS, flags, stream_id, piece))
    return b"".join(out)


@pytest.mark.parametrize(
    ("name", "field", "references"),
    [
        ("T5 HTTP/2 bomb: cookie crumbs", (b"cookie", b"a=b"), 12_000),
        ("T5 HTTP/2 bomb: empty names and values", (b"a", b""), 12_000),
        ("T5 HTTP/2 bomb: within the limits", (b"a", b""), 90),
        ("T6 discarded Host, 1,000 times", (b"host", b"h" * 3900), 1000),
        ("T7 4 KB value, 4,000 times (CVE-2016-6581)", (b"x", b"v" * 3900), 4000),
    ],
)
def test_indexed_references(ground: Ground, name: str, field: tuple[bytes, bytes], references: int) -> None:
    """One entry of the table, named over and over by one octet each (CVE-2026-49975, CVE-2026-73550): the
    size and the number of decoded fields are limited before objects are made, and a closed window keeps
    nothing for long.
    """
    chat = request("/apart.Apart/Chat")
    first = chat + indexed_literal(*field)
    bomb = chat + b"\xbe" * references
    with ground.attack(name, max_growth_bytes=16 << 20) as tally:
        for _ in range(5):
            attacker = tally.note(Attacker(ground.main, settings=setting(4, 0)))
            attacker.send(split(first, 1))
            attacker.send(b"".join(split(bomb, n) for n in range(3, 201, 2)))
            said = attacker.read(0.3)
            for _ in range(20):
                if references <= 100 or attacker.closed or resets(said):
                    break
                said = attacker.read(0.2)
            codes = set(resets(said).values())
            if references > 100:
                assert codes <= {ENHANCE_YOUR_CALM, PROTOCOL_ERROR}
                assert codes or attacker.closed
                assert goaway_code(said) in (ENHANCE_YOUR_CALM, -1)
        if references > 100:
            assert ground.trips("header_list") > 0
    ground.assert_calm()


HPACK: list[tuple[str, bytes]] = [
    ("integer of ten octets", b"\x1f" + b"\xff" * 9 + b"\x01"),
    ("integer padded with zeros", b"\x1f" + b"\x80" * 9 + b"\x00"),
    ("string of 4 GB", b"\x00\x01a" + integer(2**32 - 1, 7)),
    ("index outside the tables", b"\xff\xff\xff\x7f"),
    ("index 0", b"\x80"),
    ("table of 2^32-1", integer(2**32 - 1, 5, 0x20)),
    ("table update behind a field", b"\x82\x20"),
    ("Huffman end of string", b"\x00\x84\xff\xff\xff\xff\x01x"),
    ("field that ends early", b"\x00\x05ab"),
]


def test_t8_broken_hpack(ground: Ground) -> None:
    """What cannot be decoded ends the connection with COMPRESSION_ERROR, and nothing is made of it."""
    with ground.attack(f"T8 {len(HPACK)} kinds of broken HPACK") as tally:
        for name, block in HPACK:
            attacker = tally.note(Attacker(ground.main))
            attacker.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block))
            assert goaway_code(attacker.read(2.0)) == COMPRESSION_ERROR, name


def test_t8_block_in_many_small_frames(ground: Ground) -> None:
    """200 header blocks of nine frames each cost no more than their octets."""
    piece = literal(b"x", b"v" * 200)
    with ground.attack("T8 blocks in pieces") as tally:
        attacker = tally.note(Attacker(ground.main))
        for n in range(1, 401, 2):
            data = frame(HEADERS, END_STREAM, n, HEAD)
            data += frame(CONTINUATION, 0, n, piece) * 7 + frame(CONTINUATION, END_HEADERS, n, piece)
            if not attacker.send(data):
                break
        said = attacker.read(1.0)
        assert goaway_code(said) in (-1, ENHANCE_YOUR_CALM)
    ground.assert_calm()


BAD_FIELDS: list[tuple[str, bytes, bytes]] = [
    ("CR in a value", b"x", b"a\rb"),
    ("LF in a value", b"x", b"a\nTransfer-Encoding: chunked"),
    ("NUL in a value", b"x", b"a\0b"),
    ("DEL in a value", b"x", b"a\x7fb"),
    ("space before a value", b"x", b" a"),
    ("tab behind a value", b"x", b"a\t"),
    ("colon in a name", b"x:y", b"a"),
    ("space in a name", b"x y", b"a"),
    ("newline in a name", b"x\ny", b"a"),
    ("empty name", b"", b"a"),
    ("upper case", b"X-Admin", b"a"),
    ("long s", "x-\u017f".encode(), b"a"),
    ("Kelvin sign", "\u212aeep-alive".encode(), b"a"),
    ("high octet in a name", b"x\xff", b"a"),
    ("transfer-encoding", b"transfer-encoding", b"chunked"),
    ("connection", b"connection", b"x-internal"),
    ("keep-alive", b"keep-alive", b"1"),
    ("proxy-connection", b"proxy-connection", b"close"),
    ("upgrade", b"upgrade", b"h2c"),
    ("te", b"te", b"gzip"),
    ("host differs (T20)", b"host", b"other"),
    ("content-length without a body (T22)", b"content-length", b"5"),
    ("content-length not a number (T22)", b"content-length", b"+5"),
    ("pseudo-header behind a field", b":path", b"/admin.Admin/Unary"),
    ("unknown pseudo-header", b":admin", b"1"),
]


def test_t19_fields_that_smuggle(ground: Ground) -> None:
    """Each malformed field costs its stream PROTOCOL_ERROR, never the connection, and nothing reaches an
    upstream.
    """
    before = ground.proxy.status()["clusters"]["apart"]["endpoints"][0]["attempts"]
    head = request("/apart.Apart/Unary")
    with ground.attack(f"T19, T20, T22: {len(BAD_FIELDS)} malformed fields") as tally:
        attacker = tally.note(Attacker(ground.main))
        for number, (_, name, value) in enumerate(BAD_FIELDS):
            flags = END_HEADERS | END_STREAM
            attacker.send(frame(HEADERS, flags, 2 * number + 1, head + literal(name, value)))
        codes = resets(attacker.read(0.5))
        for number, (what, _, _) in enumerate(BAD_FIELDS):
            assert codes.get(2 * number + 1) == PROTOCOL_ERROR, what
        assert not attacker.closed
    assert ground.proxy.status()["clusters"]["apart"]["endpoints"][0]["attempts"] == before


PATHS = [
    b"a.B/C",
    b"*",
    b"/",
    b"//",
    b"/a.B",
    b"/a.B/",
    b"//C",
    b"/a.B/C/D",
    b"/a.B/C#x",
    b"/a.B/C?x=1",
    b"/a%2fB/C",
    b"http://evil/a.B/C",
    b"/../a.B/C",
]
RAW_PATHS = [b"", b"/a.B/C D", b"/a.B/\xc3\xbc", b"/a.B/C\0", b"/a.B/\x7f", b" /a.B/C"]


def test_t20_paths(ground: Ground) -> None:
    """A path that is not /Service/Method in printable ASCII is answered at the door (CVE-2026-33186): the
    route is decided by the octets that are forwarded.
    """
    before = ground.proxy.status()["clusters"]["up"]["endpoints"][0]["failures"]
    fields = b"\x83\x86"
    rest = (
        literal(b":authority", b"x")
        + literal(b"te", b"trailers")
        + literal(b"content-type", b"application/grpc")
    )
    with ground.attack(f"T20: {len(PATHS) + len(RAW_PATHS)} paths") as tally:
        attacker = tally.note(Attacker(ground.main))
        everything = [*PATHS, *RAW_PATHS]
        for number, path in enumerate(everything):
            data = fields + literal(b":path", path) + rest
            attacker.send(frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, data))
        said = attacker.read(0.5)
        answers, codes = statuses(said), resets(said)
        for number, path in enumerate(everything):
            answer = answers.get(2 * number + 1)
            refused = codes.get(2 * number + 1) == PROTOCOL_ERROR
            assert refused or (answer is not None and answer["grpc-status"] == "12"), path
        assert not attacker.closed
    assert ground.proxy.status()["clusters"]["up"]["endpoints"][0]["failures"] == before


def test_t11_t27_what_is_not_a_grpc_request(ground: Ground) -> None:
    """CONNECT, extended CONNECT, other methods, schemes, content types and te values: a stream error or an
    answer at the door, and the connection goes on (CVE-2023-1428).
    """
    authority = literal(b":authority", b"x") + literal(b"te", b"trailers")
    grpc = literal(b"content-type", b"application/grpc")
    path = literal(b":path", b"/a.B/Unary")
    heads = [
        literal(b":method", b"CONNECT") + literal(b":authority", b"x:1"),
        literal(b":method", b"CONNECT")
        + b"\x86"
        + path
        + literal(b":protocol", b"websocket")
        + authority
        + grpc,
        literal(b":method", b"GET") + b"\x86" + path + authority + grpc,
        literal(b":method", b"PO ST") + b"\x86" + path + authority + grpc,
        b"\x83" + literal(b":scheme", b"ht tp") + path + authority + grpc,
        b"\x83" + path + authority + grpc,
        b"\x83\x86" + authority + grpc,
        b"\x83\x83\x86" + path + authority + grpc,
        b"\x83\x86" + path + literal(b":authority", b"user@x") + grpc,
        b"\x83\x86" + path + literal(b":authority", b"") + grpc,
        b"\x83\x86" + path + authority + literal(b"content-type", b"text/html"),
        b"\x83\x86" + path + authority,
        b"\x83\x86" + path + literal(b":authority", b"x") + literal(b"te", b"x" * 9000) + grpc,
    ]
    with ground.attack(f"T11, T27: {len(heads)} requests that are none") as tally:
        attacker = tally.note(Attacker(ground.main))
        for number, head in enumerate(heads):
            attacker.send(frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, head))
        said = attacker.read(0.5)
        answers, codes = statuses(said), resets(said)
        for number, head in enumerate(heads):
            n = 2 * number + 1
            assert codes.get(n) == PROTOCOL_ERROR or answers[n][":status"] in ("415", "405"), head
        assert not attacker.closed
        attacker.send(frame(5, END_HEADERS, 1, b"\0\0\0\2" + HEAD))
        assert goaway_code(attacker.read(1.0)) == PROTOCOL_ERROR
    ground.assert_calm()


def test_t21_underscores(ground: Ground) -> None:
    """Underscores are allowed by gRPC: such a name passes, and is never taken for the one with dashes."""
    with ground.attack("T21 underscores") as tally:
        attacker = tally.note(Attacker(ground.main))
        head = request("/evil.Evil/Unary", ("grpc_timeout", "1n"), ("x_seen", "1"), ("content_length", "7"))
        attacker.send(frame(HEADERS, END_HEADERS, 1, head) + frame(DATA, END_STREAM, 1, MESSAGE))
        fields = _final(attacker, 1)
        assert fields["grpc-status"] == "0"
        assert "seen-x_seen" not in fields


def test_t28_trailers(ground: Ground) -> None:
    """Trailers of a request with a pseudo-header, too many octets or no end, and DATA behind them."""
    chat = frame(HEADERS, END_HEADERS, 1, CHAT) + frame(DATA, 0, 1, MESSAGE)
    cases: list[tuple[str, bytes, set[int]]] = [
        ("pseudo-header", frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x84"), {PROTOCOL_ERROR}),
        ("no end", frame(HEADERS, END_HEADERS, 1, literal(b"x", b"y")), {PROTOCOL_ERROR}),
        (
            "too large",
            frame(HEADERS, END_STREAM, 1, literal(b"x", b"y" * 9000))
            + frame(CONTINUATION, END_HEADERS, 1, literal(b"x", b"y" * 9000)),
            {ENHANCE_YOUR_CALM},
        ),
        (
            "connection",
            frame(HEADERS, END_HEADERS | END_STREAM, 1, literal(b"upgrade", b"h2c")),
            {PROTOCOL_ERROR},
        ),
        (
            "DATA behind them",
            frame(HEADERS, END_HEADERS | END_STREAM, 1, literal(b"x", b"y")) + frame(DATA, 0, 1, MESSAGE),
            {5},
        ),
    ]
    with ground.attack("T28 trailers of requests") as tally:
        for case, data, codes in cases:
            attacker = tally.note(Attacker(ground.main))
            attacker.send(chat + data)
            said = attacker.read(0.3)
            assert resets(said).get(1) in codes or goaway_code(said) in codes, case
    ground.assert_calm()


def _final(attacker: Attacker, stream_id: int) -> dict[str, str]:
    """Return the trailers of a stream."""
    attacker.send(window(0, 1 << 20))
    for _ in range(20):
        fields = statuses(attacker.read(0.2)).get(stream_id, {})
        if "grpc-status" in fields:
            return fields
    raise AssertionError("no trailers came")
