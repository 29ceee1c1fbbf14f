"""What waits on the proxy's disk, in the words of the contract."""

from __future__ import annotations

from seawall.v1 import fleet_pb2
from seawall_proxy.telemetry.spool.terms import SpoolStatus


def spool_message(spool: SpoolStatus | None, problem: str, now_s: float) -> fleet_pb2.SpoolStatus | None:
    """Return how the record of events on disk is doing, at a wall-clock time; None where none is kept."""
    if spool is None:
        return fleet_pb2.SpoolStatus(problem=problem) if problem else None
    message = fleet_pb2.SpoolStatus(
        depth=spool.depth,
        bytes=spool.bytes,
        max_bytes=spool.max_bytes,
        dropped={reason: count for reason, count in spool.dropped.items() if count},
        degraded=spool.degraded,
        problem=problem,
    )
    if spool.oldest_s:
        message.oldest_age.FromMicroseconds(int(spool.age_s(now_s) * 1e6))
    return message
