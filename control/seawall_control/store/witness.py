"""What is written down of a change in the transaction that makes it.

While a call is served that the audit is to know of, whoever admits it names a witness. Every transaction that
changes something from then on takes records of the witness with it: both are durable, or neither. Nothing on
the way has to pass it on, so nothing on the way can forget it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import singledispatch
from typing import Any, Generic, Protocol, TypeVar

from seawall_control.domain.events import Event
from seawall_control.domain.groups import Group
from seawall_control.domain.records import Change, Committed, DocumentConflict, Touched
from seawall_control.domain.revisions import Applied

C = TypeVar("C")
T = TypeVar("T")


class Witness(Protocol):
    """Says what is written down."""

    @property
    def is_open(self) -> bool:
        """Whether what is changed now still belongs to the call; work that outlives it does not."""
        ...

    def now_us(self) -> int:
        """Return the time of the records."""
        ...

    def records(self, touched: Sequence[Touched]) -> Sequence[Change]:
        """Return what is written with a transaction. Asked again when the transaction is run again."""
        ...

    def refused(self, conflict: DocumentConflict) -> Exception:
        """Return the error with which a transaction ends whose records of the witness cannot be written."""
        ...

    def durable(self, touched: Sequence[Touched]) -> None:
        """Hear that a transaction with records is committed."""
        ...


_current: ContextVar[Witness | None] = ContextVar("seawall_witness", default=None)


@contextmanager
def witnessed(witness: Witness | None) -> Iterator[None]:
    """Have changes of this task, and of those that it starts, witnessed."""
    token = _current.set(witness)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Witness | None:
    """Return who is to write down what is changed now."""
    witness = _current.get()
    return witness if witness is not None and witness.is_open else None


@singledispatch
def touched(result: Any) -> Sequence[Touched]:  # noqa: ARG001 - what others than those below return
    """Return what a change has made different, by what it returns. Upkeep, which nobody calls for, returns
    what says nothing: it is not written down.
    """
    return ()


@touched.register
def _(result: Committed) -> Sequence[Touched]:
    return result.touched


@touched.register
def _(result: Applied) -> Sequence[Touched]:
    if not result.changed or result.repeated:
        return ()
    made = result.revision
    facts = (("revision.revision", str(made.revision)), ("revision.hash", made.hash))
    return (Touched(f"policy_set/{made.policy_set}", result.before, made.hash, facts),)


@touched.register
def _(result: Event) -> Sequence[Touched]:
    return (Touched(f"event/{result.id}"),)


@touched.register
def _(result: Group) -> Sequence[Touched]:
    return (Touched(f"group/{result.id}"),)


def applied(results: Sequence[Applied]) -> Sequence[Touched]:
    """Return the same for policy sets that change together; what the entry says came of it is the first's."""
    found = [one for result in results for one in touched(result)]
    return [*found[:1], *(replace(one, facts=()) for one in found[1:])]


def events(number: int) -> Sequence[Touched]:
    """Return the same for events that were changed or deleted in one go."""
    return (Touched(f"events: {number}", many=number),) if number else ()


class Taken(Generic[C, T]):
    """A change that takes the records of a witness with it."""

    def __init__(
        self,
        work: Callable[[C], Awaitable[T]],
        witness: Witness,
        record: Callable[[C, Sequence[Change], int], Awaitable[None]],
        told: Callable[[T], Sequence[Touched]],
    ) -> None:
        self._work = work
        self._witness = witness
        self._record = record
        self._told = told
        self._found: Sequence[Touched] = ()

    async def work(self, db: C) -> T:
        """Make the change and add the records, if it made a difference."""
        self._found = ()
        result = await self._work(db)
        found = self._told(result)
        if found:
            try:
                await self._record(db, self._witness.records(found), self._witness.now_us())
            except DocumentConflict as conflict:
                raise self._witness.refused(conflict) from conflict
            self._found = found
        return result

    def durable(self) -> None:
        """Hear that the transaction is committed."""
        if self._found:
            self._witness.durable(self._found)
