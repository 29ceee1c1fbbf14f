"""Compressed messages go through the proxy octet by octet, with the flag and the encoding that they came
with.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.gaps import COMPRESSED_ANSWERS, COMPRESSED_REQUESTS, gap
from tests.interop.matrix import document
from tests.interop.peers import Setting, run_client, serving, why_not
from tests.interop.python.schema import generate
from tests.interop.wiretap import Call, tapping
from tests.kit.stand import Stand

pytestmark = pytest.mark.integration

PAIRS = [("grpcio", "grpcio"), ("grpcio-aio", "grpcio-aio"), ("grpc-js", "grpcio"), ("grpc-go", "grpc-go")]


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    """Give what the peers share."""
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    generate(stubs)
    return Setting("plaintext", tmp_path, stubs, tmp_path)


def flags(messages: list[list[tuple[int, bytes]]]) -> set[int]:
    """Return the flags that occur."""
    return {flag for each in messages for flag, _ in each}


def tapped(setting: Setting, stand: Stand, client: str, server: str) -> tuple[list[Call], list[Call]]:
    """Run the compressed cases; return the calls before and behind the proxy."""
    cases = [
        case
        for case in COMPRESSED_REQUESTS + COMPRESSED_ANSWERS
        if gap(client, server, case, full=True) is None
    ]
    with serving(setting, server) as upstream, tapping(upstream.address) as behind:
        proxy = stand.proxy(stand.policy(document(behind.address, setting)))
        with tapping(proxy.address) as before:
            lines = run_client(setting, client, {"proxy": before.address}, "short", cases, 60.0)
            assert [line["result"] for line in lines] == ["passed"] * len(cases), lines
            return before.calls(), behind.calls()


@pytest.mark.parametrize(("client", "server"), PAIRS)
def test_compression_is_untouched(setting: Setting, stand: Stand, client: str, server: str) -> None:
    """Flags, octets and encodings are the same on both sides of the proxy, for requests and for answers,
    compressed and plain.
    """
    for peer in (client, server):
        absent = why_not(peer)
        if absent is not None:
            pytest.skip(absent)
    before, behind = tapped(setting, stand, client, server)
    assert before == behind
    assert len(before) >= 6
    assert flags([each.requests for each in before]) == {0, 1}
    assert flags([each.responses for each in before]) == {0, 1}
    assert {each.response_encoding for each in before} >= {"gzip"}
