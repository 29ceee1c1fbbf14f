"""The runbooks: those that come with Seawall, and those that operators have written or changed.

A runbook of an operator is a document; one with the name of a built-in runbook takes its place until it is
deleted. Edits are told to whoever acts on them at once, and to other control planes by the store.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from seawall_control.domain.errors import (
    FieldProblem,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    StaleEtag,
)
from seawall_control.domain.healing.runbooks import (
    BUILT_IN,
    MAX_RUNBOOKS,
    Runbook,
    of_plain,
    plain,
    problems,
)
from seawall_control.domain.records import Delete, DocumentConflict, Put
from seawall_control.services.edge import Clock
from seawall_control.store.port import RecordStore

KIND: Final = "runbook"

_log = logging.getLogger("seawall.control.healing")


def _stale(name: str, expected: str, actual: int) -> StaleEtag:
    return StaleEtag(f"the runbook {name}", expected, str(actual) if actual else "")


@dataclass(frozen=True, slots=True)
class Kept:
    """A runbook and its version; 0 for a built-in one."""

    runbook: Runbook
    version: int

    @property
    def etag(self) -> str:
        """What a change has to send."""
        return str(self.version)


class Runbooks:
    """All runbooks."""

    def __init__(self, store: RecordStore, clock: Clock, *, changed: Callable[[], None]) -> None:
        """`changed` is called after each change, once it is durable."""
        self._store = store
        self._clock = clock
        self._changed = changed
        self._kept: dict[str, Kept] = {}

    async def load(self) -> None:
        """Read what the store has; also when another control plane has changed it."""
        kept: dict[str, Kept] = {}
        for document in await self._store.documents(KIND, limit=MAX_RUNBOOKS):
            try:
                kept[document.name] = Kept(of_plain(json.loads(document.body)), document.version)
            except (ValueError, KeyError, TypeError) as error:
                _log.warning(
                    "a runbook cannot be read and is left out",
                    extra={"fields": {"runbook": document.name, "error": str(error)}},
                )
        self._kept = kept
        self._changed()

    def values(self) -> tuple[Runbook, ...]:
        """Return all runbooks by name."""
        found = {runbook.name: runbook for runbook in BUILT_IN}
        found.update({name: kept.runbook for name, kept in self._kept.items()})
        return tuple(found[name] for name in sorted(found))

    def all(self) -> list[Kept]:
        """Return all runbooks by name, with their versions."""
        return [self._kept.get(runbook.name, Kept(runbook, 0)) for runbook in self.values()]

    def get(self, name: str) -> Kept:
        """Return a runbook. Raise `NotFound`."""
        for kept in self.all():
            if kept.runbook.name == name:
                return kept
        raise NotFound(f"there is no runbook {name[:64]!r}; `seawall heal runbooks` lists them")

    async def put(self, runbook: Runbook, *, etag: str = "", validate_only: bool = False) -> Kept:
        """Make or change a runbook. Raise `InvalidRequest` with every field that is wrong, `StaleEtag`."""
        found = problems(runbook)
        if found:
            wrong = [FieldProblem(f"runbook.{field}", message) for field, message in found]
            raise InvalidRequest.of(wrong, "nothing was changed")
        if runbook.name not in self._kept and len(self._kept) >= MAX_RUNBOOKS:
            raise PreconditionFailed(f"there are {MAX_RUNBOOKS} runbooks already; delete one first")
        expected = self._expected(runbook.name, etag)
        if validate_only:
            return Kept(runbook, expected or 0)
        body = json.dumps(plain(runbook), ensure_ascii=False)
        try:
            made = await self._store.commit(
                [Put(KIND, runbook.name, body, expected)], at_us=self._clock.now_us()
            )
        except DocumentConflict as error:
            raise _stale(error.name, str(error.expected), error.actual) from None
        self._kept[runbook.name] = Kept(runbook, made.documents[0].version)
        self._changed()
        return self._kept[runbook.name]

    def _expected(self, name: str, etag: str) -> int | None:
        if not etag:
            return None
        actual = self._kept[name].version if name in self._kept else 0
        if etag != str(actual):
            raise _stale(name, etag, actual)
        return actual

    async def delete(self, name: str, *, etag: str = "") -> None:
        """Delete a runbook; a built-in one comes back as it was. Raise `NotFound`, `PreconditionFailed`,
        `StaleEtag`.
        """
        self.get(name)
        if name not in self._kept:
            raise PreconditionFailed(f"{name} is built in; switch it off with mode off instead")
        expected = self._expected(name, etag)
        try:
            await self._store.commit([Delete(KIND, name, expected)], at_us=self._clock.now_us())
        except DocumentConflict as error:
            raise _stale(error.name, str(error.expected), error.actual) from None
        self._kept.pop(name, None)
        self._changed()
