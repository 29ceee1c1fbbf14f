"""Reading the numbers of a policy: ranges, defaults, and what the data path needs of them."""

from __future__ import annotations

from math import inf
from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy import retry
from seawall_policy.budget import BudgetOptions
from seawall_policy.classify import Classifier
from seawall_policy.compile import codes
from seawall_policy.compile.scope import Scope
from seawall_policy.retry import RetryOptions

_DEFAULT_RETRY: Final = RetryOptions()


def read_timeouts(scope: Scope, policy: policy_pb2.Policy) -> tuple[float, float]:
    """Return the total and the per-try timeout in seconds, infinity where there is none."""
    total = (scope / "timeout").duration(
        policy.timeout if policy.HasField("timeout") else None, "1ms", "24h", inf
    )
    each = (scope / "per_try_timeout").duration(
        policy.per_try_timeout if policy.HasField("per_try_timeout") else None, "1ms", "24h", inf
    )
    return total, each


def read_retry(scope: Scope, policy: policy_pb2.Policy) -> RetryOptions:
    """Return when to try again; a policy without `retry` never does."""
    if not policy.HasField("retry"):
        return _DEFAULT_RETRY
    scope = scope / "retry"
    settings = policy.retry
    shape = settings.backoff
    place = scope / "backoff"
    kind = (place / "kind").choice(shape.kind, policy_pb2.BackoffKind.values(), retry.EXPONENTIAL)
    return RetryOptions(
        max_attempts=(scope / "max_attempts").integer(
            settings.max_attempts if settings.HasField("max_attempts") else None, 1, retry.MAX_ATTEMPTS, 1
        ),
        codes=(scope / "codes").status_mask(settings.codes, _DEFAULT_RETRY.codes),
        kind=retry.BACKOFF_NAMES[kind],
        initial_s=(place / "initial").duration(
            shape.initial if shape.HasField("initial") else None, "0s", "1h", _DEFAULT_RETRY.initial_s
        ),
        multiplier=(place / "multiplier").number(
            shape.multiplier if shape.HasField("multiplier") else None, 1, 100, _DEFAULT_RETRY.multiplier
        ),
        max_s=(place / "max").duration(
            shape.max if shape.HasField("max") else None, "0s", "1h", _DEFAULT_RETRY.max_s
        ),
        jitter=(place / "jitter").number(
            shape.jitter if shape.HasField("jitter") else None, 0, 1, _DEFAULT_RETRY.jitter
        ),
        only_idempotent=settings.only_idempotent if settings.HasField("only_idempotent") else True,
        budget=_read_budget(scope / "budget", settings.budget),
    )


def _read_budget(scope: Scope, budget: policy_pb2.Budget) -> BudgetOptions:
    """Return the limit on retries; there is always one, because unlimited retries are what turns a fault
    into an outage.
    """
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
    )


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
