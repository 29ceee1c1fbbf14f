"""One call's place: wanted, waited for, held, given back.

A place is in one chain at a time: among those that wait, or among those at work. Chains are linked, so that
whoever leaves, from wherever, leaves at once.
"""

from __future__ import annotations

from math import inf
from typing import Final

from mypy_extensions import mypyc_attr

NEW: Final = 0
WAITING: Final = 1
AT_WORK: Final = 2
LONG: Final = 3
"""At work for so long that it is no longer counted: a stream, or a call that waits for its client."""
ANSWERED: Final = 4
"""The service has answered, and its place is free; the call goes on."""
GONE: Final = 5

SUCCESS: Final = 1
"""The call did what calls of its kind do, and its time says how the service is."""
LOST: Final = 2
"""The service had no room for it, or no time."""
IGNORED: Final = 3
"""It says nothing: cancelled, refused by us, a failure of another kind, a stream."""


class Tenant:
    """Whose calls those of one key are; see `fair`."""

    def __init__(self, key: bytes) -> None:
        self.key: bytes = key
        self.held: int = 0
        """Places that its calls hold."""
        self.waiting: int = 0
        """Its calls that wait, in all classes."""
        self.turn: int = 0
        """When a call of its began last, as a number that only grows; 0 for never."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Place:
    """A link; `Chain` joins them."""

    # Defaults that stand here cost an interpreted place nothing when it is made.
    before: Place | None = None
    after: Place | None = None
    state: int = NEW
    since: float = 0.0
    """When it began to wait, then when it began to work."""
    epoch: int = 0
    """The window in which it began to work."""
    in_flight: int = 0
    """Calls at work when it began, itself included."""
    limited: bool = False
    """It took the last place, or waited for one."""
    waited_s: float = 0.0
    tenant: Tenant | None = None
    """Whose it is, where shares are fair."""

    def __init__(self, criticality: int, deadline: float) -> None:
        self.criticality: int = criticality
        self.deadline: float = deadline
        """When the caller gives up; infinity when never."""


class Chain:
    """Places in the order in which they came. All operations take the same time however long it is."""

    def __init__(self) -> None:
        self._ends: Place = Place(0, inf)
        self._ends.before = self._ends
        self._ends.after = self._ends
        self.length: int = 0

    def append(self, place: Place) -> None:
        """Add a place that is in no chain."""
        ends = self._ends
        last = ends.before
        assert last is not None
        place.before = last
        place.after = ends
        last.after = place
        ends.before = place
        self.length += 1

    def remove(self, place: Place) -> None:
        """Take out a place that is in this chain."""
        before = place.before
        after = place.after
        assert before is not None
        assert after is not None
        before.after = after
        after.before = before
        place.before = None
        place.after = None
        self.length -= 1

    def oldest(self) -> Place | None:
        """Return the one that has been in it for longest."""
        return self._ends.after if self.length > 0 else None

    def newest(self) -> Place | None:
        """Return the one that came last."""
        return self._ends.before if self.length > 0 else None
