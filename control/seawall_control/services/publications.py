"""What is asked for when policies are changed, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from seawall_control.domain.revisions import Applied, Draft
from seawall_control.domain.rollout.machine import Rollout
from seawall_control.domain.rollout.strategy import Strategy

TRIES: Final = 5
"""How often a change is computed anew because others changed what it rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a change is to reach the proxies."""

    strategy: Strategy | None = None
    """None: everybody at once."""
    supersede: bool = False
    """Take the place of a rollout that is under way, instead of being refused."""
    allow_shrink: bool = False
    """More than half of the routes may go."""
    only: frozenset[str] | None = None
    """Policy sets that may change, those that extend this one among them; None: all."""


AT_ONCE: Final = Plan()


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What became of a change."""

    applied: Applied
    rollout: Rollout | None = None
    targets: tuple[str, ...] = ()
    """Connected proxies that get the revision now, or would."""
    followers: tuple[Publication, ...] = ()
    """Of the sets that extend this one and changed with it."""


class Publisher(Protocol):
    """Makes revisions and hands them to the proxies."""

    def stable(self, policy_set: str) -> int:
        """Return the revision that a rollout under way would go back to; 0 when none is."""
        ...

    async def publish(self, draft: Draft, plan: Plan, *, validate_only: bool) -> Publication:
        """Make a draft the newest revision of its set, for everybody or by stages, and change the sets that
        extend it.

        Raises `EtagMismatch`, `InvalidRequest`, `PolicyInvalid` for a set that it would break, `BaseMoved`
        when what the draft extends has changed, and `PreconditionFailed` while a rollout is under way that is
        not to be superseded.
        """
        ...
