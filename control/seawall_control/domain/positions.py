"""Where a reader stands in the order in which events were stored.

Events are read by the time at which they happened everywhere else. A proxy that was away hands in old ones
late, so a reader that must miss nothing goes by the order of arrival: it keeps the position of the last event
that it has seen and asks for what was stored after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_NUMBER: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """The place of one event; `START` is before the first.

    The id says whether the number still means the same event: a store may give the number of a deleted event
    to a later one.
    """

    number: int
    id: str = ""

    def __str__(self) -> str:
        """Return the form in which readers keep it."""
        return f"{self.number}-{self.id}" if self.id else str(self.number)


START: Final = Position(0)


def parse_position(text: str) -> Position | None:
    """Return the position that `str` has made a text of; None for anything else."""
    number, _, event_id = text.partition("-")
    if not number.isascii() or not number.isdigit() or len(number) > 19 or len(event_id) > 64:
        return None
    found = Position(int(number), event_id)
    return found if found.number <= MAX_NUMBER and str(found) == text else None
