"""How a revision is rolled out: the stages, how long each has to prove itself, and what takes it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from math import ceil
from typing import Final

from seawall_control.domain.errors import InvalidRequest
from seawall_control.domain.selectors import EVERYBODY, Selector

MAX_STAGES: Final = 20
MAX_BAKE_S: Final = 7 * 86_400.0
DEFAULT_BAKE_S: Final = 300.0
DEFAULT_PATIENCE_S: Final = 3600.0
DEFAULT_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Who has the new revision from here on, in addition to those of the stages before."""

    share: float = 1.0
    """Share of the proxies that `selector` matches, above 0 to 1; at least one."""
    selector: Selector = EVERYBODY
    bake_s: float = DEFAULT_BAKE_S
    """How long the stage has to hold before the next begins, in seconds; counted from when every connected
    proxy of the stage has the revision in effect.
    """

    def described(self) -> str:
        """Return the stage in words."""
        share = f"{self.share * 100:.12g} %" if self.share < 1 else "all"
        where = f" of {self.selector.text}" if self.selector.text else " of the proxies"
        return f"{share}{where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """What takes a revision back: how much worse than the rest of the fleet it may do.

    Ratios are shares of calls, from 0 to 1.
    """

    max_error_increase: float = 0.01
    """Of failed calls."""
    max_rejected_increase: float = 0.01
    """Of calls that Seawall itself refused."""
    max_latency_ratio: float = 1.5
    """Of the 99th percentile of latency."""
    min_latency_increase_s: float = 0.005
    """A smaller growth of the 99th percentile is never held against a revision."""
    max_nacks: int = 0
    """Proxies that refuse the revision."""
    min_calls: int = 100
    """Calls through the new revision, in each stage, below which nothing is proven; 0 asks for none."""
    confidence: float = 0.99
    """1 minus the risk that a stage of a harmless revision is taken back by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """The whole plan. After the last stage everybody gets the revision."""

    stages: tuple[Stage, ...] = (Stage(share=DEFAULT_SHARE),)
    guards: Guards = field(default_factory=Guards)
    patience_s: float = DEFAULT_PATIENCE_S
    """How long, beyond its bake time, a stage may lack calls or answers before the rollout is paused."""


def checked_strategy(strategy: Strategy) -> Strategy:
    """Return the strategy. Raise `InvalidRequest` for one that cannot be followed."""
    if not 1 <= len(strategy.stages) <= MAX_STAGES:
        raise InvalidRequest(f"a rollout has 1 to {MAX_STAGES} stages, not {len(strategy.stages)}")
    for number, stage in enumerate(strategy.stages):
        place = f"rollout.stages[{number}]"
        _within(f"{place}.percent", stage.share * 100, 0.0, 100.0, above=True)
        _within(f"{place}.bake (in seconds)", stage.bake_s, 0.0, MAX_BAKE_S)
    for before, after in zip(strategy.stages, strategy.stages[1:], strict=False):
        if before.selector.text == after.selector.text and after.share <= before.share:
            raise InvalidRequest(
                "rollout.stages: each stage must reach more proxies than the one before; "
                f"{after.described()} comes after {before.described()}"
            )
    guards = strategy.guards
    _within("rollout.guards.max_error_increase_percent", guards.max_error_increase * 100, 0.0, 100.0)
    _within("rollout.guards.max_rejected_increase_percent", guards.max_rejected_increase * 100, 0.0, 100.0)
    _within("rollout.guards.max_latency_ratio", guards.max_latency_ratio, 1.0, 1000.0)
    _within("rollout.guards.min_latency_increase (in seconds)", guards.min_latency_increase_s, 0.0, 3600.0)
    _within("rollout.guards.max_nacks", guards.max_nacks, 0, 1_000_000)
    _within("rollout.guards.min_calls", guards.min_calls, 0, 1_000_000_000)
    _within("rollout.guards.confidence_percent", guards.confidence * 100, 50.0, 99.9999)
    _within("rollout.patience (in seconds)", strategy.patience_s, 1.0, 30 * 86_400.0)
    return strategy


def _within(name: str, value: float, low: float, high: float, *, above: bool = False) -> None:
    if not (low < value if above else low <= value) or not value <= high:
        kind = "above " if above else ""
        raise InvalidRequest(f"{name} must be {kind}{low:.12g} to {high:.12g}, not {value:.12g}")


def point(policy_set: str, node: str) -> float:
    """Return the place of a proxy between 0 and 1: the same for ever, and spread evenly."""
    return int.from_bytes(sha256(f"{policy_set}\n{node}".encode()).digest()[:8]) / 2**64


def threshold(stage: Stage, policy_set: str, nodes: Mapping[str, Mapping[str, str]]) -> float:
    """Return up to which point proxies belong to a stage, given those that are connected and their labels.

    The share is that of the proxies that are there, rounded up, so that a small fleet has a canary as well;
    unless the share is all, somebody is left to compare with. Where nobody is there, the share itself.
    """
    if stage.share >= 1:
        return 1.0
    points = sorted(
        point(policy_set, node) for node, labels in nodes.items() if stage.selector.matches(labels)
    )
    if not points:
        return stage.share
    wanted = max(1, min(ceil(stage.share * len(points) - 1e-9), max(1, len(points) - 1)))
    return points[wanted - 1]


def is_member(
    stages: Sequence[Stage],
    thresholds: Sequence[float],
    policy_set: str,
    node: str,
    labels: Mapping[str, str],
) -> bool:
    """Tell whether a proxy belongs to one of the stages that have begun."""
    place = point(policy_set, node)
    return any(
        place <= until and stage.selector.matches(labels)
        for stage, until in zip(stages, thresholds, strict=False)
    )
