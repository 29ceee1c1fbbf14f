"""The store in a PostgreSQL database, which several control planes may share."""

from __future__ import annotations

from seawall_control.store.postgres.store import PostgresStore, open_store

__all__ = ["PostgresStore", "open_store"]
