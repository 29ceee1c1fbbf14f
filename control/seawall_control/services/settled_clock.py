"""The clock by which things are deleted for their age. It is kept in the store, so that a start with a wall
clock that is wrong is noticed as well.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Final

from seawall_control.domain.errors import ControlError
from seawall_control.domain.events import MICROS
from seawall_control.domain.records import Put
from seawall_control.services.edge import Clock
from seawall_control.store.port import RecordStore
from seawall_policy.settled_time import Kept, SettledTime

KIND: Final = "retention"
NAME: Final = "clock"
KEEP_EVERY_S: Final = 600.0

_log = logging.getLogger("seawall.control.retention")


class SettledClock:
    """A `Clock` whose wall clock does not leap ahead."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._time = SettledTime()
        self._is_ahead = False

    @property
    def leap_s(self) -> float:
        """How far the wall clock is ahead of this one, as far as it is not believed."""
        return self._time.leap_s

    def now_us(self) -> int:
        """Return what time it is for deletions, in microseconds since the epoch."""
        settled_s = self._time.at(self._clock.now_us() / MICROS, self._clock.monotonic_s())
        self._say()
        return int(settled_s * MICROS)

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""
        return self._clock.monotonic_s()

    def _say(self) -> None:
        leap_s = self._time.leap_s
        if (leap_s > 0) is self._is_ahead:
            return
        self._is_ahead = leap_s > 0
        if self._is_ahead:
            _log.warning(
                "the wall clock has leapt ahead: nothing is deleted by it until it has stayed there for a "
                "day; set it if it is wrong",
                extra={
                    "fields": {
                        "days": round(leap_s / 86_400, 1),
                        "believed_in_s": round(self._time.left_s),
                    }
                },
            )
        else:
            _log.info("deletions go by the wall clock again")

    async def load(self, store: RecordStore) -> None:
        """Begin where the process before this one was. Raise `ControlError`."""
        document = await store.document(KIND, NAME)
        if document is not None:
            self._time = SettledTime(_read(document.body))
        self.now_us()

    async def run(self, store: RecordStore, leads: Callable[[], bool]) -> None:
        """Keep it every ten minutes, until cancelled. Of several control planes on one store the leading one
        does it.
        """
        while True:
            if leads():
                await self.keep(store)
            await asyncio.sleep(KEEP_EVERY_S)

    async def keep(self, store: RecordStore) -> None:
        """Leave it for the next process. What cannot be kept now is kept later."""
        self.now_us()
        kept = self._time.kept()
        body = json.dumps({"settled_s": round(kept.settled_s), "stayed_s": round(kept.stayed_s)})
        try:
            await store.commit([Put(KIND, NAME, body)], at_us=self._clock.now_us())
        except ControlError as error:
            _log.info("the time could not be kept", extra={"fields": {"error": str(error)}})


def _read(body: str) -> Kept | None:
    try:
        value = json.loads(body)
        return Kept(float(value["settled_s"]), float(value["stayed_s"]))
    except (ValueError, KeyError, TypeError):
        # Not ours, or damaged: as at the first start.
        return None
