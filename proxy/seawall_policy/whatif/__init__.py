"""What another policy would have done with calls that were recorded.

The evaluators of the data path (limits, deadlines, breaker, retry rules and budget, hedges, timeouts) are
pure, so the same code runs here on the times and outcomes of a record. Calls begin when they began; each
attempt ends after as long as it took and as it did, unless the candidate would have cut it short. What the
record cannot know is estimated in one place only: an attempt that was never made fares like the next one
that was begun on the same route.

What it cannot tell: how servers and callers would have behaved under the other load. A breaker that rejects
takes load off a server that then recovers sooner; retries put load on it. The numbers are what these policies
would have decided about this record, not a forecast. Mechanisms that the record says too little about are not
guessed at: `judged` names them, with the reason.
"""

from __future__ import annotations

from seawall_policy.whatif.record import RecordedAttempt, RecordedCall
from seawall_policy.whatif.replay import simulate
from seawall_policy.whatif.result import MechanismResult, RouteResult, Simulation

__all__ = [
    "MechanismResult",
    "RecordedAttempt",
    "RecordedCall",
    "RouteResult",
    "Simulation",
    "simulate",
]
