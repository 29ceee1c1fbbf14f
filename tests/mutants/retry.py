"""Seeded mistakes of retries; each must fail one of the tests."""

from __future__ import annotations

MECHANISM = "retry"
TESTS = (
    "tests/unit/policy/test_retry.py",
    "tests/unit/policy/test_budget.py",
    "tests/unit/policy/test_rich_status.py",
    "tests/property/policy/test_retry_properties.py",
    "tests/property/policy/test_budget_model.py",
    "tests/property/policy/test_rich_status_properties.py",
    "tests/scenario/test_retry_rules.py",
)
_RETRY = "seawall_policy/retry.py"
_BUDGET = "seawall_policy/budget.py"
_RICH = "seawall_policy/rich_status.py"
_CALL = "seawall_proxy/call/call.py"
MUTANTS = (
    (
        _RETRY,
        "if self.attempts >= options.max_attempts:",
        "if self.attempts > options.max_attempts:",
        "one attempt too many",
    ),
    (
        _RETRY,
        "if options.only_idempotent and not idempotent and seen == SEEN:",
        "if False:",
        "what is not idempotent runs twice",
    ),
    (
        _RETRY,
        "if wait >= remaining_s:",
        "if wait > remaining_s + 1.0:",
        "a retry begins after the deadline",
    ),
    (
        _RETRY,
        "return wait * draw",
        "return wait",
        "full jitter does not spread",
    ),
    (
        _RETRY,
        "if self.category not in (0, category):",
        "if self.category not in (0, category, 1):",
        "a class takes failures of another category",
    ),
    (
        _RETRY,
        "if self.codes != 0 and (self.codes >> code) & 1 == 0:",
        "if False:",
        "a class takes failures with any status",
    ),
    (
        _BUDGET,
        "if self.retries >= self.allowed():",
        "if self.retries > self.allowed():",
        "one retry more at work than allowed",
    ),
    (
        _BUDGET,
        "return self._tokens * 2 > self._max",
        "return self._tokens * 2 >= self._max",
        "retries with half of the tokens",
    ),
    (
        _BUDGET,
        "amount = self._deposit * calls",
        "amount = self._deposit",
        "calls that are entered together count as one",
    ),
    (
        _RICH,
        "if size < 0 or end > len(self.data):",
        "if False:",
        "a field that is cut off is read",
    ),
    (
        _RICH,
        "seconds * 1000 + (nanos + 999_999) // 1_000_000",
        "seconds * 1000",
        "waits shorter than the server asked for",
    ),
    (
        _CALL,
        "self.paid = state.budget is not None",
        "self.paid = False",
        "retries of a concurrency budget are never given back",
    ),
    (
        _CALL,
        "if told == NO_PUSHBACK and self.state.policy.retry.retry_info:",
        "if self.state.policy.retry.retry_info:",
        "RetryInfo comes before the pushback",
    ),
)
