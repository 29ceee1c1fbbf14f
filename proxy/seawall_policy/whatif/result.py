"""What a policy would have done, beside what was recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class MechanismResult:
    """The part of one mechanism, named as in a policy."""

    name: str
    judged: bool = True
    note: str = ""
    """Why it cannot be judged, or what its numbers take for granted."""
    rejected_good: int = 0
    """Refused although the record says OK."""
    rejected_bad: int = 0
    """Refused, and failed in the record."""
    saved: int = 0
    """Calls that failed in the record and that it would have answered."""
    lost: int = 0
    """Calls that were OK in the record and failed by it."""
    added: int = 0
    """Attempts that it would have made."""


@dataclass(slots=True)
class RouteResult:
    """What a policy would have done on one route, beside what was recorded."""

    route: str
    policy: str
    calls: int = 0
    recorded_ok: int = 0
    """Calls whose caller saw OK from a server."""
    ok: int = 0
    """Calls whose caller would have seen OK from a server."""
    rejected_good: int = 0
    """Refused before any attempt although the record says OK."""
    rejected_bad: int = 0
    """Refused before any attempt, and failed in the record."""
    saved: int = 0
    """Failed in the record, OK here."""
    lost: int = 0
    """OK in the record; here tried, and failed."""
    fallbacks: int = 0
    """Failures here that a fallback of the policy answers."""
    recorded_attempts: int = 0
    attempts: int = 0
    estimated: int = 0
    """Attempts among them that the record does not have."""
    budget_refused: int = 0
    """Retries that the budget refused."""
    cut_short: int = 0
    """Attempts that a timeout of the policy ended before they ended in the record."""
    waited: int = 0
    """Calls that waited for a place under the limit."""
    transitions: list[tuple[float, str, str, str]] = field(default_factory=list)
    """Of breakers: when, from, to, why."""
    mechanisms: dict[str, MechanismResult] = field(default_factory=dict)
    """Those that the policy has, in the order in which a call meets them."""

    def of(self, name: str) -> MechanismResult:
        """Return the part of a mechanism; of one that the policy does not have, one that nobody sees."""
        return self.mechanisms.get(name) or MechanismResult(name)


@dataclass(frozen=True, slots=True)
class Simulation:
    """The outcome: routes by name, and calls that no route of the policy takes."""

    routes: Mapping[str, RouteResult]
    unmatched: int
    left_out: int = 0
    """Calls of routes of which the record has no attempt: nothing says how one would have fared."""
