"""Which stream ids are closed, and how, in bounded memory.

Ids are used upwards, so "closed" needs no list. Remembered are only the exceptions that change the answer to a late
frame: ids we reset (the peer may not know yet) and ranges the client skipped (closed without ever being open).
"""

from __future__ import annotations

from typing import Final

MAX_GAPS: Final = 16


class ClosedIds:
    """Remember the last `max_resets` ids we reset and the last few skipped ranges."""

    def __init__(self, max_resets: int) -> None:
        self._max_resets: int = max_resets
        self._resets: dict[int, bool] = {}
        self._gaps: list[tuple[int, int]] = []

    def add_reset(self, stream_id: int) -> None:
        """Remember an id for which we sent RST_STREAM."""
        resets = self._resets
        if len(resets) >= self._max_resets:
            del resets[next(iter(resets))]
        resets[stream_id] = True

    def was_reset(self, stream_id: int) -> bool:
        """Whether we reset this stream, as far as we remember."""
        return stream_id in self._resets

    def add_gap(self, below: int, above: int) -> None:
        """Remember that the client skipped the ids between two it used."""
        if len(self._gaps) >= MAX_GAPS:
            del self._gaps[0]
        self._gaps.append((below, above))

    def was_skipped(self, stream_id: int) -> bool:
        """Whether this id was never used, as far as we remember."""
        for below, above in self._gaps:
            if below < stream_id < above:
                return True
        return False
