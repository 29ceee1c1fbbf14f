"""Fair shares: who of those that wait is next when several tenants want the same places.

A tenant is whoever the calls of one key belong to. As long as nobody waits, a tenant may hold as many places
as there are. When calls wait, the next free place goes to the tenant that holds the fewest (max-min fairness
of calls at work; Bertsekas and Gallager, *Data Networks*, section 6.5): one that wants little gets all that
it wants, and those that want more end up with equally many. Among tenants that hold equally many it goes
to the one whose turn was the longest ago. A full queue drops a call of the tenant that has the most in it, if
that is more than the newcomer's own.

Tenants are known while they have calls at work or in the queue, and at most `most` at a time; the calls of
further ones are one tenant's, and so are those without a key.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from seawall_policy.call_key import LONGEST_KEY
from seawall_policy.limit.place import Place, Tenant

OTHERS: Final = b"\x00others"


class Tenants:
    """The tenants that have calls at work or in the queue."""

    def __init__(self, most: int) -> None:
        self.most: int = most
        self._known: dict[bytes, Tenant] = {}
        self._others: Tenant = Tenant(OTHERS)

    def __len__(self) -> int:
        return len(self._known)

    def of(self, key: bytes) -> Tenant:
        """Return the tenant of a key. It is known from the first place that it holds or waits for."""
        if len(key) > LONGEST_KEY:
            key = key[:LONGEST_KEY]
        found = self._known.get(key)
        if found is not None:
            return found
        return self._others if len(self._known) >= self.most else Tenant(key)

    def came(self, tenant: Tenant) -> None:
        """Take note of a tenant that has begun to hold or to wait."""
        if tenant is not self._others and tenant.key not in self._known:
            self._known[tenant.key] = tenant

    def went(self, tenant: Tenant) -> None:
        """Forget a tenant that neither holds nor waits any more."""
        if tenant.held == 0 and tenant.waiting == 0 and self._known.get(tenant.key) is tenant:
            del self._known[tenant.key]

    def most_held(self) -> int:
        """Return how many places the tenant holds that holds the most."""
        most = self._others.held
        for tenant in self._known.values():
            most = max(most, tenant.held)
        return most


class Lines:
    """The calls of one class that wait, by tenant. O(1), but for those that look at every tenant in it."""

    def __init__(self) -> None:
        self.length: int = 0
        self._lines: dict[Tenant, OrderedDict[Place, None]] = {}
        """In the order in which they began to wait."""

    def join(self, tenant: Tenant, place: Place) -> None:
        """Add a call."""
        line = self._lines.get(tenant)
        if line is None:
            line = OrderedDict()
            self._lines[tenant] = line
        line[place] = None
        tenant.waiting += 1
        self.length += 1

    def leave(self, tenant: Tenant, place: Place) -> None:
        """Take a call out."""
        line = self._lines[tenant]
        del line[place]
        if len(line) == 0:
            del self._lines[tenant]
        tenant.waiting -= 1
        self.length -= 1

    def waiting(self, tenant: Tenant) -> int:
        """Return how many calls of a tenant wait in this class."""
        line = self._lines.get(tenant)
        return 0 if line is None else len(line)

    def poorest(self) -> Tenant | None:
        """Return who holds the fewest places of those that wait, and of equals had its turn first."""
        found: Tenant | None = None
        for tenant in self._lines:
            if tenant.held == 0 and tenant.turn == 0:
                # Nobody comes before one that has had nothing yet.
                return tenant
            if (
                found is None
                or tenant.held < found.held
                or (tenant.held == found.held and tenant.turn < found.turn)
            ):
                found = tenant
        return found

    def longest(self) -> Tenant | None:
        """Return who has the most calls waiting."""
        found: Tenant | None = None
        most = 0
        for tenant, line in self._lines.items():
            if len(line) > most:
                found = tenant
                most = len(line)
        return found

    def first(self, tenant: Tenant, *, newest: bool) -> Place | None:
        """Return the oldest or the newest call of a tenant; None when none waits."""
        line = self._lines.get(tenant)
        if line is None:
            return None
        return next(reversed(line)) if newest else next(iter(line))
