"""Following the message framing of a request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall_proxy.call.message_meter import FITS, MALFORMED, TOO_LARGE, MessageMeter

LIMIT = 10


def judge(body: bytes, cuts: list[int]) -> int:
    """Feed a body cut at these places; return the first verdict that is not FITS."""
    meter = MessageMeter(LIMIT)
    places = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    verdict = FITS
    for number in range(len(places) - 1):
        verdict = meter.feed(body[places[number] : places[number + 1]], number == len(places) - 2)
        if verdict != FITS:
            break
    return verdict


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (b"", FITS),
        (b"\0\0\0\0\0", FITS),
        (b"\1\0\0\0\x0a" + bytes(10), FITS),
        (b"\0\0\0\0\x01a" * 50, FITS),
        (b"\0\0\0\0\x0b" + bytes(11), TOO_LARGE),
        (b"\0\0\0\0\x01a\0\xff\xff\xff\xff", TOO_LARGE),
        (b"\2\0\0\0\1a", MALFORMED),
        (b"\0\0\0\0\1a\xff", MALFORMED),
        (b"\0\0\0", MALFORMED),
        (b"\0\0\0\0\5abc", MALFORMED),
    ],
)
@given(cuts=st.lists(st.integers(0, 400), max_size=8))
def test_wherever_it_is_cut(body: bytes, verdict: int, cuts: list[int]) -> None:
    """DATA frames mean nothing: the verdict is the same wherever the body is cut."""
    assert judge(body, cuts) == verdict


def test_judged_by_the_prefix() -> None:
    """A message that is too large is seen before it is here."""
    assert MessageMeter(LIMIT).feed(b"\0\0\0\0\x0b", False) == TOO_LARGE
