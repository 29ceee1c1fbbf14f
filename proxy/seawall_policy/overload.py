"""When the proxy protects itself, decided from three readings: memory, descriptors, and how late the loop is.

Two measures, each with its own thresholds:

1. *Shedding*: idle connections are closed and no further ones accepted. From `memory_shed` of the memory
   limit, or from `descriptors` of the descriptor limit.
2. *Refusing*: new calls are refused, calls in flight are kept. From `memory_refuse` of the memory limit, or
   when the loop was late by `lag_s` at each of `LAG_LOOKS` looks in a row. One late look is a pause, not an
   overload: only a queue that does not go away says that there is more work than time (the idea of CoDel,
   RFC 8289).

A measure that was taken ends only well below where it began (`MEMORY_BACK`, `DESCRIPTORS_BACK`, half the lag
for `LAG_LOOKS` looks), so that it does not flap. Refusing implies shedding where memory is the reason.

Source of the memory thresholds: Envoy's edge best practices (shrink at 95 %, refuse at 98 %).
"""

from __future__ import annotations

from typing import Final

MEMORY: Final = "memory"
DESCRIPTORS: Final = "descriptors"
EVENT_LOOP: Final = "event_loop"
RESOURCES: Final[tuple[str, ...]] = (MEMORY, DESCRIPTORS, EVENT_LOOP)

NORMAL: Final = 0
SHED: Final = 1
REFUSE: Final = 2
LEVEL_NAMES: Final[tuple[str, ...]] = ("normal", "shed", "refuse")

MEMORY_BACK: Final = 0.03
"""How far below its threshold the share of memory has to fall."""
DESCRIPTORS_BACK: Final = 0.10
LAG_LOOKS: Final = 4

DEFAULT_MEMORY_SHED: Final = 0.95
DEFAULT_MEMORY_REFUSE: Final = 0.98
DEFAULT_DESCRIPTORS: Final = 0.90
DEFAULT_LAG_S: Final = 1.0

DETECT: Final = 0
OFF: Final = -1


class OverloadOptions:
    """Thresholds; shares are above 0 and at most 1, a `lag_s` of 0 watches no lag."""

    def __init__(
        self,
        memory_limit_bytes: int = DETECT,
        memory_shed: float = DEFAULT_MEMORY_SHED,
        memory_refuse: float = DEFAULT_MEMORY_REFUSE,
        descriptors: float = DEFAULT_DESCRIPTORS,
        lag_s: float = DEFAULT_LAG_S,
    ) -> None:
        self.memory_limit_bytes: int = memory_limit_bytes
        """Positive, DETECT or OFF."""
        self.memory_shed: float = memory_shed
        self.memory_refuse: float = memory_refuse
        self.descriptors: float = descriptors
        self.lag_s: float = lag_s


class OverloadGuard:
    """Remembers the measures in force. Give it a reading about four times a second."""

    def __init__(self, options: OverloadOptions) -> None:
        self.options: OverloadOptions = options
        self.levels: dict[str, int] = dict.fromkeys(RESOURCES, NORMAL)
        """NORMAL, SHED or REFUSE for each resource."""
        self._late: int = 0
        self._in_time: int = 0

    @property
    def shedding(self) -> bool:
        """Whether idle connections are to be closed, and none accepted."""
        return self.levels[MEMORY] >= SHED or self.levels[DESCRIPTORS] >= SHED

    @property
    def refusing(self) -> bool:
        """Whether new calls are to be refused."""
        return self.levels[MEMORY] == REFUSE or self.levels[EVENT_LOOP] == REFUSE

    def look(self, memory: float, descriptors: float, lag_s: float) -> list[str]:
        """Take a reading (shares of the limits, 0.0 where there is none; lag in seconds); return the
        resources whose level has changed.
        """
        before = dict(self.levels)
        self.levels[MEMORY] = self._memory_level(memory)
        self.levels[DESCRIPTORS] = self._descriptor_level(descriptors)
        self.levels[EVENT_LOOP] = self._lag_level(lag_s)
        return [name for name in RESOURCES if self.levels[name] != before[name]]

    def _memory_level(self, share: float) -> int:
        options = self.options
        level = self.levels[MEMORY]
        if share >= options.memory_refuse or (
            level == REFUSE and share >= _back(options.memory_refuse, MEMORY_BACK)
        ):
            return REFUSE
        if share >= options.memory_shed or (
            level >= SHED and share >= _back(options.memory_shed, MEMORY_BACK)
        ):
            return SHED
        return NORMAL

    def _descriptor_level(self, share: float) -> int:
        limit = self.options.descriptors
        shedding = self.levels[DESCRIPTORS] == SHED
        return SHED if share >= (_back(limit, DESCRIPTORS_BACK) if shedding else limit) else NORMAL

    def _lag_level(self, lag_s: float) -> int:
        limit = self.options.lag_s
        if limit <= 0.0:
            return NORMAL
        self._late = self._late + 1 if lag_s >= limit else 0
        self._in_time = self._in_time + 1 if lag_s < limit / 2 else 0
        if self.levels[EVENT_LOOP] == REFUSE:
            return NORMAL if self._in_time >= LAG_LOOKS else REFUSE
        return REFUSE if self._late >= LAG_LOOKS else NORMAL


def _back(threshold: float, distance: float) -> float:
    """Return where a measure ends that began at `threshold`; half of that where it is too near to nothing."""
    return threshold - min(distance, threshold / 2)
