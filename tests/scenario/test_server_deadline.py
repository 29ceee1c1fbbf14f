"""A server that keeps the deadline which it was told ends the call a moment before the proxy does."""

from __future__ import annotations

import pytest

from seawall_policy import status
from tests.scenario.scenes import CANCEL, LIST, begin, playing, tripping

INTERNAL_ERROR = 0x2


@pytest.mark.parametrize(
    ("at_s", "rst", "code"),
    [
        (0.9995, CANCEL, status.DEADLINE_EXCEEDED),
        (0.9, CANCEL, status.CANCELLED),
        (0.9995, INTERNAL_ERROR, status.INTERNAL),
    ],
)
def test_cancel_at_the_deadline_means_the_deadline(at_s: float, rst: int, code: int) -> None:
    """RST(CANCEL) from a server whose time is up, as grpc-go sends it, is DEADLINE_EXCEEDED; before that
    time, and with any other code, it is what it says.
    """
    with playing() as play:
        call = begin(play, timeout=b"1S")
        play.advance(at_s)
        play.server().last.reset(rst)
        play.forget()
        assert call.seen.status == code


def test_cancel_at_the_deadline_behind_a_part_of_an_answer() -> None:
    """A stream that is cut off by its server's deadline says so in its trailers."""
    with playing() as play:
        call = begin(play, path=LIST, timeout=b"1S")
        play.server().last.headers()
        play.server().last.data(b"part")
        play.advance(0.9995)
        play.server().last.reset(CANCEL)
        play.forget()
        assert call.seen.status == status.DEADLINE_EXCEEDED
        assert bytes(call.seen.data) == b"part"


def test_cancel_without_a_deadline_stays_a_cancel() -> None:
    """Where no deadline was told, none can have passed."""
    with playing() as play:
        call = begin(play)
        play.advance(3600.0)
        play.server().last.reset(CANCEL)
        play.forget()
        assert call.seen.status == status.CANCELLED


def test_the_breaker_learns_of_the_deadline() -> None:
    """A server that hangs opens the breaker, although it is the one that ends each call."""
    with playing(breaker=tripping(2)) as play:
        for _ in range(2):
            begin(play, timeout=b"1S")
            play.advance(0.9995)
            play.server().last.reset(CANCEL)
        rejected = begin(play)
        play.forget()
        assert rejected.seen.status == status.UNAVAILABLE
        assert play.server().count == 2
