"""The event spool: what happened waits here, numbered and on disk, until the control plane has it.

spool      the spool as a whole: append, take, acknowledge, rewind
writer     gives numbers and writes entries        reader     finds what to send next
shelf      which segments are here, and which go   recovery   what a crash left
numbers    given out, acknowledged, dropped        mark       the file that says so
tail       the segment that is appended to         segments   the files
format     the bytes                               kept       acknowledged, and kept for a restored store
ages       since when the oldest waits             tally      what was lost, what has failed
source_mark what has no number yet, of each process; claim: what is about to get one
terms      bounds, batches, gaps and their reasons
"""

from __future__ import annotations

from seawall_proxy.telemetry.spool.spool import Spool
from seawall_proxy.telemetry.spool.terms import (
    CORRUPT,
    DISK_ERROR,
    EXPIRED,
    LOST_IN_CRASH,
    NOT_BUILT,
    RING_FULL,
    SPOOL_FULL,
    TOO_LARGE,
    WORKER_DIED,
    Batch,
    Gap,
    SpoolBusy,
    SpoolLimits,
    SpoolStatus,
)

__all__ = [
    "CORRUPT",
    "DISK_ERROR",
    "EXPIRED",
    "LOST_IN_CRASH",
    "NOT_BUILT",
    "RING_FULL",
    "SPOOL_FULL",
    "TOO_LARGE",
    "WORKER_DIED",
    "Batch",
    "Gap",
    "Spool",
    "SpoolBusy",
    "SpoolLimits",
    "SpoolStatus",
]
