"""Fixtures of the interoperability tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.stand import Stand


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    """Give a stand whose processes end with the test."""
    made = Stand(tmp_path)
    yield made
    made.close()
