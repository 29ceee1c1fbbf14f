"""Reading when to hedge, and how the time of a call is spent."""

from __future__ import annotations

from seawall.v1 import policy_pb2
from seawall_policy import deadline, hedge, status
from seawall_policy.compile import codes
from seawall_policy.compile.scope import Scope
from seawall_policy.deadline import DeadlineOptions
from seawall_policy.hedge import HedgeOptions


def read_hedge(scope: Scope, policy: policy_pb2.Policy) -> HedgeOptions | None:
    """Return when to hedge; a policy without `hedge`, or with one that is off, never does."""
    if not policy.HasField("hedge"):
        return None
    scope = scope / "hedge"
    settings = policy.hedge
    mode = (scope / "mode").choice(settings.mode, policy_pb2.Mode.values(), hedge.ENFORCE)
    fixed = settings.HasField("delay")
    observed = settings.HasField("percentile")
    if fixed and observed:
        (scope / "delay").error(
            codes.EXCLUSIVE, "a hedge waits for `delay` or for `percentile`; remove one of the two"
        )
    percent = (scope / "percentile").number(
        settings.percentile if observed else None, 50, 99.9, 95.0, unit=" %"
    )
    options = HedgeOptions(
        delay_s=(scope / "delay").duration(settings.delay if fixed else None, "0s", "1h", 0.0),
        quantile=percent / 100.0 if observed and not fixed else 0.0,
        min_delay_s=(scope / "min_delay").duration(
            settings.min_delay if settings.HasField("min_delay") else None, "1ms", "1h", 0.001
        ),
        max_attempts=(scope / "max_attempts").integer(
            settings.max_attempts if settings.HasField("max_attempts") else None, 2, 5, 2
        ),
        budget_percent=(scope / "budget").number(
            settings.budget if settings.HasField("budget") else None, 0, 100, 10.0, unit=" %"
        ),
        non_fatal=(scope / "non_fatal_codes").status_mask(settings.non_fatal_codes, 1 << status.UNAVAILABLE),
        only_idempotent=settings.only_idempotent if settings.HasField("only_idempotent") else True,
        mode=mode if mode == hedge.SHADOW else hedge.ENFORCE,
    )
    return None if mode == hedge.OFF else options


def read_deadline(scope: Scope, policy: policy_pb2.Policy) -> DeadlineOptions:
    """Return how the time of a call is spent; without settings hopeless calls are counted, and no more."""
    scope = scope / "deadline"
    settings = policy.deadline
    return DeadlineOptions(
        (scope / "margin").duration(
            settings.margin if settings.HasField("margin") else None, "0s", "10s", 0.0
        ),
        (scope / "hopeless").choice(settings.hopeless, policy_pb2.Mode.values(), deadline.SHADOW),
        (scope / "max_refused").number(
            settings.max_refused if settings.HasField("max_refused") else None, 0, 100, 20.0, unit=" %"
        ),
    )
