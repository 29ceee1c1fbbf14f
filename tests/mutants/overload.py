"""Mutants of the proxy's protection of itself."""

MECHANISM = "overload"
TESTS = ("tests/property/policy/test_overload_model.py", "tests/unit/policy/test_overload.py")
_F = "seawall_policy/overload.py"
MUTANTS = (
    (
        _F,
        "self._late = self._late + 1 if lag_s >= limit else 0",
        "self._late = self._late + 1 if lag_s >= limit else self._late",
        "late looks need not be in a row",
    ),
    (
        _F,
        "return REFUSE if self._late >= LAG_LOOKS else NORMAL",
        "return REFUSE if self._late >= 1 else NORMAL",
        "one pause is an overload",
    ),
    (
        _F,
        "level == REFUSE and share >= _back(options.memory_refuse, MEMORY_BACK)",
        "level == REFUSE and share >= options.memory_refuse",
        "refusing flaps at its threshold",
    ),
    (
        _F,
        "level >= SHED and share >= _back(options.memory_shed, MEMORY_BACK)",
        "level == SHED and share >= _back(options.memory_shed, MEMORY_BACK)",
        "after refusing nothing is shed",
    ),
    (
        _F,
        "(_back(limit, DESCRIPTORS_BACK) if shedding else limit)",
        "limit",
        "shedding flaps at its threshold",
    ),
    (
        _F,
        "        if limit <= 0.0:\n            return NORMAL\n",
        "",
        "no limit on the lag refuses everything",
    ),
    (
        _F,
        "return self.levels[MEMORY] >= SHED or self.levels[DESCRIPTORS] >= SHED",
        "return self.levels[MEMORY] == SHED or self.levels[DESCRIPTORS] >= SHED",
        "who refuses for want of memory does not shed",
    ),
    (_F, "if lag_s < limit / 2 else 0", "if lag_s < limit else 0", "just below the limit is recovered"),
)
