"""The numbers of a policy: ranges, defaults, and where they end up."""

from __future__ import annotations

from math import inf

import pytest

from seawall_policy import breaker, retry, status
from seawall_policy.breaker import BreakerOptions
from seawall_policy.model import Policy
from seawall_policy.retry import RetryOptions
from tests.unit.compile.samples import errors, policy_of

DAY = 86400.0


def good(settings: str) -> Policy:
    """Return the policy that these settings compile to."""
    result = policy_of(settings)
    assert result.snapshot is not None, result.violations
    return result.snapshot.routes[0].policy


def retry_of(settings: str) -> RetryOptions:
    """Return the compiled `retry` of a policy."""
    return good(f"{{retry: {settings}}}").retry


def breaker_of(settings: str) -> BreakerOptions:
    """Return the compiled `breaker` of a policy."""
    options = good(f"{{breaker: {settings}}}").breaker
    assert options is not None
    return options


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ("{timeout: 999us}", "timeout"),
        ("{timeout: 24h1ms}", "timeout"),
        ("{per_try_timeout: 0s}", "per_try_timeout"),
        ("{retry: {max_attempts: 0}}", "retry.max_attempts"),
        ("{retry: {max_attempts: 6}}", "retry.max_attempts"),
        ("{retry: {backoff: {initial: 61m}}}", "retry.backoff.initial"),
        ("{retry: {backoff: {max: 61m}}}", "retry.backoff.max"),
        ("{retry: {backoff: {multiplier: 0.9}}}", "retry.backoff.multiplier"),
        ("{retry: {backoff: {multiplier: 101}}}", "retry.backoff.multiplier"),
        ("{retry: {backoff: {jitter: 1.1}}}", "retry.backoff.jitter"),
        ("{retry: {backoff: {jitter: -0.1}}}", "retry.backoff.jitter"),
        ("{retry: {budget: {percent: 101%}}}", "retry.budget.percent"),
        ("{retry: {budget: {percent: -1}}}", "retry.budget.percent"),
        ("{retry: {budget: {min_per_second: -1}}}", "retry.budget.min_per_second"),
        ("{retry: {budget: {interval: 999ms}}}", "retry.budget.interval"),
        ("{retry: {budget: {interval: 61m}}}", "retry.budget.interval"),
        ("{breaker: {min_calls: 0}}", "breaker.min_calls"),
        ("{breaker: {min_calls: 100001}}", "breaker.min_calls"),
        ("{breaker: {failure_rate: 0}}", "breaker.failure_rate"),
        ("{breaker: {failure_rate: 100.1}}", "breaker.failure_rate"),
        ("{breaker: {consecutive: 100001}}", "breaker.consecutive"),
        ("{breaker: {slow_call: {duration: 0s}}}", "breaker.slow_call.duration"),
        ("{breaker: {slow_call: {duration: 1s, rate: 0%}}}", "breaker.slow_call.rate"),
        ("{breaker: {open_for: 9ms}}", "breaker.open_for"),
        ("{breaker: {open_for: 25h}}", "breaker.open_for"),
        ("{breaker: {open_multiplier: 0.5}}", "breaker.open_multiplier"),
        ("{breaker: {open_multiplier: 11}}", "breaker.open_multiplier"),
        ("{breaker: {open_for_max: 25h}}", "breaker.open_for_max"),
        ("{breaker: {half_open_calls: 0}}", "breaker.half_open_calls"),
        ("{breaker: {half_open_calls: 10001}}", "breaker.half_open_calls"),
        ("{breaker: {success_threshold: 0}}", "breaker.success_threshold"),
        ("{breaker: {window: {size: 0}}}", "breaker.window.size"),
        ("{breaker: {window: {size: 100001}}}", "breaker.window.size"),
        ("{breaker: {window: {kind: time, duration: 500ms}}}", "breaker.window.duration"),
        ("{breaker: {window: {kind: time, duration: 1500ms}}}", "breaker.window.duration"),
        ("{breaker: {window: {kind: time, duration: 61m}}}", "breaker.window.duration"),
    ],
)
def test_out_of_range(settings: str, field: str) -> None:
    """Every number has a range, and what is outside is a mistake at its own place."""
    assert errors(policy_of(settings)) == [(f"policies.p.{field}", "SW0102")]


def test_ends_of_ranges_are_allowed() -> None:
    """The ends that the documentation names are inside."""
    low = good(
        "{timeout: 1ms, per_try_timeout: 1ms, retry: {max_attempts: 1, backoff: {initial: 0s, multiplier: "
        "1, max: 0s,"
        " jitter: 0}, budget: {percent: 0%, min_per_second: 0, interval: 1s}}, breaker: {min_calls: 1,"
        " failure_rate: 0.001%, slow_call: {duration: 1ms, rate: 0.001}, open_for: 10ms, open_multiplier: 1,"
        " open_for_max: 10ms, half_open_calls: 1, success_threshold: 1, window: {size: 1, duration: 1s}}}"
    )
    assert (low.timeout_s, low.per_try_timeout_s) == (0.001, 0.001)
    assert low.breaker is not None
    assert low.breaker.size == 1
    high = good(
        "{timeout: 24h, per_try_timeout: 24h, retry: {max_attempts: 5, backoff: {initial: 1h, multiplier: "
        "100, max: 1h,"
        " jitter: 1}, budget: {percent: 100%, interval: 1h}}, breaker: {min_calls: 100000, failure_rate: "
        "100%,"
        " slow_call: {duration: 24h, rate: 100%}, open_for: 24h, open_multiplier: 10, open_for_max: 24h,"
        " half_open_calls: 10000, success_threshold: 10000, window: {kind: time, size: 100000, duration: "
        "1h}}}"
    )
    assert (high.timeout_s, high.per_try_timeout_s) == (DAY, DAY)
    assert high.breaker is not None
    assert high.breaker.size == 3600


def test_retry_defaults() -> None:
    """An empty `retry` is one attempt, UNAVAILABLE, gRFC A6's waits, the Gateway API's budget, idempotent
    calls only.
    """
    options = retry_of("{}")
    assert options.max_attempts == 1
    assert options.codes == 1 << status.UNAVAILABLE
    assert options.kind == retry.EXPONENTIAL
    assert (options.initial_s, options.multiplier, options.max_s, options.jitter) == (0.025, 2.0, 1.0, 0.2)
    assert options.only_idempotent
    assert options.budget is not None
    assert (options.budget.percent, options.budget.min_per_second, options.budget.interval_s) == (
        20.0,
        10.0,
        10.0,
    )


def test_retry_settings() -> None:
    """Every setting of `retry` reaches the data path."""
    options = retry_of(
        "{max_attempts: 4, codes: [ABORTED, INTERNAL], only_idempotent: false, backoff: {kind: fibonacci, "
        "initial: 5ms,"
        " multiplier: 3, max: 50ms, jitter: 0.5}, budget: {percent: 5%, min_per_second: 2.5, interval: 30s}}"
    )
    assert options.max_attempts == 4
    assert options.codes == 1 << status.ABORTED | 1 << status.INTERNAL
    assert not options.only_idempotent
    assert options.kind == retry.FIBONACCI
    assert (options.initial_s, options.multiplier, options.max_s, options.jitter) == (0.005, 3.0, 0.05, 0.5)
    assert options.budget is not None
    assert (options.budget.percent, options.budget.min_per_second, options.budget.interval_s) == (
        5.0,
        2.5,
        30.0,
    )


@pytest.mark.parametrize(("word", "kind"), sorted(retry.BACKOFF_BY_NAME.items()))
def test_backoff_kinds(word: str, kind: int) -> None:
    """The choices of the file are the kinds of the decision."""
    assert retry_of(f"{{backoff: {{kind: {word}}}}}").kind == kind


def test_breaker_defaults() -> None:
    """An empty `breaker` counts 100 calls, needs 20, opens at half of them for 5 s, closes after 3 good
    probes of 5.
    """
    options = breaker_of("{}")
    assert (options.kind, options.size, options.min_calls) == ("count", 100, 20)
    assert (options.failure_rate, options.consecutive) == (50.0, 0)
    assert (options.slow_call_duration_s, options.slow_call_rate) == (inf, 100.0)
    assert (options.open_for_s, options.open_multiplier, options.open_for_max_s) == (5.0, 1.0, 60.0)
    assert (options.half_open_calls, options.success_threshold) == (5, 3)
    assert options.failure_mask == breaker.DEFAULT_FAILURE_MASK
    assert options.mode == breaker.ENFORCE


def test_breaker_settings() -> None:
    """Every setting of `breaker` reaches the data path."""
    options = breaker_of(
        "{window: {kind: time, duration: 30s}, min_calls: 3, failure_rate: 12.5%, consecutive: 4, "
        "slow_call: {duration: 2s,"
        " rate: 80}, open_for: 1m, open_multiplier: 1.5, open_for_max: 10m, half_open_calls: 2, "
        "success_threshold: 7,"
        " failure_codes: [UNAVAILABLE], mode: shadow}"
    )
    assert (options.kind, options.size, options.min_calls) == ("time", 30, 3)
    assert (options.failure_rate, options.consecutive) == (12.5, 4)
    assert (options.slow_call_duration_s, options.slow_call_rate) == (2.0, 80.0)
    assert (options.open_for_s, options.open_multiplier, options.open_for_max_s) == (60.0, 1.5, 600.0)
    assert (options.half_open_calls, options.success_threshold) == (2, 7)
    assert options.failure_mask == 1 << status.UNAVAILABLE
    assert options.mode == breaker.SHADOW


def test_breaker_can_be_switched_off() -> None:
    """Mode off is kept, so that the breaker stays visible."""
    assert breaker_of("{mode: off}").mode == breaker.OFF


def test_status_names_are_exact() -> None:
    """Lower case, numbers and OK are refused with the right name in the message."""
    result = policy_of("{retry: {codes: [unavailable, 14, OK, FOO]}}")
    texts = [v.message for v in result.violations if v.code == "SW0103"]
    assert texts == [
        '"unavailable" is not a gRPC status. Did you mean UNAVAILABLE?',
        '"14" is not a gRPC status. Write the name: UNAVAILABLE.',
        "OK is no failure; remove it",
        '"FOO" is not a gRPC status.',
    ]


def test_numbers_that_are_not_finite_are_refused() -> None:
    """A document from elsewhere may carry NaN and infinity; neither passes for a number."""
    from seawall_policy.compile import compile_document
    from tests.unit.compile.samples import document

    for value in (inf, -inf, float("nan")):
        broken = document("policies: {p: {breaker: {}}}\nroutes: [{name: r, cluster: shop, policy: p}]")
        broken.policies["p"].breaker.failure_rate = value
        broken.policies["p"].breaker.open_multiplier = value
        broken.policies["p"].retry.backoff.jitter = value
        broken.policies["p"].retry.budget.min_per_second = value
        assert sorted(errors(compile_document(broken))) == [
            ("policies.p.breaker.failure_rate", "SW0104"),
            ("policies.p.breaker.open_multiplier", "SW0104"),
            ("policies.p.retry.backoff.jitter", "SW0104"),
            ("policies.p.retry.budget.min_per_second", "SW0104"),
        ]


def test_durations_that_are_none_are_refused() -> None:
    """Seconds and nanoseconds of different signs, and negative times, are mistakes."""
    from google.protobuf.duration_pb2 import Duration

    from seawall_policy.compile import compile_document
    from tests.unit.compile.samples import document

    for value in (
        Duration(seconds=1, nanos=-1),
        Duration(seconds=-1),
        Duration(nanos=2_000_000_000),
        Duration(seconds=2**60),
    ):
        broken = document("policies: {p: {}}\nroutes: [{name: r, cluster: shop, policy: p}]")
        broken.policies["p"].timeout.CopyFrom(value)
        assert errors(compile_document(broken)) == [("policies.p.timeout", "SW0102")]
