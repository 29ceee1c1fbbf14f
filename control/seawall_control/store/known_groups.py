"""Groups as this process last read or wrote them, so that an event of a known group costs no question.

What a transaction wrote counts once the transaction is committed; when it is not, everything is forgotten and
read again. Whoever changes groups in another way says so with `forget`. Where other processes change groups,
too, a group counts only while the stamp on its row is still ours (`Before.stamps`): all that is done to a
group or to the fingerprints that lead to it writes its row.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

from seawall_control.domain.groups import Group

MOST: Final = 2000
"""Groups that are remembered, those that had events lately."""
MAX_TEXT: Final = 4096
"""A group with more in its last column, after many notes, is read each time: memory stays bounded."""


class Known(NamedTuple):
    """A group, and the text of its last column (group_rows.py)."""

    group: Group
    more: str
    stamp: int = 0
    """Which transaction wrote it, where others write too; 0: one that is not known."""


class KnownGroups:
    """A bounded memory of groups by fingerprint."""

    def __init__(self) -> None:
        self._groups: OrderedDict[str, Known] = OrderedDict()
        self._aliases: dict[str, str] = {}
        self._written: dict[str, Known] = {}

    def of(self, fingerprint: str) -> tuple[str, Known] | None:
        """Return the group of a fingerprint and its id; None when it has to be looked for."""
        group_id = self._aliases.get(fingerprint, fingerprint)
        found = self._written.get(group_id) or self._groups.get(group_id)
        return None if found is None else (group_id, found)

    def learn(self, fingerprint: str, found: Known) -> None:
        """Take in what was read."""
        if len(found.more) > MAX_TEXT:
            return
        group_id = found.group.id
        if fingerprint != group_id:
            self._aliases[fingerprint] = group_id
        self._groups[group_id] = found

    def drop(self, fingerprint: str) -> None:
        """Forget what a fingerprint leads to."""
        self._groups.pop(self._aliases.pop(fingerprint, fingerprint), None)

    def wrote(self, found: Known) -> None:
        """Take in what the transaction that is under way wrote, after everything else in it."""
        self._written[found.group.id] = found

    def settle(self, *, committed: bool, stamp: int = 0) -> None:
        """Take in how the transaction ended, or that part of it was undone; its rows have the stamp."""
        if not committed:
            self.forget()
            return
        for group_id, found in self._written.items():
            self._aliases.pop(group_id, None)
            if len(found.more) > MAX_TEXT:
                self._groups.pop(group_id, None)
                continue
            self._groups[group_id] = Known(found.group, found.more, stamp)
            self._groups.move_to_end(group_id)
        self._written.clear()
        while len(self._groups) > MOST:
            self._groups.popitem(last=False)
        if len(self._aliases) > 2 * MOST:
            self._aliases.clear()

    def forget(self) -> None:
        """Forget everything."""
        self._groups.clear()
        self._aliases.clear()
        self._written.clear()
