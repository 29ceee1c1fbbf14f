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
    assert results.trouble == []
    failed = sorted({cell for path in matrix.PATHS for cell in results.failed[path]}, key=repr)
    # All pairs share two cores; what fails there has one more chance with the cores to itself.
    wrong = []
    for number, cell in enumerate(failed):
        (folder := tmp_path / f"alone{number}").mkdir()
        again, _ = matrix.run(
            folder,
            scale="short",
            transports=[cell.transport],
            clients=[cell.client],
            servers=[cell.server],
            cases=[cell.case],
        )
        reasons = [results.failed[path][cell] for path in matrix.PATHS if cell in results.failed[path]]
        with capsys.disabled():
            print(f"repeated alone: {cell}, which had failed: {reasons}; now: {again.wrong() or 'passed'}")
        wrong += again.wrong()
    assert wrong == []
    # Nearly all count: a peer that fell silent would otherwise look like a success.
    assert len(results.passed["direct"] & results.passed["proxy"]) >= 205
