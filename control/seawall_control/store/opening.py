"""Opens the store that the settings name: a file in the data directory, or a database."""

from __future__ import annotations

from pathlib import Path

from seawall_control.domain.errors import StoreRefused
from seawall_control.store import sqlite
from seawall_control.store.port import Store


async def open_store(data_dir: Path, url: str = "") -> Store:
    """Open the database that a URL names, or the file in a directory where there is no URL.

    Raise `StoreRefused` with the reason and the remedy.
    """
    if not url:
        return await sqlite.open_store(data_dir)
    try:
        from seawall_control.store import postgres  # noqa: PLC0415 - an extra that few installations have
    except ImportError as error:
        raise StoreRefused(
            f"a store in PostgreSQL needs more than is installed ({error}): pip install 'seawall[postgres]'"
        ) from error
    return await postgres.open_store(url)
