"""Every store, one suite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seawall_control.store.memory import MemoryStore
from seawall_control.store.port import Store
from seawall_control.store.postgres import open_store as open_postgres
from seawall_control.store.sqlite import open_store
from tests.kit.postgres import PostgresServer


@pytest.fixture
async def url(postgres_server: PostgresServer) -> str:
    """The URL of an empty database."""
    return postgres_server.url_of(await postgres_server.new_database())


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store of each kind."""
    found: Store
    if request.param == "memory":
        found = MemoryStore()
    elif request.param == "sqlite":
        found = await open_store(tmp_path / "store")
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        found = await open_postgres(server.url_of(await server.new_database()))
    yield found
    await found.aclose()
