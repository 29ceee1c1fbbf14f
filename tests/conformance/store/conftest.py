"""Both stores, one suite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seawall_control.store.memory import MemoryStore
from seawall_control.store.port import Store
from seawall_control.store.sqlite import open_store


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store of each kind."""
    found: Store = MemoryStore() if request.param == "memory" else await open_store(tmp_path / "store")
    yield found
    await found.aclose()
