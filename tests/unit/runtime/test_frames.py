"""What the processes of a proxy say to each other, byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall_proxy.runtime import frames
from seawall_proxy.runtime.frames import Frame, FrameError, Kind

HEADS = st.dictionaries(
    st.text(max_size=5), st.one_of(st.integers(-5, 5), st.text(max_size=5), st.booleans())
)


@given(st.integers(0, 255), HEADS, st.binary(max_size=50))
def test_a_frame_comes_back(kind: int, head: frames.Head, body: bytes) -> None:
    """What is decoded is what was encoded."""
    data = frames.encode(Frame(kind, head, body))
    found, head_bytes, body_bytes = frames.read_start(data[: frames.START_BYTES])
    rest = data[frames.START_BYTES :]
    assert len(rest) == head_bytes + body_bytes
    assert frames.decode(found, rest, head_bytes) == (kind, head, body)


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_a_list_of_messages_comes_back(items: list[bytes]) -> None:
    """Empty messages and an empty list included."""
    assert frames.unpack(frames.pack(items)) == items


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=5), st.data())
def test_a_list_that_breaks_off_is_an_error(items: list[bytes], data: st.DataObject) -> None:
    """No byte may be missing, unless a whole message is."""
    body = frames.pack(items)
    whole = {len(frames.pack(items[:count])) for count in range(len(items))}
    cut = data.draw(st.integers(1, len(body) - 1).filter(lambda size: size not in whole))
    with pytest.raises(FrameError):
        frames.unpack(body[:cut])


@pytest.mark.parametrize(
    "start",
    [
        frames._START.pack(6, frames.VERSION + 1, 1, 0),
        frames._START.pack(frames.MAX_FRAME_BYTES + 1, frames.VERSION, 1, 0),
        frames._START.pack(8, frames.VERSION, 1, 3),
        frames._START.pack(0, frames.VERSION, 1, 0),
    ],
)
def test_what_is_no_frame_ends_the_conversation(start: bytes) -> None:
    """Another version, too many bytes, a head longer than the frame, a frame shorter than its start."""
    with pytest.raises(FrameError):
        frames.read_start(start)


def test_a_head_has_to_be_an_object() -> None:
    """A list or broken JSON is no head."""
    for head in (b"[]", b"{", b"\xff"):
        with pytest.raises(FrameError):
            frames.decode(Kind.PULSE, head, len(head))


def test_too_large_a_frame_is_not_sent() -> None:
    """The sender says so, instead of ending the conversation at the other end."""
    with pytest.raises(FrameError, match="at most"):
        frames.encode(Frame(Kind.EVENTS, {}, bytes(frames.MAX_FRAME_BYTES)))


def test_a_head_of_another_release_has_defaults() -> None:
    """Keys that are missing or of another type read as nothing."""
    frame = Frame(Kind.PULSE, {"text": 3, "texts": "x", "number": "y"})
    assert (frame.text("text"), frame.texts("texts"), frame.number("number"), frame.seconds("number")) == (
        "",
        [],
        0,
        0.0,
    )
