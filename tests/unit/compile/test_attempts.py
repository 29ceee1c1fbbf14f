"""Reading hedges, deadlines and the finer settings of retries, and what is said about them."""

from __future__ import annotations

import pytest

from seawall_policy import hedge, retry, status
from seawall_policy.builtin import builtin_policies
from seawall_policy.compile import codes
from seawall_policy.compile.retries import PRESETS, with_preset
from seawall_policy.deadline import ENFORCE, OFF, SHADOW
from seawall_policy.model import Policy
from tests.unit.compile.samples import compiled, errors, policy_of

TWO = 'version: v1\nclusters: [{name: shop, endpoints: ["127.0.0.1:50051", "127.0.0.1:50052"]}]\n'


def read(settings: str) -> Policy:
    """Return a compiled policy without mistakes."""
    result = policy_of(settings)
    assert errors(result) == []
    assert result.snapshot is not None
    return result.snapshot.routes[0].policy


def warned(settings: str, *, idempotent: str = "true", base: str = TWO) -> list[tuple[str, str]]:
    """Return the warnings of a policy on a route to two endpoints."""
    result = compiled(
        f"policies: {{p: {settings}}}\n"
        f"routes: [{{name: r, cluster: shop, policy: p, idempotent: {idempotent}}}]",
        base,
    )
    return [(v.field, v.code) for v in result.violations]


def test_nothing_said() -> None:
    """No hedging; hopeless calls are counted."""
    policy = read("{timeout: 1s}")
    assert policy.hedge is None
    assert policy.deadline is not None
    assert (policy.deadline.margin_s, policy.deadline.hopeless) == (0.0, SHADOW)


def test_hedge() -> None:
    """Every setting of a hedge."""
    options = read(
        "{hedge: {percentile: 99%, min_delay: 5ms, max_attempts: 3, budget: 12%, non_fatal_codes: [ABORTED],"
        " only_idempotent: false, mode: shadow}}"
    ).hedge
    assert options is not None
    assert (options.quantile, options.min_delay_s, options.max_attempts) == (0.99, 0.005, 3)
    assert (options.budget_percent, options.non_fatal) == (12.0, 1 << status.ABORTED)
    assert (options.only_idempotent, options.mode) == (False, hedge.SHADOW)


def test_hedge_in_short() -> None:
    """A bare duration is the delay."""
    options = read("{hedge: 50ms}").hedge
    assert options is not None
    assert (options.delay_s, options.quantile, options.mode) == (0.05, 0.0, hedge.ENFORCE)
    assert read("{hedge: {delay: 50ms, mode: off}}").hedge is None


@pytest.mark.parametrize(
    ("settings", "mistake"),
    [
        ("{hedge: {budget: 5%}}", ("policies.p.hedge", codes.MISSING)),
        ("{hedge: {delay: 1s, percentile: 95%}}", ("policies.p.hedge.delay", codes.EXCLUSIVE)),
        ("{hedge: {percentile: 40%}}", ("policies.p.hedge.percentile", codes.OUT_OF_RANGE)),
        ("{hedge: {delay: 1s, max_attempts: 1}}", ("policies.p.hedge.max_attempts", codes.OUT_OF_RANGE)),
        ("{deadline: {margin: 11s}}", ("policies.p.deadline.margin", codes.OUT_OF_RANGE)),
        ("{deadline: {max_refused: 101%}}", ("policies.p.deadline.max_refused", codes.OUT_OF_RANGE)),
        (
            "{retry: {throttle: {max_tokens: 0}}}",
            ("policies.p.retry.throttle.max_tokens", codes.OUT_OF_RANGE),
        ),
        ("{retry: {classes: [{codes: [ABORTED]}]}}", ("policies.p.retry.classes[0].name", codes.MISSING)),
        ("{retry: {classes: [{name: c}]}}", ("policies.p.retry.classes[0]", codes.MISSING)),
        (
            "{retry: {classes: [{name: c, reasons: [Quota]}]}}",
            ("policies.p.retry.classes[0].reasons[0]", codes.BAD_REASON),
        ),
        (
            "{retry: {classes: [{name: c, codes: [ABORTED]}, {name: c, reasons: [A]}]}}",
            ("policies.p.retry.classes[1].name", codes.DUPLICATE_NAME),
        ),
    ],
)
def test_mistakes(settings: str, mistake: tuple[str, str]) -> None:
    """Each has its place and its code."""
    assert mistake in errors(policy_of(settings))


def test_twenty_classes() -> None:
    """A document cannot make a proxy ask a thousand questions about each failure."""
    many = ", ".join(f"{{name: c{n}, codes: [ABORTED]}}" for n in range(21))
    assert ("policies.p.retry.classes", codes.TOO_MANY) in errors(
        policy_of(f"{{retry: {{classes: [{many}]}}}}")
    )


def test_a_child_chooses_another_way_to_wait() -> None:
    """A delay replaces the percentile of the parent, and the other way round; the rest is inherited."""
    options = read("{extends: builtin/standard, hedge: 70ms}").hedge
    assert options is not None
    assert (options.delay_s, options.quantile, options.budget_percent) == (0.07, 0.0, 8.0)
    result = compiled(
        "policies: {q: {hedge: {delay: 1s, max_attempts: 3}}, p: {extends: q, hedge: {percentile: 90%}}}\n"
        "routes: [{name: r, cluster: shop, policy: p}]"
    )
    assert result.snapshot is not None
    options = result.snapshot.routes[0].policy.hedge
    assert options is not None
    assert (options.quantile, options.max_attempts) == (0.9, 3)
    assert read("{extends: builtin/standard, hedge: {mode: off}}").hedge is None
    options = read("{extends: builtin/standard, hedge: {budget: 9%}}").hedge
    assert options is not None
    assert (options.quantile, options.budget_percent) == (0.97, 9.0)


def test_deadline() -> None:
    """Every setting of the budget of time."""
    options = read("{deadline: {margin: 20ms, hopeless: enforce, max_refused: 5%}}").deadline
    assert options is not None
    assert (options.margin_s, options.hopeless, options.max_refused) == (0.02, ENFORCE, 5.0)
    options = read("{deadline: {hopeless: off}}").deadline
    assert options is not None
    assert options.hopeless == OFF


def test_retry_settings() -> None:
    """Jitter, budget, throttle, RetryInfo and classes."""
    options = read(
        "{retry: {max_attempts: 2, codes: [ABORTED], backoff: {initial: 1s, jitter_kind: equal},"
        " retry_info: false, budget: {kind: concurrency, percent: 30%, min_concurrent: 5},"
        " throttle: {max_tokens: 5},"
        " classes: [{name: quota, category: resource, reasons: [QUOTA], max_attempts: 4,"
        " backoff: {kind: linear}}]}}"
    ).retry
    assert options.jitter_kind == retry.EQUAL
    assert not options.retry_info
    assert options.budget is not None
    assert (options.budget.concurrent, options.budget.percent, options.budget.min_concurrent) == (
        True,
        30.0,
        5,
    )
    assert options.throttle is not None
    assert (options.throttle.max_tokens, options.throttle.token_ratio) == (5.0, 0.1)
    (entry,) = options.classes
    assert (entry.name, entry.category, entry.reasons, entry.codes) == ("quota", 2, frozenset({"QUOTA"}), 0)
    assert (entry.options.kind, entry.options.initial_s, entry.options.max_attempts) == (retry.LINEAR, 1.0, 4)
    assert entry.options.jitter_kind == retry.EQUAL
    assert (options.max_attempts, options.most_attempts) == (2, 4)


@pytest.mark.parametrize("number", sorted(PRESETS))
def test_presets(number: int) -> None:
    """Each compiles to what its message says, and what is set beside it wins."""
    from seawall.v1 import policy_pb2

    word = policy_pb2.RetryPreset.Name(number).removeprefix("RETRY_PRESET_").lower()
    options = read(f"{{retry: {{preset: {word}}}}}").retry
    preset = PRESETS[number]
    assert options.max_attempts == preset.max_attempts
    assert options.codes == sum(1 << status.CODE_BY_NAME[name] for name in preset.codes)
    assert options.initial_s == preset.backoff.initial.ToTimedelta().total_seconds()
    assert options.max_s == preset.backoff.max.ToTimedelta().total_seconds()
    own = read(
        f"{{retry: {{preset: {word}, codes: [DATA_LOSS], max_attempts: 2, backoff: {{initial: 7ms}}}}}}"
    ).retry
    assert (own.codes, own.max_attempts, own.initial_s) == (1 << status.DATA_LOSS, 2, 0.007)
    assert (own.max_s, own.kind, own.jitter_kind) == (options.max_s, options.kind, options.jitter_kind)


def test_a_preset_is_not_changed_by_its_use() -> None:
    """Presets are shared."""
    from seawall.v1 import policy_pb2

    before = PRESETS[policy_pb2.RETRY_PRESET_QUICK].SerializeToString()
    with_preset(policy_pb2.Retry(preset=policy_pb2.RETRY_PRESET_QUICK, codes=["ABORTED"]))
    assert PRESETS[policy_pb2.RETRY_PRESET_QUICK].SerializeToString() == before


@pytest.mark.parametrize(
    "settings",
    [
        "{timeout: 2s, retry: {max_attempts: 3}, hedge: {percentile: 97%, min_delay: 10ms, budget: 8%}}",
        "{timeout: 1s, hedge: 999ms}",
        "{extends: builtin/standard}",
        "{timeout: 1s, deadline: {margin: 20ms, hopeless: enforce}}",
        "{retry: {max_attempts: 2, budget: {kind: concurrency, percent: 30%, min_concurrent: 5}}}",
        "{retry: {max_attempts: 2, classes: [{name: a, codes: [ABORTED]}, {name: b, category: transient}]}}",
        "{retry: {preset: patient}}",
    ],
)
def test_nothing_to_say(settings: str) -> None:
    """What is meant like this is not warned about."""
    assert warned(settings) == []


@pytest.mark.parametrize(
    ("settings", "where", "code"),
    [
        ("{hedge: {delay: 0s}}", "policies.p.hedge.delay", codes.HEDGE_AT_ONCE),
        ("{timeout: 50ms, hedge: 50ms}", "policies.p.hedge.delay", codes.HEDGE_TOO_LATE),
        ("{hedge: {percentile: 80%}}", "policies.p.hedge.percentile", codes.HEDGE_UNPAID),
        ("{hedge: {delay: 1s, min_delay: 5ms}}", "policies.p.hedge.min_delay", codes.NO_EFFECT),
        (
            "{retry: {max_attempts: 2, budget: {min_concurrent: 5}}}",
            "policies.p.retry.budget.min_concurrent",
            codes.NO_EFFECT,
        ),
        (
            "{retry: {max_attempts: 2, budget: {kind: concurrency, interval: 5s}}}",
            "policies.p.retry.budget.interval",
            codes.NO_EFFECT,
        ),
        (
            "{retry: {max_attempts: 2, classes: [{name: a, codes: [ABORTED]}, {name: b, codes: [ABORTED]}]}}",
            "policies.p.retry.classes[1]",
            codes.CLASS_COVERED,
        ),
    ],
)
def test_warnings(settings: str, where: str, code: str) -> None:
    """Allowed, and probably not meant."""
    assert (where, code) in warned(settings)


def test_routes_that_cannot_hedge() -> None:
    """Nothing is declared idempotent; a single endpoint. A built-in policy's hedges are nobody's wish."""
    assert ("routes[0]", codes.HEDGE_NEVER) in warned("{hedge: 50ms}", idempotent="false")
    one = TWO.replace(', "127.0.0.1:50052"', "")
    assert ("routes[0]", codes.HEDGE_NOWHERE) in warned("{hedge: 50ms}", base=one)
    assert warned("{extends: builtin/standard}", base=one) == []


def test_standard_survives_its_own_numbers() -> None:
    """The budget pays for the percentile, and with the reserves it is a fifth more load when all fails."""
    standard = builtin_policies()["builtin/standard"]
    assert 100.0 - standard.hedge.percentile < standard.hedge.budget
    calls_per_second = 200.0
    retries = standard.retry.budget.percent / 100.0 + standard.retry.budget.min_per_second / calls_per_second
    assert 1.0 + retries <= 1.2
    assert standard.hedge.budget / 100.0 + hedge.RESERVE_PER_S / calls_per_second < 0.1
