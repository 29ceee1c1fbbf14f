"""What a spool has lost, and what the disk has refused it, since this process has it."""

from __future__ import annotations


class Tally:
    """The counts."""

    def __init__(self) -> None:
        self.dropped: dict[str, int] = {}
        """Numbers that were declared lost, by reason."""
        self.sync_errors: int = 0
        self.write_errors: int = 0
        self.degraded: bool = False
        """Something has failed, so that less is promised than usual."""

    def lost(self, reason: str, count: int) -> None:
        """Count numbers that were declared lost."""
        if count > 0:
            self.dropped[reason] = self.dropped.get(reason, 0) + count

    def write_failed(self) -> None:
        """Count a write that the disk did not take."""
        self.write_errors += 1
        self.degraded = True

    def sync_failed(self) -> None:
        """Count a sync that failed."""
        self.sync_errors += 1
        self.degraded = True
