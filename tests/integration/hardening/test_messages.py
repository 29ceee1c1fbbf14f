"""What calls can be made to cost: T23 (lies about lengths), T29 (retries), T31 (names nobody knows), and
well-meant crowds that look like attacks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import grpc
import pytest

from tests.integration.hardening.ground import Ground
from tests.integration.hardening.wire import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    MESSAGE,
    Attacker,
    frame,
    request,
    resets,
    statuses,
)
from tests.kit.processes import PATIENCE_S, http_get, wait_until
from tests.kit.rpc import stream_stream, unary_stream, unary_unary

pytestmark = pytest.mark.integration

RETRYING = {
    "clusters": [],
    "policies": {
        "retrying": {
            "timeout": "10s",
            "breaker": {"mode": "off"},
            "retry": {
                "max_attempts": 5,
                "only_idempotent": False,
                "backoff": {"initial": "1ms", "max": "5ms"},
                "budget": {"percent": 20, "min_per_second": 1},
            },
        }
    },
    "routes": [
        {"name": "retrying", "match": {"service": "retry.Retry"}, "cluster": "apart", "policy": "retrying"}
    ],
}


@pytest.fixture(scope="module")
def retrying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Give a ground with a route that retries."""
    made = Ground(tmp_path_factory.mktemp("retrying"), RETRYING)
    try:
        yield made
    finally:
        made.close()


LIES = [
    ("2^32-1 octets to come", b"\0\xff\xff\xff\xffxx", "8"),
    ("one octet too many", b"\0\0\x10\0\1", "8"),
    ("a flag of 2", b"\2\0\0\0\1x", "13"),
    ("a flag of 255", b"\xff\0\0\0\1x", "13"),
    ("cut off in the message", b"\0\0\0\0\5hel", "13"),
    ("cut off in the prefix", b"\0\0\0", "13"),
    ("octets behind the message", MESSAGE + b"\0", "13"),
    ("nothing wrong", MESSAGE, "0"),
]


def test_t23_lengths_that_lie(ground: Ground) -> None:
    """Where a listener limits messages, a lying prefix costs its call, not the connection and no memory."""
    with ground.attack(f"T23 {len(LIES)} lengths that lie") as tally:
        attacker = tally.note(Attacker(ground.tight))
        for number, (_, body, _) in enumerate(LIES):
            n = 2 * number + 1
            attacker.send(frame(HEADERS, END_HEADERS, n, request()) + frame(DATA, END_STREAM, n, body))

        def answered() -> bool:
            answers = statuses(attacker.read(0.05))
            return all("grpc-status" in answers.get(2 * n + 1, {}) for n in range(len(LIES)))

        wait_until(answered, "every call is answered")
        answers = statuses(attacker.said)
        for number, (what, _, status) in enumerate(LIES):
            assert answers[2 * number + 1]["grpc-status"] == status, what
    ground.assert_calm()


def test_t23_without_a_limit(ground: Ground) -> None:
    """Where messages are not looked at, a huge declared length takes no memory either: octets pass as they
    come.
    """
    with ground.attack("T23 4 GB declared, not limited", max_growth_bytes=8 << 20) as tally:
        attacker = tally.note(Attacker(ground.main))
        for n in range(1, 101, 2):
            attacker.send(frame(HEADERS, END_HEADERS, n, request("/apart.Apart/Chat")))
            attacker.send(frame(DATA, 0, n, b"\0\xff\xff\xff\xff" + bytes(1000)))
        attacker.read(0.3)
    ground.assert_calm()


def test_t29_retries_do_not_multiply(retrying: Ground) -> None:
    """An upstream that fails every call gets at most a fifth more of them, though each may be tried five
    times.
    """
    before = retrying.metric("seawall_retry_attempts_total", route="retrying")
    calls = 400
    with retrying.attack("T29 400 calls that fail, 5 attempts each") as tally:

        async def storm() -> None:
            async with grpc.aio.insecure_channel(retrying.main) as channel:
                call = unary_unary(channel, "/retry.Retry/Unary")
                done = [call(b"x", metadata=(("fail", "14"),)) for _ in range(calls)]
                results = await asyncio.gather(*done, return_exceptions=True)
            assert all(isinstance(result, grpc.aio.AioRpcError) for result in results)

        asyncio.run(storm())
        tally.sent_bytes += calls * 60
    retries = retrying.metric("seawall_retry_attempts_total", route="retrying") - before
    assert 0 < retries <= 0.2 * calls + 20


def test_t31_names_nobody_knows(ground: Ground) -> None:
    """1,000 calls of as many methods, half of them of paths that are none, make no series that stay."""

    def series() -> int:
        return len(http_get(ground.proxy.admin, "/metrics")[1].splitlines())

    with ground.attack("T31 1,000 method names", max_growth_bytes=24 << 20) as tally:
        attacker = tally.note(Attacker(ground.main))
        attacker.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, request("/bad")))
        attacker.read(0.2)
        before = series()
        for first in range(3, 2003, 100):
            data = b""
            for n in range(first, first + 100, 2):
                path = f"/apart.Apart/M{n}" if n % 4 == 1 else f"/a\x22{{b={n}}}/c/d"
                data += frame(HEADERS, END_HEADERS | END_STREAM, n, request(path))
            attacker.send(data)
            attacker.read(0.01)
        ground.assert_calm()
    assert series() <= before + 100


def test_500_calls_that_end_at_their_deadline(ground: Ground) -> None:
    """A good client whose 500 calls all time out at once keeps its connection, and a call that goes on beside
    them.
    """
    _keeps_its_connection(ground, "500 legitimate timeouts at once", timeout_s=0.15, cancel_s=None)


@pytest.mark.parametrize("cancel_s", [0.1, 0.0])
def test_500_calls_that_are_cancelled(ground: Ground, cancel_s: float) -> None:
    """A good client that cancels 500 calls at once keeps its connection, and a call that goes on beside."""
    _keeps_its_connection(
        ground, f"500 legitimate cancels after {cancel_s:g} s", timeout_s=None, cancel_s=cancel_s
    )


def _keeps_its_connection(ground: Ground, name: str, timeout_s: float | None, cancel_s: float | None) -> None:
    before = sum(ground.trips(limit) for limit in ("resets", "stream_errors", "refused_streams", "glitches"))

    async def scenario() -> None:
        async with grpc.aio.insecure_channel(ground.main) as channel:
            beside = stream_stream(channel, "/good.Good/Chat")()
            await beside.write(b"one")
            assert await beside.read() == b"one"
            call = unary_unary(channel, "/apart.Apart/Silent")
            calls = [call(b"x", timeout=timeout_s or 600) for _ in range(500)]
            if cancel_s is not None:
                await asyncio.sleep(cancel_s)
                for one in calls:
                    one.cancel()
            results = await asyncio.gather(*(one.code() for one in calls))
            expected = grpc.StatusCode.DEADLINE_EXCEEDED if cancel_s is None else grpc.StatusCode.CANCELLED
            assert set(results) == {expected}
            await beside.write(b"two")
            assert await beside.read() == b"two"
            await beside.done_writing()
            assert await beside.code() == grpc.StatusCode.OK

    with ground.attack(name) as tally:
        asyncio.run(scenario())
        tally.sent_bytes += 500 * 60
    assert (
        sum(ground.trips(limit) for limit in ("resets", "stream_errors", "refused_streams", "glitches"))
        == before
    )
    ground.assert_calm()


def test_unread_answers_do_not_block_others(ground: Ground) -> None:
    """64 answers of 512 KB that nobody reads, on the upstream connection that all clients share: a large
    answer of another client comes all the same.
    """
    message = bytes(512 * 1024 // 5)

    async def scenario() -> None:
        async with (
            grpc.aio.insecure_channel(ground.main) as slow,
            grpc.aio.insecure_channel(ground.main) as quick,
        ):
            stuck = [unary_stream(slow, "/evil.Evil/Repeat")(message) for _ in range(64)]
            for one in stuck:
                await one.read()
            total = 0
            async for piece in unary_stream(quick, "/good.Good/Repeat")(bytes(1 << 20), timeout=PATIENCE_S):
                total += len(piece)
            assert total == 5 << 20
            for one in stuck:
                one.cancel()

    with ground.attack("64 unread answers of 512 KB", max_growth_bytes=96 << 20) as tally:
        asyncio.run(scenario())
        tally.sent_bytes += 64 * len(message)
    ground.assert_calm()


def test_keepalive_of_ordinary_clients(ground: Ground) -> None:
    """A gRPC client that pings every second, with and without calls, keeps its connection."""
    options = [
        ("grpc.keepalive_time_ms", 1000),
        ("grpc.keepalive_timeout_ms", 5000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]
    before = ground.trips("pings")

    async def scenario() -> None:
        async with grpc.aio.insecure_channel(ground.main, options=options) as channel:
            stream = stream_stream(channel, "/good.Good/Chat")()
            await stream.write(b"x")
            assert await stream.read() == b"x"
            await asyncio.sleep(3.5)
            await stream.write(b"y")
            assert await stream.read() == b"y"
            await stream.done_writing()
            assert await stream.code() == grpc.StatusCode.OK

    with ground.attack("keepalive every second") as tally:
        asyncio.run(scenario())
        tally.sent_bytes += 100
    assert ground.trips("pings") == before


def test_keepalive_that_a_strict_listener_refuses(ground: Ground) -> None:
    """With gRPC's own policy (5 min, 10 s, 2 strikes) the third early ping ends the connection:
    too_many_pings.
    """
    with ground.attack("pings against 2 strikes") as tally, ground.tripping("pings"):
        attacker = tally.note(Attacker(ground.tight))
        attacker.send(frame(6, 0, 0, bytes(8)) * 4)
        assert b"too_many_pings" in attacker.read_to_the_end()
        assert resets(attacker.said) == {}
