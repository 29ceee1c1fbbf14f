"""Reading when to try again: presets, waits, budget, throttle and classes."""

from __future__ import annotations

import re
from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy import retry
from seawall_policy.budget import BudgetOptions, ThrottleOptions
from seawall_policy.compile import codes
from seawall_policy.compile.scope import Scope
from seawall_policy.retry import RetryClass, RetryOptions
from seawall_policy.suggest import quoted

MAX_CLASSES: Final = 20

_DEFAULT_RETRY: Final = RetryOptions()
_REASON: Final = re.compile(r"[A-Z][A-Z0-9_]{0,61}[A-Z0-9]|[A-Z]")
"""As AIP-193 has reasons: upper case, at most 63 characters."""

_MS: Final = 1_000_000
_SECOND: Final = 1000

_Kind = policy_pb2.BackoffKind
_Jitter = policy_pb2.JitterKind


def _preset(
    attempts: int,
    names: tuple[str, ...],
    kind: _Kind,
    initial_ms: int,
    max_ms: int,
    jitter: _Jitter = policy_pb2.JITTER_KIND_SPREAD,
) -> policy_pb2.Retry:
    settings = policy_pb2.Retry(max_attempts=attempts, codes=names)
    settings.backoff.kind = kind
    settings.backoff.initial.FromNanoseconds(initial_ms * _MS)
    settings.backoff.max.FromNanoseconds(max_ms * _MS)
    settings.backoff.jitter_kind = jitter
    return settings


PRESETS: Final[dict[int, policy_pb2.Retry]] = {
    # Passes over one endpoint that is away, in less time than a person notices.
    policy_pb2.RETRY_PRESET_QUICK: _preset(
        3, ("UNAVAILABLE",), policy_pb2.BACKOFF_KIND_EXPONENTIAL, 25, _SECOND
    ),
    # 1, 2, 4 s, as in many a wrapper function: the waits can be read off the clock.
    policy_pb2.RETRY_PRESET_CLASSIC: _preset(
        4,
        ("UNAVAILABLE",),
        policy_pb2.BACKOFF_KIND_EXPONENTIAL,
        1 * _SECOND,
        4 * _SECOND,
        policy_pb2.JITTER_KIND_NONE,
    ),
    # For jobs: waits out a restart, and full jitter keeps a thousand of them apart (AWS, 2015).
    policy_pb2.RETRY_PRESET_PATIENT: _preset(
        5,
        ("UNAVAILABLE",),
        policy_pb2.BACKOFF_KIND_EXPONENTIAL,
        1 * _SECOND,
        30 * _SECOND,
        policy_pb2.JITTER_KIND_FULL,
    ),
    # A network that is away for seconds: the first try is soon, the last one late.
    policy_pb2.RETRY_PRESET_NETWORK: _preset(
        5, ("UNAVAILABLE",), policy_pb2.BACKOFF_KIND_EXPONENTIAL, 100, 5 * _SECOND
    ),
    # Two that have met in a conflict must not meet again: decorrelated waits.
    policy_pb2.RETRY_PRESET_DATABASE: _preset(
        3, ("ABORTED", "UNAVAILABLE"), policy_pb2.BACKOFF_KIND_DECORRELATED, 50, 2 * _SECOND
    ),
    # What is used up comes back with time, not with urgency.
    policy_pb2.RETRY_PRESET_RESOURCE: _preset(
        4, ("RESOURCE_EXHAUSTED",), policy_pb2.BACKOFF_KIND_LINEAR, 1 * _SECOND, 10 * _SECOND
    ),
}
"""What a preset stands for; what is set beside it wins."""


def with_preset(settings: policy_pb2.Retry) -> policy_pb2.Retry:
    """Return the settings with those of their preset where they are silent."""
    preset = PRESETS.get(settings.preset)
    if preset is None:
        return settings
    whole = policy_pb2.Retry()
    whole.CopyFrom(preset)
    if settings.codes:
        whole.ClearField("codes")
    for part in ("initial", "max"):
        # A message that is merged keeps the nanoseconds that the other one leaves at zero.
        if settings.backoff.HasField(part):
            whole.backoff.ClearField(part)
    whole.MergeFrom(settings)
    return whole


def read_retry(scope: Scope, policy: policy_pb2.Policy) -> RetryOptions:
    """Return when to try again; a policy without `retry` never does."""
    if not policy.HasField("retry"):
        return _DEFAULT_RETRY
    scope = scope / "retry"
    own = policy.retry
    (scope / "preset").choice(own.preset, policy_pb2.RetryPreset.values(), 0)
    settings = with_preset(own)
    attempts = (scope / "max_attempts").integer(
        settings.max_attempts if settings.HasField("max_attempts") else None, 1, retry.MAX_ATTEMPTS, 1
    )
    mask = (scope / "codes").status_mask(settings.codes, _DEFAULT_RETRY.codes)
    only_idempotent = settings.only_idempotent if settings.HasField("only_idempotent") else True
    retry_info = settings.retry_info if settings.HasField("retry_info") else True
    budget = _read_budget(scope / "budget", settings.budget)
    throttle = _read_throttle(scope / "throttle", settings)
    plain = _options(scope / "backoff", settings.backoff, attempts, mask, only_idempotent, None)
    classes = _read_classes(scope / "classes", settings, plain)
    return RetryOptions(
        max_attempts=plain.max_attempts,
        codes=plain.codes,
        kind=retry.BACKOFF_NAMES[plain.kind],
        initial_s=plain.initial_s,
        multiplier=plain.multiplier,
        max_s=plain.max_s,
        jitter=plain.jitter,
        jitter_kind=retry.JITTER_NAMES[plain.jitter_kind],
        only_idempotent=only_idempotent,
        budget=budget,
        throttle=throttle,
        classes=classes,
        retry_info=retry_info,
    )


def _options(
    place: Scope,
    shape: policy_pb2.Backoff,
    attempts: int,
    mask: int,
    only_idempotent: bool,
    base: RetryOptions | None,
) -> RetryOptions:
    """Return options with the waits of `shape`, and those of `base` where it is silent."""
    base = _DEFAULT_RETRY if base is None else base
    kind = (place / "kind").choice(shape.kind, policy_pb2.BackoffKind.values(), base.kind)
    spread = (place / "jitter_kind").choice(
        shape.jitter_kind, policy_pb2.JitterKind.values(), base.jitter_kind
    )
    return RetryOptions(
        max_attempts=attempts,
        codes=mask,
        kind=retry.BACKOFF_NAMES[kind],
        initial_s=(place / "initial").duration(
            shape.initial if shape.HasField("initial") else None, "0s", "1h", base.initial_s
        ),
        multiplier=(place / "multiplier").number(
            shape.multiplier if shape.HasField("multiplier") else None, 1, 100, base.multiplier
        ),
        max_s=(place / "max").duration(shape.max if shape.HasField("max") else None, "0s", "1h", base.max_s),
        jitter=(place / "jitter").number(
            shape.jitter if shape.HasField("jitter") else None, 0, 1, base.jitter
        ),
        jitter_kind=retry.JITTER_NAMES[spread],
        only_idempotent=only_idempotent,
    )


def _read_budget(scope: Scope, budget: policy_pb2.Budget) -> BudgetOptions:
    """Return the limit on retries; there is always one, because unlimited retries are what turns a fault
    into an outage.
    """
    kind = (scope / "kind").choice(budget.kind, policy_pb2.BudgetKind.values(), policy_pb2.BUDGET_KIND_RATE)
    return BudgetOptions(
        percent=(scope / "percent").number(
            budget.percent if budget.HasField("percent") else None, 0, 100, 20.0, unit=" %"
        ),
        min_per_second=(scope / "min_per_second").number(
            budget.min_per_second if budget.HasField("min_per_second") else None, 0, 1_000_000, 10.0
        ),
        interval_s=(scope / "interval").duration(
            budget.interval if budget.HasField("interval") else None, "1s", "1h", 10.0
        ),
        concurrent=kind == policy_pb2.BUDGET_KIND_CONCURRENCY,
        min_concurrent=(scope / "min_concurrent").integer(
            budget.min_concurrent if budget.HasField("min_concurrent") else None, 0, 1000, 3
        ),
    )


def _read_throttle(scope: Scope, settings: policy_pb2.Retry) -> ThrottleOptions | None:
    if not settings.HasField("throttle"):
        return None
    throttle = settings.throttle
    return ThrottleOptions(
        (scope / "max_tokens").number(
            throttle.max_tokens if throttle.HasField("max_tokens") else None, 0, 1000, 10.0, above=True
        ),
        (scope / "token_ratio").number(
            throttle.token_ratio if throttle.HasField("token_ratio") else None, 0.001, 1000, 0.1
        ),
    )


def _read_classes(scope: Scope, settings: policy_pb2.Retry, plain: RetryOptions) -> tuple[RetryClass, ...]:
    if len(settings.classes) > MAX_CLASSES:
        scope.error(codes.TOO_MANY, f"has {len(settings.classes)} classes; at most {MAX_CLASSES} are allowed")
        return ()
    classes: list[RetryClass] = []
    names: set[str] = set()
    for index, entry in enumerate(settings.classes):
        place = scope.at(index)
        if not entry.name:
            (place / "name").error(codes.MISSING, "give the class a name, such as `name: network`")
        elif entry.name in names:
            (place / "name").error(
                codes.DUPLICATE_NAME, f"{quoted(entry.name)} is the name of two classes; rename one"
            )
        names.add(entry.name)
        mask = (place / "codes").status_mask(entry.codes, 0)
        reasons = _read_reasons(place / "reasons", entry)
        category = (place / "category").choice(entry.category, policy_pb2.Category.values(), 0)
        if not entry.codes and not entry.reasons and not entry.category:
            place.error(codes.MISSING, "say which failures belong to it: `codes`, `reasons` or `category`")
        attempts = (place / "max_attempts").integer(
            entry.max_attempts if entry.HasField("max_attempts") else None,
            1,
            retry.MAX_ATTEMPTS,
            plain.max_attempts,
        )
        options = _options(
            place / "backoff", entry.backoff, attempts, plain.codes, plain.only_idempotent, plain
        )
        classes.append(RetryClass(entry.name, mask, reasons, category, options))
    return tuple(classes)


def _read_reasons(scope: Scope, entry: policy_pb2.RetryClass) -> frozenset[str]:
    for index, reason in enumerate(entry.reasons):
        if not _REASON.fullmatch(reason):
            scope.at(index).error(
                codes.BAD_REASON,
                f"{quoted(reason)} is no reason; they are written like QUOTA_EXCEEDED or UPSTREAM_RESET",
            )
    return frozenset(entry.reasons)
