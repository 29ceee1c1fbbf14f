"""What a policy says about a limit, checked."""

from __future__ import annotations

from math import ceil
from typing import Final

from seawall_policy.call_key import CallKey

NONE: Final = 1
GRADIENT: Final = 2
VEGAS: Final = 3
GRADIENT2: Final = 4
AIMD: Final = 5
KNEE: Final = 6
KIND_NAMES: Final[tuple[str, ...]] = ("", "none", "gradient", "vegas", "gradient2", "aimd", "knee")
"""By the numbers of seawall.v1.LimitKind."""

ENFORCE: Final = 1
SHADOW: Final = 2
OFF: Final = 3

CRITICAL_PLUS: Final = 0
CRITICAL: Final = 1
SHEDDABLE_PLUS: Final = 2
SHEDDABLE: Final = 3
CLASSES: Final = 4
CLASS_NAMES: Final[tuple[str, ...]] = ("critical_plus", "critical", "sheddable_plus", "sheddable")
"""From the most to the least important, as callers write them."""
CLASS_BY_NAME: Final[dict[bytes, int]] = {
    name.encode("ascii"): number for number, name in enumerate(CLASS_NAMES)
}

MOST_PLACES: Final = 1_000_000
MOST_WAITING: Final = 100_000
MAX_TENANTS: Final = 1000
MOST_TENANTS: Final = 100_000
BROWNOUT: Final = 0.8
NO_SHARES: Final[tuple[float, ...]] = (0.0, 0.0, 0.0, 0.0)


class LimitOptions:
    """A limit's settings; times in seconds, shares from 0 to 1. Raises ValueError for what cannot be.

    `max_in_flight` is the limit itself for kind NONE and the ceiling of an adaptive one. `queue` calls may
    wait, each for `queue_timeout_s`; 0 refuses at once. `header` is the metadata key of the criticality
    (empty: none), `criticality` what a call without it is. With `fair` the calls of one key are a tenant's,
    and at most `max_tenants` (1 to 100000) are told apart. `brownout` is a share of the limit.
    """

    def __init__(  # noqa: PLR0913 - one keyword per setting
        self,
        *,
        kind: int = NONE,
        max_in_flight: int = 1000,
        min_in_flight: int = 4,
        initial: int = 100,
        queue: int = 0,
        queue_timeout_s: float = 0.1,
        header: bytes = b"",
        criticality: int = CRITICAL,
        shares: tuple[float, ...] = NO_SHARES,
        mode: int = ENFORCE,
        fair: CallKey | None = None,
        max_tenants: int = MAX_TENANTS,
        brownout: float = BROWNOUT,
    ) -> None:
        if not NONE <= kind <= KNEE:
            raise ValueError(f"limit: there is no kind {kind}")
        if not 1 <= max_in_flight <= MOST_PLACES:
            raise ValueError(f"limit: max_in_flight is {max_in_flight}; use 1 to {MOST_PLACES}")
        if not 1 <= min_in_flight <= MOST_PLACES:
            raise ValueError(f"limit: min_in_flight is {min_in_flight}; use 1 to {MOST_PLACES}")
        if not 1 <= initial <= MOST_PLACES:
            raise ValueError(f"limit: initial is {initial}; use 1 to {MOST_PLACES}")
        if not 0 <= queue <= MOST_WAITING:
            raise ValueError(f"limit: queue is {queue}; use 0 to {MOST_WAITING}")
        if not 0.001 <= queue_timeout_s <= 3600.0:
            raise ValueError(f"limit: queue_timeout_s is {queue_timeout_s}; use 0.001 to 3600")
        if not CRITICAL_PLUS <= criticality <= SHEDDABLE:
            raise ValueError(f"limit: there is no criticality {criticality}")
        if len(shares) != CLASSES or min(shares) < 0.0 or sum(shares) > 1.0 + 1e-9:
            raise ValueError("limit: shares are one for each class, together at most 1")
        if not ENFORCE <= mode <= OFF:
            raise ValueError(f"limit: there is no mode {mode}")
        if not 1 <= max_tenants <= MOST_TENANTS:
            raise ValueError(f"limit: max_tenants is {max_tenants}; use 1 to {MOST_TENANTS}")
        if not 0.0 <= brownout <= 1.0:
            raise ValueError(f"limit: brownout is {brownout}; use 0 to 1")
        self.kind: int = kind
        self.max_in_flight: int = max_in_flight
        self.min_in_flight: int = min(min_in_flight, max_in_flight)
        self.initial: int = max(min(initial, max_in_flight), self.min_in_flight)
        self.queue: int = queue
        self.queue_timeout_s: float = queue_timeout_s
        self.header: bytes = header
        self.criticality: int = criticality
        self.shares: tuple[float, ...] = shares
        self.mode: int = mode
        self.fair: CallKey | None = fair
        """What makes a tenant; None where all calls are alike."""
        self.max_tenants: int = max_tenants
        self.brownout: float = brownout
        """Share of the limit from which on optional calls are refused."""

    def key(self) -> tuple[int, int]:
        """Return what must stay equal for a limit to go on under changed settings."""
        return (self.kind, self.mode)

    def numbers(self) -> str:
        """Return what makes a limit in one word: those of one cluster that are equal in it are one.

        How a route tells the criticality of its calls, and when it lets go of optional ones, is the route's:
        classes share a limit, or they could not be weighed against each other.
        """
        fair = "" if self.fair is None else f"{self.fair.parts} {self.max_tenants}"
        return (
            f"{self.kind} {self.mode} {self.max_in_flight} {self.min_in_flight} {self.initial} {self.queue} "
            f"{self.queue_timeout_s} {self.shares} {fair}"
        )

    def sure_of(self, criticality: int, limit: int) -> int:
        """Return how many of `limit` places a class is sure of (Netflix: ceil of limit x share)."""
        share = self.shares[criticality]
        return ceil(limit * share) if share > 0.0 else 0
