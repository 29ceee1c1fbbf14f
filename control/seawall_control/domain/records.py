"""Two shapes for what operators make and what happened to it: named documents, and journals that only grow.

A document is JSON text under a kind and a name, with a version that grows by one at each change, so that two
people who change it at once are noticed. An entry of a journal is JSON text with a number that grows by one
in its topic, chained to the entry before it: whoever changes or removes one in the middle breaks the chain.
Alert rules, silences, tokens, rollouts, runbooks are documents; audit, alert history, healing history are
journals.

A journal may be sealed: its links are then made with a key that is not in the store, so that whoever can
write to the store and does not have the key can not make a link that holds.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Protocol, TypeAlias

MAX_BODY_BYTES: Final = 1024 * 1024
"""Longest text of a document or an entry, in UTF-8."""
MAX_NAME_CHARS: Final = 200


Facts: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values, none of them secret."""


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
    facts: Facts = ()
    """What the audit says of it beside its name and hashes."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a document; removing what does not exist is no error unless a version is expected."""

    kind: str
    name: str
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Seal:
    """A key for the links of a journal, and the name by which a link says that it was made with it."""

    name: str
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Append:
    """Add an entry to a journal."""

    topic: str
    body: str
    seal: Seal | None = None
    """None: the link takes no key."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Write a document that is not there yet. One that says the same may be there; any other is a conflict.

    Unlike a Put that expects none it may be said again by each of several transactions of one call.
    """

    kind: str
    name: str
    body: str


Change: TypeAlias = Put | Delete | Append | Claim


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
class Touched:
    """Something that a transaction changed, as the audit names it."""

    what: str
    """Such as `alert-rule/burn` or `policy_set/default`."""
    before: str = ""
    """Hash of what was there; empty: nothing was, or it has none."""
    after: str = ""
    """Hash of what is there now; empty: nothing is, or it has none."""
    facts: Facts = ()
    many: int = 0
    """How many events it stands for, where a call may change more of them in other transactions; 0: it stands
    for itself.
    """


@dataclass(frozen=True, slots=True)
class Committed:
    """What a list of changes came to, in their order."""

    documents: tuple[Document, ...] = ()
    """One for each Put."""
    entries: tuple[Entry, ...] = ()
    """One for each Append."""
    touched: tuple[Touched, ...] = ()
    """What is different now: one for each change that made a difference."""


def check(changes: Iterable[Change]) -> None:
    """Raise ValueError for a change that no store takes: too long, or without a name."""
    for change in changes:
        body = "" if isinstance(change, Delete) else change.body
        if len(body.encode()) > MAX_BODY_BYTES:
            raise ValueError(f"a record of {len(body.encode())} bytes; at most {MAX_BODY_BYTES} are kept")
        names = (change.topic,) if isinstance(change, Append) else (change.kind, change.name)
        if any(not 1 <= len(name) <= MAX_NAME_CHARS or "\0" in name for name in names):
            raise ValueError(f"the name of a record has 1 to {MAX_NAME_CHARS} characters and no zero")


def is_claimed(claim: Claim, version: int, before: str | None) -> bool:
    """Tell whether a document that is to be claimed says the same already; `before` is what it says. Raise
    `DocumentConflict` when it says something else.
    """
    if before is not None and before != claim.body:
        raise DocumentConflict(claim.kind, claim.name, 0, version)
    return before is not None


def check_expected(change: Put | Delete, actual: int) -> None:
    """Raise `DocumentConflict` unless the document has the version that the change expects."""
    if change.expected is not None and change.expected != actual:
        raise DocumentConflict(change.kind, change.name, change.expected, actual)


def hash_of(body: str) -> str:
    """Return the hash of a document, as the audit shows it: SHA-256 in hexadecimal."""
    return sha256(body.encode()).hexdigest()


def touched_by(change: Put | Claim | Delete | Entry, before: str | None) -> Touched | None:
    """Return what a change made different; `before` is the body that was there. None: nothing."""
    if isinstance(change, Entry):
        return Touched(f"{change.topic}#{change.number}", "", change.chain)
    name = f"{change.kind}/{change.name}"
    was = "" if before is None else hash_of(before)
    if isinstance(change, Delete):
        return Touched(name, was, "") if was else None
    return Touched(name, was, hash_of(change.body), change.facts if isinstance(change, Put) else ())


def chained(
    before: str, topic: str, number: int, time_us: int, body: str, *, seal: Seal | None = None
) -> str:
    """Return the link of an entry: SHA-256 over the link before it and everything that the entry says, or
    with a seal `NAME:` and the HMAC-SHA-256 of the same.
    """
    text = "\n".join((before, topic, str(number), str(time_us), body)).encode()
    if seal is None:
        return sha256(text).hexdigest()
    return f"{seal.name}:{hmac.digest(seal.key, text, 'sha256').hex()}"


def next_entry(last: Entry | None, append: Append, at_us: int) -> Entry:
    """Return the entry that follows the last one of its topic."""
    number = last.number + 1 if last else 1
    link = chained(last.chain if last else "", append.topic, number, at_us, append.body, seal=append.seal)
    return Entry(append.topic, number, at_us, append.body, link)


class Seals(Protocol):
    """The seals that a journal may have been made with."""

    def named(self, name: str) -> Seal | None:
        """Return a seal; None when there is none of this name."""
        ...

    def is_due(self, number: int) -> bool:
        """Tell whether an entry with this number must be sealed."""
        ...


def broken_link(entries: Sequence[Entry], seals: Seals | None = None) -> Entry | None:
    """Return the first of these entries, oldest first, that does not follow from the one before it, or lacks
    the seal that it must have.

    The first one is not held against what was before it unless it is number 1: that may have been trimmed.
    """
    before: Entry | None = None
    for entry in entries:
        seal = None
        if seals is not None:
            name, colon, _ = entry.chain.partition(":")
            seal = seals.named(name) if colon else None
            if (colon and seal is None) or (not colon and seals.is_due(entry.number)):
                return entry
        if before is not None or entry.number == 1:
            link = chained(
                before.chain if before else "",
                entry.topic,
                entry.number,
                entry.time_us,
                entry.body,
                seal=seal,
            )
            if not hmac.compare_digest(link, entry.chain) or (
                before is not None and entry.number != before.number + 1
            ):
                return entry
        before = entry
    return None
