"""The store in one SQLite file: one writer with group commit, readers that never write."""

from __future__ import annotations

from seawall_control.store.sqlite.store import SqliteStore, open_store

__all__ = ["SqliteStore", "open_store"]
