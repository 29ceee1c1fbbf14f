"""Documents and journals in dictionaries: the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from seawall_control.domain import records
from seawall_control.domain.records import (
    Append,
    Change,
    Claim,
    Committed,
    Delete,
    Document,
    DocumentConflict,
    Entry,
    Touched,
)
from seawall_control.store import witness as witnesses

T = TypeVar("T")


class MemoryRecords:
    """Implements `RecordStore`."""

    def __init__(self) -> None:
        self._documents: dict[tuple[str, str], Document] = {}
        self._journals: dict[str, list[Entry]] = {}

    async def commit(self, changes: Sequence[Change], *, at_us: int) -> Committed:
        """See `RecordStore.commit`."""
        records.check(changes)
        return self._seen(self._written(changes, at_us))

    def _written(self, changes: Sequence[Change], at_us: int) -> Committed:
        documents = dict(self._documents)
        journals = {topic: list(entries) for topic, entries in self._journals.items()}
        put: list[Document] = []
        appended: list[Entry] = []
        touched: list[Touched | None] = []
        for change in changes:
            if isinstance(change, Append):
                journal = journals.setdefault(change.topic, [])
                journal.append(records.next_entry(journal[-1] if journal else None, change, at_us))
                appended.append(journal[-1])
                touched.append(records.touched_by(journal[-1], None))
                continue
            key = (change.kind, change.name)
            version = documents[key].version if key in documents else 0
            before = documents[key].body if key in documents else None
            if isinstance(change, Claim):
                if records.is_claimed(change, version, before):
                    continue
            else:
                records.check_expected(change, version)
            touched.append(records.touched_by(change, before))
            if isinstance(change, Delete):
                documents.pop(key, None)
            else:
                documents[key] = Document(*key, version + 1, change.body, at_us)
                put.append(documents[key])
        self._documents, self._journals = documents, journals
        return Committed(tuple(put), tuple(appended), tuple(filter(None, touched)))

    def _seen(self, result: T, told: Callable[[T], Sequence[Touched]] = witnesses.touched) -> T:
        """Add the records of a witness, if there is one and the change made a difference; return what it
        returned.
        """
        witness = witnesses.current()
        found = told(result) if witness is not None else ()
        if witness is not None and found:
            try:
                self._written(witness.records(found), witness.now_us())
            except DocumentConflict as conflict:
                raise witness.refused(conflict) from conflict
            witness.durable(found)
        return result

    async def document(self, kind: str, name: str) -> Document | None:
        """See `RecordStore.document`."""
        return self._documents.get((kind, name))

    async def documents(self, kind: str, *, after: str = "", limit: int = 1000) -> Sequence[Document]:
        """See `RecordStore.documents`."""
        return [self._documents[key] for key in sorted(self._documents) if key[0] == kind and key[1] > after][
            :limit
        ]

    async def entries(
        self, topic: str, *, before: int = 0, limit: int = 100, oldest_first: bool = False, after: int = 0
    ) -> Sequence[Entry]:
        """See `RecordStore.entries`."""
        found = [
            e for e in self._journals.get(topic, []) if e.number > after and (not before or e.number < before)
        ]
        return (found if oldest_first else found[::-1])[:limit]

    async def trim(self, topic: str, *, keep: int, before_us: int) -> int:
        """See `RecordStore.trim`."""
        journal = self._journals.get(topic, [])
        kept = max(1, keep)
        newest = journal[-1].number if journal else 0
        left = [e for e in journal if e.time_us >= before_us or e.number > newest - kept]
        self._journals[topic] = left
        return len(journal) - len(left)
