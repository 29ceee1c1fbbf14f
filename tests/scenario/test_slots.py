"""A client never has more than MAX_CONCURRENT_STREAMS calls at work because streams were reset (T1, T3)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from seawall_proxy.call.slots import RELEASE_AFTER_S
from seawall_proxy.http2.limits import Limits
from seawall_proxy.http2.stream import Stream
from seawall_proxy.testing import Playbook
from tests.scenario.scenes import CHAT, GET, plain

MOST = Limits().max_concurrent_streams


def open_calls(play: Playbook, count: int) -> list[int]:
    """Begin calls; return the numbers of their streams."""
    calls = [play.call(CHAT, b"ping", end=False) for _ in range(count)]
    play.forget()
    return [call.seen.stream.id for call in calls if call.seen.stream is not None]


def frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    """Build one frame."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream_id.to_bytes(4, "big") + payload


def our_end(play: Playbook) -> dict[int, Stream]:
    """Return the streams of the client's connection as the proxy has them."""
    return play.world.downstream[-1].table.streams


PROVOCATIONS: list[Callable[[int], bytes]] = [
    lambda number: frame(8, 0, number, bytes(4)),
    lambda number: frame(8, 0, number, (2**31 - 1).to_bytes(4, "big")),
    lambda number: frame(2, 0, number, bytes(4)),
    lambda number: frame(2, 0, number, number.to_bytes(4, "big") + b"\x00"),
    lambda number: frame(1, 4, number, b"\x82"),
    lambda number: frame(3, 0, number, (8).to_bytes(4, "big")),
]


@pytest.mark.parametrize(
    "provoke",
    PROVOCATIONS,
    ids=[
        "zero window",
        "window overflow",
        "short PRIORITY",
        "self-dependency",
        "second HEADERS",
        "RST_STREAM",
    ],
)
def test_reset_calls_keep_their_slots_for_a_moment(provoke: Callable[[int], bytes]) -> None:
    """However a client makes its streams end, as many calls as it may have open reach the backend, and the
    others follow when the moment is over.
    """
    with plain() as play:
        play.client(limits=Limits(assumed_peer_streams=MOST, remembered_resets=4096))
        ids = open_calls(play, MOST)
        assert play.server().count == MOST
        near = play.world.downstream[-1]
        near.receive(b"".join(provoke(number) for number in ids), play.now)
        play.settle()
        assert not our_end(play)
        open_calls(play, MOST)
        assert play.server().count == MOST
        play.advance(RELEASE_AFTER_S / 2)
        assert play.server().count == MOST
        play.advance(RELEASE_AFTER_S)
        assert play.server().count == 2 * MOST
        play.disconnect()
        play.forget()


def test_free_slots_are_taken_at_once() -> None:
    """A client that cancels a few of its calls waits for nothing."""
    with plain() as play:
        for call in [play.call(GET, b"ping") for _ in range(10)]:
            call.cancel()
        assert play.server().count == 10
        for call in [play.call(GET, b"ping") for _ in range(MOST - 10)]:
            assert call.seen.stream is not None
        assert play.server().count == MOST
        waits = play.call(GET, b"late")
        assert play.server().count == MOST
        waits.cancel()
        play.advance(1.0)
        play.forget()
        assert play.server().count == MOST, "what is cancelled while it waits never reaches a backend"
        play.disconnect()
        play.forget()


def test_a_deadline_ends_the_wait() -> None:
    """A call that waits for a slot is ended by its deadline like any other."""
    with plain() as play:
        for call in [play.call(GET, b"ping") for _ in range(MOST)]:
            call.cancel()
        call = play.call(GET, b"late", timeout=b"50m")
        play.advance(0.06)
        play.forget()
        assert call.seen.status == 4
        play.advance(1.0)
        assert play.server().count == MOST


def test_calls_that_end_by_themselves_leave_nothing() -> None:
    """Only resets keep slots: answered calls and a client's own deadline do not."""
    with plain() as play:
        for _ in range(3):
            calls = [play.call(GET, b"ping", timeout=b"100m") for _ in range(MOST)]
            play.server().last.trailers_only(0)
            play.advance(0.0995)
            for call in calls[:-1]:
                call.cancel()
            play.forget()
        assert play.server().count == 3 * MOST
