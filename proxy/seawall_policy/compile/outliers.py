"""Reading outlier detection."""

from __future__ import annotations

from math import sqrt
from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy import status
from seawall_policy.compile import codes
from seawall_policy.compile.scope import Scope
from seawall_policy.outlier import options as defaults
from seawall_policy.outlier.options import LatencyOptions, OutlierOptions, RateOptions, ShareOptions

_MODES = policy_pb2.Mode.values()
A50_ENDPOINTS: Final = 5
FAILURE_ENDPOINTS: Final = 3


def read_outlier(scope: Scope, cluster: policy_pb2.Cluster) -> OutlierOptions | None:
    """Return how endpoints are compared, which is the default too; None when they are not."""
    own = cluster.outlier
    mode = (scope / "mode").choice(own.mode, _MODES, defaults.ENFORCE)
    options = OutlierOptions(
        mode,
        (scope / "interval").duration(
            own.interval if own.HasField("interval") else None, "100ms", "1h", defaults.INTERVAL_S
        ),
        _run(scope / "consecutive", own.consecutive if own.HasField("consecutive") else None),
        _run(
            scope / "consecutive_local", own.consecutive_local if own.HasField("consecutive_local") else None
        ),
        _read_success_rate(scope / "success_rate", own) if own.HasField("success_rate") else None,
        _read_failures(scope / "failure_percentage", own) if own.HasField("failure_percentage") else None,
        _read_share(scope / "failure_share", own.failure_share),
        _read_latency(scope / "latency", own.latency),
        (scope / "ejection").duration(
            own.ejection if own.HasField("ejection") else None, "100ms", "24h", defaults.EJECTION_S
        ),
        (scope / "max_ejection").duration(
            own.max_ejection if own.HasField("max_ejection") else None,
            "100ms",
            "24h",
            defaults.MAX_EJECTION_S,
        ),
        (scope / "jitter").number(own.jitter if own.HasField("jitter") else None, 0.0, 1.0, defaults.JITTER),
        _percent(scope / "max_ejected", own.max_ejected if own.HasField("max_ejected") else None, 50.0),
        (scope / "failure_codes").status_mask(own.failure_codes, defaults.FAILURE_MASK),
        own.health_check_returns,
    )
    if cluster.HasField("outlier"):
        _lint(scope, cluster, options)
    return None if mode == defaults.OFF else options


def _run(scope: Scope, value: int | None) -> int:
    return scope.integer(value, 0, 1000, defaults.CONSECUTIVE)


def _percent(scope: Scope, value: float | None, default: float, *, above: bool = False) -> float:
    return scope.number(value, 0.0, 100.0, default, above=above, unit="%") / 100.0


def _read_success_rate(scope: Scope, outlier: policy_pb2.Outlier) -> RateOptions:
    own = outlier.success_rate
    return RateOptions(
        (scope / "stdev_factor").number(
            own.stdev_factor if own.HasField("stdev_factor") else None,
            0.0,
            100.0,
            defaults.STDEV_FACTOR,
            above=True,
        ),
        (scope / "min_endpoints").integer(
            own.min_endpoints if own.HasField("min_endpoints") else None, 2, 1000, A50_ENDPOINTS
        ),
        (scope / "min_calls").integer(
            own.min_calls if own.HasField("min_calls") else None, 1, 100_000, defaults.RATE_MIN_CALLS
        ),
        _percent(scope / "enforcement", own.enforcement if own.HasField("enforcement") else None, 100.0),
    )


def _read_failures(scope: Scope, outlier: policy_pb2.Outlier) -> RateOptions:
    own = outlier.failure_percentage
    return RateOptions(
        _percent(
            scope / "threshold",
            own.threshold if own.HasField("threshold") else None,
            100.0 * defaults.FAILURE_THRESHOLD,
            above=True,
        ),
        (scope / "min_endpoints").integer(
            own.min_endpoints if own.HasField("min_endpoints") else None, 1, 1000, FAILURE_ENDPOINTS
        ),
        (scope / "min_calls").integer(
            own.min_calls if own.HasField("min_calls") else None, 1, 100_000, defaults.RATE_MIN_CALLS
        ),
        _percent(scope / "enforcement", own.enforcement if own.HasField("enforcement") else None, 100.0),
    )


def _share(scope: Scope, value: float | None) -> float:
    return scope.number(value, 5.0, 90.0, 100.0 * defaults.SHARE, unit="%") / 100.0


def _read_share(scope: Scope, own: policy_pb2.FailureShareOutlier) -> ShareOptions:
    return ShareOptions(
        _share(scope / "share", own.share if own.HasField("share") else None),
        (scope / "min_calls").integer(
            own.min_calls if own.HasField("min_calls") else None, 1, 100_000, defaults.MIN_CALLS
        ),
        _percent(scope / "enforcement", own.enforcement if own.HasField("enforcement") else None, 100.0),
    )


def _read_latency(scope: Scope, own: policy_pb2.LatencyOutlier) -> LatencyOptions:
    return LatencyOptions(
        (scope / "mad_factor").number(
            own.mad_factor if own.HasField("mad_factor") else None,
            0.0,
            1000.0,
            defaults.MAD_FACTOR,
            above=True,
        ),
        _share(scope / "share", own.share if own.HasField("share") else None),
        (scope / "min_ratio").number(
            own.min_ratio if own.HasField("min_ratio") else None, 1.0, 1000.0, defaults.MIN_RATIO
        ),
        (scope / "min_excess").duration(
            own.min_excess if own.HasField("min_excess") else None, "0s", "1h", defaults.MIN_EXCESS_S
        ),
        (scope / "silence").duration(
            own.silence if own.HasField("silence") else None, "10ms", "1h", defaults.SILENCE_S
        ),
        (scope / "min_calls").integer(
            own.min_calls if own.HasField("min_calls") else None, 1, 100_000, defaults.MIN_CALLS
        ),
        (scope / "mode").choice(own.mode, _MODES, defaults.ENFORCE),
    )


def _lint(scope: Scope, cluster: policy_pb2.Cluster, options: OutlierOptions) -> None:
    own = cluster.outlier
    given = [field.name for field, _ in own.ListFields() if field.name != "mode"]
    if options.mode == defaults.OFF:
        if given:
            (scope / given[0]).warn(codes.NO_EFFECT, f"{', '.join(given)} without effect: mode is off")
        return
    if not cluster.target and len(cluster.endpoints) == 1:
        scope.warn(
            codes.NOTHING_TO_COMPARE,
            "the cluster has one endpoint, and the last one is never ejected; add another or remove this",
        )
    rates = options.success_rate
    if rates is not None and rates.threshold >= sqrt(rates.min_endpoints - 1):
        (scope / "success_rate").warn(
            codes.NEVER_SO_FAR,
            f"no endpoint of {rates.min_endpoints} can be {rates.threshold:g} standard deviations below the "
            f"mean; the farthest is {sqrt(rates.min_endpoints - 1):.2f}. Lower stdev_factor, or leave "
            "the comparison to failure_share",
        )
    for index, name in enumerate(own.failure_codes):
        number = status.CODE_BY_NAME.get(name, 0)
        if number and status.CLIENT_FAULTS >> number & 1:
            (scope / "failure_codes").at(index).warn(
                codes.EJECTS_FOR_CLIENT_FAULT,
                f"{name} is the caller's doing; counting it lets one caller eject endpoints, remove it",
            )
    if own.HasField("max_ejection") and options.max_ejection_s < options.ejection_s:
        (scope / "max_ejection").warn(
            codes.NO_EFFECT, "max_ejection is shorter than ejection, which is then the ceiling"
        )
    if options.health_check_returns and not cluster.HasField("health_check"):
        (scope / "health_check_returns").warn(
            codes.NO_EFFECT, "nobody checks the endpoints; add `health_check: {}` to the cluster"
        )


def read_per_endpoint(scope: Scope, cluster: policy_pb2.Cluster, max_in_flight: int) -> int:
    """Return how many attempts one endpoint may have in flight; 0 for any number."""
    if not cluster.HasField("max_in_flight_per_endpoint"):
        return 0
    most = scope.integer(cluster.max_in_flight_per_endpoint, 1, 1_000_000, 0)
    if most > max_in_flight:
        scope.warn(
            codes.NO_EFFECT,
            f"{most} is more than max_in_flight of the whole cluster, which is {max_in_flight}",
        )
    return most
