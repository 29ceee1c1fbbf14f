"""The history of a fault test, and the program that judges it.

Each side of a system under fault notes what it saw, as lines of JSON in a file of its own that no fault
touches: the callers (`calls.py`), the wire between proxy and control plane (`tests/kit/link.py`), the store,
the spools and the proxies once all is over (`sides.py`), and the test itself. `check` joins them and counts,
for each invariant, what it looked at and what breaks it. `python -m tests.kit.history FOLDER` prints that.

The invariants, of a system in which nothing may be lost unseen:

    I1  every acknowledged event is in the store, exactly once
    I2  nothing is in the store that was never produced
    I3  what was produced is stored, or declared as lost, or still in a spool
    I4  the policy revision in effect at a proxy never goes down, and is one that was published
    I5  a call is under one policy from its beginning to its end
    I6  a proxy starts and serves without its control plane
    I7  after the trouble every proxy has the newest policy within 30 s
    I8  a call ends once, a second after its deadline at the latest, and reaches its server once
    I9  open files and threads are back where they were
    X5  a policy that was refused is not sent again unless it is published again
"""

from tests.kit.history.checker import check
from tests.kit.history.lines import Line, Recorder, read
from tests.kit.history.verdict import INVARIANTS, Finding, Verdict

__all__ = ["INVARIANTS", "Finding", "Line", "Recorder", "Verdict", "check", "read"]
