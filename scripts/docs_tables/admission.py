"""Limits and rate limits of routes: their defaults."""

from __future__ import annotations

from scripts.docs_tables.text import count, length, table


def limit_defaults() -> str:
    """Return the defaults of a limit."""
    from seawall_policy.call_key import MOST_PARTS
    from seawall_policy.limit.options import (
        CLASS_NAMES,
        KIND_NAMES,
        MOST_PLACES,
        MOST_TENANTS,
        MOST_WAITING,
        LimitOptions,
    )

    o = LimitOptions()
    kinds = ", ".join(f"`{name}`" for name in KIND_NAMES[1:])
    classes = ", ".join(f"`{name}`" for name in CLASS_NAMES)
    places = f"1 to {count(MOST_PLACES)}"
    parts = f"up to {MOST_PARTS} of `peer`, `method`, `metadata:NAME`"
    return table(
        ("setting", "default", "range"),
        [
            ("`adaptive`", f"`{KIND_NAMES[o.kind]}`", kinds),
            ("`max_in_flight`", str(o.max_in_flight), places),
            ("`min_in_flight`", str(o.min_in_flight), places),
            ("`initial`", str(o.initial), places),
            ("`queue`", f"{o.queue} (nobody waits)", f"0 to {count(MOST_WAITING)}"),
            ("`queue_timeout`", length(o.queue_timeout_s), "1 ms to 1 h"),
            ("`criticality_header`", "none", "a metadata key"),
            ("`criticality`", f"`{CLASS_NAMES[o.criticality]}`", classes),
            ("`shares`", "none", "one for each class, together at most 100 %"),
            ("`shares[].criticality`", "required", classes),
            ("`shares[].share`", "required", "0 to 100 %"),
            ("`fair_share.key`", "none: all calls are alike", parts),
            ("`fair_share.max_tenants`", count(o.max_tenants), f"1 to {count(MOST_TENANTS)}"),
            ("`brownout`", f"{o.brownout * 100:g} %, of optional routes", "0 to 100 %"),
            ("`mode`", "`enforce`", "`enforce`, `shadow`, `off`"),
        ],
    )


def rate_limit_defaults() -> str:
    """Return the defaults of a rate limit."""
    from seawall_policy.call_key import MOST_PARTS
    from seawall_policy.rate import MOST_KEYS, RateLimitOptions

    o = RateLimitOptions(1.0)
    return table(
        ("setting", "default", "range"),
        [
            ("`per_second`", "required", "above 0 to 1,000,000"),
            ("`burst`", "`per_second`, at least 1", "1 to 1,000,000"),
            ("`key`", "none: one bucket", f"up to {MOST_PARTS} of `peer`, `method`, `metadata:NAME`"),
            ("`max_keys`", count(o.max_keys), f"1 to {count(MOST_KEYS)}"),
            ("`mode`", "`enforce`", "`enforce`, `shadow`, `off`"),
        ],
    )
