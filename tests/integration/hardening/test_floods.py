"""Frames that are legal one by one, in numbers: T4, T12, T15, T16, T17, and the floods of Envoy's suite that
a client can start. Where it matters, the attacker does not read what it provokes.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.hardening.ground import Ground
from tests.integration.hardening.wire import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    HEADERS,
    MESSAGE,
    PING,
    PRIORITY,
    PROTOCOL_ERROR,
    SETTINGS,
    Attacker,
    block,
    frame,
    goaway_code,
    request,
    setting,
    window,
)

pytestmark = pytest.mark.integration

HEAD = request()
CHAT = request("/evil.Evil/Chat")


def requests(head: bytes, count: int, end: int = END_STREAM) -> bytes:
    """Return so many requests in a row."""
    return b"".join(frame(HEADERS, END_HEADERS | end, 2 * n + 1, head) for n in range(count))


def _continuation(piece: bytes, count: int = 10_000) -> bytes:
    return frame(HEADERS, 0, 1, HEAD) + frame(CONTINUATION, 0, 1, piece) * count


def _on_stream(flood: bytes) -> bytes:
    return frame(HEADERS, END_HEADERS, 1, CHAT) + flood


def _priority(ids: range | list[int]) -> bytes:
    return b"".join(frame(PRIORITY, 0, n, b"\0\0\0\0\x01") for n in ids)


def _late_headers() -> bytes:
    return b"".join(
        frame(HEADERS, END_HEADERS | END_STREAM, n, request("/evil.Evil/Silent"))
        + frame(HEADERS, END_HEADERS | END_STREAM, n, HEAD)
        for n in range(1, 4000, 2)
    )


def _nameless() -> bytes:
    return HEAD + b"\x00\x00\x01x"


def _empty_continuation() -> bytes:
    return frame(HEADERS, 0, 1) + frame(CONTINUATION, 0, 1) * 9


FLOODS: list[tuple[str, tuple[str, ...], Callable[[], bytes]]] = [
    ("T4 CONTINUATION, 1 octet", ("continuation_frames",), lambda: _continuation(b"x")),
    (
        "T4 CONTINUATION, 16 KB",
        ("header_block", "continuation_frames"),
        lambda: _continuation(bytes(16384), 300),
    ),
    ("T4 CONTINUATION, empty", ("continuation_frames",), lambda: _continuation(b"")),
    ("T12 pings (CVE-2019-9512)", ("pings", "control_frames"), lambda: frame(PING, 0, 0, bytes(8)) * 20_000),
    ("T12 ping answers", ("glitches",), lambda: frame(PING, ACK, 0, bytes(8)) * 20_000),
    (
        "T12 SETTINGS (CVE-2019-9515)",
        ("control_frames", "queued_replies"),
        lambda: frame(SETTINGS, 0, 0) * 20_000,
    ),
    ("T12 SETTINGS answers", ("glitches",), lambda: frame(SETTINGS, ACK, 0) * 20_000),
    ("T12 empty DATA (CVE-2019-9518)", ("glitches",), lambda: _on_stream(frame(DATA, 0, 1) * 20_000)),
    ("T12 empty DATA, padded", ("glitches",), lambda: _on_stream(frame(DATA, 8, 1, b"\x03\0\0\0") * 20_000)),
    ("T12 PRIORITY, idle streams (CVE-2019-9513)", ("glitches",), lambda: _priority(range(1, 40_001, 2))),
    ("T12 PRIORITY, open stream", ("glitches",), lambda: _on_stream(_priority([1] * 20_000))),
    ("T12 PRIORITY, closed stream", ("glitches",), lambda: requests(HEAD, 1) + _priority([1] * 20_000)),
    ("T15 WINDOW_UPDATE, connection", ("glitches",), lambda: window(0, 1) * 10_000),
    ("T15 WINDOW_UPDATE, stream", ("glitches",), lambda: _on_stream(window(1, 1) * 10_000)),
    ("frames of unknown types", ("glitches",), lambda: frame(0x77, 0, 0, b"x") * 20_000),
    ("HEADERS after the end", ("stream_errors",), _late_headers),
    ("header names of length 0 (CVE-2019-9516)", ("stream_errors",), lambda: requests(_nameless(), 3000)),
    ("empty HEADERS", ("stream_errors",), lambda: requests(b"", 3000)),
    ("empty HEADERS with CONTINUATION", ("continuation_frames",), _empty_continuation),
    (
        "T16 SETTINGS with 1,000 entries",
        ("settings_entries",),
        lambda: frame(SETTINGS, 0, 0, setting(9, 1) * 1000),
    ),
]


@pytest.mark.parametrize(("name", "limits", "flood"), FLOODS, ids=[name for name, _, _ in FLOODS])
def test_a_flood_ends_its_connection(
    ground: Ground, name: str, limits: tuple[str, ...], flood: Callable[[], bytes]
) -> None:
    """The connection ends with ENHANCE_YOUR_CALM, and the limit that did it is counted."""
    data = flood()
    with ground.attack(name) as tally, ground.tripping(*limits):
        attacker = tally.note(Attacker(ground.main))
        attacker.send(data)
        assert goaway_code(attacker.read_to_the_end()) in (ENHANCE_YOUR_CALM, -1)
    ground.assert_calm()


UNREAD: list[tuple[str, bytes]] = [
    ("HTTP error pages", requests(block((":method", "GET"), (":scheme", "http"), (":path", "/")), 120_000)),
    ("rejected paths", requests(request("/bad"), 60_000)),
    ("large echoes", b""),
]


@pytest.mark.parametrize(("name", "flood"), UNREAD, ids=[name for name, _ in UNREAD])
def test_answers_that_nobody_reads(ground: Ground, name: str, flood: bytes) -> None:
    """A client that asks and does not read (Envoy: 404, Data, Headers, Trailers) is closed: by the number of
    frames that wait for it, or because it has not read for too long.
    """
    if not flood:
        body = frame(DATA, END_STREAM, 1, b"\0\0\0\x3f\0" + bytes(16123))
        flood = b"".join(
            frame(HEADERS, END_HEADERS, n, HEAD) + body[:5] + n.to_bytes(4, "big") + body[9:]
            for n in range(1, 2001, 2)
        )
    limits = ("queued_frames", "flush_timeout", "refused_streams", "memory")
    with ground.attack(f"unread: {name}") as tally:
        attacker = tally.note(
            Attacker(ground.brisk, receive_bytes=4096, settings=setting(4, 2**31 - 1) + setting(3, 0))
        )
        attacker.send(window(0, 2**31 - 1 - 65535))
        attacker.raw.settimeout(2)
        with ground.tripping(*limits):
            attacker.send(flood)
        attacker.read_to_the_end()
    ground.assert_calm()


def test_t16_settings_that_flip(ground: Ground) -> None:
    """1,000 changes of the window and of the table with 100 streams open, as many as the budget allows:
    applied, answered, harmless; our compression table stays small whatever the client says.
    """
    flips = b"".join(
        frame(
            SETTINGS,
            0,
            0,
            setting(4, 0 if n % 2 else 2**31 - 1) + setting(1, 2**32 - 1) + setting(5, 2**24 - 1),
        )
        for n in range(800)
    )
    with ground.attack("T16 SETTINGS that flip, 100 streams") as tally:
        attacker = tally.note(Attacker(ground.main))
        attacker.send(requests(CHAT, 100, 0))
        for n in range(1, 200, 2):
            attacker.send(frame(DATA, 0, n, MESSAGE))
        attacker.send(flips)
        attacker.send(frame(PING, 0, 0, b"are you?"))
        attacker.read_until(PING)
    ground.assert_calm()


def test_t16_window_beyond_its_end(ground: Ground) -> None:
    """A window that settings push above 2^31-1 ends the connection with FLOW_CONTROL_ERROR."""
    with ground.attack("T16 window beyond its end") as tally:
        attacker = tally.note(Attacker(ground.main))
        attacker.send(frame(HEADERS, END_HEADERS, 1, CHAT) + window(1, 2**31 - 1 - 65535))
        attacker.send(frame(SETTINGS, 0, 0, setting(4, 70_000)))
        assert goaway_code(attacker.read_to_the_end()) == FLOW_CONTROL_ERROR


def test_t17_stream_ids(ground: Ground) -> None:
    """Even ids, ids used twice or lower than before, and the last possible one."""
    head = frame(HEADERS, END_HEADERS | END_STREAM, 2, HEAD)
    cases = {
        "even": head,
        "lower": frame(HEADERS, END_HEADERS | END_STREAM, 5, HEAD) + frame(HEADERS, END_HEADERS, 3, HEAD),
        "stream 0": frame(HEADERS, END_HEADERS, 0, HEAD),
        "data on idle": frame(DATA, 0, 7, b"x"),
    }
    with ground.attack("T17 stream ids") as tally:
        for case, data in cases.items():
            attacker = tally.note(Attacker(ground.main))
            attacker.send(data)
            assert goaway_code(attacker.read_to_the_end()) == PROTOCOL_ERROR, case
        last = tally.note(Attacker(ground.main))
        last.send(frame(HEADERS, END_HEADERS, 2**31 - 1, HEAD) + frame(DATA, END_STREAM, 2**31 - 1, MESSAGE))
        flags, stream_id, _ = last.read_until(HEADERS)
        assert stream_id == 2**31 - 1 and flags & END_HEADERS
    ground.assert_calm()
