"""Seeded mistakes of hedging and of the latency estimate that it waits by; each must fail one of the
tests.
"""

from __future__ import annotations

MECHANISM = "hedge"
TESTS = (
    "tests/unit/policy/test_hedge.py",
    "tests/unit/policy/test_latency.py",
    "tests/property/policy/test_hedge_model.py",
    "tests/property/policy/test_latency_model.py",
    "tests/scenario/test_hedge.py",
)
_POLICY = "seawall_policy/hedge.py"
_LATENCY = "seawall_policy/latency.py"
_CALL = "seawall_proxy/call/call_hedge.py"
MUTANTS = (
    (
        _POLICY,
        "if pushback_ms == PUSHBACK_STOP:",
        "if pushback_ms == 0:",
        "a server that asks for no more attempts is sent more",
    ),
    (
        _POLICY,
        "return not self.stopped and self.sent < self.options.max_attempts",
        "return not self.stopped and self.sent <= self.options.max_attempts",
        "one hedge too many",
    ),
    (
        _POLICY,
        "self._non_fatal: int = options.non_fatal | also_non_fatal",
        "self._non_fatal: int = options.non_fatal",
        "a status that is worth a retry ends the other attempts",
    ),
    (
        _POLICY,
        "return NEXT if self.has_room() else WAIT",
        "return NEXT",
        "the next attempt is promised where there is none",
    ),
    (
        _POLICY,
        "late = UNKNOWN_DELAY_S",
        "late = 0.0",
        "before anything is known hedges do not wait",
    ),
    (
        _POLICY,
        "BudgetOptions(options.budget_percent, RESERVE_PER_S, INTERVAL_S)",
        "BudgetOptions(100.0, RESERVE_PER_S, INTERVAL_S)",
        "every call may be hedged, whatever the budget",
    ),
    (
        _LATENCY,
        "self._before = self._current\n        self._added_before",
        "self._before = emptied\n        self._added_before",
        "the turn before is forgotten at once",
    ),
    (
        _LATENCY,
        "if total < LEAST:",
        "if total < 1:",
        "a single attempt is taken for a distribution",
    ),
    (
        _LATENCY,
        "if seen >= wanted:",
        "if seen > wanted:",
        "the quantile is one attempt off",
    ),
    (
        _CALL,
        "if cluster.load.in_flight >= cluster.max_in_flight:",
        "if cluster.load.in_flight > cluster.max_in_flight:",
        "a hedge takes a place beyond the limit of the cluster",
    ),
    (
        _CALL,
        "if endpoint is None or tried & cluster.bit(endpoint) != 0 or",
        "if endpoint is None or",
        "a hedge goes to the endpoint that is late already",
    ),
    (
        _CALL,
        "breaker.release(attempt.permit, self.context.now)",
        "pass",
        "the permit of an attempt that lost is never returned",
    ),
    (
        _CALL,
        "if decision.attempts >= self.state.most_attempts or not run.has_room():",
        "if not run.has_room():",
        "hedges and retries together exceed the number of attempts",
    ),
    (
        _CALL,
        "attempt.be_spare()",
        "pass",
        "a hedge keeps the place that a call needs",
    ),
    (
        _CALL,
        "if breaker is not None and _is_probing(breaker):",
        "if False:",
        "a hedge is sent as a probe of a half-open breaker",
    ),
)
