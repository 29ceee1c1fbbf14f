"""The connection that listens: changes that other control planes make, and which of them leads.

Notifications are hints. Each is sent in the transaction of its change and arrives after its commit; while
there is no connection none arrives, so whoever watches is told after each reconnection that anything may have
changed. Leadership is an advisory lock of this connection's session: the server lets go of it when the
session ends, however it ends, and it is asked anew before each piece of work.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable
from typing import Any, Final

from seawall_control.store.port import Elsewhere
from seawall_control.store.postgres import errors
from seawall_control.store.postgres.opening import AREAS, Server
from seawall_control.store.postgres.target import WATCH, Connection, Target
from seawall_control.store.postgres.writer import hang_up

TICK_S: Final = 10.0
"""How often the connection is tried, so that one that died silently is noticed."""
REPLY_S: Final = 5.0
BACKOFF_S: Final = (0.2, 10.0)

_log = logging.getLogger("seawall.control.store")


class Watch:
    """Listens until closed."""

    def __init__(self, target: Target, server: Server, instance: str) -> None:
        self._target = target
        self._server = server
        self._instance = instance
        self._told: list[Callable[[Elsewhere], None]] = []
        self._db: Connection | None = None
        self._leading = False
        self._turn = asyncio.Lock()
        self._lost = asyncio.Event()
        self.size_bytes = 0
        self._task = asyncio.get_running_loop().create_task(self._run(), name="seawall-store-watch")

    def add(self, told: Callable[[Elsewhere], None]) -> None:
        """Call this for changes made elsewhere."""
        self._told.append(told)

    async def leads(self) -> bool:
        """Tell whether this session has the leader's lock, or can take it now. The server is asked."""
        async with self._turn:
            db = self._db
            if db is None or db.is_closed():
                return False
            try:
                if self._leading:
                    await db.fetchval("SELECT 1", timeout=REPLY_S)
                else:
                    self._leading = bool(
                        await db.fetchval(
                            "SELECT pg_try_advisory_lock($1, $2)",
                            self._server.lock_class,
                            AREAS["leader"],
                            timeout=REPLY_S,
                        )
                    )
            except Exception as error:  # noqa: BLE001 - whoever cannot ask does not lead
                self._give_up(error)
                return False
            return self._leading

    async def aclose(self) -> None:
        """Stop listening and give up the lead."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._db is not None:
            await hang_up(self._db)
            self._db = None
        self._leading = False

    # ------------------------------------------------------------------------------------------------- inside

    async def _run(self) -> None:
        low, high = BACKOFF_S
        wait_s = 0.0
        deaf = False
        while True:
            try:
                await self._connect()
                wait_s = 0.0
                if deaf:
                    self._tell(Elsewhere(everything=True))
                deaf = True
                await self._until_lost()
            except Exception as error:  # noqa: BLE001 - tried again until closed
                _log.warning("not listening to changes", extra={"fields": {"error": errors.said(error)}})
            wait_s = min(high, max(low, 2 * wait_s))
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))

    async def _connect(self) -> None:
        self._leading = False
        self._lost.clear()
        db = await self._target.connect(WATCH)
        try:
            db.add_termination_listener(self._ended)
            await db.add_listener(self._server.channel, self._heard)
        except BaseException:
            db.terminate()
            raise
        self._db = db

    async def _until_lost(self) -> None:
        while not self._lost.is_set():
            async with self._turn:
                db = self._db
                if db is None or db.is_closed():
                    return
                try:
                    size = await db.fetchval("SELECT pg_database_size(current_database())", timeout=REPLY_S)
                    self.size_bytes = int(size)
                except Exception as error:  # noqa: BLE001 - a connection that does not answer is replaced
                    self._give_up(error)
                    return
            try:
                async with asyncio.timeout(TICK_S):
                    await self._lost.wait()
            except TimeoutError:
                continue

    def _give_up(self, error: BaseException) -> None:
        _log.warning(
            "the connection that listens to changes is lost", extra={"fields": {"error": errors.said(error)}}
        )
        self._leading = False
        if self._db is not None:
            self._db.terminate()
        self._lost.set()

    def _ended(self, _: Any) -> None:
        self._leading = False
        self._lost.set()

    def _heard(self, _connection: Any, _process: int, _channel: str, payload: object) -> None:
        try:
            said = json.loads(str(payload))
            if said.get("from") == self._instance:
                return
            if "policy_set" in said:
                self._tell(Elsewhere(policy_sets=frozenset({str(said["policy_set"])})))
            elif "kind" in said:
                self._tell(Elsewhere(documents=frozenset({(str(said["kind"]), str(said["name"]))})))
            else:
                self._tell(Elsewhere(everything=True))
        except (ValueError, AttributeError, KeyError):
            # Whoever else may write to the database may say anything on the channel.
            self._tell(Elsewhere(everything=True))

    def _tell(self, what: Elsewhere) -> None:
        for told in self._told:
            try:
                told(what)
            except Exception:  # noqa: BLE001 - listening goes on
                _log.exception("a change made elsewhere was not taken in")
