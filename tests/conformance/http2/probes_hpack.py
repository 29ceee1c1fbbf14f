"""Header compression: RFC 7541, and RFC 9113 section 4.3."""

from __future__ import annotations

from tests.conformance.http2.probe_kit import Answered, Probe, fault, probe
from tests.conformance.http2.probe_octets import literal_field, literals, priority, raw_block
from tests.unit.http2.wire import (
    COMPRESSION_ERROR,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PRIORITY,
    PROTOCOL_ERROR,
    frame,
)

HPACK: list[Probe] = [
    probe("generic 5 HPACK", "indexed field", Answered(), raw_block(b"\x90")),
    *(
        probe(
            "generic 5 HPACK",
            f"literal, {kind}, name {name!r}, {'huffman' if huffman else 'plain'}",
            Answered(),
            raw_block(literal_field(pattern, name, b"test", huffman)),
        )
        for pattern, kind in (
            (0x40, "incremental indexing"),
            (0x00, "without indexing"),
            (0x10, "never indexed"),
        )
        for name in (58, b"x-test")
        for huffman in (False, True)
    ),
    probe(
        "generic 5 HPACK",
        "table size update",
        Answered(),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x20" + literals()),
    ),
    probe(
        "generic 5 HPACK",
        "several table size updates",
        Answered(),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x20\x3f\xe1\x1f" + literals()),
    ),
    probe(
        "4.3 header compression",
        "an invalid block",
        fault(COMPRESSION_ERROR),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x00\x08\x78\x2d\x74\x65"),
    ),
    probe(
        "4.3 header compression",
        "PRIORITY within a block",
        fault(PROTOCOL_ERROR),
        lambda k: k.headers(flags=END_STREAM),
        frame(PRIORITY, 0, 1, priority(0)),
    ),
    probe(
        "4.3 header compression",
        "another stream's HEADERS within a block",
        fault(PROTOCOL_ERROR),
        lambda k: k.headers(flags=END_STREAM),
        lambda k: k.whole(3),
    ),
    probe(
        "hpack 2.3.3 index space",
        "indexed field beyond the tables",
        fault(COMPRESSION_ERROR),
        raw_block(b"\xc6"),
    ),
    probe(
        "hpack 2.3.3 index space",
        "literal with a name beyond the tables",
        fault(COMPRESSION_ERROR),
        raw_block(b"\x7f\x20\x05value"),
    ),
    probe(
        "hpack 4.2 table size", "update at the end of a block", fault(COMPRESSION_ERROR), raw_block(b"\x20")
    ),
    probe(
        "hpack 4.2 table size",
        "an entry larger than the table empties it",
        Answered(3),
        raw_block(literal_field(0x40, b"x-a", b"b"), b"\xbe"),
        frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            3,
            b"\x20\x2a" + literals() + literal_field(0x40, b"x-long", b"v" * 40),
        ),
    ),
    probe(
        "hpack 5.2 string literal",
        "huffman padding of eight bits",
        fault(COMPRESSION_ERROR),
        raw_block(b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff"),
    ),
    probe(
        "hpack 5.2 string literal",
        "huffman padding of zeros",
        fault(COMPRESSION_ERROR),
        raw_block(b"\x00\x85\xf2\xb2\x4a\x84\xff\x83\x49\x50\x90"),
    ),
    probe(
        "hpack 5.2 string literal",
        "huffman with EOS",
        fault(COMPRESSION_ERROR),
        raw_block(b"\x00\x85\xf2\xb2\x4a\x84\xff\x87\x49\x51\xff\xff\xff\xfa\x7f"),
    ),
    probe(
        "hpack 5.2 string literal",
        "longer than the block",
        fault(COMPRESSION_ERROR),
        raw_block(b"\x00\x01a\x7f\xff\xff\xff\x07b"),
    ),
    probe("hpack 6.1 indexed", "index 0", fault(COMPRESSION_ERROR), raw_block(b"\x80")),
    probe(
        "hpack 6.3 size update",
        "above SETTINGS_HEADER_TABLE_SIZE",
        fault(COMPRESSION_ERROR),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x3f\xe2\x1f" + literals()),
    ),
]
