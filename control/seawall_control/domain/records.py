"""Two shapes for what operators make and what happened to it: named documents, and journals that only grow.

A document is JSON text under a kind and a name, with a version that grows by one at each change, so that two
people who change it at once are noticed. An entry of a journal is JSON text with a number that grows by one
in its topic, chained to the entry before it: whoever changes or removes one in the middle breaks the chain.
Alert rules, silences, tokens, rollouts, runbooks are documents; audit, alert history, healing history are
journals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeAlias

MAX_BODY_BYTES: Final = 1024 * 1024
"""Longest text of a document or an entry, in UTF-8."""
MAX_NAME_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is stored."""

    kind: str
    name: str
    version: int
    """1 for the first; a name that was deleted and is made again starts over."""
    body: str
    """JSON text."""
    update_time_us: int


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a journal as it is stored."""

    topic: str
    number: int
    """1 for the first of its topic; numbers are never used twice, also after trimming."""
    time_us: int
    body: str
    """JSON text."""
    chain: str
    """`chained` of the entry before it and of this one; hexadecimal."""


@dataclass(frozen=True, slots=True)
class Put:
    """Write a document. `expected` is the version it must have now; 0: it must not exist; None: whatever."""

    kind: str
    name: str
    body: str
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a document; removing what does not exist is no error unless a version is expected."""

    kind: str
    name: str
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Append:
    """Add an entry to a journal."""

    topic: str
    body: str


Change: TypeAlias = Put | Delete | Append


class DocumentConflict(Exception):
    """A document does not have the version that a change expected; nothing was changed.

    Services turn it into the error that their caller understands.
    """

    def __init__(self, kind: str, name: str, expected: int, actual: int) -> None:
        super().__init__(f"{kind} {name} has version {actual}, not {expected}")
        self.kind = kind
        self.name = name
        self.expected = expected
        self.actual = actual
        """0: there is none."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What a list of changes came to, in their order."""

    documents: tuple[Document, ...] = ()
    """One for each Put."""
    entries: tuple[Entry, ...] = ()
    """One for each Append."""


def check(changes: Iterable[Change]) -> None:
    """Raise ValueError for a change that no store takes: too long, or without a name."""
    for change in changes:
        body = "" if isinstance(change, Delete) else change.body
        if len(body.encode()) > MAX_BODY_BYTES:
            raise ValueError(f"a record of {len(body.encode())} bytes; at most {MAX_BODY_BYTES} are kept")
        names = (change.topic,) if isinstance(change, Append) else (change.kind, change.name)
        if any(not 1 <= len(name) <= MAX_NAME_CHARS or "\0" in name for name in names):
            raise ValueError(f"the name of a record has 1 to {MAX_NAME_CHARS} characters and no zero")


def check_expected(change: Put | Delete, actual: int) -> None:
    """Raise `DocumentConflict` unless the document has the version that the change expects."""
    if change.expected is not None and change.expected != actual:
        raise DocumentConflict(change.kind, change.name, change.expected, actual)


def chained(before: str, topic: str, number: int, time_us: int, body: str) -> str:
    """Return the link of an entry: SHA-256 over the link before it and everything that the entry says."""
    text = "\n".join((before, topic, str(number), str(time_us), body))
    return sha256(text.encode()).hexdigest()


def next_entry(last: Entry | None, append: Append, at_us: int) -> Entry:
    """Return the entry that follows the last one of its topic."""
    number = last.number + 1 if last else 1
    link = chained(last.chain if last else "", append.topic, number, at_us, append.body)
    return Entry(append.topic, number, at_us, append.body, link)


def broken_link(entries: Sequence[Entry]) -> Entry | None:
    """Return the first of these entries, oldest first, that does not follow from the one before it.

    The first one is taken as it is unless it is number 1: what was before it may have been trimmed.
    """
    before: Entry | None = None
    for entry in entries:
        if before is not None or entry.number == 1:
            link = chained(
                before.chain if before else "", entry.topic, entry.number, entry.time_us, entry.body
            )
            if link != entry.chain or (before is not None and entry.number != before.number + 1):
                return entry
        before = entry
    return None
