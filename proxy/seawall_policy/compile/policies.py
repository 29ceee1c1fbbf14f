"""Reading the numbers of a policy: ranges, defaults, and what the data path needs of them."""

from __future__ import annotations

from math import inf

from seawall.v1 import policy_pb2
from seawall_policy import breaker
from seawall_policy.breaker import BreakerOptions
from seawall_policy.classify import Classifier
from seawall_policy.compile import codes
from seawall_policy.compile.scope import Scope


def read_timeouts(scope: Scope, policy: policy_pb2.Policy) -> tuple[float, float]:
    """Return the total and the per-try timeout in seconds, infinity where there is none."""
    total = (scope / "timeout").duration(
        policy.timeout if policy.HasField("timeout") else None, "1ms", "24h", inf
    )
    each = (scope / "per_try_timeout").duration(
        policy.per_try_timeout if policy.HasField("per_try_timeout") else None, "1ms", "24h", inf
    )
    return total, each


def read_breaker(scope: Scope, policy: policy_pb2.Policy) -> BreakerOptions | None:
    """Return when to stop trying for a while; a policy without `breaker` never does."""
    if not policy.HasField("breaker"):
        return None
    scope = scope / "breaker"
    settings = policy.breaker
    kind, size = _read_window(scope / "window", settings.window)
    slow_s, slow_rate = _read_slow_call(scope / "slow_call", settings)
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


def read_classifier(scope: Scope, policy: policy_pb2.Policy) -> Classifier:
    """Return the category and strategy of every status code."""
    overrides: dict[int, tuple[int, int]] = {}
    for index, entry in enumerate(policy.classify):
        place = (scope / "classify").at(index)
        if not entry.code:
            (place / "code").error(codes.MISSING, "name the status code, such as `code: RESOURCE_EXHAUSTED`")
            continue
        code = (place / "code").status_code(entry.code)
        category = (place / "category").choice(entry.category, policy_pb2.Category.values(), 0)
        strategy = (place / "strategy").choice(entry.strategy, policy_pb2.Strategy.values(), 0)
        if not entry.category and not entry.strategy:
            place.error(codes.MISSING, "say what to change: `category`, `strategy`, or both")
        if code in overrides:
            (place / "code").error(
                codes.DUPLICATE_NAME, f"{entry.code} is classified twice; keep one of the two"
            )
        if code >= 0:
            overrides[code] = (category, strategy)
    return Classifier(overrides)
