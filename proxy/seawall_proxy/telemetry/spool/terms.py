"""The words of the spool: bounds, batches, gaps and their reasons, status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SPOOL_FULL: Final = "spool_full"
EXPIRED: Final = "expired"
CORRUPT: Final = "corrupt"
LOST_IN_CRASH: Final = "lost_in_crash"
DISK_ERROR: Final = "disk_error"
TOO_LARGE: Final = "too_large"
RING_FULL: Final = "ring_full"
NOT_BUILT: Final = "not_built"
WORKER_DIED: Final = "worker_died"

BLOCK_BYTES: Final = 4096
"""A file takes at least a block, however small it is: many tiny segments must not slip under the limit."""


class SpoolBusy(Exception):
    """Another process has this spool open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolLimits:
    """Bounds of a spool."""

    max_bytes: int = 256 << 20
    max_age_s: float = 7 * 86400.0
    segment_bytes: int = 4 << 20
    sync_every: int = 256
    """Records that may wait for a sync; 1 syncs each append."""
    keep_s: float = 86400.0
    """How long a segment is kept after it was begun, though all of it is acknowledged; 0 keeps none."""
    keep_bytes: int = 64 << 20
    """Size that such segments may have together, within `max_bytes`."""

    def __post_init__(self) -> None:
        if not BLOCK_BYTES <= self.segment_bytes <= self.max_bytes:
            raise ValueError(
                f"spool segment_bytes must be {BLOCK_BYTES} to max_bytes, not {self.segment_bytes}"
            )
        if self.max_age_s <= 0.0 or self.sync_every < 1:
            raise ValueError("spool max_age_s must be above 0 and sync_every 1 or more")
        if self.keep_s < 0.0 or self.keep_bytes < 0:
            raise ValueError("spool keep_s and keep_bytes must be 0 or more")


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers that will never come."""

    first: int
    last: int
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What to send next: every number from the first unacknowledged one to `through`, as an event or in a
    gap.
    """

    spool_id: str
    events: tuple[tuple[int, bytes], ...]
    gaps: tuple[Gap, ...]
    through: int
    oldest: int = 0
    """Lowest number that is still here, acknowledged or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolStatus:
    """How a spool is doing."""

    spool_id: str
    last: int
    """Last number given out."""
    acked: int
    bytes: int
    segments: int
    oldest_s: float
    """Wall-clock seconds since when the oldest number waits that is not acknowledged, to a second; of what an
    earlier run left, when its segment was begun. 0 when none waits.
    """
    unsynced: int
    dropped: dict[str, int]
    """Numbers that this run of the process has declared lost, by reason."""
    sync_errors: int
    write_errors: int
    degraded: bool
    max_bytes: int = 0
    """Size from which the oldest are dropped."""
    oldest: int = 0
    """Lowest number that is still here, acknowledged or not; one above the last when none is."""
    kept_bytes: int = 0
    """Size of what is acknowledged and kept for a store that is put back; not in `bytes`."""

    @property
    def depth(self) -> int:
        """Numbers that the control plane does not know yet."""
        return self.last - self.acked

    def age_s(self, now_s: float) -> float:
        """Return for how long the oldest number has waited; 0 when none does."""
        return max(0.0, now_s - self.oldest_s) if self.oldest_s else 0.0
