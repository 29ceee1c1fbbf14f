"""The database that a URL names, and the connections to it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg

from seawall_control.domain.errors import StoreRefused

SCHEMES: Final = ("postgresql", "postgres")
CONNECT_S: Final = 10.0
"""How long opening a connection may take."""
READ_LIMIT_S: Final = 5.0
WRITE_LIMIT_S: Final = 30.0
LOCK_LIMIT_S: Final = 10.0
"""How long a change waits for another control plane's."""
IDLE_LIMIT_S: Final = 10.0
"""A control plane that stops in the middle of a transaction, frozen or cut off, blocks others for so long."""
_REPLY_MARGIN_S: Final = 5.0

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Lent: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
"""A connection of a pool."""


def _ms(seconds: float) -> str:
    return str(int(seconds * 1000))


PLANS: Final = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off"}
"""Of the connection that writes: what is changed is found by an index. A plan is kept until its tables are
analysed, and one that was made while they were small would read them whole when they have grown.
"""
_COMMON: Final = {"application_name": "seawall-control"}
WRITER: Final = {
    **_COMMON,
    "statement_timeout": _ms(WRITE_LIMIT_S),
    "lock_timeout": _ms(LOCK_LIMIT_S),
    "idle_in_transaction_session_timeout": _ms(IDLE_LIMIT_S),
    **PLANS,
    # Asked for by the trigger of event_rollups.
    "seawall.event_buckets": "kept",
}
READER: Final = {
    **_COMMON,
    "statement_timeout": _ms(READ_LIMIT_S),
    "default_transaction_read_only": "on",
    # A plan for the values at hand: one for any values takes a page for a tenth of the table.
    "plan_cache_mode": "force_custom_plan",
    # What is asked walks an index. A mistaken estimate must not read millions of rows, nor have the whole
    # server do it, nor compile the question first.
    "enable_seqscan": "off",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
}
WATCH: Final = {**_COMMON, "statement_timeout": _ms(READ_LIMIT_S)}


@dataclass(frozen=True, slots=True)
class Target:
    """A database. Only `url` may hold a password; it is not shown."""

    url: str = field(repr=False)
    shown: str
    """`host:port/database`, for people."""
    user: str

    async def connect(self, settings: dict[str, str]) -> Connection:
        """Open a connection. Raises what the driver raises."""
        found: Connection = await asyncpg.connect(
            self.url,
            timeout=CONNECT_S,
            command_timeout=WRITE_LIMIT_S + _REPLY_MARGIN_S,
            server_settings=settings,
        )
        return found

    async def pool(self, settings: dict[str, str], size: int) -> Pool:
        """Open a pool of up to `size` connections, the first at once. Raises what the driver raises."""
        pool: Pool = await asyncpg.create_pool(
            self.url,
            min_size=1,
            max_size=size,
            timeout=CONNECT_S,
            command_timeout=READ_LIMIT_S + _REPLY_MARGIN_S,
            server_settings=settings,
            reset=_as_it_is,
        )
        return pool


async def _as_it_is(_: object) -> None:
    """Leave a connection that only asks single questions as it is when it is given back: to undo what it may
    have set would be a trip to the server for every question.
    """


def target(url: str) -> Target:
    """Return what a URL names. Raise `StoreRefused` for one that names no PostgreSQL database."""
    try:
        parts = urlsplit(url)
        more: dict[str, Any] = parse_qs(parts.query)
        host = parts.netloc.rpartition("@")[2] or ",".join(more.get("host", ["localhost"]))
    except ValueError:
        raise StoreRefused(
            "the store's URL cannot be read; write postgresql://USER@HOST:5432/DATABASE"
        ) from None
    if parts.scheme not in SCHEMES:
        raise StoreRefused(
            f"the store's URL begins with {parts.scheme[:20] or 'nothing'}://; it has to be "
            "postgresql://USER@HOST:5432/DATABASE. Leave --store out to keep the store in a file."
        )
    user = unquote(parts.username or "") or more.get("user", [""])[0]
    name = unquote(parts.path.lstrip("/")) or more.get("database", more.get("dbname", [user]))[0]
    return Target(url, f"{host}/{name}", user)


def lock_class(schema: str) -> int:
    """Return the first half of the keys of our advisory locks: two stores in one database, in different
    schemas, do not wait for each other.
    """
    return int.from_bytes(hashlib.sha256(f"seawall\0{schema}".encode()).digest()[:4], "big", signed=True)


def channel(schema: str) -> str:
    """Return the name of the channel on which control planes of one store tell each other of changes."""
    return f"seawall_{lock_class(schema) & 0xFFFFFFFF:08x}"
