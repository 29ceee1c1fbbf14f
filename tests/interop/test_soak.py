"""The soak case with servers that die, for a few seconds; `make interop` does it for a minute."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop import soak

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_calls_outlive_their_servers(tmp_path: Path) -> None:
    """While two servers are killed and started again in turn, no call fails."""
    outcome = soak.run(tmp_path, 4.0)
    assert outcome.failures == {}
    assert outcome.restarts >= 2
    assert outcome.calls >= 100
