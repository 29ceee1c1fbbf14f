"""What events are made of: severities and categories; keys of the access log."""

from __future__ import annotations

from scripts.docs_tables.text import Row, table


def severities() -> str:
    """Return how loudly what is recorded: by outcome, for a final status."""
    from seawall_policy import status
    from seawall_policy.classify import severity_for

    by_code: dict[str, list[str]] = {}
    for code in range(1, status.MAX_CODE + 1):
        by_code.setdefault(severity_for(code, "failed"), []).append(status.NAMES[code])
    words = (
        *("retried", "fallback", "rejected", "breaker_opened", "breaker_half_open", "breaker_closed"),
        *("endpoint_ejected", "endpoint_returned", "route_degraded", "route_recovered"),
    )
    rows: list[Row] = [(f"`{word}`", severity_for(status.UNAVAILABLE, word)) for word in words]
    rows += [(f"`failed` with {', '.join(names)}", severity) for severity, names in sorted(by_code.items())]
    return table(("outcome, or change of a breaker or route", "severity"), rows)


def categories() -> str:
    """Return category, strategy and whether a failed call makes an event, by status code."""
    from seawall_policy import status
    from seawall_policy.classify import (
        CATEGORY_NAMES,
        DEFAULT_CATEGORIES,
        DEFAULT_STRATEGIES,
        STRATEGY_NAMES,
        severity_for,
    )
    from seawall_proxy.call.call_end import RECORDED_CODES

    rows: list[Row] = []
    for code in range(1, status.MAX_CODE + 1):
        category = DEFAULT_CATEGORIES[code]
        rows.append(
            (
                f"{code} {status.NAMES[code]}",
                CATEGORY_NAMES[category],
                STRATEGY_NAMES[DEFAULT_STRATEGIES[category]],
                severity_for(code, "failed"),
                "yes" if RECORDED_CODES >> code & 1 else "no",
            )
        )
    return table(
        ("status", "category", "strategy", "severity when failed", "a failed call is recorded"), rows
    )


def access_log() -> str:
    """Return the keys of a line of the access log."""
    from seawall_policy.compile.access_log import FIELDS

    return table(("key", "meaning"), [(f"`{name}`", meaning) for name, meaning in FIELDS.items()])
