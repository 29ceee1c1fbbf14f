"""Retries and hedges: their defaults and presets."""

from __future__ import annotations

from scripts.docs_tables.text import Row, codes, length, table


def retry_defaults() -> str:
    """Return the defaults of retries."""
    from seawall_policy.budget import BudgetOptions, ThrottleOptions
    from seawall_policy.retry import BACKOFF_NAMES, JITTER_NAMES, MAX_ATTEMPTS, RetryOptions

    o, b, t = RetryOptions(), BudgetOptions(), ThrottleOptions()
    jitters = ", ".join(f"`{n}`" for n in JITTER_NAMES[1:])
    return table(
        ("setting", "default", "range"),
        [
            ("`max_attempts`", f"{o.max_attempts} (no retry)", f"1 to {MAX_ATTEMPTS}, the first included"),
            ("`codes`", codes(o.codes), "every status but OK"),
            ("`only_idempotent`", str(o.only_idempotent).lower(), "true, false"),
            ("`backoff.kind`", f"`{BACKOFF_NAMES[o.kind]}`", ", ".join(f"`{n}`" for n in BACKOFF_NAMES[1:])),
            ("`backoff.initial`", length(o.initial_s), "0 to 1 h"),
            ("`backoff.multiplier`", f"{o.multiplier:g}", "1 to 100"),
            ("`backoff.max`", length(o.max_s), "0 to 1 h"),
            ("`backoff.jitter`", f"{o.jitter:g}", "0 to 1"),
            ("`backoff.jitter_kind`", f"`{JITTER_NAMES[o.jitter_kind]}`", jitters),
            ("`budget.kind`", "`rate`", "`rate`, `concurrency`"),
            ("`budget.percent`", f"{b.percent:g} %", "0 to 100 %"),
            ("`budget.min_per_second`", f"{b.min_per_second:g}", "0 to 1,000,000"),
            ("`budget.interval`", length(b.interval_s), "1 s to 1 h"),
            ("`budget.min_concurrent`", f"{b.min_concurrent}", "0 to 1,000"),
            ("`throttle`", "none", ""),
            ("`throttle.max_tokens`", f"{t.max_tokens:g}", "above 0 to 1,000"),
            ("`throttle.token_ratio`", f"{t.token_ratio:g}", "0.001 to 1,000"),
            ("`retry_info`", str(o.retry_info).lower(), "true, false"),
            ("`preset`", "none", "see above"),
            ("`classes`", "none", "at most 20, each with a `name`"),
            ("`classes[].max_attempts`", "as in the retry", f"1 to {MAX_ATTEMPTS}"),
            ("`classes[].backoff`", "as in the retry", "as above"),
        ],
    )


def retry_presets() -> str:
    """Return what the presets of retries stand for."""
    from seawall.v1 import policy_pb2
    from seawall_policy.compile.friendly import enum_word
    from seawall_policy.compile.retries import PRESETS

    uses: dict[int, str] = {
        policy_pb2.RETRY_PRESET_QUICK: "one endpoint of several is away, and a person waits",
        policy_pb2.RETRY_PRESET_CLASSIC: "scripts whose waits can be read off the clock",
        policy_pb2.RETRY_PRESET_PATIENT: "jobs that outlast a restart; a thousand of them are kept apart",
        policy_pb2.RETRY_PRESET_NETWORK: "a network that is away for seconds",
        policy_pb2.RETRY_PRESET_DATABASE: "conflicts, which must not meet again",
        policy_pb2.RETRY_PRESET_RESOURCE: "what is used up and comes back with time",
    }

    def row(number: int) -> Row:
        preset = PRESETS[number]
        shape = preset.backoff
        kind = enum_word(policy_pb2.BackoffKind.DESCRIPTOR, shape.kind)
        jitter = enum_word(policy_pb2.JitterKind.DESCRIPTOR, shape.jitter_kind)
        waits = f"{length(shape.initial.ToTimedelta().total_seconds())} to "
        waits += length(shape.max.ToTimedelta().total_seconds())
        name = enum_word(policy_pb2.RetryPreset.DESCRIPTOR, number)
        codes_ = ", ".join(preset.codes)
        return f"`{name}`", f"{preset.max_attempts}", codes_, f"{kind}, {waits}", f"{jitter}", uses[number]

    return table(
        ("preset", "attempts", "codes", "waits", "jitter", "for"), [row(number) for number in PRESETS]
    )


def hedge_defaults() -> str:
    """Return the defaults of hedging."""
    from seawall_policy.hedge import HedgeOptions

    o = HedgeOptions()
    return table(
        ("setting", "default", "range"),
        [
            ("`delay`", "none: either this or `percentile`", "0 to 1 h"),
            ("`percentile`", "none", "50 to 99.9 %"),
            ("`min_delay`", length(o.min_delay_s), "1 ms to 1 h"),
            ("`max_attempts`", f"{o.max_attempts}", "2 to 5, the first included"),
            ("`budget`", f"{o.budget_percent:g} %", "0 to 100 %"),
            ("`non_fatal_codes`", codes(o.non_fatal), "every status but OK"),
            ("`only_idempotent`", str(o.only_idempotent).lower(), "true, false"),
            ("`mode`", "`enforce`", "`enforce`, `shadow`, `off`"),
        ],
    )
