"""HPACK (RFC 7541): index space, table size, integers, strings, and what our encoder may say."""

from __future__ import annotations

import pytest
from hpack import Decoder as OracleDecoder
from hpack import Encoder as OracleEncoder

from seawall_proxy.http2.errors import COMPRESSION_ERROR, ConnectionFault
from seawall_proxy.http2.headers import BlockCache, Field, HeaderBlock
from seawall_proxy.http2.hpack.decoder import Decoder
from seawall_proxy.http2.hpack.encoder import Encoder
from seawall_proxy.http2.hpack.huffman import decode_huffman
from seawall_proxy.http2.hpack.integers import read_integer, write_integer
from seawall_proxy.http2.hpack.static import STATIC_TABLE
from tests.unit.http2.wire import REQUEST, RESPONSE, TRAILERS, literal


def fields_of(decoder: Decoder, data: bytes) -> tuple[Field, ...]:
    """Decode and join both parts."""
    decoded = decoder.decode(data)
    return decoded.block.fields + decoded.extra


def assert_invalid(data: bytes) -> None:
    """The block must be refused with COMPRESSION_ERROR."""
    with pytest.raises(ConnectionFault) as caught:
        Decoder(BlockCache()).decode(data)
    assert caught.value.code == COMPRESSION_ERROR


class TestIndexSpace:
    """2.3.3 index address space."""

    @pytest.mark.parametrize(
        "data",
        [
            b"\x80",
            b"\xbe",
            b"\xff\x00",
            b"\x7e\x01a",
            b"\x7f\x00\x01a",
            b"\x0f\x2f\x01a",
            b"\xff\xff\xff\xff\xff\x0f",
        ],
    )
    def test_index_outside_the_tables(self, data: bytes) -> None:
        """Index 0 and indices above the newest dynamic entry do not exist."""
        assert_invalid(data)

    def test_static_table_is_the_rfcs(self) -> None:
        """All 61 entries agree with an independent copy of appendix A."""
        from hpack.table import HeaderTable

        assert tuple(STATIC_TABLE[1:]) == HeaderTable.STATIC_TABLE


class TestTableSize:
    """4.2 maximum table size, 4.3 and 4.4 eviction."""

    def test_update_above_the_announced_size(self) -> None:
        """A size update above 4,096 is refused."""
        assert_invalid(b"\x3f\xe2\x1f\x88")
        assert fields_of(Decoder(BlockCache()), b"\x3f\xe1\x1f\x88") == ((b":status", b"200"),)

    def test_update_behind_a_field(self) -> None:
        """Size updates stand at the beginning of a block only."""
        assert_invalid(b"\x88\x20")

    def test_update_evicts(self) -> None:
        """A size of 0 empties the table; a later larger one leaves it empty."""
        decoder = Decoder(BlockCache())
        decoder.decode(literal(b"a", b"b", 0x40))
        assert fields_of(decoder, b"\xbe") == ((b"a", b"b"),)
        with pytest.raises(ConnectionFault):
            decoder.decode(b"\x20\x3f\xe1\x1f\xbe")

    def test_entry_larger_than_the_table(self) -> None:
        """Inserting such an entry is legal and empties the table."""
        decoder = Decoder(BlockCache())
        decoder.decode(literal(b"a", b"b", 0x40))
        decoder.decode(b"\x3f\x01" + literal(b"name", b"v" * 20, 0x40))
        with pytest.raises(ConnectionFault):
            decoder.decode(b"\xbe")

    def test_long_life_of_evictions(self) -> None:
        """Ten thousand insertions agree with the oracle, entry by entry."""
        decoder, oracle = Decoder(BlockCache()), OracleEncoder()
        for number in range(10_000):
            pair = (b"x-n", b"%d" % (number % 97 * number))
            assert fields_of(decoder, oracle.encode([pair], huffman=number % 2 == 0)) == (pair,)


class TestIntegers:
    """5.1 integer representation."""

    @pytest.mark.parametrize("value", [0, 1, 30, 31, 32, 126, 127, 128, 254, 1337, 16384, 2**28, 2**32 - 1])
    @pytest.mark.parametrize("bits", [4, 5, 6, 7])
    def test_round_trip(self, value: int, bits: int) -> None:
        """Every value survives every prefix."""
        prefix_max = (1 << bits) - 1
        data = write_integer(value, prefix_max, 0)
        if value < prefix_max:
            assert data == bytes((value,))
        else:
            assert data[0] == prefix_max
            assert read_integer(data, 1, len(data), prefix_max) == (value, len(data))

    def test_example_of_the_rfc(self) -> None:
        """C.1.2: 1337 with a five-bit prefix."""
        assert write_integer(1337, 31, 0) == b"\x1f\x9a\x0a"

    @pytest.mark.parametrize("tail", [b"", b"\x80", b"\x80\x80\x80\x80\x80\x00", b"\xff\xff\xff\xff\x7f"])
    def test_refused(self, tail: bytes) -> None:
        """Unfinished integers, more than five octets, and values above 2^32-1 are refused."""
        assert_invalid(b"\xff" + tail)


class TestStrings:
    """5.2 string literal representation."""

    @pytest.mark.parametrize(
        "data",
        [
            b"\x00",
            b"\x00\x01",
            b"\x00\x01a",
            b"\x00\x01a\x05abc",
            b"\x00\x7f\xff\xff\xff\xff\x0fa",
            b"\x00\x01a\x7f\x80\x80\x80\x80\x08",
            b"\x40\x01a\x02b",
        ],
    )
    def test_longer_than_the_block(self, data: bytes) -> None:
        """A length that reaches beyond the block is refused before anything is copied."""
        assert_invalid(data)

    @pytest.mark.parametrize(
        "code",
        [b"\xff\xff\xff\xff", b"\x00", b"\xf8\xff", b"\x1f\xff", b"\xff\xff\xff\xfc"],
    )
    def test_invalid_huffman(self, code: bytes) -> None:
        """EOS within a string, padding longer than seven bits and padding of zeros are refused."""
        assert_invalid(b"\x00\x01a" + bytes((0x80 | len(code),)) + code)

    def test_huffman_of_every_octet(self) -> None:
        """All 256 octets decode to themselves."""
        from hpack.huffman import HuffmanEncoder
        from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

        encoder = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)
        for octet in range(256):
            for text in (bytes((octet,)), bytes((octet, octet, 0x61, octet))):
                assert decode_huffman(encoder.encode(text)) == text
        assert decode_huffman(b"") == b""


class TestMemo:
    """The decoder's memo of whole blocks."""

    def test_repeated_block_is_found(self) -> None:
        """The same octets give the same objects without a second decode."""
        decoder, oracle = Decoder(BlockCache()), OracleEncoder()
        oracle.encode(list(REQUEST))
        decoder.decode(OracleEncoder().encode(list(REQUEST)))
        repeated = oracle.encode(list(REQUEST))
        first = decoder.decode(repeated)
        assert decoder.decode(repeated) is first
        assert (decoder.hits, decoder.misses) == (1, 2)

    def test_insertion_ends_the_memo(self) -> None:
        """Octets that mean something else after an insertion are decoded anew."""
        decoder = Decoder(BlockCache())
        decoder.decode(literal(b"a", b"old", 0x40))
        assert fields_of(decoder, b"\xbe") == ((b"a", b"old"),)
        decoder.decode(literal(b"a", b"new", 0x40))
        assert fields_of(decoder, b"\xbe") == ((b"a", b"new"),)

    def test_size_update_ends_the_memo(self) -> None:
        """After a size update that evicts, a memoised reference is gone."""
        decoder = Decoder(BlockCache())
        decoder.decode(literal(b"a", b"b", 0x40))
        decoder.decode(b"\xbe")
        decoder.decode(b"\x20\x88")
        with pytest.raises(ConnectionFault):
            decoder.decode(b"\xbe")

    def test_bounded(self) -> None:
        """Ten thousand distinct blocks leave at most 128 in the memo."""
        decoder = Decoder(BlockCache())
        for number in range(10_000):
            decoder.decode(literal(b"te", b"%d" % number))
        before = decoder.misses
        for number in range(10_000):
            decoder.decode(literal(b"te", b"%d" % number))
        assert decoder.misses - before > 9_800


class TestSkeletons:
    """The decoder's memo of the references in blocks whose literals differ."""

    REFERENCES = b"\x83\x86\x84"
    FIELDS = ((b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/"))

    def test_only_literals_are_decoded(self) -> None:
        """Blocks that differ in their literals share one block object, wherever the literals stand."""
        decoder = Decoder(BlockCache())
        first = decoder.decode(self.REFERENCES + literal(b"traceparent", b"1"))
        second = decoder.decode(self.REFERENCES + literal(b"traceparent", b"2"))
        third = decoder.decode(
            b"\x83" + literal(b"x-id", b"3") + b"\x86\x84" + literal(b"grpc-timeout", b"4S")
        )
        assert second.block is first.block and third.block is first.block
        assert second.extra == ((b"traceparent", b"2"),)
        assert third.extra == ((b"x-id", b"3"), (b"grpc-timeout", b"4S"))
        assert (first.first_extra, second.first_extra, third.first_extra) == (3, 3, 1)
        assert (decoder.misses, decoder.skeleton_hits) == (1, 2)

    def test_standard_literals_belong_to_the_block(self) -> None:
        """A literal that is a stable field makes another block."""
        decoder = Decoder(BlockCache())
        decoder.decode(self.REFERENCES + literal(b"traceparent", b"1"))
        other = decoder.decode(self.REFERENCES + literal(b"te", b"trailers") + literal(b"traceparent", b"1"))
        assert other.block.fields == (*self.FIELDS, (b"te", b"trailers"))
        again = decoder.decode(self.REFERENCES + literal(b"traceparent", b"2"))
        assert again.block.fields == self.FIELDS

    def test_one_name_in_both_parts(self) -> None:
        """A literal whose name the references carry as well takes both out of the block."""
        decoder = Decoder(BlockCache())
        decoder.decode(literal(b"x-a", b"indexed", 0x40))
        decoder.decode(b"\x83\xbe")
        mixed = decoder.decode(b"\x83\xbe" + literal(b"x-a", b"literal"))
        assert mixed.block.fields == ((b":method", b"POST"),)
        assert mixed.extra == ((b"x-a", b"indexed"), (b"x-a", b"literal"))

    def test_indexed_volatile_fields(self) -> None:
        """References that stand for per-call fields make no skeleton."""
        decoder = Decoder(BlockCache())
        decoder.decode(literal(b"authorization", b"t", 0x40))
        for number in range(3):
            mixed = decoder.decode(b"\x83\xbe" + literal(b"te", b"trailers") + literal(b"x", b"%d" % number))
            assert mixed.block.fields == ((b":method", b"POST"), (b"te", b"trailers"))
            assert mixed.extra == ((b"authorization", b"t"), (b"x", b"%d" % number))
        plain = decoder.decode(b"\x83\xbe" + literal(b"x", b"last"))
        assert plain.block.fields == ((b":method", b"POST"),)

    def test_insertion_ends_the_memo(self) -> None:
        """After an insertion the same references may mean other fields."""
        decoder = Decoder(BlockCache())
        for value in (b"old", b"new"):
            decoder.decode(literal(b"x-a", value, 0x40))
            for number in range(2):
                decoded = decoder.decode(b"\xbe" + literal(b"traceparent", b"%d" % number))
                assert decoded.block.fields == ((b"x-a", value),)

    def test_limits_hold(self) -> None:
        """Literals behind a known skeleton are charged like all others."""
        decoder = Decoder(BlockCache(), header_count=5)
        decoder.decode(self.REFERENCES + literal(b"x", b"0"))
        assert not decoder.decode(self.REFERENCES + literal(b"x", b"1") * 2).too_large
        assert decoder.decode(self.REFERENCES + literal(b"x", b"1") * 3).too_large
        sized = Decoder(BlockCache(), header_list_bytes=200)
        sized.decode(self.REFERENCES + literal(b"x", b"0"))
        assert not sized.decode(self.REFERENCES + literal(b"x", b"1" * 43)).too_large
        assert sized.decode(self.REFERENCES + literal(b"x", b"1" * 44)).too_large


class TestEncoder:
    """What our encoder may put into a table shared by many clients."""

    def test_second_encoding_is_all_references(self) -> None:
        """Once its fields are in the table a block costs one octet a field, and comes from the memo."""
        encoder = Encoder()
        block = HeaderBlock(REQUEST)
        encoder.encode(block, ())
        second = encoder.encode(block, ())
        assert len(second) == len(REQUEST)
        assert encoder.encode(block, ()) is second

    def test_extra_fields_are_never_indexed(self) -> None:
        """Per-call fields are never-indexed literals behind the block."""
        encoder, oracle = Encoder(), OracleDecoder()
        block = HeaderBlock(TRAILERS)
        encoder.encode(block, ())
        plain = encoder.encode(block, ())
        data = encoder.encode(block, ((b"x-token", b"secret"), (b"authorization", b"s" * 300)))
        assert data.startswith(plain + b"\x10\x07x-token\x06secret\x1f\x08")
        OracleDecoder().decode(b"")
        oracle.decode(Encoder().encode(block, ()))
        assert list(oracle.decode(data, raw=True))[2] == (b"authorization", b"s" * 300)

    def test_freely_chosen_values_are_not_indexed(self) -> None:
        """Names outside the list, unprintable and long values never enter the dynamic table."""
        encoder = Encoder()
        block = HeaderBlock(((b"x-any", b"1"), (b":path", b"/\xff"), (b"user-agent", b"u" * 300)))
        assert encoder.encode(block, ()) == encoder.encode(block, ())
        assert len(encoder.encode(block, ())) > 300

    def test_never_evicts(self) -> None:
        """A thousand paths fill the table and no more; the oracle's table never shrinks and agrees
        throughout.
        """
        encoder, oracle = Encoder(), OracleDecoder()
        for number in range(1000):
            for _ in range(2):
                block = HeaderBlock(((b":path", b"/s/%d" % number), (b"te", b"trailers")))
                assert oracle.decode(encoder.encode(block, ()), raw=True) == list(block.fields)
            assert oracle.header_table._current_size <= 4096
        assert len(encoder.encode(HeaderBlock(((b":path", b"/s/0"),)), ())) <= 2

    @pytest.mark.parametrize("sizes", [(0,), (100,), (0, 4096), (100, 200), (65536,), (0, 65536)])
    def test_peer_shrinks_the_table(self, sizes: tuple[int, ...]) -> None:
        """A new table size empties ours, is announced in the next block, and everything decodes after it."""
        encoder, oracle = Encoder(), OracleDecoder()
        blocks = [HeaderBlock(REQUEST), HeaderBlock(RESPONSE), HeaderBlock(TRAILERS)]
        for block in blocks * 2:
            oracle.decode(encoder.encode(block, ()))
        for size in sizes:
            encoder.set_peer_table_size(size)
            oracle.max_allowed_table_size = size
        for block in blocks * 3:
            assert oracle.decode(encoder.encode(block, ()), raw=True) == list(block.fields)
        assert oracle.header_table_size <= min(sizes[-1], 4096)

    def test_bounded(self) -> None:
        """Blocks that come once do not pile up in the memo."""
        encoder = Encoder()
        for number in range(5000):
            encoder.encode(HeaderBlock(((b"x-n", b"%d" % number),)), ((b"x-%d" % number, b"1"),))
        assert len(encoder._blocks) <= 1024 and len(encoder._names) <= 256
