"""The reasons that the `when` of a fallback may name beside status codes.

A reason is what google.rpc.ErrorInfo, the trailer `seawall-reason` and events say about an answer of our own
(AIP-193). Only some of them can be answered by a fallback: a call without a route has no policy, and a
draining proxy starts nothing new.
"""

from __future__ import annotations

from typing import Final

ANSWERABLE: Final[tuple[str, ...]] = (
    "BREAKER_OPEN",
    "NO_HEALTHY_BACKEND",
    "UPSTREAM_CONNECT_FAILED",
    "UPSTREAM_RESET",
    "UPSTREAM_PROTOCOL_ERROR",
    "CONCURRENCY_LIMITED",
    "MEMORY_LIMITED",
    "PER_TRY_TIMEOUT",
    "DEADLINE_TOO_SHORT",
    "FAULT_INJECTED",
    "RATE_LIMITED",
    "LIMITED",
    "QUEUE_TIMEOUT",
    "BROWNOUT",
)
"""Reasons that a call with a route can end with, and that no status code says by itself."""

NEVER_ANSWERED: Final[tuple[str, ...]] = (
    "NO_ROUTE",
    "INVALID_REQUEST",
    "DRAINING",
    "OVERLOADED",
    "ATTEMPTS_EXHAUSTED",
    "BREAKER_HALF_OPEN_SATURATED",
    "FALLBACK_FAILED",
    "HEADERS_TOO_LARGE",
    "IDEMPOTENCY_KEY_REUSED",
    "OVERTAKEN",
    "MESSAGE_TOO_LARGE",
    "MESSAGE_TOO_LARGE_TO_RETRY",
    "RETRY_BUDGET_EXHAUSTED",
)
"""Reasons that no fallback of this version is asked about; naming one is allowed and has no effect."""

ANY: Final = "any"
"""Stands for every failure."""
