"""The record of rollouts: a document for each, and a journal of what happened to them."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Final

from seawall_control.domain.errors import ChangedElsewhere
from seawall_control.domain.records import Append, Change, DocumentConflict, Put
from seawall_control.domain.rollout import codec
from seawall_control.domain.rollout.codec import KIND, TOPIC, Saved
from seawall_control.domain.rollout.machine import Rollout
from seawall_control.services.edge import Clock
from seawall_control.store.port import RecordStore

KEEP: Final = 100
"""Finished rollouts that a set keeps."""
JOURNAL_KEEP: Final = 10_000
_PAGE: Final = 100

_log = logging.getLogger("seawall.control.rollouts")


class RolloutBook:
    """Writes and reads the documents."""

    def __init__(self, store: RecordStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._written: dict[str, int] = {}
        """When this process last wrote each rollout that is under way."""

    async def keep(self, saved: Saved, what: str = "", *, actor: str = "") -> None:
        """Make a rollout durable, and note in the journal `what` happened, if anything did.

        Raise `ChangedElsewhere` where another control plane has written it since this one did: what was said
        there (to pause, to go back) must not be undone by what is known here. An end is written in any case:
        it has happened.
        """
        now_us = self._clock.now_us()
        rollout = replace(saved.rollout, update_time_us=now_us)
        # What was counted is of no use once it is over; the findings say what it came to.
        saved = Saved(rollout) if rollout.state.is_final else replace(saved, rollout=rollout)
        name = codec.document_name(rollout.policy_set, rollout.revision)
        version = None if rollout.state.is_final else await self._version(name)
        changes: list[Change] = [Put(KIND, name, codec.encoded(saved), expected=version)]
        if what:
            changes.append(Append(TOPIC, codec.entry(rollout, what, actor=actor)))
        try:
            await self._store.commit(changes, at_us=now_us)
        except DocumentConflict:
            raise self._changed_elsewhere(name) from None
        if rollout.state.is_final:
            self._written.pop(name, None)
        else:
            self._written[name] = now_us

    async def _version(self, name: str) -> int:
        """Return the version of a rollout that may be written over; 0 when there is none."""
        document = await self._store.document(KIND, name)
        if document is None:
            return 0
        written = self._written.get(name)
        saved = _decoded(name, document.body)
        if written is not None and saved is not None and saved.rollout.update_time_us != written:
            raise self._changed_elsewhere(name)
        return document.version

    def _changed_elsewhere(self, name: str) -> ChangedElsewhere:
        # Once, so that it is taken in meanwhile; a rollout must not stand still for good.
        self._written.pop(name, None)
        return ChangedElsewhere(
            f"rollout {name} was changed at another control plane at this moment; look at it and try again"
        )

    def took(self, rollout: Rollout) -> None:
        """Note that this process knows a rollout as another one wrote it."""
        self._written[codec.document_name(rollout.policy_set, rollout.revision)] = rollout.update_time_us

    def is_own(self, rollout: Rollout) -> bool:
        """Tell whether a rollout as it was read is as this process wrote it."""
        name = codec.document_name(rollout.policy_set, rollout.revision)
        return self._written.get(name) == rollout.update_time_us

    async def find(self, rollout: Rollout) -> Rollout | None:
        """Return a rollout as it is stored now; None when it is not."""
        name = codec.document_name(rollout.policy_set, rollout.revision)
        document = await self._store.document(KIND, name)
        saved = None if document is None else _decoded(name, document.body)
        return None if saved is None else saved.rollout

    async def unfinished(self) -> list[Saved]:
        """Return all rollouts that are under way, by set and revision."""
        found: list[Saved] = []
        after = ""
        while page := await self._store.documents(KIND, after=after, limit=_PAGE):
            for document in page:
                saved = _decoded(document.name, document.body)
                if saved is not None and not saved.rollout.state.is_final:
                    found.append(saved)
            after = page[-1].name
        return found

    async def of_set(self, policy_set: str) -> list[Rollout]:
        """Return the rollouts of a set, newest first."""
        found: list[Rollout] = []
        after = codec.document_name(policy_set, 0)
        last = codec.document_name(policy_set, codec.MAX_REVISION)
        while page := await self._store.documents(KIND, after=after, limit=_PAGE):
            for document in page:
                if document.name > last:
                    return found[::-1]
                saved = _decoded(document.name, document.body)
                # Names of sets may hold a slash: another set's may lie in between.
                if saved is not None and saved.rollout.policy_set == policy_set:
                    found.append(saved.rollout)
            after = page[-1].name
        return found[::-1]

    async def forget_old(self, policy_set: str) -> None:
        """Delete the oldest finished rollouts beyond those that a set keeps, and trim the journal."""
        finished = [rollout for rollout in await self.of_set(policy_set) if rollout.state.is_final]
        now_us = self._clock.now_us()
        if old := finished[KEEP:]:
            await self._store.commit([codec.deletion(rollout) for rollout in old], at_us=now_us)
        await self._store.trim(TOPIC, keep=JOURNAL_KEEP, before_us=now_us)


def _decoded(name: str, body: str) -> Saved | None:
    try:
        return codec.decoded(body)
    except ValueError as error:
        _log.warning(
            "a rollout's document cannot be read and is left alone",
            extra={"fields": {"document": name, "error": str(error)}},
        )
        return None
