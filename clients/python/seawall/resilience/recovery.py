"""What is done about a failure that is classified: try again, wait for room, give up, keep it for a person.

A strategy is a function: it is given the `Failure` and returns a `Recovery`. The four built-in ones have the
names of `seawall_policy.classify`; further ones come from `strategies.add` or from the entry-point group
`seawall.strategies` of an installed package:

    [project.entry-points."seawall.strategies"]
    ask_the_oracle = "oracle.recovery:recover"
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from importlib.metadata import entry_points
from math import inf
from typing import Final

from seawall.resilience.backoff import PRESETS, RetrySettings
from seawall.resilience.exceptions import pushback_of
from seawall_policy import retry as engine

_log: Final = logging.getLogger("seawall.resilience")

GROUP: Final = "seawall.strategies"
"""The entry-point group."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure that has been classified."""

    error: BaseException
    name: str
    """Of the function or the context."""
    component: str
    code: str
    """Name of the gRPC status that stands for it."""
    category: str
    """transient, resource, validation, permanent or unknown."""
    strategy: str
    """Name of the strategy that is asked."""
    attempt: int
    """Number of the attempt that failed, from 1."""
    elapsed: float
    """Seconds since the first attempt began."""
    operations: tuple[str, ...] = ()
    """What had been recorded, in its order."""
    compensated: tuple[str, ...] = ()
    """What has been undone, in that order."""
    not_compensated: tuple[str, ...] = ()
    """What could not be undone, with the reason."""
    time_left: float = inf
    """Seconds until the deadline that the call runs under."""
    draw: float = 0.5
    """A random number in [0, 1), for the jitter of a wait."""


class _Kind(Enum):
    RAISE = "raise"
    RETRY = "retry"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a strategy has decided."""

    kind: _Kind
    wait: float = 0.0
    value: object = None

    @classmethod
    def retry(cls, after: float = 0.0) -> Recovery:
        """Try again after so many seconds. Not begun when there is no time for it."""
        return cls(_Kind.RETRY, wait=max(0.0, after))

    @classmethod
    def answer(cls, value: object) -> Recovery:
        """Return this instead of raising."""
        return cls(_Kind.ANSWER, value=value)

    @property
    def is_retry(self) -> bool:
        """Tell whether there is another attempt."""
        return self.kind is _Kind.RETRY

    @property
    def is_answer(self) -> bool:
        """Tell whether there is a value."""
        return self.kind is _Kind.ANSWER


RAISE: Final = Recovery(_Kind.RAISE)
"""Let the failure through."""

RecoveryStrategy = Callable[[Failure], Recovery]


def _again(settings: RetrySettings) -> RecoveryStrategy:
    """Return the strategy that tries again with these settings."""
    options = settings.backoff.options(settings.attempts, 0, only_idempotent=False)

    def strategy(failure: Failure) -> Recovery:
        if failure.attempt >= settings.attempts:
            return RAISE
        asked = pushback_of(failure.error)
        if asked == inf:
            return RAISE
        if asked >= 0.0:
            return Recovery.retry(asked)
        return Recovery.retry(engine.backoff(options, failure.attempt, 0.0, failure.draw))

    return strategy


def _raise(_failure: Failure) -> Recovery:
    return RAISE


class StrategyRegistry:
    """Strategies by name. Entry points are looked for when a name is asked for that is not there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_name: dict[str, RecoveryStrategy] = {
            "retry": _again(PRESETS["quick"]),
            "queue": _again(PRESETS["resource"]),
            "fail_fast": _raise,
            "dead_letter": _raise,
        }

    def add(self, name: str, strategy: RecoveryStrategy) -> None:
        """Make a strategy known, in place of one of that name."""
        with self._lock:
            self._by_name[name] = strategy

    def get(self, name: str) -> RecoveryStrategy:
        """Return a strategy; KeyError says which there are."""
        with self._lock:
            found = self._by_name.get(name)
        if found is not None:
            return found
        for point in entry_points(group=GROUP, name=name):
            loaded: RecoveryStrategy = point.load()
            with self._lock:
                return self._by_name.setdefault(name, loaded)
        raise KeyError(f"no such strategy: {name!r}; there are {', '.join(self.names())}")

    def names(self) -> list[str]:
        """Return the names, those of entry points included."""
        with self._lock:
            there = set(self._by_name)
        return sorted(there | {point.name for point in entry_points(group=GROUP)})

    def decide(self, strategy: str | RecoveryStrategy, failure: Failure) -> Recovery:
        """Ask a strategy; one that is not there or fails itself lets the failure through, and is logged."""
        try:
            recovery = (self.get(strategy) if isinstance(strategy, str) else strategy)(failure)
        except Exception:  # noqa: BLE001 - somebody else's code, and there is a failure to deal with
            _log.exception("strategy %r failed; %s is raised", strategy, type(failure.error).__name__)
            return RAISE
        return RAISE if recovery.is_retry and recovery.wait >= failure.time_left else recovery


strategies: Final = StrategyRegistry()
"""The strategies of this process."""
