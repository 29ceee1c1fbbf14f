"""Which model foretells counts: our own, or one that an installed package offers.

A package offers one with an entry point of the group `seawall.forecast`: a class or a function that returns
a `Model` (domain/analysis/forecast.py). One that cannot be loaded, raises, or answers with something else is
left out with a line in the log, and ours answers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from seawall_control.domain.analysis.forecast import Forecast, Holt, Model

GROUP: Final = "seawall.forecast"
OWN: Final = "holt"

_log = logging.getLogger("seawall.control.analysis")


class Models:
    """The model that is asked, and ours behind it."""

    def __init__(self, found: Iterable[EntryPoint] | None = None) -> None:
        self._own = Holt()
        self.name = OWN
        self._asked: Model = self._own
        for point in sorted(entry_points(group=GROUP) if found is None else found, key=lambda p: p.name):
            try:
                self._asked = point.load()()
            except Exception:  # noqa: BLE001 - somebody else's code
                _log.exception(
                    "a forecast model cannot be loaded; ours is used", extra={"fields": {"model": point.name}}
                )
                continue
            self.name = point.name
            break

    def forecast(self, values: Sequence[float], ahead: int) -> Forecast | None:
        """Return the next values; see `Model.forecast`."""
        if self._asked is not self._own:
            try:
                found = self._asked.forecast(tuple(values), ahead)
                if found is None or len(found.values) == len(found.low) == len(found.high) == ahead:
                    return found
                raise ValueError(f"{len(found.values)} values instead of {ahead}")
            except Exception:  # noqa: BLE001 - somebody else's code
                _log.exception(
                    "a forecast model failed; ours is used from now on",
                    extra={"fields": {"model": self.name}},
                )
                self.name, self._asked = OWN, self._own
        return self._own.forecast(values, ahead)
