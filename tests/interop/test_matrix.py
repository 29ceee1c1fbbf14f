"""The matrix of Python's libraries in plain text; `make interop` runs all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop import matrix
from tests.interop.peers import PYTHON_PEERS

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_every_case_that_passes_direct_passes_through_the_proxy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python's libraries, grpcio with threads and with asyncio and grpclib, each with each: the proxy changes
    nothing that a client or a server can see.
    """
    results, text = matrix.run(
        tmp_path, scale="short", transports=["plaintext"], clients=PYTHON_PEERS, servers=PYTHON_PEERS
    )
    with capsys.disabled():
        print("\n" + text)
    assert results.wrong() == []
    # Nearly all count: a peer that fell silent would otherwise look like a success.
    assert len(results.passed["direct"] & results.passed["proxy"]) >= 205
