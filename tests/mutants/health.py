"""Mutants of the verdict of health checks."""

MECHANISM = "health"
TESTS = ("tests/property/policy/test_health_model.py", "tests/unit/policy/test_health.py")
_F = "seawall_policy/health.py"
MUTANTS = (
    (
        _F,
        "if not fresh and self._against < needed:",
        "if self._against < needed:",
        "the first check decides nothing",
    ),
    (
        _F,
        "if not fresh and self._against < needed:",
        "if not fresh and self._against <= needed:",
        "one result too many is waited for",
    ),
    (
        _F,
        "        if health == self.health:\n            self._against = 0\n",
        "        if health == self.health:\n",
        "results need not be in a row",
    ),
    (
        _F,
        "return self._result(UNHEALTHY, 1)",
        "return self._result(UNHEALTHY, self.options.unhealthy_after)",
        "a server that says it is not serving is doubted",
    ),
    (
        _F,
        "return self._result(HEALTHY, self.options.healthy_after)",
        "return self._result(HEALTHY, 1)",
        "one good answer is a recovery",
    ),
    (
        _F,
        "        self._fresh = True\n        self._against = 0\n",
        "        self._against = 0\n",
        "a new connection's first check does not decide",
    ),
    (
        _F,
        "interval * (1.0 + self.jitter * (2.0 * draw - 1.0))",
        "interval * (1.0 + self.jitter * draw)",
        "checks only ever come later",
    ),
    (
        _F,
        "no_traffic_interval_s if quiet else",
        "no_traffic_interval_s if not quiet else",
        "busy clusters are checked at the quiet interval",
    ),
)
