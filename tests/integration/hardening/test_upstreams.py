"""Upstreams that mean harm: the floods of Envoy's suite in the other direction, T19 and T28 in responses.
Their own calls fail with a mapped status; everything else goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import grpc
import pytest

from tests.integration.hardening.evil_upstream import EvilUpstream
from tests.integration.hardening.ground import Ground
from tests.integration.hardening.wire import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    PRIORITY,
    SETTINGS,
    block,
    frame,
    literal,
    setting,
    window,
)
from tests.kit.processes import PATIENCE_S, wait_until
from tests.kit.rpc import unary_unary

pytestmark = pytest.mark.integration

OK = block((":status", "200"), ("content-type", "application/grpc"))
STATUS_OK = block(("grpc-status", "0"))
UNAVAILABLE, INTERNAL = {"UNAVAILABLE"}, {"INTERNAL"}
CALM = {"RESOURCE_EXHAUSTED"}
Answer = Callable[[int], bytes]


def headers(n: int, payload: bytes = OK, flags: int = END_HEADERS) -> bytes:
    """Return response headers."""
    return frame(HEADERS, flags, n, payload)


FLOODS: list[tuple[str, str, Answer, set[str]]] = [
    ("pings", "control_frames", lambda _: frame(PING, 0, 0, bytes(8)) * 5000, UNAVAILABLE),
    ("ping answers", "glitches", lambda _: frame(PING, ACK, 0, bytes(8)) * 5000, UNAVAILABLE),
    ("SETTINGS", "control_frames", lambda _: frame(SETTINGS, 0, 0) * 5000, UNAVAILABLE),
    (
        "SETTINGS entries",
        "settings_entries",
        lambda _: frame(SETTINGS, 0, 0, setting(9, 1) * 50),
        UNAVAILABLE,
    ),
    ("WINDOW_UPDATE", "glitches", lambda _: window(0, 1) * 5000, UNAVAILABLE),
    ("PRIORITY", "glitches", lambda n: frame(PRIORITY, 0, n, b"\0\0\0\0\x01") * 5000, UNAVAILABLE),
    ("empty DATA", "glitches", lambda n: headers(n) + frame(DATA, 0, n) * 5000, UNAVAILABLE),
    ("unknown frames", "glitches", lambda _: frame(0x77, 0, 0) * 5000, UNAVAILABLE),
    (
        "CONTINUATION",
        "continuation_frames",
        lambda n: frame(HEADERS, 0, n, b"\x88") + frame(CONTINUATION, 0, n) * 5000,
        UNAVAILABLE,
    ),
    (
        "interim responses",
        "interim_responses",
        lambda n: headers(n, block((":status", "103"))) * 200,
        CALM,
    ),
    (
        "header list of 40 KB",
        "header_list",
        lambda n: (
            frame(HEADERS, 0, n, OK + literal(b"x", b"y" * 15000))
            + frame(CONTINUATION, 0, n, literal(b"x", b"y" * 15000))
            + frame(CONTINUATION, END_HEADERS, n, literal(b"x", b"y" * 10000))
        ),
        CALM,
    ),
]

BAD_ANSWERS: list[tuple[str, Answer, set[str]]] = [
    ("name of length 0", lambda n: headers(n, OK + b"\0\0\x01x"), INTERNAL),
    ("empty header block", lambda n: headers(n, b""), INTERNAL),
    ("LF in a value", lambda n: headers(n, OK + literal(b"x", b"a\nb")), INTERNAL),
    ("upper case", lambda n: headers(n, OK + literal(b"X", b"a")), INTERNAL),
    ("transfer-encoding", lambda n: headers(n, OK + literal(b"transfer-encoding", b"chunked")), INTERNAL),
    ("two statuses", lambda n: headers(n, b"\x88\x88"), INTERNAL),
    (
        "pseudo-header in trailers",
        lambda n: headers(n) + headers(n, b"\x88", END_HEADERS | END_STREAM),
        INTERNAL,
    ),
    ("second headers without an end", lambda n: headers(n) + headers(n, STATUS_OK), INTERNAL),
    (
        "LF in trailers",
        lambda n: headers(n) + headers(n, STATUS_OK + literal(b"x", b"\n"), END_HEADERS | END_STREAM),
        INTERNAL,
    ),
    ("DATA before headers", lambda n: frame(DATA, END_STREAM, n, b"x"), INTERNAL),
]


class Den:
    """A ground whose proxy also knows hostile upstreams."""

    def __init__(self, folder, answers: dict[str, EvilUpstream]) -> None:  # type: ignore[no-untyped-def]
        self.evils = answers
        self.ground = Ground(
            folder,
            {
                "clusters": [{"name": name, "endpoints": [evil.address]} for name, evil in answers.items()],
                "policies": {},
                "routes": [
                    {"name": name, "match": {"service": name}, "cluster": name, "policy": "p"}
                    for name in answers
                ],
            },
        )

    def call(self, name: str, timeout: float = PATIENCE_S) -> str:
        """Return the name of the status of one call."""
        with grpc.insecure_channel(self.ground.main) as channel:
            try:
                call: Callable[..., bytes] = channel.unary_unary(f"/{name}/Unary")
                call(b"hello", timeout=timeout)
            except grpc.RpcError as error:
                return str(error.code().name)
        return "OK"


@pytest.fixture(scope="module")
def den(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Den]:
    """Give a proxy with one hostile upstream for each case."""
    everything = [(name, answer) for name, _, answer, _ in FLOODS] + [
        (name, answer) for name, answer, _ in BAD_ANSWERS
    ]
    evils = {f"e{number}": EvilUpstream(answer) for number, (_, answer) in enumerate(everything)}
    evils["mute"] = EvilUpstream(lambda _: b"", setting(3, 1000))
    made = Den(tmp_path_factory.mktemp("upstreams"), evils)
    try:
        yield made
    finally:
        made.ground.close()
        for evil in evils.values():
            evil.close()


def test_floods_from_upstreams(den: Den) -> None:
    """Each flood ends that upstream's connection or stream, is counted for the endpoints' side, and no other
    call notices.
    """
    for number, (name, limit, _, statuses) in enumerate(FLOODS):
        with den.ground.attack(f"upstream: {name}") as tally, den.ground.tripping(limit, side="endpoint"):
            den.ground.proxy.wait_for_endpoints(f"e{number}", 1)
            assert den.call(f"e{number}") in statuses, name
            tally.sent_bytes += den.evils[f"e{number}"].sent
            # A stream's error is counted with its connection: end that.
            den.evils[f"e{number}"].close()
    den.ground.assert_calm()


def test_bad_answers_of_upstreams(den: Den) -> None:
    """A malformed answer costs its own call alone: the upstream's connection goes on."""
    with den.ground.attack(f"upstream: {len(BAD_ANSWERS)} malformed answers") as tally:
        for number, (name, _, statuses) in enumerate(BAD_ANSWERS, start=len(FLOODS)):
            evil = den.evils[f"e{number}"]
            den.ground.proxy.wait_for_endpoints(f"e{number}", 1)
            assert den.call(f"e{number}") in statuses, name
            assert den.call(f"e{number}") in statuses, name
            if statuses == INTERNAL:
                assert evil.connections == 1, name
            tally.sent_bytes += evil.sent
    den.ground.assert_calm()


def test_our_own_storm_of_resets(den: Den) -> None:
    """80 streams that a vanished client leaves behind are reset at once: that trips no limit of ours, and the
    upstream's connection goes on (Envoy: RstStreamStormOnDownstreamClose).
    """
    mute = den.evils["mute"]

    async def scenario() -> None:
        channel = grpc.aio.insecure_channel(den.ground.main)
        call = unary_unary(channel, "/mute/Unary")
        calls = [call(b"x", timeout=600) for _ in range(80)]
        await asyncio.to_thread(wait_until, lambda: mute.requests == 80, "all are there")
        await channel.close()
        await asyncio.gather(*calls, return_exceptions=True)

    with den.ground.attack("upstream: 80 streams closed at once") as tally:
        asyncio.run(scenario())
        wait_until(lambda: mute.resets == 80, "all are taken back")
        tally.sent_bytes += 80 * 60
    assert mute.connections == 1
    assert den.ground.trips("stream_errors", "endpoint") == 0
    den.ground.assert_calm()
