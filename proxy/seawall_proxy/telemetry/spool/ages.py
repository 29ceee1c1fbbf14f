"""Since when the oldest number of a spool has waited, without a time for each number.

A mark says when a number was given out; there is at most one a second, and when there are `MAX_MARKS` every
second one goes, so that an age is too large by a second at first and by a share of itself after days.
"""

from __future__ import annotations

from collections import deque
from typing import Final

MAX_MARKS: Final = 512
EVERY_S: Final = 1.0


class Ages:
    """The marks. Times are wall-clock seconds."""

    def __init__(self) -> None:
        self._marks: deque[tuple[int, float]] = deque()
        """The last number of a while and when it began, oldest first."""

    def given(self, last: int, now_s: float) -> None:
        """Note that all numbers up to `last` have been given out."""
        marks = self._marks
        if marks and now_s - marks[-1][1] < EVERY_S:
            marks[-1] = (max(last, marks[-1][0]), marks[-1][1])
            return
        marks.append((last, now_s))
        self._marks = _thinned(marks, MAX_MARKS)

    def taken_back(self, acked: int, older: list[tuple[int, float]]) -> None:
        """Note that numbers up to `acked` wait again: the last number of each part of them, and when it was
        begun, oldest first. What was acknowledged has no marks any more.
        """
        self.oldest_s(acked)
        half = MAX_MARKS // 2
        self._marks = _thinned(deque(older), half) + _thinned(self._marks, half)

    def oldest_s(self, acked: int) -> float:
        """Return since when the first number after `acked` has waited; 0 when none does."""
        while self._marks and self._marks[0][0] <= acked:
            self._marks.popleft()
        return self._marks[0][1] if self._marks else 0.0


def _thinned(marks: deque[tuple[int, float]], most: int) -> deque[tuple[int, float]]:
    while len(marks) > most:
        # Of two neighbours the older time and the newer number stay: what waits is never called younger.
        halved = [(marks[i + 1][0], marks[i][1]) for i in range(0, len(marks) - 1, 2)]
        marks = deque([*halved, marks[-1]] if len(marks) % 2 else halved)
    return marks
