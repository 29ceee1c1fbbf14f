"""What is supposed of the store instead of being asked for: that it still is as this process has left it.

Theory: a question before events are written costs a trip to the server, and nobody works meanwhile. Nearly
always its answer is known: what this process wrote last. So it is supposed, and the statement that writes
what depends on it says as well whether it was so. If not, all is undone and made again with questions. Where
several processes write the same groups, that would be most of the time; so with each mistake there are twice
as many commits that ask before the next one that does not, and with each that was right one fewer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from seawall_control.domain.sequences import Arrivals

MOST: Final = 2000
"""Spools that are remembered, those that sent something lately."""
MAX_WAIT: Final = 512
"""Commits that ask after many mistakes."""

Spool: TypeAlias = tuple[str, str]
"""A proxy and the id of its spool."""


class Supposed(NamedTuple):
    """What has to be so at the moment of writing."""

    spools: Mapping[Spool, Arrivals]
    groups: Mapping[str, int]
    """Stamps of groups by id."""
    buckets: Sequence[tuple[int, int]]
    """Width and start of buckets that have no counts."""


class Suppositions:
    """Remembers spools as they were left, and whether it has paid to suppose."""

    def __init__(self) -> None:
        self._spools: OrderedDict[Spool, Arrivals] = OrderedDict()
        self._written: dict[Spool, Arrivals] = {}
        self._is_open = False
        self._wait = 0
        self._asking = 0

    def __repr__(self) -> str:
        return f"<Suppositions of {len(self._spools)} spools, asking {self._asking} of {self._wait} times>"

    def arrivals(self, spools: Iterable[Spool]) -> Mapping[Spool, Arrivals] | None:
        """Return what has arrived of spools; None when it has to be asked for. Called once in a transaction,
        before it writes of these.
        """
        if self._asking:
            self._asking -= 1
            return None
        found: dict[Spool, Arrivals] = {}
        for spool in spools:
            known = self._spools.get(spool)
            if known is None or spool in self._written:
                return None
            found[spool] = known
        return found

    def suppose(self) -> None:
        """Take in that the transaction that is under way supposes something."""
        self._is_open = True

    def wrote(self, spool: Spool, arrivals: Arrivals) -> None:
        """Take in how the transaction that is under way leaves a spool."""
        self._written[spool] = arrivals

    def settle(self, *, committed: bool) -> None:
        """Take in how the transaction ended, or that part of it was undone."""
        if committed:
            for spool, arrivals in self._written.items():
                self._spools[spool] = arrivals
                self._spools.move_to_end(spool)
            while len(self._spools) > MOST:
                self._spools.popitem(last=False)
            if self._is_open:
                self._wait = max(0, self._wait - 1)
        else:
            self._spools.clear()
            if self._is_open:
                self._wait = self._asking = min(MAX_WAIT, max(1, 2 * self._wait))
        self._written.clear()
        self._is_open = False
