"""The life of an ejection: how long it lasts, and what is told about it."""

from __future__ import annotations

from typing import Final

from seawall_policy.outlier.options import OutlierOptions

# Why an endpoint is an outlier.
CONSECUTIVE: Final = "consecutive"
CONSECUTIVE_LOCAL: Final = "consecutive_local"
FAILURE_SHARE: Final = "failure_share"
LATENCY: Final = "latency"
SILENCE: Final = "silence"
SUCCESS_RATE: Final = "success_rate"
FAILURE_PERCENTAGE: Final = "failure_percentage"
SIBLING: Final = "sibling"
REASONS: Final[dict[str, str]] = {
    CONSECUTIVE: "so many attempts in a row failed",
    CONSECUTIVE_LOCAL: "so many times in a row no connection could be had, or it was lost",
    FAILURE_SHARE: "a far larger share of its attempts failed than of the others'",
    LATENCY: "far more of its attempts were slow than of the others'",
    SILENCE: "it answered nothing while the others did",
    SUCCESS_RATE: "its share of success was too far below the mean",
    FAILURE_PERCENTAGE: "too large a share of its attempts failed",
    SIBLING: "another worker of this proxy ejected it",
}

# Why an outlier was not ejected.
OVERFLOW: Final = "max_ejection_overflow"
NOT_DRAWN: Final = "enforcement_percentage"
IN_SHADOW: Final = "shadow"
UNENFORCED: Final[dict[str, str]] = {
    OVERFLOW: "as many endpoints as may be were out already, or it was the last one",
    NOT_DRAWN: "the draw for `enforcement` said no",
    IN_SHADOW: "the mode is `shadow`",
}

# Why an ejection has ended.
TIME_IS_UP: Final = "time"
HEALTH_CHECK: Final = "health_check"
SWITCHED_OFF: Final = "policy"

EJECTED: Final = 1
RETURNED: Final = 2
SPARED: Final = 3


class Verdict:
    """One ejection, return, or outlier that was not ejected."""

    def __init__(
        self,
        kind: int,
        index: int,
        address: str,
        reason: str,
        at: float,
        until: float,
        times_out: int,
        why: str,
    ) -> None:
        self.kind: int = kind
        """EJECTED, RETURNED or SPARED."""
        self.index: int = index
        self.address: str = address
        self.reason: str = reason
        """Why it is, or was, an outlier."""
        self.at: float = at
        self.until: float = until
        """When the ejection ends; 0 for the others."""
        self.times_out: int = times_out
        """Ejections in a row, this one included."""
        self.why: str = why
        """Why it was spared, or why it is back; empty for an ejection."""


def ejection_s(times_out: int, options: OutlierOptions, draw: float) -> float:
    """Return how long the n-th ejection in a row lasts: min(n x ejection, max(ejection, max_ejection)), and
    up to the share `jitter` longer, by a draw in [0, 1). Source: gRFC A50; Envoy (jitter).
    """
    longest = max(options.ejection_s, options.max_ejection_s)
    return min(options.ejection_s * times_out, longest) * (1.0 + options.jitter * draw)
