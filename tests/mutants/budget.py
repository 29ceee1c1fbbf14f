"""Mutants of the retry budget and the token throttle."""

MECHANISM = "budget"
TESTS = ("tests/property/policy/test_budget_model.py", "tests/unit/policy/test_budget.py")
_F = "seawall_policy/budget.py"
MUTANTS = (
    (
        _F,
        "if self._reserve + self._sum < _RETRY:",
        "if self._reserve + self._sum < 0:",
        "a retry that is not there is given",
    ),
    (
        _F,
        "self._slots[self._at] -= _RETRY\n",
        "self._slots[self._at] -= 0\n",
        "withdrawals leave the ring at once",
    ),
    (_F, "steps = min(steps, SLOTS)", "steps = min(steps, SLOTS - 1)", "one old slot survives a long pause"),
    (_F, "self._sum -= self._slots[self._at]\n", "self._sum = 0\n", "a new slot forgets all the others"),
    (
        _F,
        "self._slots[self._at] = 0",
        "self._slots[self._at] = self._slots[self._at]",
        "a slot is used again with what was in it",
    ),
    (
        _F,
        "round(options.min_per_second * options.interval_s * _RETRY)",
        "round(options.min_per_second * _RETRY)",
        "the reserve is that of one second",
    ),
    (
        _F,
        "return self._tokens * 2 > self._max",
        "return self._tokens * 2 >= self._max",
        "the throttle allows at exactly half",
    ),
    (
        _F,
        "self._tokens = min(self._max, self._tokens + self._gain)",
        "self._tokens = self._tokens + self._gain",
        "tokens grow beyond their ceiling",
    ),
    (
        _F,
        "self._tokens - _TOKEN if self._tokens > _TOKEN else 0",
        "self._tokens - _TOKEN",
        "tokens fall below nothing",
    ),
)
