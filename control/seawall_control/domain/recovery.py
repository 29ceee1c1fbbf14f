"""What became of calls that got into trouble: how many came out of it, and by what.

A call got into trouble when an attempt of it failed. It came out of it when a later attempt succeeded, or a
fallback answered in its place; a call that ended in another status than OK did not. Calls that were refused
before an attempt count as not recovered too: their caller has no answer either.
"""

from __future__ import annotations

from dataclasses import dataclass

from seawall_control.domain.statistics import Counters

_OK = 0


@dataclass(frozen=True, slots=True)
class Recovery:
    """Numbers of calls and attempts, over one time."""

    retries: int
    """Further attempts after a failed one."""
    recovered: int
    """Calls that succeeded after more than one attempt."""
    hedges: int
    hedges_won: int
    fallbacks: int
    """Calls that a fallback answered."""
    failed: int
    """Calls that ended in another status than OK."""

    @property
    def successful(self) -> int:
        """Calls that came out of trouble."""
        return self.recovered + self.fallbacks

    @property
    def success_rate(self) -> float:
        """Share of calls in trouble that came out of it, 0 to 1; 1 when none was in trouble."""
        troubled = self.successful + self.failed
        return self.successful / troubled if troubled else 1.0


def recovery_of(counters: Counters) -> Recovery:
    """Return what counters say about recovery."""
    return Recovery(
        retries=counters.retries,
        recovered=counters.recovered,
        hedges=counters.hedges,
        hedges_won=counters.hedges_won,
        fallbacks=counters.fallbacks,
        failed=sum(counters.by_code) - (counters.by_code[_OK] if counters.by_code else 0),
    )
