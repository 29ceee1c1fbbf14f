"""Who waits for a place, and who is next.

More important classes go first. Within a class it is first come, first served, until somebody has been
waiting all the time for `STANDING_S`: a queue that never empties makes every call late, so from then on the
newest is served first, whose caller has the most time left (Facebook's adaptive LIFO with CoDel's test, in
*Fail at Scale*, ACM Queue 2015). Where the calls have tenants, it is chosen first whose turn it is (`fair`),
and then among that tenant's calls. A call leaves early when the time that is left to it is shorter than calls
take at work: it would take a place and be of no use.

Deadlines are in a heap, so everything is O(log n). A call that has left stays in the heap until it comes up,
or until the heap is twice as long as the queue.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from math import inf
from typing import Final

from seawall_policy.limit.fair import Lines
from seawall_policy.limit.options import CLASSES
from seawall_policy.limit.place import GONE, WAITING, Chain, Place, Tenant

STANDING_S: Final = 0.1
"""A queue that has not been empty for so long is a standing one (CoDel's interval)."""
_LEAST_HEAP: Final = 64


class Queue:
    """The calls that wait, by class. Who leaves is told to nobody: the caller of a method does that."""

    def __init__(self) -> None:
        self.length: int = 0
        self.filled_since: float = inf
        """Since when somebody has been waiting without a break; infinity while nobody waits."""
        self._chains: list[Chain] = [Chain() for _ in range(CLASSES)]
        self._lines: list[Lines] = [Lines() for _ in range(CLASSES)]
        """The calls that have a tenant."""
        self._deadlines: list[tuple[float, int, Place]] = []
        self._joined: int = 0

    def is_standing(self, now: float) -> bool:
        """Tell whether calls have been waiting for so long that the newest go first."""
        return now - self.filled_since >= STANDING_S

    def join(self, place: Place, now: float) -> None:
        """Let a call wait."""
        if self.length == 0:
            self.filled_since = now
        place.state = WAITING
        place.since = now
        self.length += 1
        self._chains[place.criticality].append(place)
        if place.tenant is not None:
            self._lines[place.criticality].join(place.tenant, place)
        if place.deadline < inf:
            self._joined += 1
            heap = self._deadlines
            heappush(heap, (place.deadline, self._joined, place))
            if len(heap) > _LEAST_HEAP and len(heap) > 2 * self.length:
                self._sweep()

    def leave(self, place: Place) -> None:
        """Take out a call that waits."""
        place.state = GONE
        self._chains[place.criticality].remove(place)
        if place.tenant is not None:
            self._lines[place.criticality].leave(place.tenant, place)
        self.length -= 1
        if self.length == 0:
            self.filled_since = inf

    def waiting(self, criticality: int) -> int:
        """Return how many of a class wait."""
        return self._chains[criticality].length

    def most_important(self) -> int:
        """Return the most important class that waits; CLASSES when nobody does."""
        for criticality in range(CLASSES):
            if self._chains[criticality].length > 0:
                return criticality
        return CLASSES

    def next_of(self, criticality: int, now: float) -> Place | None:
        """Return who of a class would be served now."""
        chain = self._chains[criticality]
        if self._is_told(criticality):
            lines = self._lines[criticality]
            tenant = lines.poorest()
            if tenant is not None:
                return lines.first(tenant, newest=self.is_standing(now))
        return chain.newest() if self.is_standing(now) else chain.oldest()

    def _is_told(self, criticality: int) -> bool:
        """Tell whether it is known of all calls of a class whose they are: not after a change of policy."""
        waiting = self._lines[criticality].length
        return waiting > 0 and waiting == self._chains[criticality].length

    def victim(self, criticality: int, now: float, tenant: Tenant | None = None) -> Place | None:
        """Return who has to leave a full queue for a call of class `criticality`; None: nobody.

        A less important one leaves, of the least important class. Of the call's own class one leaves whose
        tenant has more of them waiting than the call's tenant would have; otherwise, while the queue is
        standing, the oldest does, for it has the least hope: its own tenant's if there is one.
        """
        standing = self.is_standing(now)
        for other in range(CLASSES - 1, criticality, -1):
            chain = self._chains[other]
            if chain.length > 0:
                if self._is_told(other):
                    return self._of_longest(self._lines[other], 0, standing)
                return chain.oldest() if standing else chain.newest()
        if tenant is not None and self._is_told(criticality):
            lines = self._lines[criticality]
            own = lines.waiting(tenant)
            place = self._of_longest(lines, own + 1, standing)
            if place is not None:
                return place
            if own > 0 and standing:
                return lines.first(tenant, newest=False)
        return self._chains[criticality].oldest() if standing else None

    def _of_longest(self, lines: Lines, more_than: int, standing: bool) -> Place | None:
        """Return a call of the tenant that has the most of them, if these are more than so many."""
        tenant = lines.longest()
        if tenant is None or lines.waiting(tenant) <= more_than:
            return None
        return lines.first(tenant, newest=not standing)

    def timed_out(self, now: float, timeout_s: float) -> Place | None:
        """Return a call that has waited for `timeout_s`; None when there is none."""
        for chain in self._chains:
            place = chain.oldest()
            if place is not None and place.since + timeout_s <= now:
                return place
        return None

    def hopeless(self, now: float, needs_s: float) -> Place | None:
        """Return a call that has less than `needs_s` left; None when there is none."""
        place = self._first()
        return place if place is not None and place.deadline - needs_s <= now else None

    def next_deadline(self, timeout_s: float, needs_s: float) -> float:
        """Return when the next call has waited too long or has too little left; infinity when none does."""
        at = inf
        for chain in self._chains:
            place = chain.oldest()
            if place is not None:
                at = min(at, place.since + timeout_s)
        first = self._first()
        return at if first is None else min(at, first.deadline - needs_s)

    def _first(self) -> Place | None:
        """Return who of those that wait gives up first."""
        heap = self._deadlines
        while heap:
            place = heap[0][2]
            if place.state == WAITING:
                return place
            heappop(heap)
        return None

    def _sweep(self) -> None:
        kept = [entry for entry in self._deadlines if entry[2].state == WAITING]
        heapify(kept)
        self._deadlines = kept
