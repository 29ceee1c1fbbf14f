"""Custom strategies: classification by code of the operator's own, found through entry points.

A distribution that is installed beside Seawall may offer callables in the entry-point group
`seawall.strategies`. Each is asked about every failure that is recorded, in the order of their names, before
the policy's own `classify`; the first that says something decides. They run in the proxy itself, so each is
on probation: one that raises, answers nonsense or takes longer than `LIMIT_S` is not asked again until the
process starts anew, and calls go on as if it were not there. A call that simply succeeds never meets one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from time import perf_counter
from typing import Final

from seawall_policy import status
from seawall_policy.classify import CATEGORY_BY_NAME, STRATEGY_BY_NAME
from seawall_policy.classify_rules import PHASE_NAMES, Failure
from seawall_proxy.call.ports import StrategyBook

log = logging.getLogger("seawall.proxy")

GROUP: Final = "seawall.strategies"
LIMIT_S: Final = 0.005
"""How long one may think about one failure: calls of the worker wait meanwhile."""
MAX_STRATEGIES: Final = 16


@dataclass(frozen=True, slots=True)
class FailureFacts:
    """What a strategy is told about a failure."""

    code: str
    """Name of the gRPC status."""
    reason: str
    """Reason of the server's ErrorInfo, or Seawall's own; empty without one."""
    domain: str
    """Whose reason that is; `seawall` for Seawall's own."""
    message: str
    """At most 1 KiB; not redacted."""
    phase: str
    """`connect`, `headers`, `mid_stream` or `local`."""
    route: str
    method: str
    """`package.Service/Method`."""


Verdict = tuple[str, str] | None
"""Category and strategy in the words of a policy file, either may be empty; None for no opinion."""
Strategy = Callable[[FailureFacts], Verdict]


class Strategies(StrategyBook):
    """Asks strategies and keeps an eye on them. `clock` gives seconds."""

    def __init__(
        self, strategies: Iterable[tuple[str, Strategy]], clock: Callable[[], float] = perf_counter
    ) -> None:
        super().__init__()
        self._asked: list[tuple[str, Strategy]] = list(strategies)
        self._clock: Callable[[], float] = clock
        self.disabled: dict[str, str] = {}
        """Why some are not asked any more, by name."""

    @property
    def names(self) -> list[str]:
        """Return the names of those that are asked."""
        return [name for name, _ in self._asked]

    def classify(self, failure: Failure, route: str, path: bytes) -> tuple[int, int]:
        """Return the first opinion; (0, 0) without any. Never raises."""
        if not self._asked:
            return 0, 0
        facts = FailureFacts(
            code=status.name(failure.code),
            reason=failure.error_reason(),
            domain=failure.domain(),
            message=failure.text(),
            phase=PHASE_NAMES[failure.phase],
            route=route,
            method=path.decode("utf-8", "backslashreplace").removeprefix("/"),
        )
        for name, strategy in tuple(self._asked):
            category, chosen = self._ask(name, strategy, facts)
            if category or chosen:
                return category, chosen
        return 0, 0

    def _ask(self, name: str, strategy: Strategy, facts: FailureFacts) -> tuple[int, int]:
        began = self._clock()
        try:
            verdict = strategy(facts)
            category, chosen = _numbers(verdict)
        except Exception as error:  # noqa: BLE001 - it is somebody else's code
            self._disable(name, f"{type(error).__name__}: {error}")
            return 0, 0
        took = self._clock() - began
        if took > LIMIT_S:
            self._disable(name, f"took {took * 1000:.1f} ms, more than {LIMIT_S * 1000:g} ms are not granted")
        return category, chosen

    def _disable(self, name: str, why: str) -> None:
        self._asked = [one for one in self._asked if one[0] != name]
        self.disabled[name] = why
        log.error("strategy %s is not asked any more: %s", name, why)


def _numbers(verdict: Verdict) -> tuple[int, int]:
    if verdict is None:
        return 0, 0
    category, strategy = verdict
    return (
        CATEGORY_BY_NAME[category] if category else 0,
        STRATEGY_BY_NAME[strategy] if strategy else 0,
    )


def load_strategies(found: Iterable[EntryPoint] | None = None) -> Strategies | None:
    """Return the strategies of the installed distributions; None without any. Those that cannot be loaded
    are logged and left out.
    """
    strategies: list[tuple[str, Strategy]] = []
    offered = sorted(entry_points(group=GROUP) if found is None else found, key=lambda point: point.name)
    if len(offered) > MAX_STRATEGIES:
        log.error("there are %d strategies; only the first %d are asked", len(offered), MAX_STRATEGIES)
    for point in offered[:MAX_STRATEGIES]:
        try:
            loaded = point.load()
        except Exception:
            log.exception("strategy %s (%s) cannot be loaded", point.name, point.value)
            continue
        if not callable(loaded):
            log.error("strategy %s (%s) cannot be called", point.name, point.value)
            continue
        strategies.append((point.name, loaded))
    if not strategies:
        return None
    log.info("custom strategies: %s", ", ".join(name for name, _ in strategies))
    return Strategies(strategies)
