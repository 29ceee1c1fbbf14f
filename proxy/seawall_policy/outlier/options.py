"""What counts as an outlier, and what happens to one.

Defaults of gRFC A50 and Envoy where they have any, except that intervals and ejections are ten and six times
shorter: a proxy that sees every attempt need not wait for ten seconds. Times are seconds, shares are 0 to 1.
"""

from __future__ import annotations

from typing import Final

from seawall_policy import status

ENFORCE: Final = 1
SHADOW: Final = 2
OFF: Final = 3
MODE_NAMES: Final[tuple[str, ...]] = ("", "enforce", "shadow", "off")

INTERVAL_S: Final = 1.0
CONSECUTIVE: Final = 5
EJECTION_S: Final = 5.0
MAX_EJECTION_S: Final = 300.0
JITTER: Final = 0.1
MAX_EJECTED: Final = 0.5
STDEV_FACTOR: Final = 1.9
FAILURE_THRESHOLD: Final = 0.85
RATE_MIN_CALLS: Final = 20
SHARE: Final = 0.3
MIN_CALLS: Final = 5
MAD_FACTOR: Final = 6.0
MIN_RATIO: Final = 3.0
MIN_EXCESS_S: Final = 0.02
SILENCE_S: Final = 0.2
FAILURE_MASK: Final = (
    1 << status.UNKNOWN
    | 1 << status.DEADLINE_EXCEEDED
    | 1 << status.INTERNAL
    | 1 << status.UNAVAILABLE
    | 1 << status.DATA_LOSS
)


class RateOptions:
    """One of the two algorithms of gRFC A50: `threshold` is the factor of the standard deviation, or the
    share of failures; raises ValueError for what is out of range.
    """

    def __init__(
        self, threshold: float, min_endpoints: int, min_calls: int = RATE_MIN_CALLS, enforcement: float = 1.0
    ) -> None:
        if not threshold > 0.0:
            raise ValueError(f"outlier: the threshold of a rate is {threshold}; use more than 0")
        if min_endpoints < 1 or min_calls < 1:
            raise ValueError("outlier: a rate needs at least one endpoint and one call")
        if not 0.0 <= enforcement <= 1.0:
            raise ValueError(f"outlier: enforcement is {enforcement}; use 0 to 1")
        self.threshold: float = threshold
        self.min_endpoints: int = min_endpoints
        self.min_calls: int = min_calls
        self.enforcement: float = enforcement

    def key(self) -> tuple[float, int, int, float]:
        """Return what two equal ones have in common."""
        return (self.threshold, self.min_endpoints, self.min_calls, self.enforcement)


class ShareOptions:
    """The sequential comparison of failures; raises ValueError for what is out of range."""

    def __init__(self, share: float = SHARE, min_calls: int = MIN_CALLS, enforcement: float = 1.0) -> None:
        if not 0.0 < share < 1.0:
            raise ValueError(f"outlier: the share of failures is {share}; use 0 to 1, neither of them")
        if min_calls < 1:
            raise ValueError(f"outlier: min_calls is {min_calls}; use 1 or more")
        if not 0.0 <= enforcement <= 1.0:
            raise ValueError(f"outlier: enforcement is {enforcement}; use 0 to 1")
        self.share: float = share
        self.min_calls: int = min_calls
        self.enforcement: float = enforcement

    def key(self) -> tuple[float, int, float]:
        """Return what two equal ones have in common."""
        return (self.share, self.min_calls, self.enforcement)


class LatencyOptions:
    """What is slow, and how much of it is too much; raises ValueError for what is out of range."""

    def __init__(
        self,
        mad_factor: float = MAD_FACTOR,
        share: float = SHARE,
        min_ratio: float = MIN_RATIO,
        min_excess_s: float = MIN_EXCESS_S,
        silence_s: float = SILENCE_S,
        min_calls: int = MIN_CALLS,
        mode: int = ENFORCE,
    ) -> None:
        if not mad_factor > 0.0 or not min_ratio >= 1.0 or not min_excess_s >= 0.0:
            raise ValueError("outlier: mad_factor is above 0, min_ratio 1 or more, min_excess 0 or more")
        if not 0.0 < share < 1.0:
            raise ValueError(f"outlier: the share of slow attempts is {share}; use 0 to 1, neither of them")
        if not silence_s > 0.0 or min_calls < 1:
            raise ValueError("outlier: silence is above 0, min_calls 1 or more")
        if mode not in (ENFORCE, SHADOW, OFF):
            raise ValueError(f"outlier: latency mode is {mode}; use ENFORCE, SHADOW or OFF")
        self.mad_factor: float = mad_factor
        self.share: float = share
        self.min_ratio: float = min_ratio
        self.min_excess_s: float = min_excess_s
        self.silence_s: float = silence_s
        self.min_calls: int = min_calls
        self.mode: int = mode

    def key(self) -> tuple[float, float, float, float, float, int, int]:
        """Return what two equal ones have in common."""
        return (
            self.mad_factor,
            self.share,
            self.min_ratio,
            self.min_excess_s,
            self.silence_s,
            self.min_calls,
            self.mode,
        )


class OutlierOptions:
    """Everything about one cluster; raises ValueError for what is out of range.

    `consecutive` and `consecutive_local` are numbers of failures in a row, 0 for never. The first ejection
    lasts `ejection_s`, the n-th in a row n times as long, `max_ejection_s` at most (or `ejection_s` where
    that is longer), and up to the share `jitter` longer. At most the share `max_ejected` of the endpoints is
    out at once, though one always may be.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - a record
        self,
        mode: int = ENFORCE,
        interval_s: float = INTERVAL_S,
        consecutive: int = CONSECUTIVE,
        consecutive_local: int = CONSECUTIVE,
        success_rate: RateOptions | None = None,
        failure_percentage: RateOptions | None = None,
        failure_share: ShareOptions | None = None,
        latency: LatencyOptions | None = None,
        ejection_s: float = EJECTION_S,
        max_ejection_s: float = MAX_EJECTION_S,
        jitter: float = JITTER,
        max_ejected: float = MAX_EJECTED,
        failure_mask: int = FAILURE_MASK,
        health_check_returns: bool = False,
    ) -> None:
        if mode not in (ENFORCE, SHADOW, OFF):
            raise ValueError(f"outlier: mode is {mode}; use ENFORCE, SHADOW or OFF")
        if not interval_s > 0.0 or not ejection_s > 0.0 or not max_ejection_s > 0.0:
            raise ValueError("outlier: interval, ejection and max_ejection are above 0")
        if consecutive < 0 or consecutive_local < 0:
            raise ValueError("outlier: numbers of failures in a row are 0 or more")
        if not 0.0 <= jitter <= 1.0 or not 0.0 <= max_ejected <= 1.0:
            raise ValueError("outlier: jitter and max_ejected are 0 to 1")
        self.mode: int = mode
        self.interval_s: float = interval_s
        self.consecutive: int = consecutive
        self.consecutive_local: int = consecutive_local
        self.success_rate: RateOptions | None = success_rate
        self.failure_percentage: RateOptions | None = failure_percentage
        self.failure_share: ShareOptions = ShareOptions() if failure_share is None else failure_share
        self.latency: LatencyOptions = LatencyOptions() if latency is None else latency
        self.ejection_s: float = ejection_s
        self.max_ejection_s: float = max_ejection_s
        self.jitter: float = jitter
        self.max_ejected: float = max_ejected
        self.failure_mask: int = failure_mask
        self.health_check_returns: bool = health_check_returns

    def most_out(self, members: int) -> int:
        """Return how many of so many members may be out at once: never the last one."""
        allowed = max(1, int(self.max_ejected * members + 1e-9))
        return min(allowed, members - 1)
