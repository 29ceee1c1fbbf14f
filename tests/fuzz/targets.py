"""What is fuzzed: for each target a function that takes any octets and raises only when a rule is broken, and
seeds made by code.

Rules: nothing but the documented exceptions leaves a parser; where there is a naive reference, both agree;
and no input takes more time than `LIMIT_S`, which is generous for what the inputs' size allows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import hpack

from seawall_policy.deadline import MALFORMED, format_grpc_timeout, parse_grpc_timeout
from seawall_proxy.call.message_meter import FITS, TOO_LARGE, MessageMeter
from seawall_proxy.call.message_meter import MALFORMED as BAD_FRAMING
from seawall_proxy.config.lint import lint_text
from seawall_proxy.http2.errors import ConnectionFault
from seawall_proxy.http2.headers import BlockCache
from seawall_proxy.http2.hpack.decoder import Decoder
from tests.property.http2.test_hostile_bytes import feed, transcript
from tests.unit.http2.wire import PREFACE, client, frame, server, setting

MAX_BYTES = 4096
"""Inputs are cut to this: longer ones find nothing that these do not, more slowly."""
LIMIT_S = 2.0

_POLICY = """\
version: v1
listeners: [{name: main, address: "127.0.0.1:8080", limits: {memory: 10MiB, resets: {burst: 5}}}]
clusters:
  - &c {name: shop, endpoints: ["127.0.0.1:50051"], max_in_flight: 10, connect_timeout: 1m30s}
policies:
  standard: {timeout: 2s, retry: {max_attempts: 3, codes: [UNAVAILABLE], budget: {percent: 20%}}}
  child: {extends: standard, fallback: [{when: any, static: {json: {items: [1, null]}}}]}
routes:
  - {name: all, match: {service: a.B, metadata: [{name: x, value: y}]}, cluster: shop, policy: child}
"""
_POLICY_JSON = (
    '{"version": "v1", "clusters": [{"name": "a", "endpoints": ["127.0.0.1:1"]}], '
    '"routes": [{"name": "r", "match": {}, "cluster": "a"}]}'
)
_POLICY_TOML = """\
version = "v1"
[[clusters]]
name = "a"
endpoints = ["127.0.0.1:1"]
[policies.p]
timeout = "2s"
retry = {max_attempts = 3, codes = ["UNAVAILABLE"]}
[[routes]]
name = "r"
match = {service = "a.B"}
cluster = "a"
policy = "p"
"""


@dataclass(frozen=True)
class Target:
    """One thing to fuzz."""

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    words: tuple[bytes, ...] = field(default=())
    """What mutations may insert."""


# ------------------------------------------------------------------------------------------------ frames


def frames_as(is_client: bool) -> Callable[[bytes], None]:
    """Return a function that feeds a connection of this role, in pieces whose size is the first octet."""

    def run(data: bytes) -> None:
        size = (data[0] if data else 0) + 1
        rest = data[1:]
        chunks = [rest[at : at + size] for at in range(0, len(rest), size)]
        opening = [] if is_client else [PREFACE]
        feed([*opening, *chunks], is_client=is_client)

    return run


def frame_seeds(is_client: bool) -> list[bytes]:
    """Return lively conversations, and one frame of each type."""
    talk = transcript(client() if is_client else server())
    hello = frame(4, 0, 0, setting(4, 1000)) + frame(4, 1, 0)
    block = b"\x83\x86\x84\x41\x01a" if not is_client else b"\x88"
    seeds = [b"\xff" + talk, b"\x06" + talk]
    seeds += [b"\xff" + hello + frame(kind, 5, 1, block) for kind in range(11)]
    return seeds


_FRAME_WORDS = tuple(
    [frame(kind, flags, n) for kind in range(10) for flags in (0, 5) for n in (0, 1)]
    + [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", setting(4, 0), setting(1, 2**32 - 1)]
)

# ------------------------------------------------------------------------------------------------ HPACK


def run_hpack(data: bytes) -> None:
    """Decode blocks, each with its length in front; where the oracle takes one too, both read the same."""
    decoder = Decoder(BlockCache(max_entries=8), header_list_bytes=1 << 20, header_count=5000)
    oracle = hpack.Decoder(max_header_list_size=1 << 21)
    oracle.max_allowed_table_size = 4096
    while data:
        size, data = data[0], data[1:]
        block, data = data[:size], data[size:]
        try:
            decoded = decoder.decode(block)
        except ConnectionFault:
            return
        try:
            expected = [(bytes(n), bytes(v)) for n, v in oracle.decode(block, raw=True)]
        except hpack.HPACKError:
            return
        if not decoded.too_large:
            assert sorted([*decoded.block.fields, *decoded.extra]) == sorted(expected), block


def hpack_seeds() -> list[bytes]:
    """Return what an encoder says of a few requests, with its table and without."""
    encoder = hpack.Encoder()
    out = b""
    for n in range(6):
        block = encoder.encode(
            [(":method", "POST"), (":path", f"/a.B/M{n % 2}"), ("x-id", str(n)), ("grpc-timeout", f"{n}S")],
            huffman=n % 2 == 0,
        )
        out += bytes([len(block)]) + block
    return [out, b"\x04\x82\x86\x84\x88", b"\x07\x20\x3f\xe1\x1f\x40\x01a", b"\x05\x00\x01a\x01b"]


# ------------------------------------------------------------------------------------------------ gRPC


def run_framing(data: bytes) -> None:
    """Follow a body cut in pieces; the verdict is that of a reader who has all of it."""
    step = (data[0] if data else 0) % 23 + 1
    body = data[1:]
    meter = MessageMeter(1000)
    verdict = FITS
    pieces = [body[at : at + step] for at in range(0, len(body), step)] or [b""]
    for number, piece in enumerate(pieces):
        verdict = meter.feed(piece, number == len(pieces) - 1)
        if verdict != FITS:
            break
    assert verdict == _naive_verdict(body), body


def _naive_verdict(body: bytes) -> int:
    while body:
        if body[0] > 1:
            return BAD_FRAMING
        if len(body) < 5:
            return BAD_FRAMING
        size = int.from_bytes(body[1:5], "big")
        if size > 1000:
            return TOO_LARGE
        if len(body) < 5 + size:
            return BAD_FRAMING
        body = body[5 + size :]
    return FITS


def framing_seeds() -> list[bytes]:
    """Return messages in a row, and the ways to lie about them."""
    one = b"\0\0\0\0\5hello"
    return [
        b"\x03" + one * 3,
        b"\x00" + one,
        b"\x16\0\0\0\3\xe8" + bytes(1000),
        b"\1\0\0\0\3\xe9",
        b"\5\2\0\0\0\0",
        b"\5\0\0",
    ]


_TIMEOUT = re.compile(rb"[0-9]{1,8}[HMSmun]")
_UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}


def run_timeout(data: bytes) -> None:
    """Read a grpc-timeout; what is forwarded is well formed and never longer."""
    seconds = parse_grpc_timeout(data)
    if _TIMEOUT.fullmatch(data) is None:
        assert seconds == MALFORMED, data
        return
    expected = int(data[:-1]) * _UNITS[data[-1:]]
    assert abs(seconds - expected) <= 1e-9 * max(1.0, expected), data
    forwarded = format_grpc_timeout(seconds)
    assert _TIMEOUT.fullmatch(forwarded) is not None, data
    assert parse_grpc_timeout(forwarded) <= seconds, data


def timeout_seeds() -> list[bytes]:
    """Return timeouts of every unit."""
    return [b"1S", b"99999999H", b"0n", b"250m", b"123456u", b"5M", b"100000000S", b"-1S", b"1 S", b""]


# ------------------------------------------------------------------------------------------- policy files


def policy_as(name: str) -> Callable[[bytes], None]:
    """Return a function that reads, lints and compiles a file of this name."""

    def run(data: bytes) -> None:
        report = lint_text(data.decode("utf-8", "replace"), path=name)
        for finding in (*report.errors, *report.warnings):
            assert finding.violation.message
        if report.ok:
            assert report.snapshot is not None

    return run


_POLICY_WORDS = (
    b"listeners:", b"limits:", b"{", b"}", b"[", b"]", b"&a ", b"*a", b"<<: *a",
    b"!!python/object:os.system ",
    b"? ",
    b"- ", b": ",
    b"|\n ", b"50ms", b"1e999", b".inf", b"0x10", b"0o7", b"1:30", b"no", b"~", b"${",
    b"${env:HOME}",
    b"\xef\xbb\xbf", b"\0", b"\x85", b"\n---\n", b"\n...\n", b"%YAML 1.1\n", b"x-", b"[[routes]]",
    b'"""', b"'", b"\\u0000",
)  # fmt: skip

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target(
            "frames-server", frames_as(is_client=False), lambda: frame_seeds(is_client=False), _FRAME_WORDS
        ),
        Target("frames-client", frames_as(is_client=True), lambda: frame_seeds(is_client=True), _FRAME_WORDS),
        Target(
            "hpack",
            run_hpack,
            hpack_seeds,
            (b"\x82", b"\xbe", b"\x7f", b"\x3f\xe1\x1f", b"\x20", b"\xff\xff\xff\xff\x0f"),
        ),
        Target("grpc-framing", run_framing, framing_seeds, (b"\0\0\0\0\0", b"\1\0\0\0\1x", b"\xff")),
        Target(
            "grpc-timeout",
            run_timeout,
            timeout_seeds,
            tuple(b"HMSmun0123456789+- ".decode("ascii").encode()[i : i + 1] for i in range(19)),
        ),
        Target("policy-yaml", policy_as("p.yaml"), lambda: [_POLICY.encode()], _POLICY_WORDS),
        Target("policy-toml", policy_as("p.toml"), lambda: [_POLICY_TOML.encode()], _POLICY_WORDS),
        Target("policy-json", policy_as("p.json"), lambda: [_POLICY_JSON.encode()], _POLICY_WORDS),
    )
}
