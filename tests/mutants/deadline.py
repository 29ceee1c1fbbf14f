"""Seeded mistakes of deadlines; each must fail one of the tests."""

from __future__ import annotations

MECHANISM = "deadline"
TESTS = (
    "tests/unit/policy/test_deadline.py",
    "tests/property/policy/test_deadline_properties.py",
    "tests/scenario/test_deadline.py",
    "tests/scenario/test_deadline_budget.py",
    "tests/scenario/test_deadline_waste.py",
)
_POLICY = "seawall_policy/deadline.py"
_CALL = "seawall_proxy/call/call.py"
_REQUEST = "seawall_proxy/call/call_request.py"
MUTANTS = (
    (
        _CALL,
        "now >= self.deadline or (code == status.DEADLINE_EXCEEDED and now + ROUNDING_S >= self.deadline)",
        "code == status.DEADLINE_EXCEEDED",
        "a server's own deadline counts as waste",
    ),
    (
        _CALL,
        "attempt.seen == retry.SEEN and (not self.committed or self._kind() == KIND_UNARY)",
        "attempt.seen == retry.SEEN",
        "messages of a stream that have arrived count as waste",
    ),
    (
        _POLICY,
        "half = 0.5 * (deadline - now)",
        "half = deadline - now",
        "a margin takes all of a short call's time",
    ),
    (
        _POLICY,
        "if self.options.hopeless != ENFORCE:",
        "if self.options.hopeless == OFF:",
        "shadow mode refuses calls",
    ),
    (
        _POLICY,
        "BudgetOptions(options.max_refused, 0.0, REFUSED_OVER_S)",
        "BudgetOptions(options.max_refused, 10.0, REFUSED_OVER_S)",
        "more than the share of the calls is refused",
    ),
    (
        _POLICY,
        "if _seconds(whole, unit) > seconds:",
        "if False:",
        "the time that is forwarded grows by a rounding error",
    ),
    (
        _REQUEST,
        "if attempt.give_up_at < self.deadline and self._kind() == KIND_UNARY:",
        "if attempt.give_up_at < self.deadline:",
        "a stream that flows is ended by its server at the try's time",
    ),
    (
        _REQUEST,
        'return PER_TRY_TIMEOUT if now >= attempt.give_up_at else ""',
        'return ""',
        "a server that keeps the try's time is not retried",
    ),
    (
        _CALL,
        "self.deadline - now - need,",
        "self.deadline - now,",
        "a retry is made that cannot be answered in time",
    ),
    (
        _CALL,
        "latency.add((now if attempt.first_at < 0.0 else attempt.first_at) - attempt.started)",
        "latency.add(now - attempt.started)",
        "a stream counts as slow because it lasts",
    ),
    (
        _CALL,
        "if self.deadline - context.now < latency.fast_s and",
        "if self.deadline - context.now > latency.fast_s and",
        "the calls that have time are taken for hopeless",
    ),
)
