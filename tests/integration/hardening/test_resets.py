"""Streams that are opened to be taken back: T1 rapid reset, T2 streams above the limit, T3 MadeYouReset."""

from __future__ import annotations

import pytest

from tests.integration.hardening.ground import Ground
from tests.integration.hardening.wire import (
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    HEADERS,
    MESSAGE,
    PRIORITY,
    REFUSED_STREAM,
    Attacker,
    frame,
    goaway_code,
    request,
    reset,
    resets,
    window,
)

pytestmark = pytest.mark.integration

SILENT = request("/apart.Apart/Silent")


def assert_told_off(attacker: Attacker) -> None:
    """Read to the end: the connection was closed with ENHANCE_YOUR_CALM, or in the attacker's face."""
    said = attacker.read_to_the_end()
    assert goaway_code(said) in (ENHANCE_YOUR_CALM, -1)


def test_t1_rapid_reset(ground: Ground) -> None:
    """5,000 streams, each opened and reset at once (CVE-2023-44487): the budget ends the connection, and what
    had begun upstream is taken back.
    """
    with ground.attack("T1 rapid reset") as tally, ground.tripping("resets"):
        attacker = tally.note(Attacker(ground.main))
        attacker.send(
            b"".join(frame(HEADERS, END_HEADERS, n, SILENT) + reset(n) for n in range(1, 10_001, 2))
        )
        assert_told_off(attacker)
    ground.assert_calm()


def test_t1_rapid_reset_of_many_connections(ground: Ground) -> None:
    """The same from twenty connections, each within its burst: upstream work ends with each reset."""
    with ground.attack("T1 rapid reset, 20 connections below the budget") as tally:
        for _ in range(20):
            attacker = tally.note(Attacker(ground.main))
            attacker.send(
                b"".join(frame(HEADERS, END_HEADERS, n, SILENT) + reset(n) for n in range(1, 361, 2))
            )
        ground.assert_calm()


def test_t2_streams_above_the_limit(ground: Ground) -> None:
    """600 streams at once where 100 are allowed: the rest is refused, the 101st refusal ends it."""
    with ground.attack("T2 streams above the limit") as tally, ground.tripping("refused_streams"):
        attacker = tally.note(Attacker(ground.main))
        attacker.send(b"".join(frame(HEADERS, END_HEADERS, n, SILENT) for n in range(1, 1201, 2)))
        said = attacker.read_to_the_end()
        assert goaway_code(said) in (ENHANCE_YOUR_CALM, -1)
        assert set(resets(said).values()) <= {REFUSED_STREAM}
    ground.assert_calm()


@pytest.mark.parametrize(
    ("name", "primitive"),
    [
        ("window update 0", lambda n: window(n, 0)),
        ("window overflow", lambda n: window(n, 2**31 - 1)),
        ("DATA after the end", lambda n: frame(DATA, END_STREAM, n, b"x")),
        ("HEADERS after the end", lambda n: frame(HEADERS, END_HEADERS | END_STREAM, n, b"\x88")),
        ("PRIORITY of 4 octets", lambda n: frame(PRIORITY, 0, n, bytes(4))),
        ("depends on itself", lambda n: frame(PRIORITY, 0, n, n.to_bytes(4, "big") + b"\0")),
    ],
)
def test_t3_made_you_reset(ground: Ground, name: str, primitive) -> None:  # type: ignore[no-untyped-def]
    """Each way to make a server reset a stream (CVE-2025-8671) spends a budget, and what the
    upstream was asked for ends with the stream.
    """
    most = 0
    with ground.attack(f"T3 MadeYouReset: {name}") as tally, ground.tripping("stream_errors", "resets"):
        attacker = tally.note(Attacker(ground.main))
        for first in range(1, 2000, 200):
            data = b"".join(
                frame(HEADERS, END_HEADERS, n, SILENT) + frame(DATA, END_STREAM, n, MESSAGE) + primitive(n)
                for n in range(first, first + 200, 2)
            )
            if not attacker.send(data):
                break
            most = max(most, ground.proxy.status()["clusters"]["apart"]["in_flight"])
        assert_told_off(attacker)
    assert most <= 110
    ground.assert_calm()
