"""The breaker of a policy: what a document says, checked, and what is allowed and probably not meant."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import inf

from seawall.v1 import policy_pb2
from seawall_policy import breaker
from seawall_policy.breaker import BreakerOptions
from seawall_policy.compile import codes
from seawall_policy.compile.routes import Place
from seawall_policy.compile.scope import Scope
from seawall_policy.suggest import quoted

MOST_JITTER = 0.9
"""Above this an open time may be a tenth of what was asked for, or nothing."""


def read_breaker(scope: Scope, policy: policy_pb2.Policy) -> BreakerOptions | None:
    """Return when to stop trying for a while; a policy without `breaker` never does."""
    if not policy.HasField("breaker"):
        return None
    scope = scope / "breaker"
    settings = policy.breaker
    kind, size = _read_window(scope / "window", settings.window)
    slow_s, slow_rate = _read_slow_call(scope / "slow_call", settings)
    ramp_s, ramp_from = _read_ramp(scope / "ramp", settings)
    return BreakerOptions(
        kind=kind,
        size=size,
        min_calls=(scope / "min_calls").integer(
            settings.min_calls if settings.HasField("min_calls") else None, 1, 100_000, 20
        ),
        failure_rate=(scope / "failure_rate").number(
            settings.failure_rate if settings.HasField("failure_rate") else None,
            0,
            100,
            50.0,
            above=True,
            unit=" %",
        ),
        consecutive=(scope / "consecutive").integer(
            settings.consecutive if settings.HasField("consecutive") else None, 0, 100_000, 0
        ),
        slow_call_duration_s=slow_s,
        slow_call_rate=slow_rate,
        open_for_s=(scope / "open_for").duration(
            settings.open_for if settings.HasField("open_for") else None, "10ms", "24h", 5.0
        ),
        open_for_max_s=(scope / "open_for_max").duration(
            settings.open_for_max if settings.HasField("open_for_max") else None, "10ms", "24h", 60.0
        ),
        open_multiplier=(scope / "open_multiplier").number(
            settings.open_multiplier if settings.HasField("open_multiplier") else None, 1, 10, 1.0
        ),
        open_jitter=(scope / "open_jitter").number(
            settings.open_jitter if settings.HasField("open_jitter") else None, 0, 1, 0.0
        ),
        half_open_calls=(scope / "half_open_calls").integer(
            settings.half_open_calls if settings.HasField("half_open_calls") else None, 1, 10_000, 5
        ),
        half_open_timeout_s=(scope / "half_open_timeout").duration(
            settings.half_open_timeout if settings.HasField("half_open_timeout") else None, "0s", "24h", 30.0
        ),
        success_threshold=(scope / "success_threshold").integer(
            settings.success_threshold if settings.HasField("success_threshold") else None, 1, 10_000, 3
        ),
        failure_mask=(scope / "failure_codes").status_mask(
            settings.failure_codes, breaker.DEFAULT_FAILURE_MASK
        ),
        mode=(scope / "mode").choice(settings.mode, policy_pb2.BreakerMode.values(), breaker.ENFORCE),
        scope=(scope / "per").choice(settings.per, policy_pb2.BreakerScope.values(), breaker.PER_ROUTE),
        ramp_for_s=ramp_s,
        ramp_from=ramp_from,
    )


def _read_window(scope: Scope, window: policy_pb2.Window) -> tuple[str, int]:
    kind = (scope / "kind").choice(window.kind, policy_pb2.WindowKind.values(), policy_pb2.WINDOW_KIND_COUNT)
    size = (scope / "size").integer(window.size if window.HasField("size") else None, 1, 100_000, 100)
    seconds = (scope / "duration").duration(
        window.duration if window.HasField("duration") else None, "1s", "1h", 10.0
    )
    if seconds != int(seconds):
        (scope / "duration").error(
            codes.OUT_OF_RANGE, "must be whole seconds; the window is kept second by second"
        )
    if kind == policy_pb2.WINDOW_KIND_TIME:
        return "time", int(seconds)
    return "count", size


def _read_slow_call(scope: Scope, settings: policy_pb2.Breaker) -> tuple[float, float]:
    if not settings.HasField("slow_call"):
        return inf, 100.0
    slow = settings.slow_call
    duration_s = (scope / "duration").duration(
        slow.duration if slow.HasField("duration") else None, "1ms", "24h", inf
    )
    rate = (scope / "rate").number(
        slow.rate if slow.HasField("rate") else None, 0, 100, 100.0, above=True, unit=" %"
    )
    return duration_s, rate


def _read_ramp(scope: Scope, settings: policy_pb2.Breaker) -> tuple[float, float]:
    if not settings.HasField("ramp"):
        return 0.0, 10.0
    ramp = settings.ramp
    duration_s = (scope / "duration").duration(
        ramp.duration if ramp.HasField("duration") else None, "100ms", "1h", 10.0
    )
    first = getattr(ramp, "from") if ramp.HasField("from") else None
    return duration_s, (scope / "from").number(first, 1, 100, 10.0, unit=" %")


def lint_breaker(scope: Scope, own: policy_pb2.Breaker, merged: policy_pb2.Breaker) -> None:
    """Warn about settings of a breaker; quiet about what the policy does not say itself."""
    if own.HasField("open_jitter") and MOST_JITTER < own.open_jitter <= 1:
        (scope / "open_jitter").warn(
            codes.JITTER_TO_NOTHING,
            f"{own.open_jitter:g} lets an open time be as short as {1 - own.open_jitter:.0%} of open_for; "
            "0.2 to 0.5 spreads enough",
        )
    if own.HasField("ramp") and merged.mode in (
        policy_pb2.BREAKER_MODE_METRICS_ONLY,
        policy_pb2.BREAKER_MODE_OFF,
    ):
        (scope / "ramp").warn(
            codes.NO_EFFECT, "a breaker that never opens has nothing to recover from; remove it"
        )


def lint_breaker_scopes(
    places: Sequence[Place], own: Collection[str], clusters: Sequence[policy_pb2.Cluster]
) -> None:
    """Warn about routes whose endpoints have breakers that do not fit their clusters."""
    by_name: Mapping[str, policy_pb2.Cluster] = {cluster.name: cluster for cluster in clusters}
    for place in places:
        options = place.route.policy.breaker
        if options is None or options.scope != breaker.PER_ENDPOINT or place.route.policy.name not in own:
            continue
        for name, _ in place.route.backends:
            cluster = by_name.get(name)
            if cluster is None:
                continue
            if cluster.HasField("outlier"):
                (place.scope / "policy").warn(
                    codes.WATCHED_TWICE,
                    f"the breakers of policy {quoted(place.route.policy.name)} and the outlier detection of "
                    f"cluster {quoted(name)} both take endpoints out; keep one of them",
                )
            elif len(cluster.endpoints) == 1:
                (place.scope / "policy").warn(
                    codes.ONE_ENDPOINT,
                    f"cluster {quoted(name)} has one endpoint, so its breaker is the route's; write "
                    "`per: route`",
                )
