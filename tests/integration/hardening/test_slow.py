"""Peers that take their time: T13 (windows that stay closed, reading by drops), T14 (saying things by drops),
T18 (connections in numbers), T26 (other protocols on the port).
"""

from __future__ import annotations

import resource
import socket
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.integration.hardening.ground import Ground
from tests.integration.hardening.wire import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    PREFACE,
    SETTINGS,
    Attacker,
    frame,
    request,
    setting,
    window,
)
from tests.kit.processes import PATIENCE_S, wait_until

pytestmark = pytest.mark.integration

LARGE = b"\0\0\x10\0\0" + bytes(1 << 20)
"""One message of 1 MiB."""


def upload(stream_id: int, path: str, message: bytes) -> bytes:
    """Return a request with a body in frames of 16 KiB."""
    out = [frame(HEADERS, END_HEADERS, stream_id, request(path))]
    for at in range(0, len(message), 16384):
        last = at + 16384 >= len(message)
        out.append(frame(DATA, END_STREAM if last else 0, stream_id, message[at : at + 16384]))
    return b"".join(out)


def test_t13_windows_that_stay_closed(ground: Ground) -> None:
    """40 answers of 5 x 40 KB on a connection whose window is 0: what is kept is bounded by the streams'
    windows, and an answer that has ended is given up after a time.
    """
    message = b"\0\0\0\x9c\x40" + bytes(40_000)
    with ground.attack("T13 closed windows") as tally, ground.tripping("response_timeout", times=20):
        attacker = tally.note(Attacker(ground.brisk, settings=setting(4, 0)))
        for n in range(1, 81, 2):
            attacker.send(upload(n, "/evil.Evil/Repeat", message))
            attacker.read(0.02)
        wait_until(lambda: ground.proxy.status()["calls_in_flight"] <= 2, "the proxy has the answers")
        attacker.read(4.0)
    ground.assert_calm()


def test_t13_window_that_opens_by_one(ground: Ground) -> None:
    """A client that opens its window octet by octet gets what it asks for, at no cost that grows."""
    with ground.attack("T13 window of one octet at a time") as tally:
        attacker = tally.note(Attacker(ground.main, settings=setting(4, 0)))
        attacker.send(upload(1, "/evil.Evil/Unary", b"\0\0\0\3\xe8" + bytes(1000)))
        attacker.read_until(HEADERS)
        for _ in range(100):
            attacker.send(window(1, 1))
            _, _, payload = attacker.read_until(DATA)
            assert len(payload) == 1
    ground.assert_calm()


def test_t13_reader_that_stops(ground: Ground) -> None:
    """A client that asks for megabytes and leaves them in the socket is closed once it has not read for a
    time.
    """
    with ground.attack("T13 reader that stops") as tally, ground.tripping("flush_timeout", "memory"):
        attacker = tally.note(Attacker(ground.brisk, receive_bytes=4096, settings=setting(4, 2**31 - 1)))
        attacker.send(window(0, 2**31 - 1 - 65535))
        attacker.raw.settimeout(1)
        for n in range(1, 41, 2):
            if not attacker.send(upload(n, "/evil.Evil/Repeat", b"\0\0\0\xea\x60" + bytes(60_000))):
                break
    ground.assert_calm()


def test_t13_memory_of_one_connection(ground: Ground) -> None:
    """Where a connection may hold 1 MiB, one that holds more gets no new calls, and one that holds four times
    as much is ended.
    """
    message = b"\0\0\0\xea\x60" + bytes(60_000)
    with (
        ground.attack("T13 memory of one connection", max_growth_bytes=48 << 20) as tally,
        ground.tripping("memory"),
    ):
        attacker = tally.note(Attacker(ground.tight, settings=setting(4, 0)))
        for n in range(1, 161, 2):
            if not attacker.send(upload(n, "/evil.Evil/Repeat", message)):
                break
            attacker.read(0.02)
            if attacker.closed:
                break
        attacker.read(1.5)
    ground.assert_calm()


def test_t14_drops(ground: Ground) -> None:
    """Nothing, half a preface, a preface and nothing, no acknowledgement, half a frame, half a header block:
    each is given up in its own time, even when an octet comes now and then.
    """
    hello = PREFACE + frame(SETTINGS, 0, 0) + frame(SETTINGS, 1, 0)
    head = frame(HEADERS, END_HEADERS, 1, request())
    cases = [
        ("preface_timeout", b"", b""),
        ("preface_timeout", PREFACE[:10], PREFACE[10:]),
        ("settings_timeout", PREFACE, frame(SETTINGS, 0, 0)),
        ("settings_ack_timeout", PREFACE + frame(SETTINGS, 0, 0), b""),
        ("frame_timeout", hello + head[:9], head[9:]),
        ("frame_timeout", hello + head[:4], b""),
        ("header_block_timeout", hello + frame(HEADERS, 0, 1, request()), b""),
    ]
    limits = {limit for limit, _, _ in cases}
    before = {limit: ground.trips(limit) for limit in limits}
    with ground.attack("T14 drops") as tally:
        waiting = []
        for limit, begin, drops in cases:
            attacker = tally.note(Attacker(ground.brisk, hello=False))
            attacker.send(begin)
            waiting.append((limit, attacker, list(drops[:-1])))
        end = time.monotonic() + PATIENCE_S
        while waiting:
            assert time.monotonic() < end, [limit for limit, _, _ in waiting]
            for _, attacker, left in waiting:
                if left:
                    attacker.send(bytes([left.pop(0)]))
                attacker.read(0.03)
            waiting = [one for one in waiting if not one[1].closed]
        for limit in limits:
            wanted = before[limit] + sum(1 for case in cases if case[0] == limit)
            wait_until(partial(_has_tripped, ground, limit, wanted), f"{limit} is counted")


def _has_tripped(ground: Ground, limit: str, times: float) -> bool:
    return ground.trips(limit) == times


def test_t14_slow_upload_is_no_attack(ground: Ground) -> None:
    """DATA may come as slowly as it likes: nothing but the call's deadline watches over it."""
    with ground.attack("T14 slow upload") as tally:
        attacker = tally.note(Attacker(ground.brisk))
        attacker.send(frame(HEADERS, END_HEADERS, 1, request("/evil.Evil/Unary")))
        body = frame(DATA, END_STREAM, 1, b"\0\0\0\0\x14" + b"hello" * 4)
        for at in range(0, len(body), 4):
            attacker.send(body[at : at + 4])
            attacker.read(0.45)
        attacker.read_until(DATA)
        assert not attacker.closed


def test_t18_connections_of_one_address(ground: Ground) -> None:
    """Ten connections of one address where ten are allowed; the eleventh is closed, and a place that is left
    is free again.
    """
    with (
        ground.attack("T18 connections of one address") as tally,
        ground.tripping("max_connections_per_address"),
    ):
        open_ones = [tally.note(Attacker(ground.tight)) for _ in range(10)]
        for attacker in open_ones:
            attacker.read_until(SETTINGS)
        late = tally.note(Attacker(ground.tight))
        late.read_to_the_end()
        open_ones[0].close()

        def served() -> bool:
            again = tally.note(Attacker(ground.tight))
            again.read(0.1)
            again.close()
            return not again.closed

        wait_until(served, "the place is free again")


def test_t18_connection_flood(ground: Ground) -> None:
    """500 connections that come and go at once, with and without a word."""
    with ground.attack("T18 500 connections") as tally:
        crowd = [tally.note(Attacker(ground.main, hello=number % 2 == 0)) for number in range(500)]
        wait_until(lambda: ground.proxy.status()["connections"] >= 500, "all are there")
        for attacker in crowd:
            attacker.close()
        wait_until(lambda: ground.proxy.status()["connections"] <= 2, "all are gone")


def test_t18_no_descriptors_left(tmp_path: Path) -> None:
    """With 64 descriptors and 100 connections at once the proxy goes on: those who were there before are
    served, and later comers are once there is room again.
    """
    ground = Ground(tmp_path, env={"SEAWALL_TEST": "1"})
    try:
        pid = ground.proxy.child.process.pid
        had = psutil.Process(pid).num_fds()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (had + 20, had + 20))
        with ground.attack("T18 no descriptors left") as tally:
            crowd = []
            for _ in range(60):
                raw = socket.socket()
                raw.setblocking(False)
                host, _, port = ground.main.rpartition(":")
                raw.connect_ex((host, int(port)))
                crowd.append(raw)
            time.sleep(1.0)
            for raw in crowd:
                raw.close()
            tally.sent_bytes += 60 * 40
        again = Attacker(ground.main)
        again.read_until(SETTINGS)
        again.close()
    finally:
        ground.close()


FOREIGN = [
    ("HTTP/1.1", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    (
        "Upgrade: h2c",
        (
            b"POST /a.B/C HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
        ),
    ),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64)),
    ("nonsense", bytes(range(128, 256)) * 32),
    ("a preface that goes wrong", PREFACE[:20] + b"XX\r\n"),
]


def test_t26_other_protocols(ground: Ground) -> None:
    """What is no HTTP/2 preface closes the connection at once; nothing is upgraded."""
    with ground.attack(f"T26 {len(FOREIGN)} other protocols") as tally:
        for name, data in FOREIGN:
            attacker = tally.note(Attacker(ground.main, hello=False))
            attacker.send(data)
            said = attacker.read_to_the_end()
            assert b"101" not in said[:20], name


def test_t26_preface_in_pieces(ground: Ground) -> None:
    """A preface that comes octet by octet is as good as any."""
    with ground.attack("T26 preface in pieces") as tally:
        attacker = tally.note(Attacker(ground.main, hello=False))
        for octet in PREFACE + frame(SETTINGS, 0, 0) + frame(SETTINGS, 1, 0):
            attacker.send(bytes([octet]))
        attacker.send(frame(PING, 0, 0, b"are you?"))
        attacker.read_until(PING)
