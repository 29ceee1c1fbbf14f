"""Fixtures of the fault tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.trial import Trial
from tests.kit.stand import Stand


@pytest.fixture
def trial(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Trial]:
    """Give a trial whose processes and links end with the test."""
    stand = Stand(tmp_path)
    made = Trial(stand, request.node.nodeid)
    yield made
    made.close()
    stand.close()
