"""How many events the last 24 hours had, from counts by hour.

23 whole hours and the beginning of the present one are sums of kept counts. Of the oldest hour only a part
is within the 24, and that part is counted event by event, but not beyond a bound: an hour with a flood in it
must not make every look at the health slow. Beyond the bound the hour's own count says how many there were,
as if they had come evenly.
"""

from __future__ import annotations

from typing import Final

COUNTED: Final = 2000
"""Events of the oldest hour that are counted one by one; what takes well below a millisecond."""


def recent_of(*, whole_hours: int, counted: int, oldest_hour: int, share: float, most: int = COUNTED) -> int:
    """Return the events of the last 24 hours: exactly while `counted`, those found in the part of the oldest
    hour that is within, is below the bound; else from `oldest_hour`, all that this hour had, and the `share`
    of it (0 to 1) that is within.
    """
    if counted < most:
        return whole_hours + counted
    return whole_hours + max(counted, round(oldest_hour * share))
