"""The split of a header list into a shared block and the fields of one call."""

from __future__ import annotations

import pytest

from seawall_proxy.http2.headers import BlockCache, Field, HeaderBlock
from seawall_proxy.http2.hpack.decoder import Decoder
from tests.unit.http2.wire import REQUEST, literal, server

INDEXED, PLAIN, NEVER = 0x40, 0x00, 0x10


def split(*coded: tuple[bytes, bytes, int]) -> tuple[tuple[Field, ...], tuple[Field, ...]]:
    """Decode literals of the given kinds; return stable and extra fields."""
    decoded = Decoder(BlockCache()).decode(b"".join(literal(*one) for one in coded))
    return decoded.block.fields, decoded.extra


@pytest.mark.parametrize("kind", [INDEXED, PLAIN, NEVER])
def test_volatile_names_are_extra(kind: int) -> None:
    """Names known to differ on each call are extra, however they were coded."""
    for name in (b"grpc-timeout", b"traceparent", b"authorization", b"x-request-id", b"content-length"):
        assert split((name, b"1", kind)) == ((), ((name, b"1"),))


@pytest.mark.parametrize("kind", [INDEXED, PLAIN, NEVER])
def test_standard_names_are_stable(kind: int) -> None:
    """Pseudo-header fields and the standard fields are stable, however they were coded."""
    for name in (
        b":path",
        b":status",
        b"content-type",
        b"te",
        b"user-agent",
        b"grpc-status",
        b"grpc-encoding",
    ):
        assert split((name, b"1", kind)) == (((name, b"1"),), ())


def test_other_names_follow_their_coding() -> None:
    """An unknown name is stable if its sender let it be indexed, extra if not."""
    assert split((b"x-a", b"1", INDEXED), (b"x-b", b"2", PLAIN), (b"x-c", b"3", NEVER)) == (
        ((b"x-a", b"1"),),
        ((b"x-b", b"2"), (b"x-c", b"3")),
    )


def test_one_name_is_never_in_both() -> None:
    """Values of one name stay together and in order, whatever order their codings came in."""
    assert split(
        (b"x-a", b"1", INDEXED), (b"x-b", b"b", INDEXED), (b"x-a", b"2", PLAIN), (b"x-a", b"3", INDEXED)
    ) == (
        ((b"x-b", b"b"),),
        ((b"x-a", b"1"), (b"x-a", b"2"), (b"x-a", b"3")),
    )


def test_long_message_is_extra() -> None:
    """A grpc-message up to 64 octets is stable, a longer one extra, two of them stay together."""
    short, long = b"m" * 64, b"m" * 65
    assert split((b"grpc-message", short, PLAIN)) == (((b"grpc-message", short),), ())
    assert split((b"grpc-message", long, INDEXED)) == ((), ((b"grpc-message", long),))
    assert split((b"grpc-message", short, PLAIN), (b"grpc-message", long, PLAIN)) == (
        (),
        ((b"grpc-message", short), (b"grpc-message", long)),
    )


def test_blocks_are_shared_between_connections() -> None:
    """Two connections with one cache get the same block for the same stable fields."""
    cache = BlockCache()
    first, second = Decoder(cache), Decoder(cache)
    a = first.decode(literal(b":path", b"/a") + literal(b"grpc-timeout", b"1S"))
    b = second.decode(literal(b":path", b"/a") + literal(b"grpc-timeout", b"2S"))
    assert a.block is b.block and a.extra != b.extra


def test_same_call_same_block() -> None:
    """Requests that differ in their timeout only come with one block object."""
    peer = server()
    blocks: list[HeaderBlock] = []
    for number in range(3):
        peer.send(peer.headers(2 * number + 1, (*REQUEST, (b"grpc-timeout", b"%dS" % number))))
    blocks = [block for block in peer.cache._blocks.values() if block.fields == REQUEST]
    assert len(blocks) == 1
    assert [entry[2][-1] for entry in peer.recorder.names("request")] == [  # type: ignore[index]
        (b"grpc-timeout", b"%dS" % number) for number in range(3)
    ]


class TestBlockCache:
    """The bounds of the shared cache."""

    def test_entries(self) -> None:
        """It is emptied when full, and blocks handed out before keep living."""
        cache = BlockCache(max_entries=2)
        kept = [cache.intern(((b"a", b"%d" % number),)) for number in range(3)]
        assert len(cache) == 1 and cache.clears == 1
        assert kept[0].fields == ((b"a", b"0"),)
        assert cache.intern(((b"a", b"0"),)) is not kept[0]

    def test_bytes(self) -> None:
        """Its size is counted as RFC 9113 counts header lists."""
        cache = BlockCache(max_bytes=100)
        assert cache.intern(((b"name", b"value"),)).size == 41
        cache.intern(((b"name", b"other"),))
        assert cache.size_bytes == 82
        cache.intern(((b"name", b"third"),))
        assert cache.size_bytes == 41

    def test_large_blocks_are_not_kept(self) -> None:
        """A block above 4 KiB is one of a kind."""
        cache = BlockCache()
        large = ((b"x", b"v" * 5000),)
        assert cache.intern(large) is not cache.intern(large)
        assert len(cache) == 0
