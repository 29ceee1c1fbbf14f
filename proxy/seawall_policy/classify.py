"""What kind of failure a status is, what is best done about it, and how loudly it is recorded.

A *category* says what would help: time (transient), capacity (resource), another request (validation), a
person (permanent), or nobody knows (unknown). A *strategy* is what we do by default: retry, queue, fail
fast, keep as a dead letter. A policy may override both for one code, or with rules that look closer
(classify_rules.py). Where code and rules leave a failure unknown, the details of the server's rich error may
say it: BadRequest is validation, QuotaFailure is resource.

DEADLINE_EXCEEDED is transient when one try ran out of time; a call whose own deadline has passed is over,
whatever its category. OK and CANCELLED are no failures to act on: they fall under unknown / fail fast,
which changes nothing.

Severity, by the outcome of the call (the words of the `seawall-outcome` trailer, and the breaker's own
changes):

=================================  =======================================================================
outcome                            severity
=================================  =======================================================================
ok, retried, hedged                LOW: the caller saw a success
breaker_closed, breaker_half_open  LOW: on the way to recovery
endpoint_returned                  LOW: the same
endpoint_ejected                   MEDIUM: the other endpoints have to bear more
fallback, rejected                 MEDIUM: the caller was served less than it asked for
breaker_opened                     HIGH: every caller of a route is affected
failed (and any other word)        by code: INTERNAL, DATA_LOSS are HIGH; CANCELLED and what only another
                                   request can cure (validation codes, NOT_FOUND) are LOW; the rest MEDIUM
=================================  =======================================================================

No single call is CRITICAL by itself: that word belongs to rules which look at many (alerts, healing).
"""

from __future__ import annotations

from typing import Final

from seawall_policy import status
from seawall_policy.classify_rules import ClassifyRule, Failure

# Numbers and order of the enumerations in seawall.v1 (0 there is "unset").
TRANSIENT: Final = 1
RESOURCE: Final = 2
VALIDATION: Final = 3
PERMANENT: Final = 4
UNKNOWN: Final = 5
CATEGORY_NAMES: Final[tuple[str, ...]] = ("", "transient", "resource", "validation", "permanent", "unknown")
CATEGORY_BY_NAME: Final[dict[str, int]] = {CATEGORY_NAMES[i]: i for i in range(1, len(CATEGORY_NAMES))}

RETRY: Final = 1
QUEUE: Final = 2
FAIL_FAST: Final = 3
DEAD_LETTER: Final = 4
STRATEGY_NAMES: Final[tuple[str, ...]] = ("", "retry", "queue", "fail_fast", "dead_letter")
STRATEGY_BY_NAME: Final[dict[str, int]] = {STRATEGY_NAMES[i]: i for i in range(1, len(STRATEGY_NAMES))}

# Index: status code.
DEFAULT_CATEGORIES: Final[tuple[int, ...]] = (
    UNKNOWN,  # OK
    UNKNOWN,  # CANCELLED
    UNKNOWN,  # UNKNOWN
    VALIDATION,  # INVALID_ARGUMENT
    TRANSIENT,  # DEADLINE_EXCEEDED
    PERMANENT,  # NOT_FOUND
    VALIDATION,  # ALREADY_EXISTS
    PERMANENT,  # PERMISSION_DENIED
    RESOURCE,  # RESOURCE_EXHAUSTED
    VALIDATION,  # FAILED_PRECONDITION
    TRANSIENT,  # ABORTED
    VALIDATION,  # OUT_OF_RANGE
    PERMANENT,  # UNIMPLEMENTED
    UNKNOWN,  # INTERNAL
    TRANSIENT,  # UNAVAILABLE
    PERMANENT,  # DATA_LOSS
    PERMANENT,  # UNAUTHENTICATED
)

# Index: category.
DEFAULT_STRATEGIES: Final[tuple[int, ...]] = (0, RETRY, QUEUE, FAIL_FAST, DEAD_LETTER, FAIL_FAST)

LOW: Final = "LOW"
MEDIUM: Final = "MEDIUM"
HIGH: Final = "HIGH"
CRITICAL: Final = "CRITICAL"

_SEVERITY_BY_OUTCOME: Final[dict[str, str]] = {
    "ok": LOW,
    "retried": LOW,
    "hedged": LOW,
    "breaker_closed": LOW,
    "breaker_half_open": LOW,
    "breaker_ramping": LOW,
    "route_recovered": LOW,
    "route_degraded": MEDIUM,
    "endpoint_returned": LOW,
    "fallback": MEDIUM,
    "rejected": MEDIUM,
    "endpoint_ejected": MEDIUM,
    "breaker_opened": HIGH,
}

_LOUD_CODES: Final = (1 << status.INTERNAL) | (1 << status.DATA_LOSS)
_QUIET_CODES: Final = (
    (1 << status.OK)
    | (1 << status.CANCELLED)
    | (1 << status.INVALID_ARGUMENT)
    | (1 << status.NOT_FOUND)
    | (1 << status.ALREADY_EXISTS)
    | (1 << status.FAILED_PRECONDITION)
    | (1 << status.OUT_OF_RANGE)
)


NO_RULE: Final = -1
"""No rule of the policy decided."""


class Classifier:
    """The category and strategy of failures: rules, then codes with a policy's overrides.

    `overrides` maps a code to (category, strategy); 0 for either keeps the default, and a new category
    without a strategy brings the default strategy of that category. `rules` are asked first, in their order.
    Raises ValueError for a code, category or strategy that does not exist.
    """

    def __init__(
        self, overrides: dict[int, tuple[int, int]] | None = None, rules: tuple[ClassifyRule, ...] = ()
    ) -> None:
        self.rules: tuple[ClassifyRule, ...] = rules
        self._overridden: int = 0
        self._categories: list[int] = list(DEFAULT_CATEGORIES)
        self._strategies: list[int] = [DEFAULT_STRATEGIES[category] for category in DEFAULT_CATEGORIES]
        if overrides is not None:
            for code, pair in overrides.items():
                self._override(code, pair[0], pair[1])

    def classify(self, failure: Failure) -> tuple[int, int, int]:
        """Return category, strategy and the index of the rule that decided (NO_RULE: the code did)."""
        for index in range(len(self.rules)):
            rule = self.rules[index]
            if rule.matches(failure):
                category = rule.category if rule.category != 0 else self.category(failure.code)
                if rule.strategy != 0:
                    return category, rule.strategy, index
                return category, DEFAULT_STRATEGIES[category], index
        category = self.category(failure.code)
        if category == UNKNOWN and (self._overridden >> failure.code) & 1 == 0:
            rich = failure.rich()
            if rich is not None and len(rich.bad_fields) > 0:
                return VALIDATION, FAIL_FAST, NO_RULE
            if rich is not None and len(rich.quotas) > 0:
                return RESOURCE, QUEUE, NO_RULE
        return category, self.strategy(failure.code), NO_RULE

    def category(self, code: int) -> int:
        """Return the category of a code; a number outside 0..16 is treated as UNKNOWN."""
        return self._categories[code if 0 <= code <= status.MAX_CODE else status.UNKNOWN]

    def strategy(self, code: int) -> int:
        """Return the strategy for a code; a number outside 0..16 is treated as UNKNOWN."""
        return self._strategies[code if 0 <= code <= status.MAX_CODE else status.UNKNOWN]

    def _override(self, code: int, category: int, strategy: int) -> None:
        if not 0 <= code <= status.MAX_CODE:
            raise ValueError(f"no such gRPC status code: {code}; codes go from 0 to {status.MAX_CODE}")
        if not 0 <= category <= UNKNOWN:
            raise ValueError(f"no such category for {status.name(code)}: {category}; use 1 to {UNKNOWN}")
        if not 0 <= strategy <= DEAD_LETTER:
            raise ValueError(f"no such strategy for {status.name(code)}: {strategy}; use 1 to {DEAD_LETTER}")
        self._overridden |= 1 << code
        if category:
            self._categories[code] = category
            self._strategies[code] = DEFAULT_STRATEGIES[category]
        if strategy:
            self._strategies[code] = strategy


def severity_for(code: int, outcome: str) -> str:
    """Return the default severity of an event: LOW, MEDIUM or HIGH by the table of this module."""
    by_outcome = _SEVERITY_BY_OUTCOME.get(outcome, "")
    if by_outcome:
        return by_outcome
    bit = 1 << code if 0 <= code <= status.MAX_CODE else 1 << status.UNKNOWN
    if bit & _LOUD_CODES:
        return HIGH
    if bit & _QUIET_CODES:
        return LOW
    return MEDIUM
