"""The keys of the store in use: made at the first start, held against what the store knows, changed."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from seawall_control.domain.audit import TOPIC
from seawall_control.domain.errors import PreconditionFailed
from seawall_control.domain.records import DocumentConflict, Put
from seawall_control.services.authority import utc
from seawall_control.services.edge import Clock
from seawall_control.services.keyring import MAX_KEYS, Key, Keyring, KeysUnusable
from seawall_control.store.port import RecordStore

LOOK_EVERY_S: Final = 2.0
KIND: Final = "key"
FIRST: Final = "first"
"""Name of the document that says which key was the store's first: of two control planes that start on a new
store at once, one makes it.
"""

_log = logging.getLogger("seawall.control")

Reseal = Callable[[], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that the store knows, or the file holds."""

    name: str
    is_current: bool
    is_here: bool
    """Whether the file has it."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """What became of a change of keys."""

    name: str
    resealed: int
    """Documents whose secrets are sealed with the new key now."""


class StoreKeys:
    """Looks after the keys. `reseal` seals all secrets with the current key, and returns of how many
    documents.
    """

    def __init__(self, store: RecordStore, keys: Keyring, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._changing = asyncio.Lock()
        self.keys = keys

    async def begin(self, reseal: Reseal) -> None:
        """Make the first key, or see that those of the file are the store's; then see that all secrets are
        sealed with the current one.
        """
        known = await self._known()
        if known:
            self._compare(known)
        elif not self.keys.exists:
            await self._first(FIRST)
        elif self.keys.current is not None:
            # The file was put here first, or the store is a new one.
            await self._register(self.keys.current, FIRST)
        await self._all_sealed(reseal)

    async def _all_sealed(self, reseal: Reseal) -> None:
        if self.keys.problem:
            _log.error(
                "the keys of the store are not here: %s. Secrets of alert channels cannot be used, and "
                "entries of the audit are not sealed, until the file is restored (or copied from another "
                "control plane of this store). Nothing is lost; `seawall keys rotate --accept-loss` begins "
                "anew without it",
                self.keys.problem,
            )
        elif resealed := await reseal():
            _log.info("secrets of %d documents were sealed with the current key", resealed)

    async def _known(self) -> dict[str, str]:
        found = await self._store.documents(KIND, limit=2 * MAX_KEYS)
        return {d.name: str(_body(d.body).get("check", "")) for d in found if d.name != FIRST}

    def _compare(self, known: Mapping[str, str]) -> None:
        if not self.keys.exists:
            names = ", ".join(sorted(known)[:5])
            self.keys.problem = f"there is no {self.keys.path}, and the store was written with key {names}"
            return
        wrong = {
            name
            for name in self.keys.names
            if name in known and (key := self.keys.key(name)) is not None and key.check != known[name]
        }
        if wrong:
            self.keys.reject(
                frozenset(wrong),
                f"key {min(wrong)} of {self.keys.path} is not the one that the store knows by this name",
            )
        elif self.keys.names and not known.keys() & set(self.keys.names):
            self.keys.reject(
                frozenset(self.keys.names),
                f"{self.keys.path} is of another store; this one was written with key {min(known)}",
            )

    async def _first(self, marker: str) -> Key:
        key = self.keys.made(utc(self._clock.now_us()))
        newest = await self._store.entries(TOPIC, limit=1)
        try:
            # Kept before it is used, so that nothing is ever sealed with a key that a crash takes along.
            self.keys.keep(key, current=True, sealed_from=newest[0].number + 1 if newest else 1)
        except (OSError, KeysUnusable) as error:
            self.keys.problem = f"the key file {self.keys.path} cannot be written ({error})"
            return key
        await self._register(key, marker)
        return key

    async def _register(self, key: Key, marker: str = "") -> None:
        puts = [Put(KIND, key.name, json.dumps({"check": key.check}), expected=0)]
        if marker:
            puts.append(Put(KIND, marker, json.dumps({"key": key.name}), expected=0))
        try:
            await self._store.commit(puts, at_us=self._clock.now_us())
        except DocumentConflict:
            self._compare(await self._known())

    async def run(self, reseal: Reseal) -> None:
        """Take up a file that was restored, copied here or given another key, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self.keys.has_changed:
                async with self._changing:
                    self.keys.load()
                    self._compare(await self._known())
                    await self._all_sealed(reseal)

    # ------------------------------------------------------------------------------------------ for operators

    async def known(self) -> list[KnownKey]:
        """Return the keys by name."""
        names = sorted({*await self._known(), *self.keys.names})
        current = self.keys.current
        return [
            KnownKey(name, current is not None and name == current.name, self.keys.key(name) is not None)
            for name in names
        ]

    async def rotate(self, reseal: Reseal, *, prepare_only: bool, accept_loss: bool) -> Rotated:
        """Add a key, make the newest one current, and seal all secrets with it. Raise `PreconditionFailed`.

        `prepare_only` leaves the current one: the file can then be copied to the other control planes before
        anything is sealed with a key that they do not have. The next rotation takes the prepared key.
        """
        async with self._changing:
            self.keys.load()
            if self.keys.problem and not accept_loss:
                raise PreconditionFailed(
                    f"{self.keys.problem}; restore the file, or say that what was sealed with the lost key "
                    "may stay unreadable (--accept-loss)"
                )
            try:
                return await self._rotate(reseal, prepare_only=prepare_only)
            except (OSError, KeysUnusable) as error:
                raise PreconditionFailed(
                    f"the key file {self.keys.path} cannot be written: {error}"
                ) from error

    async def _rotate(self, reseal: Reseal, *, prepare_only: bool) -> Rotated:
        current = self.keys.current
        prepared = self.keys.names[-1] if self.keys.names else ""
        if current is None:
            self.keys.put_aside()
            key = await self._first("")
        elif prepared != current.name and not prepare_only:
            self.keys.use(prepared)
            key = self.keys.key(prepared) or current
        else:
            key = self.keys.made(utc(self._clock.now_us()))
            self.keys.keep(key, current=not prepare_only)
            await self._register(key)
        if prepare_only:
            return Rotated(key.name, 0)
        return Rotated(key.name, await reseal())


def _body(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
