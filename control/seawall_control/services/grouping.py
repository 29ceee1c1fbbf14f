"""The operator's grouping rules: kept as one document, in memory while events come in."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Final

from seawall_control.domain import grouping
from seawall_control.domain.errors import ControlError, InvalidRequest, StaleEtag
from seawall_control.domain.events import Event, Json
from seawall_control.domain.grouping import Rule, Rules
from seawall_control.domain.records import DocumentConflict, Put
from seawall_control.services.edge import Clock
from seawall_control.store.port import RecordStore

KIND: Final = "grouping"
NAME: Final = "rules"

_log = logging.getLogger("seawall.control.events")


def _encoded(rules: Sequence[Rule]) -> str:
    return json.dumps(
        [
            {
                "name": r.name,
                "filter": r.filter,
                "by": list(r.by),
                **({"severity": r.severity} if r.severity else {}),
            }
            for r in rules
        ]
    )


def _decoded(body: str) -> list[Rule]:
    return [
        Rule(one["name"], one["filter"], tuple(one["by"]), one.get("severity", 0)) for one in json.loads(body)
    ]


class Grouping:
    """The rules in force."""

    def __init__(self, store: RecordStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.rules = Rules()
        self.version = 0
        """Of the document; 0: there are no rules yet."""

    async def load(self) -> None:
        """Read the rules, which another control plane on the same store may have changed. Rules that this
        version cannot use are left as they are, and said so in the log.
        """
        document = await self._store.document(KIND, NAME)
        if document is None or document.version == self.version:
            return
        try:
            self.rules = grouping.compiled(_decoded(document.body))
        except (ControlError, ValueError, KeyError, TypeError) as error:
            _log.error("the grouping rules cannot be used", extra={"fields": {"error": str(error)}})
        self.version = document.version

    async def set(
        self,
        rules: Sequence[Rule],
        *,
        etag: str = "",
        allow_empty: bool = False,
        validate_only: bool = False,
    ) -> None:
        """Put other rules in force; they are for events that come from now on. Raise `InvalidRequest` with
        every mistake, or for no rules without `allow_empty`, and `StaleEtag` when they have changed since.
        """
        if not rules and not allow_empty:
            raise InvalidRequest(
                "rules is empty, which takes all rules away; say so with allow_empty (`seawall groups rules "
                "--clear`)"
            )
        usable = grouping.compiled(rules)
        if validate_only:
            return
        expected = int(etag) if etag.isdigit() else None if not etag else -1
        try:
            done = await self._store.commit(
                [Put(KIND, NAME, _encoded(rules), expected)], at_us=self._clock.now_us()
            )
        except DocumentConflict as conflict:
            raise StaleEtag("the list of grouping rules", etag, str(conflict.actual)) from None
        self.rules, self.version = usable, done.documents[0].version

    def grouped(self, event: Event) -> Event:
        """Return the event with the fingerprint and the severity that the rules give it."""
        return grouping.grouped(self.rules, event)

    def why(self, event: Event) -> Mapping[str, Json]:
        """Return what makes an event one of its group."""
        return grouping.why(self.rules, event)
