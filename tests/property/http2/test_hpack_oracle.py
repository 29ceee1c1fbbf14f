"""HPACK against the `hpack` package, in both directions, over whole connections."""

from __future__ import annotations

from hpack import Decoder as OracleDecoder
from hpack import Encoder as OracleEncoder
from hpack import HeaderTuple, HPACKError, NeverIndexedHeaderTuple
from hypothesis import given
from hypothesis import strategies as st

from seawall_proxy.http2.errors import ConnectionFault
from seawall_proxy.http2.headers import VOLATILE_NAMES, BlockCache, Field
from seawall_proxy.http2.hpack.decoder import Decoder
from seawall_proxy.http2.hpack.encoder import INDEXABLE_NAMES, Encoder
from seawall_proxy.http2.hpack.huffman import decode_huffman

NAMES = st.sampled_from(
    [*sorted(INDEXABLE_NAMES), *sorted(VOLATILE_NAMES)[:6], b"x-a", b"x-b", b"x-c", b"grpc-message"]
)
VALUES = st.one_of(
    st.sampled_from([b"", b"0", b"200", b"GET", b"application/grpc", b"v" * 63, b"v" * 130, b"v" * 300]),
    st.binary(max_size=20),
)
FIELDS = st.lists(st.tuples(NAMES, VALUES, st.booleans()), max_size=12)


def by_name(fields: tuple[Field, ...] | list[Field]) -> dict[bytes, list[bytes]]:
    """Group values by name, in order."""
    grouped: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        grouped.setdefault(bytes(name), []).append(bytes(value))
    return grouped


@given(st.lists(st.tuples(FIELDS, st.booleans(), st.sampled_from([-1, -1, -1, 0, 64, 4096])), max_size=12))
def test_decoder_agrees_with_the_oracles_encoder(
    blocks: list[tuple[list[tuple[bytes, bytes, bool]], bool, int]],
) -> None:
    """Every list of a connection decodes to its fields: none lost, none invented, values of a name in order,
    the two parts disjoint by name, whatever was indexed, Huffman coded or evicted in between.
    """
    encoder, decoder = OracleEncoder(), Decoder(BlockCache())
    for fields, huffman, resize in blocks:
        if resize >= 0:
            encoder.header_table_size = resize
        coded = [
            (NeverIndexedHeaderTuple if never else HeaderTuple)(name, value) for name, value, never in fields
        ]
        for data in [encoder.encode(coded, huffman=huffman) for _ in range(2)]:
            decoded = decoder.decode(data)
            assert not decoded.too_large
            stable, extra = by_name(decoded.block.fields), by_name(decoded.extra)
            assert not stable.keys() & extra.keys()
            assert {**stable, **extra} == by_name([(name, value) for name, value, _ in fields])
            assert not stable.keys() & VOLATILE_NAMES


@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(NAMES, VALUES), max_size=8),
            st.lists(st.tuples(NAMES, VALUES), max_size=4),
            st.sampled_from([-1, -1, -1, -1, 0, 50, 300, 4096, 10_000]),
        ),
        max_size=30,
    )
)
def test_oracles_decoder_agrees_with_our_encoder(
    blocks: list[tuple[list[Field], list[Field], int]],
) -> None:
    """Every list we encode decodes to exactly its fields, in order, through table resizes and memo hits."""
    encoder, oracle = Encoder(), OracleDecoder()
    cache = BlockCache()
    for stable, extra, resize in blocks:
        if resize >= 0:
            encoder.set_peer_table_size(resize)
            oracle.max_allowed_table_size = resize
        block = cache.intern(tuple(stable))
        for _ in range(2):
            data = encoder.encode(block, tuple(extra))
            assert [(bytes(n), bytes(v)) for n, v in oracle.decode(data, raw=True)] == stable + extra


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=6))
def test_any_octets_decode_or_fail_like_the_oracle(blocks: list[bytes]) -> None:
    """On arbitrary octets our decoder and the oracle accept the same blocks with the same fields."""
    decoder, oracle = Decoder(BlockCache()), OracleDecoder()
    for data in blocks:
        try:
            expected = by_name([(bytes(name), bytes(value)) for name, value in oracle.decode(data, raw=True)])
        except HPACKError:
            expected = None
        try:
            decoded = decoder.decode(data)
        except ConnectionFault:
            assert expected is None
            return
        if expected is None:
            return
        assert {**by_name(decoded.block.fields), **by_name(decoded.extra)} == expected


@given(st.binary(max_size=40))
def test_huffman_agrees_with_the_oracle(data: bytes) -> None:
    """Any octets are decoded, or refused, exactly as the `hpack` package does."""
    from hpack.huffman_table import decode_huffman as oracle

    try:
        expected = oracle(data)
    except HPACKError:
        expected = None
    try:
        assert decode_huffman(data) == expected
    except ConnectionFault:
        assert expected is None


@given(st.lists(st.tuples(NAMES, VALUES), max_size=150), st.integers(0, 60), st.integers(0, 4000))
def test_limits_are_exact(fields: list[Field], max_fields: int, max_bytes: int) -> None:
    """A list is too large exactly when its count or its RFC 9113 size is above the limit."""
    decoder = Decoder(BlockCache(), header_list_bytes=max_bytes, header_count=max_fields)
    decoded = decoder.decode(OracleEncoder().encode([HeaderTuple(*pair) for pair in fields]))
    size = sum(len(name) + len(value) + 32 for name, value in fields)
    assert decoded.too_large == (len(fields) > max_fields or size > max_bytes)
    if decoded.too_large:
        assert decoded.block.fields == () and decoded.extra == ()
