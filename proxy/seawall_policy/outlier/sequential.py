"""A sequential test of one endpoint's share of bad attempts against that of the others.

Each attempt moves a score by the logarithm of how much more likely its end is with the share that is looked
for than with the share that the others have: bad ones up, good ones down, never below 0 (Page's cumulative
sum). At `THRESHOLD` the first is millions of times more likely. So an endpoint with nothing but bad
attempts is found after four of them, one with a fifth after some twenty, and one that is as bad as the others
never, for the more the others have, the less one more of them says.

Source: E. S. Page, "Continuous inspection schemes", Biometrika 41 (1954).
"""

from __future__ import annotations

from math import log
from typing import Final

THRESHOLD: Final = 16.0
"""e^16 is nine million: so many attempts go by, give or take, before chance alone looks like an outlier."""
HEAD_START: Final = THRESHOLD - 2.5
"""Where the score of an endpoint stands that comes back on trial: one bad attempt is enough where the others
have none (Lucas and Crosier's fast initial response)."""
CONFIRMED: Final = 5.0
CONFIRMED_ON_TRIAL: Final = 1.0
LEAST_SHARE: Final = 0.005
"""The others are not believed to be better than this."""
_MOST_SHARE: Final = 0.95
_CONTRAST: Final = 3.0


def share_of(bad: int, total: int) -> float:
    """Return the share that so many of so many stand for; half a bad one of one is added (Jeffreys)."""
    return max(LEAST_SHARE, (bad + 0.5) / (total + 1.0))


def looked_for(share: float, others: float) -> float:
    """Return the share that is looked for beside `others`: three times as bad at least."""
    return max(share, min(_MOST_SHARE, _CONTRAST * others))


def moved(score: float, bad: int, good: int, share: float, others: float) -> float:
    """Return the score after so many bad and good attempts, with the share that is looked for and the one
    that the others have.
    """
    wanted = looked_for(share, others)
    if others >= wanted:
        return 0.0
    step = bad * log(wanted / others) + good * log((1.0 - wanted) / (1.0 - others))
    return max(0.0, score + step)


def confirmed(bad: int, good: int, share: float, others_bad: int, others: int, needed: float) -> bool:
    """Tell whether what has happened since a score left 0 is the endpoint's own: what the others did in the
    same time, and not before, must say so too. A change for the worse that all go through is nobody's fault.
    """
    if others < 1:
        return False
    return moved(0.0, bad, good, share, share_of(others_bad, others)) >= needed
