"""Opens the database: which servers will do, and what has to be true before the first acknowledgement.

- PostgreSQL 13 or newer (`pg_xact_status` on 64-bit transaction ids), encoding UTF8, not a standby.
- synchronous_commit: `off` would acknowledge what a crash of the server takes back, so it is turned on for
  our connections; `remote_write`, `remote_apply` and `local` are left as they are. `fsync` and
  `full_page_writes` are the server's; where they are off, every start says what that costs.
- Migrations run one after the other under an advisory lock, each in its own transaction: of several control
  planes that start at once one migrates and the others wait, and a crash leaves a whole step or none.

To add tables, write `migrations/NNNN_name.sql` (the next number; the same number as the SQLite adapter's file
of that name; plain SQL, several statements, no BEGIN), put the outcome into schema.sql, and give text columns
`COLLATE "C"`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import asyncpg
from asyncpg import exceptions as pg

from seawall_control.domain.errors import StoreRefused
from seawall_control.store.migrating import PROGRESS_S, Progress, Step, migrations_in
from seawall_control.store.postgres.errors import said
from seawall_control.store.postgres.target import (
    CONNECT_S,
    PLANS,
    WRITER,
    Connection,
    Target,
    channel,
    lock_class,
)

MIN_VERSION: Final = 13
AREAS: Final = {"migrations": 0, "events": 1, "policies": 2, "fleet": 3, "records": 4, "leader": 5}
"""What is locked: the second half of the advisory locks' keys. Locks are taken in their order."""
_MIGRATE_LIMIT_S: Final = 6 * 3600.0
"""For a migration, and for waiting until another control plane has made it: an index over a hundred million
events takes most of an hour.
"""
_LOCK_LIMIT: Final = "10min"
"""For the lock on a table that others use."""

_log = logging.getLogger("seawall.control.store")


@dataclass(frozen=True, slots=True)
class Server:
    """What a connection leads to."""

    version: str
    lock_class: int
    channel: str


def migrations() -> list[Step]:
    """Return number, name and text of all migrations in order; numbers grow by one from 1."""
    return migrations_in("seawall_control.store.postgres")


async def connect_writer(target: Target) -> tuple[Connection, Server]:
    """Open the writing connection and check what it leads to. Raise `StoreRefused`, or what the driver
    raises.
    """
    db = await target.connect(WRITER)
    try:
        return db, await _checked(db, target)
    except BaseException:
        db.terminate()
        raise


async def _checked(db: Connection, target: Target) -> Server:
    major = db.get_server_version().major
    if major < MIN_VERSION:
        raise StoreRefused(
            f"{target.shown} is PostgreSQL {major}; the store needs {MIN_VERSION} or newer: upgrade it"
        )
    facts = await db.fetchrow(
        "SELECT current_setting('server_version') AS version, "
        "current_setting('server_encoding') AS encoding, current_setting('fsync') AS fsync, "
        "current_setting('full_page_writes') AS pages, "
        "current_setting('synchronous_commit') AS commit, current_schema() AS schema, "
        "pg_is_in_recovery() AS standby"
    )
    if facts is None:
        raise StoreRefused(f"{target.shown} does not answer as PostgreSQL does")
    if facts["standby"]:
        raise StoreRefused(
            f"{target.shown} is a standby and takes no changes; name the primary, or all servers with "
            "?target_session_attrs=read-write"
        )
    if facts["encoding"] != "UTF8":
        raise StoreRefused(
            f"{target.shown} has the encoding {facts['encoding']}; create the database with ENCODING 'UTF8'"
        )
    if facts["schema"] is None:
        raise StoreRefused(f"{target.shown}: no schema of the search_path exists; create one, or set another")
    if facts["commit"] == "off":
        await db.execute("SET synchronous_commit = on")
    for name, value in (("fsync", facts["fsync"]), ("full_page_writes", facts["pages"])):
        if value != "on":
            _log.warning(
                "the database server has %s off: a power cut can take acknowledged events with it, or the "
                "whole database; turn it on",
                name,
                extra={"fields": {"database": target.shown}},
            )
    schema = str(facts["schema"])
    return Server(str(facts["version"]).split()[0], lock_class(schema), channel(schema))


async def schema_number(db: Connection) -> int:
    """Return the number of the last migration; 0 for a database without any."""
    if await db.fetchval("SELECT to_regclass('seawall_migrations')") is None:
        return 0
    found = await db.fetchval("SELECT coalesce(max(number), 0) FROM seawall_migrations")
    return int(found)


def check_known(number: int, target: Target, newest: int) -> None:
    """Raise `StoreRefused` for a schema that this control plane does not know."""
    if number > newest:
        raise StoreRefused(
            f"{target.shown} has schema {number}, this control plane knows schemas up to {newest}: it was "
            "migrated by a newer Seawall. Start that version, or restore a dump from before the upgrade."
        )


async def migrate(db: Connection, server: Server, target: Target) -> None:
    """Bring the schema to the newest number. Raise `StoreRefused` for one that is newer."""
    steps = migrations()
    for number, name, text in steps:
        async with db.transaction():
            await db.execute("SET LOCAL lock_timeout = 0")
            await db.execute(f"SET LOCAL statement_timeout = '{_MIGRATE_LIMIT_S:.0f}s'")
            # A migration may have to look at all rows there are.
            await db.execute("; ".join([f"SET LOCAL {name} = on" for name in PLANS]))
            await db.execute(
                "SELECT pg_advisory_xact_lock($1, $2)",
                server.lock_class,
                AREAS["migrations"],
                timeout=_MIGRATE_LIMIT_S,
            )
            await db.execute(f"SET LOCAL lock_timeout = '{_LOCK_LIMIT}'")
            await db.execute(
                "CREATE TABLE IF NOT EXISTS seawall_migrations (number bigint PRIMARY KEY, "
                "name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
            )
            before = await schema_number(db)
            check_known(before, target, len(steps))
            if number <= before:
                continue
            progress = Progress(name)
            async with _going_on(progress):
                await db.execute(text, timeout=_MIGRATE_LIMIT_S)
            await db.execute("INSERT INTO seawall_migrations (number, name) VALUES ($1, $2)", number, name)
            progress.done()


@contextlib.asynccontextmanager
async def _going_on(progress: Progress) -> AsyncIterator[None]:
    """Let the log say now and then that a migration goes on."""

    async def say() -> None:
        while True:
            await asyncio.sleep(PROGRESS_S)
            progress.going_on()

    saying = asyncio.create_task(say(), name="seawall-store-migration")
    try:
        yield
    finally:
        saying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await saying


def refusal(error: BaseException, target: Target) -> StoreRefused:
    """Return why a database cannot be opened, and what to do, for an error at the start."""
    who = f"user {target.user}" if target.user else "this user"
    if isinstance(error, StoreRefused):
        return error
    if isinstance(error, pg.InvalidPasswordError | pg.InvalidAuthorizationSpecificationError):
        text = f"{target.shown} refuses {who} ({said(error)}); check the URL's user and password"
    elif isinstance(error, pg.InvalidCatalogNameError):
        text = f"there is no database {target.shown}; create it with: createdb --encoding=UTF8 NAME"
    elif isinstance(error, pg.InsufficientPrivilegeError):
        text = (
            f"{who} may not do what the store needs in {target.shown} ({said(error)}); make them the "
            "database's owner, or GRANT CREATE, USAGE ON SCHEMA public"
        )
    elif isinstance(error, pg.TooManyConnectionsError):
        text = f"{target.shown} has no connection left ({said(error)}); raise max_connections or close others"
    elif isinstance(error, TimeoutError):
        text = (
            f"{target.shown} does not answer within {CONNECT_S:g} s; check the host, the port and the network"
        )
    elif isinstance(error, OSError | asyncpg.PostgresConnectionError | pg.OperatorInterventionError):
        text = f"{target.shown} cannot be reached ({said(error)}); is the server running, and the URL right?"
    elif isinstance(error, asyncpg.ClientConfigurationError | ValueError):
        text = f"the store's URL cannot be used: {said(error)}"
    else:
        text = f"{target.shown} cannot be used as a store: {said(error)}"
    return StoreRefused(text)
